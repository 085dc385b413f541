// SPDX-License-Identifier: MIT OR Apache-2.0
//! The truth film through containers, damage and options: each row has the number, the time and the face of its frame.

mod judged;
mod matrix;
mod pairs;
mod shown;

use serde_json::Value;

use shown::{Film, Shown, time_s};

/// Options for H.264 with frames that are decoded in another order than they are shown, and a keyframe each second.
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -qp 12 -g {rate}";
const WMV: &str = "-c:v wmv2 -q:v 3 -g {rate}";

/// A film of so many frames at a constant rate.
fn film(rate: u32, frames: u32) -> Film {
    Film::of_rate(&rate.to_string(), frames)
}

#[test]
fn times_of_slices_are_those_of_a_run_from_the_start() {
    let Some(shown) = Shown::new("truth-slices") else { return };
    // Longer than 90 s, so it would be cut. Fragments without an edit list begin at the time of the second frame.
    for (name, options, start_s) in [
        ("film.mkv", H264, 0.0),
        ("film.ts", H264, 0.0),
        ("film.m2ts", H264, 0.0),
        ("film.flv", H264, 0.0),
        ("fragments.mp4", &format!("{H264} -movflags frag_keyframe+empty_moov"), 0.5),
    ] {
        shown.write(name, &film(4, 400), options);
        let second = |number: u32| (f64::from(number) / 4.0 + start_s) as u32;
        let first_of_seconds = (0..400).filter(|number| *number == 0 || second(*number) != second(number - 1));
        shown.assert_true((name, &film(4, 400), start_s), "--every 1 --exact", first_of_seconds);
    }
    // Its decoder loses timestamps after a seek, and guesses 25 frames a second.
    shown.write("film.wmv", &film(30, 3000), WMV);
    shown.assert_true(("film.wmv", &film(30, 3000), 0.0), "--every 1 --exact", (0..3000).step_by(30));
}

#[test]
fn places_with_faces_are_found_where_seeks_are_wrong() {
    let Some(mut shown) = Shown::new("truth-places") else { return };
    shown.set_faces(150..210);
    for (name, options) in [("film.ts", H264), ("film.wmv", WMV), ("film.mp4", H264), ("late.mp4", &format!("{H264} -output_ts_offset 3"))]
    {
        // An edit shows nothing at first.
        let start_s = if name == "late.mp4" { 3.0 } else { 0.0 };
        shown.write(name, &film(15, 400), options);
        shown.assert_true((name, &film(15, 400), start_s), "--where-faces", 150..210);
        let (rows, file) = shown.scan(name, "--where-faces --every 2", 0);
        assert!(shown.lies(&rows, &film(15, 400), start_s).is_empty() && (2..=3).contains(&rows.len()), "{rows:?}");
        assert!(file["examined"].as_u64() < Some(25), "looks and the frames of the span: {file}");
    }
}

#[test]
fn frames_of_a_sampled_scan_are_those_of_their_numbers() {
    let Some(shown) = Shown::new("truth-every") else { return };
    let mpeg2 = "-c:v mpeg2video -q:v 2 -g {rate} -bf 2";
    // A frame each half second is decoded from the keyframe before it, and one each two seconds is a keyframe. In a program stream,
    // most frames do not have the time at which they are shown.
    for (name, rate, options) in [
        ("film.mxf", "25", mpeg2),
        ("film.mpg", "25", mpeg2),
        ("film.vob", "24000/1001", mpeg2),
        ("variable.mkv", "variable", H264),
        ("film.webm", "25", "-c:v libvpx -deadline realtime -b:v 2M -g {rate}"),
        // It has only times of decoding, so all its frames are decoded.
        ("film.avi", "25", "-c:v mpeg4 -q:v 2 -g {rate} -bf 2"),
    ] {
        let film = Film::of_rate(rate, 120);
        shown.write(name, &film, options);
        for every in ["0.5", "2"] {
            let (rows, file) = shown.scan(name, &format!("--every {every}"), 0);
            let lies = shown.lies(&rows, &film, 0.0);
            assert!(lies.is_empty() && file["frames"] == 120 && file["missing"] == 0, "{name} --every {every}: {lies:?} {file}");
            let expected = film.length_s() / every.parse::<f64>().unwrap();
            let is_sampled = file["decoded"].as_u64() < Some(120);
            assert!((rows.len() as f64 - expected).abs() <= 1.0 && is_sampled != (name == "film.avi"), "{name}: {file}");
        }
        if name != "variable.mkv" && name != "film.webm" {
            let (rows, file) = shown.scan(name, "", 0);
            assert!(shown.lies(&rows, &film, 0.0).is_empty() && rows.len() == 120 && file["missing"] == 0, "{name}: {file}");
        }
    }
}

#[test]
fn frames_of_a_span_keep_their_numbers_behind_damage() {
    let Some(mut shown) = Shown::new("truth-span") else { return };
    shown.set_faces(60..150);
    // A look at keyframes counts all frames, of which the decoder leaves out some.
    shown.write("film.mp4", &film(25, 200), H264);
    shown.damage("film.mp4", 0.45, 8_000);
    let (rows, file) = shown.scan("film.mp4", "--where-faces", 0);
    // Up to the next keyframe, a decoder may show anything.
    let behind: Vec<Value> = rows.iter().filter(|row| time_s(row) > 4.999).cloned().collect();
    assert!(behind.len() == 25 && file["frames"] == 200, "{file}");
    assert_eq!(shown.lies(&behind, &film(25, 200), 0.0), [""; 0]);
}

#[test]
fn missing_frames_are_counted_and_those_behind_them_keep_their_numbers() {
    let Some(shown) = Shown::new("truth-damage") else { return };
    for (name, options) in
        [("film.mp4", H264), ("film.ts", H264), ("film.mkv", H264), ("film.avi", "-c:v mpeg4 -q:v 2 -g {rate}"), ("film.wmv", WMV)]
    {
        shown.write(name, &film(25, 250), options);
        shown.damage(name, 0.5, 12_000);
        let (rows, file) = shown.scan(name, "", 0);
        let count = |name: &str| file[name].as_u64().unwrap();
        assert!(count("frames") == 250 && (1..60).contains(&count("missing")), "{file}");
        assert_eq!(count("examined") + count("missing"), 250, "{file}");
        let spans = file["missing_spans"].as_str().unwrap();
        let (first, last) = (spans.split('-').next().unwrap(), spans.rsplit('-').next().unwrap());
        let (first, last): (f64, f64) = (first.parse().unwrap(), last.parse().unwrap());
        assert!(4.0 < first && first < last && last < 7.0, "{file}");
        // Up to the next keyframe, a decoder may show anything.
        let outside = |row: &Value| row["time_s"].as_f64() < Some(first - 0.1) || row["time_s"].as_f64() > Some(last + 1.1);
        let whole: Vec<Value> = rows.into_iter().filter(outside).collect();
        assert!(
            whole.len() > 150 && shown.lies(&whole, &film(25, 250), 0.0).is_empty(),
            "{name}: {:?}",
            shown.lies(&whole, &film(25, 250), 0.0)
        );
    }
    shown.write("film.flv", &film(25, 250), H264);
    shown.damage("film.flv", 0.5, 12_000);
    let (rows, file) = shown.scan("film.flv", "", 3);
    assert!(file["error"].as_str().unwrap().starts_with("the file is damaged: GStreamer reads 5 s of 9 s"), "{file}");
    // The last frames are damaged.
    assert!(
        rows.len() > 120 && shown.lies(&rows[..120], &film(25, 250), 0.0).is_empty(),
        "{:?}",
        shown.lies(&rows[..120], &film(25, 250), 0.0)
    );
}

#[test]
fn a_look_at_a_recording_that_was_cut_off_finds_its_faces() {
    let Some(shown) = Shown::new("truth-cut") else { return };
    shown.write("film.mp4", &film(10, 200), &format!("{H264} -movflags faststart"));
    let bytes = std::fs::read(shown.folder.path("film.mp4")).unwrap();
    shown.folder.write("film.mp4", &bytes[..bytes.len() / 2]);
    let (rows, file) = shown.scan("film.mp4", "--where-faces", 3);
    assert!(file["error"].as_str().unwrap().contains("bytes are missing at its end"), "{file}");
    // The last group of frames is incomplete.
    let whole: Vec<Value> = rows.iter().filter(|row| row["time_s"].as_f64() < Some(8.9)).cloned().collect();
    assert!((80..110).contains(&rows.len()) && whole.len() > 80, "{file}");
    assert!(shown.lies(&whole, &film(10, 200), 0.0).is_empty(), "{:?}", shown.lies(&whole, &film(10, 200), 0.0));
}

#[test]
fn a_length_is_that_of_the_frames() {
    let Some(shown) = Shown::new("truth-length") else { return };
    shown.write("film.mkv", &film(4, 40), H264);
    let bytes = std::fs::read(shown.folder.path("film.mkv")).unwrap();
    // The length in milliseconds, as a number of 8 bytes.
    let place = bytes.windows(3).position(|bytes| bytes == [0x44, 0x89, 0x88]).unwrap() + 3;
    for length_ms in [1e9_f64, 1e12] {
        let lying = [&bytes[..place], &length_ms.to_be_bytes(), &bytes[place + 8..]].concat();
        shown.folder.write("lying.mkv", &lying);
        let (rows, file) = shown.scan("lying.mkv", "--bins 2", 0);
        assert!(rows.len() == 40 && file["length_s"] == 10.0, "{file}");
        assert_eq!(shown.folder.rows("lying.mkv.bins.ndjson").len(), 5);
    }
    // Three recordings in one file, of which the demuxer knows the length of one.
    shown.write("one.ts", &film(10, 100), H264);
    let one = std::fs::read(shown.folder.path("one.ts")).unwrap();
    shown.folder.write("three.ts", &one.repeat(3));
    let (rows, file) = shown.scan("three.ts", "--report page.html --annotations textgrid --set facedetect.track=true", 0);
    assert_eq!((file["frames"].as_u64(), file["examined"].as_u64()), (Some(300), Some(300)), "{file}");
    let last_s = rows.last().unwrap()["time_s"].as_f64().unwrap();
    assert!(last_s > 29.5 && file["length_s"].as_f64() > Some(last_s) && file["missing"] == 0, "{last_s} {file}");
    let grid = shown.folder.read("three.ts.textgrid/three.ts.TextGrid");
    let end: f64 = grid.lines().find_map(|line| line.strip_prefix("xmax = ")).unwrap().trim().parse().unwrap();
    assert!(end > last_s, "{end}");
}
