// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables and their columns, and a writer for each format.
//!
//! A format writes rows of [`Value`]s below [`Column`]s and knows nothing about faces.

mod activity;
mod sums;
mod columns;
mod tracks;
mod bins;
pub mod dictionary;
mod csv;
mod ndjson;
mod parquet;

pub use activity::{Activity, Seen, activities};
pub use bins::BinTable;
pub use columns::{FaceTable, FileRow, FileTable, LANDMARKS, Layout, Source, classes_of, face_id};
pub use tracks::TrackTable;

use std::io::{self, Write};

/// A table of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A row for each face of each examined frame.
    Faces,
    /// A row for each file.
    Files,
    /// A row for each track.
    Tracks,
    /// A row for each interval of each file.
    Bins,
}

impl Table {
    /// Its name. In the names of files it is before the suffix, except that of the table of faces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Faces => "faces",
            Self::Files => "files",
            Self::Tracks => "tracks",
            Self::Bins => "bins",
        }
    }
}

/// A format of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet with typed columns, ZSTD and dictionaries.
    Parquet,
    /// Comma-separated values with a header line, RFC 4180.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

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

/// A column. Every value may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
}

/// A value of a row; its variant fits the type of its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Missing,
    /// Of [`Type::Text`] and [`Type::Category`].
    Text(&'a str),
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

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::Text)
    }
}

impl From<Option<f32>> for Value<'_> {
    fn from(number: Option<f32>) -> Self {
        number.map_or(Self::Missing, Self::Float)
    }
}

impl From<Option<f64>> for Value<'_> {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Missing, Self::Double)
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Missing, |number| Self::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl<'a> From<Option<&'a [f32]>> for Value<'a> {
    fn from(numbers: Option<&'a [f32]>) -> Self {
        numbers.map_or(Self::Missing, Self::Floats)
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(value: Option<bool>) -> Self {
        value.map_or(Self::Missing, Self::Bool)
    }
}

/// Writes the rows of one table.
pub trait RowWriter {
    /// Writes a row, whose values are in the order of the columns.
    ///
    /// # Errors
    /// If writing fails.
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()>;

    /// Ends the table. `record` says how it was made; formats that have a place for it store it.
    ///
    /// # Errors
    /// If writing fails.
    fn finish(self: Box<Self>, record: &str) -> io::Result<()>;
}

impl Format {
    /// A writer of this format for a table of `columns`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn writer<'a>(self, columns: &[Column], out: impl Write + Send + 'a) -> io::Result<Box<dyn RowWriter + 'a>> {
        Ok(match self {
            Self::Parquet => Box::new(parquet::ParquetWriter::new(columns, out)?),
            Self::Csv => Box::new(csv::CsvWriter::new(columns, out)?),
            Self::Ndjson => Box::new(ndjson::NdjsonWriter::new(columns, out)),
        })
    }
}
