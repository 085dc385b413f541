// SPDX-License-Identifier: MIT OR Apache-2.0
//! An encoder of H.264 for live video: the first installed one of a list, for recordings and for network streams. No encoder
//! of the list looks ahead, so that no branch of a tee waits for another. And sound that recordings can have.
//! avenc_mpeg4 is not on it: with gst-libav 1.22 and FFmpeg 5.1, those of Debian 12, its buffers have no valid timestamps, and
//! mp4mux rejects them.

use gst::prelude::*;
use parking_lot::Mutex;
use thiserror::Error;

use crate::packages::{Plugins, install};

/// An encoder and the elements around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// Name of the element.
    pub element: &'static str,
    /// Elements from raw video to encoded video that a muxer takes. The quality is constant where the encoder can.
    pub recording: &'static str,
    /// Elements from raw video to encoded video for rtph264pay. The bit rate is bounded. The encoder is called [`STREAM_ENCODER`], for
    /// [`pace_keyframes`]. It writes its parameter sets before each keyframe itself. rtph264pay must not: its `config-interval=-1` writes
    /// them before each slice, inside the picture.
    pub stream: &'static str,
}

/// The name of the encoder of a stream.
pub const STREAM_ENCODER: &str = "stream-encoder";

/// Time between two keyframes of a stream.
const KEY_INTERVAL: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// The encoders in the order of preference.
pub const ENCODERS: [Encoder; 2] = [
    Encoder {
        element: "x264enc",
        recording: "x264enc tune=zerolatency speed-preset=veryfast pass=qual quantizer=21 bitrate=4000 ! h264parse",
        stream: "x264enc name=stream-encoder tune=zerolatency speed-preset=superfast key-int-max=600 bitrate=3000 \
                 ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream",
    },
    Encoder {
        element: "openh264enc",
        recording: "openh264enc bitrate=4000000 ! h264parse",
        stream: "openh264enc name=stream-encoder gop-size=600 bitrate=3000000 \
                 ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream",
    },
];

/// The event by which an element after an encoder asks it for a keyframe.
pub fn key_request() -> gst::Event {
    let fields = gst::Structure::builder("GstForceKeyUnit").field("all-headers", true).field("count", 0_u32);
    gst::event::CustomUpstream::new(fields.build())
}

/// Lets the encoder of a stream make a keyframe every two seconds. Players begin at a keyframe, and segments of HTTP Live Streaming, too.
/// Encoders themselves count frames, of which some cameras send only a few in a second.
pub fn pace_keyframes(encoder: &gst::Element) {
    let (Some(sink), Some(src)) = (encoder.static_pad("sink"), encoder.static_pad("src")) else { return };
    // The first frame is a keyframe anyway.
    let next = Mutex::new(None);
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(time) = info.buffer().and_then(|frame| frame.pts()) {
            let mut next = next.lock();
            if next.is_some_and(|next| time >= next) {
                src.send_event(key_request());
            }
            if next.is_none_or(|next| time >= next || time + KEY_INTERVAL < next) {
                *next = Some(time + KEY_INTERVAL);
            }
        }
        gst::PadProbeReturn::Ok
    });
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
    use std::sync::Arc;

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

    /// Encodes frames of so many in a second with `line`. Returns the times of the buffers that come out, and which are keyframes.
    fn encoded(frames: usize, rate: usize, line: &str) -> Vec<(gst::ClockTime, bool)> {
        let source = format!("videotestsrc num-buffers={frames} ! video/x-raw,format=I420,framerate={rate}/1");
        let pipeline = gst::parse::launch(&format!("{source} ! {line} ! fakesink name=end")).unwrap().downcast::<gst::Pipeline>().unwrap();
        pipeline.by_name(STREAM_ENCODER).iter().for_each(pace_keyframes);
        let buffers: Arc<Mutex<Vec<(gst::ClockTime, bool)>>> = Arc::default();
        let (seen, end) = (buffers.clone(), pipeline.by_name("end").unwrap());
        end.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer().unwrap();
            seen.lock().push((buffer.pts().unwrap(), !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)));
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let last = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(last.type_(), gst::MessageType::Eos, "{line}: {last:?}");
        std::mem::take(&mut *buffers.lock())
    }

    fn installed() -> impl Iterator<Item = Encoder> {
        gst::init().unwrap();
        encoder().expect("setup installs an encoder");
        ENCODERS.into_iter().filter(|encoder| gst::ElementFactory::find(encoder.element).is_some())
    }

    #[test]
    fn each_installed_encoder_keeps_the_times_of_frames_in_recordings_and_streams() {
        for encoder in installed() {
            for line in [encoder.recording, encoder.stream] {
                let buffers = encoded(5, 25, line);
                let lengths: Vec<_> = buffers.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0).mseconds()).collect();
                assert_eq!(lengths, [40; 4], "{line}: {buffers:?}");
            }
        }
    }

    #[test]
    fn a_stream_has_a_keyframe_every_two_seconds_at_any_rate() {
        for encoder in installed() {
            for rate in [3, 30, 120] {
                let buffers = encoded(5 * rate, rate, encoder.stream);
                let keys: Vec<_> = (0..buffers.len()).filter(|index| buffers[*index].1).collect();
                assert_eq!(keys, [0, 2 * rate, 4 * rate], "{} at {rate} frames a second", encoder.element);
            }
        }
    }
}
