// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the journal keeps in memory of a file: 32 bytes where it is a photo, since there may be millions.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

use super::log::Location;

/// What is known about a file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileState {
    /// The number of its facts.
    pub(super) facts: Option<u32>,
    pub(super) slices: Slices,
}

/// Where the results of a file's slices are. Few files have several slices.
#[derive(Clone, Debug, Default)]
pub(super) enum Slices {
    #[default]
    None,
    First(Location),
    Several(Vec<Option<Location>>),
}

impl Slices {
    pub(super) fn get(&self, slice: usize) -> Option<Location> {
        match self {
            Self::First(location) if slice == 0 => Some(*location),
            Self::None | Self::First(_) => None,
            Self::Several(all) => all.get(slice).copied().flatten(),
        }
    }

    pub(super) fn insert(&mut self, slice: usize, location: Location) {
        match self {
            Self::None | Self::First(_) if slice == 0 => *self = Self::First(location),
            Self::None => *self = Self::Several(vec![None; slice]),
            Self::First(first) => *self = Self::Several(vec![Some(*first)]),
            Self::Several(_) => {}
        }
        if let Self::Several(all) = self {
            all.resize(all.len().max(slice + 1), None);
            all[slice] = Some(location);
        }
    }
}

/// Values of which many are equal, each kept once.
#[derive(Clone, Debug)]
pub(super) struct Distinct<T> {
    all: Vec<T>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashTable::new(), hasher: RandomState::new() }
    }
}

impl<T: Eq + Hash> Distinct<T> {
    /// The number of a value.
    pub(super) fn number(&mut self, value: T) -> u32 {
        let (hash, all) = (self.hasher.hash_one(&value), &self.all);
        if let Some(number) = self.numbers.find(hash, |&number| all[number as usize] == value) {
            return *number;
        }
        let number = u32::try_from(all.len()).expect("there are fewer values than files");
        self.numbers.insert_unique(hash, number, |&other| self.hasher.hash_one(&all[other as usize]));
        self.all.push(value);
        number
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.all.get(number as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_takes_little_memory() {
        assert_eq!(size_of::<FileState>(), 32);
    }

    #[test]
    fn slices_are_found_in_whatever_order_they_end() {
        let at = |offset| Location::new(0, offset, 1).unwrap();
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let mut slices = Slices::default();
            for slice in order {
                assert!(slices.get(slice).is_none());
                slices.insert(slice, at(slice as u64));
            }
            assert!((0..3).all(|slice| slices.get(slice).is_some_and(|location| location.offset == slice as u64)), "{order:?}");
            slices.insert(0, at(9));
            assert!(slices.get(0).is_some_and(|location| location.offset == 9) && slices.get(3).is_none());
        }
    }

    #[test]
    fn equal_values_have_one_number() {
        let mut names = Distinct::default();
        assert_eq!(["a", "b", "a"].map(|name| names.number(name)), [0, 1, 0]);
        assert!(names.get(1) == Some(&"b") && names.get(2).is_none());
    }
}
