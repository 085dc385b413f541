// SPDX-License-Identifier: MIT OR Apache-2.0
//! Track ids: their range, and the assignment of new ones.

/// Largest track id. Metadata stores ids as signed 32-bit numbers, so a larger one would be read back as negative.
pub const MAX_ID: u32 = i32::MAX as u32;
/// Largest id of another element after which new ids continue. Some elements choose ids at random or count down from the
/// largest one; to continue after those would soon exhaust the range.
const MAX_RESERVED_ID: u32 = MAX_ID / 2;

/// Converts a number from another element to a track id; 0 if it is outside of 1..=[`MAX_ID`].
pub fn track_id(number: impl TryInto<u32>) -> u32 {
    number.try_into().ok().filter(|&id| id <= MAX_ID).unwrap_or(0)
}

/// Assigns ids, counting up from 1.
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
    /// Reserves an `id` that another element has assigned: new ids continue after it. An id in the upper half of the range
    /// is ignored.
    pub fn reserve(&mut self, id: u32) {
        if id <= MAX_RESERVED_ID {
            self.next = self.next.max(id + 1);
        }
    }

    /// Returns the next id that is not taken. After [`MAX_ID`] the ids start over from 1.
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
    fn numbers_outside_of_the_range_become_zero() {
        assert_eq!([-1, i32::MIN, 0, 7, i32::MAX].map(track_id), [0, 0, 0, 7, MAX_ID]);
        assert_eq!([u64::from(MAX_ID), u64::from(MAX_ID) + 1, u64::MAX].map(track_id), [MAX_ID, 0, 0]);
    }

    #[test]
    fn ids_continue_after_reserved_ones_in_the_lower_half() {
        let mut ids = TrackIds::default();
        for (reserved, given) in [(0, 1), (7, 8), (MAX_ID, 9), (u32::MAX, 10), (MAX_RESERVED_ID + 1, 11), (3, 12)] {
            ids.reserve(reserved);
            assert_eq!(ids.give(|_| false), given, "after reserving {reserved}");
        }
        ids.reserve(MAX_RESERVED_ID);
        assert_eq!(ids.give(|_| false), MAX_RESERVED_ID + 1);
    }

    #[test]
    fn after_the_largest_id_the_smallest_free_one_is_next() {
        let mut ids = TrackIds { next: MAX_ID };
        assert_eq!(ids.give(|_| false), MAX_ID);
        assert_eq!(ids.give(|id| id <= 2), 3);
    }
}
