// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notices that nothing upstream looks for faces.

use crate::meta::detector_seen;

/// After so many frames without a trace of a detector there may be none.
const FRAMES_WITHOUT_TRACE: u64 = 300;

/// Watches the frames that come in until one shows that a detector is upstream, or too many do not.
#[derive(Debug, Default)]
pub struct DetectorWatch {
    frames: u64,
    settled: bool,
}

impl DetectorWatch {
    /// Looks at the next frame; what comes back, at most once, is a warning for the user. Detectors of other plugins leave no
    /// trace on frames without faces, so it does not claim that there is none.
    pub fn observe(&mut self, buffer: &gst::BufferRef) -> Option<String> {
        if self.settled {
            return None;
        }
        self.frames += 1;
        if detector_seen(buffer) {
            self.settled = true;
            return None;
        }
        self.settled = self.frames == FRAMES_WITHOUT_TRACE;
        self.settled.then(|| {
            format!(
                "no face on the first {} frames, and no sign that anything upstream looks for faces; if there should be some, put a \
                 detector such as facedetect before this element",
                self.frames
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::meta::custom;
    use gst_video::VideoRegionOfInterestMeta;

    const EMPTY: u64 = FRAMES_WITHOUT_TRACE - 1;

    fn plain() -> gst::Buffer {
        gst::init().expect("GStreamer starts");
        gst::Buffer::new()
    }

    #[test]
    fn a_stream_that_nobody_searched_is_one_warning() {
        let mut watch = DetectorWatch::default();
        assert!((0..EMPTY).all(|_| watch.observe(&plain()).is_none()));
        assert!(watch.observe(&plain()).expect("a warning").contains("facedetect"));
        assert!((0..2 * FRAMES_WITHOUT_TRACE).all(|_| watch.observe(&plain()).is_none()));
    }

    #[test]
    fn a_stream_that_was_searched_in_vain_is_none() {
        let mut watch = DetectorWatch::default();
        let mut searched = plain();
        custom::write(searched.make_mut(), Size::new(640, 480), &[]);
        assert_eq!(watch.observe(&searched), None);
        assert!((0..2 * FRAMES_WITHOUT_TRACE).all(|_| watch.observe(&plain()).is_none()));
    }

    #[test]
    fn a_face_of_anybody_shows_that_there_is_a_detector() {
        let mut watch = DetectorWatch::default();
        assert!((0..EMPTY).all(|_| watch.observe(&plain()).is_none()));
        let mut found = plain();
        VideoRegionOfInterestMeta::add(found.make_mut(), "face", (0, 0, 9, 9));
        assert_eq!(watch.observe(&found), None);
        assert_eq!(watch.observe(&plain()), None);
    }
}
