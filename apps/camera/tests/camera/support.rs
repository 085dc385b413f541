// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share: a camera, the program, and patience.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use test_support::average_faces::{Key, Scene};
use test_support::left_out;

/// Environment variable for the child process that acts as the camera: port, picture, width and height.
const CAMERA: &str = "EMOTION_TEST_CAMERA";
pub const PATIENCE: Duration = Duration::from_secs(60);

/// True if a program is installed that setup does not install.
pub fn has(program: &str) -> bool {
    let found = Path::new("/usr/bin").join(program).exists();
    if !found {
        left_out::note(format!("no {program}"));
    }
    found
}

/// A child process, killed when dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes a picture of a happy average face as raw RGB.
pub fn picture(folder: &Path, width: usize, height: usize) -> PathBuf {
    let file = folder.join(format!("{width}x{height}.rgb"));
    let (center, side) = ((width as f32 / 2.0, height as f32 / 2.0), height as f32 * 0.6);
    let still = [0.0, 100.0].map(|at_s| Key::new(at_s, center, side, "happiness"));
    std::fs::write(&file, Scene::new(width, height).actor(still.to_vec()).render(0.0)).expect("a picture");
    file
}

#[test]
#[ignore = "not a test: the camera that the other tests start"]
fn camera() {
    let arguments = std::env::var(CAMERA).expect("the camera's arguments");
    let mut words = arguments.split(' ');
    let (port, file) = (words.next().expect("a port"), words.next().expect("a file"));
    let (width, height) = (words.next().expect("a width"), words.next().expect("a height"));
    gst::init().expect("GStreamer starts");
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(port);
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_shared(true);
    factory.set_launch(&format!(
        "( filesrc location={file} blocksize={} ! rawvideoparse format=rgb width={width} height={height} framerate=15/1 \
         ! imagefreeze is-live=true ! video/x-raw,framerate=15/1 ! videoconvert \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )",
        width.parse::<usize>().expect("a number") * height.parse::<usize>().expect("a number") * 3
    ));
    server.mount_points().expect("mount points").add_factory("/live", factory);
    server.attach(None).expect("the port is free");
    glib::MainLoop::new(None, false).run();
}

/// Links the streams of `server`, an `rtspsrc` in `pipeline`, to the sinks of elements, by the encoding of their packets. Links with
/// filters in a launch line fail sometimes, with the warning "Delayed linking failed", because the pads of the streams appear on
/// threads of their own at the same time (GStreamer 1.22). Their stream is then missing without an error.
pub fn link_streams(pipeline: &gst::Pipeline, server: &str, sinks: &[(&'static str, &str)]) {
    let named = |name: &str| pipeline.by_name(name).expect("an element of this name");
    let sinks: Vec<_> = sinks.iter().map(|&(encoding, sink)| (encoding, named(sink).downgrade())).collect();
    named(server).connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let encoding = caps.structure(0).and_then(|first| first.get::<&str>("encoding-name").ok());
        let sink = sinks.iter().find(|(known, _)| encoding == Some(known)).and_then(|(_, sink)| sink.upgrade());
        if let Some(sink) = sink {
            pad.link(&sink.static_pad("sink").expect("a sink pad")).expect("the stream can be linked");
        }
    });
}

pub fn start_camera(port: u16, folder: &Path, (width, height): (usize, usize)) -> Running {
    let file = picture(folder, width, height);
    let arguments = format!("{port} {} {width} {height}", file.display());
    let test = std::env::current_exe().expect("this test");
    let child = Command::new(test)
        .args(["--exact", "support::camera", "--ignored"])
        .env(CAMERA, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.expect("a camera"))
}

/// Starts a program. The receiver gets the lines of both of its outputs.
pub fn start(program: &Path, arguments: &[&str]) -> (Running, Receiver<String>) {
    let mut command = Command::new(program);
    command.args(arguments);
    start_command(command)
}

/// Starts a command, likewise, without the secrets of whoever runs the tests.
pub fn start_command(mut command: Command) -> (Running, Receiver<String>) {
    let variables = ["EMOTION_CAMERA_TOKEN", "GST_EMOTION_PUBLISH_PASSWORD"];
    for name in variables {
        command.env_remove(name);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let (send, lines) = channel();
    let outputs: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
    for output in outputs {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                println!("{line}");
                let _ = send.send(line);
            }
        });
    }
    (Running(child), lines)
}

pub fn wait_for_line(lines: &Receiver<String>, part: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let line = lines.recv_timeout(until.saturating_duration_since(Instant::now()));
        match line {
            Ok(line) if line.contains(part) => return,
            Ok(_) => {}
            Err(_) => panic!("the program did not print \"{part}\""),
        }
    }
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}
