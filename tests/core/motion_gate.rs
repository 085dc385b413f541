// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces that appear while searches are limited to what changed: none may be found much later than without the motion gate.
//! The scenes are rendered; docs/performance.md has the table that this test prints.

use std::time::Duration;

use emotion_core::detector::network::{Family, NetworkDetector};
use emotion_core::detector::{DetectOptions, FaceDetector};
use emotion_core::geometry::Size;
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use emotion_core::track::finder::FaceFinder;
use emotion_core::track::search::{FindOptions, MotionGate};
use test_support::average_faces::{Key, Scene};
use test_support::disturbance::{add_noise, dim, fade_from, lift};

const SIZE: Size = Size::new(640, 480);
const FRAMES_PER_SECOND: u32 = 30;
const FRAMES: u32 = 75;
/// From this frame on, the scenes change.
const FIRST_CHANGE: u32 = 30;
/// Maximum delay because of the gate, in frames: 100 ms.
const MAX_DELAY: u32 = 3;

/// What happens in a scene, and how the camera shows it.
struct Case {
    name: &'static str,
    scene: Scene,
    /// Changes the RGB pixels of a frame, given those of the first frame.
    camera: fn(frame: u32, first: &[u8], rgb: &mut [u8]),
}

fn unchanged(_: u32, _: &[u8], _: &mut [u8]) {}

fn fades_in(frame: u32, first: &[u8], rgb: &mut [u8]) {
    fade_from(first, (frame.saturating_sub(FIRST_CHANGE) as f32 / 30.0).min(1.0), rgb);
}

fn is_dark(_: u32, _: &[u8], rgb: &mut [u8]) {
    dim(0.1, rgb);
}

fn is_noisy(frame: u32, _: &[u8], rgb: &mut [u8]) {
    add_noise(frame, rgb);
}

fn is_dark_and_noisy(frame: u32, first: &[u8], rgb: &mut [u8]) {
    is_dark(frame, first, rgb);
    lift(14, rgb);
    is_noisy(frame, first, rgb);
}

fn flickers(frame: u32, _: &[u8], rgb: &mut [u8]) {
    dim(0.92 + 0.04 * (frame % 3) as f32, rgb);
}

fn shakes(frame: u32, _: &[u8], rgb: &mut [u8]) {
    let (right, down) = (frame * 7 % 5, frame * 5 % 4);
    let shift = 3 * (right + down * SIZE.width) as usize;
    let end = rgb.len() - shift;
    rgb.copy_within(..end, shift);
}

fn turns(frame: u32, first: &[u8], rgb: &mut [u8]) {
    // The face, 160 pixels wide at x = 400, turns towards the camera: it starts as narrow as a profile that is not found.
    let share = (0.25 + frame.saturating_sub(FIRST_CHANGE) as f32 / 30.0).min(1.0);
    let frontal = rgb.to_vec();
    rgb.copy_from_slice(first);
    for y in 0..SIZE.height as usize {
        for x in 0..(160.0 * share) as usize {
            let (to, from) = (3 * (y * SIZE.width as usize + 400 + x), 3 * (y * SIZE.width as usize + 320 + (x as f32 / share) as usize));
            rgb[to..to + 3].copy_from_slice(&frontal[from..from + 3]);
        }
    }
}

/// A scene in which a face that sits at the left is joined by another one.
fn scene(second: Vec<Key>) -> Scene {
    let background = Scene::new(SIZE.width as usize, SIZE.height as usize).background([110.0, 120.0, 130.0], [70.0, 70.0, 60.0]);
    background.actor(vec![Key::new(0.0, (130.0, 200.0), 120.0, "neutral"), Key::new(2.5, (130.0, 200.0), 120.0, "neutral")]).actor(second)
}

/// A face that is there from the first change on.
fn appears(height: f32) -> Scene {
    scene(vec![Key::new(1.0, (400.0, 240.0), height, "neutral"), Key::new(2.5, (400.0, 240.0), height, "happiness")])
}

fn cases() -> Vec<Case> {
    let walks_in = || scene(vec![Key::new(1.0, (720.0, 240.0), 140.0, "neutral"), Key::new(2.0, (420.0, 240.0), 140.0, "neutral")]);
    let grows = scene(vec![Key::new(0.0, (420.0, 240.0), 12.0, "neutral"), Key::new(2.4, (420.0, 240.0), 120.0, "neutral")]);
    let case = |name, scene, camera| Case { name, scene, camera };
    vec![
        case("walks in", walks_in(), unchanged),
        case("walks in, at a tenth of the light", walks_in(), is_dark),
        case("fades in within a second", appears(140.0), fades_in),
        case("comes closer", grows, unchanged),
        case("turns to the camera", appears(140.0), turns),
        case("appears", appears(140.0), unchanged),
        case("appears, 44 pixels high", appears(44.0), unchanged),
        case("appears, at a tenth of the light", appears(140.0), is_dark),
        case("appears, sensor noise", appears(140.0), is_noisy),
        case("appears, at a tenth of the light with sensor noise", appears(140.0), is_dark_and_noisy),
        case("appears, light flickers", appears(140.0), flickers),
        case("appears, camera shakes", appears(140.0), shakes),
    ]
}

/// What was found in a case: the first frame on which two faces were confirmed, and the searches of whole frames and of parts.
#[derive(Debug, PartialEq)]
struct Found {
    second_face: Option<u32>,
    whole: u32,
    parts: u32,
}

/// The frames of a case.
fn film(case: &Case) -> Vec<Vec<u8>> {
    let first = case.scene.render(0.0);
    let frame = |number| {
        let mut rgb = case.scene.render(time(number).as_secs_f32());
        (case.camera)(number, &first, &mut rgb);
        rgb
    };
    (0..FRAMES).map(frame).collect()
}

fn time(frame: u32) -> Duration {
    Duration::from_secs(1) * frame / FRAMES_PER_SECOND
}

fn find(film: &[Vec<u8>], detector: &mut dyn FaceDetector, motion_gate: Option<MotionGate>) -> Found {
    let detect = DetectOptions { score_threshold: detector.score_threshold(), ..DetectOptions::default() };
    let track_timeout = Duration::from_secs(1);
    let options = FindOptions { detect, interval_frames: 1, track: true, track_timeout, confirm: true, motion_gate };
    let mut finder = FaceFinder::new("test", false);
    let mut found = Found { second_face: None, whole: 0, parts: 0 };
    for (frame, rgb) in (0..).zip(film) {
        let now = time(frame);
        let plane = Plane { data: rgb, stride: 3 * SIZE.width as usize };
        let view = FrameView::new(PixelFormat::Rgb, SIZE, &[plane], Colorimetry::default()).unwrap();
        finder.observe(&view, &options, now);
        if let Ok(mut search) = finder.begin(&options, now, |_, _| false) {
            *if search.is_partial() { &mut found.parts } else { &mut found.whole } += 1;
            search.run(detector, &view).unwrap();
            finder.finish(search, &options);
        }
        let confirmed = finder.faces(&options, SIZE, now).0.iter().filter(|face| face.confirmed).count();
        if confirmed >= 2 {
            found.second_face.get_or_insert(frame);
        }
    }
    found
}

#[test]
fn no_face_is_found_more_than_100_ms_later_than_without_the_gate() {
    if !test_support::runtime_fetched() {
        return;
    }
    let search = SearchPath::from_env(None);
    let model = Family::EmotionFace.default_model(&search).unwrap();
    let mut detector = NetworkDetector::load(model, None, 320, &search, RunOptions::default()).unwrap();
    println!("| a second face | first frame without the gate | with it | searches of whole frames | of parts |\n|---|---|---|---|---|");
    let mut late = Vec::new();
    for case in cases() {
        let film = film(&case);
        let free = find(&film, &mut detector, None);
        let gate = MotionGate { idle_interval: Duration::from_secs(1), detect_size: 320 };
        let gated = find(&film, &mut detector, Some(gate));
        let frame = |found: &Found| found.second_face.map_or("never".into(), |frame| frame.to_string());
        println!("| {} | {} | {} | {} | {} |", case.name, frame(&free), frame(&gated), gated.whole, gated.parts);
        assert!(free.second_face.is_some_and(|frame| frame > 5), "{}: {free:?} shows no appearance", case.name);
        assert_eq!(free.whole, FRAMES);
        if gated.second_face.is_none_or(|frame| frame > free.second_face.unwrap() + MAX_DELAY) {
            late.push(case.name);
        }
    }
    assert!(late.is_empty(), "found too late with the gate: {late:?}");
}
