// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay between a camera that is killed and started again, with another resolution each time, and a client that
//! stays connected all the while. `RELAY_ROUNDS=100 cargo test -p emotion-rtsp-relay` does it a hundred times.

#[path = "../../../tests/support/average_faces.rs"]
#[allow(dead_code)]
mod average_faces;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use average_faces::{Key, Scene};
use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gstemotion::locate::SearchPath;

/// Where the child that plays the camera finds what to do: port, picture, width and height.
const CAMERA: &str = "EMOTION_TEST_CAMERA";
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends a child process with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A picture of a happy average face, `width` x `height`, as raw RGB.
fn picture(folder: &Path, width: usize, height: usize) -> PathBuf {
    let file = folder.join(format!("{width}x{height}.rgb"));
    let (center, side) = ((width as f32 / 2.0, height as f32 / 2.0), height as f32 * 0.6);
    let still = [0.0, 100.0].map(|at_s| Key::new(at_s, center, side, "happiness"));
    std::fs::write(&file, Scene::new(width, height).actor(still.to_vec()).render(0.0)).expect("a picture");
    file
}

/// Not a test by itself: the camera, when started by the other one.
#[test]
fn camera() {
    let Ok(order) = std::env::var(CAMERA) else { return };
    let mut words = order.split(' ');
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

fn start_camera(port: u16, folder: &Path, (width, height): (usize, usize)) -> Running {
    let file = picture(folder, width, height);
    let order = format!("{port} {} {width} {height}", file.display());
    let test = std::env::current_exe().expect("this test");
    let child = Command::new(test).args(["--exact", "camera"]).env(CAMERA, order).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running(child.expect("a camera"))
}

/// The relay and the lines it prints to either output.
fn start_relay(arguments: &[&str]) -> (Running, Receiver<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-rtsp-relay"));
    let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the relay");
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

fn wait_for_line(lines: &Receiver<String>, part: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let line = lines.recv_timeout(until.saturating_duration_since(Instant::now()));
        match line {
            Ok(line) if line.contains(part) => return,
            Ok(_) => {}
            Err(_) => panic!("the relay did not say \"{part}\""),
        }
    }
}

/// What the client of the relay has got so far.
#[derive(Default)]
struct Received {
    frames: usize,
    text: String,
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

fn client(address: &str) -> (gst::Pipeline, Arc<Mutex<Received>>) {
    let line = format!(
        "rtspsrc name=relay location={address} protocols=tcp latency=0 \
         relay. ! application/x-rtp,media=video ! rtph264depay ! video/x-h264,alignment=au ! fakesink name=video sync=false \
         relay. ! application/x-rtp,media=application ! rtpgstdepay ! fakesink name=text sync=false"
    );
    let pipeline = gst::parse::launch(&line).expect("a client").downcast::<gst::Pipeline>().expect("a pipeline");
    // Beside what the relay says, so that a test that waits in vain tells why.
    pipeline.bus().expect("a bus").set_sync_handler(|_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            println!("client: {} ({:?})", error.error(), error.debug());
        }
        gst::BusSyncReply::Pass
    });
    let received = Arc::new(Mutex::new(Received::default()));
    let note = |name: &str, take: fn(&mut Received, &[u8])| {
        let pad = pipeline.by_name(name).and_then(|sink| sink.static_pad("sink")).expect("a sink pad");
        let received = received.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let map = info.buffer().expect("a buffer").map_readable().expect("bytes");
            take(&mut received.lock().expect("what came"), &map);
            gst::PadProbeReturn::Ok
        });
    };
    note("video", |received, _| received.frames += 1);
    note("text", |received, bytes| received.text.push_str(&String::from_utf8_lossy(bytes)));
    pipeline.set_state(gst::State::Playing).expect("the client starts");
    (pipeline, received)
}

#[test]
fn a_camera_over_tcp_comes_and_goes() {
    camera_comes_and_goes("tcp");
}

#[test]
fn a_camera_over_udp_comes_and_goes() {
    camera_comes_and_goes("udp");
}

fn camera_comes_and_goes(protocol: &str) {
    if std::env::var_os(CAMERA).is_some() {
        return;
    }
    let search = SearchPath::from_env(None);
    if let Some(error) = search.runtime_library().err().or_else(|| search.model("centerface", "centerface.onnx").err()) {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{error}");
        println!("skipped: {error}");
        return;
    }
    gst::init().expect("GStreamer starts");
    let rounds: usize = std::env::var("RELAY_ROUNDS").map_or(2, |rounds| rounds.parse().expect("RELAY_ROUNDS is a number"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("relay-{protocol}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let sizes = [(640, 480), (320, 240), (960, 544)];

    let (camera_port, relay_port) = (free_port(), free_port());
    let camera_address = format!("rtsp://127.0.0.1:{camera_port}/live");
    let listen = format!("127.0.0.1:{relay_port}");
    let options = ["--listen", &listen, "--size", "640x480", "--stall", "3", "--latency", "50", "--protocol", protocol, &camera_address];
    let (_relay, lines) = start_relay(&options);
    wait_for_line(&lines, "serving");
    wait_for_line(&lines, "again in");
    let mut camera = start_camera(camera_port, &folder, sizes[0]);
    wait_for_line(&lines, "the camera's stream is there");

    let (pipeline, received) = client(&format!("rtsp://127.0.0.1:{relay_port}/faces"));
    let frames = || received.lock().expect("what came").frames;
    wait_until("the first frames", || frames() > 5);
    wait_until("a record of the face", || received.lock().expect("what came").text.contains(r#""label":"happiness""#));
    assert!(received.lock().expect("what came").text.starts_with(r#"{"type":"relay","#));

    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        drop(camera);
        wait_for_line(&lines, "again in");
        camera = start_camera(camera_port, &folder, sizes[round % sizes.len()]);
        wait_for_line(&lines, "the camera's stream is there");
        let (before, text) = (frames(), received.lock().expect("what came").text.len());
        longest = longest.max(wait_until("frames after the camera came back", || frames() > before + 5));
        wait_until("records after the camera came back", || received.lock().expect("what came").text.len() > text);
    }
    println!("{protocol}, {rounds} times: at most {longest:?} from the camera's first frame to the client's sixth");
    let failed = pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Error, gst::MessageType::Eos]);
    assert!(failed.is_none(), "{failed:?}");
    pipeline.set_state(gst::State::Null).expect("the client stops");
    for line in received.lock().expect("what came").text.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "half a record: {line}");
    }
}
