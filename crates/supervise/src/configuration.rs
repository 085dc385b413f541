// SPDX-License-Identifier: MIT OR Apache-2.0
//! Configuration files, in TOML.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

/// Why a file is not used.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub struct ConfigurationError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: Reason,
}

/// What is wrong with a file.
#[derive(Debug, Error)]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Reason {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("{}", .0.to_string().trim_end())]
    Invalid(#[from] toml::de::Error),
    /// One of its tables has an unknown key or a wrong value, or no name.
    #[error("[[{table}]] {name}: {reason}")]
    Table {
        table: String,
        /// Its name, or else its number.
        name: String,
        reason: String,
    },
    #[error("{0}: expected tables that begin with [[{0}]]")]
    NoTables(String),
}

/// What a file is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Content<T> {
    /// One thing.
    One(T),
    /// One for each table.
    Tables(Vec<T>),
}

impl<T> Content<T> {
    /// True if there are tables.
    pub fn has_tables(&self) -> bool {
        matches!(self, Self::Tables(_))
    }

    /// Each after `change`.
    ///
    /// # Errors
    /// The first one.
    pub fn try_map<U, E>(self, mut change: impl FnMut(T) -> Result<U, E>) -> Result<Content<U>, E> {
        Ok(match self {
            Self::One(one) => Content::One(change(one)?),
            Self::Tables(all) => Content::Tables(all.into_iter().map(change).collect::<Result<_, _>>()?),
        })
    }
}

/// The content of the file at `path`, or of standard input if `path` is `-`.
///
/// # Errors
/// If it cannot be read, or has an error.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigurationError> {
    let read = || Ok(toml::from_str(&text(path)?)?);
    read().map_err(|reason| ConfigurationError { path: path.to_owned(), reason })
}

/// As [`read`], of a file that may have tables `[[table]]`, each with a name. What is outside of them holds for all, and
/// `{name}` in its texts stands for the name.
///
/// # Errors
/// If it cannot be read, or has an error.
pub fn read_tables<T: DeserializeOwned>(path: &Path, table: &str) -> Result<Content<T>, ConfigurationError> {
    let read = || content(&text(path)?, table);
    read().map_err(|reason| ConfigurationError { path: path.to_owned(), reason })
}

fn text(path: &Path) -> io::Result<String> {
    if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) }
}

fn content<T: DeserializeOwned>(text: &str, table: &str) -> Result<Content<T>, Reason> {
    let mut common: Table = toml::from_str(text)?;
    let tables = match common.remove(table) {
        // Its errors have lines.
        None => return Ok(Content::One(toml::from_str(text)?)),
        Some(Value::Array(tables)) if !tables.is_empty() => tables,
        Some(_) => return Err(Reason::NoTables(table.to_owned())),
    };
    let each = tables.into_iter().enumerate().map(|(index, own)| {
        let name = own.get("name").and_then(Value::as_str).map(str::to_owned);
        let own = own.as_table().filter(|_| name.is_some()).ok_or_else(|| "expected a name, found none".to_owned());
        let read = own.and_then(|own| {
            let mut all = common.clone();
            add(&mut all, own);
            all.iter_mut().for_each(|(_, value)| fill_in(value, name.as_deref().unwrap_or_default()));
            all.try_into::<T>().map_err(|error| error.to_string().trim_end().to_owned())
        });
        read.map_err(|reason| {
            let name = name.clone().unwrap_or_else(|| format!("number {}", index + 1));
            Reason::Table { table: table.to_owned(), name, reason }
        })
    });
    each.collect::<Result<_, _>>().map(Content::Tables)
}

/// Adds what `own` has to `all`, in place of what is there.
fn add(all: &mut Table, own: &Table) {
    for (key, value) in own {
        match (all.get_mut(key), value) {
            (Some(Value::Table(all)), Value::Table(own)) => add(all, own),
            _ => drop(all.insert(key.clone(), value.clone())),
        }
    }
}

/// Writes `name` for `{name}`.
fn fill_in(value: &mut Value, name: &str) {
    match value {
        Value::String(text) => *text = text.replace("{name}", name),
        Value::Array(values) => values.iter_mut().for_each(|value| fill_in(value, name)),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| fill_in(value, name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Door {
        name: String,
        width: u32,
        files: Files,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Files {
        folder: String,
        seconds: u32,
    }

    fn doors(text: &str) -> Result<Content<Door>, String> {
        content(text, "door").map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_outside_of_tables_holds_for_all_of_them() {
        let text = "width = 3\n[files]\nfolder = 'days/{name}'\nseconds = 9\n\
                    [[door]]\nname = 'front'\n[[door]]\nname = 'back'\nwidth = 4\nfiles.seconds = 5\n";
        let door =
            |name: &str, width, folder: &str, seconds| Door { name: name.into(), width, files: Files { folder: folder.into(), seconds } };
        let expected = vec![door("front", 3, "days/front", 9), door("back", 4, "days/back", 5)];
        assert_eq!(doors(text), Ok(Content::Tables(expected)));
        assert_eq!(doors("width = 3"), Ok(Content::One(door("", 3, "", 0))));
    }

    #[test]
    fn errors_name_the_table() {
        for (text, part) in [
            ("[[door]]\nname = 'front'\n[[door]]\nname = 'back'\nwidht = 4\n", "[[door]] back: unknown field `widht`"),
            ("[[door]]\nwidth = 4\n", "[[door]] number 1: expected a name, found none"),
            ("[door]\nname = 'front'\n", "door: expected tables that begin with [[door]]"),
            ("door = []\n", "door: expected tables that begin with [[door]]"),
            ("widht = 4\n", "line 1"),
        ] {
            let error = doors(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
