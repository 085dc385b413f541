// SPDX-License-Identifier: MIT OR Apache-2.0
//! The truth film through containers, damage and options: each row has the number, the time and the face of its frame.

use std::io::Write;
use std::process::{Command, Stdio};

use emotion_core::geometry::Rect;
use serde_json::Value;
use test_support::truth_film::{Path, TruthFilm};

use crate::support::{Folder, with_ffmpeg};

const SIZE: (usize, usize) = (160, 120);
/// Options for H.264 with frames that are decoded in another order than they are shown, and a keyframe each second.
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -qp 12 -g {rate}";
const WMV: &str = "-c:v wmv2 -q:v 3 -g {rate}";

/// A film in a folder.
struct Shown {
    folder: Folder,
    truth: TruthFilm,
}

impl Shown {
    fn new(test: &str) -> Option<Self> {
        Some(Self { folder: with_ffmpeg(test)?, truth: TruthFilm::new(SIZE.0, SIZE.1, Path::Grid) })
    }

    /// Writes a film of so many frames, `rate` a second, with these options of ffmpeg.
    fn write(&self, name: &str, (rate, frames): (u32, u32), options: &str) {
        let input = format!("-f rawvideo -pix_fmt rgb24 -s {}x{} -r {rate} -i -", SIZE.0, SIZE.1);
        let options = options.replace("{rate}", &rate.to_string());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y"]).args(input.split(' ')).args(options.split_whitespace()).arg(self.folder.path(name));
        let mut ffmpeg = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut frames_in = ffmpeg.stdin.take().unwrap();
        for number in 0..frames {
            let time_us = u64::from(number) * 1_000_000 / u64::from(rate);
            frames_in.write_all(&self.truth.render(number, time_us)).unwrap();
        }
        drop(frames_in);
        assert!(ffmpeg.wait().unwrap().success(), "{name}: {options}");
    }

    /// Scans a film, and returns its rows and its row of the table of files.
    fn scan(&self, name: &str, options: &str, status: i32) -> (Vec<Value>, Value) {
        let command = format!("{name} --output {name}.ndjson --quiet --set facedetect.track=false {options}");
        self.folder.run(command.trim_end(), status);
        (self.folder.rows(&format!("{name}.ndjson")), self.folder.rows(&format!("{name}.files.ndjson")).remove(0))
    }

    /// What is wrong with rows of a film of `rate` frames a second, whose first frame is at `start_s`.
    fn lies(&self, rows: &[Value], rate: f64, start_s: f64) -> Vec<String> {
        let lie = |row: &Value| {
            let number = |name: &str| row[name].as_f64().unwrap();
            let rect = Rect { x: number("x") as f32, y: number("y") as f32, w: number("w") as f32, h: number("h") as f32 };
            let (frame, time_s) = (row["frame"].as_u64().unwrap() as u32, number("time_s"));
            let late_s = time_s - start_s - f64::from(frame) / rate;
            (!self.truth.is_at(frame, &rect)).then(|| format!("frame {frame} at {time_s} s shows another one")).or_else(|| {
                let is_late = late_s.abs() > 0.0021;
                is_late.then(|| format!("frame {frame} is {late_s} s late"))
            })
        };
        rows.iter().filter_map(lie).collect()
    }

    /// Checks that a scan of the film has these frames, each at its time and with its face.
    fn assert_true(&self, (name, rate, start_s): (&str, u32, f64), options: &str, expected: impl Iterator<Item = u32>) {
        let (rows, file) = self.scan(name, options, 0);
        let lies = self.lies(&rows, f64::from(rate), start_s);
        assert!(lies.is_empty(), "{name} {options}: {} of {} rows: {:?}", lies.len(), rows.len(), &lies[..lies.len().min(5)]);
        let found: Vec<u32> = rows.iter().map(|row| row["frame"].as_u64().unwrap() as u32).collect();
        assert_eq!(found, expected.collect::<Vec<_>>(), "{name} {options}: {file}");
    }
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
        shown.write(name, (4, 400), options);
        let second = |number: u32| (f64::from(number) / 4.0 + start_s) as u32;
        let first_of_seconds = (0..400).filter(|number| *number == 0 || second(*number) != second(number - 1));
        shown.assert_true((name, 4, start_s), "--every 1 --exact", first_of_seconds);
    }
    // Its decoder loses timestamps after a seek, and guesses 25 frames a second.
    shown.write("film.wmv", (30, 3000), WMV);
    shown.assert_true(("film.wmv", 30, 0.0), "--every 1 --exact", (0..3000).step_by(30));
}

#[test]
fn places_with_faces_are_found_where_seeks_are_wrong() {
    let Some(mut shown) = Shown::new("truth-places") else { return };
    shown.truth = TruthFilm::new(SIZE.0, SIZE.1, Path::Grid).only(150..210);
    for (name, options) in [("film.ts", H264), ("film.wmv", WMV), ("film.mp4", H264)] {
        shown.write(name, (15, 400), options);
        shown.assert_true((name, 15, 0.0), "--where-faces", 150..210);
        let (rows, file) = shown.scan(name, "--where-faces --every 2", 0);
        assert!(shown.lies(&rows, 15.0, 0.0).is_empty() && (2..=3).contains(&rows.len()), "{rows:?}");
        assert!(file["examined"].as_u64() < Some(25), "looks and the frames of the span: {file}");
    }
}
