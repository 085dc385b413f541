// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of a file do not depend on the files that the same worker has examined before.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Folder;

/// Files of different kinds, each with something that elements remember or fail at.
const KINDS: [&str; 8] = ["rotated.mp4", "plain.webm", "interlaced.mkv", "deep.mkv", "photo.jpg", "rotated.jpg", "sound.wav", "broken.mp4"];
/// Frames of each video.
const FRAMES: usize = 4;

fn kinds(test: &str) -> Option<Folder> {
    let folder = Folder::new(test)?;
    folder.rotated_video("rotated.mp4", FRAMES);
    folder.web_video("plain.webm", FRAMES);
    folder.interlaced_video("interlaced.mkv", 2 * FRAMES);
    folder.deep_video("deep.mkv", FRAMES);
    folder.photo("photo.jpg");
    folder.rotated_photo("rotated.jpg");
    folder.sound("sound.wav");
    folder.write("broken.mp4", b"this is not a video, whatever its name says");
    Some(folder)
}

/// True if the frames of the file lie on their side as they are stored.
fn lies_on_its_side(folder: &Folder, file: &str) -> bool {
    let (_, rows) = scan(folder, &format!("{file} --set videoflip.video-direction=identity"), 0).remove(file).expect("the only file");
    rows[0]["width"] == 240 && rows[0]["height"] == 320
}

/// A walk through `count` numbers in which each follows each other one once.
fn walk(count: usize) -> Vec<usize> {
    let mut walk: Vec<usize> = (0..count).flat_map(|low| (low + 1..count).flat_map(move |high| [low, high])).collect();
    walk.push(0);
    walk
}

/// The rows of each file of a table, without its name.
fn by_file(rows: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut files = BTreeMap::<String, Vec<Value>>::new();
    for mut row in rows {
        let file = row["file"].take().as_str().unwrap().to_owned();
        files.entry(file).or_default().push(row);
    }
    files
}

/// The rows of a file in both tables.
type Rows = (Vec<Value>, Vec<Value>);

/// The rows of each file of a scan of `line`.
fn scan(folder: &Folder, line: &str, status: i32) -> BTreeMap<String, Rows> {
    folder.run(&format!("{line} --output out.ndjson --quiet"), status);
    let (mut faces, files) = (by_file(folder.rows("out.ndjson")), by_file(folder.rows("out.files.ndjson")));
    files.into_iter().map(|(file, row)| (file.clone(), (faces.remove(&file).unwrap_or_default(), row))).collect()
}

#[test]
fn a_walk_has_each_pair_in_both_orders() {
    let mut pairs: Vec<_> = walk(5).windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.sort_unstable();
    let all: Vec<_> = (0..5).flat_map(|a| (0..5).filter(move |b| a != *b).map(move |b| (a, b))).collect();
    assert_eq!(pairs, all);
}

#[test]
fn the_rows_of_a_file_are_those_that_it_has_alone() {
    let Some(folder) = kinds("order") else { return };
    assert!(["rotated.mp4", "rotated.jpg"].iter().all(|file| lies_on_its_side(&folder, file)));
    let alone: Vec<Rows> = KINDS
        .iter()
        .map(|kind| scan(&folder, kind, if kind.starts_with("broken") { 3 } else { 0 }).remove(*kind).expect("the only file"))
        .collect();
    for (kind, (faces, files)) in KINDS.iter().zip(&alone) {
        let expected = match *kind {
            "sound.wav" | "broken.mp4" => 0,
            "photo.jpg" | "rotated.jpg" => 2,
            _ => 2 * FRAMES,
        };
        assert_eq!(faces.len(), expected, "{kind}: {files:?}");
        assert!(expected == 0 || (files[0]["width"] == 320 && files[0]["height"] == 240), "{kind} is upright: {files:?}");
    }
    // A file is examined once, so each visit of the walk has a name of its own.
    let visits: Vec<(String, usize)> =
        walk(KINDS.len()).into_iter().enumerate().map(|(visit, kind)| (format!("{visit:02}-{}", KINDS[kind]), kind)).collect();
    visits.iter().for_each(|(name, kind)| std::fs::hard_link(folder.path(KINDS[*kind]), folder.path(name)).unwrap());
    folder.write("walk.txt", visits.iter().map(|(name, _)| format!("{name}\n")).collect::<String>().as_bytes());
    for jobs in [1, 2] {
        let mut found = scan(&folder, &format!("--list walk.txt --jobs {jobs} --set *.threads=1"), 3);
        assert_eq!(found.len(), visits.len());
        for (number, (name, kind)) in visits.iter().enumerate() {
            let before = number.checked_sub(1).map_or("nothing", |before| KINDS[visits[before].1]);
            assert!(found.remove(name).as_ref() == Some(&alone[*kind]), "{} after {before}, {jobs} jobs", KINDS[*kind]);
        }
    }
}
