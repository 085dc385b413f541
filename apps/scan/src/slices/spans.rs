// SPDX-License-Identifier: MIT OR Apache-2.0
//! The spans of a slice that are examined after a first look: those around frames with faces.

/// A frame of the first look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Its time in the file.
    pub time_ns: u64,
    /// Number of frames of the slice before it.
    pub number: u64,
    /// True if it shows a face.
    pub has_face: bool,
}

/// A span to examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Time of its first frame.
    pub start_ns: u64,
    /// Time of the first frame behind it; `None` at the end of the file.
    pub end_ns: Option<u64>,
    /// Number of frames of the slice before it.
    pub number: u64,
}

/// The spans of a slice that may show faces: from the frame before each one with a face to the frame after it. Frames before
/// and after the slice count too, since a face that they show may also be in the slice.
pub fn spans(glances: &[Glance], start_ns: u64, end_ns: Option<u64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (index, _) in glances.iter().enumerate().filter(|(_, glance)| glance.has_face) {
        let before = index.checked_sub(1).map(|before| glances[before]).filter(|before| before.time_ns > start_ns);
        let (from_ns, number) = before.map_or((start_ns, 0), |before| (before.time_ns, before.number));
        let after_ns = glances.get(index + 1).map(|after| after.time_ns);
        let until_ns = [after_ns, end_ns].into_iter().flatten().min();
        if until_ns.is_some_and(|until| until <= from_ns) || end_ns.is_some_and(|end| from_ns >= end) {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.end_ns.is_none_or(|end| end >= from_ns) => last.end_ns = until_ns,
            _ => spans.push(Span { start_ns: from_ns, end_ns: until_ns, number }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A glance each two seconds, 25 frames a second. `#` is a face.
    fn glances(text: &str, first_s: i64) -> Vec<Glance> {
        let glance = |(index, mark)| {
            let time_s = (first_s + 2 * index as i64) as u64;
            Glance { time_ns: time_s, number: 25 * time_s.saturating_sub(20), has_face: mark == '#' }
        };
        text.chars().enumerate().map(glance).collect()
    }

    fn found(text: &str, first_s: i64, start: u64, end: Option<u64>) -> Vec<(u64, Option<u64>, u64)> {
        spans(&glances(text, first_s), start, end).iter().map(|span| (span.start_ns, span.end_ns, span.number)).collect()
    }

    #[test]
    fn a_span_reaches_from_the_frame_before_to_the_frame_after() {
        assert_eq!(found("..#....##.", 20, 20, None), [(22, Some(26), 50), (32, Some(38), 300)]);
        assert_eq!(found("#.......#", 20, 20, None), [(20, Some(22), 0), (34, None, 350)]);
        assert_eq!(found(".#.#.", 20, 20, None), [(20, Some(28), 0)], "spans that touch are one");
        assert!(found(".....", 20, 20, None).is_empty());
    }

    #[test]
    fn faces_beside_the_slice_extend_into_it() {
        assert_eq!(found(".#...#..", 17, 20, Some(30)), [(20, Some(21), 0), (25, Some(29), 125)]);
        assert_eq!(found("..#....#.", 16, 20, Some(30)), [(20, Some(22), 0), (28, Some(30), 200)]);
        assert!(found("#.......#", 15, 20, Some(29)).is_empty(), "too far away");
    }
}
