// SPDX-License-Identifier: MIT OR Apache-2.0
//! All cameras of the zoo in one process for a while, with exact accounts: `scripts/test soak`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;
use test_support::broker::free_port;
use test_support::fetched;
use test_support::truth_film::read;
use test_support::zoo::{Camera, Quirk};

use crate::many::metric;
use crate::service::{folder, run, signal};
use crate::support::wait_until;

/// The cameras, with the settings that differ from those of the others.
const ZOO: [(&str, Quirk, &str); 14] = [
    ("plain", Quirk::None, ""),
    ("bundles", Quirk::Bundles(8), ""),
    ("keyframes", Quirk::RareKeyframes(7), ""),
    ("sessions", Quirk::EndsSessions(8), ""),
    ("stalls", Quirk::Stalls(200), ""),
    ("changes", Quirk::Changes(100), ""),
    ("many", Quirk::ManyStreams, ""),
    ("loses", Quirk::Loses(30), "protocol = 'udp'\n"),
    ("restarts", Quirk::RestartsTimes(2000), ""),
    ("days", Quirk::HoursAhead(72), ""),
    ("ahead", Quirk::MillisecondsAhead(8000), ""),
    ("steps", Quirk::StepsBack(5000, 4), ""),
    ("wrong", Quirk::WrongReports, ""),
    ("silent", Quirk::NoReports, ""),
];

/// What the frames of a camera's recordings say: their numbers, how many cannot be read, and the latest time of one.
#[derive(Debug, Default)]
struct Recorded {
    numbers: Vec<u32>,
    unreadable: usize,
    latest: gst::ClockTime,
}

impl Recorded {
    /// Reads all recordings in a folder.
    fn read(folder: &Path) -> Self {
        let mut videos: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        videos.retain(|file| file.extension().is_some_and(|extension| extension == "mp4"));
        videos.sort();
        let mut recorded = Self::default();
        videos.iter().for_each(|video| recorded.add(video));
        recorded
    }

    fn add(&mut self, video: &Path) {
        let line = format!("filesrc location={} ! decodebin ! appsink name=end sync=false", video.display());
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        while let Ok(sample) = end.pull_sample() {
            let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
            self.latest = self.latest.max(sample.buffer().unwrap().pts().unwrap());
            let frame = gst_video::VideoFrame::from_buffer_readable(sample.buffer_owned().unwrap(), &info).unwrap();
            let (luma, stride) = (frame.plane_data(0).unwrap(), frame.plane_stride()[0] as usize);
            match read(luma, stride, (info.width() as usize, info.height() as usize)) {
                Some(mark) => self.numbers.push(mark.number),
                None => self.unreadable += 1,
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// Watches cameras with one process until `is_enough`, of the values of metrics of a camera, and accounts for each of their frames.
fn account(test: &str, zoo: &[(&str, Quirk, &str)], common: &str, is_enough: impl Fn(&dyn Fn(&str, &str) -> f64) -> bool) {
    let (folder, port) = (folder(test), free_port());
    let cameras: Vec<Camera> = zoo.iter().map(|(_, quirk, _)| Camera::with_bars(*quirk, &folder)).collect();
    let tables = zoo.iter().zip(&cameras);
    let tables = tables.map(|((name, _, own), camera)| format!("[[camera]]\nname = '{name}'\nsource = '{}'\n{own}", camera.address));
    let files = format!("files = {{ folder = '{}/{{name}}', seconds = 60 }}\n", folder.display());
    let text = format!("stall = 3\nmax-delay = 30\n{common}{files}metrics.listen = '127.0.0.1:{port}'\n{}", tables.collect::<String>());
    fs::write(folder.join("zoo.toml"), text).unwrap();
    let (mut program, _lines) = run(&["--config", folder.join("zoo.toml").to_str().unwrap()]);
    let count = |name: &str, camera: &str| metric(port, &format!("emotion_{name}_total"), camera).unwrap_or_default();
    while !is_enough(&count) {
        std::thread::sleep(Duration::from_millis(200));
    }
    for (name, ..) in zoo {
        // None is in the analysis at a moment.
        let counts = || ["frames_received", "frames_analysed", "frames_skipped"].map(|counter| count(counter, name));
        let is_quiet = || matches!(counts(), [received, analysed, skipped] if received == analysed + skipped);
        wait_until("a moment without a frame under way", is_quiet);
        let ([received, analysed, skipped], reopened) = (counts(), count("reconnects", name));
        println!("{name}: received {received}, analysed {analysed}, skipped {skipped}, reopened {reopened}");
    }
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    for (name, quirk, _) in zoo {
        let Recorded { numbers, unreadable, latest } = Recorded::read(&folder.join(name));
        let missing: u32 = numbers.windows(2).map(|pair| pair[1].saturating_sub(pair[0] + 1)).sum();
        println!("{name}: recorded {}, missing between them {missing}, unreadable {unreadable}", numbers.len());
        assert!(!numbers.is_empty() && latest < gst::ClockTime::from_seconds(90), "{name}: a recording ends after {latest}");
        // A decoder shows parts of frames before a lost one again.
        let disorder = numbers.windows(2).find(|pair| pair[1] <= pair[0]).filter(|_| !matches!(quirk, Quirk::Loses(_)));
        assert!(disorder.is_none(), "{name}: each frame once, in order, found {disorder:?}");
        let loses = matches!(quirk, Quirk::Loses(_) | Quirk::Stalls(_));
        assert!(loses || (missing, unreadable) == (0, 0), "{name}: {missing} are missing, {unreadable} unreadable");
    }
}

#[test]
fn each_frame_of_bundles_and_of_times_that_begin_again_is_recorded_once() {
    if fetched("centerface") {
        let zoo = [("bundles", Quirk::Bundles(8), ""), ("restarts", Quirk::RestartsTimes(300), "")];
        account("bars", &zoo, "fps = 5\n", |count| zoo.iter().all(|(name, ..)| count("frames_analysed", name) > 40.0));
    }
}

#[test]
#[ignore = "takes SOAK_MINUTES"]
fn each_frame_of_each_camera_is_accounted_for() {
    let minutes: u64 = std::env::var("SOAK_MINUTES").map_or(1, |text| text.parse().expect("a number of minutes"));
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    account("soak", &ZOO, "fps = 5\n", |_| Instant::now() > end);
}
