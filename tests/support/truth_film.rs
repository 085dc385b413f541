// SPDX-License-Identifier: MIT OR Apache-2.0
//! Films whose frames say which they are: bars at the top carry the number, the time and the size, and the place of a face follows from
//! the number. Whoever reads them knows what a frame is, whatever moved, lost or renumbered it.
//!
//! ```
//! use test_support::truth_film::{Mark, Path, TruthFilm, read};
//!
//! let film = TruthFilm::new(160, 120, Path::Grid);
//! let mark = Mark { number: 7, time_us: 280_000, width: 160, height: 120 };
//! let rgb = film.render(mark.number, mark.time_us);
//! let luma: Vec<u8> = rgb.chunks(3).map(|pixel| pixel[1]).collect();
//! assert_eq!(read(&luma, 160, (160, 120)), Some(mark));
//! ```

use std::cell::OnceCell;
use std::ops::Range;

use emotion_core::geometry::Rect;

use crate::average_faces::{Key, Scene};

/// Blocks of the bars in a row, and rows.
const COLUMNS: usize = 24;
const ROWS: usize = 4;
/// Height of a row of blocks, as a share of the frame's height: the bars take the upper sixth.
const ROW_HEIGHT: f32 = 1.0 / 24.0;
/// Columns and rows of the places of [`Path::Grid`].
const GRID: [u32; 2] = [5, 3];
/// The checksum is the remainder of a division by this prime.
const PRIME: u128 = 65_521;

/// What the bars of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Number of frames before this one, below 2²⁰.
    pub number: u32,
    /// Time of the frame in microseconds, below 2³⁶.
    pub time_us: u64,
    /// Size of the frame as it was rendered, below 4096.
    pub width: u32,
    /// See `width`.
    pub height: u32,
}

impl Mark {
    /// The fields and their checksum, from the lowest bit on: 20, 36, 12, 12 and 16 bits.
    fn bits(&self) -> u128 {
        let fields =
            u128::from(self.number) | u128::from(self.time_us) << 20 | u128::from(self.width) << 56 | u128::from(self.height) << 68;
        fields | checksum(fields) << 80
    }

    /// Draws the bars into a frame of the mark's size, whose rows begin `stride` bytes apart and whose pixels have `bytes` bytes.
    pub fn draw(&self, frame: &mut [u8], stride: usize, bytes: usize) {
        let (bits, width, height) = (self.bits(), self.width as usize, self.height as usize);
        for (y, row) in frame.chunks_mut(stride).take(height).enumerate() {
            let bar = ((y as f32 + 0.5) / height as f32 / ROW_HEIGHT) as usize;
            for (x, pixel) in row.chunks_exact_mut(bytes).take(width).enumerate().filter(|_| bar < ROWS) {
                let block = bar * COLUMNS + x * COLUMNS / width;
                pixel.fill(if bits >> block & 1 == 1 { 255 } else { 0 });
            }
        }
    }

    /// The mark of these bits, unless their checksum is wrong.
    fn of(bits: u128) -> Option<Self> {
        let (fields, sum) = (bits & ((1 << 80) - 1), bits >> 80);
        let field = |from: u32, length: u32| ((fields >> from) & ((1 << length) - 1)) as u64;
        let mark = Self { number: field(0, 20) as u32, time_us: field(20, 36), width: field(56, 12) as u32, height: field(68, 12) as u32 };
        (checksum(fields) == sum).then_some(mark)
    }
}

/// Not 0 for a black frame.
fn checksum(fields: u128) -> u128 {
    (fields + 1) % PRIME
}

/// Where the face of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// It moves from left to right and back, and a little downwards and back: the same place after 100 frames.
    Smooth,
    /// It jumps over 15 places, so that a place alone says the number, within 15 frames.
    Grid,
}

impl Path {
    /// Number of frames after which places repeat.
    pub fn period(self) -> u32 {
        match self {
            Self::Smooth => 100,
            Self::Grid => GRID[0] * GRID[1],
        }
    }

    /// The centre of the face, as shares of the frame.
    fn center(self, phase: u32) -> (f32, f32) {
        match self {
            Self::Smooth => {
                let way = (50.0 - (phase as f32 - 50.0).abs()) / 50.0;
                (0.3 + 0.4 * way, 0.5 + 0.15 * way)
            }
            Self::Grid => (0.25 + 0.125 * (phase % GRID[0]) as f32, 0.46 + 0.12 * (phase % GRID[1]) as f32),
        }
    }
}

/// A film of one face. Frames of equal number and time are equal.
pub struct TruthFilm {
    width: usize,
    height: usize,
    path: Path,
    scene: Scene,
    /// Numbers of the frames with a face.
    with_face: Range<u32>,
    /// The frame of each phase, without bars, and behind them one without a face.
    rendered: Vec<OnceCell<Vec<u8>>>,
}

impl TruthFilm {
    /// A film of this size in pixels, at least 128x96. The face is half as high as the frame.
    pub fn new(width: usize, height: usize, path: Path) -> Self {
        let key = |phase: u32, at_s: f32| {
            let (x, y) = path.center(phase);
            Key::new(at_s, (x * width as f32, y * height as f32), 0.5 * height as f32, "happiness")
        };
        // The time of the scene is the phase; a face stays where it is for a moment, and then jumps.
        let keys = (0..path.period()).flat_map(|phase| [key(phase, phase as f32), key(phase, phase as f32 + 0.5)]);
        let rendered = (0..=path.period()).map(|_| OnceCell::new()).collect();
        Self { width, height, path, scene: Scene::new(width, height).actor(keys.collect()), with_face: 0..u32::MAX, rendered }
    }

    /// The film with a face on these frames only.
    pub fn only(self, numbers: Range<u32>) -> Self {
        Self { with_face: numbers, ..self }
    }

    /// Frame `number` as packed RGB, whose bars say that it is shown at `time_us`.
    pub fn render(&self, number: u32, time_us: u64) -> Vec<u8> {
        let period = self.path.period();
        let phase = if self.with_face.contains(&number) { number % period } else { period };
        let mut frame = self.rendered[phase as usize].get_or_init(|| self.scene.render(phase as f32)).clone();
        Mark { number, time_us, width: self.width as u32, height: self.height as u32 }.draw(&mut frame, 3 * self.width, 3);
        frame
    }

    /// The box in which a detector finds the face of frame `number`, in 0..1 of the frame.
    pub fn face(&self, number: u32) -> Rect {
        let shown = self.scene.appearances((number % self.path.period()) as f32);
        let (Rect { x, y, w, h }, width, height) = (shown[0].face, self.width as f32, self.height as f32);
        Rect { x: x / width, y: y / height, w: w / width, h: h / height }
    }

    /// True if a face at `rect`, in 0..1 of the frame, is nearest to its place on frame `number`.
    pub fn is_at(&self, number: u32, rect: &Rect) -> bool {
        let distance = |phase: &u32| {
            let place = self.face(*phase);
            (place.x + place.w / 2.0 - rect.x - rect.w / 2.0).hypot(place.y + place.h / 2.0 - rect.y - rect.h / 2.0)
        };
        let nearest = (0..self.path.period()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest == Some(number % self.path.period())
    }
}

/// The mark of a frame, of whose luma rows begin `stride` bytes apart; `None` if its bars cannot be read. The frame may have another
/// size than it was rendered with.
pub fn read(luma: &[u8], stride: usize, (width, height): (usize, usize)) -> Option<Mark> {
    let bit = |block: usize| {
        // The middle of the block: its edges are blurred.
        let span = |at: usize, parts: f32, length: usize| {
            let inside = |share: f32| ((at as f32 + share) / parts * length as f32) as usize;
            inside(0.3)..inside(0.7).max(inside(0.3) + 1)
        };
        let (rows, columns) = (span(block / COLUMNS, 1.0 / ROW_HEIGHT, height), span(block % COLUMNS, COLUMNS as f32, width));
        let pixels = rows.flat_map(|y| columns.clone().map(move |x| y * stride + x));
        let (sum, count) = pixels.fold((0_usize, 0), |(sum, count), at| (sum + usize::from(luma.get(at).copied().unwrap_or(0)), count + 1));
        u128::from(sum >= 128 * count)
    };
    Mark::of((0..ROWS * COLUMNS).fold(0, |bits, block| bits | bit(block) << block))
}

/// The mark of a raw video frame of any format in main memory; see [`read`].
#[cfg(feature = "plugin")]
pub fn read_buffer(buffer: &gst::Buffer, info: &gst_video::VideoInfo) -> Option<Mark> {
    use gst_video::prelude::*;
    let grey = gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray8, info.width(), info.height()).build().ok()?;
    let from = gst_video::VideoFrame::from_buffer_readable(buffer.clone(), info).ok()?;
    let mut to = gst_video::VideoFrame::from_buffer_writable(gst::Buffer::with_size(grey.size()).ok()?, &grey).ok()?;
    gst_video::VideoConverter::new(info, &grey, None).ok()?.frame(&from, &mut to);
    read(to.plane_data(0).ok()?, to.plane_stride()[0] as usize, (info.width() as usize, info.height() as usize))
}
