// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables as text: comma-separated values as defined by RFC 4180, with a header line, lines that end in CR LF and an empty cell for
//! a missing value; or one JSON object on each line, with every key, null for a missing value.

use std::io::{self, Write};

use serde::Serializer;

use super::column::{Column, RowWriter, Value};

/// Writes a table as CSV.
pub struct CsvWriter<W: Write> {
    writer: ::csv::Writer<W>,
    cell: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header line.
    pub fn new(columns: &[Column], out: W) -> io::Result<Self> {
        let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
        writer.write_record(columns.iter().map(|column| column.name.as_bytes()))?;
        Ok(Self { writer, cell: String::new() })
    }
}

impl<W: Write> RowWriter for CsvWriter<W> {
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()> {
        use std::fmt::Write as _;
        for value in row {
            self.cell.clear();
            let _ = match value {
                Value::Missing => Ok(()),
                Value::Text(text) => write!(self.cell, "{}{text}", if is_formula(text) { "'" } else { "" }),
                Value::Int(number) => write!(self.cell, "{number}"),
                Value::Float(number) => write!(self.cell, "{number}"),
                Value::Double(number) => write!(self.cell, "{number}"),
                Value::Bool(value) => write!(self.cell, "{value}"),
                Value::Floats(numbers) => write_list(numbers, &mut self.cell),
            };
            self.writer.write_field(&self.cell)?;
        }
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    fn finish(mut self: Box<Self>, _provenance: &str) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes a list as JSON, which a data package calls an array.
fn write_list(numbers: &[f32], cell: &mut String) -> std::fmt::Result {
    use std::fmt::Write as _;
    cell.push('[');
    for (index, number) in numbers.iter().enumerate() {
        write!(cell, "{}{number}", if index > 0 { "," } else { "" })?;
    }
    cell.push(']');
    Ok(())
}

/// True if a spreadsheet would evaluate the text. Such a text is prefixed with an apostrophe, as `emotionexport` does.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// Writes a table as NDJSON.
pub struct NdjsonWriter<W: Write> {
    names: Vec<String>,
    out: W,
}

impl<W: Write> NdjsonWriter<W> {
    /// A table of `columns`.
    pub fn new(columns: &[Column], out: W) -> Self {
        Self { names: columns.iter().map(|column| column.name.clone()).collect(), out }
    }
}

impl<W: Write> RowWriter for NdjsonWriter<W> {
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()> {
        serde_json::Serializer::new(&mut self.out).collect_map(self.names.iter().zip(row))?;
        self.out.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>, _provenance: &str) -> io::Result<()> {
        self.out.flush()
    }
}
