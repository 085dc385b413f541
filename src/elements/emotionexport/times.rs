// SPDX-License-Identifier: MIT OR Apache-2.0
//! Times of buffers: the core's nanoseconds, and the time of day in a `GstReferenceTimestampMeta`.

use crate::export::Utc;

/// Reference of a Unix time.
const UNIX: &str = "timestamp/x-unix";
/// Reference of a time since the NTP epoch.
const NTP: &str = "timestamp/x-ntp";

/// `ns` as a time. `u64::MAX`, which means no time to GStreamer, becomes the largest valid time.
pub(super) fn clock_time(ns: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(ns.min(gst::ClockTime::MAX.nseconds()))
}

/// The time at which the picture was taken, if the source attached it to the buffer.
pub(super) fn time_of_day(buffer: &gst::BufferRef) -> Option<Utc> {
    buffer.iter_meta::<gst::meta::ReferenceTimestampMeta>().find_map(|meta| {
        let ns = meta.timestamp().nseconds();
        match meta.reference().structure(0)?.name().as_str() {
            UNIX => Some(Utc(ns)),
            NTP => Utc::from_ntp(ns),
            _ => None,
        }
    })
}

/// Attaches `utc` to the buffer as a Unix time.
pub(super) fn attach_time_of_day(buffer: &mut gst::BufferRef, utc: Utc) {
    let unix = gst::Caps::new_empty_simple(UNIX);
    gst::meta::ReferenceTimestampMeta::add(buffer, &unix, clock_time(utc.0), None);
}
