// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes a page of an export of faces: the program `emotion-report`, over `emotion-page`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, ValueHint};
use emotion_page::Error;

/// Makes one HTML page of an export: timelines of the apparent expressions, their shares of the time and, with the video,
/// pictures of the faces.
///
/// The page needs no other files. A click on a chart or a time plays the video there, if it is VIDEO or has the name of the
/// records, and stays where it is.
#[derive(Debug, Parser)]
#[command(name = "emotion-report", version, about)]
struct Options {
    /// Records of `emotionexport format=ndjson`
    #[arg(value_name = "FILE.ndjson", value_hint = ValueHint::FilePath)]
    records: PathBuf,
    /// Video of the records; may be left out
    #[arg(value_hint = ValueHint::FilePath)]
    video: Option<PathBuf>,
    /// Page to write [default: FILE.html beside FILE.ndjson]
    #[arg(value_name = "OUT.html", value_hint = ValueHint::FilePath)]
    page: Option<PathBuf>,
    /// Print a summary instead, and write the frame of VIDEO that shows the faces best
    #[arg(long, value_name = "PICTURE.png", value_hint = ValueHint::FilePath, requires = "video", conflicts_with = "page")]
    summary: Option<PathBuf>,
}

impl Options {
    /// Takes a page for a page where the video is left out.
    fn in_order(mut self) -> Self {
        if self.page.is_none() && self.video.as_deref().is_some_and(is_page) {
            self.page = self.video.take();
        }
        self
    }
}

fn is_page(path: &Path) -> bool {
    let suffix = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    ["html", "htm"].iter().any(|page| suffix.eq_ignore_ascii_case(page))
}

/// The command line of the program.
pub fn command() -> clap::Command {
    Options::command()
}

/// Runs the program with its arguments, the first of which is its name.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    match run(&Options::parse_from(arguments).in_order()) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("emotion-report: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what to print.
fn run(options: &Options) -> Result<String, Error> {
    if let (Some(picture), Some(video)) = (&options.summary, &options.video) {
        return emotion_page::summary(&options.records, video, picture);
    }
    let page = emotion_page::write(&options.records, options.video.as_deref(), options.page.as_deref())?;
    Ok(format!("wrote {}\n", page.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_and_the_completions_have_the_options() {
        test_support::command_line::assert_committed(Options::command(), "emotion-report");
    }

    #[test]
    fn the_video_may_be_left_out() {
        let parse = |line: &str| Options::try_parse_from(line.split(' ')).unwrap().in_order();
        let options = parse("emotion-report a.ndjson b.HTML");
        assert_eq!((options.video, options.page), (None, Some("b.HTML".into())));
        let options = parse("emotion-report a.ndjson b.mp4");
        assert_eq!((options.video, options.page), (Some("b.mp4".into()), None));
        let options = parse("emotion-report a.ndjson b.html c");
        assert_eq!((options.video, options.page), (Some("b.html".into()), Some("c".into())));
    }
}
