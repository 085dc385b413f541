// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings of the user: which parts are drawn, their sizes, colours and words.

use std::collections::BTreeMap;

use crate::scores::UNKNOWN;

/// Which parts are drawn, and their appearance.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// A rounded box around each face.
    pub boxes: bool,
    /// The expression's name and percentage.
    pub labels: bool,
    /// A bar for the score of each class.
    pub scores: bool,
    /// A face in the expression's colour beside the name.
    pub emoji: bool,
    /// The track's id.
    pub ids: bool,
    /// Contours through the landmarks.
    pub landmarks: bool,
    /// A line from the nose in the direction of the face.
    pub pose: bool,
    /// Width of box lines in pixels; 0 derives it from the sizes of frame and face.
    pub line_width_px: u32,
    /// Font size (em) of labels in pixels; 0 derives it from the sizes of frame and face.
    pub font_size_px: u32,
    /// Colours of the expressions.
    pub palette: Palette,
    /// Words shown instead of class names.
    pub translations: Translations,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            boxes: true,
            labels: true,
            scores: true,
            emoji: true,
            ids: true,
            landmarks: false,
            pose: false,
            line_width_px: 0,
            font_size_px: 0,
            palette: Palette::default(),
            translations: Translations::default(),
        }
    }
}

/// Red, green and blue, 0..255, sRGB.
pub type Rgb = [u8; 3];

/// The colour of faces that were not classified, or whose expression is unknown.
pub const UNKNOWN_COLOR: Rgb = [0x9a, 0xa0, 0xa6];

/// A set of colours that people with a colour vision deficiency can tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionOverlayPalette"))]
pub enum Palette {
    /// Okabe and Ito, "Color Universal Design" (2008), with white instead of black.
    #[default]
    #[cfg_attr(feature = "glib", enum_value(name = "Okabe-Ito: eight colours, safe for colour-blind viewers", nick = "okabe-ito"))]
    OkabeIto,
    /// Paul Tol's "bright" scheme (SRON/EPS/TN/09-002), with the orange of "vibrant" as the eighth colour.
    #[cfg_attr(
        feature = "glib",
        enum_value(name = "Tol bright: Paul Tol's bright scheme, safe for colour-blind viewers", nick = "tol-bright")
    )]
    TolBright,
    /// White for every expression: only words and emoji tell them apart.
    #[cfg_attr(feature = "glib", enum_value(name = "White: only words and emoji distinguish expressions", nick = "white"))]
    White,
}

impl Palette {
    /// The colour of a class. A class outside the eight of FER+ gets a colour derived from its name.
    pub fn color(self, class: &str) -> Rgb {
        let index = match Expression::of(class) {
            Some(expression) => expression as usize,
            // A hash of the name, onto the seven colours other than neutral's.
            None => class.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % 7 + 1,
        };
        self.colors()[index]
    }

    /// The colours in the order of [`Expression`].
    const fn colors(self) -> [Rgb; 8] {
        match self {
            Self::OkabeIto => [
                [0xf2, 0xf2, 0xf2],
                [0xf0, 0xe4, 0x42],
                [0xe6, 0x9f, 0x00],
                [0x00, 0x72, 0xb2],
                [0xd5, 0x5e, 0x00],
                [0x00, 0x9e, 0x73],
                [0xcc, 0x79, 0xa7],
                [0x56, 0xb4, 0xe9],
            ],
            Self::TolBright => [
                [0xdd, 0xdd, 0xdd],
                [0xcc, 0xbb, 0x44],
                [0xee, 0x77, 0x33],
                [0x44, 0x77, 0xaa],
                [0xee, 0x66, 0x77],
                [0x22, 0x88, 0x33],
                [0xaa, 0x33, 0x77],
                [0x66, 0xcc, 0xee],
            ],
            Self::White => [[0xf2, 0xf2, 0xf2]; 8],
        }
    }
}

/// The expressions with a colour and an emoji of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expression {
    Neutral,
    Happiness,
    Surprise,
    Sadness,
    Anger,
    Disgust,
    Fear,
    Contempt,
}

impl Expression {
    /// The expression that a class name stands for: a noun as in FER+, or an adjective as in other data sets.
    pub(crate) fn of(class: &str) -> Option<Self> {
        const NAMES: [(&[&str], Expression); 8] = [
            (&["neutral", "neutrality", "calm"], Expression::Neutral),
            (&["happiness", "happy", "joy"], Expression::Happiness),
            (&["surprise", "surprised"], Expression::Surprise),
            (&["sadness", "sad"], Expression::Sadness),
            (&["anger", "angry"], Expression::Anger),
            (&["disgust", "disgusted"], Expression::Disgust),
            (&["fear", "fearful", "afraid"], Expression::Fear),
            (&["contempt", "contemptuous"], Expression::Contempt),
        ];
        NAMES.iter().find(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(class))).map(|(_, expression)| *expression)
    }
}

/// The name of the word between two class names.
const OR: &str = "or";

/// Words to show in place of class names, of `unknown`, and of the `or` between two class names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translations(BTreeMap<String, String>);

impl Translations {
    /// Reads `name=word,name=word`; blanks around names and words do not count, later entries win. Entries that are not
    /// of that form come back beside the map, as they were written.
    ///
    /// ```
    /// use emotion_core::draw::Translations;
    /// let (words, bad) = Translations::parse("happiness=glücklich, anger");
    /// assert_eq!(words.word("happiness"), "glücklich");
    /// assert_eq!(bad, ["anger"]);
    /// ```
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let mut words = BTreeMap::new();
        let mut bad = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.split_once('=').map(|(name, word)| (name.trim(), word.trim())) {
                Some((name, word)) if !name.is_empty() && !word.is_empty() => {
                    words.insert(name.to_owned(), word.to_owned());
                }
                _ => bad.push(entry.to_owned()),
            }
        }
        (Self(words), bad)
    }

    /// The translated names that are neither in `classes` nor `unknown` nor `or`.
    pub fn unknown_names<'a>(&'a self, classes: &'a [String]) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(|&name| ![UNKNOWN, OR].contains(&name) && classes.iter().all(|class| class != name))
    }

    /// The words for a face that looks like one of two classes, such as "surprise or fear".
    pub fn either(&self, class: &str, other: &str) -> String {
        format!("{} {} {}", self.word(class), self.word(OR), self.word(other))
    }

    /// The word for `class`: its own name if it has no translation.
    pub fn word<'a>(&'a self, class: &'a str) -> &'a str {
        self.0.get(class).map_or(class, String::as_str)
    }
}

/// Sizes in pixels that depend on the frame and the face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Font size (em) of the label.
    pub font_px: u32,
    /// Width of the line of the box.
    pub line_px: u32,
}

impl Sizes {
    /// Automatic font sizes. With finer steps, labels would flicker as the sizes of boxes jitter.
    const FONT_STEPS_PX: [u32; 17] = [12, 13, 15, 17, 19, 22, 25, 28, 32, 37, 43, 50, 58, 67, 77, 89, 103];
    /// Minimum ratio between the ideal font size and the previous one at which a label changes its size.
    const FONT_INERTIA: f32 = 1.25;

    /// The sizes for a face whose box has the shorter side `face_px`, on a frame whose shorter side is `frame_px`.
    /// `last_font_px` is the font size of the same face on the previous frame, if it was there.
    pub(crate) fn choose(style: &Style, frame_px: u32, face_px: f32, last_font_px: Option<u32>) -> Self {
        let frame = frame_px as f32;
        let font_px = match (style.font_size_px, last_font_px) {
            (0, last) => {
                let ideal = (face_px * 0.12).clamp(frame * 0.017, frame * 0.03).max(Self::FONT_STEPS_PX[0] as f32);
                let near = |last: &u32| ideal.max(*last as f32) / ideal.min(*last as f32) < Self::FONT_INERTIA;
                last.filter(near).unwrap_or_else(|| Self::step(ideal))
            }
            (fixed, _) => fixed,
        };
        let line_px = match style.line_width_px {
            0 => ((frame / 260.0).round() as u32).clamp(2, (face_px / 16.0).max(2.0) as u32),
            fixed => fixed,
        };
        Self { font_px, line_px }
    }

    fn step(ideal: f32) -> u32 {
        let last = Self::FONT_STEPS_PX[Self::FONT_STEPS_PX.len() - 1];
        Self::FONT_STEPS_PX
            .into_iter()
            .rev()
            .find(|&step| step as f32 <= ideal)
            // Sizes above the last step are not rounded down to it.
            .map_or(Self::FONT_STEPS_PX[0], |step| if step == last { ideal as u32 } else { step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::FERPLUS_LABELS;

    #[test]
    fn the_colours_of_all_expressions_differ() {
        for palette in [Palette::OkabeIto, Palette::TolBright] {
            let mut colors: Vec<Rgb> = FERPLUS_LABELS.iter().map(|label| palette.color(label)).collect();
            colors.push(UNKNOWN_COLOR);
            colors.sort_unstable();
            colors.dedup();
            assert_eq!(colors.len(), 9, "{palette:?}");
        }
        assert_eq!(Palette::OkabeIto.color("Happy"), Palette::OkabeIto.color("happiness"));
    }

    #[test]
    fn translations_keep_valid_entries_and_return_invalid_ones() {
        let (words, bad) = Translations::parse(" happiness = glücklich ,=x,anger=, fear=Angst,plain,,");
        assert_eq!((words.word("happiness"), words.word("fear"), words.word("anger")), ("glücklich", "Angst", "anger"));
        assert_eq!(bad, ["=x", "anger=", "plain"]);
    }

    #[test]
    fn names_that_are_no_class_are_unknown() {
        let (words, _) = Translations::parse("happiness=a,joy=b,unknown=c,Anger=d");
        let classes = FERPLUS_LABELS.map(String::from);
        assert_eq!(words.unknown_names(&classes).collect::<Vec<_>>(), ["Anger", "joy"]);
    }

    #[test]
    fn automatic_sizes_grow_with_the_frame() {
        let of = |frame, face| Sizes::choose(&Style::default(), frame, face, None);
        assert_eq!(of(240, 80.0), Sizes { font_px: 12, line_px: 2 });
        assert_eq!(of(720, 200.0), Sizes { font_px: 19, line_px: 3 }, "0.03 * 720 = 21.6");
        assert_eq!(of(1080, 300.0), Sizes { font_px: 32, line_px: 4 }, "0.03 * 1080 = 32.4");
        assert_eq!(of(2160, 600.0), Sizes { font_px: 58, line_px: 8 }, "0.03 * 2160 = 64.8");
        assert_eq!(of(1080, 60.0), Sizes { font_px: 17, line_px: 3 }, "small faces: 0.017 * 1080 = 18.4");
    }

    #[test]
    fn a_jittering_face_keeps_its_font_size() {
        let style = Style::default();
        let first = Sizes::choose(&style, 1080, 210.0, None).font_px;
        for face in [205.0, 215.0, 200.0, 220.0] {
            assert_eq!(Sizes::choose(&style, 1080, face, Some(first)).font_px, first);
        }
    }

    #[test]
    fn sizes_set_by_the_user_are_not_adjusted() {
        let style = Style { line_width_px: 5, font_size_px: 40, ..Style::default() };
        assert_eq!(Sizes::choose(&style, 240, 30.0, Some(12)), Sizes { font_px: 40, line_px: 5 });
    }
}
