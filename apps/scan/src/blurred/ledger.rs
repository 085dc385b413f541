// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of finished copies, `finished.ndjson`: it tells the files of earlier calls from those of others, so that no file of anybody else
//! is ever replaced, and a call that was interrupted goes on.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use emotion_core::choices::Blur;
use serde::{Deserialize, Serialize};

use super::copy::Report;
use super::options::Sound;
use crate::error::Error;
use crate::findings::FileKey;

/// The name of the list in the folder.
const NAME: &str = "finished.ndjson";
/// So many of the worst spans have a picture in memory and on the page, or up to twice as many. The list has the pictures of all.
const MAX_PICTURES: usize = 1000;
/// Bytes that are read at once.
const BLOCK: usize = 1 << 16;

/// A finished copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Finished {
    /// Its path below the folder.
    pub copy: String,
    /// Of which version of which file it is a copy.
    pub input: FileKey,
    /// How it was made.
    pub made: Made,
    /// Its size and its CRC-32.
    pub contents: (u64, u32),
    pub report: Report,
}

/// How a copy was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    pub version: String,
    /// The names of the networks that looked for faces.
    pub networks: Vec<String>,
    pub style: Blur,
    pub sound: Sound,
}

/// The finished copies of a folder, by their paths.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    finished: BTreeMap<String, Finished>,
    /// Spans with a picture.
    pictures: usize,
}

impl Ledger {
    /// That of `folder`, which is made if it is not there.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::at(folder))?;
        let path = folder.join(NAME);
        let mut ledger = Self { path: path.clone(), finished: BTreeMap::new(), pictures: 0 };
        if path.exists() {
            let lines = BufReader::new(File::open(&path).map_err(Error::at(&path))?).lines();
            // The last line may be cut off.
            let read = lines.map_while(Result::ok).map_while(|line| serde_json::from_str::<Finished>(&line).ok());
            read.for_each(|one| ledger.keep(one));
            if ledger.finished.is_empty() && fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
                return Err(Error::PageReplaced(path));
            }
        }
        Ok(ledger)
    }

    /// Keeps a copy in memory.
    fn keep(&mut self, finished: Finished) {
        let pictures = |one: &Finished| one.report.spans.iter().filter(|span| span.picture.is_some()).count();
        self.pictures += pictures(&finished);
        let replaced = self.finished.insert(finished.copy.clone(), finished);
        self.pictures -= replaced.as_ref().map_or(0, pictures);
        if self.pictures > 2 * MAX_PICTURES {
            let spans = self.finished.values_mut().flat_map(|one| &mut one.report.spans).filter(|span| span.picture.is_some());
            let mut spans: Vec<_> = spans.collect();
            spans.sort_by(|a, b| b.doubt.total_cmp(&a.doubt));
            spans.into_iter().skip(MAX_PICTURES).for_each(|span| span.picture = None);
            self.pictures = MAX_PICTURES;
        }
    }

    /// The copy at this path, if it is as it was finished.
    pub(super) fn get(&self, copy: &str, path: &Path) -> Option<&Finished> {
        let finished = self.finished.get(copy)?;
        contents(path).is_ok_and(|contents| contents == finished.contents).then_some(finished)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Finished> {
        self.finished.values()
    }

    /// Adds a copy whose contents are in `part`, before it gets its name.
    pub(super) fn add(&mut self, mut finished: Finished, part: &Path) -> Result<(), Error> {
        finished.contents = contents(part).map_err(Error::at(part))?;
        let mut line = serde_json::to_vec(&finished).expect("numbers and texts become JSON");
        line.push(b'\n');
        let append = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            file.write_all(&line)?;
            file.sync_all()
        };
        append().map_err(Error::at(&self.path))?;
        self.keep(finished);
        Ok(())
    }
}

/// Size and CRC-32 of a file.
fn contents(path: &Path) -> std::io::Result<(u64, u32)> {
    let (mut file, mut block) = (File::open(path)?, vec![0; BLOCK]);
    let (mut bytes, mut sum) = (0, crc32fast::Hasher::new());
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok((bytes, sum.finalize()));
        }
        sum.update(&block[..read]);
        bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blurred::copy::Watch;
    use crate::blurred::tracks::Reason;

    #[test]
    fn the_worst_spans_of_many_videos_have_pictures() {
        let mut ledger = Ledger { path: PathBuf::new(), finished: BTreeMap::new(), pictures: 0 };
        let watch = |doubt| Watch { start_ns: 0, end_ns: 1, reason: Reason::Doubtful, doubt, picture: Some("/9j/".into()) };
        for number in 0..300 {
            let made = Made { version: String::new(), networks: Vec::new(), style: Blur::Solid, sound: Sound::Keep };
            let spans = (0..10).map(|span| watch((number % 100) as f32 + span as f32 / 10.0)).collect();
            let report = Report { spans, ..Report::default() };
            let copy = format!("{:03}.mp4", number % 250);
            ledger.keep(Finished { copy, input: FileKey::local(Path::new("a"), 1, 1), made, contents: (0, 0), report });
        }
        let spans = || ledger.all().flat_map(|one| &one.report.spans);
        let kept = spans().filter(|span| span.picture.is_some()).count();
        assert_eq!((spans().count(), kept), (2500, ledger.pictures));
        assert!((MAX_PICTURES..=2 * MAX_PICTURES).contains(&kept), "{kept}");
        let mut doubts: Vec<f32> = spans().map(|span| span.doubt).collect();
        doubts.sort_by(|a, b| b.total_cmp(a));
        assert!(spans().filter(|span| span.doubt > doubts[MAX_PICTURES]).all(|span| span.picture.is_some()));
    }
}
