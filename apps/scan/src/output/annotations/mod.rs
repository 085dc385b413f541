// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files for programs in which people annotate videos: the labels of each face as intervals of time.

mod intervals;
mod elan;
mod boris;
mod textgrid;

use std::path::{Component, Path, PathBuf};

use clap::ValueEnum;

use crate::error::Error;
use crate::findings::Kind;
use crate::inputs::Input;
use crate::journal::{Journal, write_whole};
use crate::options::Options;
use intervals::Tier;

/// A program that opens annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// ELAN: an .eaf file for each video.
    Elan,
    /// BORIS: one project with an observation for each video.
    Boris,
    /// Praat: a .TextGrid file for each video.
    Textgrid,
}

impl Annotations {
    /// The folder, or the file of a format that has one file for all videos: `results.elan` for `results.parquet`.
    pub fn path(self, options: &Options) -> PathBuf {
        options.output.with_extension(match self {
            Self::Elan => "elan",
            Self::Boris => "boris",
            Self::Textgrid => "textgrid",
        })
    }
}

/// A video with the intervals of its faces.
struct Annotated {
    /// The path of the video, absolute unless it is a URL.
    media: PathBuf,
    /// Its name in the tables.
    name: String,
    length_ns: u64,
    frames_per_s: f64,
    tiers: Vec<Tier>,
}

/// Writes the annotations that `options` ask for. Photos, and videos in which no face stayed, have none.
///
/// # Errors
/// If the results cannot be read, or a file cannot be written.
pub(crate) fn write(options: &Options, inputs: &[Input], journal: &Journal) -> Result<(), Error> {
    if options.annotations.is_empty() {
        return Ok(());
    }
    let mut videos = Vec::new();
    for (file, input) in inputs.iter().enumerate() {
        if let Some(video) = annotated(file, input, journal, options)? {
            for format in &options.annotations {
                write_video(*format, options, input, &video, journal.labels())?;
            }
            videos.push(video);
        }
    }
    if options.annotations.contains(&Annotations::Boris) {
        let path = Annotations::Boris.path(options);
        write_file(&path, &boris::project(&videos, journal.labels(), &path))?;
    }
    Ok(())
}

fn annotated(file: usize, input: &Input, journal: &Journal, options: &Options) -> Result<Option<Annotated>, Error> {
    let facts = journal.facts(file).cloned().unwrap_or_default();
    if facts.kind != Some(Kind::Video) {
        return Ok(None);
    }
    let found = intervals::of(journal, file, &facts, options.every)?;
    let media = if input.is_remote() { PathBuf::from(&input.key.name) } else { absolute(&input.path()) };
    Ok((!found.tiers.is_empty()).then(|| Annotated {
        media,
        name: input.key.name.clone(),
        length_ns: found.length_ns,
        frames_per_s: found.frames_per_s,
        tiers: found.tiers,
    }))
}

/// Writes the file of a video, in formats that have one for each.
fn write_video(format: Annotations, options: &Options, input: &Input, video: &Annotated, labels: &[String]) -> Result<(), Error> {
    let suffix = match format {
        Annotations::Elan => "eaf",
        Annotations::Textgrid => "TextGrid",
        Annotations::Boris => return Ok(()),
    };
    let path = output_path(&format.path(options), &input.path_of_results(), suffix);
    let text = if format == Annotations::Elan { elan::document(video, labels, &path) } else { textgrid::document(video) };
    write_file(&path, &text)
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::at(folder))?;
    write_whole(path, text.as_bytes()).map_err(Error::at(path))
}

/// `clips/a.mp4` becomes `FOLDER/clips/a.mp4.eaf`.
fn output_path(folder: &Path, input: &Path, suffix: &str) -> PathBuf {
    let parts = input.components().filter(|part| matches!(part, Component::Normal(_)));
    let mut path = folder.join(parts.collect::<PathBuf>()).into_os_string();
    path.push(format!(".{suffix}"));
    path.into()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Seconds, to milliseconds.
fn seconds(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_beside_the_table_under_the_names_of_the_videos() {
        let options = Options::new(Vec::new(), "out/results.parquet".into());
        let folder = Annotations::Elan.path(&options);
        assert_eq!(output_path(&folder, Path::new("../clips/a.mp4"), "eaf"), Path::new("out/results.elan/clips/a.mp4.eaf"));
        assert_eq!(Annotations::Boris.path(&options), Path::new("out/results.boris"));
    }
}
