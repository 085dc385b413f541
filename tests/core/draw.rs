// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots of the overlay: scenes drawn on synthetic backgrounds, compared with reference pictures.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p emotion-tests draw` rewrites the references (look at them before they are
//! committed); `cargo test -p emotion-tests draw -- --ignored` writes large pictures to `target/test-gallery` for a look.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use emotion_core::draw::{Canvas, CornerFigures, Painter, Palette, Placed, PlaneMut, Style, Translations};
use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70};
use emotion_core::geometry::{Point, Rect, Size};
use emotion_core::image::{Colorimetry, PixelFormat};
use emotion_core::record::{EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use proptest::prelude::*;
use test_support::repository;

/// Maximum difference of a sample: text and curves differ slightly between processors.
const TOLERANCE: u8 = 4;

#[derive(Clone, Copy)]
enum Background {
    Light,
    Dark,
    /// A gradient from left to right through dark, colourful and bright.
    Gradient,
}

impl Background {
    fn pixel(self, x: f32, y: f32) -> [f32; 3] {
        match self {
            Self::Light => [228.0 + 20.0 * y, 232.0 + 16.0 * y, 236.0 + 12.0 * x],
            Self::Dark => [22.0 + 14.0 * x, 24.0 + 10.0 * x, 30.0 + 16.0 * y],
            Self::Gradient => [30.0 + 210.0 * x, 60.0 + 130.0 * x * y + 60.0 * x, 140.0 - 90.0 * (x - 0.5).abs() + 60.0 * x],
        }
    }
}

struct Scene {
    size: Size,
    background: Background,
    faces: Vec<FaceRecord>,
    style: Style,
    stats: Option<CornerFigures>,
}

impl Scene {
    fn new(size: Size, background: Background, faces: Vec<FaceRecord>) -> Self {
        Self { size, background, faces, style: Style::default(), stats: None }
    }

    fn render(&self) -> Vec<u8> {
        let mut rgba = self.empty();
        let stride = self.size.width as usize * 4;
        let planes = [PlaneMut { data: &mut rgba, stride }, PlaneMut::default(), PlaneMut::default()];
        let mut canvas = Canvas::new(PixelFormat::Rgbx, self.size, planes, Colorimetry::default()).expect("the planes fit");
        for placed in Painter::new(self.style.clone()).draw(&self.faces, self.stats, self.size) {
            canvas.blend(&placed);
        }
        rgba
    }

    /// The background with an oval in place of each face.
    fn empty(&self) -> Vec<u8> {
        let Size { width, height } = self.size;
        let mut rgba = Vec::with_capacity(width as usize * height as usize * 4);
        for y in 0..height {
            for x in 0..width {
                let (u, v) = ((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
                let in_face = self.faces.iter().any(|face| {
                    let Rect { w, h, .. } = face.rect_norm;
                    let center = face.rect_norm.center();
                    ((u - center.x) / (w * 0.42)).hypot((v - center.y) / (h * 0.5)) < 1.0
                });
                let ground = self.background.pixel(u, v);
                let pixel = if in_face { [196.0 - 30.0 * v, 158.0 - 30.0 * v, 136.0 - 30.0 * v] } else { ground };
                rgba.extend(pixel.map(|value| value.round().clamp(0.0, 255.0) as u8));
                rgba.push(255);
            }
        }
        rgba
    }
}

/// A face whose class `label` has the highest score, `score`; the rest is distributed unevenly.
fn face(id: u32, rect_norm: Rect, label: &str, score: f32) -> FaceRecord {
    let labels = LabelSet::new(FERPLUS_LABELS);
    let shown = FERPLUS_LABELS.iter().position(|known| *known == label);
    let rest = |i: usize| 1.0 + ((i * 5 + id as usize * 3) % 8) as f32;
    let total: f32 = (0..8).filter(|&i| Some(i) != shown).map(rest).sum();
    let scores = (0..8).map(|i| if Some(i) == shown { score } else { (1.0 - score) * rest(i) / total });
    let result = EmotionResult {
        labels,
        scores: Scores::from_probabilities(scores),
        label_id: shown,
        reason: None,
        smoothed: true,
        age: Duration::ZERO,
    };
    FaceRecord { id, rect_norm, detection: None, emotion: Some(result), geometry: None, confirmed: true }
}

/// The landmarks of a drawn face that fills `rect`, with open eyes or with closed ones.
fn landmarks(rect: Rect, is_open: bool) -> Landmarks70 {
    let ellipse = |x: f32, y: f32, rx: f32, ry: f32, degrees: f32| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        (x + rx * cos, y + ry * sin)
    };
    let lid = if is_open { 0.032 } else { 0.006 };
    let eye = |x: f32| [180.0, 240.0, 300.0, 0.0, 60.0, 120.0].map(|degrees| ellipse(x, 0.38, 0.085, lid, degrees));
    let brow = |side: f32, n: usize| (0.5 + side * (0.36 - 0.06 * n as f32), 0.26 - 0.03 * (n as f32 * 0.8).sin());
    let jaw = (0..17).map(|n| ellipse(0.5, 0.36, 0.46, 0.6, 180.0 - 11.25 * n as f32));
    let brows = (0..5).map(|n| brow(-1.0, n)).chain((0..5).map(|n| brow(1.0, 4 - n)));
    let nose =
        (0..4).map(|n| (0.5, 0.38 + 0.065 * n as f32)).chain((0..5).map(|n| (0.42 + 0.04 * n as f32, 0.62 + 0.01 * (n % 4).min(1) as f32)));
    let lips = (0..12).map(|n| ellipse(0.5, 0.76, 0.17, 0.065, 180.0 + 30.0 * n as f32));
    let mouth = (0..8).map(|n| ellipse(0.5, 0.76, 0.12, 0.018, 180.0 + 45.0 * n as f32));
    let eyes = eye(0.3).into_iter().chain(eye(0.7));
    let irises = [(0.3, 0.38), (0.7, 0.38)];
    let points: Vec<(f32, f32)> = jaw.chain(brows).chain(nose).chain(eyes).chain(lips).chain(mouth).chain(irises).collect();
    Landmarks70(std::array::from_fn(|n| Point::new(rect.x + points[n].0 * rect.w, rect.y + points[n].1 * rect.h)))
}

/// `face` with a geometry that looks `yaw` degrees to the right of the picture.
fn measured(face: FaceRecord, yaw: f32, is_open: bool) -> FaceRecord {
    let geometry = FaceGeometry {
        pose: HeadPose { yaw, pitch: 8.0, roll: 0.0 },
        landmarks_norm: landmarks(face.rect_norm, is_open),
        blendshapes: Blendshapes::default(),
        trust: 0.9,
        age: Duration::ZERO,
        model_name: "face-geometry".into(),
    };
    FaceRecord { geometry: Some(Arc::new(geometry)), ..face }
}

fn measured_faces() -> Vec<FaceRecord> {
    let yaws = [0.0, -25.0, 40.0, 12.0, -50.0];
    five_faces().into_iter().zip(yaws).map(|(face, yaw)| measured(face, yaw, yaw < 40.0)).collect()
}

/// A rectangle in units of the height of a 16:9 frame.
fn wide(x: f32, y: f32, w: f32, h: f32) -> Rect {
    Rect::new(x * 9.0 / 16.0, y, w * 9.0 / 16.0, h)
}

fn one_face() -> Vec<FaceRecord> {
    vec![face(1, wide(0.55, 0.28, 0.36, 0.44), "happiness", 0.93)]
}

fn five_faces() -> Vec<FaceRecord> {
    vec![
        face(1, wide(0.10, 0.22, 0.22, 0.27), "happiness", 0.93),
        face(2, wide(0.75, 0.14, 0.20, 0.25), "surprise", 0.71),
        face(3, wide(1.38, 0.24, 0.21, 0.26), "neutral", 0.64),
        face(4, wide(0.42, 0.66, 0.20, 0.25), "sadness", 0.55),
        face(7, wide(1.07, 0.62, 0.22, 0.27), "anger", 0.82),
    ]
}

fn crowd() -> Vec<FaceRecord> {
    let at = |i: u32| {
        let (column, row) = (i % 5, i / 5);
        let shift = if row % 2 == 1 { 0.12 } else { 0.0 };
        wide(0.1 + column as f32 * 0.33 + shift, 0.05 + row as f32 * 0.19, 0.1, 0.125)
    };
    (0..25).map(|i| face(i + 1, at(i), FERPLUS_LABELS[(i * 3 % 8) as usize], 0.35 + 0.024 * i as f32)).collect()
}

/// An unclassified face, an unknown one, and some at the edges of the frame.
fn edge_cases() -> Vec<FaceRecord> {
    vec![
        FaceRecord { id: 1, rect_norm: wide(0.5, 0.3, 0.2, 0.25), detection: None, emotion: None, geometry: None, confirmed: true },
        face(2, wide(1.0, 0.3, 0.2, 0.25), "unknown", 0.0),
        face(3, wide(-0.05, -0.05, 0.25, 0.3), "fear", 0.51),
        face(4, wide(1.6, 0.8, 0.3, 0.4), "contempt", 0.62),
        face(5, wide(0.05, 0.7, 0.02, 0.025), "disgust", 0.77),
        face(6, Rect::new(f32::NAN, 0.0, 0.5, 0.5), "anger", 0.9),
        face(7, Rect::new(3.0, 3.0, 0.5, 0.5), "anger", 0.9),
    ]
}

const P240: Size = Size::new(426, 240);
const P360: Size = Size::new(640, 360);
const P480: Size = Size::new(854, 480);
const P720: Size = Size::new(1280, 720);
const P2160: Size = Size::new(3840, 2160);

fn data(name: &str) -> PathBuf {
    repository().join("tests/data/draw").join(format!("{name}.png"))
}

/// A folder below `target`, created.
fn output(folder: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(folder);
    std::fs::create_dir_all(&path).expect("target can be written");
    path
}

fn write_png(path: &Path, size: Size, rgba: &[u8]) {
    let file = std::fs::File::create(path).expect("the file can be written");
    let mut encoder = png::Encoder::new(file, size.width, size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(if size.width > P480.width { png::Compression::Fastest } else { png::Compression::High });
    let rgb: Vec<u8> = rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&rgb)).expect("the picture can be written");
}

fn read_png(path: &Path) -> (Size, Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
    let mut rgb = vec![0; reader.output_buffer_size().expect("a picture that fits in memory")];
    let info = reader.next_frame(&mut rgb).expect("a whole picture");
    (Size::new(info.width, info.height), rgb)
}

fn assert_snapshot(name: &str, scene: &Scene) {
    let rgba = scene.render();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return write_png(&data(name), scene.size, &rgba);
    }
    let (size, expected) = read_png(&data(name));
    let rgb = rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
    let worst = rgb.zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    if size != scene.size || worst > TOLERANCE {
        let actual = output("test-failures").join(format!("{name}.png"));
        write_png(&actual, scene.size, &rgba);
        panic!("{name}: {size:?}, a sample differs by {worst}; see {}", actual.display());
    }
}

#[test]
fn one_face_on_a_bright_background() {
    assert_snapshot("one-face-light", &Scene::new(P360, Background::Light, one_face()));
}

#[test]
fn one_face_on_a_dark_background_at_240_lines() {
    assert_snapshot("one-face-dark-240p", &Scene::new(P240, Background::Dark, one_face()));
}

#[test]
fn five_faces_with_all_parts() {
    let stats = Some(CornerFigures { faces: 5, fps: Some(29.97) });
    assert_snapshot("five-faces", &Scene { stats, ..Scene::new(P480, Background::Gradient, five_faces()) });
}

#[test]
fn a_crowd_has_short_labels() {
    let stats = Some(CornerFigures { faces: 25, fps: None });
    assert_snapshot("crowd", &Scene { stats, ..Scene::new(P480, Background::Gradient, crowd()) });
}

#[test]
fn unknown_faces_and_faces_at_the_edge() {
    assert_snapshot("edge-cases", &Scene::new(P360, Background::Gradient, edge_cases()));
}

#[test]
fn translated_words_and_another_palette() {
    let (translations, _) = Translations::parse("happiness=glücklich,surprise=удивление,neutral=ουδέτερο");
    let style = Style { translations, palette: Palette::TolBright, ids: false, font_size_px: 16, line_width_px: 4, ..Style::default() };
    let faces = five_faces().into_iter().take(3).collect();
    assert_snapshot("translated", &Scene { style, ..Scene::new(P480, Background::Light, faces) });
}

#[test]
fn contours_and_the_direction_of_the_nose() {
    let style = Style { landmarks: true, pose: true, scores: false, ..Style::default() };
    assert_snapshot("contours", &Scene { style: style.clone(), ..Scene::new(P480, Background::Gradient, measured_faces()) });
    assert_snapshot("contours-240p", &Scene { style, ..Scene::new(P240, Background::Dark, measured_faces()) });
}

#[test]
fn a_geometry_that_is_not_to_be_relied_on_is_not_drawn() {
    let style = Style { landmarks: true, pose: true, ..Style::default() };
    let count = |faces: &[FaceRecord]| Painter::new(style.clone()).draw(faces, None, P720).len();
    let mut doubtful = measured(one_face().remove(0), 0.0, true);
    let sure = count(std::slice::from_ref(&doubtful));
    doubtful.geometry.as_mut().map(Arc::make_mut).expect("a geometry").trust = 0.3;
    assert_eq!(count(std::slice::from_ref(&doubtful)), count(&one_face()) + 1, "the line from the nose");
    doubtful.geometry.as_mut().map(Arc::make_mut).expect("a geometry").trust = 0.05;
    assert_eq!(count(&[doubtful]), count(&one_face()));
    assert_eq!(sure, count(&one_face()) + 9 + 3 + 2 + 1, "nine parts, the jaw in four pieces, two irises, a line from the nose");
}

#[test]
fn parts_can_be_switched_off() {
    let none = Style { boxes: false, labels: false, scores: false, emoji: false, ids: false, ..Style::default() };
    let count = |style: Style| Painter::new(style).draw(&one_face(), None, P720).len();
    assert_eq!(count(none.clone()), 0);
    assert_eq!(count(Style { boxes: true, ..none.clone() }), 8, "a box is four corners and four strips");
    assert_eq!(count(Style { labels: true, ..none.clone() }), 2, "a plate and its percentage");
    let graph = count(Style { scores: true, ..none.clone() });
    assert!((2..=9).contains(&graph), "{graph}: a plate and the bars of at least a pixel");
    assert_eq!(count(Style { emoji: true, ..none.clone() }), 1);
    assert_eq!(count(Style { ids: true, ..none }), 1);
    assert_eq!(count(Style::default()), 8 + 2 + graph);
}

#[test]
fn an_unchanged_frame_returns_the_same_pictures() {
    let mut painter = Painter::new(Style::default());
    let first = painter.draw(&five_faces(), None, P720);
    painter.set_style(Style::default());
    let moved: Vec<FaceRecord> =
        five_faces().into_iter().map(|face| FaceRecord { rect_norm: face.rect_norm.translated(0.01, 0.0), ..face }).collect();
    let second = painter.draw(&moved, None, P720);
    assert_eq!(first.len(), second.len());
    for (a, b) in first.iter().zip(&second) {
        assert!(Arc::ptr_eq(&a.picture, &b.picture), "a picture was drawn again without a change");
    }
}

#[test]
fn plates_stay_inside_the_frame_and_do_not_overlap() {
    for (faces, size) in [(five_faces(), P720), (five_faces(), P240), (crowd(), P2160), (crowd(), P720)] {
        let plates = plates(&faces, size);
        assert!(plates.len() >= faces.len());
        for (index, plate) in plates.iter().enumerate() {
            assert_eq!(plate.clamp_to(size), *plate, "inside the frame");
            assert!(plates[..index].iter().all(|other| plate.intersection(*other).area() == 0.0), "plates overlap at {size:?}");
            assert!(faces.iter().all(|face| plate.intersection(face.rect_norm.from_norm(size)).area() < 2.0 * plate.w), "{plate:?}");
        }
    }
}

/// The plates of a frame without boxes. Bars lie on plates and are left out: a plate has a translucent middle of its upper edge.
fn plates(faces: &[FaceRecord], size: Size) -> Vec<Rect> {
    let pictures = Painter::new(Style { boxes: false, ..Style::default() }).draw(faces, None, size);
    let is_plate = |placed: &&Placed| placed.picture.rgba()[placed.picture.size().width as usize / 2 * 4 + 3] == 204;
    pictures.iter().filter(is_plate).map(Placed::rect).collect()
}

#[test]
fn each_face_of_a_dense_crowd_has_a_label_that_hides_no_other_face() {
    for gap in [2, 6, 10, 14, 18, 22, 30] {
        let (step, side) = ((110 + gap) as f32, 110.0);
        let at = |i: u32| Rect::new((i % 5) as f32 * step, (i / 5) as f32 * step, side, side);
        let faces: Vec<FaceRecord> = (0..25).map(|i| face(i + 1, at(i).to_norm(P720), "happiness", 0.6)).collect();
        let plates = plates(&faces, P720);
        assert_eq!(plates.len(), faces.len(), "gap {gap}");
        for plate in plates {
            let hidden = faces.iter().filter(|face| plate.intersection(face.rect_norm.from_norm(P720)).area() > 1.5 * plate.w).count();
            assert!(hidden <= 1, "gap {gap}: {plate:?} hides {hidden} faces");
        }
    }
}

#[test]
fn only_the_largest_faces_are_drawn_above_the_limit() {
    let place = |i: u32| Rect::new((i % 50) as f32 / 50.0, (i / 50) as f32 / 40.0, if i < 2_000 - 256 { 0.008 } else { 0.012 }, 0.016);
    let many: Vec<FaceRecord> = (0..2_000).map(|i| face(i + 1, place(i), "happiness", 0.9)).collect();
    let boxes = Style { labels: false, scores: false, emoji: false, ids: false, ..Style::default() };
    let placed = Painter::new(boxes).draw(&many, None, P2160);
    assert_eq!(placed.len(), 8 * 256, "four corners and four strips each");
    let (first, last) = (many[2_000 - 256].rect_norm.from_norm(P2160), many[1_999].rect_norm.from_norm(P2160));
    for rect in [first, last] {
        assert!(placed.iter().any(|placed| (placed.x - rect.x as i32).abs() <= 2 && (placed.y - rect.y as i32).abs() <= 2), "{rect:?}");
    }
    let stats = Some(CornerFigures { faces: many.len(), fps: None });
    assert!(Painter::new(Style::default()).draw(&many, stats, P2160).len() < 8 * 256 + 3 * 256, "labels are limited like boxes");
}

/// Any number, with a bias towards those near a frame.
fn number() -> impl Strategy<Value = f32> {
    let special = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 4e6]);
    prop_oneof![any::<f32>(), -2.0f32..2.0, 0.0f32..1.0, special]
}

proptest! {
    #[test]
    fn boxes_with_any_numbers_are_drawn_inside_the_frame(
        rects in prop::collection::vec((number(), number(), number(), number()), 1..12), width in 1u32..200, height in 1u32..200
    ) {
        let size = Size::new(width, height);
        let place = |&(x, y, w, h): &(f32, f32, f32, f32)| Rect::new(x, y, w, h);
        let faces: Vec<FaceRecord> = rects.iter().map(|rect| face(1, place(rect), "fear", 0.8)).collect();
        for placed in Painter::new(Style::default()).draw(&faces, None, size) {
            prop_assert_eq!(placed.rect().clamp_to(size), placed.rect());
        }
    }
}

#[test]
fn frames_of_any_size_can_be_drawn_on() {
    for size in [Size::new(1, 1), Size::new(1, 100), Size::new(17, 33), Size::new(641, 479), Size::default()] {
        let faces: Vec<FaceRecord> = five_faces().into_iter().chain(edge_cases()).collect();
        let stats = Some(CornerFigures { faces: 12, fps: None });
        Painter::new(Style::default()).draw(&faces, stats, size);
    }
    let huge = Style { font_size_px: 100_000, line_width_px: 100_000, ..Style::default() };
    Painter::new(huge).draw(&five_faces(), None, P720);
}

#[test]
#[ignore = "writes pictures for inspection, without a comparison"]
fn gallery() {
    let folder = output("test-gallery");
    for (lines, size) in [("240p", P240), ("720p", P720), ("2160p", P2160)] {
        for (ground, background) in [("light", Background::Light), ("dark", Background::Dark), ("gradient", Background::Gradient)] {
            for (count, faces) in [("1", one_face()), ("5", measured_faces()), ("25", crowd())] {
                let stats = Some(CornerFigures { faces: faces.len(), fps: Some(30.0) });
                let style = Style { landmarks: true, pose: true, ..Style::default() };
                let scene = Scene { stats, style, ..Scene::new(size, background, faces) };
                write_png(&folder.join(format!("{lines}-{ground}-{count}.png")), size, &scene.render());
            }
        }
    }
}
