// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes people unrecognisable: the properties `blur-faces`, `blur-unsearched` and `blur-max-age`.

use std::time::Duration;

use gst::glib;
use gst_video::VideoInfo;

use super::compose::paint;
use crate::choices::{Blur, BlurFaces};
use crate::draw::{Coverage, Snapshot, Uncovered};
use crate::elements::frame;
use crate::error::Result;
use crate::geometry::Rect;
use crate::record::FrameRecord;

/// The values of the property `blur-unsearched`: what is shown of a frame that was not searched within `blur-max-age`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayBlurUnsearched")]
#[repr(i32)]
pub enum BlurUnsearched {
    /// The frame, blurred as a whole.
    #[default]
    #[enum_value(name = "Frame: the whole frame is blurred", nick = "frame")]
    Frame = 0,
    /// The last frame that was searched recently enough.
    #[enum_value(name = "Repeat: the last frame with blurred faces is shown again", nick = "repeat")]
    Repeat = 1,
    /// The frame with only the known faces blurred.
    #[enum_value(name = "None: only the known faces are blurred", nick = "none")]
    None = 2,
}

/// The values of the properties.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlurSettings {
    pub faces: BlurFaces,
    pub unsearched: BlurUnsearched,
    pub max_age: Duration,
    /// How long frames are held back.
    pub delay: Duration,
}

impl Default for BlurSettings {
    fn default() -> Self {
        Self {
            faces: BlurFaces::default(),
            unsearched: BlurUnsearched::default(),
            max_age: Duration::from_millis(500),
            delay: Duration::ZERO,
        }
    }
}

impl BlurSettings {
    /// How long frames are held back; zero if no faces are hidden.
    pub fn held(&self) -> Duration {
        if self.faces == BlurFaces::None { Duration::ZERO } else { self.delay }
    }
}

/// The picture that a frame shows after [`Privacy::apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its own, with or without blurred parts.
    Current,
    /// That of an earlier frame. Labels of the current faces would be in the wrong place.
    Repeated,
}

const UNREPORTED: &str = "no element upstream reports which frames were searched for faces, as facedetect of this plugin does: \
    faces that are not detected yet stay visible";
const TOO_OLD: &str = "searches for faces are further apart than blur-max-age, so whole frames are hidden: \
    lower detect-interval of facedetect or raise blur-max-age";
const MISPLACED: &str = "may have moved the picture after the faces were found, so whole frames are hidden: move it before facedetect, \
    or name it in keeps-place if it leaves every part of the picture where it is";

/// Blurs the frames of one stream.
#[derive(Default)]
pub(super) struct Privacy {
    coverage: Coverage,
    /// The last frame with all its faces blurred; only with [`BlurUnsearched::Repeat`].
    last: Snapshot,
    /// Warnings that were given, so that each is given once.
    given_warnings: Vec<&'static str>,
}

impl Privacy {
    /// Forgets the previous frames, as after a seek.
    pub fn reset(&mut self) {
        self.coverage = Coverage::default();
        self.last.clear();
    }

    /// Blurs the faces on `buffer`, which `record` lists, and the boxes `beside` them, or hides the whole frame. Calls `warn` with a text for the
    /// application, at most once a stream for each text.
    ///
    /// # Errors
    /// Those of [`paint`]. The frame must not be shown then.
    pub fn apply(
        &mut self,
        buffer: &mut gst::BufferRef,
        info: &VideoInfo,
        settings: &BlurSettings,
        record: &FrameRecord,
        beside: &[Rect],
        warn: impl FnOnce(&str),
    ) -> Result<Shown> {
        let Some(blur) = Option::<Blur>::from(settings.faces) else {
            self.reset();
            return Ok(Shown::Current);
        };
        let size = frame::size(info);
        let cover = self.coverage.observe(record, settings.max_age);
        let hides_unsearched = settings.unsearched != BlurUnsearched::None;
        if let Some(text) = self.warning(cover.uncovered).filter(|text| hides_unsearched && !self.given_warnings.contains(text)) {
            self.given_warnings.push(text);
            let elements = if text == MISPLACED { record.misplaced.join(", ") + " " } else { String::new() };
            warn(&(elements + text));
        }
        let is_hidden = hides_unsearched && cover.uncovered.is_some();
        let repeats = settings.unsearched == BlurUnsearched::Repeat;
        let mut shown = Shown::Current;
        // Without faces there is nothing to blur, but a frame that may be repeated later must still be saved.
        if !is_hidden && !repeats && cover.boxes.is_empty() && beside.is_empty() {
            return Ok(shown);
        }
        paint(buffer, info, |canvas| match (is_hidden, repeats) {
            (true, true) if canvas.restore(&self.last) => shown = Shown::Repeated,
            (true, _) => canvas.blur_all(blur),
            (false, _) => {
                canvas.blur_faces(cover.boxes.iter().chain(beside).map(|rect| rect.from_norm(size)), blur);
                if repeats {
                    canvas.save(&mut self.last);
                }
            }
        })?;
        Ok(shown)
    }

    fn warning(&self, uncovered: Option<Uncovered>) -> Option<&'static str> {
        match uncovered {
            Some(Uncovered::TooOld) => Some(TOO_OLD),
            Some(Uncovered::Misplaced) => Some(MISPLACED),
            // The first search of the scene will end soon.
            Some(Uncovered::NotSearched) => None,
            None => (!self.coverage.is_announced()).then_some(UNREPORTED),
        }
    }
}
