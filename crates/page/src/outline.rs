// SPDX-License-Identifier: MIT OR Apache-2.0
//! An export in a few lines of text.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use crate::records::Records;

/// The numbers of frames, faces and expressions of an export of a video with `frames` frames.
pub(crate) fn outline(records: &Records, frames: u64) -> String {
    let (mut faces_on, mut ids) = (HashMap::<u64, u64>::new(), BTreeSet::new());
    let mut labels = vec![0_u64; records.labels.all.len()];
    for (record, seen) in records.faces() {
        *faces_on.entry(seen.frame).or_default() += 1;
        ids.insert((record.stream, seen.id));
        seen.label.iter().for_each(|label| labels[*label as usize] += 1);
    }
    let faces: u64 = faces_on.values().sum();
    let mut frames_with = BTreeMap::<u64, u64>::from([(0, frames.saturating_sub(faces_on.len() as u64))]);
    faces_on.values().for_each(|count| *frames_with.entry(*count).or_default() += 1);

    let mut text = format!("  frames        {frames}\n");
    let per_frame = faces as f64 / frames.max(1) as f64;
    let _ = writeln!(text, "  faces         {per_frame:.2} per frame, {} tracks", ids.len());
    for (count, number) in frames_with.into_iter().filter(|(_, number)| *number > 0) {
        let _ = writeln!(text, "                {number:>5} frames with {count}");
    }
    let _ = writeln!(text, "  expressions   {}", most_frequent(records, &labels));
    text
}

/// The labels with their numbers of faces, the most frequent first.
fn most_frequent(records: &Records, counts: &[u64]) -> String {
    let mut labels: Vec<_> = records.labels.all.iter().zip(counts).filter(|(_, count)| **count > 0).collect();
    labels.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let said: Vec<_> = labels.iter().map(|(label, count)| format!("{label} {count}")).collect();
    if said.is_empty() { "none".into() } else { said.join(", ") }
}
