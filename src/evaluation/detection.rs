// SPDX-License-Identifier: MIT OR Apache-2.0
//! Face detectors side by side on boxed photos: average precision by size, false boxes, time.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::photos::Photo;
use super::precision::{Labelled, Outcome, average_precision, outcomes};
use crate::detector::network::NetworkDetector;
use crate::detector::{DetectOptions, Detection, FaceDetector};
use crate::error::Result;
use crate::geometry::{Rect, Size};
use crate::model::ModelFile;
use crate::model::runtime::RunOptions;
use crate::model::search_path::SearchPath;

/// Sizes are told as if each photo's longer side were brought to so many pixels.
const REFERENCE: f32 = 640.0;
/// Faces of which longer sides count; what is smaller counts neither for nor against.
const SIZES: Range<f32> = 16.0..f32::INFINITY;
/// The classes that they fall into.
const CLASSES: [Range<f32>; 4] = [16.0..24.0, 24.0..48.0, 48.0..96.0, 96.0..f32::INFINITY];
/// Boxes below this confidence change no figure that anyone reads.
const LEAST_CONFIDENCE: f32 = 0.01;

/// What is measured.
pub struct Task<'a> {
    /// Photos with boxed faces.
    pub photos: &'a [Photo],
    /// Photos on which every box is false, whatever their labels say.
    pub face_free: &'a [Photo],
    /// Longer sides of the networks' input, 0 for the photo's own.
    pub detect_sizes: &'a [u32],
    /// Least overlap of a box with the face that it hits.
    pub least_iou: f32,
    /// Is told the share that is done, 0..1.
    pub progress: &'a dyn Fn(f32),
}

/// One detector at one size of input; shares are 0..1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Name of the model.
    pub model: String,
    /// Longer side of the input.
    pub detect_size: u32,
    /// How many faces counted.
    pub faces: usize,
    /// Over all sizes.
    pub average_precision: f64,
    /// From 16, 24, 48 and 96 px on in a photo of 640 px; none where there is no such face.
    pub by_size: Vec<Option<f64>>,
    /// Share of the faces that are found at the default threshold.
    pub recall: f64,
    /// Share of the boxes at the default threshold that are faces.
    pub precision: f64,
    /// Boxes at the default threshold on 100 face-free photos, if there are any.
    pub false_boxes: Option<f64>,
    /// Median time of a photo in milliseconds at the default threshold: sampling, networks and decoding, on one thread.
    pub milliseconds: f64,
}

/// All detectors on the same photos.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How many photos with labels.
    pub photos: usize,
    /// How many face-free ones.
    pub face_free: usize,
    /// Least overlap of a hit.
    pub least_iou: f32,
    /// Each detector at each size.
    pub figures: Vec<Figures>,
}

/// Runs every one of `models` over the photos of `task`.
///
/// # Errors
/// Those of [`NetworkDetector::load`], of reading a photo and of inference.
pub fn evaluate(models: &[ModelFile], task: &Task, search: &SearchPath) -> Result<Report> {
    let mut runs = Vec::new();
    for model in models {
        for &detect_size in task.detect_sizes {
            let detector =
                NetworkDetector::load(model.clone(), None, detect_size, search, RunOptions { threads: 1, ..Default::default() })?;
            runs.push(Run {
                detector,
                detect_size,
                all: Tally::default(),
                by_size: Default::default(),
                sure: Tally::default(),
                alone: 0,
                times: Vec::new(),
            });
        }
    }
    // Photo by photo, so that what disturbs the machine disturbs all of them.
    let mut found = Vec::new();
    let total = (task.photos.len() + task.face_free.len()) as f32;
    for (index, photo) in task.photos.iter().chain(task.face_free).enumerate() {
        let picture = photo.picture()?;
        for run in &mut runs {
            // A photo's second time is measured, as in a stream: memory for pictures of this size and for so many faces is there.
            run.detector.detect(&picture.view()?, &DetectOptions::default(), &mut found)?;
            let began = Instant::now();
            run.detector.detect(&picture.view()?, &DetectOptions::default(), &mut found)?;
            run.times.push(began.elapsed());
            if index >= task.photos.len() {
                run.alone += found.len();
                continue;
            }
            run.sure.count(photo, picture.size, &found, task.least_iou, SIZES);
            let options = DetectOptions { score_threshold: LEAST_CONFIDENCE, ..Default::default() };
            run.detector.detect(&picture.view()?, &options, &mut found)?;
            run.all.count(photo, picture.size, &found, task.least_iou, SIZES);
            for (tally, sizes) in run.by_size.iter_mut().zip(CLASSES) {
                tally.count(photo, picture.size, &found, task.least_iou, sizes);
            }
        }
        (task.progress)((index + 1) as f32 / total);
    }
    let figures = runs.into_iter().map(|run| run.figures(task.face_free.len())).collect();
    Ok(Report { photos: task.photos.len(), face_free: task.face_free.len(), least_iou: task.least_iou, figures })
}

/// One detector on its way through the photos.
struct Run {
    detector: NetworkDetector,
    detect_size: u32,
    /// Of whatever it takes for a face, and that for each class of size.
    all: Tally,
    by_size: [Tally; CLASSES.len()],
    /// Of what it finds at the default threshold.
    sure: Tally,
    /// What it finds so on face-free photos.
    alone: usize,
    times: Vec<Duration>,
}

#[derive(Default)]
struct Tally {
    faces: usize,
    outcomes: Vec<Outcome>,
}

impl Tally {
    /// Adds what was `found` on a photo of `size`, of which those count that are of `sizes` in a photo of [`REFERENCE`].
    fn count(&mut self, photo: &Photo, size: Size, found: &[Detection], least_iou: f32, sizes: Range<f32>) {
        let zoom = REFERENCE / size.width.max(size.height) as f32;
        let counts = |rect: Rect| sizes.contains(&(rect.w.max(rect.h) * zoom));
        let boxes: Vec<_> = found.iter().map(|found| (found.rect, found.confidence)).collect();
        let faces: Vec<_> = photo.faces.iter().map(|&rect| Labelled { rect, counts: counts(rect) }).collect();
        self.faces += faces.iter().filter(|face| face.counts).count();
        self.outcomes.extend(outcomes(&boxes, &faces, &photo.ignore, least_iou, counts));
    }

    fn average_precision(&self) -> f64 {
        average_precision(&self.outcomes, self.faces)
    }
}

impl Run {
    fn figures(mut self, face_free: usize) -> Figures {
        let hits = self.sure.outcomes.iter().filter(|outcome| outcome.hit).count() as f64;
        self.times.sort();
        Figures {
            model: self.detector.name().into(),
            detect_size: self.detect_size,
            faces: self.all.faces,
            average_precision: self.all.average_precision(),
            by_size: self.by_size.iter().map(|class| (class.faces > 0).then(|| class.average_precision())).collect(),
            recall: hits / self.all.faces.max(1) as f64,
            precision: hits / self.sure.outcomes.len().max(1) as f64,
            false_boxes: (face_free > 0).then(|| 100.0 * self.alone as f64 / face_free as f64),
            milliseconds: self.times.get(self.times.len() / 2).map_or(0.0, |time| 1e3 * time.as_secs_f64()),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let faces = self.figures.first().map_or(0, |figures| figures.faces);
        writeln!(
            f,
            "{faces} faces on {} photos, {} face-free photos; a hit overlaps by {}\n",
            self.photos, self.face_free, self.least_iou
        )?;
        writeln!(f, "| model | input | AP | 16 px | 24 px | 48 px | 96 px | recall % | precision % | false boxes | ms |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|---|")?;
        let shown = |figure: Option<f64>, digits: usize| figure.map_or("-".to_string(), |figure| format!("{figure:.digits$}"));
        for figures in &self.figures {
            let by_size: Vec<_> = figures.by_size.iter().map(|&figure| shown(figure, 3)).collect();
            writeln!(
                f,
                "| {} | {} | {:.3} | {} | {:.1} | {:.1} | {} | {:.2} |",
                figures.model,
                figures.detect_size,
                figures.average_precision,
                by_size.join(" | "),
                100.0 * figures.recall,
                100.0 * figures.precision,
                shown(figures.false_boxes, 1),
                figures.milliseconds,
            )?;
        }
        writeln!(f, "\nPixels: of a photo that is 640 px long, from there to the next column; smaller faces count for nothing.")?;
        writeln!(f, "Recall, precision and false boxes (for each 100 face-free photos) at the default threshold.")?;
        writeln!(f, "ms: median of sampling, networks and decoding on one thread, at the default threshold.")
    }
}
