// SPDX-License-Identifier: MIT OR Apache-2.0
//! The times of frames: those of the stream, as long as they increase.

/// Length of a frame in a stream without a frame rate.
const UNKNOWN_LENGTH_NS: u64 = 40_000_000;

/// Gives each frame a time after that of the frame before. Some decoders lose timestamps, and in recordings that were put
/// together they begin again.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    last_ns: Option<u64>,
}

impl Timeline {
    /// Time of the next frame, which has this position in the stream and is this long.
    pub fn next(&mut self, position_ns: Option<u64>, length_ns: Option<u64>) -> u64 {
        let length_ns = length_ns.filter(|length| *length > 0).unwrap_or(UNKNOWN_LENGTH_NS);
        let after_last = self.last_ns.map_or(0, |last| last.saturating_add(length_ns));
        let later = position_ns.filter(|position| self.last_ns.is_none_or(|last| *position > last));
        *self.last_ns.insert(later.unwrap_or(after_last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(positions: &[Option<u64>], length_ns: Option<u64>) -> Vec<u64> {
        let mut timeline = Timeline::default();
        positions.iter().map(|position| timeline.next(*position, length_ns)).collect()
    }

    #[test]
    fn increasing_positions_are_the_times() {
        assert_eq!(times(&[Some(7), Some(8), Some(500)], Some(40)), [7, 8, 500]);
    }

    #[test]
    fn frames_without_a_later_position_follow_the_last_one() {
        assert_eq!(times(&[None, None, None], Some(40)), [0, 40, 80]);
        assert_eq!(times(&[Some(100), Some(100), Some(3), Some(50), Some(230)], Some(40)), [100, 140, 180, 220, 230]);
        assert_eq!(times(&[Some(5), None], None), [5, 5 + UNKNOWN_LENGTH_NS]);
    }
}
