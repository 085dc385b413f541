// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a photo is turned upright: its Exif orientation, and the same as a tag of GStreamer. No other module uses the crate `exif`.
//!
//! When GStreamer 1.22 decodes a JPEG, no element reads the entry.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use exif::{In, Reader, Tag};
use image::metadata::Orientation;

/// GStreamer's names of the Exif orientations 1 to 8.
const NAMES: [&str; 8] =
    ["rotate-0", "flip-rotate-0", "rotate-180", "flip-rotate-180", "flip-rotate-270", "rotate-90", "flip-rotate-90", "rotate-270"];

/// The Exif orientation of a JPEG, PNG, WebP or TIFF file; without a readable entry, none.
pub fn of_file(path: &Path) -> Orientation {
    exif_orientation(path).and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The value of the Exif entry; `None` if the entries cannot be read.
fn exif_orientation(path: &Path) -> Option<u8> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut reader = Reader::new();
    // Some cameras write an entry that is damaged, and others that are sound.
    reader.continue_on_error(true);
    let read = reader.read_from_container(&mut file).or_else(|error| error.distill_partial_result(|_| {})).ok()?;
    read.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0)?.try_into().ok()
}

/// The tag by which GStreamer's `videoflip` turns a stored picture upright.
pub fn tag(orientation: Orientation) -> gst::TagList {
    let name = NAMES[usize::from(orientation.to_exif().clamp(1, 8) - 1)];
    let mut tags = gst::TagList::new();
    tags.make_mut().add::<gst::tags::ImageOrientation>(&name, gst::TagMergeMode::Replace);
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst_video::VideoOrientationMethod as Method;

    #[test]
    fn gstreamer_knows_the_name_of_each_orientation() {
        gst::init().unwrap();
        let methods = [1, 2, 3, 4, 5, 6, 7, 8].map(|exif| Method::from_tag(&tag(Orientation::from_exif(exif).unwrap())).unwrap());
        let (left, right) = (Method::_90l, Method::_90r);
        // The order of the Exif standard: where the first row and the first column are.
        let expected = [Method::Identity, Method::Horiz, Method::_180, Method::Vert, Method::UlLr, right, Method::UrLl, left];
        assert_eq!(methods, expected);
    }
}
