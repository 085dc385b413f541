// SPDX-License-Identifier: MIT OR Apache-2.0
//! The names of files that belong to inputs, such as drawn photos, in a folder of such files.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Longest name of a file, in bytes, so that the temporary name of [`temporary`](crate::platform::temporary) is one, too.
const MAX_BYTES: usize = 255 - ".part".len();

/// The names in a folder, each given once.
#[derive(Debug)]
pub(crate) struct Names {
    folder: PathBuf,
    given: HashSet<PathBuf>,
}

impl Names {
    pub(crate) fn below(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), given: HashSet::new() }
    }

    /// The path for an input. If it was given to another one, such as `../clips/a.mp4` and `clips/a.mp4`, it gets a number.
    pub(crate) fn next(&mut self, input: &Path, ending: &str) -> PathBuf {
        let mut numbered = (1..).map(|number| path(&self.folder, input, ending, number));
        numbered.find(|path| self.given.insert(path.clone())).expect("numbers do not end")
    }
}

/// `FOLDER/clips/a.mp4.eaf` for `../clips/a.mp4` and the ending `.eaf`. An empty ending is that of the input. A long name is cut.
pub(crate) fn path(folder: &Path, input: &Path, ending: &str, number: u32) -> PathBuf {
    let below: PathBuf = input.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let own_ending = below.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    let (stem, ending) = if ending.is_empty() { (below.file_stem(), own_ending.as_str()) } else { (below.file_name(), ending) };
    let ending = if number > 1 { format!("-{number}{ending}") } else { ending.to_owned() };
    let mut name = stem.unwrap_or_default().to_owned();
    if name.len() + ending.len() > MAX_BYTES {
        let mut text = name.to_string_lossy().into_owned();
        text.truncate(text.floor_char_boundary(MAX_BYTES.saturating_sub(ending.len())));
        name = text.into();
    }
    name.push(ending);
    folder.join(below.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_the_names_of_the_inputs_and_each_has_its_own() {
        let mut names = Names::below(Path::new("out/results.elan"));
        let mut next = |input: &str, ending| names.next(Path::new(input), ending).to_string_lossy().replace('\\', "/");
        assert_eq!(next("../clips/a.mp4", ".eaf"), "out/results.elan/clips/a.mp4.eaf");
        assert_eq!(next("clips/a.mp4", ".eaf"), "out/results.elan/clips/a.mp4-2.eaf");
        assert_eq!(next("/clips/a.mp4", ".eaf"), "out/results.elan/clips/a.mp4-3.eaf");
        assert_eq!(
            ["a.jpg", "./a.jpg", "../b"].map(|input| next(input, "")),
            ["a.jpg", "a-2.jpg", "b"].map(|name| format!("out/results.elan/{name}"))
        );
        assert_eq!(
            (next("c.mov", ".mp4"), next("c.mov.mp4", "")),
            ("out/results.elan/c.mov.mp4".into(), "out/results.elan/c.mov-2.mp4".into())
        );
    }

    #[test]
    fn names_are_as_long_as_a_file_system_takes_them() {
        let mut names = Names::below(Path::new("out"));
        let (first, second) = (format!("{}1.mp4", "ä".repeat(125)), format!("{}2.mp4", "ä".repeat(125)));
        let lengths = [&first, &second].map(|name| {
            let path = names.next(Path::new(name), ".TextGrid");
            assert!(path.to_string_lossy().ends_with(".TextGrid"), "{}", path.display());
            path.file_name().unwrap().len()
        });
        assert!(lengths.iter().all(|length| (240..=MAX_BYTES).contains(length)) && names.given.len() == 2, "{lengths:?}");
    }
}
