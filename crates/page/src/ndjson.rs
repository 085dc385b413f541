// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the lines of `emotionexport format=ndjson`.

use std::io::{self, BufRead};
use std::path::Path;

use emotion_records::{FACE, FRAME, SUMMARY, VERSION};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::Error;
use crate::records::{Content, Records};

/// Characters of a wrong line that an error shows.
const SHOWN_CHARACTERS: usize = 60;

impl Records {
    /// Reads all lines of `text`; errors name `path`. A last line that was not finished is left out, which the page notes.
    ///
    /// # Errors
    /// If the text cannot be read, a line is no record, or faces and totals are mixed.
    pub fn read(mut text: impl BufRead, path: &Path) -> Result<Self, Error> {
        let mut records = Self::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let length = text.read_until(b'\n', &mut line).map_err(|source| Error::Read { path: path.to_owned(), source })?;
            if length == 0 {
                break;
            }
            if let Err(reason) = records.read_line(&line) {
                if line.last() != Some(&b'\n') {
                    records.notes.push("The last line is incomplete and was skipped.".into());
                    break;
                }
                let text = String::from_utf8_lossy(&line);
                let found = text.trim_end().chars().take(SHOWN_CHARACTERS).collect();
                return Err(Error::Record { path: path.to_owned(), line: number, found, reason });
            }
        }
        records.check_kinds(path)?;
        Ok(records)
    }

    fn check_kinds(&self, path: &Path) -> Result<(), Error> {
        let summaries = self.all.iter().filter(|record| matches!(record.content, Content::Totals(_))).count();
        if summaries == 0 || summaries == self.all.len() { Ok(()) } else { Err(Error::Mixed { path: path.to_owned() }) }
    }

    /// Adds the record of a line; an empty line has none. The error says what is wrong with it.
    fn read_line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = str::from_utf8(line).map_err(|error| format!("expected UTF-8, found another byte at {}", error.valid_up_to()))?;
        if line.trim().is_empty() {
            return Ok(());
        }
        let header: Header = parse(line)?;
        if header.version != VERSION {
            let found = if header.version.is_null() { "none".into() } else { header.version.to_string() };
            return Err(format!("expected version {VERSION}, found {found}"));
        }
        match (header.kind.as_str(), header.missing()) {
            (Some(FACE | FRAME | SUMMARY), Some(name)) => return Err(format!("missing field `{name}`")),
            (Some(FACE), _) => self.push_face(&parse(line)?),
            (Some(FRAME), _) => self.push_gone(&parse(line)?),
            (Some(SUMMARY), _) => self.push_summary(&parse(line)?),
            _ => return Err(format!("expected the type face, frame or summary, found {}", header.kind)),
        }
        Ok(())
    }
}

/// Parses a line. The error is without serde's line number, which is always 1.
fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        let text = io::Error::from(error).to_string();
        text.split(" at line 1").next().unwrap_or_default().to_owned()
    })
}

/// What tells the kind of a record, and what a record in a file must have. Readers of single messages do without the latter.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    version: Value,
    #[serde(rename = "type")]
    kind: Value,
    stream: Option<IgnoredAny>,
    pts: Option<IgnoredAny>,
    duration: Option<IgnoredAny>,
}

impl Header {
    /// The name of the first field that is missing.
    fn missing(&self) -> Option<&'static str> {
        let fields = [("stream", &self.stream), ("pts", &self.pts), ("duration", &self.duration)];
        fields.into_iter().find(|(_, value)| value.is_none()).map(|(name, _)| name)
    }
}
