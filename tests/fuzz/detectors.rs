// SPDX-License-Identifier: MIT OR Apache-2.0
//! The decoders of all detector families and of the refiner, with networks whose outputs are chosen by the frame: each
//! sample of the frame selects a number from a table, including some that no network should output.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

use emotion_core::detector::network::{Family, NetworkDetector};
use emotion_core::detector::{DetectOptions, Detection, FaceDetector};
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::{Provider, RunOptions};
use emotion_core::model::search_path::SearchPath;

use crate::input::Input;
use crate::protobuf::{
    ATTRIBUTE_INTEGER, ATTRIBUTE_NAME, ATTRIBUTE_TYPE, FLOAT, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_NAME, GRAPH_NODE, GRAPH_OUTPUT, INT64,
    INTEGER, MODEL_GRAPH, MODEL_IR_VERSION, MODEL_OPSETS, Message, NODE_ATTRIBUTE, NODE_INPUT, NODE_OP, NODE_OUTPUT, OPSET_VERSION,
    TENSOR_DIMS, TENSOR_ELEMENT, TENSOR_NAME, TENSOR_RAW, value_info,
};

/// Sides of the picture for which the networks have the right number of cells.
const SIDE: u64 = 64;
/// Name of the refiner's folder.
const REFINER: &str = "fuzzed-refiner";
/// Side of its input.
const REFINER_SIDE: u64 = 8;

/// The design of a network, which is built once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Design {
    /// Index among [`Family::ALL`].
    family: usize,
    refined: bool,
    /// Index of an output with a wrong length, and that length.
    odd: Option<(usize, u64)>,
}

thread_local! {
    static DETECTORS: RefCell<HashMap<Design, Option<NetworkDetector>>> = RefCell::default();
}

/// Any output of a network yields faces on the frame, or an error.
pub fn check(input: &mut Input) {
    let design = Design {
        family: input.below(Family::ALL.len()),
        refined: input.one_in(4),
        odd: input.one_in(4).then(|| (input.below(4), input.pick(&[0, 1, 3]))),
    };
    // At another size, the outputs have the wrong number of cells.
    let (width, height) = if input.one_in(8) { input.pick(&[(32, 64), (96, 32)]) } else { (SIDE as u32, SIDE as u32) };
    let frame = Size::new(width, height);
    let pixels = pixels(input, frame);
    let plane = Plane { data: &pixels, stride: 3 * frame.width as usize };
    let view = FrameView::new(PixelFormat::Rgb, frame, &[plane], Colorimetry::default()).expect("a view");
    let options = DetectOptions {
        score_threshold: input.pick(&[0.0, 0.3, 0.5, 0.9, 1.0]),
        iou_threshold: input.pick(&[0.0, 0.3, 0.7, 1.0]),
        max_faces: input.pick(&[0, 1, 5]),
        min_face_size: input.pick(&[0.0, 4.0, 30.0]),
        ..DetectOptions::default()
    };
    DETECTORS.with_borrow_mut(|detectors| {
        let Some(detector) = detectors.entry(design).or_insert_with(|| load(design)) else { return };
        let mut found = Vec::new();
        let result = if input.one_in(4) {
            let (x, y) = (8 * input.below(3) as u32, 8 * input.below(3) as u32);
            let region = Rect::new(x as f32, y as f32, (frame.width - x) as f32, (frame.height - y) as f32);
            detector.detect_region(&view, region, &options, &mut found)
        } else {
            detector.detect(&view, &options, &mut found)
        };
        match result {
            Ok(()) => check_found(&found, &options, frame),
            Err(error) => assert!(error.to_string().contains("fuzzed"), "{error} does not name the model"),
        }
    });
}

fn check_found(found: &[Detection], options: &DetectOptions, frame: Size) {
    assert!(options.max_faces == 0 || found.len() <= options.max_faces, "{} faces", found.len());
    assert!(found.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence), "not the most confident first: {found:?}");
    for face in found {
        assert!((options.score_threshold..=1.0).contains(&face.confidence), "confidence {}", face.confidence);
        assert!(face.rect.is_valid() && face.rect.clamp_to(frame).area() > 0.0, "{:?} on {frame:?}", face.rect);
        assert!(face.rect.w.min(face.rect.h) >= options.min_face_size * 0.99, "{:?} is too small", face.rect);
        let points = face.landmarks.iter().flat_map(|landmarks| landmarks.0);
        assert!(points.into_iter().all(|point| point.x.is_finite() && point.y.is_finite()), "{face:?}");
    }
}

/// Samples that usually select the first number, which does not yield a face, and a few others.
fn pixels(input: &mut Input, frame: Size) -> Vec<u8> {
    let count = 3 * (frame.width * frame.height) as usize;
    let (fill, step) = (input.byte(), if input.one_in(3) { input.byte() } else { 0 });
    let mut pixels: Vec<u8> = (0..count).map(|index| fill.wrapping_add((index / 3 * usize::from(step)) as u8)).collect();
    for _ in 0..input.below(200) {
        let at = input.below(count.min(65_536));
        pixels[at] = input.byte();
    }
    pixels
}

/// The number that each sample value selects.
fn table() -> [f32; 256] {
    std::array::from_fn(|index| match index {
        0..16 => -9.0,
        16..80 => (index as f32 - 16.0) / 63.0,
        80..160 => (index as f32 - 120.0) / 10.0,
        160..224 => (index as f32 - 192.0) / 4.0,
        _ => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 88.0, 89.0, -100.0, 1.0, 1.5, 1e-30, f32::MAX][(index - 224) % 12],
    })
}

/// The detector of a design; none if it is rejected, or without ONNX Runtime.
fn load(design: Design) -> Option<NetworkDetector> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-models-{}", std::process::id()));
    let search = SearchPath { model_folders: vec![folder.clone()], ..SearchPath::from_env(None) };
    let mut text = "name = \"fuzzed\"\ntask = \"face\"\n".to_owned();
    if design.refined {
        write_refiner(&folder.join(REFINER));
        text += &format!("refiner = \"{REFINER}\"\n");
    }
    text += "[input]\nname = \"input\"\n";
    let mut model = ModelFile::embedded("fuzzed", b"", &text).expect("a description");
    model.bytes = detector(design).0.into();
    let loaded = NetworkDetector::load(model, None, 0, &search, RunOptions { threads: 1, provider: Provider::Cpu });
    let _ = std::fs::remove_dir_all(folder);
    match loaded {
        Ok(detector) => Some(detector),
        Err(error) => {
            assert!(design.odd.is_some(), "{design:?}: {error}");
            None
        }
    }
}

/// Names and shapes of a family's outputs for an input of [`SIDE`].
fn outputs(family: Family) -> Vec<(String, Vec<u64>)> {
    let cells = |stride: u64| SIDE / stride;
    match family {
        Family::EmotionFace => {
            let level = |stride| (format!("stride_{stride}"), vec![1, 15, cells(stride), cells(stride)]);
            [8, 16, 32].map(level).into()
        }
        Family::CenterFace => {
            [1, 2, 2, 10].into_iter().enumerate().map(|(i, c)| (format!("o{i}"), vec![1, c, cells(4), cells(4)])).collect()
        }
        Family::UltraFace => vec![("scores".into(), vec![1, 150, 2]), ("boxes".into(), vec![1, 150, 4])],
        Family::YuNet => {
            let head = |(name, channels): (&str, u64)| [8, 16, 32].map(|s| (format!("{name}_{s}"), vec![1, cells(s) * cells(s), channels]));
            [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)].into_iter().flat_map(head).collect()
        }
    }
}

/// A network of one family.
fn detector(design: Design) -> Message {
    let family = Family::ALL[design.family];
    let mut outputs = outputs(family);
    if let Some((index, length)) = design.odd {
        let index = index % outputs.len();
        // The number of rows or anchors; the channels tell the families apart.
        let axis = if outputs[index].1.len() == 4 { 2 } else { 1 };
        outputs[index].1[axis] = length;
    }
    let sides = if family == Family::UltraFace { [Some(SIDE), Some(SIDE)] } else { [None, None] };
    let mut graph = numbers(&[Some(1), Some(3), sides[0], sides[1]], &[-1]);
    let mut start = 0;
    for (name, shape) in &outputs {
        let end = start + shape.iter().product::<u64>();
        let axes: Vec<_> = shape.iter().map(|&axis| axis as i64).collect();
        graph = piece(graph, name, 0, (start as i64, end as i64), &axes);
        graph = graph.message(GRAPH_OUTPUT, value_info(name, &shape.iter().map(|&axis| Some(axis)).collect::<Vec<_>>()));
        start = end;
    }
    model(graph)
}

fn write_refiner(folder: &std::path::Path) {
    let mut graph = numbers(&[None, Some(3), Some(REFINER_SIDE), Some(REFINER_SIDE)], &[-1, 3 * REFINER_SIDE as i64 * REFINER_SIDE as i64]);
    for (name, start, values) in [("score", 0, 1), ("box", 1, 4), ("landmarks", 5, 10)] {
        graph = piece(graph, name, 1, (start, start + values), &[-1, values]);
        graph = graph.message(GRAPH_OUTPUT, value_info(name, &[None, Some(values as u64)]));
    }
    let description =
        format!("name = \"fuzzed\"\ntask = \"refine\"\n[input]\nname = \"input\"\nwidth = {REFINER_SIDE}\nheight = {REFINER_SIDE}\n");
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("model.onnx"), model(graph).0).expect("a file");
    std::fs::write(folder.join("model.toml"), description).expect("a file");
}

fn model(graph: Message) -> Message {
    let graph = graph.bytes(GRAPH_NAME, "fuzzed");
    Message::default()
        .integer(MODEL_IR_VERSION, 8)
        .message(MODEL_OPSETS, Message::default().integer(OPSET_VERSION, 13))
        .message(MODEL_GRAPH, graph)
}

/// Nodes from `input` to `numbers`: samples, in the shape `flat`, are replaced by numbers from the table.
fn numbers(input: &[Option<u64>; 4], flat: &[i64]) -> Message {
    let table: Vec<u8> = table().iter().flat_map(|value| value.to_le_bytes()).collect();
    let cast = Message::default().bytes(ATTRIBUTE_NAME, "to").integer(ATTRIBUTE_INTEGER, INT64).integer(ATTRIBUTE_TYPE, INTEGER);
    Message::default()
        .message(GRAPH_INPUT, value_info("input", input))
        .message(GRAPH_INITIALIZER, tensor("table", FLOAT, &[256], &table))
        .message(GRAPH_INITIALIZER, integers("flat", flat))
        .message(GRAPH_NODE, node("Reshape", &["input", "flat"], "samples"))
        .message(GRAPH_NODE, node("Cast", &["samples"], "places").message(NODE_ATTRIBUTE, cast))
        .message(GRAPH_NODE, node("Gather", &["table", "places"], "numbers"))
}

/// Adds an output: a part of the numbers along one axis, in another shape.
fn piece(graph: Message, name: &str, axis: i64, (start, end): (i64, i64), shape: &[i64]) -> Message {
    let own = |part: &str| format!("{name}.{part}");
    let [starts, ends, axes, axis_lengths, values] = ["start", "end", "axes", "shape", "values"].map(own);
    graph
        .message(GRAPH_INITIALIZER, integers(&starts, &[start]))
        .message(GRAPH_INITIALIZER, integers(&ends, &[end]))
        .message(GRAPH_INITIALIZER, integers(&axes, &[axis]))
        .message(GRAPH_INITIALIZER, integers(&axis_lengths, shape))
        .message(GRAPH_NODE, node("Slice", &["numbers", &starts, &ends, &axes], &values))
        .message(GRAPH_NODE, node("Reshape", &[&values, &axis_lengths], name))
}

fn node(op: &str, inputs: &[&str], output: &str) -> Message {
    inputs.iter().fold(Message::default(), |node, input| node.bytes(NODE_INPUT, input)).bytes(NODE_OUTPUT, output).bytes(NODE_OP, op)
}

fn integers(name: &str, values: &[i64]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len() as u64], &bytes)
}

fn tensor(name: &str, element: u64, dims: &[u64], bytes: &[u8]) -> Message {
    let tensor = dims.iter().fold(Message::default(), |tensor, &dim| tensor.integer(TENSOR_DIMS, dim));
    tensor.integer(TENSOR_ELEMENT, element).bytes(TENSOR_NAME, name).bytes(TENSOR_RAW, bytes)
}
