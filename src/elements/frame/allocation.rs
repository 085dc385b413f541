// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the elements accept of the buffers that upstream allocates.

use gst::prelude::*;

/// Answers an ALLOCATION query to an in-place element. Downstream's pools are offered to upstream, and two kinds of
/// metadata: overlay compositions if downstream supports them, and `GstVideoMeta`, since the elements handle any stride.
/// Other kinds are removed, because the elements would ignore them: a `GstVideoCropMeta`, for example, changes which part
/// of the pixels is the picture.
pub(in crate::elements) fn propose(src_pad: &gst::Pad, query: &mut gst::query::Allocation) {
    // If downstream does not answer, nothing is offered, and upstream allocates its own buffers.
    let _ = src_pad.peer_query(query);
    let supported = [gst_video::VideoMeta::meta_api(), gst_video::VideoOverlayCompositionMeta::meta_api()];
    let offered: Vec<_> = query.allocation_metas().map(|(api, _)| api).collect();
    // From the last to the first, since a removal shifts the indices after it.
    for (index, api) in offered.iter().enumerate().rev() {
        if !supported.contains(api) {
            query.remove_nth_allocation_meta(index as u32);
        }
    }
    if query.find_allocation_meta::<gst_video::VideoMeta>().is_none() {
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
    }
}
