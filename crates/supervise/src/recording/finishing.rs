// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a video is finished, so that it can be played at each moment.
//!
//! At its end, the muxer makes an ordinary file of a fragmented one: it overwrites the first index, lets the size of the data cover all
//! fragments, and then appends an index of everything. In between, and for good if the disk has no room for that index, the file cannot be
//! played. So here the index is appended first, and what is overwritten comes last, which needs no room.

use std::fs::File;

use gst::format::Bytes;
use gst::prelude::*;
use parking_lot::Mutex;

use super::RecordingError;

/// Where the muxer writes in a file.
#[derive(Default)]
struct Order {
    position: u64,
    end: u64,
    /// Where the muxer has last gone on at the end. Fragments before are complete, and overwritten only to finish the file.
    settled: u64,
    /// What is written at the end of the stream, and where.
    held: Vec<(u64, gst::Buffer)>,
}

impl Order {
    /// Takes note that the muxer goes on at a position. Returns true if what comes there waits.
    fn seek(&mut self, position: u64) -> bool {
        self.position = position;
        if position >= self.end {
            self.settled = position;
        }
        position < self.settled
    }

    /// Takes note of what the muxer writes. Returns true if it waits.
    fn write(&mut self, buffer: &gst::Buffer) -> bool {
        let (position, is_held) = (self.position, self.position < self.settled);
        self.position += buffer.size() as u64;
        if is_held {
            self.held.push((position, buffer.clone()));
        } else {
            self.end = self.end.max(self.position);
        }
        is_held
    }
}

/// A `filesink` for a muxer that finishes its videos so.
///
/// # Errors
/// If the element is missing.
pub fn sink() -> Result<gst::Element, RecordingError> {
    let sink = gst::ElementFactory::make("filesink").property_from_str("buffer-mode", "unbuffered").build()?;
    let pad = sink.static_pad("sink").ok_or(RecordingError::Missing("sink"))?;
    let order = Mutex::new(Order::default());
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER, move |pad, info| {
        let is_held = match (info.event().map(|event| event.view()), info.buffer()) {
            (Some(gst::EventView::StreamStart(_)), _) => {
                *order.lock() = Order::default();
                false
            }
            (Some(gst::EventView::Segment(segment)), _) => {
                let start = segment.segment().downcast_ref::<Bytes>().and_then(gst::FormattedSegment::start);
                start.is_some_and(|start| order.lock().seek(*start))
            }
            (Some(gst::EventView::Eos(_)), _) => {
                let Order { end, held, .. } = std::mem::take(&mut *order.lock());
                // It comes after a failure, too.
                let is_complete = pad.query_position::<Bytes>() == Some(Bytes::from_u64(end));
                overwrite(pad, if is_complete && is_synced(pad) { held } else { Vec::new() });
                false
            }
            (_, Some(buffer)) => order.lock().write(buffer),
            _ => false,
        };
        if is_held { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
    Ok(sink)
}

/// Syncs the file. Otherwise a power failure could leave what is overwritten without the new index.
fn is_synced(pad: &gst::Pad) -> bool {
    let path = pad.parent_element().and_then(|sink| sink.property::<Option<String>>("location"));
    path.is_some_and(|path| File::open(path).and_then(|file| file.sync_data()).is_ok())
}

/// Writes what has waited, from the start of the file on: the size of the data first, which then covers the first index.
fn overwrite(pad: &gst::Pad, mut held: Vec<(u64, gst::Buffer)>) {
    held.sort_by_key(|(position, _)| *position);
    for (position, buffer) in held {
        let mut segment = gst::FormattedSegment::<Bytes>::new();
        segment.set_start(Bytes::from_u64(position));
        let is_written = pad.send_event(gst::event::Segment::new(&segment)) && pad.chain(buffer).is_ok();
        if !is_written {
            // The element has reported it. The file is the fragmented one that it was.
            return;
        }
    }
}
