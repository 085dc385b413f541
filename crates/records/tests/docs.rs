// SPDX-License-Identifier: MIT OR Apache-2.0
//! `docs/records.md` has a table for each record, made of the definitions in `src`. `UPDATE_RECORDS=1` writes them anew.

use std::fs;
use std::mem::take;
use std::path::Path;

/// The files with definitions, in the order of the page.
const SOURCES: [&str; 4] =
    [include_str!("../src/face.rs"), include_str!("../src/times.rs"), include_str!("../src/summary.rs"), include_str!("../src/event.rs")];
/// Precedes the tables.
const MARK: &str =
    "<!-- The rest is made of the definitions in crates/records/src by UPDATE_RECORDS=1 cargo test -p emotion-records. -->\n";

enum Place {
    Outside,
    Record,
    Events,
}

/// The tables of all definitions.
fn tables() -> String {
    let (mut text, mut docs, mut place, mut is_flat) = (String::new(), String::new(), Place::Outside, false);
    for line in SOURCES.iter().flat_map(|source| source.lines()) {
        let (said, is_attribute) = (line.trim().strip_prefix("/// "), line.trim().starts_with("#["));
        if let Some(said) = said {
            docs = format!("{docs} {said}").trim().to_owned();
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            text += &format!("\n## {}\n\n{}\n\n| field | type | meaning |\n|---|---|---|\n", title(rest), take(&mut docs));
            place = Place::Record;
        } else if line == "events! {" {
            text += "\n## Kinds of events\n\n| type | field | its type | meaning |\n|---|---|---|---|\n";
            place = Place::Events;
        } else if line == "}" {
            place = Place::Outside;
        } else if let Some(row) = row(line.trim(), &place).filter(|_| !is_attribute) {
            let flat = row.split_once(" | ").filter(|_| take(&mut is_flat)).map(|(_, of)| format!("the fields of {of} |"));
            let row = flat.unwrap_or(row);
            text += &format!("| {row} | {} |\n", take(&mut docs));
        } else if is_attribute {
            is_flat |= line.contains("flatten");
        } else {
            (docs, is_flat) = Default::default();
        }
    }
    text
}

/// The first cells of the row of a line.
fn row(line: &str, place: &Place) -> Option<String> {
    let field = |line: &str| line.trim_end_matches(',').split_once(": ").map(|(name, kind)| (name.replace("r#", ""), json_type(kind)));
    match place {
        Place::Outside => None,
        Place::Record => field(line.strip_prefix("pub ")?).map(|(name, kind)| format!("`{name}` | {kind}")),
        Place::Events if line.starts_with('"') => Some(format!("`{}` | |", line.split('"').nth(1)?)),
        Place::Events => field(line).map(|(name, kind)| format!("| `{name}` | {kind}")),
    }
}

fn title(rest: &str) -> String {
    let name = rest.split(['<', ' ']).next().expect("a name");
    name.strip_suffix("Line").map_or_else(|| name.to_owned(), |name| format!("The record {}", name.to_lowercase()))
}

/// What a type of Rust is in JSON.
fn json_type(kind: &str) -> String {
    match kind {
        "bool" => "boolean".into(),
        "f64" => "number".into(),
        "u32" | "u64" | "usize" => "int".into(),
        "String" | "Text<'a>" | "Utc" | "UnknownReason" | "Direction" => "string".into(),
        "Vec<[f64; 2]>" => "array of pairs of numbers".into(),
        "EventKind" => "[its kind](#kinds-of-events)".into(),
        _ if kind.starts_with("Option<") => format!("{} or null", json_type(&kind[7..kind.len() - 1])),
        _ if kind.starts_with("ByLabel<") => {
            format!("object of {}s", json_type(kind[8..kind.len() - 1].split(", ").nth(1).expect("a value")))
        }
        _ => {
            let name = kind.trim_end_matches("<'a>");
            format!("[{name}](#{})", name.to_lowercase())
        }
    }
}

#[test]
fn the_page_of_records_is_made_of_their_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/records.md");
    let page = fs::read_to_string(&path).expect("a page");
    let (head, found) = page.split_once(MARK).expect("the mark");
    let expected = tables();
    if std::env::var_os("UPDATE_RECORDS").is_some() {
        return fs::write(&path, format!("{head}{MARK}{expected}")).expect("the page can be written");
    }
    assert!(found == expected, "{} is out of date: UPDATE_RECORDS=1 writes it", path.display());
}
