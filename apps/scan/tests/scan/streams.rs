// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings that change, begin anywhere, have several tracks, or were cut off.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use emotion_supervise::packages::{Plugins, install};
use serde_json::Value;

use crate::support::{Folder, ended, with_ffmpeg};

/// Options for H.264, with a keyframe each second.
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10 -bf 0";

/// A folder with a video of 20 frames and 2 seconds.
fn folder(test: &str) -> Option<Folder> {
    let folder = with_ffmpeg(test)?;
    folder.lossless_video("source.mkv", 20);
    Some(folder)
}

/// Writes the files one after another.
fn join(folder: &Folder, parts: &[&str], to: &str) {
    let bytes = parts.iter().flat_map(|part| std::fs::read(folder.path(part)).unwrap()).collect::<Vec<u8>>();
    folder.write(to, &bytes);
}

/// Scans a file, and returns its row and the times of its frames.
fn scan(folder: &Folder, file: &str, status: i32) -> (Value, Vec<f64>) {
    folder.run(&format!("{file} --output {file}.ndjson"), status);
    let mut times: Vec<f64> = folder.rows(&format!("{file}.ndjson")).iter().map(|face| face["time_s"].as_f64().unwrap()).collect();
    times.dedup();
    (folder.rows(&format!("{file}.files.ndjson")).remove(0), times)
}

/// Checks that each frame was examined, has both faces, and comes after the one before.
fn assert_complete(folder: &Folder, file: &str, frames: u64) -> Vec<f64> {
    let (row, times) = scan(folder, file, 0);
    assert!(row["frames"] == frames && row["examined"] == frames && row["faces"] == 2 * frames, "{row}");
    assert!(times.len() as u64 == frames && times.is_sorted(), "{file}: {times:?}");
    times
}

#[test]
fn size_rate_format_and_codec_change_in_the_middle() {
    let Some(folder) = folder("changes") else { return };
    for (name, options) in [
        ("a.ts", H264),
        ("small.ts", &format!("-vf scale=240:180 {H264}")),
        ("fast.ts", &format!("-vf fps=20 {H264}")),
        ("deep.ts", "-c:v libx264 -preset ultrafast -pix_fmt yuv422p10le -bf 0"),
        ("other.ts", "-c:v mpeg2video -q:v 3 -r 25 -fps_mode vfr"),
    ] {
        folder.ffmpeg(&format!("-i source.mkv {options} {name}"));
    }
    join(&folder, &["a.ts", "small.ts"], "size.ts");
    join(&folder, &["a.ts", "fast.ts"], "rate.ts");
    join(&folder, &["a.ts", "deep.ts"], "format.ts");
    join(&folder, &["a.ts", "other.ts"], "codec.ts");
    for (name, frames) in [("size.ts", 40), ("rate.ts", 60), ("format.ts", 40), ("codec.ts", 40)] {
        assert_complete(&folder, name, frames);
    }
}

#[test]
fn timestamps_begin_anywhere_wrap_and_begin_again() {
    let Some(folder) = folder("timestamps") else { return };
    folder.ffmpeg(&format!("-i source.mkv {H264} whole.mp4"));
    let expected: Vec<f64> = (0..20).map(|frame| f64::from(frame) / 10.0).collect();
    let near = |times: &[f64], expected: &[f64]| times.iter().zip(expected).all(|(a, b)| (a - times[0] - (b - expected[0])).abs() < 0.002);
    // 33 bits at 90 kHz end at 95,443.7 s.
    for (name, offset) in [("begin.ts", "40000"), ("wrap.ts", "95442.5")] {
        folder.ffmpeg(&format!("-i whole.mp4 -c copy -muxdelay 0 -output_ts_offset {offset} {name}"));
        assert!(near(&assert_complete(&folder, name, 20), &expected), "{name}");
    }
    folder.ffmpeg("-i whole.mp4 -c copy again.ts");
    join(&folder, &["again.ts", "again.ts"], "twice.ts");
    assert_complete(&folder, "twice.ts", 40);
    // An edit list hides the frames between the keyframe and the start.
    folder.ffmpeg("-ss 0.5 -i whole.mp4 -c copy edited.mp4");
    assert!(near(&assert_complete(&folder, "edited.mp4", 15), &expected[5..]));
    folder.ffmpeg(&format!("-i source.mkv -vf setpts=if(lt(N\\,10)\\,N\\,2*N-10)/10/TB -fps_mode vfr {H264} varying.mp4"));
    let varying: Vec<f64> = (0..20).map(|frame| f64::from(if frame < 10 { frame } else { 2 * frame - 10 }) / 10.0).collect();
    assert!(near(&assert_complete(&folder, "varying.mp4", 20), &varying));
    // Its decoder gives timestamps only with direct rendering.
    folder.ffmpeg("-i source.mkv -c:v qtrle animation.mov");
    assert!(near(&assert_complete(&folder, "animation.mov", 20), &expected));
    folder.run("animation.mov --output drawn.ndjson --annotated drawn", 0);
    assert_eq!(folder.frames("drawn/animation.mov.mp4").len(), 20);
}

#[test]
fn the_default_video_is_examined_and_covers_are_not() {
    let Some(folder) = folder("tracks") else { return };
    let other = "-f lavfi -i color=gray:s=160x120:d=2:r=10";
    folder.ffmpeg(&format!("-i source.mkv {other} -map 0 -map 1 {H264} first.mp4"));
    folder.ffmpeg(&format!("{other} -i source.mkv -map 0 -map 1 {H264} -disposition:v:0 0 -disposition:v:1 default second.mkv"));
    for name in ["first.mp4", "second.mkv"] {
        assert_complete(&folder, name, 20);
        assert_eq!(folder.rows(&format!("{name}.files.ndjson"))[0]["video_tracks"], 2, "{name}");
    }
    folder.run("second.mkv --output drawn.ndjson --annotated drawn --report page.html", 0);
    assert_eq!(folder.frames("drawn/second.mkv.mp4").len(), 20, "frames of the size of the default video");
    folder.photo("cover.jpg");
    let sound = "-f lavfi -i sine=d=1";
    let cover = "-i cover.jpg -map 0 -map 1 -c:v copy -disposition:v attached_pic";
    std::fs::create_dir(folder.path("in")).unwrap();
    folder.ffmpeg(&format!("{sound} {cover} -c:a libmp3lame -id3v2_version 3 in/cover.mp3"));
    folder.ffmpeg(&format!("{sound} {cover} -c:a aac in/cover.m4a"));
    folder.ffmpeg(&format!("{sound} {cover} -c:a flac in/cover.flac"));
    folder.ffmpeg(&format!("{sound} {cover} -c:a wmav2 in/cover.wma"));
    folder.ffmpeg(&format!("{sound} -attach cover.jpg -metadata:s:t mimetype=image/jpeg -c:a libopus in/cover.mka"));
    folder.run("in --output covers.ndjson", 0);
    let rows = folder.rows("covers.files.ndjson");
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row["kind"] == "other" && row["error"].is_null() && row["video_tracks"].is_null()), "{rows:?}");
    folder.ffmpeg(
        "-i source.mkv -i cover.jpg -map 0 -map 1 -c:v:0 copy -c:v:1 copy -disposition:v:1 attached_pic -c:v:0 mpeg4 -q:v 3 film.mp4",
    );
    assert_complete(&folder, "film.mp4", 20);
    assert_eq!(folder.rows("film.mp4.files.ndjson")[0]["video_tracks"], 1);
}

#[test]
fn a_recording_that_was_cut_off_says_so() {
    let Some(folder) = folder("cut") else { return };
    let shorten = |from: &str, to: &str| {
        let bytes = std::fs::read(folder.path(from)).unwrap();
        folder.write(to, &bytes[..bytes.len() * 2 / 3]);
    };
    for (name, flags) in
        [("whole.mp4", ""), ("whole.mov", ""), ("start.mp4", "-movflags faststart "), ("parts.mp4", "-movflags frag_keyframe+empty_moov ")]
    {
        folder.ffmpeg(&format!("-i source.mkv {H264} {flags}{name}"));
    }
    for (from, to) in [("whole.mp4", "cut.mp4"), ("whole.mov", "cut.mov")] {
        shorten(from, to);
        let (row, _) = scan(&folder, to, 3);
        let error = row["error"].as_str().unwrap();
        assert!(error.starts_with("the recording was cut off: its index is missing") && error.contains("untrunc"), "{row}");
    }
    for (from, to) in [("start.mp4", "cut-start.mp4"), ("parts.mp4", "cut-parts.mp4")] {
        shorten(from, to);
        let (row, times) = scan(&folder, to, 3);
        assert!(row["error"].as_str().unwrap().contains(" bytes are missing at its end"), "{row}");
        assert!((5..20).contains(&row["examined"].as_u64().unwrap()) && times.is_sorted(), "{row}");
    }
}

#[test]
fn a_file_that_grows_says_so() {
    let Some(folder) = Folder::new("growing") else { return };
    folder.video("growing.ts", 100, 1);
    let mut scan = folder.command("growing.ts --output out.ndjson --quiet").stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    // The folder of parts exists once all files are listed.
    while !folder.path("out.ndjson.parts").exists() {
        assert!(start.elapsed() < Duration::from_secs(60) && scan.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut bytes = std::fs::read(folder.path("growing.ts")).unwrap();
    bytes.extend([0; 188]);
    folder.write("growing.ts", &bytes);
    let printed = ended(scan.wait_with_output().unwrap(), 3);
    assert!(printed.contains("growing.ts: the file was changed while it was examined; scan it again"), "{printed}");
}

#[test]
fn a_missing_decoder_names_its_package() {
    let Some(folder) = folder("packages") else { return };
    folder.ffmpeg("-f lavfi -i sine=d=1:r=48000 -c:a pcm_s16le sound.mov");
    let plugins = Path::new(gst_plugins().trim()).to_owned();
    std::fs::create_dir_all(folder.path("plugins")).unwrap();
    for entry in std::fs::read_dir(plugins).unwrap().flatten().filter(|entry| entry.file_name() != "libgstlibav.so") {
        symlink(entry.path(), folder.path("plugins").join(entry.file_name())).unwrap();
    }
    let mut command = folder.command("source.mkv sound.mov --output out.ndjson");
    command.env("GST_PLUGIN_SYSTEM_PATH_1_0", folder.path("plugins")).env("GST_REGISTRY", folder.path("registry.bin"));
    let printed = ended(command.output().unwrap(), 3);
    let expected = format!("source.mkv: no decoder for video/x-ffv is installed; perhaps this adds one: {}", install(&[Plugins::Libav]));
    assert!(printed.contains(&expected), "{printed}");
    assert_eq!(folder.rows("out.files.ndjson")[1]["kind"], "other");
}

/// The folder of GStreamer's own plugins.
fn gst_plugins() -> String {
    let output = std::process::Command::new("pkg-config").args(["--variable=pluginsdir", "gstreamer-1.0"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
