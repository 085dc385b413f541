// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files for programs in which people annotate videos: the labels of each face as intervals of time.

mod intervals;
mod elan;
mod boris;
mod textgrid;

use std::path::{Path, PathBuf};

use super::below;
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
    let mut videos = Vec::new();
    for file in results.files() {
        if let Some(video) = annotated(&file, results)? {
            for program in &outputs.annotations {
                write_video(*program, &outputs.annotations(*program), &file, &video, labels)?;
            }
            videos.push(video);
        }
    }
    if outputs.annotations.contains(&Annotations::Boris) {
        let path = outputs.annotations(Annotations::Boris);
        write_file(&path, &boris::project(&videos, labels, &path))?;
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

/// Writes the file of a video into `folder`, for programs that have one for each.
fn write_video(program: Annotations, folder: &Path, file: &FileResults<'_>, video: &Annotated, labels: &[String]) -> Result<(), Error> {
    let path = |suffix| output_path(folder, &file.input.path_of_results(), suffix);
    match program {
        Annotations::Elan => write_file(&path("eaf"), &elan::document(video, labels, &path("eaf"))),
        Annotations::Textgrid => write_file(&path("TextGrid"), &textgrid::document(video)),
        Annotations::Boris => Ok(()),
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::create_dir_all(folder_of(path)).map_err(Error::at(folder_of(path)))?;
    write_whole(path, text.as_bytes())
}

/// `clips/a.mp4` becomes `FOLDER/clips/a.mp4.eaf`.
fn output_path(folder: &Path, input: &Path, suffix: &str) -> PathBuf {
    let mut path = below(folder, input).into_os_string();
    path.push(format!(".{suffix}"));
    path.into()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_beside_the_table_under_the_names_of_the_videos() {
        let path = output_path(Path::new("out/results.elan"), Path::new("../clips/a.mp4"), "eaf");
        assert_eq!(path, Path::new("out/results.elan/clips/a.mp4.eaf"));
    }
}
