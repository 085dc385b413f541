// SPDX-License-Identifier: MIT OR Apache-2.0
//! The columns are described, promised, and in docs/scan.md.

use std::fmt::Write as _;

use super::column::{Columns, describe};
use super::*;

fn layout() -> Layout {
    Layout::new(&[], true)
}

#[test]
fn every_column_of_every_table_is_described_once() {
    for table in Table::ALL {
        let columns = table.columns(&layout());
        for column in &columns {
            assert!(!column.meaning.is_empty() && !column.meaning.contains("{}"), "{}: {}", table.name(), column.name);
            assert_eq!(columns.iter().filter(|other| other.name == column.name).count(), 1, "{}: {}", table.name(), column.name);
        }
    }
}

#[test]
fn the_promised_columns_are_kept() {
    let lines = Table::ALL.into_iter().flat_map(|table| {
        table.columns(&layout()).into_iter().map(move |column| format!("{}.{}: {:?}", table.name(), column.name, column.kind))
    });
    test_support::promises::assert_kept("tables", lines);
}

/// The columns of a list as a table of Markdown. Neighbours of the same meaning are one row, and so are large families, by their first
/// member.
fn markdown<F>(title: &str, list: &[Columns<F>]) -> String {
    let mut rows: Vec<(String, Column)> = Vec::new();
    for family in list {
        let mut columns = Vec::new();
        describe(std::slice::from_ref(family), &layout(), &mut columns);
        let first = columns.remove(0);
        match rows.last_mut() {
            Some((names, last)) if last.meaning == first.meaning => write!(names, ", `{}`", first.name).unwrap(),
            _ => rows.push((format!("`{}`", first.name), first)),
        }
        let (names, _) = rows.last_mut().unwrap();
        match columns.len() {
            others if others <= 4 => columns.iter().for_each(|other| write!(names, ", `{}`", other.name).unwrap()),
            _ => names.push_str(", …"),
        }
    }
    let rows = rows.into_iter().map(|(names, Column { kind, meaning, .. })| {
        let kind = match kind {
            Type::Text | Type::Category => "text",
            Type::Int => "integer",
            Type::Float | Type::Double => "number",
            Type::Bool => "boolean",
            Type::Floats => "list of numbers",
        };
        format!("| {names} | {kind} | {meaning} |\n")
    });
    format!("| {title} | type | meaning |\n|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_columns_are_in_the_documentation() {
    let path = test_support::repository().join("docs/scan.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (name, table) in [
        ("faces", markdown("faces", faces::FACES)),
        ("files", markdown("files", files::FILES)),
        ("tracks", markdown("tracks", tracks::TRACKS)),
        ("bins", markdown("bins", bins::BINS)),
        ("tracks and bins", markdown("tracks and bins", sums::SUMS)),
        ("errors", markdown("bins", bins::ERRORS)),
        ("geometry", markdown("faces", faces::GEOMETRY)),
        ("activity", markdown("tracks and bins", sums::ACTIVITY)),
    ] {
        let (begin, end) = (format!("<!-- BEGIN COLUMNS {name}: written by apps/scan/src/table/tests.rs -->\n"), "<!-- END COLUMNS -->\n");
        let start = text.find(&begin).unwrap_or_else(|| panic!("{} has no place for the columns {name}", path.display())) + begin.len();
        let found = start..start + text[start..].find(end).expect("an end");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            text.replace_range(found, &table);
            std::fs::write(&path, &text).unwrap();
        } else {
            assert!(text[found] == table, "{} has another table of columns; run this test with UPDATE_DOCS=1:\n{table}", path.display());
        }
    }
}
