// SPDX-License-Identifier: MIT OR Apache-2.0
//! A worker for a scan in another process, on this machine or another one: it reads requests and writes an answer to each.
//!
//! The copy of a remote file stays until a request names another file.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::protocol::{self, Answer, Request};
use crate::analysis;
use crate::command_line::CommandLine;
use crate::error::Error;
use crate::findings::FileKey;
use crate::inputs::{Copies, Input, Unavailable};
use crate::models::Models;
use crate::progress::Counts;
use crate::provenance::like::Recorded;
use crate::slices::Examiner;

/// Answers requests until there are no more.
pub fn run(command: &CommandLine, requests: impl BufRead, mut answers: impl Write) -> Result<(), Error> {
    analysis::start_elements()?;
    let like = command.like.as_deref().map(|path| Ok::<_, Error>(Recorded::read(path)?.apply(command))).transpose()?;
    let counts = Counts::default();
    let examiner = Examiner::new(like.as_ref().unwrap_or(command), 1, &counts)?;
    let mut worker = Worker { models: examiner.models(), examiner, timeout: command.timeout, copies: None, copied: (0, None) };
    for request in protocol::requests(requests) {
        protocol::write(&worker.answer(request?)?, &mut answers)?;
    }
    Ok(())
}

struct Worker<'a> {
    examiner: Examiner<'a>,
    models: Models,
    timeout: Duration,
    copies: Option<Copies>,
    /// Number of remote files so far, and the last one.
    copied: (usize, Option<FileKey>),
}

impl Worker<'_> {
    fn answer(&mut self, request: Request) -> Result<Answer, Error> {
        let input = Input { url: request.url.clone(), ..Input::of(request.file.clone()) };
        let error = self.refusal(&request, &input);
        let mut answer = Answer { request, facts: None, result: None, error };
        if answer.error.is_some() {
            return Ok(answer);
        }
        let path = self.path(&input)?;
        let opened = self.examiner.open(path);
        match answer.request.slice {
            Some(slice) => answer.result = Some(self.examiner.examine(&input, slice, &answer.request.slices, opened)),
            None => {
                let (facts, decoder) = self.examiner.inspect(opened);
                let only = decoder.filter(|_| facts.slices.len() == 1);
                answer.result = only.map(|decoder| self.examiner.examine(&input, 0, &facts.slices, Ok(decoder)));
                answer.facts = Some(facts);
            }
        }
        Ok(answer)
    }

    /// Why this worker would give other rows than the scan expects.
    fn refusal(&self, request: &Request, input: &Input) -> Option<String> {
        if request.models != self.models {
            let (expected, found) = (&request.models, &self.models);
            return Some(format!("expected the models that the scan began with, {expected}; the worker has {found}"));
        }
        let is_other = input.is_changed();
        is_other.then(|| "expected the file that was listed; the worker has none, or another version".to_owned())
    }

    /// Where a file is on this machine. The inner error concerns the file.
    fn path(&mut self, input: &Input) -> Result<Result<PathBuf, Unavailable>, Error> {
        if !input.is_remote() {
            return Ok(Ok(input.path()));
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
}
