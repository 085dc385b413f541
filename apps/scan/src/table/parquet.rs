// SPDX-License-Identifier: MIT OR Apache-2.0
//! Apache Parquet: typed columns, ZSTD, dictionaries. No other module uses arrow or parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::column::{Column, RowWriter, Type, Value};

/// Rows that are collected before they are passed on.
const BATCH_ROWS: usize = 16_384;
/// Memory of a row group after which it is written. Rows of millions of files would otherwise be in memory.
const ROW_GROUP_BYTES: usize = 16 << 20;
/// Key of the provenance in the file's metadata.
const PROVENANCE_KEY: &str = "emotion-scan";

/// Writes a table as Parquet.
pub struct ParquetWriter<W: Write + Send> {
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Writes the beginning of the file.
    pub fn new(columns: &[Column], out: W) -> io::Result<Self> {
        let fields: Vec<Field> = columns.iter().map(|column| Field::new(&column.name, data_type(column.kind), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("emotion-scan ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
        Ok(Self { schema, builders: columns.iter().map(|column| Builder::new(column.kind)).collect(), writer })
    }

    fn write_batch(&mut self) -> io::Result<()> {
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(io::Error::other)?;
        self.writer.write(&batch)?;
        if self.writer.memory_size() >= ROW_GROUP_BYTES {
            self.writer.flush()?;
        }
        Ok(())
    }
}

impl<W: Write + Send> RowWriter for ParquetWriter<W> {
    fn write(&mut self, row: &[Value<'_>]) -> io::Result<()> {
        self.builders.iter_mut().zip(row).for_each(|(builder, value)| builder.append(value));
        if self.builders.first().is_some_and(|builder| builder.len() >= BATCH_ROWS) {
            self.write_batch()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, provenance: &str) -> io::Result<()> {
        self.write_batch()?;
        self.writer.append_key_value_metadata(KeyValue::new(PROVENANCE_KEY.to_owned(), provenance.to_owned()));
        let mut out = self.writer.into_inner()?;
        out.flush()
    }
}

fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Text => DataType::Utf8,
        Type::Category => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float32,
        Type::Double => DataType::Float64,
        Type::Bool => DataType::Boolean,
        Type::Floats => DataType::List(Arc::new(Field::new_list_field(DataType::Float32, true))),
    }
}

/// The values of one column.
enum Builder {
    Text(StringBuilder),
    Category(StringDictionaryBuilder<Int32Type>),
    Int(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
    Floats(ListBuilder<Float32Builder>),
}

/// What each builder does in the same way.
macro_rules! of_each {
    ($builder:expr, $inner:ident => $done:expr) => {
        match $builder {
            Builder::Text($inner) => $done,
            Builder::Category($inner) => $done,
            Builder::Int($inner) => $done,
            Builder::Float($inner) => $done,
            Builder::Double($inner) => $done,
            Builder::Bool($inner) => $done,
            Builder::Floats($inner) => $done,
        }
    };
}

impl Builder {
    fn new(kind: Type) -> Self {
        match kind {
            Type::Text => Self::Text(StringBuilder::new()),
            Type::Category => Self::Category(StringDictionaryBuilder::new()),
            Type::Int => Self::Int(Int64Builder::new()),
            Type::Float => Self::Float(Float32Builder::new()),
            Type::Double => Self::Double(Float64Builder::new()),
            Type::Bool => Self::Bool(BooleanBuilder::new()),
            Type::Floats => Self::Floats(ListBuilder::new(Float32Builder::new())),
        }
    }

    fn append(&mut self, value: &Value<'_>) {
        match (self, value) {
            (Self::Text(builder), Value::Text(text)) => builder.append_value(text),
            (Self::Category(builder), Value::Text(text)) => builder.append_value(text),
            (Self::Int(builder), Value::Int(number)) => builder.append_value(*number),
            (Self::Float(builder), Value::Float(number)) => builder.append_value(*number),
            (Self::Double(builder), Value::Double(number)) => builder.append_value(*number),
            (Self::Bool(builder), Value::Bool(value)) => builder.append_value(*value),
            (Self::Floats(builder), Value::Floats(numbers)) => builder.append_value(numbers.iter().copied().map(Some)),
            (builder, value) => {
                debug_assert_eq!(*value, Value::Missing, "the value of another type");
                of_each!(builder, inner => inner.append_null());
            }
        }
    }

    fn len(&self) -> usize {
        of_each!(self, builder => builder.len())
    }

    fn finish(&mut self) -> ArrayRef {
        of_each!(self, builder => Arc::new(builder.finish()))
    }
}
