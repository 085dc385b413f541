// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame of a video that shows its faces best.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use gst::prelude::*;
use gst_video::prelude::*;

use crate::error::Error;
use crate::records::{Records, Seen};
use crate::video::pipeline;

/// A part with a mean brightness between these is neither dark nor bright, 0..255.
const DARK: f32 = 80.0;
const BRIGHT: f32 = 200.0;
/// Brightness is measured on as many rows and columns of a part.
const GRID: usize = 12;
/// Time without a frame after which the video is given up.
const TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(60);
/// Takes the frames out of the pipeline.
const TAKE: &str = "appsink name=out sync=false max-buffers=4 caps=video/x-raw,format=RGB";

/// The frame, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BestFrame {
    pub(crate) picture: Picture,
    /// Number of frames before it.
    pub(crate) index: u64,
    /// Number of frames of the video.
    pub(crate) frames: u64,
}

/// Packed RGB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgb: Vec<u8>,
}

impl Picture {
    fn of(sample: &gst::Sample) -> Option<Self> {
        let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
        let (width, height) = (info.width() as usize, info.height() as usize);
        let rows = frame.plane_data(0).ok()?.chunks(frame.plane_stride()[0] as usize).take(height);
        Some(Self { width, height, rgb: rows.flat_map(|row| &row[..width * 3]).copied().collect() })
    }

    /// Writes the picture to `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write_png(&self, path: &Path) -> Result<(), Error> {
        let failed = |source: io::Error| Error::Write { path: path.to_owned(), source };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.rgb));
        written.map_err(|error| failed(io::Error::other(error)))
    }

    /// 1 for a part of medium brightness, less for a darker or brighter one, 0 for black and white.
    fn exposure(&self, rect_norm: [f32; 4]) -> f32 {
        let [x, y, w, h] = rect_norm;
        // Inside the lines of a drawn box.
        let steps = || (0..GRID).map(|step| 0.2 + 0.6 * (step as f32 + 0.5) / GRID as f32);
        let pixel = |at: f32, length: usize| ((at * length as f32).max(0.0) as usize).min(length.saturating_sub(1));
        let green = |row: usize, column: usize| f32::from(self.rgb[(row * self.width + column) * 3 + 1]);
        let rows = steps().map(|step| pixel(y + h * step, self.height));
        let sum: f32 = rows.flat_map(|row| steps().map(move |step| green(row, pixel(x + w * step, self.width)))).sum();
        let mean = sum / (GRID * GRID) as f32;
        (mean / DARK).min((255.0 - mean) / (255.0 - BRIGHT)).min(1.0)
    }

    /// How well the picture shows faces: many, with clear and different expressions, neither dark nor bright.
    fn appeal(&self, faces: &[&Seen], unknown: Option<u32>) -> f32 {
        let known = || faces.iter().filter(|face| face.label.is_some() && face.label != unknown);
        let labels = known().map(|face| face.label).collect::<BTreeSet<_>>().len();
        let clear: f32 = known().map(|face| face.score.unwrap_or_default() * self.exposure(face.rect_norm)).sum();
        clear + self.exposure([0.0, 0.0, 1.0, 1.0]) * (0.1 + 0.25 * labels as f32)
    }
}

/// The frame of the video in `path` that shows the faces of `records` best.
///
/// # Errors
/// If GStreamer cannot read the video.
pub(crate) fn best_frame(path: &Path, records: &Records) -> Result<BestFrame, Error> {
    let mut faces: HashMap<u64, Vec<&Seen>> = HashMap::new();
    records.faces().for_each(|(_, seen)| faces.entry(seen.frame).or_default().push(seen));
    let unknown = records.unknown();
    let (mut best, mut highest) = (BestFrame::default(), -1.0);
    best.frames = each_frame(path, |index, picture| {
        let appeal = picture.appeal(faces.get(&index).map_or(&[], Vec::as_slice), unknown);
        if appeal > highest {
            (highest, best.picture, best.index) = (appeal, picture, index);
        }
    })?;
    Ok(best)
}

/// Calls `visit` with each frame and the number of frames before it. Returns the number of frames.
fn each_frame(path: &Path, mut visit: impl FnMut(u64, Picture)) -> Result<u64, Error> {
    if !path.is_file() {
        return Err(Error::NoVideo { path: path.to_owned() });
    }
    let unreadable = |reason: &str| Error::Video { path: path.to_owned(), reason: reason.to_owned() };
    let failed = |error: gst::glib::Error| unreadable(error.message());
    let pipeline = pipeline(path, TAKE)?;
    let out = pipeline.by_name("out").and_downcast::<gst_app::AppSink>().expect("an element of the line");
    // The reason of a failure is on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut frames = 0;
    while let Some(sample) = out.try_pull_sample(TIMEOUT) {
        if let Some(picture) = Picture::of(&sample) {
            visit(frames, picture);
        }
        frames += 1;
    }
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    let is_at_end = out.is_eos();
    let _ = pipeline.set_state(gst::State::Null);
    match error.as_deref().map(gst::MessageRef::view) {
        Some(gst::MessageView::Error(error)) => Err(failed(error.error())),
        _ if is_at_end => Ok(frames),
        _ => Err(unreadable(&format!("no frame within {} s", TIMEOUT.seconds()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(level: u8) -> Picture {
        Picture { width: 64, height: 48, rgb: vec![level; 64 * 48 * 3] }
    }

    fn seen(label: u32, score: f32) -> Seen {
        Seen {
            frame: 0,
            id: Some(1),
            rect_norm: [0.2, 0.2, 0.3, 0.4],
            label: Some(label),
            reason: None,
            score: Some(score),
            scores: Vec::new(),
            signs: None,
        }
    }

    #[test]
    fn a_face_is_shown_best_in_medium_light() {
        let exposures = [0, 40, 110, 200, 255].map(|level| gray(level).exposure([0.2, 0.2, 0.3, 0.4]));
        assert_eq!(exposures, [0.0, 0.5, 1.0, 1.0, 0.0]);
        let appeals = [(8, 0.99), (110, 0.9), (250, 0.95)].map(|(level, score)| gray(level).appeal(&[&seen(0, score)], None));
        assert!(appeals[1] > appeals[0] && appeals[1] > appeals[2], "{appeals:?}");
    }

    #[test]
    fn different_expressions_are_better_than_equal_ones_and_unknown_faces_do_not_count() {
        let appeal = |labels: [u32; 2]| gray(110).appeal(&[&seen(labels[0], 0.9), &seen(labels[1], 0.9)], Some(7));
        assert!(appeal([0, 1]) > appeal([0, 0]) && appeal([0, 0]) > appeal([0, 7]), "{} {}", appeal([0, 1]), appeal([0, 0]));
    }
}
