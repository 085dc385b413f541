// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where recordings are cut: at the first key frame after their length.
//!
//! An event precedes the first frame of a new pair. It splits the video, and makes an encoder produce a key frame. Videos are
//! fragmented, so that a crash loses little of them.

use gst::prelude::*;

use super::RecordingError;

/// Time between two key frames of an encoder. The muxer writes what follows a key frame when the next one arrives, so a crash loses
/// up to this much.
const KEY_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;
/// Name of the event that asks an encoder for a key frame. Those before a pair of files have `all-headers=true`.
const KEY_UNIT: &str = "GstForceKeyUnit";

/// What precedes a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The frame is the first one of a pair.
    Pair,
    /// The frame is a key frame.
    Key,
}

/// Decides where recordings are cut.
#[derive(Debug)]
pub struct Cuts {
    length: gst::ClockTime,
    next_pair: gst::ClockTime,
    next_key: gst::ClockTime,
    count: u32,
}

impl Cuts {
    /// Pairs of this length, the first of which begins at `start`.
    pub fn new(length: gst::ClockTime, start: gst::ClockTime) -> Self {
        Self { length, next_pair: start, next_key: start, count: 0 }
    }

    /// What precedes the frame at `time`, which is a key frame or can become one.
    pub fn next(&mut self, time: gst::ClockTime) -> Option<Cut> {
        let is_pair = time >= self.next_pair;
        if !is_pair && time < self.next_key {
            return None;
        }
        while self.next_pair <= time {
            self.next_pair += self.length;
        }
        self.next_key = time + KEY_INTERVAL;
        Some(if is_pair { Cut::Pair } else { Cut::Key })
    }

    /// The event before the frame at `time`. The first frame has none: it is a key frame anyway, and encoders of GStreamer 1.22 that are
    /// asked for it refuse later ones.
    pub fn event(&mut self, cut: Cut, time: gst::ClockTime) -> Option<gst::Event> {
        self.count += 1;
        let fields = gst::Structure::builder(KEY_UNIT).field("running-time", time).field("all-headers", cut == Cut::Pair);
        (self.count > 1).then(|| gst::event::CustomDownstream::new(fields.field("count", self.count).build()))
    }
}

/// Splits the video of `muxer`, a `splitmuxsink`, at the events that leave `entry`.
///
/// # Errors
/// If the entry has no pad.
pub fn split(entry: &gst_app::AppSrc, muxer: &gst::Element) -> Result<(), RecordingError> {
    let muxer = muxer.downgrade();
    let pad = entry.static_pad("src").ok_or(RecordingError::Missing("src"))?;
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some((time, muxer)) = info.event().and_then(|event| time_of_pair(event)).zip(muxer.upgrade()) {
            muxer.emit_by_name::<()>("split-at-running-time", &[&time]);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn time_of_pair(event: &gst::EventRef) -> Option<gst::ClockTime> {
    let fields = event.structure().filter(|fields| fields.name() == KEY_UNIT && fields.get("all-headers") == Ok(true))?;
    fields.get("running-time").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_key_frames_are_due_at_the_first_frame_after_their_time() {
        gst::init().unwrap();
        let mut cuts = Cuts::new(gst::ClockTime::from_seconds(3), gst::ClockTime::from_mseconds(500));
        let mut seen = Vec::new();
        for ms in (500..12_000).step_by(400) {
            let time = gst::ClockTime::from_mseconds(ms);
            if let Some(cut) = cuts.next(time) {
                let event = cuts.event(cut, time);
                assert_eq!(event.is_none(), ms == 500);
                assert_eq!(event.and_then(|event| time_of_pair(&event)), (cut == Cut::Pair && ms > 500).then_some(time));
                seen.push((ms, cut == Cut::Pair));
            }
        }
        assert!(seen.windows(2).all(|pair| (1000..1400).contains(&(pair[1].0 - pair[0].0)) || pair[1].1), "{seen:?}");
        let times: Vec<u64> = seen.iter().filter(|(_, cut)| *cut).map(|(ms, _)| *ms).collect();
        assert_eq!(times, [500, 3700, 6500, 9700]);
        assert_eq!(cuts.next(gst::ClockTime::from_seconds(60)), Some(Cut::Pair), "after an outage");
    }
}
