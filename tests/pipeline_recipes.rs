// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scripts of `pipelines/`, run as users run them, without a screen.
#![cfg(all(feature = "plugin", feature = "onnx"))]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use support::average_faces::{Key, Scene};
use support::gstreamer::Stage;

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
const FRAMES: usize = 40;
const SHOWS_RGB: &str = "video/x-raw,format=RGB ! filesink location=shown.rgb";

#[test]
fn every_script_is_tested_here() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let scripts: BTreeSet<_> = files.filter(|name| name.ends_with(".sh") && name != "env.sh").collect();
    let tested =
        ["demo.sh", "image.sh", "ndjson.sh", "record.sh", "rtsp.sh", "segments.sh", "subtitles.sh", "tcp.sh", "video.sh", "web.sh"];
    // tests/pipeline_report.rs has report.sh; a camera is not to be had on every machine.
    let others = ["report.sh", "webcam.sh"];
    assert_eq!(scripts, tested.into_iter().chain(others).map(String::from).collect());
}

#[test]
fn a_script_without_its_argument_says_how_it_is_used() {
    let stage = Stage::new("recipe-usage").with_plugin();
    for name in ["image.sh", "rtsp.sh", "video.sh", "web.sh"] {
        let output = run(&mut script(&stage, name));
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: "), "{name}");
    }
}

#[test]
fn a_missing_file_makes_the_script_fail() {
    let stage = Stage::new("recipe-missing").with_plugin();
    for name in ["image.sh", "video.sh", "record.sh", "demo.sh", "ndjson.sh", "subtitles.sh", "web.sh", "segments.sh"] {
        if name == "segments.sh" && !bindings() {
            continue;
        }
        let output = run(script(&stage, name).arg("nowhere.mp4").env("SINK", "fakesink"));
        assert!(!output.status.success(), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.mp4"), "{name}");
    }
}

#[test]
fn video_shows_every_frame_with_the_faces_marked() {
    let Some(stage) = stage("video") else { return };
    succeed(run(script(&stage, "video.sh").arg(clip(&stage)).env("SINK", SHOWS_RGB)));
    let shown = frames(&stage.path().join("shown.rgb"));
    assert_eq!(shown.len(), FRAMES);
    assert_marked(&shown[FRAMES / 2], &decode(&stage, &clip(&stage))[FRAMES / 2]);
}

#[test]
fn image_writes_a_picture_with_the_faces_marked() {
    let Some(stage) = stage("image") else { return };
    let (photo, out) = (stage.path().join("a photo.png"), stage.path().join("out.png"));
    write_png(&photo, &scene().render(0.0));
    succeed(run(script(&stage, "image.sh").arg(&photo).arg(&out)));
    assert_marked(&decode(&stage, &out)[0], &scene().render(0.0));
}

#[test]
fn image_names_its_result_after_the_photo() {
    let Some(stage) = stage("image-name") else { return };
    write_png(&stage.path().join("me.png"), &scene().render(0.0));
    succeed(run(script(&stage, "image.sh").arg(stage.path().join("me.png"))));
    assert!(stage.path().join("me-faces.png").is_file());
}

#[test]
fn record_writes_a_clean_and_an_annotated_file_of_the_same_frames() {
    let Some(stage) = stage("record") else { return };
    succeed(run(script(&stage, "record.sh").arg(clip(&stage)).arg("both of them")));
    let clean = decode(&stage, &stage.path().join("both of them/clean.mp4"));
    let annotated = decode(&stage, &stage.path().join("both of them/annotated.mp4"));
    assert_eq!((clean.len(), annotated.len()), (FRAMES, FRAMES));
    assert_marked(&annotated[FRAMES / 2], &clean[FRAMES / 2]);
    let original = decode(&stage, &clip(&stage));
    assert!(difference(&clean[FRAMES / 2], &original[FRAMES / 2], |_, _| true) < 3.0);
}

#[test]
fn demo_writes_a_video_records_and_a_picture_and_says_what_it_found() {
    let Some(stage) = stage("demo") else { return };
    let output = run(script(&stage, "demo.sh").arg(clip(&stage)).arg("result"));
    let said = succeed(output);
    assert_eq!(decode(&stage, &stage.path().join("result/demo.mp4")).len(), FRAMES);
    assert!(said.contains(&format!("{FRAMES} frames with 2\n")), "{said}");
    assert!(said.contains("happiness"), "{said}");

    let records = std::fs::read_to_string(stage.path().join("result/demo.ndjson")).unwrap();
    let records: Vec<serde_json::Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2 * FRAMES, "two faces on every frame");
    let ids: BTreeSet<_> = records.iter().map(|record| record["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2].into());

    let report = read(&stage.path().join("result/demo.html"));
    assert!(report.contains("Face 2") && said.contains("result/demo.html"), "{said}");
    assert_eq!(report.contains("<figure>"), bindings(), "key frames need the bindings");

    let picture = &decode(&stage, &stage.path().join("result/demo.png"))[0];
    assert_marked(picture, &scene().render(0.0));
}

/// True if the scripts in Python find GStreamer.
fn bindings() -> bool {
    let import = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst";
    let found = Command::new("/usr/bin/python3").args(["-c", import]).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no PyGObject with Gst (python3-gi, gir1.2-gstreamer-1.0)");
    }
    found
}

/// The program if it is installed.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: no {}", names.join(", "));
    }
    found
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole: {:?}", text.lines().last());
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn ndjson_goes_into_jq() {
    let Some(stage) = stage("ndjson") else { return };
    if program(&["jq"]).is_none() {
        return;
    }
    let line = r#"set -o pipefail; "$0" clip.mp4 | jq -r 'select(.label == "happiness") | .id'"#;
    let mut shell = stage.command("bash");
    shell.env("PLUGINS", stage.path().join("plugins")).current_dir(stage.path());
    let said = succeed(run(shell.args(["-c", line]).arg(folder().join("ndjson.sh"))));
    let ids: Vec<&str> = said.lines().collect();
    assert_eq!(ids.len(), FRAMES, "one of the two smiles: {said}");
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn a_client_reads_what_is_seen_from_a_socket() {
    let Some(stage) = stage("tcp") else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let child = script(&stage, "tcp.sh").arg("clip.mp4").arg(port.to_string()).stdout(Stdio::null()).spawn();
    let mut child = child.expect("the script starts");
    let start = Instant::now();
    let socket = loop {
        match std::net::TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => break socket,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "nobody listens: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut text = String::new();
    BufReader::new(socket).read_to_string(&mut text).expect("the server closes the connection");
    assert!(child.wait().expect("the script ends").success());
    let records = json_lines(&text);
    assert!(records.len() >= 2, "{} records", records.len());
    assert!(records.iter().all(|record| record["type"] == "face"));
}

#[test]
fn subtitles_are_a_track_of_the_recording() {
    let Some(stage) = stage("subtitles") else { return };
    let file = stage.path().join("out.mkv");
    succeed(run(script(&stage, "subtitles.sh").arg("clip.mp4").arg(&file)));
    assert_eq!(decode(&stage, &file).len(), FRAMES);
    let (from, to) = (format!("location={}", file.display()), format!("location={}", stage.path().join("text").display()));
    launch(&stage, &["filesrc", &from, "!", "matroskademux", "name=d", "d.subtitle_0", "!", "text/x-raw", "!", "filesink", &to]);
    let text = read(&stage.path().join("text"));
    assert_eq!(text.matches("happiness ").count(), 3, "one caption in half a second of four thirds: {text}");
    for (tool, arguments) in [("gst-discoverer-1.0", vec![]), ("ffprobe", vec!["-hide_banner"])] {
        let Some(tool) = program(&[tool]) else { continue };
        let output = run(Command::new(tool).args(arguments).arg(&file));
        let said = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&said).to_lowercase().contains("subtitle"), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn each_segment_of_a_recording_has_its_records() {
    let Some(stage) = stage("segments").filter(|_| bindings()) else { return };
    succeed(run(script(&stage, "segments.sh").args(["clip.mp4", "parts", "0.5"])));
    let part = |index: usize, kind: &str| stage.path().join(format!("parts/{index:05}.{kind}"));
    let mut frames = Vec::new();
    for index in 0..3 {
        let records = json_lines(&read(&part(index, "ndjson")));
        let seen: BTreeSet<_> = records.iter().map(|record| record["frame"].as_u64().unwrap()).collect();
        assert_eq!(records.len(), 2 * seen.len(), "two faces on every frame");
        assert_eq!(decode(&stage, &part(index, "mp4")).len(), seen.len(), "frames of part {index}");
        frames.extend(seen);
    }
    assert_eq!(frames, (0..FRAMES as u64).collect::<Vec<_>>(), "every frame in one of the parts, in order");
    assert!(!part(3, "mp4").exists() && !part(3, "ndjson").exists());
}

#[test]
fn records_survive_a_crash() {
    let Some(stage) = stage("crash").filter(|_| bindings()) else { return };
    let child = script(&stage, "segments.sh").args(["clip.mp4", "parts", "60"]).stdout(Stdio::null()).spawn();
    let mut child = child.expect("the script starts");
    let file = stage.path().join("parts/00000.ndjson");
    let text = || std::fs::read_to_string(&file).unwrap_or_default();
    let start = Instant::now();
    while text().matches('\n').count() < 4 {
        assert!(start.elapsed() < Duration::from_secs(60), "no records");
        std::thread::sleep(Duration::from_millis(2));
    }
    // The signal that nobody can catch; the script has become the program that writes.
    child.kill().expect("the script runs, or has run");
    child.wait().expect("the script is gone");
    assert!(json_lines(&text()).len() >= 4);
}

#[test]
fn a_browser_loads_the_captions() {
    let Some(stage) = stage("web") else { return };
    succeed(run(script(&stage, "web.sh").args(["clip.mp4", "site"])));
    let site = stage.path().join("site");
    assert_eq!(decode(&stage, &site.join("video.mp4")).len(), FRAMES);
    let times: Vec<String> = read(&site.join("faces.vtt")).lines().filter(|line| line.contains(" --> ")).map(str::to_owned).collect();
    assert_eq!(times.len(), 3, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[0].split(" --> ").nth(1) <= pair[1].split(" --> ").next()), "no two at once: {times:?}");

    let Some(browser) = program(&["chromium", "chromium-browser", "google-chrome"]) else { return };
    let address = serve(site);
    let profile = format!("--user-data-dir={}", stage.path().join("profile").display());
    let options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom", &profile, &address];
    let page = succeed(run(Command::new(browser).args(options)));
    assert_eq!(page.matches("<li>").count(), 3, "{page}");
    assert!(page.contains("face 1: happiness ") || page.contains("face 2: happiness "), "{page}");
}

/// A web server of one folder, for as long as the test runs; returns its address.
fn serve(folder: PathBuf) -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/", socket.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut client in socket.incoming().flatten() {
            let mut request = String::new();
            let _ = BufReader::new(&client).read_line(&mut request);
            let name = request.split(' ').nth(1).map_or("", |path| path.trim_start_matches('/'));
            let name = if name.is_empty() { "index.html" } else { name };
            let (status, body) = std::fs::read(folder.join(name)).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
            let kind = match name.rsplit('.').next() {
                Some("vtt") => "text/vtt",
                Some("mp4") => "video/mp4",
                _ => "text/html",
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A browser that has seen enough of a video goes away.
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
        }
    });
    address
}

#[test]
fn rtsp_shows_what_a_server_sends() {
    use gst_rtsp_server::prelude::*;
    let Some(stage) = stage("rtsp") else { return };
    gst::init().unwrap();
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_service("0"); // any port that is free
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(&format!("( filesrc location={} ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 )", clip(&stage).display()));
    server.mount_points().unwrap().add_factory("/camera", factory);
    let context = gst::glib::MainContext::new();
    server.attach(Some(&context)).unwrap();
    let main_loop = gst::glib::MainLoop::new(Some(&context), false);
    let running = std::thread::spawn({
        let main_loop = main_loop.clone();
        move || main_loop.run()
    });

    let address = format!("rtsp://127.0.0.1:{}/camera", server.bound_port());
    let sink = format!("video/x-raw,format=RGB ! identity eos-after=4 ! {}", "filesink location=shown.rgb");
    succeed(run(script(&stage, "rtsp.sh").arg(address).env("SINK", sink)));
    let shown = frames(&stage.path().join("shown.rgb"));
    assert!(shown.len() >= 3, "{} frames", shown.len());
    assert_marked(shown.last().unwrap(), &scene().render(0.0));

    main_loop.quit();
    running.join().unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines")
}

/// A script of `pipelines/`, to be run on the stage with the library that is there.
fn script(stage: &Stage, name: &str) -> Command {
    let mut command = stage.command(folder().join(name).to_str().expect("a path in UTF-8"));
    command.env("PLUGINS", stage.path().join("plugins")).current_dir(stage.path());
    command
}

/// Runs a command to its end, which must come within two minutes.
fn run(command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let id = child.id().to_string();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(Duration::from_secs(120)).map(|output| output.expect("the output of a child")).unwrap_or_else(|_| {
        let _ = Command::new("kill").arg(&id).status();
        panic!("{command:?} does not end")
    })
}

/// Runs a pipeline to its end, which must be a good one.
fn launch(stage: &Stage, arguments: &[&str]) {
    succeed(run(stage.command("gst-launch-1.0").arg("-q").args(arguments)));
}

/// A stage with the clip on it, if what was to be fetched is there.
fn stage(name: &str) -> Option<Stage> {
    support::fetched("centerface").then(|| {
        let stage = Stage::new(&format!("recipe-{name}")).with_plugin();
        std::fs::write(clip(&stage), encoded_clip()).unwrap();
        stage
    })
}

fn clip(stage: &Stage) -> PathBuf {
    stage.path().join("clip.mp4")
}

/// Two people who hold still, one smiling.
fn scene() -> Scene {
    let still =
        |x, height, expression| vec![Key::new(0.0, (x, 220.0), height, expression), Key::new(100.0, (x, 220.0), height, expression)];
    Scene::new(WIDTH, HEIGHT).actor(still(190.0, 220.0, "happiness")).actor(still(470.0, 180.0, "neutral"))
}

fn encoded_clip() -> &'static [u8] {
    static CLIP: OnceLock<Vec<u8>> = OnceLock::new();
    CLIP.get_or_init(|| {
        let stage = Stage::new("recipe-clip");
        let (raw, clip) = (stage.path().join("clip.rgb"), clip(&stage));
        std::fs::write(&raw, scene().render(0.0).repeat(FRAMES)).unwrap();
        let caps = format!("rawvideoparse format=rgb width={WIDTH} height={HEIGHT} framerate=30/1");
        let line = format!("! {caps} ! videoconvert ! x264enc speed-preset=veryfast ! video/x-h264,profile=high ! h264parse ! mp4mux !");
        let mut arguments = vec!["filesrc".to_string(), format!("location={}", raw.display())];
        arguments.extend(line.split_whitespace().map(String::from));
        arguments.extend(["filesink".to_string(), format!("location={}", clip.display())]);
        launch(&stage, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        std::fs::read(clip).unwrap()
    })
}

/// Every frame of a video or picture, as packed RGB.
fn decode(stage: &Stage, file: &Path) -> Vec<Vec<u8>> {
    let (from, to) = (format!("location={}", file.display()), format!("location={}", stage.path().join("decoded.rgb").display()));
    launch(stage, &["filesrc", &from, "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "filesink", &to]);
    frames(&stage.path().join("decoded.rgb"))
}

fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes.len() % (WIDTH * HEIGHT * 3), 0, "whole frames");
    bytes.chunks(WIDTH * HEIGHT * 3).map(<[u8]>::to_vec).collect()
}

fn write_png(file: &Path, rgb: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(file).unwrap(), WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
}

fn succeed(output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Something is drawn about both faces, nothing along the frame's lower edge.
fn assert_marked(annotated: &[u8], plain: &[u8]) {
    for shown in scene().appearances(0.0) {
        let near = |x: usize, y: usize| {
            let (x, y, face) = (x as f32, y as f32, shown.face);
            (face.x - 40.0..face.right() + 40.0).contains(&x) && (face.y - 60.0..face.bottom() + 60.0).contains(&y)
        };
        let drawn = difference(annotated, plain, near);
        assert!(drawn > 2.0, "face {} is not marked: mean difference {drawn}", shown.actor);
    }
    let edge = difference(annotated, plain, |_, y| y >= HEIGHT - 8);
    assert!(edge < 4.0, "drawn where no face is: mean difference {edge}");
}

/// Mean difference of the values of those pixels that `chosen(x, y)` chooses.
fn difference(a: &[u8], b: &[u8], chosen: impl Fn(usize, usize) -> bool) -> f32 {
    let pixels = (0..WIDTH * HEIGHT).filter(|&pixel| chosen(pixel % WIDTH, pixel / WIDTH));
    let values = pixels.flat_map(|pixel| pixel * 3..pixel * 3 + 3).map(|at| f32::from(a[at].abs_diff(b[at])));
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / count as f32
}
