// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a table consists of: columns, and rows of values below them. A format writes them and knows nothing about faces.
//!
//! Each table is a `const` list of [`Columns`]: a line for each column, or for a family of columns such as a score for each
//! class, with its name, type, meaning and value. The tables, the data dictionary, the list of promised columns and the tables of
//! docs/scan.md come from that line.

use std::borrow::Cow;
use std::io;

use emotion_core::behaviour::face_states::{AWAY_PITCH, AWAY_YAW, BACK_PITCH, BACK_YAW};
use emotion_core::face_geometry::BLENDSHAPES;
use emotion_core::scores::{FERPLUS_LABELS, UNKNOWN};
use serde::Serialize;

/// Landmarks in the order of `Face::landmarks`.
pub const LANDMARKS: [&str; 5] = ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"];
/// The sides of a box, in the order of `Face::rect`.
const SIDES: [&str; 4] = ["x", "y", "w", "h"];

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// Text of few different values.
    Category,
    /// Whole number.
    Int,
    /// Number with the precision of the networks.
    Float,
    /// Number with double precision.
    Double,
    /// True or false.
    Bool,
    /// List of numbers with the precision of the networks.
    Floats,
}

/// A value of a row; its variant fits the type of its column.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value<'a> {
    /// No value.
    Missing,
    /// Of [`Type::Text`] and [`Type::Category`].
    Text(Cow<'a, str>),
    /// Of [`Type::Int`].
    Int(i64),
    /// Of [`Type::Float`].
    Float(f32),
    /// Of [`Type::Double`].
    Double(f64),
    /// Of [`Type::Bool`].
    Bool(bool),
    /// Of [`Type::Floats`].
    Floats(&'a [f32]),
}

macro_rules! values {
    ($($kind:ty: $value:ident => $made:expr;)*) => {
        $(impl<'a> From<$kind> for Value<'a> {
            fn from($value: $kind) -> Self {
                $made
            }
        })*
    };
}

values! {
    &'a str: text => Self::Text(text.into());
    String: text => Self::Text(text.into());
    u64: number => Self::Int(i64::try_from(number).unwrap_or(i64::MAX));
    u32: number => Self::Int(number.into());
    u16: number => Self::Int(number.into());
    f32: number => Self::Float(number);
    f64: number => Self::Double(number);
    bool: value => Self::Bool(value);
    &'a [f32]: numbers => Self::Floats(numbers);
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// A column of a table. Every value may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// What it means, with its unit.
    pub meaning: String,
}

/// What the columns of the tables depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The classes that have scores.
    pub classes: Vec<String>,
    /// True if faces have a geometry.
    pub has_geometry: bool,
}

impl Layout {
    /// With the classes of the expression model, or those of FER+ if no face was scored.
    pub fn new(labels: &[String], has_geometry: bool) -> Self {
        let classes = if labels.is_empty() { FERPLUS_LABELS.map(String::from).into() } else { labels.to_vec() };
        Self { classes, has_geometry }
    }

    /// `columns`, if faces have a geometry.
    pub(super) fn of_geometry<F>(&self, columns: &'static [Columns<F>]) -> &'static [Columns<F>] {
        if self.has_geometry { columns } else { &[] }
    }
}

/// A column, or a family of columns, with the function `F` from a row to its values.
pub(super) struct Columns<F> {
    pub(super) members: Members,
    name: &'static str,
    kind: Type,
    meaning: &'static str,
    value: F,
}

/// Which columns a family has.
#[derive(Clone, Copy)]
pub(super) enum Members {
    One,
    /// A single one, whose meaning has the limits of facing the camera.
    Facing,
    /// The sides of a box.
    Sides,
    /// x and y of each landmark.
    Landmarks,
    Blendshapes,
    Classes,
    /// The classes, and `unknown`.
    Labels,
}

/// A column.
pub(super) const fn one<F: Copy>(name: &'static str, kind: Type, meaning: &'static str, value: F) -> Columns<F> {
    Columns { members: Members::One, name, kind, meaning, value }
}

/// A family of columns. In the name and the meaning, `{}` stands for the member, and the value gets its number.
pub(super) const fn each<F: Copy>(members: Members, name: &'static str, kind: Type, meaning: &'static str, value: F) -> Columns<F> {
    Columns { members, name, kind, meaning, value }
}

impl Members {
    fn count(self, layout: &Layout) -> usize {
        match self {
            Self::One | Self::Facing => 1,
            Self::Sides => SIDES.len(),
            Self::Landmarks => 2 * LANDMARKS.len(),
            Self::Blendshapes => BLENDSHAPES.len(),
            Self::Classes => layout.classes.len(),
            Self::Labels => layout.classes.len() + 1,
        }
    }

    /// What stands for a member in the name and in the meaning.
    fn texts(self, member: usize, layout: &Layout) -> (Cow<'_, str>, Cow<'_, str>) {
        let same = |text: &'_ str| (Cow::Owned(text.to_owned()), Cow::Owned(text.to_owned()));
        match self {
            Self::One => same(""),
            Self::Facing => {
                let limits =
                    format!("{AWAY_YAW} or a pitch beyond {AWAY_PITCH} degrees on, until they are within {BACK_YAW} and {BACK_PITCH}");
                ("".into(), limits.into())
            }
            Self::Sides => same(SIDES[member]),
            Self::Landmarks => {
                let (landmark, axis) = (LANDMARKS[member / 2], ["x", "y"][member % 2]);
                (format!("{landmark}_{axis}").into(), format!("{axis} of the {}", landmark.replace('_', " ")).into())
            }
            Self::Blendshapes => same(BLENDSHAPES[member]),
            Self::Classes | Self::Labels => same(layout.classes.get(member).map_or(UNKNOWN, String::as_str)),
        }
    }
}

/// Adds the columns of a list.
pub(super) fn describe<F>(list: &[Columns<F>], layout: &Layout, columns: &mut Vec<Column>) {
    for Columns { members, name, kind, meaning, .. } in list {
        columns.extend((0..members.count(layout)).map(|member| {
            let (in_name, in_meaning) = members.texts(member, layout);
            Column { name: name.replace("{}", &in_name), kind: *kind, meaning: meaning.replace("{}", &in_meaning) }
        }));
    }
}

/// Adds the values of a row below the columns of a list. `value` calls the function of a column for a member.
pub(super) fn fill<'a, F>(list: &[Columns<F>], layout: &Layout, row: &mut Vec<Value<'a>>, value: impl Fn(&F, usize) -> Value<'a>) {
    for column in list {
        row.extend((0..column.members.count(layout)).map(|member| value(&column.value, member)));
    }
}

/// `nanoseconds` in seconds.
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Writes the rows of one table. An error is that of the file.
pub trait RowWriter {
    /// Writes a row, whose values are in the order of the columns.
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()>;

    /// Ends the table. `provenance` says what made it; formats that have a place for it store it.
    fn finish(self: Box<Self>, provenance: &str) -> io::Result<()>;
}
