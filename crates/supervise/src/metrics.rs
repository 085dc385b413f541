// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text for Prometheus (exposition format 0.0.4).

use std::fmt::Write;

use crate::progress::Counts;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A count that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
}

/// Names and values that tell samples of one metric apart.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text of a page with metrics.
#[derive(Clone, Debug, Default)]
pub struct Page(String);

impl Page {
    /// Adds a metric with its samples.
    pub fn add<'a>(&mut self, name: &str, kind: Kind, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    /// Adds the metrics of sources.
    pub fn add_sources(&mut self, sources: &[(Labels<'_>, Counts)]) {
        type Value = fn(&Counts) -> f64;
        let metrics: [(&str, Kind, &str, Value); 10] = [
            ("emotion_source_up", Kind::Gauge, "1 while frames arrive from the source.", |counts| f64::from(counts.is_up)),
            ("emotion_reconnects_total", Kind::Counter, "Attempts to open the source after the first.", |counts| counts.restarts as f64),
            ("emotion_frames_received_total", Kind::Counter, "Frames that the source delivered.", |counts| counts.received as f64),
            ("emotion_frames_analysed_total", Kind::Counter, "Frames that were analysed.", |counts| counts.analysed as f64),
            ("emotion_frames_skipped_total", Kind::Counter, "Frames that were too old when their turn came.", |counts| {
                counts.skipped as f64
            }),
            ("emotion_frames_undecoded_total", Kind::Counter, "Frames that were left out before they were decoded.", |counts| {
                counts.undecoded as f64
            }),
            ("emotion_frames_damaged_total", Kind::Counter, "Frames that the decoder could not restore.", |counts| counts.damaged as f64),
            ("emotion_faces", Kind::Gauge, "Faces in the last frame.", |counts| counts.faces as f64),
            ("emotion_face_sightings_total", Kind::Counter, "Faces, added up over all frames.", |counts| counts.sightings as f64),
            ("emotion_latency_seconds", Kind::Gauge, "Time from the last frame to its result.", |counts| counts.latency.as_secs_f64()),
        ];
        for (name, kind, help, value) in metrics {
            self.add(name, kind, help, sources.iter().map(|(labels, counts)| (*labels, value(counts))));
        }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The value of a label, as it stands between quotation marks.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_help_type_and_samples() {
        let mut page = Page::default();
        page.add("emotion_faces", Kind::Gauge, "Faces.", [(&[("name", "a \"b\"\\\n")][..], 2.0), (&[][..], 0.5)]);
        let expected =
            "# HELP emotion_faces Faces.\n# TYPE emotion_faces gauge\nemotion_faces{name=\"a \\\"b\\\"\\\\\\n\"} 2\nemotion_faces 0.5\n";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn sources_share_the_description_of_a_metric() {
        let mut page = Page::default();
        let counts = |received| Counts { received, ..Counts::default() };
        page.add_sources(&[(&[("source", "1")], counts(3)), (&[("source", "2")], counts(4))]);
        let text = page.into_text();
        let frames: Vec<&str> = text.lines().filter(|line| line.contains("emotion_frames_received_total")).collect();
        assert_eq!(frames.len(), 4, "{text}");
        assert_eq!(frames[2..], ["emotion_frames_received_total{source=\"1\"} 3", "emotion_frames_received_total{source=\"2\"} 4"]);
    }
}
