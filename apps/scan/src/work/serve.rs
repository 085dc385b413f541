// SPDX-License-Identifier: MIT OR Apache-2.0
//! A worker for a scan that another process dispatches, on this machine or another one.
//!
//! The worker reads tasks from standard input, one JSON object on each line, and writes an answer to each to standard
//! output. A task names a file and one of its slices, or none: then the worker finds out what the file is, and examines it
//! at once if it is a single slice. The file has to be the same one here: same name, size and time of the last change. So have
//! the models. A remote file is downloaded. Its copy stays until a task names another file.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::{self, Analyser};
use crate::decode::{Decoder, Failure};
use crate::error::Error;
use crate::findings::{FileFacts, FileKey, SliceResult};
use crate::inputs::{self, Copies, Input};
use crate::models::Models;
use crate::options::Options;
use crate::progress::Counts;
use crate::slices::examine;

/// Something to examine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The file.
    pub file: FileKey,
    /// Number of the slice; none if it is not known yet what the file is.
    pub slice: Option<usize>,
    /// Start of each slice, in nanoseconds of the file's time.
    pub slices: Vec<u64>,
    /// The models that examine it.
    pub models: Models,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The task.
    pub task: Task,
    /// What the file is, if the task asked for it.
    #[serde(default)]
    pub facts: Option<FileFacts>,
    /// Faces of the slice, or of the only slice of a file.
    #[serde(default)]
    pub result: Option<SliceResult>,
    /// Why the task could not be done here. Another worker may have more luck.
    #[serde(default)]
    pub error: Option<String>,
}

/// Answers tasks until `tasks` ends.
///
/// # Errors
/// If the elements do not start, a task cannot be read, or an answer cannot be written.
pub fn run(options: &Options, tasks: impl BufRead, mut answers: impl Write) -> Result<(), Error> {
    analysis::start_elements()?;
    let analyser = Analyser::new(&options.settings(), 1)?;
    let models = analyser.models();
    let mut worker = Worker { analyser, models, every: options.every, timeout: options.timeout, copies: None, copied: (0, None) };
    for line in tasks.lines() {
        let line = line.map_err(Error::at("standard input".as_ref()))?;
        let task = serde_json::from_str(&line).map_err(|error| Error::Option(format!("expected a task, found {line:?}: {error}")))?;
        let answer = serde_json::to_string(&worker.answer(task)?).expect("numbers and texts become JSON");
        writeln!(answers, "{answer}").and_then(|()| answers.flush()).map_err(Error::at("standard output".as_ref()))?;
    }
    Ok(())
}

struct Worker {
    analyser: Analyser,
    models: Models,
    every: Option<Duration>,
    timeout: Duration,
    copies: Option<Copies>,
    /// Number of remote files so far, and the last one.
    copied: (usize, Option<FileKey>),
}

impl Worker {
    fn answer(&mut self, task: Task) -> Result<Answer, Error> {
        let input = Input { path: task.file.path(), key: task.file.clone(), error: None };
        let mut answer = Answer { task, facts: None, result: None, error: None };
        if answer.task.models != self.models {
            let (expected, found) = (&answer.task.models, &self.models);
            answer.error = Some(format!("expected the models that the scan began with, {expected}; the worker has {found}"));
            return Ok(answer);
        }
        if inputs::is_changed(&input) {
            answer.error = Some("expected the file that was listed; the worker has none, or another version".into());
            return Ok(answer);
        }
        let opened = self.path(&input)?.map_err(Failure::Download).and_then(|path| Decoder::open(&path, self.timeout));
        match answer.task.slice {
            Some(slice) => answer.result = Some(self.examine(&input, slice, &answer.task.slices, opened)),
            None => {
                let (facts, decoder) = examine::inspect(opened);
                let only = decoder.filter(|_| facts.slices.len() == 1);
                answer.result = only.map(|decoder| self.examine(&input, 0, &facts.slices, Ok(decoder)));
                answer.facts = Some(facts);
            }
        }
        Ok(answer)
    }

    /// Where a file is on this machine. The inner error is that of the file.
    fn path(&mut self, input: &Input) -> Result<Result<PathBuf, String>, Error> {
        if !input.is_remote() {
            return Ok(Ok(input.path.clone()));
        }
        if self.copies.is_none() {
            let folder = std::env::temp_dir().join(format!("emotion-scan-worker-{}", std::process::id()));
            self.copies = Some(Copies::new(folder, std::slice::from_ref(input), self.timeout)?);
        }
        let copies = self.copies.as_ref().expect("set above");
        let (number, file) = &mut self.copied;
        if file.as_ref() != Some(&input.key) {
            copies.end(*number);
            *number += 1;
            *file = Some(input.key.clone());
            copies.begin(*number, 1);
        }
        copies.path(*number, input)
    }

    fn examine(&mut self, input: &Input, slice: usize, starts: &[u64], decoder: Result<Decoder, Failure>) -> SliceResult {
        examine::examine_at(input, slice, starts, decoder, &mut self.analyser, self.every, &Counts::default())
    }
}
