// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pictures that are decoded in another order than that in which they are shown.

use super::*;
use crate::decoding::Encoded;
use crate::recording::camera::{Taker, Tap};

/// Keeps when pictures are shown and decoded, in milliseconds.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(u64, u64)>>);

impl Taker for Kept {
    fn begin(&self, _caps: Option<&gst::Caps>) {}

    fn take(&self, frame: Frame) {
        self.0.lock().push((frame.time.mseconds(), frame.buffer.dts().unwrap().mseconds()));
    }
}

#[test]
fn times_of_decoding_rise_although_records_have_unsteady_times() {
    gst::init().unwrap();
    let kept = Arc::new(Kept::default());
    let tap = Tap::new(vec![kept.clone()], false, Arc::default());
    let caps = gst::Caps::builder("video/x-h264").build();
    tap.choose(Some("0"));
    for number in 0..60 {
        // The source has a picture every 100 ms, and two of three before one that is decoded before them. In records, four come at once.
        let shown = number / 3 * 3 + [2, 0, 1][number as usize % 3];
        let [time, recorded] = [shown * 100, 1_000 + shown / 4 * 400 + shown % 4].map(gst::ClockTime::from_mseconds);
        let mut buffer = gst::Buffer::new();
        buffer.make_mut().set_flags(if number == 0 { gst::BufferFlags::empty() } else { gst::BufferFlags::DELTA_UNIT });
        let picture = Encoded { caps: caps.clone(), buffer, time, stream: "0".into() };
        tap.take_at(picture, recorded);
    }
    drop(tap);
    let kept = kept.0.lock();
    assert_eq!(kept.len(), 60);
    assert!(kept.iter().all(|(shown, decoded)| decoded <= shown), "{kept:?}");
    assert!(kept.is_sorted_by(|(_, before), (_, decoded)| before < decoded), "{kept:?}");
}
