// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists of what `docs/stability.md` promises: names of elements, properties, fields, columns, options and keys, a line each,
//! in `tests/data/promises`.
//!
//! A test collects the lines of this version and calls [`assert_kept`]. A new line is added by `UPDATE_PROMISES=1`. A line
//! that this version lacks always fails, because a user relies on it: only the next major version may remove it, by hand.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::data;

/// Adds new lines to the lists instead of failing, if it is set.
const UPDATE: &str = "UPDATE_PROMISES";
/// The licence of the lists, as their first line.
const LICENCE: &str = "# SPDX-License-Identifier: MIT OR Apache-2.0\n";

/// Checks that the list `name` has these lines and no others.
///
/// # Panics
/// If a line was removed or changed, or is new and `UPDATE_PROMISES` is not set.
pub fn assert_kept(name: &str, lines: impl IntoIterator<Item = String>) {
    let path = data(&format!("promises/{name}.txt"));
    let found: BTreeSet<String> = lines.into_iter().collect();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let promised: BTreeSet<String> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let broken: Vec<_> = promised.difference(&found).collect();
    assert!(broken.is_empty(), "removed or changed, though docs/stability.md promises it: {broken:#?}\nin {}", path.display());
    let new: Vec<_> = found.difference(&promised).collect();
    if new.is_empty() {
        return;
    }
    assert!(std::env::var_os(UPDATE).is_some(), "new, and promised from now on: {new:#?}\n{UPDATE}=1 adds it to {}", path.display());
    let all: String = found.iter().map(|line| format!("{line}\n")).collect();
    fs::create_dir_all(path.parent().expect("a file is in a folder"))
        .and_then(|()| fs::write(&path, format!("{LICENCE}{all}")))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A line for each value of a JSON text: `NAME.KEY.KEY: type`. The keys of objects whose name is in `named_by_class` are the
/// classes of a model and count as one.
pub fn fields(name: &str, value: &Value, named_by_class: &[&str]) -> BTreeSet<String> {
    let kind = match value {
        Value::Object(object) => {
            let is_by_class = named_by_class.iter().any(|key| name.ends_with(&format!(".{key}")));
            let key = |key: &str| if is_by_class { "*".to_owned() } else { key.to_owned() };
            return object.iter().flat_map(|(inner, value)| fields(&format!("{name}.{}", key(inner)), value, named_by_class)).collect();
        }
        Value::Array(values) => return values.iter().flat_map(|value| fields(&format!("{name}[]"), value, named_by_class)).collect(),
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    };
    BTreeSet::from([format!("{name}: {kind}")])
}

/// A line for each field of a structure of GStreamer: `NAME.FIELD: type`. Those of structures in it, alone or in a list, follow.
#[cfg(feature = "plugin")]
pub fn structure_fields(name: &str, structure: &gst::StructureRef) -> BTreeSet<String> {
    structure.iter().flat_map(|(field, value)| value_lines(&format!("{name}.{field}"), value)).collect()
}

#[cfg(feature = "plugin")]
fn value_lines(name: &str, value: &gst::glib::SendValue) -> BTreeSet<String> {
    if let Ok(structure) = value.get::<gst::Structure>() {
        structure_fields(name, &structure)
    } else if let Ok(values) = value.get::<gst::Array>() {
        values.iter().flat_map(|value| value_lines(&format!("{name}[]"), value)).collect()
    } else if let Ok(values) = value.get::<gst::List>() {
        values.iter().flat_map(|value| value_lines(&format!("{name}[]"), value)).collect()
    } else {
        BTreeSet::from([format!("{name}: {}", value.type_())])
    }
}
