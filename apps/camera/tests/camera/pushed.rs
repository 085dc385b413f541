// SPDX-License-Identifier: MIT OR Apache-2.0
//! Video to servers: ffmpeg for RTMP and SRT, GStreamer's RTSP server, and ffmpeg as a reader of HLS.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gst::glib;
use gst_rtsp_server::prelude::*;
use test_support::broker::{free_port, installed};
use test_support::truth_film::{Path as Way, TruthFilm};
use test_support::{fetched, left_out};

use crate::control::{differences, send};
use crate::recorded::{H264, SIZE, serve, write_film};
use crate::service::{Broker, folder, metrics_page, run, signal};
use crate::support::{Running, has, wait_for_line, wait_until};

/// Starts ffmpeg as a server, which writes what it gets to a file.
fn ffmpeg(input: &str, output: &Path) -> Running {
    let options = ["-v", "error", "-y"].into_iter().chain(input.split(' ')).chain(["-c", "copy"]);
    Running(Command::new("ffmpeg").args(options).arg(output).stdin(Stdio::null()).spawn().unwrap())
}

fn rtmp(port: u16, output: &Path) -> Running {
    ffmpeg(&format!("-listen 1 -i rtmp://127.0.0.1:{port}/live/s3cret"), output)
}

/// Starts an RTSP server on a thread of its own that writes what it gets to a file. Returns its address.
fn rtsp(output: &Path) -> String {
    gst::init().unwrap();
    let (port, line) =
        (free_port(), format!("( rtph264depay name=depay0 ! h264parse ! mpegtsmux ! filesink location={} )", output.display()));
    std::thread::spawn(move || {
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_service(&port.to_string());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(&line);
        factory.set_transport_mode(gst_rtsp_server::RTSPTransportMode::RECORD);
        server.mount_points().unwrap().add_factory("/s3cret", factory);
        let context = glib::MainContext::new();
        server.attach(Some(&context)).unwrap();
        glib::MainLoop::new(Some(&context), false).run();
    });
    format!("rtsp://127.0.0.1:{port}/s3cret")
}

/// True where what this needs is installed.
fn is_possible() -> bool {
    gst::init().unwrap();
    let has_client = gst::ElementFactory::find("rtspclientsink").is_some();
    if !has_client {
        left_out::note("no rtspclientsink".to_owned());
    }
    has_client && fetched("centerface") && has("ffmpeg")
}

/// Sends the film to a server of each kind at once, with these options. Returns the film, and what each has got.
fn push(test: &str, options: &[&str]) -> (TruthFilm, [PathBuf; 4]) {
    let (folder, truth) = (folder(test), TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth));
    let source = serve(&write_film(&folder, &truth, H264));
    let got = ["rtmp", "srt", "rtsp", "hls"].map(|kind| folder.join(format!("{kind}.ts")));
    let (ports, hls) = ([free_port(), free_port()], folder.join("hls"));
    let srt = format!("srt://127.0.0.1:{}?passphrase=s3cret-s3cret", ports[1]);
    let mut servers = [rtmp(ports[0], &got[0]), ffmpeg(&format!("-i {srt}&mode=listener"), &got[1])];
    let rtmp = format!("rtmp://127.0.0.1:{}/live/s3cret", ports[0]);
    let targets = [rtmp, srt, rtsp(&got[2]), format!("hls:{}", hls.display())];
    let targets: Vec<&str> = targets.iter().flat_map(|target| ["--push", target]).collect();
    let (mut camera, lines) = run(&[&["--size", "320x240", &source], options, &targets].concat());
    let mut all = Vec::new();
    wait_until("all four targets", || {
        all.extend(lines.try_iter());
        all.iter().filter(|line| line.contains(": pushing to ")).count() == 4
    });
    std::thread::sleep(Duration::from_secs(4));
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    all.extend(lines.try_iter());
    assert!(all.iter().all(|line| !line.contains("s3cret")), "{all:?}");
    wait_until("the servers to end", || servers.iter_mut().all(|server| server.0.try_wait().unwrap().is_some()));
    assert!(ffmpeg(&format!("-i {}", hls.join("index.m3u8").display()), &got[3]).0.wait().unwrap().success());
    (truth, got)
}

#[test]
fn the_camera_s_own_h264_reaches_a_server_of_each_kind_at_once() {
    if !is_possible() {
        return;
    }
    let (truth, got) = push("pushed", &[]);
    for file in got {
        let shown = differences(&file, &truth);
        assert!(shown.len() > 20 && shown.iter().all(|difference| *difference < 6.0), "{}: {shown:?}", file.display());
    }
}

#[test]
fn with_blur_no_server_gets_a_face() {
    if !is_possible() {
        return;
    }
    let (truth, got) = push("pushed-blur", &["--blur", "pixelate"]);
    for file in got {
        let hidden = differences(&file, &truth);
        assert!(hidden.len() > 10 && hidden.iter().all(|difference| *difference > 6.0), "{}: {hidden:?}", file.display());
    }
}

#[test]
fn blur_by_a_command_ends_the_camera_s_own_picture_on_servers() {
    if !is_possible() || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let (folder, truth) = (folder("pushed-switched"), TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth));
    let (broker, source) = (Broker::start(&folder), serve(&write_film(&folder, &truth, H264)));
    let (port, switches) = (free_port(), folder.join("switches.json"));
    let (target, location) = (format!("rtmp://127.0.0.1:{port}/live/s3cret"), format!("mqtt://127.0.0.1:{}/emotion/door", broker.port));
    let got = ["shown.ts", "hidden.ts"].map(|file| folder.join(file));
    let has_video = |file: &Path| std::fs::metadata(file).is_ok_and(|file| file.len() > 30_000);
    let mut server = rtmp(port, &got[0]);
    let options = ["--size", "320x240", "--push", &target, "--publish-location", &location, "--publish-switches-file"];
    let (mut camera, _lines) = run(&[&options[..], &[switches.to_str().unwrap(), &source]].concat());
    wait_until("the camera's own picture", || has_video(&got[0]));
    send(&broker, r#"{"blur": true}"#, &[]);
    wait_until("the end of its stream", || server.0.try_wait().unwrap().is_some());
    let mut server = rtmp(port, &got[1]);
    wait_until("hidden faces", || has_video(&got[1]));
    std::thread::sleep(Duration::from_secs(2));
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    wait_until("the end of the stream", || server.0.try_wait().unwrap().is_some());
    let [shown, hidden] = got.map(|file| differences(&file, &truth));
    assert!(shown.len() > 10 && shown.iter().all(|difference| *difference < 6.0), "{shown:?}");
    assert!(hidden.len() > 10 && hidden.iter().all(|difference| *difference > 6.0), "{hidden:?}");
}

#[test]
fn a_check_says_which_element_is_missing_for_an_address() {
    gst::init().unwrap();
    let has_client = ["whipclientsink", "whipsink"].iter().any(|element| gst::ElementFactory::find(element).is_some());
    let (mut program, lines) = run(&["--check", "--push", "whip+https://host/s3cret", "rtsp://127.0.0.1:1/live"]);
    assert_eq!(program.0.wait().unwrap().code(), Some(if has_client { 0 } else { 2 }));
    if !has_client {
        wait_for_line(&lines, "--push: whip+https://host needs GStreamer's element whipclientsink: it is in gst-plugins-rs");
    }
}

#[test]
fn a_server_that_vanishes_and_returns_gets_the_video_again_and_disturbs_no_other() {
    if !is_possible() {
        return;
    }
    let (folder, truth) = (folder("pushed-again"), TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth));
    let source = serve(&write_film(&folder, &truth, H264));
    let (port, page, hls) = (free_port(), free_port(), folder.join("hls"));
    let (target, listen) = (format!("rtmp://127.0.0.1:{port}/live/s3cret"), format!("127.0.0.1:{page}"));
    let hls = format!("hls:{}", hls.display());
    let (mut camera, lines) =
        run(&["--name", "door", "--size", "320x240", "--metrics-listen", &listen, "--push", &target, "--push", &hls, &source]);
    let name = format!("rtmp://127.0.0.1:{port}");
    wait_for_line(&lines, &format!("{name}: Connection refused"));
    for attempt in 0..2 {
        let got = folder.join(format!("{attempt}.ts"));
        let mut server = rtmp(port, &got);
        wait_for_line(&lines, &format!("pushing to {name}"));
        wait_until("video on the server", || std::fs::metadata(&got).is_ok_and(|file| file.len() > 30_000));
        let all = metrics_page(page);
        let metric = |metric: &str, target: u32, address: &str| -> f64 {
            let sample = format!("{metric}{{name=\"door\",target=\"{target}\",address=\"{address}\"}} ");
            all.lines().find_map(|line| line.strip_prefix(&sample)).unwrap_or_else(|| panic!("no {sample} in {all}")).parse().unwrap()
        };
        assert_eq!((metric("emotion_push_up", 1, &name), metric("emotion_push_up", 2, &hls)), (1.0, 1.0));
        assert!(metric("emotion_push_failures_total", 1, &name) > f64::from(attempt));
        assert!(metric("emotion_push_frames_total", 1, &name) > 10.0);
        assert_eq!(metric("emotion_push_failures_total", 2, &hls), 0.0);
        signal(&server, "-TERM");
        server.0.wait().unwrap();
        wait_for_line(&lines, &format!("{name}: "));
        let shown = differences(&got, &truth);
        assert!(shown.len() > 10 && shown.iter().all(|difference| *difference < 6.0), "{attempt}: {shown:?}");
    }
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
}
