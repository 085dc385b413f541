// SPDX-License-Identifier: MIT OR Apache-2.0
//! What describes the tables: `results.json`, and the data dictionary, which says what each column of each table means, as a
//! descriptor of a Frictionless data package (version 1 of the specification), which R, Python and OpenRefine read.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::Error;
use crate::outputs::Outputs;
use crate::platform::write_whole;
use crate::scan::Scan;
use crate::summary::Summary;
use crate::table::{Column, Layout, Table, Type};

/// Writes both beside the tables. `parts` is the number of files of each table.
pub(crate) fn write(scan: Scan<'_>, summary: &Summary, parts: usize) -> Result<(), Error> {
    let (outputs, layout) = (scan.outputs, Layout::new(&summary.classes, scan.command.examination.geometry));
    write_whole(&outputs.provenance(), scan.provenance.finished(outputs, summary).as_bytes())?;
    write_whole(&outputs.dictionary(), package(outputs, &layout, parts).as_bytes())
}

/// Describes the tables.
fn package(outputs: &Outputs, layout: &Layout, parts: usize) -> String {
    let stem = outputs.output.file_stem().unwrap_or_default().to_string_lossy();
    let resources: Vec<Value> = outputs.tables().map(|table| resource(outputs, table, layout, parts)).collect();
    let package = json!({
        "profile": "tabular-data-package",
        "name": identifier(&stem),
        "title": "Faces and their apparent expressions",
        "description": "Written by emotion-scan. A label says what an expression looks like to people who labelled pictures, not what \
                        the person feels.",
        "resources": resources,
    });
    serde_json::to_string_pretty(&package).expect("texts become JSON") + "\n"
}

/// A name of lower-case letters, digits and hyphens.
fn identifier(text: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).collect();
    if name.is_empty() { "results".into() } else { name }
}

fn resource(outputs: &Outputs, table: Table, layout: &Layout, parts: usize) -> Value {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = name(&outputs.path_of(table));
    let paths: Vec<String> = (0..parts).map(|part| format!("{file}/{}", outputs.part_name(part))).collect();
    let path = if outputs.partition.is_some() { json!(paths) } else { json!(file) };
    let (title, key) = table.about();
    let mut resource = json!({
        "profile": "tabular-data-resource",
        "name": table.name(),
        "title": title,
        "path": path,
        "format": outputs.suffix().to_lowercase(),
        "encoding": "utf-8",
        "schema": {
            "fields": table.columns(layout).iter().map(field).collect::<Vec<_>>(),
            "missingValues": [""],
        },
    });
    if let Ok(format) = outputs.format() {
        resource["mediatype"] = format.media_type().into();
    }
    if !key.is_empty() {
        resource["schema"]["primaryKey"] = json!(key);
    }
    resource
}

fn field(column: &Column) -> Value {
    let kind = match column.kind {
        Type::Text | Type::Category => "string",
        Type::Int => "integer",
        Type::Float | Type::Double => "number",
        Type::Bool => "boolean",
        Type::Floats => "array",
    };
    json!({"name": column.name, "type": kind, "description": column.meaning})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_specification_allows() {
        assert_eq!(identifier("My results.v2"), "my-results-v2");
        assert_eq!(identifier(""), "results");
    }
}
