// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos and videos with the faces of the tables drawn on them, in a folder, under the names of the files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gst::prelude::*;

use super::drawing;
use super::faces_by_time::FacesByTime;
use super::names::{self, Names};
use crate::error::Error;
use crate::findings::Kind;
use crate::inputs::{Input, Unavailable};
use crate::platform::{folder_of, temporary};
use crate::scan::Results;
use crate::upright::{Unplayed, play};

/// Why a file could not be drawn.
#[derive(Debug, thiserror::Error)]
enum Undrawn {
    /// It could not be downloaded.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The pipeline has not reached its end.
    #[error(transparent)]
    Unplayed(#[from] Unplayed),
}

/// Draws the faces of all files into `folder`, under the names of the files. Finished files are not drawn again. Returns name
/// and error of each file that could not be drawn.
pub(crate) fn write(folder: &Path, results: &Results<'_>) -> Result<Vec<(String, String)>, Error> {
    let (command, mut names, mut errors) = (results.scan.command, Names::below(folder), Vec::new());
    for file in results.files() {
        let Some(kind @ (Kind::Photo | Kind::Video)) = file.facts.kind else { continue };
        let (input, place) = (file.input, file.input.path_of_results());
        let output = names.next(&place, ending(&place, kind));
        if !is_drawn(&output, results.journal.folder()) {
            let faces = FacesByTime::new(&results.journal, file.number, file.facts, command.examination.sampling());
            let drawn = results.copies.with(file.number, input, |path| match path {
                Ok(path) => draw(path, kind, &output, faces, command.timeout),
                Err(error) => Ok(Err(error.into())),
            })?;
            errors.extend(drawn.err().map(|error| (output.to_string_lossy().into_owned(), error.to_string())));
        }
    }
    Ok(errors)
}

/// Refuses a folder in which drawn files would replace the inputs.
pub(crate) fn check(folder: &Path, inputs: &[Input]) -> Result<(), Error> {
    let is_replaced = |input: &&Input| {
        let place = input.path_of_results();
        let outputs = [Kind::Photo, Kind::Video].map(|kind| names::path(folder, &place, ending(&place, kind), 1));
        let input = fs::canonicalize(input.path());
        outputs.iter().any(|output| matches!((fs::canonicalize(output), &input), (Ok(output), Ok(input)) if output == *input))
    };
    match inputs.iter().find(is_replaced) {
        Some(input) => Err(Error::InputReplaced(input.path())),
        None => Ok(()),
    }
}

/// What follows the name of an input: `clips/a.mov` becomes `FOLDER/clips/a.mov.mp4`. Names that already have the ending keep it.
fn ending(input: &Path, kind: Kind) -> &'static str {
    let extension = input.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match (kind, extension.as_str()) {
        (Kind::Photo, "jpg" | "jpeg" | "png") | (Kind::Video, "mp4") => "",
        (Kind::Video, _) => ".mp4",
        _ => ".png",
    }
}

/// True if `output` was finished by this scan, perhaps before it was interrupted.
fn is_drawn(output: &Path, journal: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    matches!((changed(output), changed(&journal.join("settings.json"))), (Ok(output), Ok(start)) if output >= start)
}

/// Writes one file, under a temporary name until it is complete. The inner error concerns the input.
fn draw(input: &Path, kind: Kind, output: &Path, faces: FacesByTime, limit: Duration) -> Result<Result<(), Undrawn>, Error> {
    fs::create_dir_all(folder_of(output)).map_err(Error::at(folder_of(output)))?;
    let part = temporary(output);
    let is_png = output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    let pipeline = drawing::build(input, kind, is_png, &part, faces)?;
    let played = play(&pipeline, limit);
    let _ = pipeline.set_state(gst::State::Null);
    match played {
        Ok(()) => fs::rename(&part, output).map_err(Error::at(output)).map(Ok),
        Err(error) => {
            // An incomplete video cannot be played.
            let _ = fs::remove_file(&part);
            Ok(Err(error.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_the_names_of_the_files_in_the_folder() {
        let of = |path: &str, kind| {
            let path = names::path(Path::new("out"), Path::new(path), ending(Path::new(path), kind), 1);
            path.to_string_lossy().replace('\\', "/")
        };
        assert_eq!(of("clips/a.mp4", Kind::Video), "out/clips/a.mp4");
        assert_eq!(of("../clips/a.MOV", Kind::Video), "out/clips/a.MOV.mp4");
        assert_eq!(of("/data/b.JPG", Kind::Photo), "out/data/b.JPG");
        assert_eq!(of("b.webp", Kind::Photo), "out/b.webp.png");
    }
}
