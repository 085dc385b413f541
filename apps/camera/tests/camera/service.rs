// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program as a service: a configuration file, a broker, recordings, metrics, signals, and a source that vanishes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use serde_json::Value;
use test_support::broker::{free_port, installed};
use test_support::fetched;

use crate::support::{PATIENCE, Running, picture, start, start_camera, start_command, wait_for_line, wait_until};

/// A folder that is empty at the start of a test.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("camera-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A clip of a happy face, 2 seconds at 15 frames a second.
pub fn clip(folder: &Path) -> PathBuf {
    gst::init().unwrap();
    let (picture, clip) = (picture(folder, 320, 240), folder.join("clip.mp4"));
    let line = format!(
        "filesrc location={} blocksize={} ! rawvideoparse format=rgb width=320 height=240 framerate=15/1 ! imagefreeze num-buffers=30 \
         ! video/x-raw,framerate=15/1 ! videoconvert ! x264enc ! h264parse ! mp4mux ! filesink location={}",
        picture.display(),
        320 * 240 * 3,
        clip.display()
    );
    play(&line);
    clip
}

/// Plays a pipeline to its end. Returns the number of buffers that its element `count` took, if it has one.
pub fn play(line: &str) -> usize {
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let count = Arc::new(Mutex::new(0));
    if let Some(pad) = pipeline.by_name("count").and_then(|element| element.static_pad("sink")) {
        let count = count.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            *count.lock().unwrap() += 1;
            gst::PadProbeReturn::Ok
        });
    }
    pipeline.set_state(gst::State::Playing).unwrap();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::try_from(PATIENCE).unwrap(), &types).expect("an end");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos, "{line}: {end:?}");
    *count.lock().unwrap()
}

/// Number of frames of a recording.
pub fn frames(file: &Path) -> usize {
    play(&format!("filesrc location={} ! decodebin ! fakesink name=count sync=false", file.display()))
}

/// True if the MP4 file has its first fragment: pictures and then the box `moov` in full length.
fn has_fragment(file: &Path) -> bool {
    let file = fs::read(file).unwrap_or_default();
    let (mut rest, mut found) = (&file[..], false);
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [size, kind] = [&head[..4], &head[4..]];
        let size = u32::from_be_bytes(size.try_into().unwrap()) as usize;
        let Some(next) = body.get(size.saturating_sub(8)..).filter(|_| size >= 8) else { break };
        found |= kind == b"moov";
        rest = next;
    }
    found
}

/// A broker and what a subscriber of it receives: topic and payload.
pub struct Broker {
    pub port: u16,
    received: Arc<Mutex<Vec<(String, String)>>>,
    _server: Running,
    _subscriber: Running,
}

impl Broker {
    pub fn start(folder: &Path) -> Self {
        let port = free_port();
        let configuration = folder.join("mosquitto.conf");
        fs::write(&configuration, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
        let quiet = |command: &mut Command| Running(command.stderr(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let server = quiet(Command::new("/usr/sbin/mosquitto").arg("-c").arg(&configuration));
        wait_until("the broker", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let mut subscriber = quiet(Command::new("mosquitto_sub").args(["-p", &port.to_string(), "-q", "1", "-v", "-t", "emotion/#"]));
        let received: Arc<Mutex<Vec<_>>> = Arc::default();
        let (lines, sink) = (BufReader::new(subscriber.0.stdout.take().unwrap()).lines(), received.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let (topic, payload) = line.split_once(' ').unwrap();
                sink.lock().unwrap().push((topic.to_owned(), payload.to_owned()));
            }
        });
        Self { port, received, _server: server, _subscriber: subscriber }
    }

    pub fn of(&self, topic: &str) -> Vec<String> {
        self.received.lock().unwrap().iter().filter(|(known, _)| known == topic).map(|(_, payload)| payload.clone()).collect()
    }

    pub fn events(&self, topic: &str, kind: &str) -> Vec<Value> {
        let all = self.of(topic).into_iter().map(|text| serde_json::from_str::<Value>(&text).unwrap());
        all.filter(|event| event["type"] == kind).collect()
    }
}

/// Starts the program.
pub fn run(arguments: &[&str]) -> (Running, Receiver<String>) {
    start(Path::new(env!("CARGO_BIN_EXE_emotion-camera")), arguments)
}

pub fn signal(program: &Running, name: &str) {
    assert!(Command::new("kill").args([name, &program.0.id().to_string()]).status().unwrap().success());
}

/// The metrics page.
pub fn metrics_page(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    page
}

/// The values of the metrics page, by name.
pub fn metrics(port: u16) -> impl Fn(&str) -> f64 {
    let page = metrics_page(port);
    move |name| {
        let sample = page.lines().find(|line| !line.starts_with('#') && line.split(['{', ' ']).next() == Some(name));
        let sample = sample.unwrap_or_else(|| panic!("no {name} in {page}"));
        assert!(page.contains(&format!("# HELP {name} ")) && page.contains(&format!("# TYPE {name} ")), "{page}");
        sample.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[test]
fn a_clip_is_published_recorded_and_measured_until_a_signal() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let folder = folder("service");
    let (clip, broker, port) = (clip(&folder), Broker::start(&folder), free_port());
    let configuration = folder.join("door.toml");
    let text = format!(
        "source = '{}'\nloop = true\nname = 'front door'\nsize = '320x240'\n\
         [publish]\nlocation = 'mqtt://127.0.0.1:{}/emotion/door'\nschemas = ['events', 'summary']\ninterval = 500\n\
         [homeassistant]\nprefix = 'emotion/discovery'\n\
         [files]\nfolder = '{}'\nseconds = 1\n[metrics]\nlisten = '127.0.0.1:{port}'\n",
        clip.display(),
        broker.port,
        folder.join("days").display()
    );
    fs::write(&configuration, text).unwrap();
    let configuration = configuration.to_str().unwrap();
    let (mut camera, _lines) = run(&["--config", configuration]);
    wait_until("an expression", || {
        broker.events("emotion/door/events", "expression").iter().any(|event| event["to"] == "happiness" && event["stream"] == "front door")
    });
    wait_until("a summary", || broker.events("emotion/door/summary", "summary").iter().any(|summary| summary["faces_max"] == 1));
    assert_eq!(broker.of("emotion/door/status"), ["online"]);
    let discovered = broker.of("emotion/discovery/sensor/emotion_door/faces/config");
    let discovered: Value = serde_json::from_str(&discovered[0]).unwrap();
    assert_eq!((&discovered["state_topic"], &discovered["device"]["name"]), (&"emotion/door/summary".into(), &"front door".into()));
    wait_until("the third recording", || folder.join("days/00002.ndjson").exists());
    let metric = metrics(port);
    assert_eq!((metric("emotion_source_up"), metric("emotion_faces"), metric("emotion_reconnects_total")), (1.0, 1.0, 0.0));
    let (received, analysed, skipped) =
        (metric("emotion_frames_received_total"), metric("emotion_frames_analysed_total"), metric("emotion_frames_skipped_total"));
    assert!(received > 30.0 && analysed > 10.0 && (received - analysed - skipped).abs() <= 3.0, "{received} {analysed} {skipped}");
    assert!(metric("emotion_face_sightings_total") > 5.0 && metric("emotion_latency_seconds") > 0.0);
    assert!(metric("emotion_publish_connected") == 1.0 && metric("emotion_publish_sent_total") > 0.0);
    let lost = ["dropped", "rejected", "reconnects"].map(|count| metric(&format!("emotion_publish_{count}_total")));
    assert_eq!(lost, [0.0; 3]);

    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    wait_until("a goodbye", || broker.of("emotion/door/status") == ["online", "offline"]);
    let left = broker.events("emotion/door/events", "left");
    assert!(!left.is_empty(), "the queue was drained");
    for number in 0..3 {
        let recorded = frames(&folder.join(format!("days/{number:05}.mp4")));
        assert!(recorded > 0 && recorded <= 40, "{recorded} frames in {number}");
        let records = fs::read_to_string(folder.join(format!("days/{number:05}.ndjson"))).unwrap();
        let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(records.iter().all(|record| record["type"] == "face" && record["stream"] == "front door"), "{records:?}");
        // The times of the video beside it: the clip has a key frame each two seconds.
        let times: Vec<u64> = records.iter().map(|record| record["recording_time"].as_u64().expect("a time")).collect();
        assert!(times.is_sorted() && times.last().is_none_or(|time| *time < 2_500_000_000), "{times:?}");
        // A frame at the start of the stream has a face that is not confirmed yet.
        assert!(records.len() <= recorded && records.len() + 10 >= recorded, "{} records, {recorded} frames", records.len());
    }

    // Killed: the broker says so, and what was recorded can be played. The next run continues with the next number.
    let known = fs::read_dir(folder.join("days")).unwrap().count();
    let (mut camera, lines) = run(&["--config", configuration]);
    wait_for_line(&lines, "receiving the camera's stream");
    let cut = folder.join(format!("days/{:05}.mp4", known / 2));
    wait_until("a fragment", || has_fragment(&cut));
    camera.0.kill().unwrap();
    camera.0.wait().unwrap();
    wait_until("the last will", || broker.of("emotion/door/status").last().is_some_and(|status| status == "offline"));
    assert!(frames(&cut) > 0);
}

#[test]
fn a_source_that_vanishes_leaves_the_outlets_up() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    gst::init().unwrap();
    let folder = folder("vanishes");
    let (broker, camera_port, port) = (Broker::start(&folder), free_port(), free_port());
    let camera = start_camera(camera_port, &folder, (320, 240));
    let (address, location) = (format!("rtsp://127.0.0.1:{camera_port}/live"), format!("mqtt://127.0.0.1:{}/emotion/gate", broker.port));
    let (listen, recordings) = (format!("127.0.0.1:{port}"), folder.join("days"));
    let options = ["--publish-location", &location, "--size", "320x240", "--stall", "2", "--metrics-listen", &listen];
    let (mut program, lines) = run(&[&options[..], &["--files-folder", recordings.to_str().unwrap(), &address]].concat());
    let appeared = || broker.events("emotion/gate/events", "appeared");
    wait_until("a face", || !appeared().is_empty());
    drop(camera);
    wait_for_line(&lines, "reconnecting in");
    wait_until("the face to leave", || !broker.events("emotion/gate/events", "left").is_empty());
    let metric = metrics(port);
    assert_eq!((metric("emotion_source_up"), metric("emotion_publish_connected"), metric("emotion_faces")), (0.0, 1.0, 0.0));
    assert!(metric("emotion_reconnects_total") >= 1.0);
    let before = appeared().len();
    let _camera = start_camera(camera_port, &folder, (640, 480));
    wait_until("the face again", || appeared().len() > before);
    let ids: Vec<_> = appeared().iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "ids are not used again: {ids:?}");
    assert_eq!(broker.of("emotion/gate/status"), ["online"]);
    signal(&program, "-INT");
    assert!(program.0.wait().unwrap().success());
    let recorded: usize = ["00000.mp4", "00001.mp4"].iter().map(|name| frames(&recordings.join(name))).sum();
    assert!(recorded > 10, "the recording goes on after the outage, in another file where the size is another one");
}

/// Serves a test picture and a tone on a thread of its own. Returns the addresses of the streams that clients request.
fn serve_with_sound(port: u16) -> Arc<Mutex<Vec<String>>> {
    let requested: Arc<Mutex<Vec<String>>> = Arc::default();
    let requests = requested.clone();
    std::thread::spawn(move || {
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_service(&port.to_string());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(
            "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=15/1 \
             ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 \
             audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8 )",
        );
        server.mount_points().unwrap().add_factory("/live", factory);
        server.connect_client_connected(move |_, client| {
            let requests = requests.clone();
            client.connect_setup_request(move |_, context| {
                requests.lock().unwrap().extend(context.uri().map(|uri| uri.request_uri().to_string()));
            });
        });
        let context = glib::MainContext::new();
        server.attach(Some(&context)).unwrap();
        glib::MainLoop::new(Some(&context), false).run();
    });
    requested
}

#[test]
fn the_sound_of_a_camera_is_neither_requested_nor_recorded() {
    if !fetched("centerface") {
        return;
    }
    gst::init().unwrap();
    let (folder, port) = (folder("sound"), free_port());
    let requested = serve_with_sound(port);
    let (address, days) = (format!("rtsp://127.0.0.1:{port}/live"), folder.join("days"));
    let (mut program, _lines) = run(&["--size", "320x240", "--files-folder", days.to_str().unwrap(), &address]);
    let recording = days.join("00000.mp4");
    wait_until("a recording", || has_fragment(&recording));
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    let requested = std::mem::take(&mut *requested.lock().unwrap());
    assert!(!requested.is_empty() && requested.iter().all(|stream| stream.ends_with("/stream=0")), "{requested:?}");
    let bytes = fs::read(&recording).unwrap();
    let has = |kind: &[u8; 4]| bytes.windows(4).any(|found| found == kind);
    assert!(has(b"avc1") && !has(b"mp4a") && !has(b"alaw"), "a video without sound");
}

#[test]
fn a_file_that_is_not_repeated_ends_the_program() {
    if !fetched("centerface") {
        return;
    }
    let folder = folder("once");
    let clip = clip(&folder);
    let (mut program, _lines) = run(&["--files-folder", folder.join("days").to_str().unwrap(), clip.to_str().unwrap()]);
    assert!(program.0.wait().unwrap().success());
    assert!(frames(&folder.join("days/00000.mp4")) > 10);
}

#[test]
fn an_outlet_that_fails_ends_the_program_with_the_reason() {
    let folder = folder("fails");
    let clip = clip(&folder);
    let (clip, password) = (clip.to_str().unwrap(), folder.join("none").display().to_string());
    for (arguments, reason) in [
        (["--publish-location", "mqtt://localhost/a/b", "--publish-password-file", &password], password.as_str()),
        (["--files-folder", clip, "--size", "320x240"], clip),
        (["--publish-location", "mqtt://localhost/a/b", "--publish-mqtt-version", "4"], "publish.mqtt-version: expected"),
    ] {
        let (mut program, lines) = run(&[&arguments[..], &[clip]].concat());
        assert_eq!(program.0.wait().unwrap().code(), Some(1), "{reason}");
        wait_for_line(&lines, reason);
    }
}

#[test]
fn a_check_of_the_settings_ends_at_once_with_the_reason_if_they_are_wrong() {
    let folder = folder("check");
    let (configuration, days) = (folder.join("door.toml"), folder.join("days"));
    for (size, code) in [("640x480", 0), ("large", 2)] {
        let text = format!("source = 'rtsp://127.0.0.1:1/live'\nsize = '{size}'\n[files]\nfolder = '{}'\n", days.display());
        fs::write(&configuration, text).unwrap();
        let (mut program, lines) = run(&["--check", "--config", configuration.to_str().unwrap()]);
        assert_eq!(program.0.wait().unwrap().code(), Some(code), "{size}");
        if code != 0 {
            wait_for_line(&lines, "WIDTHxHEIGHT with even numbers from 16 to 8192, found large");
        }
    }
    // What elements find out only when they start, and what the broker needs.
    let (file, location) = (configuration.display(), "location = 'mqtts://127.0.0.1:1/emotion/door'");
    for (text, reason) in [
        (format!("[publish]\n{location}\nmqtt-version = '4'\n"), "publish.mqtt-version: expected"),
        (format!("[publish]\n{location}\nca-file = '/nowhere/ca.pem'\n"), "/nowhere/ca.pem"),
        (format!("[publish]\n{location}\nspool-location = '{file}/spool'\n"), "/spool"),
        (format!("[publish]\n{location}\npassword-file = '/nowhere/password'\n"), "/nowhere/password"),
        (format!("[files]\nfolder = '{file}/days'\n"), "/days"),
        (format!("push = ['hls:{file}/live']\n"), "/live"),
        ("push = ['rtmp://host/live/key', 'rtmp:///live/key']\n".into(), "--push: expected an address of rtmp"),
    ] {
        fs::write(&configuration, format!("source = 'rtsp://127.0.0.1:1/live'\n{text}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-camera"));
        // As the service reads it.
        command.args(["--check", "--config", "-"]).stdin(fs::File::open(&configuration).unwrap());
        let (mut program, lines) = start_command(command);
        assert_eq!(program.0.wait().unwrap().code(), Some(2), "{text}");
        wait_for_line(&lines, reason);
    }
    assert!(!days.exists(), "nothing was started");
}

#[test]
fn without_frames_it_still_stops() {
    let folder = folder("no-frames");
    let address = format!("rtsp://127.0.0.1:{}/live", free_port());
    let (mut program, lines) = run(&["--files-folder", folder.join("days").to_str().unwrap(), &address]);
    wait_for_line(&lines, "reconnecting in");
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success(), "it fails if it waits for what is written, in vain");
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn it_starts_again_as_the_same_process_with_settings_for_its_memory() {
    let folder = folder("memory");
    let address = format!("rtsp://127.0.0.1:{}/live", free_port());
    let (program, lines) = run(&["--files-folder", folder.join("days").to_str().unwrap(), &address]);
    wait_for_line(&lines, "reconnecting in");
    let of_process = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", program.0.id())).unwrap();
    assert!(of_process("environ").contains("GLIBC_TUNABLES=glibc.malloc."), "{}", of_process("environ"));
    assert_eq!(of_process("comm"), "emotion-camera\n");
}

#[test]
fn a_source_that_fails_after_its_first_frame_is_not_opened_without_a_pause() {
    if !fetched("centerface") {
        return;
    }
    gst::init().unwrap();
    let folder = folder("fails-soon");
    let (days, picture) = (folder.join("days"), folder.join("one.mp4"));
    play(&format!("videotestsrc num-buffers=1 ! x264enc ! h264parse ! mp4mux ! filesink location={}", picture.display()));
    // A camera whose stream has one frame each time.
    let port = free_port();
    std::thread::spawn(move || {
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_service(&port.to_string());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory
            .set_launch(&format!("( filesrc location={} ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=-1 )", picture.display()));
        server.mount_points().unwrap().add_factory("/live", factory);
        let context = glib::MainContext::new();
        server.attach(Some(&context)).unwrap();
        glib::MainLoop::new(Some(&context), false).run();
    });
    let address = format!("rtsp://127.0.0.1:{port}/live");
    let (_camera, lines) = run(&["--files-folder", days.to_str().unwrap(), "--size", "320x240", "--stall", "2", &address]);
    for pause in ["0.25", "0.50", "1.00", "2.00"] {
        wait_for_line(&lines, &format!("reconnecting in {pause} s"));
    }
}

#[test]
fn a_stop_right_after_a_reload_loses_no_messages() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let folder = folder("stop-after-reload");
    let (clip, port, metrics_port) = (clip(&folder), free_port(), free_port());
    let (location, listen) = (format!("mqtt://127.0.0.1:{port}/emotion/door"), format!("127.0.0.1:{metrics_port}"));
    let options =
        ["--publish-location", &location, "--publish-schemas", "faces", "--publish-interval", "0", "--publish-drain-timeout", "3000"];
    let (mut camera, lines) =
        run(&[&options[..], &["--metrics-listen", &listen, "--size", "320x240", "--loop", clip.to_str().unwrap()]].concat());
    wait_for_line(&lines, "receiving the camera's stream");
    let metric = || metrics(metrics_port)("emotion_publish_queue_messages");
    wait_until("messages that wait", || metric() > 5.0);
    signal(&camera, "-TERM");
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&camera, "-TERM");
    assert_eq!(camera.0.wait().unwrap().code(), Some(0), "it waits for the broker as long as it may");
    wait_for_line(&lines, "messages were not sent within 3s");
}
