// SPDX-License-Identifier: MIT OR Apache-2.0
//! Praat's TextGrid as text: an interval tier for each track. The intervals of a tier cover the whole video; those without a face
//! have no text.

use std::fmt::Write;

use super::intervals::{Annotated, Tier, seconds};

/// The document of a video.
pub(super) fn document(video: &Annotated) -> String {
    let (end, count) = (seconds(video.length_ns), video.tiers.len());
    let mut text = String::from("File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n");
    let _ = write!(text, "xmin = 0\nxmax = {end}\ntiers? <exists>\nsize = {count}\nitem []:\n");
    for (index, tier) in video.tiers.iter().enumerate() {
        let intervals = covering(tier, end);
        let _ = write!(text, "    item [{}]:\n        class = \"IntervalTier\"\n        name = {}\n", index + 1, quoted(&tier.name()));
        let _ = write!(text, "        xmin = 0\n        xmax = {end}\n        intervals: size = {}\n", intervals.len());
        for (number, (from, to, label)) in intervals.iter().enumerate() {
            let _ = write!(text, "        intervals [{}]:\n            xmin = {from}\n            xmax = {to}\n", number + 1);
            let _ = writeln!(text, "            text = {}", quoted(label));
        }
    }
    text
}

/// The intervals of a tier in seconds, with empty ones between them.
fn covering(tier: &Tier, end: f64) -> Vec<(f64, f64, &str)> {
    let (mut all, mut covered) = (Vec::new(), 0.0);
    for interval in &tier.intervals {
        let (from, to) = (seconds(interval.start_ns).max(covered), seconds(interval.end_ns).min(end));
        if from >= to {
            continue;
        }
        if from > covered {
            all.push((covered, from, ""));
        }
        all.push((from, to, interval.label.as_str()));
        covered = to;
    }
    if covered < end {
        all.push((covered, end, ""));
    }
    all
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::super::intervals::Interval;
    use super::*;

    #[test]
    fn gaps_are_intervals_without_text() {
        let interval = |start_ns, end_ns, label: &str| Interval { start_ns, end_ns, label: label.into() };
        let intervals = vec![interval(500_000_000, 1_000_000_000, "neutral"), interval(1_000_000_000, 1_250_000_000, "a \"b\"")];
        let tier = Tier { id: 1, intervals };
        assert_eq!(covering(&tier, 2.0), [(0.0, 0.5, ""), (0.5, 1.0, "neutral"), (1.0, 1.25, "a \"b\""), (1.25, 2.0, "")]);
        let video =
            Annotated { media: "a.mp4".into(), name: "a.mp4".into(), length_ns: 2_000_000_000, frames_per_s: 25.0, tiers: vec![tier] };
        let text = document(&video);
        assert!(text.contains("intervals: size = 4") && text.contains("text = \"a \"\"b\"\"\""), "{text}");
    }
}
