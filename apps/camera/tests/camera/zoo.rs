// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cameras with the habits of real ones, each with the program for a while. How fast this machine is does not matter: frames may wait
//! for a minute.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use serde_json::Value;
use test_support::broker::free_port;
use test_support::fetched;
use test_support::zoo::{Camera, Quirk};

use crate::service::{folder, metrics, run, signal};
use crate::support::{PATIENCE, Running, link_streams, wait_for_line, wait_until};

/// A camera, and the program that watches it.
struct Watch {
    camera: Camera,
    program: Running,
    lines: Receiver<String>,
    days: PathBuf,
    port: u16,
}

/// What a record says about a frame: its time, its time of day in milliseconds since 1970, and the face's id.
#[derive(Clone, Copy, Debug)]
struct Seen {
    pts_ms: f64,
    utc_ms: f64,
    id: u64,
}

impl Watch {
    /// Starts both. `None` if the networks are not there.
    fn start(test: &str, quirk: Quirk, options: &[&str]) -> Option<Self> {
        if !fetched("centerface") {
            return None;
        }
        let folder = folder(&format!("zoo-{test}"));
        let (camera, days, port) = (Camera::start(quirk, &folder), folder.join("days"), free_port());
        let listen = format!("127.0.0.1:{port}");
        let common = ["--files-folder", days.to_str().unwrap(), "--metrics-listen", &listen, "--max-delay", "60", &camera.address];
        let (program, lines) = run(&[&common[..], options].concat());
        Some(Self { camera, program, lines, days, port })
    }

    /// The frames in the records, of which there are at least `count`.
    fn frames(&self, count: usize) -> Vec<Seen> {
        let read = || {
            let mut files: Vec<PathBuf> = fs::read_dir(&self.days).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
            files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
            files.sort();
            let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
            // The last line may not be whole yet.
            let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            records.filter(|record| record["type"] == "face").map(|record| seen(&record)).collect::<Vec<_>>()
        };
        wait_until("records", || read().len() >= count);
        read()
    }

    /// Ends the program. All frames that it got were analysed.
    fn end(mut self) -> Camera {
        let metric = metrics(self.port);
        let (received, skipped) = (metric("emotion_frames_received_total"), metric("emotion_frames_skipped_total"));
        assert!(received > 0.0 && skipped == 0.0, "{received} {skipped}");
        signal(&self.program, "-TERM");
        assert!(self.program.0.wait().unwrap().success());
        self.camera
    }
}

fn seen(record: &Value) -> Seen {
    let ms = record["pts"].as_u64().unwrap() as f64 / 1e6;
    let utc = unix_ms(record["utc"].as_str().expect("a live source has a time of day"));
    Seen { pts_ms: ms, utc_ms: utc, id: record["id"].as_u64().unwrap() }
}

/// Milliseconds since 1970.
fn unix_ms(text: &str) -> f64 {
    let time = gst::glib::DateTime::from_iso8601(text, None).expect("RFC 3339");
    time.to_unix() as f64 * 1e3 + f64::from(time.microsecond()) / 1e3
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as f64
}

/// Fails if the face gets another id, except after half a second without a frame, as on a machine that is too busy to be a camera.
#[track_caller]
fn assert_one_face(frames: &[Seen]) {
    let pauses = frames.windows(2).filter(|pair| pair[1].pts_ms - pair[0].pts_ms > 500.0).count();
    let ids: BTreeSet<u64> = frames.iter().map(|frame| frame.id).collect();
    let change =
        frames.windows(2).position(|pair| pair[0].id != pair[1].id).map(|at| &frames[at.saturating_sub(8)..frames.len().min(at + 4)]);
    assert!(ids.len() <= 1 + pauses, "{ids:?} with {pauses} pauses: {change:?}");
}

/// Fails unless frames are a multiple of 40 ms apart, of which late bundles take up to 1/20. A busy machine leaves frames out.
#[track_caller]
fn assert_even(frames: &[Seen], time: fn(&Seen) -> f64) {
    for pair in frames.windows(2) {
        let step = time(&pair[1]) - time(&pair[0]);
        let rest = (step / 40.0 - (step / 40.0).round()) * 40.0;
        assert!(step > 20.0 && rest.abs() <= 0.5 + step / 19.0, "{step} ms after {:?}", pair[0]);
    }
}

/// Fails unless the time of day of each frame is after that of the one before, without a jump that its own time does not make.
#[track_caller]
fn assert_monotonic(frames: &[Seen]) {
    for pair in frames.windows(2) {
        let (step, own) = (pair[1].utc_ms - pair[0].utc_ms, pair[1].pts_ms - pair[0].pts_ms);
        assert!(step > 0.0 && step <= own.max(40.0) * 1.11 + 400.0, "{step} ms after {:?}, by its own time {own}", pair[0]);
    }
}

#[test]
fn all_frames_of_bundles_are_analysed_40_ms_apart() {
    let Some(watch) = Watch::start("bundles", Quirk::Bundles(8), &[]) else { return };
    let frames = watch.frames(120);
    assert_even(&frames, |frame| frame.pts_ms);
    assert_even(&frames, |frame| frame.utc_ms);
    assert_one_face(&frames);
    watch.end();
}

#[test]
fn the_served_stream_has_the_times_of_the_camera() {
    let listen = format!("127.0.0.1:{}", free_port());
    let Some(watch) = Watch::start("served", Quirk::Bundles(8), &["--rtsp-listen", &listen]) else { return };
    wait_for_line(&watch.lines, "receiving the camera's stream");
    let line = format!("rtspsrc name=server protocols=tcp location=rtsp://{listen}/faces fakesink name=packets sync=false async=false");
    let client = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    link_streams(&client, "server", &[("H264", "packets")]);
    let (send, times) = channel();
    client.by_name("packets").unwrap().static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let map = info.buffer().unwrap().map_readable().unwrap();
        send.send(u32::from_be_bytes(map[4..8].try_into().unwrap())).unwrap();
        gst::PadProbeReturn::Ok
    });
    let errors = || client.bus().unwrap().iter_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]).collect::<Vec<_>>();
    client.set_state(gst::State::Playing).unwrap();
    let mut seen: Vec<u32> = Vec::new();
    while seen.len() < 120 {
        let time = times.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no packets after {}: {:?}", seen.len(), errors()));
        // The packets of a frame have one time.
        if seen.last() != Some(&time) {
            seen.push(time);
        }
    }
    client.set_state(gst::State::Null).unwrap();
    for pair in seen.windows(2) {
        let step_ms = f64::from(pair[1].wrapping_sub(pair[0]).cast_signed()) / 90.0;
        let rest = (step_ms / 40.0 - (step_ms / 40.0).round()) * 40.0;
        assert!(step_ms > 20.0 && rest.abs() <= 0.5 + step_ms / 19.0, "{step_ms} ms in {seen:?}");
    }
    watch.end();
}

#[test]
fn a_camera_that_is_joined_long_before_its_next_keyframe_is_opened_once() {
    let Some(watch) = Watch::start("keyframes", Quirk::RareKeyframes(7), &["--stall", "3"]) else { return };
    wait_for_line(&watch.lines, "data arrives; waiting for a keyframe");
    watch.frames(3);
    assert!(metrics(watch.port)("emotion_frames_damaged_total") > 0.0, "a decoder makes pictures without a keyframe");
    assert_eq!(watch.end().sessions.load(Relaxed), 1);
}

#[test]
fn a_session_that_needs_requests_is_kept() {
    let Some(watch) = Watch::start("session", Quirk::EndsSessions(8), &[]) else { return };
    wait_until("two requests", || watch.camera.requests.lock().unwrap().iter().filter(|text| text.contains("GET_PARAMETER")).count() > 1);
    let frames = watch.frames(120);
    assert_even(&frames[50..], |frame| frame.pts_ms);
    assert_one_face(&frames);
    assert_eq!(watch.end().sessions.load(Relaxed), 1);
}

#[test]
fn a_camera_that_sends_nothing_more_is_opened_again() {
    let Some(watch) = Watch::start("stalls", Quirk::Stalls(30), &["--stall", "1"]) else { return };
    wait_for_line(&watch.lines, "no data for 1 s");
    wait_for_line(&watch.lines, "receiving the camera's stream");
    assert_monotonic(&watch.frames(40)[5..]);
    assert_eq!(watch.end().sessions.load(Relaxed), 2);
}

#[test]
fn size_rate_and_colours_may_change_in_a_session() {
    let Some(watch) = Watch::start("changes", Quirk::Changes(30), &[]) else { return };
    let frames = watch.frames(60);
    assert_monotonic(&frames[5..]);
    assert_eq!(watch.end().sessions.load(Relaxed), 1);
}

#[test]
fn one_of_several_videos_is_requested_and_nothing_else() {
    for (video, stream) in [("1", "/stream=1"), ("2", "/stream=2")] {
        let Some(watch) = Watch::start(&format!("many-{video}"), Quirk::ManyStreams, &["--stream", video]) else { return };
        watch.frames(3);
        let requests = watch.end().requests.lock().unwrap().clone();
        let set_up: Vec<&String> = requests.iter().filter(|request| request.starts_with("SETUP")).collect();
        assert!(!set_up.is_empty() && set_up.iter().all(|request| request.ends_with(stream)), "{requests:?}");
    }
    let Some(watch) = Watch::start("many-3", Quirk::ManyStreams, &["--stream", "3"]) else { return };
    wait_for_line(&watch.lines, "with --stream 3: has it so many videos?");
}

#[test]
fn a_lossy_network_makes_no_new_faces() {
    let Some(watch) = Watch::start("loses", Quirk::Loses(30), &["--protocol", "udp"]) else { return };
    let frames = watch.frames(150);
    assert_one_face(&frames);
    watch.end();
}

#[test]
fn no_frame_is_lost_because_packets_change_places() {
    // By TCP, the first packet comes later than this latency, so a packet would be too late if times began at 0.
    for (protocol, latency) in [("tcp", "100"), ("udp", "200")] {
        let options = ["--protocol", protocol, "--latency", latency];
        let Some(watch) = Watch::start(&format!("reorders-{protocol}"), Quirk::Reorders(7), &options) else { return };
        let frames = watch.frames(120);
        let longest = frames.windows(2).map(|pair| pair[1].pts_ms - pair[0].pts_ms).fold(0.0, f64::max);
        assert!(longest < 200.0, "by {protocol}: {longest} ms without a frame");
        assert_eq!(metrics(watch.port)("emotion_frames_damaged_total"), 0.0, "by {protocol}");
        watch.end();
    }
}

#[test]
fn rtp_times_that_begin_again_change_neither_times_nor_session() {
    let Some(watch) = Watch::start("restarts", Quirk::RestartsTimes(120), &[]) else { return };
    let frames = watch.frames(120);
    assert_monotonic(&frames[5..]);
    let last = frames[frames.len() - 1];
    assert!((now_ms() - last.utc_ms).abs() < 60_000.0, "{last:?}");
    assert_one_face(&frames);
    assert_eq!(watch.end().sessions.load(Relaxed), 1);
}

#[test]
fn the_time_of_day_is_that_of_a_camera_whose_clock_can_be_believed() {
    let lead = |test: &str, options: &[&str], line: &str| {
        let watch = Watch::start(test, Quirk::MillisecondsAhead(8000), options)?;
        wait_for_line(&watch.lines, line);
        let frames = watch.frames(100);
        // By both clocks, of the same frame: this machine's was read when the program started the stream of analysed frames.
        let (first, last) = (frames[0], frames[frames.len() - 1]);
        assert_monotonic(&frames);
        let lead = first.utc_ms - now_ms();
        watch.end();
        Some((lead, last.utc_ms - first.utc_ms - (last.pts_ms - first.pts_ms)))
    };
    let Some((camera, drift)) = lead("ahead", &[], "frames have the time of the camera's clock, which is") else { return };
    let (arrival, _) = lead("arrival", &["--clock", "arrival"], "receiving the camera's stream").unwrap();
    assert!(drift.abs() < 500.0, "no jump after the first report: {drift}");
    // The frames are some seconds old, on a busy machine more. Newer versions of GStreamer pass the first report on when there have been
    // frames; their times then move to those of the camera by and by.
    assert!(camera < 8000.0 && arrival < 0.0 && (camera - arrival > 1000.0 || drift > 50.0), "{camera} {arrival} {drift}");
}

#[test]
fn the_clock_of_a_camera_that_is_days_off_is_not_believed() {
    let Some(watch) = Watch::start("days", Quirk::HoursAhead(72), &[]) else { return };
    wait_for_line(&watch.lines, "frames have the time of their arrival: the camera's clock is 2");
    let frames = watch.frames(60);
    assert_monotonic(&frames[12..]);
    assert!(frames.iter().all(|frame| (now_ms() - frame.utc_ms).abs() < 60_000.0));
    watch.end();
}

#[test]
fn clocks_that_step_back_and_wrong_reports_do_not_move_the_time_of_day() {
    for (test, quirk) in [("steps", Quirk::StepsBack(5000, 4)), ("wrong", Quirk::WrongReports)] {
        let Some(watch) = Watch::start(test, quirk, &[]) else { return };
        let frames = watch.frames(100);
        assert_monotonic(&frames[12..]);
        watch.end();
    }
}

#[test]
fn fewer_frames_are_analysed_if_that_is_asked_for() {
    let Some(watch) = Watch::start("fps", Quirk::None, &["--fps", "5"]) else { return };
    let frames = watch.frames(10);
    let steps = frames[3..].windows(2).map(|pair| pair[1].pts_ms - pair[0].pts_ms);
    assert!(steps.clone().all(|step| step > 150.0), "{:?}", steps.collect::<Vec<_>>());
    watch.end();
}

#[test]
fn a_camera_without_reports_has_the_time_of_arrival() {
    let Some(watch) = Watch::start("silent", Quirk::NoReports, &[]) else { return };
    let frames = watch.frames(20);
    assert!(frames.iter().all(|frame| (now_ms() - frame.utc_ms).abs() < Duration::from_secs(60).as_millis() as f64));
    assert_monotonic(&frames[5..]);
    watch.end();
}
