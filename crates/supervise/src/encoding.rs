// SPDX-License-Identifier: MIT OR Apache-2.0
//! An encoder of H.264 for live video: the first installed one of a list, for recordings and for network streams. No encoder
//! of the list looks ahead, so that no branch of a tee waits for another. And sound that recordings can have.
//! avenc_mpeg4 is not on it: with gst-libav 1.22 and FFmpeg 5.1, those of Debian 12, its buffers have no valid timestamps, and
//! mp4mux rejects them.

use thiserror::Error;

use crate::packages::{Plugins, install};

/// An encoder and the elements around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// Name of the element.
    pub element: &'static str,
    /// Elements from raw video to encoded video that a muxer takes. The quality is constant where the encoder can.
    pub recording: &'static str,
    /// Elements from raw video to encoded video for rtph264pay. The bit rate is bounded. The encoder itself writes its parameter
    /// sets before each keyframe: rtph264pay's `config-interval=-1` writes them before each slice of it, inside the picture.
    pub stream: &'static str,
}

/// The encoders in the order of preference.
pub const ENCODERS: [Encoder; 2] = [
    Encoder {
        element: "x264enc",
        recording: "x264enc tune=zerolatency speed-preset=veryfast pass=qual quantizer=21 bitrate=4000 ! h264parse",
        stream: "x264enc tune=zerolatency speed-preset=superfast key-int-max=60 bitrate=3000 \
                 ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream",
    },
    Encoder {
        element: "openh264enc",
        recording: "openh264enc bitrate=4000000 ! h264parse",
        stream: "openh264enc gop-size=60 bitrate=3000000 ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream",
    },
];

/// The event by which an element after an encoder asks it for a keyframe.
pub fn key_request() -> gst::Event {
    let fields = gst::Structure::builder("GstForceKeyUnit").field("all-headers", true).field("count", 0_u32);
    gst::event::CustomUpstream::new(fields.build())
}

/// Sound that recordings can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Its name in RTP.
    pub rtp: &'static str,
    /// The element that takes it out of RTP packets.
    pub depayloader: &'static str,
    /// Its media type.
    pub caps: &'static str,
    /// Elements from it to what an MP4 file can have. Opus has the shortest delay, and GStreamer's base plugins have it.
    pub recording: &'static str,
}

/// The names of [`SOUNDS`], as people know them.
pub const SOUND_NAMES: &str = "AAC, MP3, Opus, PCMU, PCMA or L16";

/// All of it.
pub const SOUNDS: [Sound; 7] = {
    const fn sound(rtp: &'static str, depayloader: &'static str, caps: &'static str, recording: &'static str) -> Sound {
        Sound { rtp, depayloader, caps, recording }
    }
    [
        sound("MPEG4-GENERIC", "rtpmp4gdepay", "audio/mpeg,mpegversion=4", "aacparse"),
        sound("MP4A-LATM", "rtpmp4adepay", "audio/mpeg,mpegversion=4", "aacparse"),
        sound("MPA", "rtpmpadepay", "audio/mpeg,mpegversion=1", "mpegaudioparse"),
        sound("OPUS", "rtpopusdepay", "audio/x-opus", "opusparse"),
        sound("PCMU", "rtppcmudepay", "audio/x-mulaw", "mulawdec ! audioconvert ! audioresample ! opusenc"),
        sound("PCMA", "rtppcmadepay", "audio/x-alaw", "alawdec ! audioconvert ! audioresample ! opusenc"),
        sound("L16", "rtpL16depay", "audio/x-raw", "audioconvert ! audioresample ! opusenc"),
    ]
};

impl Sound {
    /// The one with these caps, of itself or of its packets.
    pub fn of(caps: &gst::CapsRef) -> Option<Self> {
        let name = rtp_name(caps);
        SOUNDS.into_iter().find(|sound| match name {
            Some(name) => name == sound.rtp,
            None => sound.caps.parse::<gst::Caps>().is_ok_and(|own| caps.can_intersect(&own)),
        })
    }
}

/// What packets with these caps carry; `None` for something else than packets.
pub fn rtp_name(caps: &gst::CapsRef) -> Option<&str> {
    caps.structure(0)?.get("encoding-name").ok()
}

/// No encoder of [`ENCODERS`] is installed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "expected one of the video encoders {}, found none: {}",
    ENCODERS.map(|encoder| encoder.element).join(", "),
    install(&[Plugins::Ugly, Plugins::Bad])
)]
pub struct NoEncoder;

/// The encoder to use. GStreamer must have been initialised.
///
/// # Errors
/// If no encoder of the list is installed.
pub fn encoder() -> Result<Encoder, NoEncoder> {
    first(|element| gst::ElementFactory::find(element).is_some())
}

fn first(is_installed: impl Fn(&str) -> bool) -> Result<Encoder, NoEncoder> {
    ENCODERS.into_iter().find(|encoder| is_installed(encoder.element)).ok_or(NoEncoder)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use gst::prelude::*;

    use super::*;

    #[test]
    fn the_first_installed_encoder_is_chosen_and_none_is_an_error_with_their_names() {
        let chosen = |installed: &[&str]| first(|element| installed.contains(&element)).map(|encoder| encoder.element);
        assert_eq!(chosen(&["avenc_mpeg4", "openh264enc", "x264enc"]), Ok("x264enc"));
        assert_eq!(chosen(&["avenc_mpeg4", "openh264enc"]), Ok("openh264enc"));
        assert_eq!(chosen(&["avenc_mpeg4"]), Err(NoEncoder));
        assert!(NoEncoder.to_string().contains("x264enc, openh264enc, found none"), "{NoEncoder}");
    }

    #[test]
    fn the_scripts_know_the_same_encoders_for_recordings() {
        let script = include_str!("../../../pipelines/env.sh");
        for (encoder, rate) in ENCODERS.iter().zip([("bitrate=4000 ", "bitrate=$1 "), ("bitrate=4000000 ", "bitrate=${1}000 ")]) {
            let line = format!("\"{}\"", encoder.recording.replace(rate.0, rate.1));
            assert!(script.contains(&line), "{line} is not in pipelines/env.sh");
        }
        assert_eq!(script.matches("! h264parse\"").count(), ENCODERS.len());
    }

    /// Encodes five frames and returns the timestamps of the buffers that `line` makes of them.
    fn encoded(line: &str) -> Vec<gst::ClockTime> {
        let line = format!("videotestsrc num-buffers=5 ! video/x-raw,format=I420,framerate=25/1 ! {line} ! fakesink name=end");
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let times: Arc<Mutex<Vec<gst::ClockTime>>> = Arc::default();
        let (seen, end) = (times.clone(), pipeline.by_name("end").unwrap());
        end.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            seen.lock().unwrap().extend(info.buffer().and_then(|buffer| buffer.pts()));
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let last = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(last.type_(), gst::MessageType::Eos, "{line}: {last:?}");
        std::mem::take(&mut *times.lock().unwrap())
    }

    #[test]
    fn each_installed_encoder_keeps_the_times_of_frames_in_recordings_and_streams() {
        gst::init().unwrap();
        encoder().expect("setup installs an encoder");
        for encoder in ENCODERS.iter().filter(|encoder| gst::ElementFactory::find(encoder.element).is_some()) {
            for line in [encoder.recording, encoder.stream] {
                let times = encoded(line);
                let lengths: Vec<_> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).mseconds()).collect();
                assert_eq!(lengths, [40; 4], "{line}: {times:?}");
            }
        }
    }
}
