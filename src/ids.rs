// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids of tracks: which numbers are ids, and which one a new face gets.

/// Largest track id. Metadata stores ids as signed numbers of 32 bits, so a larger one would read back as negative.
pub const MAX_ID: u32 = i32::MAX as u32;
/// Up to here new ids go on behind those that others give. Beyond it there would soon be none left: some number their faces
/// at random or from the largest id down.
const MAX_RESERVED_ID: u32 = MAX_ID / 2;

/// A number that someone else gives as a track id; 0 if it is none, that is, outside of 1..=[`MAX_ID`].
pub fn track_id(number: impl TryInto<u32>) -> u32 {
    number.try_into().ok().filter(|&id| id <= MAX_ID).unwrap_or(0)
}

/// Gives ids from 1 on, each once.
#[derive(Clone, Debug)]
pub struct TrackIds {
    next: u32,
}

impl Default for TrackIds {
    fn default() -> Self {
        Self { next: 1 }
    }
}

impl TrackIds {
    /// Keeps `id`, which someone else gave, out of the ids that are still to be given: they go on behind it. An id in the
    /// upper half of the range does not move them.
    pub fn reserve(&mut self, id: u32) {
        if id <= MAX_RESERVED_ID {
            self.next = self.next.max(id + 1);
        }
    }

    /// The next id. After the largest one, that is after a billion faces, they start over with those that are not taken.
    pub fn give(&mut self, is_taken: impl Fn(u32) -> bool) -> u32 {
        loop {
            let id = self.next;
            self.next = if id >= MAX_ID { 1 } else { id + 1 };
            if !is_taken(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_of_the_range_are_no_ids() {
        assert_eq!([-1, i32::MIN, 0, 7, i32::MAX].map(track_id), [0, 0, 0, 7, MAX_ID]);
        assert_eq!([u64::from(MAX_ID), u64::from(MAX_ID) + 1, u64::MAX].map(track_id), [MAX_ID, 0, 0]);
    }

    #[test]
    fn ids_go_on_behind_those_of_others_unless_few_are_left_there() {
        let mut ids = TrackIds::default();
        for (reserved, given) in [(0, 1), (7, 8), (MAX_ID, 9), (u32::MAX, 10), (MAX_RESERVED_ID + 1, 11), (3, 12)] {
            ids.reserve(reserved);
            assert_eq!(ids.give(|_| false), given, "{reserved} is somebody else's");
        }
        ids.reserve(MAX_RESERVED_ID);
        assert_eq!(ids.give(|_| false), MAX_RESERVED_ID + 1);
    }

    #[test]
    fn after_the_largest_id_the_smallest_free_one_follows() {
        let mut ids = TrackIds { next: MAX_ID };
        assert_eq!(ids.give(|_| false), MAX_ID);
        assert_eq!(ids.give(|id| id <= 2), 3);
    }
}
