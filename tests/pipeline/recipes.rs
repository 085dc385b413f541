// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scripts of `pipelines/`, run like users run them, without a display.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::process::Command;
use std::time::Duration;

use test_support::browser::chromium;
use test_support::gstreamer::Stage;
use test_support::recipes::*;

const SHOWS_RGB: &str = "video/x-raw,format=RGB ! filesink location=shown.rgb";

#[test]
fn every_script_has_a_test() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let scripts: BTreeSet<_> = files.filter(|name| name.ends_with(".sh") && name != "env.sh").collect();
    let tested = ["demo.sh", "image.sh", "ndjson.sh", "record.sh", "rtsp.sh", "subtitles.sh", "tcp.sh", "video.sh", "web.sh"];
    // recorders.rs and apps/report/tests test the first two; not every machine has a camera.
    let others = ["hls.sh", "report.sh", "webcam.sh"];
    assert_eq!(scripts, tested.into_iter().chain(others).map(String::from).collect());
}

#[test]
fn what_a_command_leaves_running_ends_with_it() {
    let said = succeed(run(Command::new("bash").args(["-c", "sleep 100 >/dev/null 2>&1 & echo $!"])));
    let process = format!("/proc/{}/status", said.trim());
    // A process that was killed is there until its parent takes notice.
    until("its end", || std::fs::read_to_string(&process).map_or(true, |status| status.contains("State:\tZ")).then_some(()));
}

#[test]
fn a_script_without_arguments_prints_its_usage() {
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
    for name in ["image.sh", "video.sh", "record.sh", "demo.sh", "ndjson.sh", "subtitles.sh", "web.sh", "hls.sh"] {
        if name == "hls.sh" && !bindings() {
            continue;
        }
        let output = run(script(&stage, name).arg("nowhere.mp4").env("SINK", "fakesink"));
        assert!(!output.status.success(), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.mp4"), "{name}");
    }
}

#[test]
fn a_script_without_a_screen_says_so_and_names_sink() {
    let Some(stage) = stage("screen") else { return };
    if std::fs::read_dir("/dev/dri").is_ok_and(|entries| entries.count() > 0) {
        return test_support::left_out::note("this machine has a screen");
    }
    for (name, source) in [("video.sh", "clip.mp4"), ("webcam.sh", "clip.mp4"), ("rtsp.sh", "rtsp://127.0.0.1:9/camera")] {
        let without_screen = |source: &str| {
            let mut command = script(&stage, name);
            command.arg(source).env_remove("SINK").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
            let output = run(&mut command);
            assert_eq!(output.status.code(), Some(1), "{name}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let said = without_screen(source);
        assert!(said.contains("no screen") && said.contains("SINK="), "{name}: {said}");
        if name != "rtsp.sh" {
            let said = without_screen("nowhere.mp4");
            assert!(said.contains("nowhere.mp4") && !said.contains("screen"), "{name}: a wrong file name comes first: {said}");
        }
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
fn image_turns_a_photo_upright_as_its_exif_entries_say() {
    let Some(stage) = stage("image-exif").filter(|_| has_program("emotion-photo")) else { return };
    write_png(&stage.path().join("me.png"), &scene().render(0.0));
    let (from, to) = (stage.path().join("me.png"), stage.path().join("side.jpg"));
    let [from, to] = [from, to].map(|path| format!("location={}", path.display()));
    let side = "! pngdec ! videoconvert ! videoflip video-direction=90l ! jpegenc quality=95 ! filesink";
    let line = ["filesrc", &from].into_iter().chain(side.split(' ')).chain([to.as_str()]);
    launch(&stage, &line.collect::<Vec<_>>());
    let jpeg = std::fs::read(stage.path().join("side.jpg")).unwrap();
    // Behind the start of the image, entries with the orientation 6.
    let entries = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    std::fs::write(stage.path().join("side.jpg"), [&jpeg[..2], entries, &jpeg[2..]].concat()).unwrap();
    succeed(run(script(&stage, "image.sh").arg("side.jpg").arg("out.png")));
    assert_marked(&decode(&stage, &stage.path().join("out.png"))[0], &scene().render(0.0));
    std::fs::write(stage.path().join("raw.dng"), b"II*\0").unwrap();
    let output = run(script(&stage, "image.sh").arg("raw.dng"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("raw.dng: expected a photo that can be read, found the raw data"), "{said}");
}

#[test]
fn image_names_its_result_after_the_photo() {
    let Some(stage) = stage("image-name") else { return };
    write_png(&stage.path().join("me.png"), &scene().render(0.0));
    succeed(run(script(&stage, "image.sh").arg(stage.path().join("me.png"))));
    assert!(stage.path().join("me-faces.png").is_file());
}

#[test]
fn image_gives_properties_to_the_elements_that_have_them() {
    let Some(stage) = stage("image-properties") else { return };
    let photo = stage.path().join("me.png");
    write_png(&photo, &scene().render(0.0));
    let image = |arguments: &[&str]| run(script(&stage, "image.sh").arg(&photo).args(arguments));
    for (arguments, marked) in [
        (&["max-faces=2", "emotionfacedetect::threads=1", "emotionclassify::threads=1"][..], true),
        (&["draw-boxes=false", "draw-emoji=false", "draw-labels=false", "draw-scores=false", "draw-ids=false"], false),
        (&["score-threshold=1"], false),
    ] {
        succeed(image(arguments));
        let picture = &decode(&stage, &stage.path().join("me-faces.png"))[0];
        let changed = difference(picture, &scene().render(0.0), |_, _| true);
        assert_eq!(changed > 0.3, marked, "{arguments:?}: mean difference {changed}");
    }
    for (argument, expected) in
        [("no-such=1", "no-such"), ("threads=1", "emotionfacedetect::threads="), ("emotionoverlay::threads=1", "threads")]
    {
        let output = image(&[argument]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{argument}: {said}");
    }
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
    let Some(stage) = stage("demo").filter(|_| has_program("emotion-report")) else { return };
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
    assert!(report.contains("\"id\":2,") && said.contains("result/demo.html"), "{said}");
    assert_eq!(report.matches("\"jpeg\":\"").count(), 2, "a picture of each face");

    let picture = &decode(&stage, &stage.path().join("result/demo.png"))[0];
    assert_marked(picture, &scene().render(0.0));

    let size = |name: &str| stage.path().join(name).metadata().unwrap().len();
    assert!(size("result/demo.mp4") <= 2 * size("clip.mp4"), "{} bytes from {}", size("result/demo.mp4"), size("clip.mp4"));
}

#[test]
fn demo_takes_a_photo() {
    let Some(stage) = stage("demo-photo").filter(|_| has_program("emotion-report")) else { return };
    write_png(&stage.path().join("photo.png"), &scene().render(0.0));
    let said = succeed(run(script(&stage, "demo.sh").args(["photo.png", "result"])));
    assert!(said.contains("1 frames with 2\n"), "{said}");
    let report = read(&stage.path().join("result/demo.html"));
    assert!(report.contains("\"id\":2,"), "{report}");
    assert_eq!(report.matches("\"jpeg\":\"").count(), 2, "a picture of each face");
}

#[test]
fn jq_reads_the_ndjson() {
    let Some(stage) = stage("ndjson") else { return };
    if program(&["jq"]).is_none() {
        return;
    }
    let line = r#"set -o pipefail; "$0" clip.mp4 | jq -r 'select(.label == "happiness") | .id'"#;
    let mut shell = stage.command("bash");
    shell.env("PLUGINS", stage.path().join("plugins")).current_dir(stage.path());
    let said = succeed(run(shell.args(["-c", line]).arg(folder().join("ndjson.sh"))));
    let ids: Vec<&str> = said.lines().collect();
    assert_eq!(ids.len(), FRAMES, "one of the two faces smiles: {said}");
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn a_client_reads_records_from_a_socket() {
    let Some(stage) = stage("tcp") else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let server = Running::start(script(&stage, "tcp.sh").arg("clip.mp4").arg(port.to_string()));
    let socket = until("a server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut text = String::new();
    BufReader::new(socket).read_to_string(&mut text).expect("the server closes the connection");
    assert!(server.succeeds());
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
    assert_eq!(text.matches("happiness ").count(), 3, "a caption each half second in 1.33 s: {text}");
    for (tool, arguments) in [("gst-discoverer-1.0", vec![]), ("ffprobe", vec!["-hide_banner"])] {
        let Some(tool) = program(&[tool]) else { continue };
        let output = run(Command::new(tool).args(arguments).arg(&file));
        let said = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&said).to_lowercase().contains("subtitle"), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn a_browser_loads_the_captions() {
    let Some(stage) = stage("web") else { return };
    succeed(run(script(&stage, "web.sh").args(["clip.mp4", "site"])));
    let site = stage.path().join("site");
    assert_eq!(decode(&stage, &site.join("video.mp4")).len(), FRAMES);
    let times: Vec<String> = read(&site.join("faces.vtt")).lines().filter(|line| line.contains(" --> ")).map(str::to_owned).collect();
    assert_eq!(times.len(), 3, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[0].split(" --> ").nth(1) <= pair[1].split(" --> ").next()), "cues do not overlap: {times:?}");

    let Some(browser) = chromium() else { return };
    let address = serve(site);
    let profile = format!("--user-data-dir={}", stage.path().join("profile").display());
    let options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom", &profile, &address];
    let page = succeed(run(Command::new(browser).args(options)));
    assert_eq!(page.matches("<li>").count(), 3, "{page}");
    assert!(page.contains("face 1: happiness ") || page.contains("face 2: happiness "), "{page}");
}

#[test]
fn rtsp_shows_the_stream_of_a_server() {
    let Some(stage) = stage("rtsp") else { return };
    let camera =
        Camera::start(&format!("( filesrc location={} ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 )", clip(&stage).display()));
    let sink = "video/x-raw,format=RGB ! identity eos-after=4 ! filesink location=shown.rgb";
    succeed(run(script(&stage, "rtsp.sh").arg(&camera.address).env("SINK", sink)));
    let shown = frames(&stage.path().join("shown.rgb"));
    assert!(shown.len() >= 3, "{} frames", shown.len());
    assert_marked(shown.last().unwrap(), &scene().render(0.0));
}

/// Asserts that something is drawn around both faces, and nothing along the bottom edge of the frame.
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
    assert!(edge < 4.0, "something is drawn where there is no face: mean difference {edge}");
}

/// Mean difference of the pixels that `chosen(x, y)` selects.
fn difference(a: &[u8], b: &[u8], chosen: impl Fn(usize, usize) -> bool) -> f32 {
    let pixels = (0..WIDTH * HEIGHT).filter(|&pixel| chosen(pixel % WIDTH, pixel / WIDTH));
    let values = pixels.flat_map(|pixel| pixel * 3..pixel * 3 + 3).map(|at| f32::from(a[at].abs_diff(b[at])));
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / count as f32
}
