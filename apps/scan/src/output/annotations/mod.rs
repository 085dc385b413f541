// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files for programs in which people annotate videos: the labels of each face as intervals of time.

mod intervals;
mod elan;
mod boris;
mod textgrid;

use std::path::{Path, PathBuf};

use super::names::Names;
use crate::error::Error;
use crate::findings::Kind;
use crate::outputs::Annotations;
use crate::platform::{folder_of, write_whole};
use crate::scan::{FileResults, Results};
use intervals::Annotated;

/// Writes the annotations that are asked for. Photos, and videos in which no face stayed, have none.
pub(crate) fn write(results: &Results<'_>) -> Result<(), Error> {
    let (outputs, labels) = (results.scan.outputs, results.journal.labels());
    if outputs.annotations.is_empty() {
        return Ok(());
    }
    let mut programs: Vec<_> = outputs.annotations.iter().map(|program| (*program, Names::below(&outputs.annotations(*program)))).collect();
    let mut videos = Vec::new();
    for file in results.files() {
        if let Some(video) = annotated(&file, results)? {
            for (program, names) in &mut programs {
                write_video(*program, names, &file, &video, labels)?;
            }
            videos.push(video);
        }
    }
    if outputs.annotations.contains(&Annotations::Boris) {
        let path = outputs.annotations(Annotations::Boris);
        write_file(&path, &boris::project(&videos, labels, &path, &outputs.output))?;
    }
    Ok(())
}

fn annotated(file: &FileResults<'_>, results: &Results<'_>) -> Result<Option<Annotated>, Error> {
    if file.facts.kind != Some(Kind::Video) {
        return Ok(None);
    }
    let (input, found) = (file.input, intervals::of(file, results.journal.labels(), results.scan.command.examination.every)?);
    let media = if input.is_remote() { PathBuf::from(&input.key.name) } else { absolute(&input.path()) };
    Ok((!found.tiers.is_empty()).then(|| Annotated {
        media,
        name: input.key.name.clone(),
        length_ns: found.length_ns,
        frames_per_s: found.frames_per_s,
        tiers: found.tiers,
    }))
}

/// Writes the file of a video, for programs that have one for each.
fn write_video(program: Annotations, names: &mut Names, file: &FileResults<'_>, video: &Annotated, labels: &[String]) -> Result<(), Error> {
    let mut path = |ending| names.next(&file.input.path_of_results(), ending);
    match program {
        Annotations::Elan => {
            let path = path(".eaf");
            write_file(&path, &elan::document(video, labels, &path))
        }
        Annotations::Textgrid => write_file(&path(".TextGrid"), &textgrid::document(video)),
        Annotations::Boris => Ok(()),
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::create_dir_all(folder_of(path)).map_err(Error::at(folder_of(path)))?;
    write_whole(path, text.as_bytes())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
