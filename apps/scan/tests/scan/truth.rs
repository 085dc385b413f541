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
pub(crate) const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -qp 12 -g {rate}";
const WMV: &str = "-c:v wmv2 -q:v 3 -g {rate}";

/// How fast a film is.
pub(crate) struct Film {
    frames: u32,
    /// Frames a second; at a variable rate, those of the first half.
    rate: f64,
    /// The same for ffmpeg.
    rate_text: String,
    is_variable: bool,
}

impl Film {
    /// A film with this rate of ffmpeg, or a `variable` one.
    pub(crate) fn of_rate(rate: &str, frames: u32) -> Self {
        let is_variable = rate == "variable";
        let rate_text = if is_variable { "25" } else { rate };
        let (numerator, denominator) = rate_text.split_once('/').unwrap_or((rate_text, "1"));
        let rate = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
        Self { frames, rate, rate_text: rate_text.to_owned(), is_variable }
    }

    /// Time of a frame behind the first one.
    fn time_s(&self, number: u32) -> f64 {
        let half = self.frames / 2;
        f64::from(if self.is_variable && number >= half { 2 * number - half } else { number }) / self.rate
    }

    /// The filter that gives the frames these times.
    fn filter(&self) -> String {
        let half = self.frames / 2;
        let times = format!(" -vf setpts=if(lt(N\\,{half})\\,N\\,2*N-{half}) -fps_mode passthrough");
        if self.is_variable { times } else { String::new() }
    }
}

/// A film in a folder.
pub(crate) struct Shown {
    folder: Folder,
    truth: TruthFilm,
}

impl Shown {
    pub(crate) fn new(test: &str) -> Option<Self> {
        Some(Self { folder: with_ffmpeg(test)?, truth: TruthFilm::new(SIZE.0, SIZE.1, Path::Grid) })
    }

    /// Writes a film of so many frames, `rate` a second, with these options of ffmpeg.
    fn write(&self, name: &str, (rate, frames): (u32, u32), options: &str) {
        self.write_film(name, &Film::of_rate(&rate.to_string(), frames), options);
    }

    /// Writes a film with these options of ffmpeg.
    pub(crate) fn write_film(&self, name: &str, film: &Film, options: &str) {
        let input = format!("-f rawvideo -pix_fmt rgb24 -s {}x{} -r {} -i -{}", SIZE.0, SIZE.1, film.rate_text, film.filter());
        let options = options.replace("{rate}", &film.rate.round().to_string());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y"]).args(input.split(' ')).args(options.split_whitespace()).arg(self.folder.path(name));
        let mut ffmpeg = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut frames_in = ffmpeg.stdin.take().unwrap();
        for number in 0..film.frames {
            frames_in.write_all(&self.truth.render(number, (film.time_s(number) * 1e6) as u64)).unwrap();
        }
        drop(frames_in);
        assert!(ffmpeg.wait().unwrap().success(), "{name}: {options}");
    }

    /// Overwrites bytes of a film with zeros, from a share of its length on.
    pub(crate) fn damage(&self, name: &str, at: f64, bytes: usize) {
        let mut film = std::fs::read(self.folder.path(name)).unwrap();
        let from = (film.len() as f64 * at) as usize;
        film[from..from + bytes].fill(0);
        self.folder.write(name, &film);
    }

    /// Scans a film, and returns its rows and its row of the table of files.
    fn scan(&self, name: &str, options: &str, status: i32) -> (Vec<Value>, Value) {
        let command = format!("{name} --output {name}.ndjson --quiet --set facedetect.track=false {options}");
        self.folder.run(command.trim_end(), status);
        (self.folder.rows(&format!("{name}.ndjson")), self.folder.rows(&format!("{name}.files.ndjson")).remove(0))
    }

    /// Scans a film, which may fail, and returns its rows and its row of the table of files.
    pub(crate) fn scan_any(&self, name: &str, options: &str) -> (Vec<Value>, Value) {
        let command = format!("{name} --output {name}.ndjson --quiet --timeout 20 --set facedetect.track=false {options}");
        self.folder.command(command.trim_end()).output().unwrap();
        (self.folder.rows(&format!("{name}.ndjson")), self.folder.rows(&format!("{name}.files.ndjson")).remove(0))
    }

    /// How late a row of `rows` is at most, in milliseconds, if those behind the first of `all` count from it; `None` if one shows
    /// another frame.
    pub(crate) fn lies_ms(&self, rows: &[Value], film: &Film, all: &[Value]) -> Option<f64> {
        let frame = |row: &Value| row["frame"].as_u64().unwrap() as u32;
        let since = |row: &Value| row["time_s"].as_f64().unwrap() - film.time_s(frame(row));
        let start_s = all.first().map_or(0.0, since);
        let shows_another = |row: &&Value| {
            let number = |name: &str| row[name].as_f64().unwrap() as f32;
            let rect = Rect { x: number("x"), y: number("y"), w: number("w"), h: number("h") };
            frame(row) >= film.frames || !self.truth.is_at(frame(row), &rect)
        };
        let late_ms = || rows.iter().map(|row| (since(row) - start_s).abs() * 1000.0).fold(0.0, f64::max);
        rows.iter().find(shows_another).is_none().then(late_ms)
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
    for (name, options) in [("film.ts", H264), ("film.wmv", WMV), ("film.mp4", H264), ("late.mp4", &format!("{H264} -output_ts_offset 3"))]
    {
        // An edit shows nothing at first.
        let start_s = if name == "late.mp4" { 3.0 } else { 0.0 };
        shown.write(name, (15, 400), options);
        shown.assert_true((name, 15, start_s), "--where-faces", 150..210);
        let (rows, file) = shown.scan(name, "--where-faces --every 2", 0);
        assert!(shown.lies(&rows, 15.0, start_s).is_empty() && (2..=3).contains(&rows.len()), "{rows:?}");
        assert!(file["examined"].as_u64() < Some(25), "looks and the frames of the span: {file}");
    }
}

#[test]
fn missing_frames_are_counted_and_those_behind_them_keep_their_numbers() {
    let Some(shown) = Shown::new("truth-damage") else { return };
    for (name, options) in
        [("film.mp4", H264), ("film.ts", H264), ("film.mkv", H264), ("film.avi", "-c:v mpeg4 -q:v 2 -g {rate}"), ("film.wmv", WMV)]
    {
        shown.write(name, (25, 250), options);
        shown.damage(name, 0.5, 12_000);
        let (rows, file) = shown.scan(name, "", 0);
        let number = |name: &str| file[name].as_u64().unwrap();
        assert!(number("frames") == 250 && (1..60).contains(&number("missing")), "{file}");
        assert_eq!(number("examined") + number("missing"), 250, "{file}");
        let spans = file["missing_spans"].as_str().unwrap();
        let (first, last) = (spans.split('-').next().unwrap(), spans.rsplit('-').next().unwrap());
        let (first, last): (f64, f64) = (first.parse().unwrap(), last.parse().unwrap());
        assert!(4.0 < first && first < last && last < 7.0, "{file}");
        // Up to the next keyframe, a decoder may show anything.
        let outside = |row: &Value| row["time_s"].as_f64() < Some(first - 0.1) || row["time_s"].as_f64() > Some(last + 1.1);
        let whole: Vec<Value> = rows.into_iter().filter(outside).collect();
        assert!(whole.len() > 150 && shown.lies(&whole, 25.0, 0.0).is_empty(), "{name}: {:?}", shown.lies(&whole, 25.0, 0.0));
    }
    shown.write("film.flv", (25, 250), H264);
    shown.damage("film.flv", 0.5, 12_000);
    let (rows, file) = shown.scan("film.flv", "", 3);
    assert!(file["error"].as_str().unwrap().starts_with("the file is damaged: GStreamer reads 5 s of 9 s"), "{file}");
    // The last frames are damaged.
    assert!(rows.len() > 120 && shown.lies(&rows[..120], 25.0, 0.0).is_empty(), "{:?}", shown.lies(&rows[..120], 25.0, 0.0));
}

#[test]
fn a_look_at_a_recording_that_was_cut_off_finds_its_faces() {
    let Some(shown) = Shown::new("truth-cut") else { return };
    shown.write("film.mp4", (10, 200), &format!("{H264} -movflags faststart"));
    let bytes = std::fs::read(shown.folder.path("film.mp4")).unwrap();
    shown.folder.write("film.mp4", &bytes[..bytes.len() / 2]);
    let (rows, file) = shown.scan("film.mp4", "--where-faces", 3);
    assert!(file["error"].as_str().unwrap().contains("bytes are missing at its end"), "{file}");
    // The last group of frames is incomplete.
    let whole: Vec<Value> = rows.iter().filter(|row| row["time_s"].as_f64() < Some(8.9)).cloned().collect();
    assert!((80..110).contains(&rows.len()) && whole.len() > 80, "{file}");
    assert!(shown.lies(&whole, 10.0, 0.0).is_empty(), "{:?}", shown.lies(&whole, 10.0, 0.0));
}

#[test]
fn a_length_is_that_of_the_frames() {
    let Some(shown) = Shown::new("truth-length") else { return };
    shown.write("film.mkv", (4, 40), H264);
    let film = std::fs::read(shown.folder.path("film.mkv")).unwrap();
    // The length in milliseconds, as a number of 8 bytes.
    let place = film.windows(3).position(|bytes| bytes == [0x44, 0x89, 0x88]).unwrap() + 3;
    for length_ms in [1e9_f64, 1e12] {
        let lying = [&film[..place], &length_ms.to_be_bytes(), &film[place + 8..]].concat();
        shown.folder.write("lying.mkv", &lying);
        let (rows, file) = shown.scan("lying.mkv", "--bins 2", 0);
        assert!(rows.len() == 40 && file["length_s"] == 10.0, "{file}");
        assert_eq!(shown.folder.rows("lying.mkv.bins.ndjson").len(), 5);
    }
    // Three recordings in one file, of which the demuxer knows the length of one.
    shown.write("one.ts", (10, 100), H264);
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
