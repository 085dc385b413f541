// SPDX-License-Identifier: MIT OR Apache-2.0
//! An encoder for live video: the first installed one of a list, for recordings as for network streams. None has a lookahead,
//! so that no branch of a tee waits for another.

use std::fmt;

/// An encoder and the elements around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// Name of the element.
    pub element: &'static str,
    /// Elements from raw video to encoded video that a muxer takes. The quality is constant where the encoder can.
    pub recording: &'static str,
    /// Elements from raw video to encoded video that `payloader` takes. The bit rate is bounded.
    pub stream: &'static str,
    /// The element that cuts that video into RTP packets. It repeats the decoder's configuration with each key frame.
    pub payloader: &'static str,
}

/// The encoders in the order of preference, as the scripts of `pipelines/` choose them.
pub const ENCODERS: [Encoder; 3] = [
    Encoder {
        element: "x264enc",
        recording: "x264enc tune=zerolatency speed-preset=veryfast pass=qual quantizer=21 bitrate=4000 ! h264parse",
        stream: "x264enc tune=zerolatency speed-preset=superfast key-int-max=60 bitrate=3000 \
                 ! video/x-h264,profile=constrained-baseline",
        payloader: "rtph264pay config-interval=-1",
    },
    Encoder {
        element: "openh264enc",
        recording: "openh264enc bitrate=4000000 ! h264parse",
        stream: "openh264enc gop-size=60 bitrate=3000000 ! video/x-h264,profile=constrained-baseline",
        payloader: "rtph264pay config-interval=-1",
    },
    Encoder {
        element: "avenc_mpeg4",
        recording: "avenc_mpeg4 bitrate=4000000 ! mpeg4videoparse",
        stream: "avenc_mpeg4 gop-size=60 bitrate=3000000 ! mpeg4videoparse",
        payloader: "rtpmp4vpay config-interval=-1",
    },
];

/// No encoder of [`ENCODERS`] is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEncoder;

impl fmt::Display for NoEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ENCODERS.map(|encoder| encoder.element).join(", ");
        write!(f, "expected one of the video encoders {names}, found none; Debian has them in gstreamer1.0-plugins-ugly, -bad and -libav")
    }
}

impl std::error::Error for NoEncoder {}

/// The encoder to use. GStreamer must have been initialised.
///
/// # Errors
/// If none is installed.
pub fn encoder() -> Result<Encoder, NoEncoder> {
    first(|element| gst::ElementFactory::find(element).is_some())
}

fn first(is_installed: impl Fn(&str) -> bool) -> Result<Encoder, NoEncoder> {
    ENCODERS.into_iter().find(|encoder| is_installed(encoder.element)).ok_or(NoEncoder)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gst::prelude::*;

    use super::*;

    #[test]
    fn the_first_installed_encoder_is_chosen_and_none_is_an_error_with_their_names() {
        let chosen = |installed: &[&str]| first(|element| installed.contains(&element)).map(|encoder| encoder.element);
        assert_eq!(chosen(&["avenc_mpeg4", "openh264enc", "x264enc"]), Ok("x264enc"));
        assert_eq!(chosen(&["avenc_mpeg4", "openh264enc"]), Ok("openh264enc"));
        assert_eq!(chosen(&["avenc_mpeg4"]), Ok("avenc_mpeg4"));
        assert_eq!(chosen(&[]), Err(NoEncoder));
        assert!(NoEncoder.to_string().contains("x264enc, openh264enc, avenc_mpeg4, found none"), "{NoEncoder}");
    }

    /// Encodes five frames and counts the buffers that `line` makes of them.
    fn encoded(line: &str) -> usize {
        let line = format!("videotestsrc num-buffers=5 ! video/x-raw,format=I420,framerate=15/1 ! {line} ! fakesink name=end");
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let (counted, end) = (count.clone(), pipeline.by_name("end").unwrap());
        end.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let last = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(last.type_(), gst::MessageType::Eos, "{line}: {last:?}");
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn each_installed_encoder_makes_recordings_and_packets() {
        gst::init().unwrap();
        encoder().expect("setup installs an encoder");
        for encoder in ENCODERS.iter().filter(|encoder| gst::ElementFactory::find(encoder.element).is_some()) {
            assert!(encoded(&format!("{} ! matroskamux", encoder.recording)) > 0, "{}", encoder.element);
            assert!(encoded(&format!("{} ! {}", encoder.stream, encoder.payloader)) >= 5, "{}", encoder.element);
        }
    }
}
