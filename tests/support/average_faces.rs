// SPDX-License-Identifier: MIT OR Apache-2.0
//! Videos of people who do not exist: the average faces of `models/average-faces`, one for each expression,
//! drawn as a scene describes. Detectors and classifiers accept them as faces, and the result is free to publish.
//!
//! ```
//! use test_support::average_faces::{Key, Scene};
//!
//! let scene = Scene::new(640, 480).actor(vec![
//!     Key::new(0.0, (200.0, 240.0), 180.0, "neutral"),
//!     Key::new(2.0, (440.0, 240.0), 180.0, "happiness"), // moves to the right and starts to smile
//! ]);
//! let rgb = scene.render(1.0);
//! ```

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use emotion_core::geometry::{Point, Rect};
use emotion_core::scores::FERPLUS_LABELS;

/// A key frame of an actor. Between two keys, position and height are interpolated, and one expression fades into the other.
#[derive(Clone, Debug)]
pub struct Key {
    /// Seconds from the start of the scene.
    pub at_s: f32,
    /// Centre of the face, in pixels of the frame.
    pub center: Point,
    /// Height from above the forehead to below the chin, in pixels.
    pub height: f32,
    /// One of [`FERPLUS_LABELS`].
    pub expression: &'static str,
}

impl Key {
    /// A key frame; the parameters are the fields.
    pub fn new(at_s: f32, center: (f32, f32), height: f32, expression: &'static str) -> Self {
        Self { at_s, center: Point { x: center.0, y: center.1 }, height, expression }
    }
}

/// The position and the expression of a face at one time, as a detector should find it.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// Index of the actor, in the order of addition.
    pub actor: usize,
    /// The expected box of a detector, from the forehead to the chin.
    pub face: Rect,
    /// The expression that fades out, and the one that fades in.
    pub expressions: [&'static str; 2],
    /// Progress of the fade: 0 shows only the first expression, 1 only the second.
    pub fade: f32,
    center: Point,
    height: f32,
}

/// Actors in front of a plain background. Equal scenes yield equal pictures.
pub struct Scene {
    width: usize,
    height: usize,
    actors: Vec<Vec<Key>>,
    faces: Rc<AverageFaces>,
    /// Colours of the background at the top and at the bottom.
    background: [[f32; 3]; 2],
}

impl Scene {
    /// An empty scene with this size in pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, actors: Vec::new(), faces: Rc::new(AverageFaces::load()), background: BACKGROUND }
    }

    /// Sets the background, a gradient from the colour at the top to that at the bottom.
    pub fn background(self, top: [f32; 3], bottom: [f32; 3]) -> Self {
        Self { background: [top, bottom], ..self }
    }

    /// Adds an actor who is visible from the time of the first key to that of the last. Later actors are in front.
    pub fn actor(mut self, keys: Vec<Key>) -> Self {
        assert!(keys.is_sorted_by(|a, b| a.at_s < b.at_s), "keys are sorted by time");
        self.actors.push(keys);
        self
    }

    /// Time at which the last actor leaves, in seconds.
    pub fn duration_s(&self) -> f32 {
        self.actors.iter().filter_map(|keys| keys.last()).map(|key| key.at_s).fold(0.0, f32::max)
    }

    /// The visible actors at this time, from back to front.
    pub fn appearances(&self, time_s: f32) -> Vec<Appearance> {
        self.actors.iter().enumerate().filter_map(|(actor, keys)| appearance(actor, keys, time_s)).collect()
    }

    /// The frame at this time: packed RGB, 8 bits each, no padding.
    pub fn render(&self, time_s: f32) -> Vec<u8> {
        let mut frame = self.empty_frame();
        for appearance in self.appearances(time_s) {
            self.draw_shoulders(&mut frame, &appearance);
            self.draw_face(&mut frame, &appearance);
        }
        frame
    }

    fn empty_frame(&self) -> Vec<u8> {
        let [top, bottom] = self.background;
        let mut frame = vec![0; 3 * self.width * self.height];
        for (y, row) in frame.chunks_exact_mut(3 * self.width).enumerate() {
            let color = blend(top, bottom, y as f32 / self.height as f32).map(nearest);
            row.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&color));
        }
        frame
    }

    /// A neck and a plain shirt, so that no head floats in the air.
    fn draw_shoulders(&self, frame: &mut [u8], shown: &Appearance) {
        let (Point { x, y }, h) = (shown.center, shown.height);
        let shirt = SHIRTS[shown.actor % SHIRTS.len()];
        // Both are half ovals that continue straight down: the shirt to the edge of the frame, the neck into the shirt.
        let parts = [((0.20, 0.30), y + 0.70 * h, 0.24, NECK), ((0.70, 0.53), self.height as f32, 0.50, shirt)];
        for ((half_width, top), bottom, radius, color) in parts {
            let (left, top) = (x - half_width * h, y + top * h);
            self.draw(frame, Rect::from_corners(left, top, x + half_width * h, bottom), |u, v| {
                let above_middle = (1.0 - v * (bottom - top) / (radius * h)).max(0.0);
                let outside = (u * 2.0 - 1.0).hypot(above_middle);
                (color, ((1.0 - outside) * radius * h / 2.0).clamp(0.0, 1.0))
            });
        }
    }

    fn draw_face(&self, frame: &mut [u8], shown: &Appearance) {
        let [from, to] = shown.expressions.map(|name| self.faces.of(name));
        let changes = shown.expressions[0] != shown.expressions[1];
        // Small faces average several samples, otherwise edges would flicker as they move.
        let samples = (from.side as f32 / shown.height).ceil().max(1.0) as usize;
        let step = 1.0 / (shown.height * samples as f32);
        let place = Rect::square(shown.center, shown.height);
        self.draw(frame, place, |u, v| {
            let mut sum = [0.0; 2];
            for i in 0..samples * samples {
                let at = |n: usize| (n as f32 + 0.5 - samples as f32 / 2.0) * step;
                let (u, v) = (u + at(i % samples), v + at(i / samples));
                let a = from.sample(u, v);
                let b = if changes { to.sample(u, v) } else { a };
                (0..2).for_each(|n| sum[n] += a[n] + (b[n] - a[n]) * shown.fade);
            }
            let [grey, alpha] = sum.map(|value| value / (samples * samples) as f32);
            (SKIN.map(|tint| grey * tint), alpha / 255.0)
        });
    }

    /// Blends `color(u, v) → (RGB, opacity)` over `place`; `u` and `v` run from 0 to 1 across it.
    fn draw(&self, frame: &mut [u8], place: Rect, color: impl Fn(f32, f32) -> ([f32; 3], f32)) {
        let range = |from: f32, to: f32, limit: usize| (from.floor().max(0.0) as usize)..(to.ceil().max(0.0) as usize).min(limit);
        for y in range(place.y, place.bottom(), self.height) {
            for x in range(place.x, place.right(), self.width) {
                let (rgb, opacity) = color((x as f32 + 0.5 - place.x) / place.w, (y as f32 + 0.5 - place.y) / place.h);
                let pixel = &mut frame[(y * self.width + x) * 3..][..3];
                let below = [pixel[0], pixel[1], pixel[2]].map(f32::from);
                pixel.copy_from_slice(&blend(below, rgb, opacity.clamp(0.0, 1.0)).map(nearest));
            }
        }
    }
}

/// Converts grey to a skin tone with the same luma (BT.601).
const SKIN: [f32; 3] = [1.10, 0.98, 0.84];
const BACKGROUND: [[f32; 3]; 2] = [[168.0, 190.0, 205.0], [112.0, 132.0, 150.0]];
const NECK: [f32; 3] = [152.0, 135.0, 116.0];
const SHIRTS: [[f32; 3]; 3] = [[70.0, 92.0, 124.0], [104.0, 84.0, 96.0], [78.0, 104.0, 92.0]];

fn blend(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|n| from[n] + (to[n] - from[n]) * share)
}

/// The nearest whole number of a value in 0..=255.
fn nearest(value: f32) -> u8 {
    (value + 0.5) as u8
}

fn appearance(actor: usize, keys: &[Key], time_s: f32) -> Option<Appearance> {
    let pair = keys.windows(2).find(|pair| (pair[0].at_s..=pair[1].at_s).contains(&time_s))?;
    let (from, to) = (&pair[0], &pair[1]);
    let share = (time_s - from.at_s) / (to.at_s - from.at_s);
    let between = |a: f32, b: f32| a + (b - a) * share;
    let center = Point { x: between(from.center.x, to.center.x), y: between(from.center.y, to.center.y) };
    let height = between(from.height, to.height);
    let (w, h) = (0.66 * height, 0.82 * height); // the size of CenterFace's boxes
    let face = Rect { x: center.x - w / 2.0, y: center.y - 0.42 * height, w, h };
    Some(Appearance { actor, face, expressions: [from.expression, to.expression], fade: share, center, height })
}

/// The eight pictures, all square and of the same size.
struct AverageFaces(HashMap<&'static str, Picture>);

impl AverageFaces {
    fn load() -> Self {
        // In tests of workspace members, the models are further up.
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("models/average-faces"));
        let folder = folders.into_iter().find(|folder| folder.is_dir()).expect("models/average-faces in the checkout");
        Self(FERPLUS_LABELS.map(|name| (name, Picture::load(&folder.join(name).with_extension("png")))).into())
    }

    fn of(&self, expression: &str) -> &Picture {
        self.0.get(expression).unwrap_or_else(|| panic!("no such expression: {expression}"))
    }
}

/// Grey and alpha, interleaved, row by row.
struct Picture {
    side: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn load(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG file");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("a whole picture");
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::GrayscaleAlpha, png::BitDepth::Eight));
        assert_eq!(info.width, info.height);
        Self { side: info.width as usize, pixels }
    }

    /// Grey and alpha at `u`, `v` in 0..1, by Catmull-Rom over 4x4 pixels; transparent outside.
    fn sample(&self, u: f32, v: f32) -> [f32; 2] {
        let (x, y) = (u * self.side as f32 - 0.5, v * self.side as f32 - 0.5);
        let (weights_x, weights_y) = (catmull_rom(x - x.floor()), catmull_rom(y - y.floor()));
        let mut sum = [0.0; 2];
        for (j, weight_y) in weights_y.iter().enumerate() {
            for (i, weight_x) in weights_x.iter().enumerate() {
                let (px, py) = (x.floor() as isize + i as isize - 1, y.floor() as isize + j as isize - 1);
                let [grey, alpha] = self.pixel(px, py);
                sum[0] += grey * weight_x * weight_y;
                sum[1] += alpha * weight_x * weight_y;
            }
        }
        sum.map(|value| value.clamp(0.0, 255.0))
    }

    /// The nearest pixel's grey; outside of the picture its alpha is 0.
    fn pixel(&self, x: isize, y: isize) -> [f32; 2] {
        let last = self.side as isize - 1;
        let inside = (0..=last).contains(&x) && (0..=last).contains(&y);
        let at = (y.clamp(0, last) * (last + 1) + x.clamp(0, last)) as usize * 2;
        [f32::from(self.pixels[at]), if inside { f32::from(self.pixels[at + 1]) } else { 0.0 }]
    }
}

/// The weights of four pixels for a position `t` in 0..1 between the middle two.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [(-t3 + 2.0 * t2 - t) / 2.0, (3.0 * t3 - 5.0 * t2 + 2.0) / 2.0, (-3.0 * t3 + 4.0 * t2 + t) / 2.0, (t3 - t2) / 2.0]
}
