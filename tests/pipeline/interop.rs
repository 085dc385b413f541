// SPDX-License-Identifier: MIT OR Apache-2.0
//! GStreamer's own analytics elements with our metadata, where the newer ones are installed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst::glib;
use gst::prelude::*;
use gst_analytics::prelude::*;
use gst_analytics::{AnalyticsRelationMeta, RelTypes};
use gstemotion::meta::{write_detections, write_emotions};
use test_support::gstreamer::{Stage, init, play};
use test_support::{our_model, repository};

const FRAME: Size = Size::new(640, 480);
const BOX: Rect = Rect::new(0.25, 0.25, 0.25, 0.5);

fn installed(element: &str) -> bool {
    init();
    let found = gst::ElementFactory::find(element).is_some();
    if !found {
        test_support::left_out::note(format!("no element {element}"));
    }
    found
}

fn scored(label_id: usize) -> FaceRecord {
    let scores = Scores::from_probabilities((0..8).map(|n| if n == label_id { 5.0 } else { 0.5 + n as f32 / 100.0 }));
    let emotion = EmotionResult {
        labels: LabelSet::new(FERPLUS_LABELS),
        scores,
        label_id: Some(label_id),
        reason: None,
        smoothed: true,
        age: Duration::ZERO,
    };
    let detection = DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "centerface".into(), age: Duration::ZERO };
    FaceRecord { id: 3, rect_norm: BOX, detection: Some(detection), emotion: Some(emotion), geometry: None, confirmed: true }
}

/// The output of the stock overlay for a plain frame with the metadata that `mark` writes.
fn drawn(mark: impl Fn(&mut gst::BufferRef) + Send + Sync + 'static) -> Vec<u8> {
    let Size { width, height } = FRAME;
    let line = format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xff808080 ! video/x-raw,format=BGRA,width={width},height={height} ! identity name=mark \
         ! objectdetectionoverlay ! videoconvert ! video/x-raw,format=RGB ! fakesink name=end"
    );
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let pad = |element: &str, pad: &str| pipeline.by_name(element).and_then(|element| element.static_pad(pad)).expect("a pad");
    pad("mark", "src").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        mark(info.buffer_mut().expect("a buffer").make_mut());
        gst::PadProbeReturn::Ok
    });
    let picture = Arc::new(Mutex::new(Vec::new()));
    let seen = picture.clone();
    pad("end", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let pixels = info.buffer().expect("a buffer").map_readable().expect("readable").to_vec();
        *seen.lock().expect("a picture") = pixels;
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).unwrap_or_else(|error| panic!("{line}: {error}"));
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    let picture = std::mem::take(&mut *picture.lock().expect("a picture"));
    assert_eq!(picture.len(), (width * height * 3) as usize);
    picture
}

fn mark_face(buffer: &mut gst::BufferRef, face: &FaceRecord) {
    write_detections(buffer, FRAME, &[FaceRecord { emotion: None, ..face.clone() }]);
    write_emotions(buffer, FRAME, std::slice::from_ref(face));
}

#[test]
fn the_stock_overlay_draws_the_box_and_the_top_expression() {
    if !installed("objectdetectionoverlay") {
        return;
    }
    let ours = drawn(|buffer| mark_face(buffer, &scored(1)));
    if let Some(file) = std::env::var_os("SHOW_INTEROP") {
        write_png(Path::new(&file), &ours);
    }
    let plain = drawn(|_| ());
    let changed = |picture: &[u8], x: f32, y: f32| {
        let at = ((y * FRAME.height as f32) as usize * FRAME.width as usize + (x * FRAME.width as f32) as usize) * 3;
        picture[at..at + 3] != plain[at..at + 3]
    };
    for edge in [(BOX.x, 0.5), (BOX.right(), 0.5), (0.4, BOX.bottom())] {
        let near = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|step| (edge.0 + step / FRAME.width as f32, edge.1 + step / FRAME.height as f32));
        assert!(near.iter().any(|&(x, y)| changed(&ours, x, y)), "no line at {edge:?}");
    }
    assert!(!changed(&ours, 0.4, 0.6), "the face itself stays visible");

    // The metadata of an application that has only one class to show.
    let top = scored(1).emotion.expect("scores").confidence();
    let single = move |label: &'static str| {
        drawn(move |buffer| {
            let mut meta = AnalyticsRelationMeta::add(buffer);
            let object = meta.add_od_mtd(glib::Quark::from_str("face"), 160, 120, 160, 240, 0.9).expect("room").id();
            let track = meta.add_tracking_mtd(3, gst::ClockTime::ZERO).expect("room").id();
            let class = meta.add_one_cls_mtd(top, glib::Quark::from_str(label)).expect("room").id();
            meta.set_relation(RelTypes::RELATE_TO, object, track).expect("a relation");
            meta.set_relation(RelTypes::CONTAIN | RelTypes::RELATE_TO, object, class).expect("a relation");
            meta.set_relation(RelTypes::IS_PART_OF, class, object).expect("a relation");
        })
    };
    assert!(ours == single("happiness"), "the label is not the top expression with its score");
    assert!(ours != single("sadness"), "the overlay draws no label");
}

/// GStreamer's own detector, whose model is not part of the repository.
const STOCK_DETECTOR: &str = "onnxinference model-file=MODEL ! ultralightfacedetectortensordec";

fn ultraface() -> PathBuf {
    repository().join("../shared/peers/ultraface_rfb320.onnx")
}

/// Runs three faces through `elements` in a child process and returns the number of faces in the messages of
/// `emotionclassify`. `runtime` is the ONNX Runtime that our plugin loads, if not the default one.
fn faces_in_child(name: &str, elements: &str, runtime: Option<&Path>) -> usize {
    let stage = Stage::new(name).with_plugin();
    let picture = stage.path().join("faces.png");
    write_png(&picture, &test_support::three_faces().render(0.0));
    let line = format!(
        "filesrc location={} ! pngdec ! imagefreeze num-buffers=2 ! videoconvert ! videoscale ! video/x-raw,format=RGB,width=320,height=240 ! {} ! fakesink",
        picture.display(),
        elements.replace("MODEL", ultraface().to_str().expect("a path in UTF-8"))
    );
    let mut command = stage.command("gst-launch-1.0");
    command.arg("-m").args(line.split_whitespace());
    runtime.map(|file| command.env("ORT_DYLIB_PATH", file));
    let output = command.output().expect("gst-launch-1.0 runs");
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{line}: {complaints}");
    let message = said.lines().rfind(|line| line.contains("): emotion, ")).unwrap_or_default();
    message.matches("label_id").count()
}

#[test]
fn two_runtimes_coexist_in_one_process_in_either_order() {
    if !ultraface().is_file() {
        test_support::left_out::note(format!("no {}", ultraface().display()));
        return;
    }
    if !installed("onnxinference") || !installed("ultralightfacedetectortensordec") || !test_support::runtime_fetched() {
        return;
    }
    // Elements start from the sink upwards.
    let ours = "emotionclassify post-messages=every";
    assert_eq!(
        faces_in_child("ours-first", &format!("{STOCK_DETECTOR} ! {ours}"), None),
        3,
        "our element reads the metadata of the stock detector"
    );
    let theirs_first = format!("emotionfacedetect ! {ours} ! {STOCK_DETECTOR}");
    assert_eq!(faces_in_child("theirs-first", &theirs_first, None), 3);

    // Both use one library, which the stock element has started without a shareable thread pool.
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_runtime = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so."));
    let library = files("/usr/lib".into()).flat_map(files).find(is_runtime).expect("the library that onnxinference is linked to");
    assert_eq!(faces_in_child("one-library", &theirs_first, Some(&library)), 3, "{}", library.display());
}

#[test]
fn stock_inference_runs_our_models() {
    // Before 1.28 it does not read .modelinfo files.
    if !installed("onnxinference") || gst::version() < (1, 28, 0, 0) {
        return;
    }
    for (model, size, tensors) in [("expression", (48, 48), 4), ("face", (320, 256), 4)] {
        let file = our_model(model);
        let (width, height) = size;
        let line = format!(
            "videotestsrc num-buffers=2 ! video/x-raw,format=RGB,width={width},height={height} ! onnxinference model-file={} ! \
             fakesink name=sink signal-handoffs=true",
            file.display()
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        let sink = pipeline.by_name("sink").expect("the sink");
        let caps = Arc::new(Mutex::new(String::new()));
        sink.connect("handoff", false, {
            let caps = caps.clone();
            move |values| {
                let (buffer, pad) = (values[1].get::<gst::Buffer>().ok()?, values[2].get::<gst::Pad>().ok()?);
                let tensors = buffer.iter_meta::<gst::Meta>().filter(|meta| meta.api().name() == "GstTensorMetaAPI").count();
                assert_eq!(tensors, 1, "no tensors on the frame");
                *caps.lock().unwrap() = pad.current_caps()?.to_string();
                None
            }
        });
        let played = play(&pipeline);
        pipeline.set_state(gst::State::Null).expect("a pipeline stops");
        played.unwrap_or_else(|error| panic!("{model}: {error}"));
        let caps = caps.lock().unwrap();
        assert_eq!(caps.matches(&format!("gst-plugin-emotion-{model}-out-")).count(), tensors, "{caps}");
    }
}

fn write_png(file: &Path, rgb: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(file).expect("the file can be written"), FRAME.width, FRAME.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(rgb)).expect("the picture can be written");
}
