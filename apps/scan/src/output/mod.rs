// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the journal to what the user asked for: tables, annotations, and files with the faces drawn.

mod faces_by_time;
mod drawing;
pub(crate) mod annotate;
pub(crate) mod annotations;
pub(crate) mod join;
pub(crate) mod describe;

use std::path::{Component, Path, PathBuf};

/// The path of a file that belongs to an input, in a folder of such files: `FOLDER/clips/a.mp4` for `../clips/a.mp4`.
fn below(folder: &Path, input: &Path) -> PathBuf {
    folder.join(input.components().filter(|part| matches!(part, Component::Normal(_))).collect::<PathBuf>())
}
