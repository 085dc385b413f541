// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a photo is turned upright: the Exif orientation of a JPEG file. No other module uses the crate `exif`.
//!
//! When GStreamer 1.22 decodes such a file, no element reads the entry.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use exif::{In, Reader, Tag};

/// The first bytes of a JPEG file.
const JPEG: [u8; 2] = [0xff, 0xd8];
/// GStreamer's names of the Exif orientations 1 to 8.
const NAMES: [&str; 8] =
    ["rotate-0", "flip-rotate-0", "rotate-180", "flip-rotate-180", "flip-rotate-270", "rotate-90", "flip-rotate-90", "rotate-270"];

/// The orientation of a JPEG file as a tag; `None` if it has no such entry, or is another kind of file.
pub fn of_photo(path: &Path) -> Option<gst::TagList> {
    let name = NAMES.get(exif_orientation(path)?.checked_sub(1)?)?;
    let mut tags = gst::TagList::new();
    tags.make_mut().add::<gst::tags::ImageOrientation>(name, gst::TagMergeMode::Replace);
    Some(tags)
}

/// The value of the Exif entry; `None` if the entries cannot be read.
fn exif_orientation(path: &Path) -> Option<usize> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut start = [0; 2];
    file.read_exact(&mut start).ok().filter(|()| start == JPEG)?;
    file.rewind().ok()?;
    let exif = Reader::new().read_from_container(&mut file).ok()?;
    exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst_video::VideoOrientationMethod as Method;

    #[test]
    fn gstreamer_knows_the_name_of_each_orientation() {
        gst::init().unwrap();
        let methods = NAMES.map(|name| {
            let mut tags = gst::TagList::new();
            tags.make_mut().add::<gst::tags::ImageOrientation>(&name, gst::TagMergeMode::Replace);
            Method::from_tag(&tags).unwrap()
        });
        let (left, right) = (Method::_90l, Method::_90r);
        // The order of the Exif standard: where the first row and the first column are.
        let expected = [Method::Identity, Method::Horiz, Method::_180, Method::Vert, Method::UlLr, right, Method::UrLl, left];
        assert_eq!(methods, expected);
    }
}
