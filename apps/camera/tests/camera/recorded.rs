// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings of a camera's own video: a film whose frames say which they are, and whose faces say it too.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use serde_json::Value;
use test_support::broker::free_port;
use test_support::truth_film::{Mark, Path as Way, TruthFilm, read};
use test_support::{fetched, recipes};

use crate::service::{folder, run, signal};
use crate::support::{has, wait_until};

pub const SIZE: (usize, usize) = (320, 240);
const RATE: u32 = 10;
const FRAMES: u32 = 120;
/// Without and with frames that are decoded in another order than they are shown.
pub const H264: &str = "libx264 -qp 12 -preset ultrafast -tune zerolatency -g 10";
const REORDERED: &str = "libx264 -qp 12 -preset ultrafast -bf 2 -g 10";
const H265: &str = "libx265 -preset ultrafast -x265-params qp=12:log-level=none:keyint=10:bframes=0";

/// Nanoseconds of a tick of the times in MP4 files.
const TICK: u64 = 11_112;

/// Writes the film with an encoder of ffmpeg and its options.
pub fn write_film(folder: &Path, truth: &TruthFilm, encoder: &str) -> PathBuf {
    let film = folder.join("film.mp4");
    let (width, height) = SIZE;
    let options = format!("-v error -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {RATE} -i - -pix_fmt yuv420p -c:v {encoder}");
    let mut command = Command::new("ffmpeg");
    let mut ffmpeg = command.args(options.split(' ')).arg(&film).stdin(Stdio::piped()).spawn().unwrap();
    let mut frames = ffmpeg.stdin.take().unwrap();
    for number in 0..FRAMES {
        frames.write_all(&truth.render(number, u64::from(number * 1_000_000 / RATE))).unwrap();
    }
    drop(frames);
    assert!(ffmpeg.wait().unwrap().success());
    film
}

/// Serves a film by RTSP, on a thread of its own. Returns its address.
pub fn serve(film: &Path) -> String {
    let pay = if has_h265(film) { "h265parse ! rtph265pay" } else { "h264parse ! rtph264pay" };
    serve_line(&format!("( filesrc location={} ! qtdemux ! {pay} config-interval=-1 name=pay0 pt=96 )", film.display()))
}

/// Serves what a launch line makes, likewise.
pub fn serve_line(line: &str) -> String {
    gst::init().unwrap();
    let (port, line) = (free_port(), line.to_owned());
    std::thread::spawn(move || {
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_service(&port.to_string());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(&line);
        server.mount_points().unwrap().add_factory("/live", factory);
        let context = glib::MainContext::new();
        server.attach(Some(&context)).unwrap();
        glib::MainLoop::new(Some(&context), false).run();
    });
    format!("rtsp://127.0.0.1:{port}/live")
}

fn has_h265(film: &Path) -> bool {
    fs::read(film).unwrap().windows(4).any(|kind| kind == b"hvc1" || kind == b"hev1")
}

/// The frames of a video: their times in nanoseconds, and what they say.
pub fn marks(video: &Path) -> Vec<(u64, Option<Mark>)> {
    pictures(video).into_iter().map(|(time, mark, _)| (time, mark)).collect()
}

/// The frames of a video: their times in nanoseconds, what they say, and their luma.
pub fn pictures(video: &Path) -> Vec<(u64, Option<Mark>, Vec<u8>)> {
    let line =
        format!("filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=I420 ! appsink name=end sync=false", video.display());
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut found = Vec::new();
    while let Ok(sample) = end.pull_sample() {
        let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
        let time = segment.to_running_time(sample.buffer().unwrap().pts()).unwrap();
        let frame = gst_video::VideoFrame::from_buffer_readable(sample.buffer_owned().unwrap(), &info).unwrap();
        let (size, stride) = ((info.width() as usize, info.height() as usize), info.stride()[0] as usize);
        let luma = frame.plane_data(0).unwrap();
        let rows = luma.chunks(stride).take(size.1).flat_map(|row| &row[..size.0]).copied().collect();
        found.push((time.nseconds(), read(luma, stride, size), rows));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    found
}

pub fn records(days: &Path, number: u32) -> Vec<Value> {
    let text = fs::read_to_string(days.join(format!("{number:05}.ndjson"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How far the face of a record is from its place on frame `number`, squared.
fn distance(truth: &TruthFilm, number: u32, record: &Value) -> f32 {
    let (place, side) = (truth.face(number), |name: &str| record["box"][name].as_f64().unwrap() as f32);
    let middle = |start: f32, length: f32| start + length / 2.0;
    let (x, y) = (middle(side("x"), side("w")) - middle(place.x, place.w), middle(side("y"), side("h")) - middle(place.y, place.h));
    x * x + y * y
}

/// Records the film, and checks that each record has the time and the pair of a frame, and its face: neither that of the frame before nor
/// that of the next one. Returns the folder.
fn record(test: &str, encoder: &str, source: impl Fn(&Path) -> String) -> Option<PathBuf> {
    record_with(test, encoder, source, &[])
}

/// Likewise, with these options.
pub fn record_with(test: &str, encoder: &str, source: impl Fn(&Path) -> String, options: &[&str]) -> Option<PathBuf> {
    if !fetched("centerface") || !has("ffmpeg") {
        return None;
    }
    gst::init().unwrap();
    let (folder, truth) = (folder(test), TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth));
    let days = folder.join("days");
    let address = source(&write_film(&folder, &truth, encoder));
    let (mut program, _lines) =
        run(&[&["--size", "320x240", "--files-seconds", "2.5", "--files-folder", days.to_str().unwrap(), &address], options].concat());
    wait_until("the third pair", || days.join("00002.ndjson").exists());
    std::thread::sleep(Duration::from_secs(1));
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    let (mut next, mut distances) = (0, Vec::new());
    for number in 0..3 {
        let frames = marks(&days.join(format!("{number:05}.mp4")));
        // Times and their offsets are rounded apart, each to a tick of 1/90000 s.
        assert!(frames[0].0 <= 2 * TICK && frames.len() > 5, "{number}: {frames:?}");
        // rtspsrc drops packets that come late on a busy machine, and the frames behind them cannot be read.
        for mark in frames.iter().filter_map(|(_, mark)| mark.as_ref()) {
            assert!(mark.number >= next, "{test}: each frame once, found {} after {next}", mark.number);
            next = mark.number + 1;
        }
        for record in records(&days, number) {
            let time = record["recording_time"].as_u64().unwrap();
            let frame = frames.iter().find(|(at, _)| at.abs_diff(time) < 2_000_000);
            let (_, mark) = frame.unwrap_or_else(|| {
                panic!("{test}: no frame at {time} in {number}: {:?}", frames.iter().map(|(at, _)| at).collect::<Vec<_>>())
            });
            let Some(mark) = mark else { continue };
            distances.push([1, 0, -1].map(|off| distance(&truth, mark.number.saturating_add_signed(off), &record)));
        }
    }
    let [next, own, last] = [0, 1, 2].map(|off| distances.iter().map(|distance| distance[off]).sum::<f32>());
    assert!(distances.len() > 20 && own < next && own < last, "{test}: {} records, {next} {own} {last}", distances.len());
    Some(folder)
}

#[test]
fn the_camera_s_own_h264_is_recorded_with_the_records_of_its_frames() {
    let Some(folder) = record("recorded-h264", H264, serve) else { return };
    let packets = |file: &str| {
        let mut command = Command::new("ffprobe");
        command.args("-v error -show_packets -show_data_hash md5 -show_entries packet=data_hash -of csv=p=0".split(' '));
        let output = command.arg(folder.join(file)).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (film, recorded) = (packets("film.mp4"), packets("days/00001.mp4"));
    let same = recorded.iter().filter(|packet| film.contains(packet)).count();
    assert!(
        same * 10 >= recorded.len() * 8,
        "{same} of {} pictures have the bytes of the film; key frames get parameter sets",
        recorded.len()
    );
}

#[test]
fn frames_that_are_decoded_in_another_order_are_recorded_with_their_times() {
    record("recorded-reordered", REORDERED, |film| film.display().to_string());
}

#[test]
fn the_camera_s_own_h265_is_recorded_with_the_records_of_its_frames() {
    record("recorded-h265", H265, serve);
}

#[test]
fn a_picture_that_is_turned_upright_is_analysed_and_recorded_upright() {
    // ffmpeg turns the film, and the camera turns it back.
    for (turn, filter) in [("90", "transpose=cclock"), ("180", "hflip,vflip"), ("270", "transpose=clock"), ("mirror", "hflip")] {
        let encoder = format!("{H264} -vf {filter}");
        let source = |film: &Path| film.display().to_string();
        if record_with(&format!("recorded-turned-{turn}"), &encoder, source, &["--turn", turn]).is_none() {
            return;
        }
    }
}

/// Writes into the MP4 file how it is to be turned, in 1/65536, as phones do: in the matrix of its track (ISO/IEC 14496-12, 8.3.2).
fn tag(film: &Path, [a, b, c, d]: [i32; 4]) {
    let mut bytes = fs::read(film).unwrap();
    let head = bytes.windows(4).position(|name| name == b"tkhd").unwrap();
    for (place, value) in [(0, a), (1, b), (3, c), (4, d)] {
        let at = head + 4 + 40 + place * 4;
        bytes[at..at + 4].copy_from_slice(&(value << 16).to_be_bytes());
    }
    fs::write(film, bytes).unwrap();
}

#[test]
fn a_film_that_says_how_it_is_turned_is_analysed_and_recorded_upright() {
    for (turn, matrix, filter) in
        [("90", [0, 1, -1, 0], "transpose=cclock"), ("180", [-1, 0, 0, -1], "hflip,vflip"), ("270", [0, -1, 1, 0], "transpose=clock")]
    {
        let source = |film: &Path| {
            tag(film, matrix);
            let address = || recipes::serve(film.parent().unwrap().to_owned()) + "film.mp4";
            if turn == "270" { address() } else { film.display().to_string() }
        };
        if record_with(&format!("recorded-tag-{turn}"), &format!("{H264} -vf {filter}"), source, &[]).is_none() {
            return;
        }
    }
}

#[test]
fn no_frame_by_tcp_is_lost_while_the_program_pauses() {
    if !fetched("centerface") || !has("ffmpeg") {
        return;
    }
    gst::init().unwrap();
    let (folder, truth) = (folder("recorded-pause"), TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth));
    let (days, address) = (folder.join("days"), serve(&write_film(&folder, &truth, H264)));
    let (mut program, _lines) = run(&["--files-seconds", "2.5", "--files-folder", days.to_str().unwrap(), &address]);
    wait_until("the first pair", || days.join("00000.ndjson").exists());
    for _ in 0..3 {
        std::thread::sleep(Duration::from_secs(1));
        signal(&program, "-STOP");
        std::thread::sleep(Duration::from_millis(1200));
        signal(&program, "-CONT");
    }
    wait_until("the third pair", || days.join("00002.ndjson").exists());
    std::thread::sleep(Duration::from_secs(1));
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    let numbers = |pair: u32| marks(&days.join(format!("{pair:05}.mp4"))).into_iter().map(|(_, mark)| mark.map(|mark| mark.number));
    let all: Option<Vec<u32>> = (0..3).flat_map(numbers).collect();
    let all = all.expect("each frame can be read");
    assert!(all.len() > 60 && all.windows(2).all(|pair| pair[1] == pair[0] + 1), "{all:?}");
}
