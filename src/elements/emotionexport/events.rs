// SPDX-License-Identifier: MIT OR Apache-2.0
//! The events of `emotionexport`: those of the video, translated into events of the text.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::{CAT, EmotionExport};
use super::state::{Outputs, Video};
use crate::geometry::Size;

/// Appended to the stream id of the video, since two streams must not share an id.
const STREAM_ID_SUFFIX: &str = "emotion";

impl EmotionExport {
    pub(super) fn sink_event(&self, event: gst::Event) -> bool {
        use gst::EventView;
        gst::log!(CAT, imp = self, "handling {event:?}");
        match event.view() {
            EventView::StreamStart(start) => self.start_stream(start),
            EventView::Caps(caps) => self.set_video_caps(caps),
            EventView::Segment(segment) => self.start_segment(segment),
            EventView::Gap(gap) => self.export_gap(gap),
            EventView::FlushStop(_) => {
                if let Some(state) = self.state().as_mut() {
                    state.flush();
                }
                self.forward(event)
            }
            EventView::Eos(_) | EventView::SegmentDone(_) => {
                // The end is forwarded even if the last text could not be pushed.
                if let Err(error) = self.finish(true) {
                    gst::debug!(CAT, imp = self, "pushing the last text: {error}");
                }
                self.forward(event)
            }
            // Tags of the video, such as its codec, do not describe the text.
            EventView::Tag(tag) if tag.tag().scope() == gst::TagScope::Stream => true,
            EventView::CustomDownstream(_) if gst_video::ForceKeyUnitEvent::is(&event) => {
                let parsed = gst_video::DownstreamForceKeyUnitEvent::parse(&event);
                self.forward(event) && (!parsed.is_ok_and(|parsed| parsed.all_headers) || self.repeat_header().is_ok())
            }
            _ => self.forward(event),
        }
    }

    fn forward(&self, event: gst::Event) -> bool {
        gst::Pad::event_default(&self.sink_pad, Some(&*self.obj()), event)
    }

    fn start_stream(&self, start: &gst::event::StreamStart) -> bool {
        if let Err(error) = self.finish(false) {
            gst::debug!(CAT, imp = self, "pushing text before a new stream: {error}");
        }
        if let Some(state) = self.state().as_mut()
            && state.stream_id != start.stream_id()
        {
            state.stream_id = start.stream_id().to_owned();
            state.frames = 0;
            state.position = None;
        }
        let event = gst::event::StreamStart::builder(&format!("{}/{STREAM_ID_SUFFIX}", start.stream_id()))
            .seqnum(start.seqnum())
            .group_id_if_some(start.group_id())
            .flags(start.stream_flags() | gst::StreamFlags::SPARSE)
            .build();
        self.src_pad.push_event(event)
    }

    fn set_video_caps(&self, caps: &gst::event::Caps) -> bool {
        let Some(video) = video_of(caps.caps()) else {
            gst::error!(CAT, imp = self, "caps without width and height: {:?}", caps.caps());
            return false;
        };
        let caps = self.state().as_mut().map(|state| {
            state.video = Some(video);
            state.picture_changes.walk(&self.sink_pad);
            state.caps.clone()
        });
        match caps {
            Some(caps) if self.src_pad.current_caps().as_ref() != Some(&caps) => self.src_pad.push_event(gst::event::Caps::new(&caps)),
            Some(_) => true,
            None => false,
        }
    }

    fn start_segment(&self, event: &gst::event::Segment) -> bool {
        let segment = event.segment().downcast_ref::<gst::ClockTime>().cloned().unwrap_or_else(|| {
            gst::warning!(CAT, imp = self, "replacing a segment in {:?} format with one in time format", event.segment().format());
            gst::FormattedSegment::new()
        });
        if let Err(error) = self.finish(false) {
            gst::debug!(CAT, imp = self, "pushing text before a new segment: {error}");
        }
        if let Some(state) = self.state().as_mut() {
            state.start_segment(segment.clone());
        }
        self.src_pad.push_event(gst::event::Segment::builder(&segment).seqnum(event.seqnum()).build())
    }

    fn export_gap(&self, gap: &gst::event::Gap) -> bool {
        let (pts, duration) = gap.get();
        let outputs = self.state().as_mut().map(|state| state.gap(pts, duration.unwrap_or_default()));
        outputs.is_some_and(|outputs| self.check_written(outputs).and_then(|outputs| self.push_outputs(outputs)).is_ok())
    }

    /// Pushes what is still held back; see [`State::finish`](super::state::State::finish).
    fn finish(&self, is_last: bool) -> Result<gst::FlowSuccess, gst::FlowError> {
        let outputs = self.state().as_mut().map_or_else(|| Ok(Outputs::new()), |state| state.finish(is_last));
        self.push_outputs(self.check_written(outputs)?)
    }

    pub(super) fn src_event(&self, event: gst::Event) -> bool {
        // Late text must not make the video skip frames.
        if let gst::EventView::Qos(_) = event.view() {
            return true;
        }
        gst::Pad::event_default(&self.src_pad, Some(&*self.obj()), event)
    }
}

/// The size and rate in `caps`. The fields are read one by one, because `VideoInfo` rejects formats of device memory, such
/// as DMABuf, although their caps have a size.
fn video_of(caps: &gst::CapsRef) -> Option<Video> {
    let structure = caps.structure(0)?;
    let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    let rate = structure.get::<gst::Fraction>("framerate").ok().filter(|rate| rate.numer() > 0 && rate.denom() > 0);
    let frame_duration = rate.and_then(|rate| gst::ClockTime::SECOND.mul_div_floor(rate.denom() as u64, rate.numer() as u64));
    Some(Video { size: Size::new(side("width")?, side("height")?), frame_duration })
}
