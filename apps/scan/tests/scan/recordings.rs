// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings of many containers and codecs, made by ffmpeg. A table in docs/formats.md has what this test finds;
//! `UPDATE_RECORDINGS=1 cargo test -p emotion-scan --test scan recordings` rewrites it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, with_ffmpeg};

/// Frames of each recording.
const FRAMES: u64 = 5;
/// The lines around the table in docs/formats.md.
const MARKERS: [&str; 2] = ["<!-- recordings -->\n", "<!-- end of recordings -->\n"];
/// A video codec, the options of ffmpeg that select it, and for each file its suffix and pixel format.
const RECORDINGS: [(&str, &str, &str); 31] = [
    (
        "H.264",
        "-c:v libx264 -preset ultrafast",
        "mp4 yuv420p, mov yuv422p, mkv yuv444p, mp4 yuv420p10le, ts yuv422p10le, avi yuv420p, flv yuv420p, 3gp yuv420p, h264 gray",
    ),
    ("H.264 in MXF", "-c:v libx264 -preset ultrafast -r 25", "mxf yuv420p, mxf yuv422p10le"),
    (
        "HEVC",
        "-c:v libx265 -preset ultrafast -x265-params log-level=none",
        "mp4 yuv420p, mov yuv420p10le, ts yuv420p, mkv yuv422p12le, mp4 yuv444p10le",
    ),
    ("VP8", "-c:v libvpx -deadline realtime", "webm yuv420p"),
    ("VP9 with alpha", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "webm yuva420p"),
    ("VP9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "webm yuv420p, mp4 yuv420p, ivf yuv420p, mkv yuv420p10le, mkv yuv444p12le"),
    ("AV1", "-c:v libaom-av1 -usage realtime -cpu-used 8", "mkv yuv420p, mp4 yuv420p10le, webm yuv420p"),
    ("MPEG-1", "-c:v mpeg1video -q:v 3 -r 25", "mpg yuv420p"),
    ("MPEG-2", "-c:v mpeg2video -q:v 3 -r 25", "mpg yuv420p, ts yuv422p, vob yuv420p, mxf yuv422p, m2v yuv420p"),
    ("MPEG-4", "-c:v mpeg4 -q:v 3", "mp4 yuv420p, avi yuv420p, 3gp yuv420p"),
    ("DivX 3", "-c:v msmpeg4 -q:v 3", "avi yuv420p"),
    ("H.263", "-c:v h263 -s 352x288 -q:v 3", "3gp yuv420p"),
    ("Motion JPEG", "-c:v mjpeg -q:v 3", "avi yuvj420p, mov yuvj422p, mkv yuvj444p"),
    ("ProRes", "-c:v prores_ks", "mov yuv422p10le, mov yuva444p10le"),
    ("DNxHD", "-c:v dnxhd -b:v 90M -s 1280x720 -r 25", "mxf yuv422p, mov yuv422p"),
    ("DNxHR SQ", "-c:v dnxhd -profile:v dnxhr_sq -r 25", "mxf yuv422p, mov yuv422p"),
    ("DNxHR 444", "-c:v dnxhd -profile:v dnxhr_444 -r 25", "mxf yuv444p10le, mov yuv444p10le"),
    ("CineForm", "-c:v cfhd", "mov yuv422p10le"),
    ("DV", "-c:v dvvideo -s 720x576 -r 25", "dv yuv420p, avi yuv420p"),
    ("FFV1", "-c:v ffv1 -level 3", "mkv yuv420p, avi yuv422p, mkv yuv422p10le, mkv gray16le, mkv yuv444p16le"),
    ("HuffYUV", "-c:v huffyuv", "avi yuv422p, avi rgb24"),
    ("Animation (QuickTime)", "-c:v qtrle", "mov rgb24"),
    ("PNG", "-c:v png", "mov rgba, mov rgb48be"),
    ("without compression", "-c:v rawvideo", "avi yuv420p, mov uyvy422, mkv yuv420p"),
    ("YUV4MPEG2", "-c:v wrapped_avframe -strict -1", "y4m yuv420p, y4m yuv420p10le"),
    ("v210", "-c:v v210", "mov yuv422p10le"),
    // Its encoder writes nothing for a frame that equals the last one.
    ("Theora", "-c:v libtheora -q:v 8 -vf noise=alls=2:allf=t", "ogv yuv420p"),
    ("Windows Media 7, 8", "-c:v wmv2 -q:v 3", "wmv yuv420p, asf yuv420p"),
    ("Sorenson", "-c:v flv1 -q:v 3", "flv yuv420p"),
    ("UT Video", "-c:v utvideo", "avi yuv420p"),
    ("any in NUT", "-c:v mpeg4 -q:v 3", "nut yuv420p"),
];

#[test]
fn the_table_of_recordings_holds() {
    let Some(folder) = with_ffmpeg("recordings") else { return };
    folder.lossless_video("source.mkv", FRAMES as usize);
    let mut files = BTreeMap::new();
    for (codec, options, variants) in RECORDINGS {
        for (number, variant) in variants.split(", ").enumerate() {
            let (suffix, pixels) = variant.split_once(' ').unwrap();
            let name = format!("in/{}-{number}.{suffix}", codec.replace([' ', ','], "-"));
            std::fs::create_dir_all(folder.path("in")).unwrap();
            folder.ffmpeg(&format!("-i source.mkv {options} -pix_fmt {pixels} {name}"));
            files.insert(name, (codec, variant));
        }
    }
    folder.run("in --output out.ndjson", 3);
    let results = folder.rows("out.files.ndjson").into_iter().map(|row| (files[row["file"].as_str().unwrap()], result(&row)));
    check_faces(&folder);
    compare_with_docs(&table(&results.collect::<Vec<_>>()));
}

/// What became of a file, in a few words.
fn result(row: &Value) -> String {
    let Some(error) = row["error"].as_str() else {
        let frames = row["frames"].as_u64().unwrap();
        assert!(row["kind"] == "video" && frames >= FRAMES && row["faces"] == 2 * frames && row["video_tracks"] == 1, "{row}");
        return "analysed".to_owned();
    };
    assert!(error.contains("ffmpeg"), "each error says what helps: {row}");
    error.split(';').next().unwrap().to_owned()
}

/// Each file has the happy face on the left and the neutral one on the right.
fn check_faces(folder: &Folder) {
    for face in folder.rows("out.ndjson") {
        let expected = if face["x"].as_f64() < Some(0.4) { "happiness" } else { "neutral" };
        assert!(face["label"] == expected && face["score"].as_f64() > Some(0.7), "{face}");
    }
}

/// The table: a row for each codec and result.
fn table(results: &[((&str, &str), String)]) -> String {
    let mut rows = String::from("| video | containers and FFmpeg's names of their pixel formats | result |\n|---|---|---|\n");
    for (codec, ..) in RECORDINGS {
        let mut by_result: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ((_, variant), result) in results.iter().filter(|((other, _), _)| *other == codec) {
            by_result.entry(result).or_default().push(variant);
        }
        for (result, variants) in by_result {
            rows.push_str(&format!("| {codec} | {} | {result} |\n", variants.join(", ")));
        }
    }
    rows
}

/// The docs describe GStreamer 1.22. Newer versions may decode more.
fn compare_with_docs(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(MARKERS[0]).expect("the marker before the table");
    let (known, after) = rest.split_once(MARKERS[1]).expect("the marker after the table");
    if std::env::var_os("UPDATE_RECORDINGS").is_some() {
        let [start, end] = MARKERS;
        std::fs::write(file, [before, start, table, end, after].concat()).unwrap();
    } else if gst::version().1 == 22 {
        assert_eq!(known, table, "the table in docs/formats.md differs; UPDATE_RECORDINGS=1 rewrites it");
    }
}
