// SPDX-License-Identifier: MIT OR Apache-2.0
//! The times of frames in MPEG-1 and MPEG-2 streams.
//!
//! In program streams, most frames have a time at which they are decoded, and few one at which they are shown. Decoders guess the others,
//! and are wrong around frames that are shown before one that is decoded earlier. But each picture has its place within its group.

use emotion_supervise::decoding::on_decoders;
use gst::prelude::*;
use parking_lot::Mutex;

/// First bytes of the header of a group, and of a picture.
const GROUP: [u8; 4] = [0, 0, 1, 0xb8];
const PICTURE: [u8; 4] = [0, 0, 1, 0];

/// What the headers of a compressed frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picture {
    starts_group: bool,
    /// Number of pictures of the group that are shown before it.
    place: i64,
    /// True if it depends on no other picture.
    is_intra: bool,
}

impl Picture {
    /// The picture whose headers begin `bytes`.
    fn of(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(4).position(|four| four == PICTURE)?;
        let [high, low] = *bytes.get(at + 4..)?.first_chunk()?;
        let starts_group = bytes[..at].windows(4).any(|four| four == GROUP);
        Some(Self { starts_group, place: i64::from(high) << 2 | i64::from(low) >> 6, is_intra: low >> 3 & 7 == 1 })
    }
}

/// The pictures of a stream so far.
#[derive(Debug, Default)]
struct Pictures {
    /// Time of the first picture of the group that is shown.
    start_ns: Option<i64>,
    /// Highest place in the group.
    last: i64,
    /// Place of the last picture: its second field has the same.
    place: Option<i64>,
}

impl Pictures {
    /// Time of the next picture, which is so long, if it has none of its own.
    fn time(&mut self, picture: Picture, own_ns: Option<i64>, length_ns: i64) -> Option<i64> {
        let is_second_field = !picture.starts_group && self.place == Some(picture.place);
        if picture.starts_group {
            self.start_ns = self.start_ns.map(|start| start + (self.last + 1) * length_ns);
            self.last = 0;
        }
        (self.place, self.last) = (Some(picture.place), self.last.max(picture.place));
        self.start_ns = own_ns.map(|own| own - picture.place * length_ns).or(self.start_ns);
        let time_ns = self.start_ns? + picture.place * length_ns;
        (own_ns.is_none() && !is_second_field).then_some(time_ns)
    }

    /// Gives a compressed frame its time. The parser marks the last frame of a stream as a keyframe, whatever it is.
    fn stamp(&mut self, buffer: &mut gst::Buffer) {
        if buffer.flags().contains(gst::BufferFlags::DISCONT) {
            *self = Self::default();
        }
        let picture = buffer.map_readable().ok().and_then(|map| Picture::of(&map));
        let (Some(picture), Some(length)) = (picture, buffer.duration()) else { return };
        if !picture.is_intra {
            buffer.make_mut().set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        let own_ns = buffer.pts().map(|time| time.nseconds() as i64);
        let time_ns = self.time(picture, own_ns, length.nseconds() as i64);
        if let Some(time_ns) = time_ns.and_then(|time| u64::try_from(time).ok()) {
            buffer.make_mut().set_pts(gst::ClockTime::from_nseconds(time_ns));
        }
    }
}

/// Gives the frames of MPEG-1 and MPEG-2 videos their times before the decoders of `decode`, a `decodebin`.
pub(super) fn stamp(decode: &gst::Element) {
    on_decoders(decode, |decoder| {
        let Some(pad) = decoder.static_pad("sink") else { return };
        let pictures = Mutex::new(Pictures::default());
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (true, Some(buffer)) = (has_pictures(pad), info.buffer_mut()) {
                pictures.lock().stamp(buffer);
            }
            gst::PadProbeReturn::Ok
        });
    });
}

/// True if the frames at `pad` are those of MPEG-1 or MPEG-2.
fn has_pictures(pad: &gst::Pad) -> bool {
    let is_mpeg =
        |caps: &gst::StructureRef| caps.name() == "video/mpeg" && caps.get::<i32>("mpegversion").is_ok_and(|version| version <= 2);
    pad.current_caps().is_some_and(|caps| caps.structure(0).is_some_and(is_mpeg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_without_a_time_follow_their_place_in_the_group() {
        let mut pictures = Pictures::default();
        let mut times = |text: &str| {
            let time = |word: &str| {
                let (place, own) = word.trim_start_matches('G').split_once('@').unwrap_or((word.trim_start_matches('G'), ""));
                let picture = Picture { starts_group: word.starts_with('G'), place: place.parse().unwrap(), is_intra: false };
                pictures.time(picture, own.parse().ok(), 40)
            };
            text.split(' ').map(time).collect::<Vec<_>>()
        };
        assert_eq!(times("G0@540 3@660 1@580 2 6"), [None, None, None, Some(620), Some(780)]);
        // An open group: two pictures are shown before its keyframe.
        assert_eq!(times("4@700 5 G2 0@820 1 5"), [None, Some(740), Some(900), None, Some(860), Some(1020)]);
        assert_eq!(times("3 4 5"), [Some(940), Some(980), Some(1020)]);
        assert_eq!(times("5"), [None], "the second field of a frame");
        assert_eq!(Pictures::default().time(Picture { starts_group: true, place: 0, is_intra: true }, None, 40), None);
    }

    #[test]
    fn a_place_is_read_from_the_headers() {
        let sequence = [0, 0, 1, 0xb3, 7, 7, 7, 7];
        let headers = [&sequence[..], &GROUP, &[0, 8, 0, 0x40], &PICTURE, &[0x01, 0x4b, 0xff], &[0, 0, 1, 1]].concat();
        assert_eq!(Picture::of(&headers), Some(Picture { starts_group: true, place: 5, is_intra: true }));
        assert_eq!(Picture::of(&headers[16..]), Some(Picture { starts_group: false, place: 5, is_intra: true }));
        assert_eq!([&headers[..16], &headers[..20], &[]].map(Picture::of), [None; 3]);
    }
}
