// SPDX-License-Identifier: MIT OR Apache-2.0
//! Moving pictures of people who do not exist: the average faces of `models/average-faces`, one for each expression,
//! drawn where and when a scene says. Detectors and classifiers take them for faces, and anyone may have the result.
//!
//! ```
//! let scene = Scene::new(640, 480).actor(vec![
//!     Key::new(0.0, (200.0, 240.0), 180.0, "neutral"),
//!     Key::new(2.0, (440.0, 240.0), 180.0, "happiness"), // walks to the right and begins to smile
//! ]);
//! let rgb = scene.render(1.0);
//! ```

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use gstemotion::geometry::{Point, Rect};
use gstemotion::scores::FERPLUS_LABELS;

/// An actor at one moment. Between two keys position and height change evenly and one expression fades into the other.
#[derive(Clone, Debug)]
pub struct Key {
    /// Seconds from the start of the scene.
    pub at_s: f32,
    /// The middle of the face, in pixels of the frame.
    pub center: Point,
    /// From above the forehead to below the chin, in pixels.
    pub height: f32,
    /// One of [`FERPLUS_LABELS`].
    pub expression: &'static str,
}

impl Key {
    pub fn new(at_s: f32, center: (f32, f32), height: f32, expression: &'static str) -> Self {
        Self { at_s, center: Point { x: center.0, y: center.1 }, height, expression }
    }
}

/// Where a face is at one moment and how it looks: what a detector should find.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// Which actor it is, counted from 0 in the order they were added.
    pub actor: usize,
    /// About what a detector marks: from the forehead to the chin.
    pub face: Rect,
    /// The expression that fades out, and the one that fades in.
    pub expressions: [&'static str; 2],
    /// How far the fade is: 0 is all of the first, 1 all of the second.
    pub fade: f32,
    center: Point,
    height: f32,
}

/// Actors before a plain background. Equal scenes give equal pictures.
pub struct Scene {
    width: usize,
    height: usize,
    actors: Vec<Vec<Key>>,
    faces: Rc<AverageFaces>,
    /// Colours at the top and at the bottom.
    background: [[f32; 3]; 2],
}

impl Scene {
    /// An empty scene of that size in pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, actors: Vec::new(), faces: Rc::new(AverageFaces::load()), background: BACKGROUND }
    }

    /// Another background, from the colour at the top to that at the bottom.
    pub fn background(self, top: [f32; 3], bottom: [f32; 3]) -> Self {
        Self { background: [top, bottom], ..self }
    }

    /// Adds someone who is to be seen from the first key's time to the last one's. Later actors are nearer.
    pub fn actor(mut self, keys: Vec<Key>) -> Self {
        assert!(keys.is_sorted_by(|a, b| a.at_s < b.at_s), "keys come in the order of time");
        self.actors.push(keys);
        self
    }

    /// When the last actor is gone, in seconds.
    pub fn duration_s(&self) -> f32 {
        self.actors.iter().filter_map(|keys| keys.last()).map(|key| key.at_s).fold(0.0, f32::max)
    }

    /// Who is to be seen at that time, from the farthest to the nearest.
    pub fn appearances(&self, time_s: f32) -> Vec<Appearance> {
        self.actors.iter().enumerate().filter_map(|(actor, keys)| appearance(actor, keys, time_s)).collect()
    }

    /// The frame at that time: packed RGB, 8 bits each, no padding.
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
        let rows = (0..self.height).map(|y| blend(top, bottom, y as f32 / self.height as f32).map(|value| value.round() as u8));
        rows.flat_map(|color| color.repeat(self.width)).collect()
    }

    /// A neck and a plain shirt, so that no head floats in the air.
    fn draw_shoulders(&self, frame: &mut [u8], shown: &Appearance) {
        let (Point { x, y }, h) = (shown.center, shown.height);
        let shirt = SHIRTS[shown.actor % SHIRTS.len()];
        // Each is half an oval; below its middle it goes straight down: a shirt to the frame's edge, a neck into the shirt.
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
        // Small faces take the mean of several samples, or edges would flicker as they move.
        let samples = (from.side as f32 / shown.height).ceil().max(1.0) as usize;
        let step = 1.0 / (shown.height * samples as f32);
        let place = Rect::square(shown.center, shown.height);
        self.draw(frame, place, |u, v| {
            let mut sum = [0.0; 2];
            for i in 0..samples * samples {
                let at = |n: usize| (n as f32 + 0.5 - samples as f32 / 2.0) * step;
                let (u, v) = (u + at(i % samples), v + at(i / samples));
                let (a, b) = (from.sample(u, v), to.sample(u, v));
                (0..2).for_each(|n| sum[n] += a[n] + (b[n] - a[n]) * shown.fade);
            }
            let [grey, alpha] = sum.map(|value| value / (samples * samples) as f32);
            (SKIN.map(|tint| grey * tint), alpha / 255.0)
        });
    }

    /// Blends `color(u, v) → (RGB, opacity)` over `place`, `u` and `v` running from 0 to 1 across it.
    fn draw(&self, frame: &mut [u8], place: Rect, color: impl Fn(f32, f32) -> ([f32; 3], f32)) {
        let range = |from: f32, to: f32, limit: usize| (from.floor().max(0.0) as usize)..(to.ceil().max(0.0) as usize).min(limit);
        for y in range(place.y, place.bottom(), self.height) {
            for x in range(place.x, place.right(), self.width) {
                let (rgb, opacity) = color((x as f32 + 0.5 - place.x) / place.w, (y as f32 + 0.5 - place.y) / place.h);
                let pixel = &mut frame[(y * self.width + x) * 3..][..3];
                let below = [pixel[0], pixel[1], pixel[2]].map(f32::from);
                pixel.copy_from_slice(&blend(below, rgb, opacity.clamp(0.0, 1.0)).map(|value| value.round() as u8));
            }
        }
    }
}

/// Takes grey to a skin tone of the same luma (BT.601).
const SKIN: [f32; 3] = [1.10, 0.98, 0.84];
const BACKGROUND: [[f32; 3]; 2] = [[168.0, 190.0, 205.0], [112.0, 132.0, 150.0]];
const NECK: [f32; 3] = [152.0, 135.0, 116.0];
const SHIRTS: [[f32; 3]; 3] = [[70.0, 92.0, 124.0], [104.0, 84.0, 96.0], [78.0, 104.0, 92.0]];

fn blend(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|n| from[n] + (to[n] - from[n]) * share)
}

fn appearance(actor: usize, keys: &[Key], time_s: f32) -> Option<Appearance> {
    let pair = keys.windows(2).find(|pair| (pair[0].at_s..=pair[1].at_s).contains(&time_s))?;
    let (from, to) = (&pair[0], &pair[1]);
    let share = (time_s - from.at_s) / (to.at_s - from.at_s);
    let between = |a: f32, b: f32| a + (b - a) * share;
    let center = Point { x: between(from.center.x, to.center.x), y: between(from.center.y, to.center.y) };
    let height = between(from.height, to.height);
    let (w, h) = (0.66 * height, 0.82 * height); // as CenterFace marks these faces
    let face = Rect { x: center.x - w / 2.0, y: center.y - 0.42 * height, w, h };
    Some(Appearance { actor, face, expressions: [from.expression, to.expression], fade: share, center, height })
}

/// The eight pictures, each square and of one size.
struct AverageFaces(HashMap<&'static str, Picture>);

impl AverageFaces {
    fn load() -> Self {
        // Of a test of a member of the workspace, the models lie further up.
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

/// The weights of the four pixels around a place `t` in 0..1 between the middle two.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [(-t3 + 2.0 * t2 - t) / 2.0, (3.0 * t3 - 5.0 * t2 + 2.0) / 2.0, (-3.0 * t3 + 4.0 * t2 + t) / 2.0, (t3 - t2) / 2.0]
}
