// SPDX-License-Identifier: MIT OR Apache-2.0
//! The number of each file by its name.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::path::{Component, Path};

use hashbrown::HashTable;

use super::input::Input;
use crate::findings::FileKey;

/// The numbers of files in a list, by their names. The names stay in the list: a second copy of a million takes 100 MiB.
#[derive(Debug, Default)]
pub struct Numbers {
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Numbers {
    /// The numbers of all `files`, whose names differ.
    pub fn of(files: &[Input]) -> Self {
        let (hasher, mut numbers) = (RandomState::new(), HashTable::with_capacity(files.len()));
        for (number, file) in (0..).zip(files) {
            numbers.insert_unique(hash(&hasher, &file.key), number, |&other: &u32| hash(&hasher, &files[other as usize].key));
        }
        Self { numbers, hasher }
    }

    /// The number of the file with this name, however its path is spelled.
    pub fn get(&self, files: &[Input], key: &FileKey) -> Option<usize> {
        let is_same = |&number: &u32| is_same(&files[number as usize].key, key);
        self.numbers.find(hash(&self.hasher, key), is_same).map(|&number| number as usize)
    }

    /// Adds a file to `files`, unless one of this name is there.
    pub fn push(&mut self, files: &mut Vec<Input>, file: Input) {
        if self.get(files, &file.key).is_none() {
            let number = u32::try_from(files.len()).expect("a scan has fewer than 2^32 files");
            let hashed = hash(&self.hasher, &file.key);
            files.push(file);
            self.numbers.insert_unique(hashed, number, |&other| hash(&self.hasher, &files[other as usize].key));
        }
    }
}

/// True for `w.mp4` and `./w.mp4`. The parts of a URL may be empty or dots.
fn is_same(a: &FileKey, b: &FileKey) -> bool {
    let is_spelled_alike = || !is_url(&a.name) && !is_url(&b.name) && parts(&a.name).eq(parts(&b.name));
    a.bytes == b.bytes && (a.name == b.name || is_spelled_alike())
}

fn hash(hasher: &RandomState, key: &FileKey) -> u64 {
    let mut state = hasher.build_hasher();
    match is_url(&key.name) {
        true => key.name.hash(&mut state),
        false => parts(&key.name).for_each(|part| part.hash(&mut state)),
    }
    state.finish()
}

fn is_url(name: &str) -> bool {
    name.contains("://")
}

fn parts(name: &str) -> impl Iterator<Item = Component<'_>> {
    Path::new(name).components().filter(|part| *part != Component::CurDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64) -> Input {
        Input::of(FileKey::local(name.as_ref(), size, 2))
    }

    #[test]
    fn each_name_has_its_number_and_is_added_once() {
        let (mut numbers, mut files) = (Numbers::default(), Vec::new());
        for number in 0..1000 {
            numbers.push(&mut files, file(&number.to_string(), number));
            numbers.push(&mut files, file("0", number));
        }
        assert_eq!(files.len(), 1000);
        for numbers in [numbers, Numbers::of(&files)] {
            assert!((0..1000).all(|number| numbers.get(&files, &file(&number.to_string(), 7).key) == Some(number)));
            assert_eq!(numbers.get(&files, &file("1000", 7).key), None);
        }
    }

    #[test]
    fn a_path_is_one_file_however_it_is_spelled_and_a_url_is_not() {
        let count = |names: &[&str]| {
            let (mut numbers, mut files) = (Numbers::default(), Vec::new());
            names.iter().for_each(|name| numbers.push(&mut files, file(name, 1)));
            files.len()
        };
        assert_eq!(count(&["w.mp4", "./w.mp4", "././w.mp4"]), 1);
        assert_eq!(count(&["a//w.mp4", "a/./w.mp4", "a/w.mp4", "/a/w.mp4", "../a/w.mp4", "w.mp4"]), 4);
        assert_eq!(count(&["s3://b/a//w.mp4", "s3://b/a/w.mp4", "s3://b/a/./w.mp4"]), 3);
    }
}
