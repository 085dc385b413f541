// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which faces are analysed on a frame, and the latest result of every face of a stream.
//!
//! A [`FaceMemory`] does not run a network itself, so an analysis may run on another thread while more frames pass. For each frame,
//! call in this order:
//!
//! 1. [`choose`](FaceMemory::choose) gives each face an id and returns the [`Batch`] of faces to analyse.
//! 2. The caller runs its network on the batch, at once or on another thread.
//! 3. [`store`](FaceMemory::store) keeps the results. This may be on a later frame.
//! 4. [`complete`](FaceMemory::complete) gives each face its latest result.

use std::collections::HashMap;
use std::time::Duration;

use crate::crops::face_change::FacePicture;
use crate::crops::schedule::{Candidate, by_urgency};
use crate::detector::Detection;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::record::FaceRecord;
use crate::track::tracker::Tracker;

/// Results are forgotten this long after the analysis.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// Weight of a newly measured duration in the mean duration of an analysis.
const DURATION_GAIN: f32 = 0.1;
/// Faces that arrive without an id are tracked across gaps of at most this duration.
const TRACK_TIMEOUT: Duration = Duration::from_secs(1);

/// What is kept of the faces of a stream for one kind of network. See the [module](self).
pub trait FaceMemory {
    /// What the network says of a face on one frame.
    type Output;
    /// What is kept of a face.
    type Kept;
    /// How faces are analysed. May differ from frame to frame.
    type Options;

    /// The latest results, to withdraw batches, to end tracks or to forget pictures.
    fn results(&mut self) -> &mut FaceResults<Self::Kept>;

    /// Forgets all faces, for example after a seek.
    fn clear(&mut self) {
        self.results().clear();
    }

    /// Gives an id to each face on the frame `view` at `now`, and returns the faces to analyse.
    fn choose(&mut self, view: &FrameView, faces: &mut [FaceRecord], options: &Self::Options, now: Duration) -> Batch;

    /// Stores the outputs for a batch, one for each of its faces. They took `duration`.
    fn store(&mut self, batch: &Batch, outputs: Vec<Self::Output>, duration: Duration, options: &Self::Options);

    /// Takes face `id` as it looks now for what it is at rest, if it has a baseline.
    fn calibrate(&mut self, _id: u32) {}

    /// Forgets what is known of face `id` at rest.
    fn reset_baseline(&mut self, _id: u32) {}

    /// Gives each face on the frame of this `size` at `now` its latest result. A face without one keeps what it came with.
    fn complete(&self, faces: &mut [FaceRecord], size: Size, options: &Self::Options, now: Duration);
}

/// Which faces are analysed. May differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selection {
    /// Number of frames from one analysis of a face to the next, at least 1.
    pub interval_frames: u64,
    /// Maximum number of faces that are analysed on one frame.
    pub budget: usize,
    /// Minimum width and height of a face, in pixels of the frame. Smaller faces are not analysed.
    pub min_face_size: f32,
    /// Analyses a face only when it looks different than at its last analysis, or when that was this long ago; `None` to analyse
    /// regardless of how it looks.
    pub motion_gate: Option<Duration>,
    /// Time for the analyses of one frame, which limits their number by their measured duration, but not below 1; `None` for no
    /// limit.
    pub time_budget: Option<Duration>,
}

/// How pictures of faces are used.
#[derive(Clone, Copy, Debug)]
pub struct Pictures {
    /// Takes them without a motion gate as well.
    pub always: bool,
    /// True if a face with these two pictures, the newer one first, has to be analysed again.
    pub differ: fn(&FacePicture, &FacePicture) -> bool,
}

/// The latest result of a face.
pub struct Latest<T> {
    /// The result.
    pub result: T,
    /// Time of the analysed frame.
    pub time: Duration,
    /// How the face looked; `None` if no picture was taken.
    pub picture: Option<FacePicture>,
    /// Number of the analysed frame.
    frame: u64,
}

/// The faces to analyse on one frame.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The faces, with their ids.
    pub faces: Vec<FaceRecord>,
    /// Ids of the faces that are due, but look unchanged: their last results hold for this frame.
    pub unchanged: Vec<u32>,
    /// How each face looks; empty if no pictures were taken.
    pictures: Vec<FacePicture>,
    /// Time of the frame.
    time: Duration,
    /// Number of the frame.
    frame: u64,
}

impl Batch {
    /// True if there are no faces to analyse.
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }

    /// Number of faces that would be analysed without the motion gate, and are not because they look unchanged.
    pub fn unchanged(&self) -> usize {
        self.unchanged.len()
    }
}

/// A newly analysed face, and what is known of it from before.
pub struct Analysed<'a, T> {
    /// The face on the analysed frame.
    pub face: &'a FaceRecord,
    /// Time of the analysed frame.
    pub time: Duration,
    /// How the face looked.
    pub picture: Option<&'a FacePicture>,
    /// Its latest result until now.
    pub last: Option<&'a Latest<T>>,
}

/// The faces of a stream and their latest results. See the [module](self).
pub struct FaceResults<T> {
    /// Tracks faces that arrive without an id.
    tracker: Tracker,
    /// By id of the face.
    latest: HashMap<u32, Latest<T>>,
    /// Ids of faces that are being analysed, and the number of their frame.
    pending: HashMap<u32, u64>,
    /// Number of the current frame.
    frame: u64,
    /// Mean duration of the analysis of one face; `None` before the first one.
    duration: Option<Duration>,
    /// Size of the last frame with faces that arrived without an id: the tracks are in pixels of that size.
    tracked_size: Size,
}

impl<T> Default for FaceResults<T> {
    fn default() -> Self {
        let (latest, pending) = Default::default();
        Self { tracker: Tracker::new(TRACK_TIMEOUT), latest, pending, frame: 0, duration: None, tracked_size: Size::default() }
    }
}

impl<T> FaceResults<T> {
    /// Forgets all faces, for example after a seek.
    pub fn clear(&mut self) {
        self.tracker.clear();
        self.latest.clear();
        self.pending.clear();
    }

    /// Forgets how the faces looked, so that the motion gate lets all of them be analysed again.
    pub fn forget_pictures(&mut self) {
        self.latest.values_mut().for_each(|latest| latest.picture = None);
    }

    /// Ends the tracks of faces that arrived without an id. For use at a scene cut, after which other faces follow.
    pub fn end_tracks(&mut self) {
        self.tracker.clear();
    }

    /// The latest result of face `id`.
    pub fn get(&self, id: u32) -> Option<&Latest<T>> {
        self.latest.get(&id)
    }

    /// The latest result of face `id`, to be changed.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Latest<T>> {
        self.latest.get_mut(&id)
    }

    /// Gives an id to each face on the frame `view` at `now`, and returns the faces to analyse.
    pub fn choose(
        &mut self,
        view: &FrameView,
        faces: &mut [FaceRecord],
        selection: &Selection,
        pictures: Pictures,
        now: Duration,
    ) -> Batch {
        self.frame += 1;
        self.latest.retain(|_, latest| latest.time <= now && now - latest.time <= FORGET_AFTER);
        self.assign_ids(faces, view.size(), now);
        let mut due = self.due_faces(faces, view.size(), selection);
        let gate = selection.motion_gate.map(|idle_interval| Gate { differ: pictures.differ, idle_interval, now });
        let unchanged = gate.map_or(Vec::new(), |gate| self.take_unchanged(&mut due, view, faces, &gate));
        due.truncate(self.affordable(selection));
        if pictures.always {
            due.iter_mut().for_each(|due| {
                due.picture.get_or_insert_with(|| picture_of(&faces[due.index], view));
            });
        }
        self.pending.extend(due.iter().map(|due| (faces[due.index].id, self.frame)));
        Batch {
            faces: due.iter().map(|due| faces[due.index].clone()).collect(),
            unchanged,
            pictures: due.into_iter().filter_map(|due| due.picture).collect(),
            time: now,
            frame: self.frame,
        }
    }

    /// Withdraws a batch that will not be analysed, so that its faces can be chosen again. Faces of a newer batch stay pending.
    pub fn give_up(&mut self, batch: &Batch) {
        let of_batch = |id: &u32| batch.faces.iter().any(|face| face.id == *id);
        self.pending.retain(|id, frame| *frame != batch.frame || !of_batch(id));
    }

    /// Withdraws all batches without results, for example after an error.
    pub fn give_up_all(&mut self) {
        self.pending.clear();
    }

    /// Stores what `combine` makes of each face of a batch and its new `results`, which are in the order of the faces. The analysis
    /// took `duration`.
    pub fn store<R>(
        &mut self,
        batch: &Batch,
        results: impl IntoIterator<Item = R>,
        duration: Duration,
        mut combine: impl FnMut(Analysed<T>, R) -> T,
    ) {
        self.give_up(batch);
        let measured = duration / batch.faces.len().max(1) as u32;
        let gain = if self.duration.is_some() { DURATION_GAIN } else { 1.0 };
        self.duration = Some(self.duration.unwrap_or_default().mul_f32(1.0 - gain) + measured.mul_f32(gain));
        let mut pictures = batch.pictures.iter().cloned();
        for (face, result) in batch.faces.iter().zip(results) {
            let (time, frame, picture) = (batch.time, batch.frame, pictures.next());
            let last = self.latest.get(&face.id);
            let result = combine(Analysed { face, time, picture: picture.as_ref(), last }, result);
            self.latest.insert(face.id, Latest { result, time, picture, frame });
        }
    }

    /// Gives an id to each face without one, which differs from the ids that other elements assigned. If the size of the frame
    /// changes, tracks cannot be continued and all get new ids.
    fn assign_ids(&mut self, faces: &mut [FaceRecord], frame: Size, now: Duration) {
        // Before any new id is assigned, all ids on this frame must be known.
        faces.iter().for_each(|face| self.tracker.reserve(face.id));
        if faces.iter().all(|face| face.id != 0) {
            return;
        }
        let detections = faces.iter().filter(|face| face.id == 0).map(|face| Detection {
            rect: face.rect_norm.from_norm(frame),
            confidence: face.detection.as_ref().map_or(1.0, |detection| detection.confidence),
            landmarks: None,
        });
        if std::mem::replace(&mut self.tracked_size, frame) != frame {
            self.tracker.clear();
        }
        let tracks = self.tracker.update(&detections.collect::<Vec<_>>(), 0.0, now);
        for (face, track) in faces.iter_mut().filter(|face| face.id == 0).zip(tracks) {
            face.id = track.id;
        }
    }

    /// Maximum number of faces that are analysed on a frame.
    fn affordable(&self, selection: &Selection) -> usize {
        let fitting = selection.time_budget.zip(self.duration).map(|(budget, duration)| {
            let fitting = budget.as_nanos().checked_div(duration.as_nanos()).unwrap_or(u128::MAX);
            usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
        });
        selection.budget.min(fitting.unwrap_or(usize::MAX))
    }

    /// Removes the faces that look as at their last analysis, if that was less than the idle interval ago, and returns their ids.
    /// The others get their pictures.
    fn take_unchanged(&self, due: &mut Vec<Due>, view: &FrameView, faces: &[FaceRecord], gate: &Gate) -> Vec<u32> {
        let mut unchanged = Vec::new();
        due.retain_mut(|due| {
            let face = &faces[due.index];
            let picture = due.picture.insert(picture_of(face, view));
            let recent = self.latest.get(&face.id).filter(|latest| gate.now.saturating_sub(latest.time) < gate.idle_interval);
            let is_changed = recent.and_then(|latest| latest.picture.as_ref()).is_none_or(|last| (gate.differ)(picture, last));
            if !is_changed {
                unchanged.push(face.id);
            }
            is_changed
        });
        unchanged
    }

    /// The faces that the interval allows to analyse, the most urgent first.
    fn due_faces(&self, faces: &[FaceRecord], size: Size, selection: &Selection) -> Vec<Due> {
        // If there are more faces than the tracker accepts, the remaining ones have no id.
        // An unconfirmed face may be a false detection; it is analysed on the frame that confirms it.
        let is_eligible = |face: &FaceRecord| face.id != 0 && face.confirmed && selection.is_large_enough(face, size);
        let eligible: Vec<usize> = (0..faces.len()).filter(|&index| is_eligible(&faces[index])).collect();
        // A pending analysis counts as done, so that a face is not chosen again while a worker is busy with it.
        let last_frame = |id: u32| self.pending.get(&id).copied().max(self.latest.get(&id).map(|latest| latest.frame));
        let candidates = eligible.iter().map(|&index| Candidate {
            age: last_frame(faces[index].id).map(|frame| self.frame - frame),
            area: faces[index].rect_norm.area(),
        });
        let due = by_urgency(&candidates.collect::<Vec<_>>(), selection.interval_frames);
        due.into_iter().map(|candidate| Due { index: eligible[candidate], picture: None }).collect()
    }
}

impl Selection {
    /// True if width and height of `face` reach the minimum size.
    pub fn is_large_enough(&self, face: &FaceRecord, frame: Size) -> bool {
        let rect = face.rect_norm.from_norm(frame);
        // Metadata stores boxes in whole pixels, the record as shares of the frame. After the conversion there and back, a box of
        // exactly the minimum size may be smaller by a rounding error.
        rect.w.min(rect.h) + 0.01 >= self.min_face_size
    }
}

/// A face that may be analysed.
struct Due {
    /// Its index among the faces of the frame.
    index: usize,
    /// How it looks; `None` if no picture is taken.
    picture: Option<FacePicture>,
}

/// The motion gate on one frame.
struct Gate {
    differ: fn(&FacePicture, &FacePicture) -> bool,
    idle_interval: Duration,
    now: Duration,
}

fn picture_of(face: &FaceRecord, view: &FrameView) -> FacePicture {
    FacePicture::take(view, face.rect_norm.from_norm(view.size()))
}
