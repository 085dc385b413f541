// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time of day of a buffer, in a `GstReferenceTimestampMeta`.

use super::state::clock_time;
use crate::export::Utc;

/// Reference of a Unix time.
const UNIX: &str = "timestamp/x-unix";
/// Reference of a time since the NTP epoch.
const NTP: &str = "timestamp/x-ntp";

/// The time at which the picture was taken, if the source attached it to the buffer.
pub(super) fn read(buffer: &gst::BufferRef) -> Option<Utc> {
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
pub(super) fn attach(buffer: &mut gst::BufferRef, utc: Utc) {
    let unix = gst::Caps::new_empty_simple(UNIX);
    gst::meta::ReferenceTimestampMeta::add(buffer, &unix, clock_time(utc.0), None);
}
