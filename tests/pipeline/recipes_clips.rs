// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scripts of `pipelines/` with the clips that people have: large, upright or turned, with and without sound.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use test_support::gstreamer::Stage;
use test_support::recipes::*;

/// AAC of about the clip's length.
const TONE: &str = "audiotestsrc num-buffers=56 samplesperbuffer=1024 ! audio/x-raw,rate=44100,channels=1 ! avenc_aac ! aacparse";

/// A decoder. Why it has this property: `safe_decoding` in `pipelines/env.sh`.
const DECODE: &str = "decodebin expose-all-streams=false avdec_h264-0::direct-rendering=false";

/// Runs a launch line in which `FROM` and `TO` are the paths of files.
fn convert(stage: &Stage, from: &Path, line: &str, to: &Path) {
    let word = |word: &str| match word {
        "FROM" => format!("location={}", from.display()),
        "TO" => format!("location={}", to.display()),
        word => word.to_owned(),
    };
    let words: Vec<String> = line.split_whitespace().map(word).collect();
    launch(stage, &words.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The clip after `change`, with the elements `sound` as its sound, in a file whose name has to be quoted.
fn changed_clip(stage: &Stage, change: &str, sound: Option<&str>, container: &str) -> PathBuf {
    let file = stage.path().join(format!("zwei Gesichter, groß.{container}"));
    let muxer = if container == "mkv" { "matroskamux" } else { "mp4mux" };
    let sound = sound.map_or(String::new(), |sound| format!("{sound} ! queue ! mux."));
    let encoder = "x264enc tune=zerolatency speed-preset=ultrafast pass=qual quantizer=20 ! h264parse";
    let line = format!("filesrc FROM ! decodebin ! videoconvert ! {change} ! {encoder} ! queue ! {muxer} name=mux ! filesink TO {sound}");
    convert(stage, &clip(stage), &line, &file);
    file
}

/// The clip with its video half a second after the start of its sound.
fn late_clip(stage: &Stage) -> PathBuf {
    let file = stage.path().join("late.mp4");
    let video = "filesrc name=from ! decodebin ! videoconvert ! x264enc tune=zerolatency ! h264parse ! identity name=late ! queue";
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{video} ! mp4mux name=mux ! filesink name=to {TONE} ! queue ! mux."));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("from").unwrap().set_property("location", clip(stage).to_str());
    pipeline.by_name("to").unwrap().set_property("location", file.to_str());
    pipeline.by_name("late").unwrap().static_pad("src").unwrap().set_offset(500_000_000);
    test_support::gstreamer::play(&pipeline).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    file
}

/// Writes the rotation of a phone that is held upright into the only video track of an MP4 file: a quarter clockwise.
fn tag_rotation(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    // The matrix of the box `tkhd`, version 0, is at byte 40 of its fields (ISO/IEC 14496-12, 8.3.2).
    let at = bytes.windows(4).position(|name| name == b"tkhd").unwrap() + 4 + 40;
    let matrix: [u32; 9] = [0, 0x1_0000, 0, 0xFFFF_0000, 0, 0, 0, 0, 0x4000_0000];
    bytes[at..at + 36].copy_from_slice(&matrix.map(u32::to_be_bytes).concat());
    std::fs::write(file, bytes).unwrap();
}

/// Width and height of the first frame of a video.
fn size(stage: &Stage, file: &Path) -> (u32, u32) {
    let png = stage.path().join("first.png");
    convert(
        stage,
        file,
        &format!("filesrc FROM ! {DECODE} caps=video/x-raw(ANY) ! videoconvert ! pngenc snapshot=true ! filesink TO"),
        &png,
    );
    png::Decoder::new(std::io::BufReader::new(std::fs::File::open(png).unwrap())).read_info().unwrap().info().size()
}

/// Number of frames of a video.
fn count_frames(stage: &Stage, file: &Path) -> usize {
    let grey = stage.path().join("grey");
    convert(
        stage,
        file,
        &format!(
            "filesrc FROM ! {DECODE} caps=video/x-raw(ANY) ! videoconvert ! videoscale ! video/x-raw,format=GRAY8,width=8,height=8 ! filesink TO"
        ),
        &grey,
    );
    std::fs::read(grey).unwrap().len() / 64
}

/// Seconds of sound in a file, and whether it is audible.
fn heard(stage: &Stage, file: &Path) -> (f32, bool) {
    let raw = stage.path().join("sound.raw");
    let caps = "audio/x-raw,format=S16LE,layout=interleaved,rate=44100,channels=1";
    convert(
        stage,
        file,
        &format!(
            "filesrc FROM ! decodebin expose-all-streams=false caps=audio/x-raw ! audioconvert ! audioresample ! {caps} ! filesink TO"
        ),
        &raw,
    );
    let bytes = std::fs::read(raw).unwrap();
    let loud = bytes.chunks_exact(2).any(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() > 3000);
    (bytes.len() as f32 / 2.0 / 44100.0, loud)
}

/// The AAC of a file.
fn aac(stage: &Stage, file: &Path) -> Vec<u8> {
    let raw = stage.path().join("sound.aac");
    convert(
        stage,
        file,
        "filesrc FROM ! parsebin ! audio/mpeg,mpegversion=4 ! aacparse ! audio/mpeg,stream-format=raw ! filesink TO",
        &raw,
    );
    std::fs::read(raw).unwrap()
}

/// The videos that the recipes write for a clip, by the script that writes them.
fn written_videos(stage: &Stage, clip: &Path) -> Vec<(&'static str, PathBuf)> {
    let at = |name: &str| stage.path().join(name);
    let mut scripts = vec![
        ("record.sh", vec!["both"], vec!["both/clean.mp4", "both/annotated.mp4"]),
        ("web.sh", vec!["site"], vec!["site/video.mp4"]),
        ("subtitles.sh", vec!["faces.mkv"], vec!["faces.mkv"]),
    ];
    if has_program("emotion-report") {
        scripts.push(("demo.sh", vec!["demo of it"], vec!["demo of it/demo.mp4"]));
    }
    if bindings() {
        scripts.push(("hls.sh", vec!["live", "60"], vec!["live/whole.mp4"]));
    }
    let mut videos = Vec::new();
    for (name, arguments, files) in scripts {
        succeed(run(script(stage, name).arg(clip).args(arguments)));
        if name == "hls.sh" {
            let parts = ["live/init-00000.mp4", "live/00000.m4s"].map(|part| std::fs::read(at(part)).unwrap());
            std::fs::write(at("live/whole.mp4"), parts.concat()).unwrap();
        }
        videos.extend(files.into_iter().map(|file| (name, at(file))));
    }
    videos
}

/// Runs every script on the clip and asserts that all see the same upright faces.
fn assert_taken(stage: &Stage, clip: &Path, upright: (u32, u32), has_sound: bool) {
    for (name, video) in written_videos(stage, clip) {
        assert_eq!(size(stage, &video), upright, "{name}");
        assert_eq!(count_frames(stage, &video), FRAMES, "{name}");
        if has_sound {
            assert!(aac(stage, &video) == aac(stage, clip), "{name} copies the sound");
        }
    }
    let records = json_lines(&succeed(run(script(stage, "ndjson.sh").arg(clip))));
    assert_eq!(records.len(), 2 * FRAMES, "two faces on every frame");
    assert_eq!(records.iter().filter(|record| record["label"] == "happiness").count(), FRAMES);

    for name in ["video.sh", "webcam.sh"] {
        let sink = "identity eos-after=2 ! pngenc snapshot=true ! filesink location=shown.png";
        succeed(run(script(stage, name).arg(clip).env("SINK", sink)));
        assert_eq!(size(stage, &stage.path().join("shown.png")), upright, "{name}");
    }
    succeed(run(script(stage, "image.sh").arg(clip).arg("a picture.png")));
    assert_eq!(size(stage, &stage.path().join("a picture.png")), upright);
    succeed(run(script(stage, "tcp.sh").arg(clip).arg("0")));
}

#[test]
fn every_script_takes_a_720p_clip_with_sound() {
    let Some(stage) = stage("720p") else { return };
    let clip = changed_clip(&stage, "videoscale ! video/x-raw,width=1280,height=720", Some(TONE), "mp4");
    assert_taken(&stage, &clip, (1280, 720), true);
}

#[test]
fn every_script_takes_a_portrait_clip_without_sound() {
    let Some(stage) = stage("portrait") else { return };
    let clip = changed_clip(&stage, "videoscale ! video/x-raw,width=360,height=640,pixel-aspect-ratio=1/1", None, "mp4");
    assert_taken(&stage, &clip, (360, 640), false);
}

#[test]
fn every_script_turns_a_clip_with_a_rotation_tag_upright() {
    let Some(stage) = stage("turned") else { return };
    let clip = changed_clip(&stage, "videoflip video-direction=90l", Some(TONE), "mp4");
    assert_eq!(size(&stage, &clip), (HEIGHT as u32, WIDTH as u32), "frames are stored on their side");
    tag_rotation(&clip);
    assert_taken(&stage, &clip, (WIDTH as u32, HEIGHT as u32), true);
}

#[test]
fn sound_that_mp4_players_do_not_know_is_encoded_again() {
    let Some(stage) = stage("vorbis") else { return };
    let tone = TONE.split(" ! avenc_aac").next().unwrap();
    let clip = changed_clip(&stage, "identity", Some(&format!("{tone} ! audioconvert ! vorbisenc")), "mkv");
    let (length, _) = heard(&stage, &clip);
    for (name, out, said) in [
        ("web.sh", ".", Some("the sound is encoded as AAC")),
        ("record.sh", ".", Some("the sound is encoded as AAC")),
        ("subtitles.sh", "faces.mkv", None),
    ] {
        let output = run(script(&stage, name).arg(&clip).arg(out));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        succeed(output);
        assert_eq!(told.contains("the sound is encoded"), said.is_some(), "{name}: {told}");
    }
    for file in ["video.mp4", "clean.mp4", "annotated.mp4", "faces.mkv"] {
        let (seconds, audible) = heard(&stage, &stage.path().join(file));
        assert!(audible && (seconds - length).abs() < 0.1, "{file}: {seconds} s of {length} s");
    }
    let vorbis = stage.path().join("vorbis");
    convert(&stage, &stage.path().join("faces.mkv"), "filesrc FROM ! parsebin ! audio/x-vorbis ! filesink TO", &vorbis);
    assert!(vorbis.metadata().unwrap().len() > 1000, "Matroska keeps the sound as it is");
}

/// On a busy machine, a script may not find out in time that the sound could be copied.
#[test]
fn sound_whose_format_is_found_too_late_is_encoded_again() {
    let Some(stage) = stage("slow-sound") else { return };
    let clip = changed_clip(&stage, "identity", Some(TONE), "mp4");
    let (length, _) = heard(&stage, &clip);
    // A function of the script's shell, which is called instead of the program.
    let late = "() { case \"$*\" in *caps=audio/mpeg,mpegversion=4\\ *) return 124 ;; esac; command timeout \"$@\"; }";
    let output = run(script(&stage, "record.sh").arg(&clip).env("BASH_FUNC_timeout%%", late));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    succeed(output);
    assert!(told.contains("the sound is encoded as AAC"), "{told}");
    let (seconds, audible) = heard(&stage, &stage.path().join("clean.mp4"));
    assert!(audible && (seconds - length).abs() < 0.1, "{seconds} s of {length} s");
}

#[test]
fn a_video_that_starts_after_its_sound_keeps_its_time() {
    let Some(stage) = stage("late").filter(|_| has_program("emotion-report")) else { return };
    let clip = late_clip(&stage);
    let first_time = |records: &str| json_lines(records)[0]["stream_time"].as_u64().unwrap() as f32 / 1e9;
    let videos = written_videos(&stage, &clip);
    let expected = first_time(&read(&stage.path().join("demo of it/demo.ndjson")));
    assert!((expected - 0.5).abs() < 0.05, "{expected}");
    let (length, _) = heard(&stage, &clip);
    for (name, video) in videos {
        let time = first_time(&succeed(run(script(&stage, "ndjson.sh").arg(&video))));
        let (seconds, _) = heard(&stage, &video);
        // The times of HTTP Live Streaming start with the first frame, and so does its sound.
        let (start, sound) = if name == "hls.sh" { (0.0, length - expected) } else { (expected, length) };
        assert!((time - start).abs() < 0.05, "{name}: the first frame is at {time} s");
        assert!((seconds - sound).abs() < 0.1, "{name}: {seconds} s of sound");
    }
}

#[test]
fn the_sound_of_a_network_camera_is_recorded_only_if_that_is_asked_for() {
    let Some(stage) = stage("camera-sound") else { return };
    let clip = changed_clip(&stage, "identity", Some(TONE), "mp4");
    let camera = Camera::start(&format!(
        "( filesrc location=\"{}\" ! qtdemux name=file file.video_0 ! queue ! h264parse ! rtph264pay name=pay0 pt=96 \
         file.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )",
        clip.display()
    ));
    for (folder, sound) in [("mute", None), ("loud", Some("true"))] {
        let mut record = script(&stage, "record.sh");
        record.arg(&camera.address).arg(folder).envs(sound.map(|sound| ("SOUND", sound)));
        succeed(run(&mut record));
        for name in ["clean.mp4", "annotated.mp4"] {
            let video = stage.path().join(folder).join(name);
            assert!(count_frames(&stage, &video) > FRAMES / 2, "{folder}/{name}");
            let has_sound = std::fs::read(&video).unwrap().windows(4).any(|kind| kind == b"mp4a");
            assert_eq!(has_sound, sound.is_some(), "{folder}/{name}");
        }
    }
}
