// SPDX-License-Identifier: MIT OR Apache-2.0
//! One JSON object on each line, with every key, null for a missing value.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Column, RowWriter, Value};

/// Writes a table as NDJSON.
pub struct NdjsonWriter<W: Write> {
    columns: Vec<Column>,
    out: W,
}

impl<W: Write> NdjsonWriter<W> {
    /// A table of `columns`.
    pub fn new(columns: &[Column], out: W) -> Self {
        Self { columns: columns.to_vec(), out }
    }
}

impl<W: Write> RowWriter for NdjsonWriter<W> {
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Object(&self.columns, row))?;
        self.out.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>, _record: &str) -> io::Result<()> {
        self.out.flush()
    }
}

struct Object<'a>(&'a [Column], &'a [Value<'a>]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in self.0.iter().zip(self.1) {
            match value {
                Value::Missing => map.serialize_entry(&column.name, &()),
                Value::Text(text) => map.serialize_entry(&column.name, text),
                Value::Int(number) => map.serialize_entry(&column.name, number),
                Value::Float(number) => map.serialize_entry(&column.name, number),
                Value::Double(number) => map.serialize_entry(&column.name, number),
                Value::Bool(value) => map.serialize_entry(&column.name, value),
                Value::Floats(numbers) => map.serialize_entry(&column.name, numbers),
            }?;
        }
        map.end()
    }
}
