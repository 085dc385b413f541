// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables and their columns, and a writer for each format.
//!
//! A column is a line of `FACES`, `FILES`, `TRACKS`, `BINS` or `SUMS`, which tracks and bins have in common.

mod activity;
mod column;
mod parquet;
mod text;
mod sums;
mod faces;
mod files;
mod tracks;
mod bins;

pub use activity::{Activity, Seen, activities, face_id};
pub use bins::Bins;
pub use column::{Column, LANDMARKS, Layout, RowWriter, Type, Value};
pub use faces::FaceRow;
pub use files::FileRow;
pub use tracks::Tracks;

use std::io::{self, Read, Write};

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
    /// All tables. That of bins is written if it is asked for.
    pub const ALL: [Self; 4] = [Self::Faces, Self::Files, Self::Tracks, Self::Bins];

    /// Its name. In the names of files it is before the suffix, except that of the table of faces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Faces => "faces",
            Self::Files => "files",
            Self::Tracks => "tracks",
            Self::Bins => "bins",
        }
    }

    /// What a row is, and the columns that tell rows apart.
    pub fn about(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Faces => ("A row for each face on each examined frame", &[]),
            Self::Files => ("A row for each file", &["file"]),
            Self::Tracks => ("A row for each track: a face that was followed from frame to frame", &["file", "id"]),
            Self::Bins => ("A row for each interval of each file", &["file", "bin"]),
        }
    }

    /// Its columns.
    pub fn columns(self, layout: &Layout) -> Vec<Column> {
        match self {
            Self::Faces => faces::columns(layout),
            Self::Files => files::columns(layout),
            Self::Tracks => tracks::columns(layout),
            Self::Bins => bins::columns(layout),
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

    /// True if `file` begins as a table of a scan in this format, whose first column is `file`.
    pub fn is_of_scan(self, file: impl Read) -> io::Result<bool> {
        let (mut begin, expected) = (
            Vec::new(),
            match self {
                Self::Parquet => "PAR1",
                Self::Csv => "file,",
                Self::Ndjson => "{\"file\":",
            },
        );
        file.take(expected.len() as u64).read_to_end(&mut begin)?;
        // A table without rows may be empty.
        Ok(begin.is_empty() || begin == expected.as_bytes())
    }

    /// A writer of this format for a table of `columns`.
    pub fn writer<'a>(self, columns: &[Column], out: impl Write + Send + 'a) -> io::Result<Box<dyn RowWriter + 'a>> {
        Ok(match self {
            Self::Parquet => Box::new(parquet::ParquetWriter::new(columns, out)?),
            Self::Csv => Box::new(text::CsvWriter::new(columns, out)?),
            Self::Ndjson => Box::new(text::NdjsonWriter::new(columns, out)),
        })
    }
}

#[cfg(test)]
mod tests;
