// SPDX-License-Identifier: MIT OR Apache-2.0
//! Face detectors side by side on boxed photos: average precision by size, false boxes, time.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::photos::Photo;
use super::precision::{Labelled, Outcome, average_precision, outcomes};
use crate::detector::network::NetworkDetector;
use crate::detector::{DetectOptions, Detection, FaceDetector};
use crate::error::Result;
use crate::geometry::{Rect, Size};
use crate::inference::RunOptions;
use crate::locate::SearchPath;
use crate::model::ModelFile;

/// Sizes are told as if each photo's longer side were brought to so many pixels.
const REFERENCE: f32 = 640.0;
/// Bounds of the size classes by a face's longer side; what is smaller counts neither for nor against.
const CLASSES: [f32; 5] = [16.0, 24.0, 48.0, 96.0, f32::INFINITY];
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
            runs.push(Run { detector, detect_size, tallies: Default::default(), alone: Vec::new(), times: Vec::new() });
        }
    }
    // Photo by photo, so that what disturbs the machine disturbs all of them.
    let mut spare = Vec::new();
    let total = (task.photos.len() + task.face_free.len()) as f32;
    for (index, photo) in task.photos.iter().chain(task.face_free).enumerate() {
        let picture = photo.picture()?;
        for run in &mut runs {
            let mut found = Vec::new();
            let options = DetectOptions { score_threshold: LEAST_CONFIDENCE, ..Default::default() };
            run.detector.detect(&picture.view()?, &options, &mut found)?;
            // Down to hardly any confidence there is more to do than anyone waits for.
            let began = Instant::now();
            run.detector.detect(&picture.view()?, &DetectOptions::default(), &mut spare)?;
            run.times.push(began.elapsed());
            if index < task.photos.len() {
                run.count(photo, picture.size, &found, task.least_iou);
            } else {
                run.alone.extend(found.iter().map(|found| found.confidence));
            }
        }
        (task.progress)((index + 1) as f32 / total);
    }
    let figures = runs.into_iter().map(|run| run.figures(task.face_free.len())).collect();
    Ok(Report { photos: task.photos.len(), face_free: task.face_free.len(), least_iou: task.least_iou, figures })
}

/// One detector on its way through the photos; the first tally is that of all sizes, then one for each class.
struct Run {
    detector: NetworkDetector,
    detect_size: u32,
    tallies: [Tally; CLASSES.len()],
    /// Confidences of the boxes on face-free photos.
    alone: Vec<f32>,
    times: Vec<Duration>,
}

#[derive(Default)]
struct Tally {
    faces: usize,
    outcomes: Vec<Outcome>,
}

impl Tally {
    fn average_precision(&self) -> f64 {
        average_precision(&self.outcomes, self.faces)
    }
}

impl Run {
    fn count(&mut self, photo: &Photo, size: Size, found: &[Detection], least_iou: f32) {
        let zoom = REFERENCE / size.width.max(size.height) as f32;
        let boxes: Vec<_> = found.iter().map(|found| (found.rect, found.confidence)).collect();
        for (index, tally) in self.tallies.iter_mut().enumerate() {
            let (low, high) = if index == 0 { (CLASSES[0], f32::INFINITY) } else { (CLASSES[index - 1], CLASSES[index]) };
            let counts = |rect: Rect| (low..high).contains(&(rect.w.max(rect.h) * zoom));
            let faces: Vec<_> = photo.faces.iter().map(|&rect| Labelled { rect, counts: counts(rect) }).collect();
            tally.faces += faces.iter().filter(|face| face.counts).count();
            tally.outcomes.extend(outcomes(&boxes, &faces, &photo.ignore, least_iou, counts));
        }
    }

    fn figures(mut self, face_free: usize) -> Figures {
        let threshold = DetectOptions::default().score_threshold;
        let [all, classes @ ..] = &self.tallies;
        let sure: Vec<_> = all.outcomes.iter().filter(|outcome| outcome.confidence >= threshold).collect();
        let hits = sure.iter().filter(|outcome| outcome.hit).count() as f64;
        let alone = self.alone.iter().filter(|&&confidence| confidence >= threshold).count() as f64;
        self.times.sort();
        Figures {
            model: self.detector.name().into(),
            detect_size: self.detect_size,
            faces: all.faces,
            average_precision: all.average_precision(),
            by_size: classes.iter().map(|class| (class.faces > 0).then(|| class.average_precision())).collect(),
            recall: hits / all.faces.max(1) as f64,
            precision: hits / sure.len().max(1) as f64,
            false_boxes: (face_free > 0).then(|| 100.0 * alone / face_free as f64),
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
