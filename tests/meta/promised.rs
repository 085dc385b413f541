// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structures and fields of metadata that are promised.

use std::collections::BTreeSet;

use emotion_core::record::{FaceRecord, SearchAge};
use gst::meta::CustomMeta;
use gst_video::VideoRegionOfInterestMeta;
use gstemotion::meta::{write_detections, write_emotions, write_geometries, write_search};
use test_support::promises;

use super::encodings::{VGA, detected, scored};
use super::geometry::measured;

#[test]
fn the_fields_of_metadata_are_kept() {
    test_support::gstreamer::init();
    let known = measured(1);
    let unknown = FaceRecord { geometry: None, confirmed: false, ..scored(2, None) };
    let faces = [FaceRecord { geometry: known.geometry, ..scored(1, Some(1)) }, unknown];
    let found = faces.each_ref().map(|face| FaceRecord { confirmed: face.confirmed, ..detected(face.id) });
    let mut buffer = gst::Buffer::new();
    write_search(buffer.make_mut(), VGA, &found, SearchAge::Never);
    write_detections(buffer.make_mut(), VGA, &found);
    write_geometries(buffer.make_mut(), VGA, &faces);
    write_emotions(buffer.make_mut(), VGA, &faces);

    let mut lines = BTreeSet::new();
    for region in buffer.iter_meta::<VideoRegionOfInterestMeta>() {
        let name = format!("GstVideoRegionOfInterestMeta {}", region.roi_type());
        lines.extend(region.params().flat_map(|param| promises::structure_fields(&format!("{name} {}", param.name()), param)));
    }
    let meta = CustomMeta::from_buffer(&buffer, "GstEmotionMeta").expect("the custom meta");
    lines.extend(promises::structure_fields("GstEmotionMeta", meta.structure()));
    promises::assert_kept("metadata", lines);
}
