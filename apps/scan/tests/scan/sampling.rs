// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--every` decodes what is examined and little else, and the rows are those of a scan of all frames.

use serde_json::Value;
use test_support::left_out;

use crate::support::Folder;

/// Frames of each video, in a second.
const RATE: usize = 25;
/// Four seconds.
const FRAMES: usize = 100;
/// File, encoder with a keyframe each second, and muxer. `{key}` is the number of frames from one keyframe to the next.
const CODECS: [(&str, &str); 10] = [
    ("h264.mp4", "x264enc speed-preset=ultrafast bframes=2 b-adapt=false key-int-max={key} option-string=scenecut=0 ! h264parse ! mp4mux"),
    (
        "open.mkv",
        "x264enc speed-preset=ultrafast bframes=2 b-adapt=false key-int-max={key} option-string=scenecut=0:open-gop=1 ! h264parse ! matroskamux",
    ),
    (
        "stream.ts",
        "x264enc speed-preset=ultrafast bframes=2 b-adapt=false key-int-max={key} option-string=scenecut=0 ! h264parse ! mpegtsmux",
    ),
    ("hevc.mkv", "x265enc speed-preset=ultrafast key-int-max={key} option-string=scenecut=0 ! h265parse ! matroskamux"),
    ("vp9.webm", "vp9enc deadline=1 cpu-used=8 keyframe-max-dist={key} ! webmmux"),
    ("av1.mkv", "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist={key} ! av1parse ! matroskamux"),
    ("mpeg2.ts", "mpeg2enc format=3 bitrate=4000 min-gop-size={key} max-gop-size={key} ! mpegvideoparse ! mpegtsmux"),
    ("mpeg4.avi", "avenc_mpeg4 bitrate=2000000 gop-size={key} ! avimux"),
    ("mjpeg.avi", "jpegenc ! avimux"),
    ("prores.mov", "videoconvert ! avenc_prores ! qtmux"),
];

/// Writes the video, unless its encoder is not installed.
fn video(folder: &Folder, (name, line): (&str, &str), key: usize) -> bool {
    gst::init().unwrap();
    let encoder = line.split(" ! ").find(|part| part.contains("enc")).and_then(|part| part.split(' ').next()).unwrap();
    if gst::ElementFactory::find(encoder).is_none() {
        left_out::note(encoder);
        return false;
    }
    folder.encoded_movement(name, FRAMES, RATE, &line.replace("{key}", &key.to_string()), |_, _| {});
    true
}

/// The row of the only file.
fn file(folder: &Folder, table: &str) -> Value {
    let rows = folder.rows(&format!("{table}.files.ndjson"));
    assert_eq!(rows.len(), 1);
    rows[0].clone()
}

/// Scans the video into a table, and returns the rows of its faces.
fn scan(folder: &Folder, name: &str, table: &str, options: &str) -> Vec<Value> {
    folder.run(format!("{name} --output {table}.ndjson --quiet {options}").trim_end(), 0);
    folder.rows(&format!("{table}.ndjson"))
}

fn times(rows: &[Value]) -> Vec<f64> {
    rows.iter().map(|row| row["time_s"].as_f64().unwrap()).collect()
}

/// Each row is that of the same frame in a scan of all frames. The face moves by 0.2 of the frame between two samples.
fn assert_same_frames(rows: &[Value], all: &[Value], name: &str) {
    for row in rows {
        let same = all.iter().find(|other| other["frame"] == row["frame"]).unwrap_or_else(|| panic!("{name}: {row}"));
        assert_eq!(row["time_ns"], same["time_ns"], "{name}: frame {}", row["frame"]);
        let [x, expected] = [row, same].map(|row| row["x"].as_f64().unwrap());
        assert!((x - expected).abs() < 0.03, "{name}: the face is at {x} instead of {expected} on frame {}", row["frame"]);
    }
}

#[test]
fn keyframes_alone_are_decoded_where_they_are_close() {
    let Some(folder) = Folder::new("keyframes") else { return };
    for codec in CODECS {
        let name = codec.0;
        if !video(&folder, codec, RATE) {
            continue;
        }
        let (all, sampled) = (scan(&folder, name, "all", ""), scan(&folder, name, "sampled", "--every 2"));
        let (whole, row) = (file(&folder, "all"), file(&folder, "sampled"));
        assert!(whole["frames"] == FRAMES && row["frames"] == FRAMES, "{name}: {whole} {row}");
        // The clock of a transport stream starts late, so its last frame may be behind the fourth second.
        let samples = sampled.len() as u64;
        assert!(row["examined"] == samples && row["decoded"] == samples && (2..=3).contains(&samples), "{name}: {row}");
        assert!(
            times(&sampled).iter().zip([0.0, 2.0, 4.0]).all(|(time, near)| (time - near).abs() <= 1.0),
            "{name}: {:?}",
            times(&sampled)
        );
        assert_same_frames(&sampled, &all, name);
    }
}

#[test]
fn frames_are_decoded_up_to_the_time_where_keyframes_are_far_apart() {
    let Some(folder) = Folder::new("distant-keyframes") else { return };
    for codec in CODECS {
        let name = codec.0;
        if !video(&folder, codec, 3 * RATE) {
            continue;
        }
        let (exact, sampled) = (scan(&folder, name, "exact", "--every 0.7 --exact"), scan(&folder, name, "sampled", "--every 0.7"));
        let (whole, row) = (file(&folder, "exact"), file(&folder, "sampled"));
        assert!(whole["decoded"] == FRAMES && row["frames"] == FRAMES, "{name}: {whole} {row}");
        assert!(row["examined"] == whole["examined"] && row["decoded"].as_u64() < Some(FRAMES as u64), "{name}: {row}");
        if name.starts_with("mjpeg") || name.starts_with("prores") {
            // Each frame is a keyframe, so the nearest one is taken.
            assert_eq!(row["decoded"], row["examined"], "{name}: {row}");
            let pairs = times(&sampled).into_iter().zip(times(&exact));
            assert!(pairs.into_iter().all(|(near, after)| (0.0..=1.0 / RATE as f64 + 1e-6).contains(&(after - near))), "{name}");
        } else {
            assert_eq!(times(&sampled), times(&exact), "{name}");
            assert_same_frames(&sampled, &exact, name);
        }
    }
}

#[test]
fn a_sampled_scan_does_not_depend_on_jobs_and_its_slices_leave_no_gap() {
    let Some(folder) = Folder::new("sampled-slices") else { return };
    folder.video("long.mp4", 100, 1);
    folder.run("long.mp4 --output one.ndjson --every 7 --jobs 1", 0);
    folder.run("long.mp4 --output two.ndjson --every 7 --jobs 2", 0);
    for suffix in ["ndjson", "files.ndjson"] {
        assert!(folder.read(&format!("one.{suffix}")) == folder.read(&format!("two.{suffix}")), "{suffix}");
    }
    let rows = folder.rows("one.ndjson");
    // Tracks last until the next sample.
    let tracks = folder.rows("one.tracks.ndjson");
    assert!(tracks.len() == 4 && tracks.iter().all(|track| track["frames"].as_u64() > Some(5)), "two faces in two slices: {tracks:?}");
    folder.run("long.mp4 --output short.ndjson --every 7 --set facedetect.track-timeout=1000000000", 0);
    assert_eq!(folder.rows("short.tracks.ndjson").len(), rows.len(), "each sample is a track of its own");
    // Keyframes are ten seconds apart, so frames are decoded up to each time.
    let found: Vec<f64> = times(&rows).into_iter().step_by(2).collect();
    assert_eq!(found, (0..15).map(|sample| 7.0 * f64::from(sample)).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["frame"].as_f64() == row["time_s"].as_f64()), "a frame a second");
    let keyframes = scan(&folder, "long.mp4", "keyframes", "--every 12");
    let found: Vec<f64> = times(&keyframes).into_iter().step_by(2).collect();
    assert_eq!(found, [0.0, 10.0, 20.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
    assert!(file(&folder, "keyframes")["decoded"].as_u64() < Some(15), "{}", file(&folder, "keyframes"));
}

#[test]
fn wrong_marks_of_keyframes_cost_time_and_no_rows() {
    let Some(folder) = Folder::new("wrong-marks") else { return };
    let unmarked = |_: u64, buffer: &mut gst::Buffer| buffer.make_mut().unset_flags(gst::BufferFlags::DELTA_UNIT);
    folder.encoded_movement(
        "marks.webm",
        FRAMES,
        RATE,
        "vp8enc deadline=1 keyframe-max-dist=1000 ! identity name=change ! webmmux",
        unmarked,
    );
    let exact = scan(&folder, "marks.webm", "exact", "--every 2 --exact");
    let sampled = scan(&folder, "marks.webm", "sampled", "--every 2");
    assert_eq!(sampled, exact, "all frames are marked as keyframes");
    assert_eq!(exact.len(), 2);

    // The third keyframe, at 2 s, cannot be decoded.
    let broken = |number: u64, buffer: &mut gst::Buffer| {
        if number == 2 * RATE as u64 {
            let mut cut = buffer.copy_region(gst::BufferCopyFlags::MEMORY, 0..6).unwrap();
            buffer.copy_into(cut.get_mut().unwrap(), gst::BUFFER_COPY_METADATA, ..).unwrap();
            *buffer = cut;
        }
    };
    let line = "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=25 ! identity name=change ! webmmux";
    folder.encoded_movement("broken.webm", FRAMES, RATE, line, broken);
    let exact = scan(&folder, "broken.webm", "exact", "--every 1 --exact");
    let sampled = scan(&folder, "broken.webm", "sampled", "--every 1");
    assert_eq!(sampled, exact, "the slice is examined again");
    assert_eq!(file(&folder, "sampled"), file(&folder, "exact"));
}
