// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay between a client that stays connected and a camera that is killed and restarted, with another resolution each
//! time. `RELAY_ROUNDS=100 cargo test -p emotion-rtsp-relay` repeats it a hundred times.

#[path = "../../../tests/support/average_faces.rs"]
#[allow(dead_code)]
mod average_faces;
#[path = "../../../tests/support/left_out.rs"]
mod left_out;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use average_faces::{Key, Scene};
use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gstemotion::model::search_path::SearchPath;

/// Environment variable for the child process that acts as the camera: port, picture, width and height.
const CAMERA: &str = "EMOTION_TEST_CAMERA";
const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "0123456789abcdef";

/// A child process, killed when dropped.
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

/// Writes a picture of a happy average face as raw RGB.
fn picture(folder: &Path, width: usize, height: usize) -> PathBuf {
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

fn start_camera(port: u16, folder: &Path, (width, height): (usize, usize)) -> Running {
    let file = picture(folder, width, height);
    let arguments = format!("{port} {} {width} {height}", file.display());
    let test = std::env::current_exe().expect("this test");
    let child = Command::new(test)
        .args(["--exact", "camera", "--ignored"])
        .env(CAMERA, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.expect("a camera"))
}

/// Starts the relay. The receiver gets the lines of both of its outputs.
fn start_relay(arguments: &[&str]) -> (Running, Receiver<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-rtsp-relay"));
    let mut child =
        command.args(arguments).env_remove("EMOTION_RELAY_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the relay");
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
            Err(_) => panic!("the relay did not print \"{part}\""),
        }
    }
}

/// What the client of the relay has received.
#[derive(Default)]
struct Received {
    frames: usize,
    text: String,
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "timed out waiting for {what}");
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
    // Printed with the relay's output, to explain a test that times out.
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
            take(&mut received.lock().expect("no panic"), &map);
            gst::PadProbeReturn::Ok
        });
    };
    note("video", |received, _| received.frames += 1);
    note("text", |received, bytes| received.text.push_str(&String::from_utf8_lossy(bytes)));
    pipeline.set_state(gst::State::Playing).expect("the client starts");
    (pipeline, received)
}

#[test]
fn clients_survive_restarts_of_a_camera_over_tcp() {
    restart_camera("tcp");
}

#[test]
fn clients_survive_restarts_of_a_camera_over_udp() {
    restart_camera("udp");
}

fn restart_camera(protocol: &str) {
    let search = SearchPath::from_env(None);
    if let Some(error) = search.runtime_library().err().or_else(|| search.model("centerface", "centerface.onnx").err()) {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{error}");
        left_out::note(error.to_string());
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
    let (_relay, lines) = start_relay(&[&options[..], &["--token", SECRET]].concat());
    wait_for_line(&lines, "serving");
    wait_for_line(&lines, "reconnecting in");
    let mut camera = start_camera(camera_port, &folder, sizes[0]);
    wait_for_line(&lines, "receiving the camera's stream");

    let (pipeline, received) = client(&format!("rtsp://viewer:{SECRET}@127.0.0.1:{relay_port}/faces"));
    let frames = || received.lock().expect("no panic").frames;
    wait_until("the first frames", || frames() > 5);
    wait_until("a record of the face", || received.lock().expect("no panic").text.contains(r#""label":"happiness""#));
    assert!(received.lock().expect("no panic").text.starts_with(r#"{"type":"relay","#));

    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        drop(camera);
        wait_for_line(&lines, "reconnecting in");
        camera = start_camera(camera_port, &folder, sizes[round % sizes.len()]);
        wait_for_line(&lines, "receiving the camera's stream");
        let (before, text) = (frames(), received.lock().expect("no panic").text.len());
        longest = longest.max(wait_until("frames after the camera came back", || frames() > before + 5));
        wait_until("records after the camera came back", || received.lock().expect("no panic").text.len() > text);
    }
    println!("{protocol}, {rounds} restarts: at most {longest:?} from the camera's first frame to the client's sixth");
    let failed = pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Error, gst::MessageType::Eos]);
    assert!(failed.is_none(), "{failed:?}");
    pipeline.set_state(gst::State::Null).expect("the client stops");
    for line in received.lock().expect("no panic").text.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "incomplete record: {line}");
    }
}

/// Starts a relay of a camera that does not exist. Returns its address too.
fn relay_without_camera(arguments: &[&str]) -> (Running, String) {
    let (camera, listen) = (format!("rtsp://127.0.0.1:{}/live", free_port()), format!("127.0.0.1:{}", free_port()));
    let (relay, lines) = start_relay(&[&["--listen", &listen, &camera], arguments].concat());
    wait_for_line(&lines, "serving");
    // Later lines are read and discarded.
    std::thread::spawn(move || lines.iter().for_each(drop));
    (relay, listen)
}

/// Sends a DESCRIBE request. Each of `headers` ends with a line break.
fn describe(listen: &str, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(listen).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let request = format!("DESCRIBE rtsp://{listen}{path} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

/// The head of the response.
fn answer(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map(|line| line.expect("an answer"));
    lines.take_while(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

#[test]
fn a_blocked_request_does_not_block_other_paths() {
    let (_relay, listen) = relay_without_camera(&[]);
    // Without a camera there is no picture to describe, so these requests wait.
    let waiting = [(); 3].map(|()| describe(&listen, "/faces", ""));
    let other = describe(&listen, "/other", "");
    assert!(answer(&other).starts_with("RTSP/1.0 404"));
    for stream in waiting {
        stream.set_nonblocking(true).expect("a socket");
        let unanswered = (&stream).read(&mut [0; 1]).expect_err("no response yet");
        assert_eq!(unanswered.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn clients_without_the_token_are_refused() {
    let (_relay, listen) = relay_without_camera(&["--token", SECRET]);
    let stream = describe(&listen, "/faces", "");
    let refused = answer(&stream);
    assert!(refused.starts_with("RTSP/1.0 401") && refused.contains("WWW-Authenticate: Digest"), "{refused}");
    // The digest depends on the realm and on this connection's nonce.
    let value = |name: &str| refused.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("a value");
    let (realm, nonce, uri) = (value("realm"), value("nonce"), format!("rtsp://{listen}/faces"));
    let md5 = |text: String| glib::compute_checksum_for_string(glib::ChecksumType::Md5, text).expect("a checksum");
    let (user, method) = (md5(format!("viewer:{realm}:a guess")), md5(format!("DESCRIBE:{uri}")));
    let response = md5(format!("{user}:{nonce}:{method}"));
    let digest = format!("Digest username=\"viewer\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\"");
    let basic = format!("Basic {}", glib::base64_encode(format!("viewer:{SECRET}").as_bytes()));
    for authorization in [digest, basic] {
        let request = format!("DESCRIBE {uri} RTSP/1.0\r\nCSeq: 2\r\nAuthorization: {authorization}\r\n\r\n");
        (&stream).write_all(request.as_bytes()).expect("a request");
        let refused = answer(&stream);
        assert!(refused.starts_with("RTSP/1.0 401"), "{authorization}: {refused}");
    }
}

#[test]
fn other_machines_are_not_served_without_a_token() {
    let (_relay, lines) = start_relay(&["--listen", "0.0.0.0:0", "rtsp://127.0.0.1:1/live"]);
    let first = lines.recv_timeout(PATIENCE).expect("a line");
    assert!(first.contains("other machines can reach 0.0.0.0:0: set a secret with --token"), "{first}");
}
