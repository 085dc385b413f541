// SPDX-License-Identifier: MIT OR Apache-2.0
//! What cameras cost in processor time and memory. Not a test: `scripts/test cameras-cost` prints the figures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gst::glib;
use gst_rtsp_server::prelude::*;
use test_support::average_faces::{Key, Scene};
use test_support::broker::free_port;

use crate::many::metric;
use crate::service::{Broker, folder, play};
use crate::support::{Running, start};

/// How long cameras start, and how long they are measured.
const SPANS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];

/// H.264 of `faces` faces that move to and fro for two seconds, 25 frames a second, without frames that others come before.
fn clip(folder: &Path, (width, height): (usize, usize), faces: usize) -> PathBuf {
    let (raw, clip) = (folder.join(format!("{height}.rgb")), folder.join(format!("{height}.h264")));
    let mut scene = Scene::new(width, height);
    for face in 0..faces {
        let (x, y, side) = ((2 * face + 1) as f32 * width as f32 / (2 * faces) as f32, height as f32 / 2.0, height as f32 * 0.3);
        let keys = [(0.0, x), (1.0, x + side / 2.0), (2.0, x)].map(|(at_s, x)| Key::new(at_s, (x, y), side, "happiness"));
        scene = scene.actor(keys.to_vec());
    }
    fs::write(&raw, (0..50).flat_map(|frame| scene.render(frame as f32 / 25.0)).collect::<Vec<u8>>()).unwrap();
    play(&format!(
        "filesrc location={} blocksize={} ! rawvideoparse format=rgb width={width} height={height} framerate=25/1 ! videoconvert \
         ! video/x-raw,format=I420 ! x264enc tune=zerolatency bitrate=4000 key-int-max=25 ! video/x-h264,stream-format=byte-stream \
         ! filesink location={}",
        raw.display(),
        width * height * 3,
        clip.display()
    ));
    fs::remove_file(raw).unwrap();
    clip
}

/// Serves a clip again and again. Returns the address.
fn serve(clip: &Path) -> String {
    let (server, factory) = (gst_rtsp_server::RTSPServer::new(), gst_rtsp_server::RTSPMediaFactory::new());
    server.set_service("0"); // any free port
    factory.set_shared(true);
    factory.set_launch(&format!(
        "( multifilesrc location={} loop=true ! h264parse ! video/x-h264,framerate=25/1 ! clocksync ! rtph264pay name=pay0 pt=96 config-interval=-1 )",
        clip.display()
    ));
    server.mount_points().unwrap().add_factory("/live", factory);
    let context = glib::MainContext::new();
    server.attach(Some(&context)).unwrap();
    let address = format!("rtsp://127.0.0.1:{}/live", server.bound_port());
    std::thread::spawn(move || {
        glib::MainLoop::new(Some(&context), false).run();
        drop(server);
    });
    address
}

/// Seconds of processor time that a process has used.
fn used(program: &Running) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.0.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // Ticks in user and system mode, of a hundredth of a second.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Megabytes of memory that only this process has, or that it has written to.
fn memory(program: &Running) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", program.0.id())).unwrap();
    let kilobytes = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes("Pss:").unwrap() / 1024.0
}

/// The program that is measured.
fn program() -> PathBuf {
    std::env::var_os("EMOTION_CAMERA").map_or_else(|| env!("CARGO_BIN_EXE_emotion-camera").into(), PathBuf::from)
}

/// Starts `count` cameras in one process, with a file of settings.
fn cameras(folder: &Path, test: &str, settings: &str, address: &str, count: usize) -> (Running, u16) {
    let (port, file) = (free_port(), folder.join(format!("{test}.toml")));
    let camera = |number| format!("name = '{number}'\nsource = '{address}'\n");
    let listen = format!("metrics.listen = '127.0.0.1:{port}'\n");
    let text = match count {
        // A single camera needs no table.
        1 => format!("{}{}\n{listen}", camera(0), settings.replace("{name}", "0")),
        _ => format!("{settings}\n{listen}{}", (0..count).map(|number| format!("[[camera]]\n{}", camera(number))).collect::<String>()),
    };
    fs::write(&file, text).unwrap();
    (start(&program(), &["--config", file.to_str().unwrap()]).0, port)
}

/// Frames that the first `count` cameras have received, analysed and skipped.
fn frames(port: u16, count: usize) -> [f64; 3] {
    let sum =
        |name: &str| (0..count).map(|camera| metric(port, &format!("emotion_frames_{name}_total"), &camera.to_string()).unwrap()).sum();
    ["received", "analysed", "skipped"].map(sum)
}

#[test]
#[ignore = "a measurement, of two minutes"]
fn one_camera() {
    let folder = folder("cost");
    gst::init().unwrap();
    let (address, broker) = (serve(&clip(&folder, (1920, 1080), 1)), Broker::start(&folder));
    let line = format!("rtspsrc location={address} protocols=tcp ! rtph264depay ! avdec_h264 max-threads=1 ! fakesink");
    let mut command = Command::new("gst-launch-1.0");
    let bare = Running(command.args(["-q"]).args(line.split(' ')).stdout(Stdio::null()).spawn().unwrap());
    let location = format!("publish.location = 'mqtt://127.0.0.1:{}/emotion/{{name}}'", broker.port);
    let (published, port) = cameras(&folder, "published", &location, &address, 1);
    let (recorded, recorded_port) = cameras(&folder, "recorded", &format!("files.folder = '{}/{{name}}'", folder.display()), &address, 1);
    let all = [&bare, &published, &recorded];
    std::thread::sleep(SPANS[0]);
    let before = all.map(used);
    std::thread::sleep(SPANS[1]);
    let [bare_s, published_s, recorded_s] = std::array::from_fn(|index| used(all[index]) - before[index]);
    println!("1080p25, one face, {} s: decoding {bare_s:.2} s of CPU", SPANS[1].as_secs());
    println!("publishing {published_s:.2} s, ratio {:.2}; frames {:?}", published_s / bare_s, frames(port, 1));
    println!("recording {recorded_s:.2} s, ratio {:.2}; frames {:?}", recorded_s / bare_s, frames(recorded_port, 1));
    println!("memory: decoding {:.0} MiB, publishing {:.0}, recording {:.0}", memory(&bare), memory(&published), memory(&recorded));
}

#[test]
#[ignore = "a measurement, of two minutes"]
fn memory_of_further_cameras() {
    let folder = folder("cost-memory");
    gst::init().unwrap();
    let (address, broker) = (serve(&clip(&folder, (1920, 1080), 1)), Broker::start(&folder));
    let location = format!("publish.location = 'mqtt://127.0.0.1:{}/emotion/{{name}}'\nmax-delay = 0", broker.port);
    let mut before = None;
    for count in [1, 2, 4] {
        let (program, port) = cameras(&folder, "memory", &location, &address, count);
        std::thread::sleep(SPANS[1]);
        let now = memory(&program);
        let further = before.map_or(0.0, |(less, then)| (now - then) / (count - less) as f64);
        println!(
            "{count} cameras of 1080p25 in one process: {now:.0} MiB, each further one {further:.0}; frames {:?}",
            frames(port, count)
        );
        before = Some((count, now));
    }
}

#[test]
#[ignore = "a measurement, of a minute"]
fn twelve_cameras() {
    let folder = folder("cost-many");
    gst::init().unwrap();
    let (address, broker) = (serve(&clip(&folder, (1280, 720), 2)), Broker::start(&folder));
    let location = format!("publish.location = 'mqtt://127.0.0.1:{}/emotion/{{name}}'", broker.port);
    let (program, port) = cameras(&folder, "twelve", &location, &address, 12);
    std::thread::sleep(SPANS[0]);
    let (before, frames_before) = (used(&program), frames(port, 12));
    std::thread::sleep(SPANS[1]);
    let (used, now) = (used(&program) - before, frames(port, 12));
    let counts: [f64; 3] = std::array::from_fn(|index| now[index] - frames_before[index]);
    println!("12 cameras of 720p25, two faces each, {} s: {used:.1} s of CPU, {:.0} MiB", SPANS[1].as_secs(), memory(&program));
    println!("received, analysed, skipped: {counts:?}");
}
