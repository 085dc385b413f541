// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells what a photo is, and writes it upright as PNG: the program `emotion-photo`.

mod options;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use emotion_photo_reader::{Facts, Orientation, Photo, Picture};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use options::Options;

/// The file is a photo that cannot be read.
const EXIT_UNREADABLE: u8 = 3;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("expected a photo, found another kind of file")]
    NotAPhoto,
    #[error("expected a picture, found none")]
    NoPicture,
    #[error(transparent)]
    Photo(#[from] emotion_photo_reader::Error),
    #[error("cannot write {}: {reason}", path.display())]
    Output { path: PathBuf, reason: image::ImageError },
}

/// The command line of the program.
pub fn command() -> clap::Command {
    Options::command()
}

/// Runs the program with its arguments, the first of which is its name.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let options = Options::parse_from(arguments);
    let Err(failure) = run(&options) else { return ExitCode::SUCCESS };
    eprintln!("emotion-photo: {}: {failure}", options.photo.display());
    match failure {
        // Other programs may know the file.
        Failure::NotAPhoto | Failure::Photo(emotion_photo_reader::Error::Unsupported { .. }) => ExitCode::FAILURE,
        _ => EXIT_UNREADABLE.into(),
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let mut photo = Photo::open(&options.photo)?.ok_or(Failure::NotAPhoto)?;
    let Some(output) = &options.output else {
        println!("{}", described(photo.facts()));
        return Ok(());
    };
    let first = photo.next_picture()?.ok_or(Failure::NoPicture)?;
    write(&first.picture, output).map_err(|reason| Failure::Output { path: output.clone(), reason })
}

/// Format, size, bits, and what is unusual.
fn described(facts: &Facts) -> String {
    let (width, height) = facts.size;
    let turned = match facts.orientation {
        Orientation::NoTransforms => "",
        _ => ", stored in another orientation",
    };
    let shown =
        facts.length().map_or(String::new(), |length| format!(", {} pictures in {} s", facts.durations.len(), length.as_secs_f64()));
    format!("{}, {width} x {height}, {} bits{turned}{shown}", facts.format, facts.bits)
}

fn write(picture: &Picture, output: &Path) -> Result<(), image::ImageError> {
    if output == Path::new("-") { encode(picture, io::stdout().lock()) } else { encode(picture, File::create(output)?) }
}

/// Lossless; the fastest compression, since another program decodes it at once.
fn encode(picture: &Picture, output: impl Write) -> Result<(), image::ImageError> {
    let color = if picture.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut output = BufWriter::new(output);
    let encoder = PngEncoder::new_with_quality(&mut output, CompressionType::Fast, FilterType::Up);
    encoder.write_image(&picture.pixels, picture.width, picture.height, color)?;
    Ok(output.flush()?)
}
