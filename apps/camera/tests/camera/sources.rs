// SPDX-License-Identifier: MIT OR Apache-2.0
//! Streams that are no RTSP, from a server that is not ours: FFmpeg.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use test_support::broker::{free_port, installed};
use test_support::{fetched, recipes};

use crate::service::{clip, folder, metrics, run, signal};
use crate::support::{Running, picture, wait_for_line, wait_until};

/// Runs FFmpeg on the clip, again and again at its own speed, with these options for the output.
fn ffmpeg(clip: &Path, output: &[&str]) -> Running {
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-re", "-stream_loop", "-1", "-i"]).arg(clip).args(output);
    Running(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
}

/// Opens `address`, and waits until the face was seen in some frames. No secret is printed.
fn watch(folder: &Path, address: &str) {
    let (days, port) = (folder.join("days"), free_port());
    let _ = fs::remove_dir_all(&days);
    let listen = format!("127.0.0.1:{port}");
    let common = ["--files-folder", days.to_str().unwrap(), "--size", "320x240", "--metrics-listen", &listen, "--max-delay", "60"];
    let (mut program, lines) = run(&[&common[..], &[address]].concat());
    wait_for_line(&lines, "receiving the camera's stream");
    wait_until("a face", || metrics(port)("emotion_face_sightings_total") > 5.0);
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success(), "{address}");
    assert!(lines.try_iter().all(|line| !line.contains("0123456789")), "a secret was printed");
}

#[test]
fn streams_of_each_kind_are_read() {
    if !fetched("centerface") || !installed(&["ffmpeg"]) {
        return;
    }
    let folder = folder("sources");
    let clip = clip(&folder);
    let (mjpeg, codec) = (["-c:v", "mjpeg", "-f", "mpjpeg", "-listen", "1", "-content_type"], ["-c:v", "libx264", "-g", "15"]);
    let transport = [&codec[..], &["-f", "mpegts"]].concat();
    for (address, output) in [
        ("udp://:PORT", [&transport[..], &["udp://127.0.0.1:PORT?pkt_size=1316"]].concat()),
        ("rtp://:PORT", [&codec[..], &["-f", "rtp_mpegts", "rtp://127.0.0.1:PORT"]].concat()),
        (
            "srt://127.0.0.1:PORT?passphrase=0123456789",
            [&transport[..], &["srt://127.0.0.1:PORT?mode=listener&passphrase=0123456789"]].concat(),
        ),
        (
            "http://127.0.0.1:PORT/x.mjpg",
            [&mjpeg[..], &["multipart/x-mixed-replace;boundary=ffmpeg", "http://127.0.0.1:PORT/x.mjpg"]].concat(),
        ),
    ] {
        let port = free_port().to_string();
        let output: Vec<String> = output.iter().map(|text| text.replace("PORT", &port)).collect();
        let _server = ffmpeg(&clip, &output.iter().map(String::as_str).collect::<Vec<_>>());
        watch(&folder, &address.replace("PORT", &port));
    }
}

#[test]
fn files_and_playlists_of_a_web_server_are_played() {
    if !fetched("centerface") || !installed(&["ffmpeg"]) {
        return;
    }
    let folder = folder("web");
    let clip = clip(&folder);
    let playlist = folder.join("live.m3u8");
    let segments =
        Command::new("ffmpeg").args(["-loglevel", "error", "-i"]).arg(&clip).args(["-c", "copy", "-f", "hls"]).arg(&playlist).status();
    assert!(segments.unwrap().success());
    let address = recipes::serve(folder.clone());
    for name in ["clip.mp4", "live.m3u8"] {
        watch(&folder, &format!("{address}{name}"));
    }
}

#[test]
fn what_a_launch_line_makes_is_read() {
    if !fetched("centerface") {
        return;
    }
    let folder = folder("launch");
    let picture = picture(&folder, 320, 240);
    let still =
        format!("filesrc location={} blocksize={} ! rawvideoparse format=rgb width=320 height=240", picture.display(), 320 * 240 * 3);
    watch(&folder, &format!("gst:{still} framerate=15/1 ! imagefreeze is-live=true ! videoconvert ! jpegenc"));
    let (mut program, lines) = run(&["--files-folder", folder.join("days").to_str().unwrap(), "gst:videotestsrc ! nonesuch"]);
    wait_for_line(&lines, "nonesuch");
    assert_eq!(program.0.wait().unwrap().code(), Some(1), "it does not try a wrong line again");
}
