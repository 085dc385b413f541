// SPDX-License-Identifier: MIT OR Apache-2.0
//! The formats of the tables.

use std::io::{self, Write};

use super::column::{Column, RowWriter};
use super::parquet::ParquetWriter;
use super::text::{CsvWriter, NdjsonWriter};

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

impl Format {
    /// The format of files with this suffix in lower case.
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            "parquet" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// A writer of this format for a table of `columns`.
    pub fn writer<'a>(self, columns: &[Column], out: impl Write + Send + 'a) -> io::Result<Box<dyn RowWriter + 'a>> {
        Ok(match self {
            Self::Parquet => Box::new(ParquetWriter::new(columns, out)?),
            Self::Csv => Box::new(CsvWriter::new(columns, out)?),
            Self::Ndjson => Box::new(NdjsonWriter::new(columns, out)),
        })
    }
}
