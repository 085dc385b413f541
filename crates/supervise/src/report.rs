// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page of `pipelines/report.sh`, made of records.
//!
//! The script's code is part of each program that makes such pages, so that all make the same page, installed or not.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The program of `report.sh` and its modules.
macro_rules! files {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../../../pipelines/", $name)))),*] };
}
const PROGRAM: [(&str, &str); 16] = files!(
    "report.py",
    "expression_report/__init__.py",
    "expression_report/charts.py",
    "expression_report/colours.py",
    "expression_report/face_page.py",
    "expression_report/faces.py",
    "expression_report/key_frames.py",
    "expression_report/notes.py",
    "expression_report/page.html",
    "expression_report/page.py",
    "expression_report/player.js",
    "expression_report/player.py",
    "expression_report/records.py",
    "expression_report/sections.py",
    "expression_report/summary_page.py",
    "expression_report/text.py"
);
/// GStreamer's Python bindings, which pictures on the page need.
const BINDINGS: &str = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst";

/// The command that writes `page` from the NDJSON file `records`, with pictures of `video`. The program is put into `folder`,
/// which is created.
///
/// # Errors
/// If the folder cannot be written.
pub fn command(folder: &Path, records: &Path, video: Option<&Path>, page: &Path) -> io::Result<Command> {
    fs::create_dir_all(folder.join("expression_report"))?;
    PROGRAM.iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))?;
    let mut command = Command::new(python());
    command.arg("-B").arg(folder.join("report.py")).arg(records).args(video).arg(page).stdin(Stdio::null());
    Ok(command)
}

/// True if there is a Python to make pages with.
pub fn is_possible() -> bool {
    succeeds("")
}

/// True if pages can have pictures of faces.
pub fn can_have_pictures() -> bool {
    succeeds(BINDINGS)
}

fn succeeds(program: &str) -> bool {
    let run = Command::new(python()).args(["-c", program]).stdin(Stdio::null()).output();
    run.is_ok_and(|output| output.status.success())
}

/// The distribution's Python, because GStreamer's bindings are installed for it.
fn python() -> &'static str {
    let usual = "/usr/bin/python3";
    if Path::new(usual).is_file() { usual } else { "python3" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_has_all_files_of_the_package() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/expression_report");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.filter(|name| name.contains('.')).map(|name| format!("expression_report/{name}")).collect();
        files.sort_unstable();
        assert_eq!(PROGRAM[1..].iter().map(|(name, _)| *name).collect::<Vec<_>>(), files);
    }
}
