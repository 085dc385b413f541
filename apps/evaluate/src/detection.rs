// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluation of face detectors on labelled photos: average precision by size, false positives, time.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::time::{Duration, Instant};

use emotion_core::detector::network::NetworkDetector;
use emotion_core::detector::{DetectOptions, Detection, FaceDetector};
use emotion_core::geometry::{Rect, Size};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use serde::Serialize;

use crate::error::Result;
use crate::photos::Photo;
use crate::precision::{Labelled, Outcome, average_precision, outcomes};

/// Longer side in pixels of the photo to which sizes of faces refer.
const REFERENCE: f32 = 640.0;
/// Longer sides of the faces that count. Smaller faces are neither hits nor misses.
const SIZES: Range<f32> = 16.0..f32::INFINITY;
/// The size classes of the report.
const CLASSES: [Range<f32>; 4] = [16.0..24.0, 24.0..48.0, 48.0..96.0, 96.0..f32::INFINITY];
/// Minimum confidence of the boxes in the average precision. Less confident boxes hardly change it.
const MIN_CONFIDENCE: f32 = 0.01;

/// The task of an evaluation.
pub struct Task<'a> {
    /// Photos with labelled faces.
    pub photos: &'a [Photo],
    /// Photos on which every box is a false positive, whatever their labels are.
    pub face_free: &'a [Photo],
    /// Longer sides of the network's input; 0 stands for the photo's own.
    pub detect_sizes: &'a [u32],
    /// Minimum IoU of a box and the face that it hits.
    pub min_iou: f32,
    /// Called with the finished share, 0..1.
    pub progress: &'a dyn Fn(f32),
}

/// The metrics of one detector at one input size; shares are 0..1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Name of the model.
    pub model: String,
    /// Longer side of the input.
    pub detect_size: u32,
    /// Number of faces that count.
    pub faces: usize,
    /// Average precision over all sizes.
    pub average_precision: f64,
    /// Average precision of faces from 16, 24, 48 and 96 px in a photo of 640 px; none where there is no such face.
    pub by_size: Vec<Option<f64>>,
    /// Share of the faces that are found at the model's own threshold.
    pub recall: f64,
    /// Share of the boxes at the model's own threshold that are faces.
    pub precision: f64,
    /// Number of boxes at the model's own threshold per 100 face-free photos, if there are any.
    pub false_boxes: Option<f64>,
    /// Median time of a photo in milliseconds at the model's own threshold: sampling, networks and decoding, on one thread.
    pub milliseconds: f64,
}

/// The metrics of all detectors on the same photos.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Number of photos with labels.
    pub photos: usize,
    /// Number of face-free photos.
    pub face_free: usize,
    /// Minimum IoU of a hit.
    #[serde(rename = "least_iou")]
    pub min_iou: f32,
    /// Each detector at each size.
    pub figures: Vec<Figures>,
}

/// Runs each of `models` on the photos of `task`.
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
                confident: Tally::default(),
                false_boxes: 0,
                times: Vec::new(),
            });
        }
    }
    // Detectors take turns on each photo, so that a disturbance of the machine affects all of their times.
    let mut found = Vec::new();
    let total = (task.photos.len() + task.face_free.len()) as f32;
    for (index, photo) in task.photos.iter().chain(task.face_free).enumerate() {
        let picture = photo.picture()?;
        for run in &mut runs {
            let reported = DetectOptions { score_threshold: run.detector.score_threshold(), ..Default::default() };
            // The second detection on a photo is timed: as in a stream, memory for pictures of this size is allocated by then.
            run.detector.detect(&picture.view()?, &reported, &mut found)?;
            let start = Instant::now();
            run.detector.detect(&picture.view()?, &reported, &mut found)?;
            run.times.push(start.elapsed());
            if index >= task.photos.len() {
                run.false_boxes += found.len();
                continue;
            }
            run.confident.count(photo, picture.size, &found, task.min_iou, SIZES);
            let options = DetectOptions { score_threshold: MIN_CONFIDENCE, ..Default::default() };
            run.detector.detect(&picture.view()?, &options, &mut found)?;
            run.all.count(photo, picture.size, &found, task.min_iou, SIZES);
            for (tally, sizes) in run.by_size.iter_mut().zip(CLASSES) {
                tally.count(photo, picture.size, &found, task.min_iou, sizes);
            }
        }
        (task.progress)((index + 1) as f32 / total);
    }
    let figures = runs.into_iter().map(|run| run.figures(task.face_free.len())).collect();
    Ok(Report { photos: task.photos.len(), face_free: task.face_free.len(), min_iou: task.min_iou, figures })
}

/// A detector and its results so far.
struct Run {
    detector: NetworkDetector,
    detect_size: u32,
    /// Boxes from the minimum confidence on.
    all: Tally,
    /// The same boxes by size class.
    by_size: [Tally; CLASSES.len()],
    /// Boxes at the model's own threshold.
    confident: Tally,
    /// Number of boxes at the model's own threshold on face-free photos.
    false_boxes: usize,
    times: Vec<Duration>,
}

/// The number of faces that count, and the outcomes of the boxes.
#[derive(Default)]
struct Tally {
    faces: usize,
    outcomes: Vec<Outcome>,
}

impl Tally {
    /// Adds the detections `found` on a photo of `size`. Those count whose longer side, in a photo of [`REFERENCE`] pixels,
    /// is in `sizes`.
    fn count(&mut self, photo: &Photo, size: Size, found: &[Detection], min_iou: f32, sizes: Range<f32>) {
        let zoom = REFERENCE / size.width.max(size.height) as f32;
        let counts = |rect: Rect| sizes.contains(&(rect.w.max(rect.h) * zoom));
        let boxes: Vec<_> = found.iter().map(|found| (found.rect, found.confidence)).collect();
        let faces: Vec<_> = photo.faces.iter().map(|&rect| Labelled { rect, counts: counts(rect) }).collect();
        self.faces += faces.iter().filter(|face| face.counts).count();
        self.outcomes.extend(outcomes(&boxes, &faces, &photo.ignore, min_iou, counts));
    }

    fn average_precision(&self) -> f64 {
        average_precision(&self.outcomes, self.faces)
    }
}

impl Run {
    fn figures(mut self, face_free: usize) -> Figures {
        let hits = self.confident.outcomes.iter().filter(|outcome| outcome.hit).count() as f64;
        self.times.sort();
        Figures {
            model: self.detector.name().into(),
            detect_size: self.detect_size,
            faces: self.all.faces,
            average_precision: self.all.average_precision(),
            by_size: self.by_size.iter().map(|class| (class.faces > 0).then(|| class.average_precision())).collect(),
            recall: hits / self.all.faces.max(1) as f64,
            precision: hits / self.confident.outcomes.len().max(1) as f64,
            false_boxes: (face_free > 0).then(|| 100.0 * self.false_boxes as f64 / face_free as f64),
            milliseconds: self.times.get(self.times.len() / 2).map_or(0.0, |time| 1e3 * time.as_secs_f64()),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let faces = self.figures.first().map_or(0, |figures| figures.faces);
        writeln!(
            f,
            "{faces} faces on {} photos, {} face-free photos; a hit has an IoU of at least {}\n",
            self.photos, self.face_free, self.min_iou
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
        writeln!(
            f,
            "\nColumns in px: AP of faces from this size up to the next column, in a photo 640 px long; smaller faces do not count."
        )?;
        writeln!(f, "Recall, precision and false boxes (per 100 face-free photos) are at each model's own threshold.")?;
        writeln!(f, "ms: median of sampling, networks and decoding on one thread, at each model's own threshold.")
    }
}
