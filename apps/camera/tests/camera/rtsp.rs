// SPDX-License-Identifier: MIT OR Apache-2.0
//! The RTSP outlet, between a client that stays connected and a camera that is killed and restarted, with another resolution
//! each time. `CAMERA_RESTARTS=100 cargo test -p emotion-camera` repeats it a hundred times.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use test_support::broker::free_port;
use test_support::fetched;

use crate::service::{clip, folder, run};
use crate::support::{PATIENCE, Running, has, link_streams, picture, start_camera, start_command, wait_for_line, wait_until};

const SECRET: &str = "0123456789abcdef";

/// What a client has received.
#[derive(Default)]
struct Received {
    frames: usize,
    text: String,
}

fn client(address: &str) -> (gst::Pipeline, Arc<Mutex<Received>>) {
    client_by("tcp", address)
}

fn client_by(protocol: &str, address: &str) -> (gst::Pipeline, Arc<Mutex<Received>>) {
    let line = format!(
        "rtspsrc name=server location={address} protocols={protocol} latency=0 \
         rtph264depay name=pictures ! video/x-h264,alignment=au ! fakesink name=video sync=false \
         rtpgstdepay name=records ! fakesink name=text sync=false async=false"
    );
    let pipeline = gst::parse::launch(&line).expect("a client").downcast::<gst::Pipeline>().expect("a pipeline");
    link_streams(&pipeline, "server", &[("H264", "pictures"), ("X-GST", "records")]);
    // Printed with the program's output, to explain a test that times out.
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
    if !fetched("centerface") {
        return;
    }
    gst::init().expect("GStreamer starts");
    let rounds: usize = std::env::var("CAMERA_RESTARTS").map_or(2, |rounds| rounds.parse().expect("CAMERA_RESTARTS is a number"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rtsp-{protocol}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let sizes = [(640, 480), (320, 240), (960, 544)];

    let (camera_port, port) = (free_port(), free_port());
    let camera_address = format!("rtsp://127.0.0.1:{camera_port}/live");
    let listen = format!("127.0.0.1:{port}");
    let options =
        ["--rtsp-listen", &listen, "--size", "640x480", "--stall", "3", "--latency", "50", "--protocol", protocol, &camera_address];
    let (_program, lines) = run(&[&options[..], &["--rtsp-token", SECRET]].concat());
    wait_for_line(&lines, "serving");
    wait_for_line(&lines, "reconnecting in");
    let mut camera = start_camera(camera_port, &folder, sizes[0]);
    wait_for_line(&lines, "receiving the camera's stream");

    let (pipeline, received) = client(&format!("rtsp://viewer:{SECRET}@127.0.0.1:{port}/faces"));
    let frames = || received.lock().expect("no panic").frames;
    wait_until("the first frames", || frames() > 5);
    wait_until("a record of the face", || received.lock().expect("no panic").text.contains(r#""label":"happiness""#));
    assert!(received.lock().expect("no panic").text.starts_with(r#"{"type":"stream","#));

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

#[test]
fn ffmpeg_shows_whole_pictures() {
    if !fetched("centerface") || !has("ffmpeg") {
        return;
    }
    let (folder, camera_port, size) = (folder("whole"), free_port(), (640, 480));
    let (camera_address, listen) = (format!("rtsp://127.0.0.1:{camera_port}/live"), format!("127.0.0.1:{}", free_port()));
    let _camera = start_camera(camera_port, &folder, size);
    let (_program, lines) = run(&["--rtsp-listen", &listen, "--size", "640x480", &camera_address]);
    wait_for_line(&lines, "receiving the camera's stream");
    let plain = std::fs::read(picture(&folder, size.0, size.1)).expect("what the camera films");
    let address = format!("rtsp://{listen}/faces");
    for transport in ["tcp", "udp"] {
        let mut client = Command::new("ffmpeg");
        client.args(["-loglevel", "warning", "-rtsp_transport", transport, "-i", &address, "-map", "0:v", "-frames:v", "5"]);
        let shown = client.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).output().expect("ffmpeg runs");
        let said = String::from_utf8_lossy(&shown.stderr);
        assert!(!said.contains("corrupt"), "{transport}: {said}");
        let frames: Vec<&[u8]> = shown.stdout.chunks_exact(plain.len()).collect();
        assert_eq!(frames.len(), 5, "{transport}: {said}");
        for (index, frame) in frames.iter().enumerate() {
            let sum: u64 = frame.iter().zip(&plain).map(|(shown, filmed)| u64::from(shown.abs_diff(*filmed))).sum();
            let mean = sum as f64 / plain.len() as f64;
            println!("{transport}: frame {index} differs by {mean:.1}");
            assert!(mean < 10.0, "{transport}: frame {index} differs by {mean:.1}, what is drawn included");
        }
    }
}

/// Starts the program with a camera that does not exist. Returns its address too.
fn start_without_camera(arguments: &[&str]) -> (Running, String) {
    let (camera, listen) = (format!("rtsp://127.0.0.1:{}/live", free_port()), format!("127.0.0.1:{}", free_port()));
    let (program, lines) = run(&[&["--rtsp-listen", &listen, &camera], arguments].concat());
    wait_for_line(&lines, "serving");
    // Later lines are read and discarded.
    std::thread::spawn(move || lines.iter().for_each(drop));
    (program, listen)
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
    let (_program, listen) = start_without_camera(&[]);
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
fn clients_do_not_wait_for_a_camera_that_is_gone() {
    if !fetched("centerface") {
        return;
    }
    gst::init().expect("GStreamer starts");
    let (folder, camera_port) = (folder("gone"), free_port());
    let (camera_address, listen) = (format!("rtsp://127.0.0.1:{camera_port}/live"), format!("127.0.0.1:{}", free_port()));
    let camera = start_camera(camera_port, &folder, (320, 240));
    let options = ["--rtsp-listen", &listen, "--rtsp-token", SECRET, "--size", "320x240", "--stall", "1", &camera_address];
    let (_program, lines) = run(&options);
    wait_for_line(&lines, "receiving the camera's stream");
    let answers = |status: &str| {
        let stream = describe(&listen, "/faces", "");
        let refused = answer(&stream);
        assert!(refused.starts_with("RTSP/1.0 401"), "nobody else learns whether there is a picture: {refused}");
        ask_again(&stream, &listen, &digest(&refused, &listen, SECRET)).starts_with(status)
    };
    assert!(answers("RTSP/1.0 200"), "there is a picture");
    drop(camera);
    wait_for_line(&lines, "reconnecting in");
    std::thread::sleep(Duration::from_secs(1));
    let asked = Instant::now();
    assert!(answers("RTSP/1.0 503") && asked.elapsed() < Duration::from_secs(10), "asked {:?} ago", asked.elapsed());
    let _camera = start_camera(camera_port, &folder, (320, 240));
    wait_for_line(&lines, "receiving the camera's stream");
    wait_until("a picture", || answers("RTSP/1.0 200"));
}

/// The header for a client with `secret`, as the server asked for it in `refused`.
fn digest(refused: &str, listen: &str, secret: &str) -> String {
    // The digest depends on the realm and on this connection's nonce.
    let value = |name: &str| refused.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("a value");
    let (realm, nonce, uri) = (value("realm"), value("nonce"), format!("rtsp://{listen}/faces"));
    let md5 = |text: String| glib::compute_checksum_for_string(glib::ChecksumType::Md5, text).expect("a checksum");
    let (user, method) = (md5(format!("viewer:{realm}:{secret}")), md5(format!("DESCRIBE:{uri}")));
    let response = md5(format!("{user}:{nonce}:{method}"));
    format!("Digest username=\"viewer\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\"")
}

/// The head of the response to another request of the same connection.
fn ask_again(mut stream: &TcpStream, listen: &str, authorization: &str) -> String {
    let request = format!("DESCRIBE rtsp://{listen}/faces RTSP/1.0\r\nCSeq: 2\r\nAuthorization: {authorization}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    answer(stream)
}

#[test]
fn clients_without_the_token_are_refused() {
    let (_program, listen) = start_without_camera(&["--rtsp-token", SECRET]);
    let stream = describe(&listen, "/faces", "");
    let refused = answer(&stream);
    assert!(refused.starts_with("RTSP/1.0 401") && refused.contains("WWW-Authenticate: Digest"), "{refused}");
    let basic = format!("Basic {}", glib::base64_encode(format!("viewer:{SECRET}").as_bytes()));
    for authorization in [digest(&refused, &listen, "a guess"), basic] {
        let refused = ask_again(&stream, &listen, &authorization);
        assert!(refused.starts_with("RTSP/1.0 401"), "{authorization}: {refused}");
    }
}

#[test]
fn other_machines_are_not_served_without_a_token() {
    let (_program, lines) = run(&["--rtsp-listen", "0.0.0.0:0", "rtsp://127.0.0.1:1/live"]);
    let first = lines.recv_timeout(PATIENCE).expect("a line");
    assert!(first.contains("other machines can reach 0.0.0.0:0: set a secret with --rtsp-token"), "{first}");
}

#[test]
fn connections_without_the_token_leave_descriptors_to_the_rest() {
    if !fetched("centerface") {
        return;
    }
    let folder = folder("descriptors");
    let (clip, days) = (clip(&folder), folder.join("days"));
    let listen = format!("127.0.0.1:{}", free_port());
    let program = env!("CARGO_BIN_EXE_emotion-camera");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\"", program, "--rtsp-listen", &listen, "--rtsp-token", SECRET]);
    command.args(["--size", "320x240", "--files-seconds", "1", "--files-folder"]).arg(&days).arg("--loop").arg(&clip);
    let (_camera, lines) = start_command(command);
    wait_for_line(&lines, "serving");
    let idle: Vec<_> = (0..150).map(|_| TcpStream::connect(&listen).expect("a connection")).collect();
    let asked = describe(&listen, "/faces", "");
    assert!(answer(&asked).starts_with("RTSP/1.0 401"), "a new client replaces an idle one");
    let recordings = || std::fs::read_dir(&days).map_or(0, Iterator::count);
    let known = recordings();
    wait_until("recordings that go on", || recordings() > known + 4);
    let (client, received) = client(&format!("rtsp://viewer:{SECRET}@{listen}/faces"));
    wait_until("pictures for a client with the token", || received.lock().expect("no panic").frames > 5);
    client.set_state(gst::State::Null).expect("the client stops");
    drop(idle);
}

#[test]
fn clients_with_other_addresses_share_one_media() {
    if !fetched("centerface") {
        return;
    }
    let folder = folder("addresses");
    let (clip, port) = (clip(&folder), free_port());
    let listen = format!("127.0.0.1:{port}");
    let (_program, lines) = run(&["--rtsp-listen", &listen, "--size", "320x240", "--loop", clip.to_str().expect("a path")]);
    wait_for_line(&lines, "serving");
    let relay = forward(port);
    let clients = [format!("{listen}/faces"), format!("{listen}/faces?x=1"), format!("127.0.0.1:{relay}/faces")]
        .map(|address| client(&format!("rtsp://{address}")));
    let frames = || clients.each_ref().map(|(_, received)| received.lock().expect("no panic").frames);
    wait_until("pictures for all", || frames().iter().all(|count| *count > 5));
    let before = frames();
    wait_until("more pictures for all", || frames().iter().zip(before).all(|(count, before)| *count > before + 10));
    for stopped in [1, 2] {
        clients[stopped].0.set_state(gst::State::Null).expect("a client stops");
        let before = frames()[0];
        wait_until("pictures after another client has left", || frames()[0] > before + 20);
    }
    clients[0].0.set_state(gst::State::Null).expect("the client stops");
}

/// Starts the program with a test picture. Returns its lines and its address too.
fn serve_without_faces() -> (Running, Receiver<String>, String) {
    gst::init().expect("GStreamer starts");
    let listen = format!("127.0.0.1:{}", free_port());
    let source = "gst:videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1";
    let (program, lines) = run(&["--rtsp-listen", &listen, "--size", "320x240", source]);
    (program, lines, listen)
}

#[test]
fn a_client_with_another_protocol_does_not_stop_the_rest() {
    if !fetched("centerface") {
        return;
    }
    // Without a face, the second stream has no record for the clients that join.
    let (_program, lines, listen) = serve_without_faces();
    wait_for_line(&lines, "receiving the camera's stream");
    let clients = ["udp", "tcp", "udp"].map(|protocol| {
        let joined = client_by(protocol, &format!("rtsp://{listen}/faces"));
        wait_until("pictures", || joined.1.lock().expect("no panic").frames > 5);
        joined
    });
    let frames = || clients.each_ref().map(|(_, received)| received.lock().expect("no panic").frames);
    let before = frames();
    wait_until("more pictures for all", || frames().iter().zip(before).all(|(count, before)| *count > before + 10));
    let has_data = |received: &Mutex<Received>| received.lock().expect("no panic").text.starts_with(r#"{"type":"stream","#);
    wait_until("data of the second stream, for which players wait", || clients.iter().all(|(_, received)| has_data(received)));
    for (client, _) in clients {
        client.set_state(gst::State::Null).expect("a client stops");
    }
}

#[test]
fn clients_of_the_picture_alone_leave_it_to_others() {
    if !fetched("centerface") {
        return;
    }
    let (_program, lines, listen) = serve_without_faces();
    wait_for_line(&lines, "serving");
    // Both wait for the first picture.
    let clients = ["udp", "tcp"].map(|protocol| {
        let (client, received) = client_by(protocol, &format!("rtsp://{listen}/faces"));
        client.by_name("server").expect("the source").connect("select-stream", false, |arguments| {
            let caps = arguments[2].get::<gst::Caps>().ok()?;
            Some((caps.structure(0)?.get::<&str>("media").ok() == Some("video")).to_value())
        });
        (client, received)
    });
    wait_until("pictures for both", || clients.iter().all(|(_, received)| received.lock().expect("no panic").frames > 20));
    for (client, _) in clients {
        client.set_state(gst::State::Null).expect("a client stops");
    }
}

/// Forwards connections to another port, as a router does. Returns that port.
fn forward(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
            let (mut from, mut back) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut server));
            std::thread::spawn(move || std::io::copy(&mut back, &mut client));
        }
    });
    port
}
