// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two tables and their columns, and a writer for each format.
//!
//! A format writes rows of [`Value`]s below [`Column`]s and knows nothing about faces.

mod columns;
mod csv;
mod ndjson;
mod parquet;

pub use columns::{FaceTable, FileRow, FileTable, LANDMARKS, Source, face_id};

use std::io::{self, Write};

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

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Missing, |number| Self::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

/// Writes the rows of one table.
pub trait RowWriter {
    /// Writes a row, whose values are in the order of the columns.
    ///
    /// # Errors
    /// If writing fails.
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()>;

    /// Ends the table.
    ///
    /// # Errors
    /// If writing fails.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Format {
    /// A writer of this format for a table of `columns`. `settings` are stored in formats that have a place for them.
    ///
    /// # Errors
    /// If writing fails.
    pub fn writer<'a>(self, columns: &[Column], settings: &str, out: impl Write + Send + 'a) -> io::Result<Box<dyn RowWriter + 'a>> {
        Ok(match self {
            Self::Parquet => Box::new(parquet::ParquetWriter::new(columns, settings, out)?),
            Self::Csv => Box::new(csv::CsvWriter::new(columns, out)?),
            Self::Ndjson => Box::new(ndjson::NdjsonWriter::new(columns, out)),
        })
    }
}
