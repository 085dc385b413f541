// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames on which nobody can be recognised: what `blur-faces`, `blur-unsearched` and `blur-max-age` ask for.

use std::time::Duration;

use gst_video::VideoInfo;

use super::compose::paint;
use super::{BlurFaces, BlurUnsearched};
use crate::draw::{Blur, Canvas, Coverage, Snapshot, Uncovered};
use crate::elements::frame;
use crate::error::Result;
use crate::record::FrameRecord;

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub faces: BlurFaces,
    pub unsearched: BlurUnsearched,
    pub max_age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { faces: BlurFaces::default(), unsearched: BlurUnsearched::default(), max_age: Duration::from_millis(500) }
    }
}

/// The picture that a frame shows after [`Privacy::apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its own, with blurred parts or none.
    Own,
    /// That of an earlier frame, on which its faces have no place.
    Repeated,
}

const UNANNOUNCED: &str = "no element upstream tells which frames were searched for faces, as this plugin's facedetect does: \
    a face that the detector has not found yet is shown";
const TOO_OLD: &str = "searches for faces are further apart than blur-max-age, so whole frames are hidden: \
    lower detect-interval of facedetect or raise blur-max-age";
const MISPLACED: &str = "an element between facedetect and this one changes the picture in a way that cannot be told, \
    so whole frames are hidden: put it before facedetect";

/// Blurs the frames of one stream.
#[derive(Default)]
pub(super) struct Privacy {
    coverage: Coverage,
    /// The last frame that was covered; kept only for [`BlurUnsearched::Repeat`].
    last: Snapshot,
    /// The warnings that were given, so that each is given once.
    warned: Vec<&'static str>,
}

impl Privacy {
    /// Forgets what came before, as after a seek.
    pub fn reset(&mut self) {
        self.coverage = Coverage::default();
        self.last.clear();
    }

    /// Makes the faces of `buffer`, of which `record` tells, unrecognisable. Calls `warn` with what the application should
    /// know, once in a stream.
    ///
    /// # Errors
    /// Those of [`paint`]. The frame must not be shown then.
    pub fn apply(
        &mut self,
        buffer: &mut gst::BufferRef,
        info: &VideoInfo,
        settings: &Settings,
        record: &FrameRecord,
        warn: impl FnOnce(&str),
    ) -> Result<Shown> {
        let Some(blur) = Option::<Blur>::from(settings.faces) else {
            self.reset();
            return Ok(Shown::Own);
        };
        let size = frame::size(info);
        let cover = self.coverage.observe(record, settings.max_age);
        let guarded = settings.unsearched != BlurUnsearched::None;
        if let Some(text) = self.warning(cover.uncovered).filter(|text| guarded && !self.warned.contains(text)) {
            self.warned.push(text);
            warn(text);
        }
        let uncovered = guarded && cover.uncovered.is_some();
        let repeats = settings.unsearched == BlurUnsearched::Repeat;
        let mut shown = Shown::Own;
        if !uncovered && !repeats && cover.boxes.is_empty() {
            return Ok(shown);
        }
        paint(buffer, info, |canvas| match (uncovered, repeats) {
            (true, true) if canvas.restore(&self.last) => shown = Shown::Repeated,
            (true, _) => canvas.blur_all(blur),
            (false, _) => {
                canvas.blur_faces(cover.boxes.iter().map(|rect| rect.from_norm(size)), blur);
                self.keep(canvas, repeats);
            }
        })?;
        Ok(shown)
    }

    fn warning(&self, uncovered: Option<Uncovered>) -> Option<&'static str> {
        match uncovered {
            Some(Uncovered::TooOld) => Some(TOO_OLD),
            Some(Uncovered::Misplaced) => Some(MISPLACED),
            Some(Uncovered::NotSearched) => None,
            None => (!self.coverage.is_announced()).then_some(UNANNOUNCED),
        }
    }

    /// Keeps the picture if it may be wanted again.
    fn keep(&mut self, canvas: &Canvas, wanted: bool) {
        if wanted {
            canvas.save(&mut self.last);
        }
    }
}
