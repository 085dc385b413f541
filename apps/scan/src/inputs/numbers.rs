// SPDX-License-Identifier: MIT OR Apache-2.0
//! The number of each file by its name.

use std::hash::{BuildHasher, RandomState};

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

    /// The number of the file with this name.
    pub fn get(&self, files: &[Input], key: &FileKey) -> Option<usize> {
        let is_same = |&number: &u32| name(&files[number as usize].key) == name(key);
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

/// What distinguishes the files of a list.
fn name(key: &FileKey) -> (&str, Option<&str>) {
    (&key.name, key.bytes.as_deref())
}

fn hash(hasher: &RandomState, key: &FileKey) -> u64 {
    hasher.hash_one(name(key))
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
}
