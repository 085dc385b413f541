// SPDX-License-Identifier: MIT OR Apache-2.0
//! Warns if there seems to be no face detector upstream.

use crate::meta::detector_seen;

/// Number of frames without a sign of a detector after which the warning is given.
const FRAMES_BEFORE_WARNING: u64 = 300;

/// Watches the frames until one shows that there is a detector upstream, or until the warning was given.
#[derive(Debug, Default)]
pub struct DetectorWatch {
    frames: u64,
    is_done: bool,
}

impl DetectorWatch {
    /// Checks the next frame. Returns a warning for the user, at most once. The warning does not claim that there is no
    /// detector, because detectors of other plugins leave no sign on frames without faces.
    pub fn observe(&mut self, buffer: &gst::BufferRef) -> Option<String> {
        if self.is_done {
            return None;
        }
        self.frames += 1;
        if detector_seen(buffer) {
            self.is_done = true;
            return None;
        }
        self.is_done = self.frames == FRAMES_BEFORE_WARNING;
        self.is_done.then(|| {
            format!(
                "no face on the first {} frames, and no sign of a face detector upstream; if faces are expected, put a detector such \
                 as facedetect before this element",
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

    const FRAMES_WITHOUT_WARNING: u64 = FRAMES_BEFORE_WARNING - 1;

    fn unmarked() -> gst::Buffer {
        gst::init().expect("GStreamer starts");
        gst::Buffer::new()
    }

    #[test]
    fn a_stream_without_a_detector_gets_one_warning() {
        let mut watch = DetectorWatch::default();
        assert!((0..FRAMES_WITHOUT_WARNING).all(|_| watch.observe(&unmarked()).is_none()));
        assert!(watch.observe(&unmarked()).expect("a warning").contains("facedetect"));
        assert!((0..2 * FRAMES_BEFORE_WARNING).all(|_| watch.observe(&unmarked()).is_none()));
    }

    #[test]
    fn a_searched_stream_without_faces_gets_no_warning() {
        let mut watch = DetectorWatch::default();
        let mut searched = unmarked();
        custom::write(searched.make_mut(), Size::new(640, 480), &[], &[]);
        assert_eq!(watch.observe(&searched), None);
        assert!((0..2 * FRAMES_BEFORE_WARNING).all(|_| watch.observe(&unmarked()).is_none()));
    }

    #[test]
    fn a_face_from_another_detector_stops_the_watch() {
        let mut watch = DetectorWatch::default();
        assert!((0..FRAMES_WITHOUT_WARNING).all(|_| watch.observe(&unmarked()).is_none()));
        let mut found = unmarked();
        VideoRegionOfInterestMeta::add(found.make_mut(), "face", (0, 0, 9, 9));
        assert_eq!(watch.observe(&found), None);
        assert_eq!(watch.observe(&unmarked()), None);
    }
}
