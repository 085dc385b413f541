// SPDX-License-Identifier: MIT OR Apache-2.0
//! A BORIS project (<https://www.boris.unito.it>), format 7.0: labels are state events of an ethogram, faces are subjects, and each
//! video is an observation. A state event is a pair of a begin and an end.

use std::collections::BTreeSet;
use std::path::Path;

use emotion_core::scores::UNKNOWN;
use serde_json::{Map, Value, json};

use super::intervals::{Annotated, seconds};
use crate::outputs::BORIS_DESCRIPTION;
use crate::provenance;

/// Keys of the keyboard for the first labels.
const KEYS: &str = "123456789";

/// The project of all videos, at `path`, of the table `table`.
pub(super) fn project(videos: &[Annotated], labels: &[String], path: &Path, table: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let faces: BTreeSet<u32> = videos.iter().flat_map(|video| video.tiers.iter().map(|tier| tier.id)).collect();
    let subject = |id: u32| json!({"key": "", "name": format!("face {id}"), "description": "track of emotion-scan"});
    let project = json!({
        "time_format": "hh:mm:ss",
        "project_name": name,
        "project_date": date(),
        "project_description": format!("{BORIS_DESCRIPTION}{}", table.file_name().unwrap_or_default().to_string_lossy()),
        "project_format_version": "7.0",
        "subjects_conf": numbered(faces.into_iter().map(subject)),
        "behaviors_conf": numbered(labels.iter().map(String::as_str).chain([UNKNOWN]).enumerate().map(|(index, label)| behaviour(index, label))),
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
        "observations": videos.iter().map(|video| (video.name.clone(), observation(video))).collect::<Map<_, _>>(),
    });
    serde_json::to_string_pretty(&project).expect("texts and numbers become JSON") + "\n"
}

/// The present time without a fraction and a time zone.
fn date() -> String {
    provenance::now().split('.').next().unwrap_or_default().to_owned()
}

/// An object whose keys are numbers from 0.
fn numbered(values: impl Iterator<Item = Value>) -> Map<String, Value> {
    values.enumerate().map(|(index, value)| (index.to_string(), value)).collect()
}

fn behaviour(index: usize, label: &str) -> Value {
    let key = KEYS.get(index..=index).unwrap_or_default();
    json!({
        "type": "State event", "key": key, "code": label, "description": format!("The face looks like {label}"), "category": "",
        "modifiers": {}, "excluded": "", "coding map": "",
    })
}

fn observation(video: &Annotated) -> Value {
    let media = video.media.to_string_lossy().into_owned();
    let of_media = |value: Value| Map::from_iter([(media.clone(), value)]);
    let mut events: Vec<(u64, bool, Value)> = Vec::new();
    for tier in &video.tiers {
        for interval in &tier.intervals {
            let event = |time_ns: u64| json!([seconds(time_ns), tier.name(), interval.label, "", ""]);
            events.push((interval.start_ns, true, event(interval.start_ns)));
            events.push((interval.end_ns, false, event(interval.end_ns)));
        }
    }
    // At one time, the end of a label comes before the begin of the next one.
    events.sort_by_key(|(time_ns, is_begin, _)| (*time_ns, *is_begin));
    json!({
        "file": {"1": [media]},
        "type": "MEDIA",
        "date": date(),
        "description": "",
        "time offset": 0.0,
        "observation time interval": [0, 0],
        "events": events.into_iter().map(|(_, _, event)| event).collect::<Vec<_>>(),
        "independent_variables": {},
        "visualize_spectrogram": false,
        "visualize_waveform": false,
        "media_creation_date_as_offset": false,
        "close_behaviors_between_videos": false,
        "scan_sampling_time": 0,
        "media_info": {
            "length": of_media(seconds(video.length_ns).into()),
            "fps": of_media(((video.frames_per_s * 1e3).round() / 1e3).into()),
            "hasVideo": of_media(true.into()),
            "hasAudio": of_media(false.into()),
            "offset": {"1": 0.0},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::intervals::{Interval, Tier};
    use super::*;

    #[test]
    fn a_label_ends_before_the_next_one_begins() {
        let interval = |start_ns, end_ns, label: &str| Interval { start_ns, end_ns, label: label.into() };
        let intervals = vec![interval(0, 1_000_000_000, "neutral"), interval(1_000_000_000, 2_000_000_000, "happiness")];
        let tiers = vec![Tier { id: 4, intervals }];
        let video = Annotated { media: "/a.mp4".into(), name: "a.mp4".into(), length_ns: 2_000_000_000, frames_per_s: 25.0, tiers };
        let project: Value =
            serde_json::from_str(&project(&[video], &["neutral".into(), "happiness".into()], Path::new("x.boris"), Path::new("out/x.csv")))
                .unwrap();
        let events = project["observations"]["a.mp4"]["events"].as_array().unwrap();
        let found: Vec<_> = events.iter().map(|event| (event[0].as_f64().unwrap(), event[2].as_str().unwrap())).collect();
        assert_eq!(found, [(0.0, "neutral"), (1.0, "neutral"), (1.0, "happiness"), (2.0, "happiness")]);
        assert!(project["subjects_conf"]["0"]["name"] == "face 4" && project["behaviors_conf"]["2"]["code"] == "unknown", "{project}");
    }
}
