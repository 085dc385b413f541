// SPDX-License-Identifier: MIT OR Apache-2.0
//! Truth films as files, and what scans of them say.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use emotion_core::geometry::Rect;
use serde_json::Value;
use test_support::truth_film::{Path, TruthFilm};

use crate::support::{Folder, with_ffmpeg};

const SIZE: (usize, usize) = (160, 120);
/// Times in a container may be rounded to milliseconds, and so are those of GStreamer.
pub(crate) const ROUNDING_S: f64 = 0.0021;

/// When the frames of a film are shown.
#[derive(Clone)]
pub(crate) struct Film {
    /// Times behind the first frame.
    times: Vec<f64>,
    /// Frames a second; at a variable rate, those of the first half.
    pub(crate) rate: f64,
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
        let half = frames / 2;
        let steps = |number: u32| if is_variable && number >= half { 2 * number - half } else { number };
        let times = (0..frames).map(|number| f64::from(steps(number)) / rate).collect();
        Self { times, rate, rate_text: rate_text.to_owned(), is_variable }
    }

    pub(crate) fn frames(&self) -> u32 {
        self.times.len() as u32
    }

    /// Time of a frame behind the first one.
    pub(crate) fn time_s(&self, number: u32) -> f64 {
        self.times.get(number as usize).copied().unwrap_or(f64::INFINITY)
    }

    /// Time at which the last frame ends.
    pub(crate) fn length_s(&self) -> f64 {
        let [.., before, last] = self.times[..] else { return 0.0 };
        last + (last - before)
    }

    /// The frame that is shown at a time.
    pub(crate) fn number_at(&self, time_s: f64) -> u32 {
        self.times.partition_point(|time| *time <= time_s + ROUNDING_S).saturating_sub(1) as u32
    }

    /// The film so many times, one after the other.
    pub(crate) fn repeated(&self, parts: u32) -> Self {
        let part = |part: u32| self.times.iter().map(move |time| f64::from(part) * self.length_s() + time);
        Self { times: (0..parts).flat_map(part).collect(), ..self.clone() }
    }

    /// The film without its first frames.
    pub(crate) fn without(&self, first: u32) -> Self {
        let start_s = self.time_s(first);
        Self { times: self.times[first as usize..].iter().map(|time| time - start_s).collect(), ..self.clone() }
    }

    /// The filter that gives the frames these times.
    fn filter(&self) -> String {
        let half = self.frames() / 2;
        let times = format!(" -vf setpts=if(lt(N\\,{half})\\,N\\,2*N-{half}) -fps_mode passthrough");
        if self.is_variable { times } else { String::new() }
    }
}

/// Truth films in a folder.
pub(crate) struct Shown {
    pub(crate) folder: Folder,
    truth: TruthFilm,
}

impl Shown {
    pub(crate) fn new(test: &str) -> Option<Self> {
        Some(Self { folder: with_ffmpeg(test)?, truth: TruthFilm::new(SIZE.0, SIZE.1, Path::Grid) })
    }

    /// From now on, only these frames of a film have a face.
    pub(crate) fn set_faces(&mut self, numbers: std::ops::Range<u32>) {
        self.truth = TruthFilm::new(SIZE.0, SIZE.1, Path::Grid).only(numbers);
    }

    /// Writes a film with these options of ffmpeg, in which `{rate}` is the number of frames a second.
    pub(crate) fn write(&self, name: &str, film: &Film, options: &str) {
        let input = format!("-f rawvideo -pix_fmt rgb24 -s {}x{} -r {} -i -{}", SIZE.0, SIZE.1, film.rate_text, film.filter());
        let options = options.replace("{rate}", &film.rate.round().to_string());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y"]).args(input.split(' ')).args(options.split_whitespace()).arg(self.folder.path(name));
        let mut ffmpeg = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut frames_in = ffmpeg.stdin.take().unwrap();
        for number in 0..film.frames() {
            frames_in.write_all(&self.truth.render(number, (film.time_s(number) * 1e6) as u64)).unwrap();
        }
        drop(frames_in);
        assert!(ffmpeg.wait().unwrap().success(), "{name}: {options}");
    }

    /// Overwrites bytes of a film with zeros, from a share of its length on. Returns their range.
    pub(crate) fn damage(&self, name: &str, at: f64, bytes: usize) -> std::ops::Range<usize> {
        let mut film = std::fs::read(self.folder.path(name)).unwrap();
        let from = (film.len() as f64 * at) as usize;
        film[from..from + bytes].fill(0);
        self.folder.write(name, &film);
        from..from + bytes
    }

    /// Scans a film, and returns its rows and its row of the table of files.
    pub(crate) fn scan(&self, name: &str, options: &str, status: i32) -> (Vec<Value>, Value) {
        self.folder.run(&arguments(name, options), status);
        self.tables(name)
    }

    /// Scans a film, which may fail. With `kills`, the scan is killed once it has a result, or soon, and begun again.
    pub(crate) fn scan_any(&self, name: &str, options: &str, kills: bool) -> (Vec<Value>, Value) {
        let command = arguments(name, &format!("--timeout 20 {options}"));
        if kills {
            let mut child = self.folder.command(&command).stderr(Stdio::null()).spawn().unwrap();
            let start = Instant::now();
            while !self.has_result(name) && start.elapsed() < Duration::from_secs(2) && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
            let _ = child.kill();
            child.wait().unwrap();
        }
        self.folder.command(&command).output().unwrap();
        self.tables(name)
    }

    /// True if a scan that has not ended has finished a slice.
    fn has_result(&self, name: &str) -> bool {
        let entries = std::fs::read_dir(self.folder.path(&format!("{name}.ndjson.parts"))).into_iter().flatten().flatten();
        let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
        logs.into_iter().any(|log| std::fs::read(log.path()).is_ok_and(|text| text.contains(&b'\n')))
    }

    fn tables(&self, name: &str) -> (Vec<Value>, Value) {
        (self.folder.rows(&format!("{name}.ndjson")), self.folder.rows(&format!("{name}.files.ndjson")).remove(0))
    }

    /// True if a row shows frame `number`.
    pub(crate) fn shows(&self, row: &Value, number: u32) -> bool {
        let at = |name: &str| row[name].as_f64().unwrap() as f32;
        self.truth.is_at(number, &Rect { x: at("x"), y: at("y"), w: at("w"), h: at("h") })
    }

    /// What is wrong with rows of a film whose first frame is at `start_s`: the frame that they show is not the one of their number, or
    /// their time is not that of their frame.
    pub(crate) fn lies(&self, rows: &[Value], film: &Film, start_s: f64) -> Vec<String> {
        let lie = |row: &Value| {
            let (number, time_s) = (number(row), time_s(row));
            let late_s = time_s - start_s - film.time_s(number);
            (!self.shows(row, number)).then(|| format!("frame {number} at {time_s} s shows another one")).or_else(|| {
                let is_late = late_s.abs() > ROUNDING_S;
                is_late.then(|| format!("frame {number} is {late_s} s late"))
            })
        };
        rows.iter().filter_map(lie).collect()
    }

    /// Checks that a scan of the film has these frames, each at its time and with its face.
    pub(crate) fn assert_true(&self, (name, film, start_s): (&str, &Film, f64), options: &str, expected: impl Iterator<Item = u32>) {
        let (rows, file) = self.scan(name, options, 0);
        let lies = self.lies(&rows, film, start_s);
        assert!(lies.is_empty(), "{name} {options}: {} of {} rows: {:?}", lies.len(), rows.len(), &lies[..lies.len().min(5)]);
        let found: Vec<u32> = rows.iter().map(number).collect();
        assert_eq!(found, expected.collect::<Vec<_>>(), "{name} {options}: {file}");
    }
}

fn arguments(name: &str, options: &str) -> String {
    format!("{name} --output {name}.ndjson --quiet --set facedetect.track=false {options}").trim_end().to_owned()
}

/// Number of the frame of a row.
pub(crate) fn number(row: &Value) -> u32 {
    row["frame"].as_u64().unwrap() as u32
}

/// Time of a row.
pub(crate) fn time_s(row: &Value) -> f64 {
    row["time_s"].as_f64().unwrap()
}
