// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scripts of `pipelines/`, run as users run them, without a screen.
#![cfg(all(feature = "plugin", feature = "onnx"))]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

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
    // A camera is not to be had on every machine.
    let tested = ["demo.sh", "image.sh", "record.sh", "rtsp.sh", "video.sh", "webcam.sh"];
    assert_eq!(scripts, tested.map(String::from).into());
}

#[test]
fn a_script_without_its_argument_says_how_it_is_used() {
    let stage = Stage::new("recipe-usage").with_plugin();
    for name in ["image.sh", "rtsp.sh", "video.sh"] {
        let output = run(&mut script(&stage, name));
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: "), "{name}");
    }
}

#[test]
fn a_missing_file_makes_the_script_fail() {
    let stage = Stage::new("recipe-missing").with_plugin();
    for name in ["image.sh", "video.sh", "record.sh", "demo.sh"] {
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

    let picture = &decode(&stage, &stage.path().join("result/demo.png"))[0];
    assert_marked(picture, &scene().render(0.0));
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
