// SPDX-License-Identifier: MIT OR Apache-2.0
//! Annotation files, opened by programs that are not ours: pympi for ELAN, tgt for Praat.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::readers::{python, run};
use crate::support::Folder;

/// Prints the tiers of an .eaf file and of a .TextGrid file as JSON: the intervals with begin, end and text; and the linked video.
const READ: &str = "\
import json, sys, pympi, tgt
eaf = pympi.Elan.Eaf(sys.argv[1])
tiers = {name: sorted(eaf.get_annotation_data_for_tier(name)) for name in eaf.get_tier_names()}
grid = tgt.io.read_textgrid(sys.argv[2], include_empty_intervals=True)
grids = {tier.name: [[part.start_time, part.end_time, part.text] for part in tier] for tier in grid.tiers}
media = [[link['MEDIA_URL'], link['RELATIVE_MEDIA_URL'], link['MIME_TYPE']] for link in eaf.get_linked_files()]
words = [entry[0][0][0] for entry in eaf.controlled_vocabularies['apparent expression'][1].values()]
print(json.dumps({'elan': tiers, 'praat': grids, 'media': media, 'words': words}))
";

/// Begin and end in milliseconds, and the label.
type Interval = (i64, i64, String);

fn intervals(tiers: &Value, unit: f64) -> BTreeMap<String, Vec<Interval>> {
    let ms = |value: &Value| (value.as_f64().unwrap() * unit).round() as i64;
    let interval = |part: &Value| (ms(&part[0]), ms(&part[1]), part[2].as_str().unwrap().to_owned());
    let of_tier = |parts: &Value| parts.as_array().unwrap().iter().map(interval).collect();
    tiers.as_object().unwrap().iter().map(|(name, parts)| (name.clone(), of_tier(parts))).collect()
}

#[test]
fn elan_praat_and_boris_have_the_same_intervals() {
    let (Some(folder), Some(python)) = (Folder::new("annotations"), python()) else { return };
    folder.moving_video("in/a.mp4", 60, 10);
    std::fs::rename(folder.path("in/a.mp4"), folder.path("in/a & b.mp4")).unwrap();
    folder.empty_video("in/nobody.mp4", 10, 10);
    folder.photo("in/photo.jpg");
    folder.run("in --output out/results.csv --annotations elan --annotations textgrid --annotations boris", 0);
    for (format, suffix) in [("elan", "eaf"), ("textgrid", "TextGrid")] {
        for none in ["nobody.mp4", "photo.jpg"] {
            assert!(!folder.path(&format!("out/results.{format}/in/{none}.{suffix}")).exists(), "{none} has no face that stays");
        }
    }
    let files = ["elan/in/a & b.mp4.eaf", "textgrid/in/a & b.mp4.TextGrid"].map(|file| format!("out/results.{file}"));
    let found: Value = serde_json::from_str(&run(&python, &folder, READ, &files)).unwrap();

    let elan = intervals(&found["elan"], 1.0);
    assert_eq!(elan.keys().collect::<Vec<_>>(), ["face 1", "face 2"]);
    for (face, parts) in &elan {
        assert!(parts.len() > 1 && parts.iter().all(|(start, end, _)| start < end && *end <= 6000), "{face}: {parts:?}");
        assert!(parts.iter().zip(&parts[1..]).all(|(one, next)| one.1 <= next.0 && one.2 != next.2), "{face}: {parts:?}");
    }
    let mut labels: Vec<Vec<&str>> = elan.values().map(|parts| parts.iter().map(|(_, _, label)| label.as_str()).collect()).collect();
    labels.sort();
    assert!(labels[0].first() == Some(&"happiness") && labels[0].last() == Some(&"neutral"), "{labels:?}");
    assert!(labels[1].starts_with(&["neutral", "happiness"]), "{labels:?}");
    let text_only = |parts: &[Interval]| parts.iter().filter(|(_, _, text)| !text.is_empty()).cloned().collect::<Vec<_>>();
    for (face, parts) in intervals(&found["praat"], 1e3) {
        assert_eq!(text_only(&parts), elan[&face], "{face}");
        assert!(parts[0].0 == 0 && parts.last().unwrap().1 == 6000 && parts.iter().zip(&parts[1..]).all(|(a, b)| a.1 == b.0), "{parts:?}");
    }
    let media = &found["media"][0];
    assert_eq!(media[0], format!("file://{}", folder.path("in/a & b.mp4").display()));
    assert!(media[1] == "./../../../in/a & b.mp4" && media[2] == "video/mp4", "{media}");
    assert!(found["words"].as_array().unwrap().iter().any(|word| word == "contempt"), "{}", found["words"]);

    let project: Value = serde_json::from_str(&folder.read("out/results.boris")).unwrap();
    let mut boris: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
    let mut open = BTreeMap::new();
    for event in project["observations"]["in/a & b.mp4"]["events"].as_array().unwrap() {
        let (ms, face, label) = ((event[0].as_f64().unwrap() * 1e3).round() as i64, event[1].to_string(), event[2].to_string());
        match open.remove(&(face.clone(), label.clone())) {
            Some(start) => boris.entry(face.trim_matches('"').into()).or_default().push((start, ms, label.trim_matches('"').into())),
            None => _ = open.insert((face, label), ms),
        }
    }
    assert_eq!((open.len(), &boris), (0, &elan), "each state begins and ends");
}
