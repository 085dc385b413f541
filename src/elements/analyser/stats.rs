// SPDX-License-Identifier: MIT OR Apache-2.0
//! The property `stats` of `facedetect` and `emotionclassify`.

use crate::statistics::{Histogram, Statistics};

/// The structure that the elements' documentation describes. `whole` is the name of the time per frame.
pub fn structure(name: &str, whole: &str, statistics: &Statistics) -> gst::Structure {
    let mut structure = gst::Structure::new_empty(name);
    let Statistics { frames, inferred, skipped, late, unchanged, partial, faces, .. } = *statistics;
    let work = [("inferred", inferred), ("skipped", skipped), ("late", late), ("unchanged", unchanged), ("partial", partial)];
    for (name, count) in [("frames", frames), ("faces", faces)].into_iter().chain(work) {
        structure.set(name, count);
    }
    let Statistics { whole: whole_times, preprocess, inference, postprocess, .. } = statistics;
    for (name, times) in [(whole, whole_times), ("preprocess", preprocess), ("inference", inference), ("postprocess", postprocess)] {
        set_percentiles(&mut structure, name, times);
    }
    structure
}

fn set_percentiles(structure: &mut gst::StructureRef, name: &str, times: &Histogram) {
    for (percentile, share) in [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)] {
        structure.set(format!("{name}-{percentile}"), times.percentile_us(share));
    }
}
