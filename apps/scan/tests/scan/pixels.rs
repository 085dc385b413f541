// SPDX-License-Identifier: MIT OR Apache-2.0
//! Raw formats, high dynamic range and interlaced frames on their way to the elements.

use emotion_scan::analysis::{Analyser, Faces, start_elements};
use emotion_scan::turn::Direction;
use gst_video::{VideoFormat, VideoInfo};
use serde_json::Value;
use test_support::average_faces::{Key, Scene};
use test_support::{gstreamer, three_faces};

use crate::support::{Folder, with_ffmpeg};

/// Formats of so few bits for each colour that scores differ more.
const COARSE: [VideoFormat; 5] = [VideoFormat::Rgb8p, VideoFormat::Rgb16, VideoFormat::Bgr16, VideoFormat::Rgb15, VideoFormat::Bgr15];

/// All formats that `videoconvert` takes.
fn raw_formats() -> Vec<VideoFormat> {
    let factory = gst::ElementFactory::find("videoconvert").expect("videoconvert");
    let template = factory.static_pad_templates().into_iter().find(|template| template.direction() == gst::PadDirection::Sink).unwrap();
    let caps = template.caps();
    let names: Vec<String> =
        caps.structure(0).unwrap().get::<gst::List>("format").unwrap().iter().map(|name| name.get().unwrap()).collect();
    names.iter().map(|name| VideoFormat::from_string(name)).filter(|format| *format != VideoFormat::Unknown).collect()
}

fn faces(analyser: &mut Analyser, buffer: &gst::Buffer, info: &VideoInfo) -> Faces {
    analyser.restart(&[], Direction::default()).unwrap();
    let sample = gst::Sample::builder().buffer(buffer).caps(&info.to_caps().unwrap()).build();
    analyser.analyse(sample).unwrap_or_else(|error| panic!("{}: {error}", info.format()))
}

#[test]
fn each_raw_format_gives_the_same_faces() {
    let Some(_folder) = Folder::new("formats") else { return };
    start_elements().unwrap();
    let picture = three_faces().render(0.0);
    let mut analyser = Analyser::new(&[], false, 1).unwrap();
    let mut found = |format| {
        let (buffer, info) = gstreamer::buffer(&picture, 640, 480, format);
        let mut records = faces(&mut analyser, &buffer, &info).records;
        records.sort_by(|a, b| a.rect_norm.x.total_cmp(&b.rect_norm.x));
        records
    };
    let expected = found(VideoFormat::Rgb);
    assert_eq!(expected.len(), 3);
    let formats = raw_formats();
    assert!(formats.len() > 90 && formats.contains(&VideoFormat::A42010le), "{formats:?}");
    for format in formats {
        let records = found(format);
        let tolerance = if COARSE.contains(&format) { 0.2 } else { 0.03 };
        assert_eq!(records.len(), expected.len(), "{format}");
        for (record, expected) in records.iter().zip(&expected) {
            let (rect, other) = (record.rect_norm, expected.rect_norm);
            let distances = [rect.x - other.x, rect.y - other.y, rect.w - other.w, rect.h - other.h].map(f32::abs);
            assert!(distances.iter().all(|distance| *distance < 0.01), "{format}: {rect:?} instead of {other:?}");
            let [scores, others] = [record, expected].map(|record| record.expression().unwrap().scores.as_slice().to_vec());
            let worst = scores.iter().zip(&others).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < tolerance, "{format}: scores differ by {worst}");
        }
    }
}

/// Checks that the faces of `name` are those of `reference`, frame by frame.
fn assert_similar(folder: &Folder, name: &str, reference: &str, (box_tolerance, score_tolerance): (f64, f64)) {
    folder.run(&format!("{name} {reference} --output {name}.ndjson"), 0);
    let rows = folder.rows(&format!("{name}.ndjson"));
    let (found, expected): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(|row| row["file"] == name);
    let frames = |rows: &[&Value]| rows.iter().map(|row| row["frame"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(frames(&found), frames(&expected), "{name}");
    assert!(!expected.is_empty());
    for (row, expected) in found.iter().zip(&expected) {
        let near = |key: &str, tolerance: f64| (row[key].as_f64().unwrap() - expected[key].as_f64().unwrap()).abs() < tolerance;
        assert!(["x", "y", "w", "h"].iter().all(|side| near(side, box_tolerance)), "{row} instead of {expected}");
        let mut scores = row.as_object().unwrap().keys().filter(|key| key.starts_with("score_"));
        assert!(scores.all(|score| near(score, score_tolerance)), "{row} instead of {expected}");
    }
}

#[test]
fn high_dynamic_range_gives_the_faces_of_standard_range() {
    let Some(folder) = with_ffmpeg("hdr") else { return };
    folder.lossless_video("source.mkv", 5);
    let rec_709 = "scale=in_color_matrix=bt601:out_color_matrix=bt709,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709";
    folder.ffmpeg(&format!("-i source.mkv -vf {rec_709} -c:v libx264 -crf 10 sdr.mp4"));
    for (name, transfer) in [("pq.mp4", "smpte2084"), ("hlg.mp4", "arib-std-b67")] {
        // Diffuse white at 203 cd/m², as ITU-R BT.2408 has it.
        let light = "zscale=t=linear:npl=203,format=gbrpf32le";
        let convert = format!("{rec_709},{light},zscale=t={transfer}:p=bt2020:m=bt2020nc:r=limited:npl=203,format=yuv420p10le");
        let marks = format!("log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc");
        folder.ffmpeg(&format!("-i source.mkv -vf {convert} -c:v libx265 -crf 10 -x265-params {marks} {name}"));
        assert_similar(&folder, name, "sdr.mp4", (0.015, 0.05));
    }
}

/// Writes a face that moves by 12 pixels from field to field, as 50 frames a second.
fn moving_face(folder: &Folder) {
    let key = |at_s: f32| Key::new(at_s, (60.0 + 600.0 * at_s, 200.0), 90.0, "happiness");
    let scene = Scene::new(640, 480).actor(vec![key(0.0), key(1.0)]);
    let frames: Vec<u8> = (0..40).flat_map(|frame| scene.render(frame as f32 / 50.0)).collect();
    folder.write("moving.rgb", &frames);
    folder.ffmpeg("-f rawvideo -pix_fmt rgb24 -s 640x480 -r 50 -i moving.rgb -c:v ffv1 -pix_fmt yuv422p moving.mkv");
}

#[test]
fn a_moving_face_in_two_fields_is_not_there_twice() {
    let Some(folder) = with_ffmpeg("interlaced") else { return };
    moving_face(&folder);
    let encode = "-c:v mpeg2video -b:v 30M -pix_fmt yuv422p";
    folder.ffmpeg(&format!("-i moving.mkv -vf tinterlace=interleave_top,fieldorder=tff {encode} -flags +ildct+ilme fields.ts"));
    folder.ffmpeg(&format!("-i moving.mkv -vf select=not(mod(n\\,2)) -r 25 {encode} whole.ts"));
    assert_similar(&folder, "fields.ts", "whole.ts", (0.01, 0.05));
    folder.ffmpeg("-i moving.mkv -vf tinterlace=interleave_top,fieldorder=tff,format=yuv420p -c:v libx264 -flags +ildct+ilme -x264opts tff=1 fields.mkv");
    assert_similar(&folder, "fields.mkv", "whole.ts", (0.01, 0.05));
}
