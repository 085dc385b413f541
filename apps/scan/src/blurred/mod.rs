// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copies of photos and videos in which every face is hidden, and nothing else is left to tell: `--blurred FOLDER`.
//!
//! ```text
//! original ──▶ look: faces of each frame ──▶ tracks: what is hidden ──▶ hide ──▶ copy
//!                                               ▲                                 │
//!                                               └──── faces that are still there ◀┘
//! ```
//!
//! | module | does |
//! |---|---|
//! | `options` | the options |
//! | `failure` | why a file has no copy |
//! | `look` | the faces of a frame |
//! | `orientation` | how each shot of a video is turned |
//! | `reading` | the frames of a file |
//! | `tracks` | what is hidden of each frame |
//! | `photo` | the faces of a photo |
//! | `close_up` | faces that the edge of the frame cuts in half, and close-ups |
//! | `container` | what a copy is written as |
//! | `hide` | writes a copy |
//! | `picture` | small pictures of a copy |
//! | `left_out` | what a copy does not have |
//! | `copy` | the three passes over a file |
//! | `ledger` | which copies are finished |
//! | `review` | the page of what to look at |

pub mod options;
mod failure;
mod look;
mod orientation;
mod reading;
mod tracks;
mod photo;
mod close_up;
mod container;
mod hide;
mod picture;
mod left_out;
mod copy;
mod ledger;
mod review;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use options::{Blurring, Sound};

use crate::analysis::start_elements;
use crate::command_line::CommandLine;
use crate::decode::{Frames, Limits};
use crate::error::Error;
use crate::inputs::{self, Copies, Input};
use crate::output::names::Names;
use crate::platform::{folder_of, put_in_place};
use crate::sampling::Sampling;
use container::Container;
use copy::copy;
use failure::Failure;
use hide::Copying;
use ledger::{Finished, Ledger, Made};
use look::Eye;

/// What follows the name of a copy until it is complete. The ending of the name comes once more, because decoders tell formats by it: some
/// MP4 files have bytes like those of an MPEG transport stream.
const PART: &str = ".unfinished";

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Copies that are finished, by their paths.
    pub finished: Vec<String>,
    /// Name and error of each file without a copy.
    pub failed: Vec<(String, String)>,
    /// The names of the networks that looked for faces.
    pub networks: Vec<String>,
    /// Spans that somebody should look at.
    pub spans: usize,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, error) in &self.failed {
            writeln!(f, "emotion-scan: {file}: {error}")?;
        }
        let (copies, networks) = (self.finished.len(), self.networks.join(" and "));
        writeln!(f, "{copies} copies with hidden faces, found by {networks}; {} spans to look at in review.html", self.spans)
    }
}

/// Copies all inputs of `command` into its folder for copies with hidden faces.
///
/// # Errors
/// If nothing can be written any more; the error names the copies that are finished. The next call goes on.
pub fn run(command: &CommandLine) -> Result<Done, Error> {
    let folder = command.blurring.blurred.as_deref().unwrap_or(Path::new("."));
    start_elements()?;
    let inputs = inputs::collect(command)?;
    review::check(folder)?;
    let mut ledger = Ledger::open(folder)?;
    let copies = Copies::new(folder.join("downloads"), &inputs, command.timeout)?;
    let mut all =
        All { command, folder, eye: Eye::load().map_err(|error| Error::Element(error.to_string()))?, names: Names::below(folder) };
    let mut done = Done { networks: all.eye.networks(), ..Done::default() };
    let copied = all.copy_each(&inputs, &copies, &mut ledger, &mut done);
    let written = review::write(folder, ledger.all());
    copied.and(written).map_err(|error| Error::Stopped { error: error.into(), finished: done.finished.clone() })?;
    done.spans = ledger.all().map(|one| one.report.spans.len()).sum();
    Ok(done)
}

struct All<'a> {
    command: &'a CommandLine,
    folder: &'a Path,
    eye: Eye,
    names: Names,
}

impl All<'_> {
    /// Copies all files. The pages are written as a whole, so they wait until there are a tenth more copies.
    fn copy_each(&mut self, inputs: &[Input], copies: &Copies, ledger: &mut Ledger, done: &mut Done) -> Result<(), Error> {
        let mut written = 0;
        for (number, input) in inputs.iter().enumerate() {
            let copied = copies.with(number, input, |path| match path {
                Ok(path) => self.copy(input, path, ledger),
                Err(error) => Ok(Err(error.into())),
            });
            match copied? {
                Ok(Some(copy)) => done.finished.push(copy),
                Ok(None) => {}
                Err(failure) => done.failed.push((input.key.name.clone(), failure.to_string())),
            }
            let count = ledger.all().count();
            if count * 10 > written * 11 {
                review::write(self.folder, ledger.all())?;
                written = count;
            }
        }
        Ok(())
    }

    /// Copies one file, unless that was done before. Returns the path of the copy, or `None` for a file without pictures.
    fn copy(&mut self, input: &Input, path: &Path, ledger: &mut Ledger) -> Result<Result<Option<String>, Failure>, Error> {
        let kind = match Frames::open(path, Limits::time(self.command.timeout), Sampling::All) {
            Ok(frames) => frames.kind(),
            Err(crate::decode::Failure::Other) => return Ok(Ok(None)),
            Err(failure) => return Ok(Err(failure.into())),
        };
        let container = match Container::of(path, kind) {
            Ok(container) => container,
            Err(error) => return Ok(Err(Failure::from(error).unless_disk(path)?)),
        };
        let output = self.names.next(&input.path_of_results(), container.ending);
        let name = output.strip_prefix(self.folder).unwrap_or(&output).to_string_lossy().into_owned();
        let blurring = &self.command.blurring;
        let (version, networks) = (env!("CARGO_PKG_VERSION").to_owned(), self.eye.networks());
        let made = Made { version, networks, style: blurring.style, sound: blurring.sound };
        match ledger.get(&name, &output) {
            Some(known) if known.input == input.key && known.made == made => return Ok(Ok(Some(name))),
            Some(_) => {}
            None if fs::symlink_metadata(&output).is_ok() => return Ok(Err(Failure::NotOurs(output))),
            None => {}
        }
        fs::create_dir_all(folder_of(&output)).map_err(Error::at(folder_of(&output)))?;
        let part = unfinished(&output);
        let copying = Copying {
            input: path,
            output: &part,
            container: &container,
            style: made.style,
            sound: made.sound,
            limit: self.command.timeout,
        };
        let report = match copy(copying, kind, &mut self.eye) {
            Ok(report) => report,
            Err(failure) => {
                let _ = fs::remove_file(&part);
                return Ok(Err(failure.unless_disk(&output)?));
            }
        };
        let finished = Finished { copy: name.clone(), input: input.key.clone(), made, contents: (0, 0), report };
        put(ledger, finished, &part, &output).map(|()| Ok(Some(name)))
    }
}

/// Gives a finished copy its name.
fn put(ledger: &mut Ledger, finished: Finished, part: &Path, output: &Path) -> Result<(), Error> {
    let put = ledger.add(finished, part).and_then(|()| put_in_place(part, output));
    if put.is_err() {
        let _ = fs::remove_file(part);
    }
    put
}

/// The name of a copy until it is complete.
fn unfinished(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(PART);
    if let Some(ending) = output.extension() {
        name.push(".");
        name.push(ending);
    }
    name.into()
}
