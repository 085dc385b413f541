// SPDX-License-Identifier: MIT OR Apache-2.0
//! The payloader of ONVIF metadata, `vnd.onvif.metadata/90000` in RTP: each XML document is cut into packets, and the last
//! packet of a document has the marker bit (ONVIF Streaming Specification, "RTP for Metadata stream").
//!
//! GStreamer's own one is part of gst-plugins-rs, which Debian 12 does not have. It is registered in this program alone.

use std::time::SystemTime;

use emotion_core::export::onvif::OnvifWriter;
use emotion_core::export::{FrameReport, FrameTime, RecordWriter, Utc};
use emotion_core::geometry::Size;
use gst::glib;
use gst::prelude::*;

/// Name of the element.
pub const PAYLOADER: &str = "emotiononvifpay";
/// The media type of whole documents.
pub const CAPS: &str = "application/x-onvif-metadata,parsed=true";
/// Encoding name and clock rate in the description of the stream.
const ENCODING: (&str, u32) = ("VND.ONVIF.METADATA", 90_000);

glib::wrapper! {
    /// The payloader.
    pub struct OnvifPay(ObjectSubclass<imp::OnvifPay>) @extends gst_rtp::RTPBasePayload, gst::Element, gst::Object;
}

/// A frame without faces at this moment. A client gets the description of a stream only once the stream has data.
pub fn empty_document() -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let utc = u64::try_from(now.as_nanos()).ok().map(Utc);
    let time = FrameTime { utc, ..FrameTime::default() };
    let frame = FrameReport { stream: "", frame: 0, time, size: Size::default(), faces: &[], misplaced: false };
    let mut document = Vec::new();
    // Writing to memory does not fail.
    let _ = OnvifWriter.write_faces(&frame, 0, &mut document);
    document
}

/// Makes the element available in this program.
///
/// # Errors
/// If GStreamer rejects it.
pub fn register() -> Result<(), glib::BoolError> {
    gst::Element::register(None, PAYLOADER, gst::Rank::NONE, OnvifPay::static_type())
}

mod imp {
    use std::sync::LazyLock;

    use gst::glib;
    use gst::subclass::prelude::*;
    use gst_rtp::prelude::*;
    use gst_rtp::subclass::prelude::*;

    use super::{CAPS, ENCODING};

    /// The instance of the payloader.
    #[derive(Default)]
    pub struct OnvifPay;

    #[glib::object_subclass]
    impl ObjectSubclass for OnvifPay {
        const NAME: &'static str = "EmotionOnvifPay";
        type Type = super::OnvifPay;
        type ParentType = gst_rtp::RTPBasePayload;
    }

    impl ObjectImpl for OnvifPay {}

    impl GstObjectImpl for OnvifPay {}

    impl ElementImpl for OnvifPay {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                let (name, what) = ("RTP payloader of ONVIF metadata", "Cuts ONVIF metadata into RTP packets");
                gst::subclass::ElementMetadata::new(name, "Codec/Payloader/Network/RTP", what, env!("CARGO_PKG_AUTHORS"))
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let packets = gst::Caps::builder("application/x-rtp")
                    .field("media", "application")
                    .field("encoding-name", ENCODING.0)
                    .field("clock-rate", ENCODING.1 as i32)
                    .build();
                let documents = CAPS.parse::<gst::Caps>().expect("the caps are valid");
                let template = |name, direction, caps| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("the template is valid")
                };
                vec![template("sink", gst::PadDirection::Sink, &documents), template("src", gst::PadDirection::Src, &packets)]
            });
            &TEMPLATES
        }
    }

    impl RTPBasePayloadImpl for OnvifPay {
        fn set_caps(&self, _caps: &gst::Caps) -> Result<(), gst::LoggableError> {
            let payloader = self.obj();
            payloader.set_options("application", true, ENCODING.0, ENCODING.1);
            payloader.set_outcaps(None).map_err(|error| gst::loggable_error!(gst::CAT_RUST, "{error}"))
        }

        fn handle_buffer(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            let payloader = self.obj();
            let most = gst_rtp::calc_payload_len(payloader.mtu(), 0, 0) as usize;
            let document = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
            let parts = document.chunks(most.max(1));
            let last = parts.len().saturating_sub(1);
            let packets = parts.enumerate().map(|(index, part)| packet(&buffer, part, index == last));
            payloader.push_list(packets.collect::<Result<gst::BufferList, _>>()?)
        }
    }

    /// An RTP packet with a part of a document. The parent class sets the rest of its header.
    fn packet(document: &gst::Buffer, part: &[u8], is_last: bool) -> Result<gst::Buffer, gst::FlowError> {
        let new = gst::Buffer::new_rtp_with_sizes(part.len() as u32, 0, 0);
        let mut packet = new.map_err(|_| gst::FlowError::Error)?;
        let writable = packet.make_mut();
        writable.set_pts(document.pts());
        let mut rtp = gst_rtp::RTPBuffer::from_buffer_writable(writable).map_err(|_| gst::FlowError::Error)?;
        rtp.set_marker(is_last);
        rtp.payload_mut().map_err(|_| gst::FlowError::Error)?.copy_from_slice(part);
        drop(rtp);
        Ok(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_no_larger_than_the_mtu_and_the_last_one_of_a_document_is_marked() {
        gst::init().unwrap();
        register().unwrap();
        let pipeline =
            format!("appsrc name=documents caps={CAPS} format=time ! {PAYLOADER} pt=98 mtu=200 ! appsink name=packets sync=false");
        let pipeline = gst::parse::launch(&pipeline).unwrap().downcast::<gst::Pipeline>().unwrap();
        let documents = pipeline.by_name("documents").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        let packets = pipeline.by_name("packets").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let texts = ["a".repeat(500), "b".repeat(188), "c".repeat(189)];
        for (text, ms) in texts.iter().zip([0, 40, 80]) {
            let mut buffer = gst::Buffer::from_slice(text.clone());
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
            documents.push_buffer(buffer).unwrap();
        }
        documents.end_of_stream().unwrap();
        let (mut received, mut times) = (vec![String::new()], Vec::new());
        while let Ok(sample) = packets.pull_sample() {
            let caps = sample.caps().unwrap().structure(0).unwrap();
            assert_eq!((caps.get("encoding-name"), caps.get("payload")), (Ok("VND.ONVIF.METADATA"), Ok(98)));
            let packet = sample.buffer_owned().unwrap();
            assert!(packet.size() <= 200, "{}", packet.size());
            let rtp = gst_rtp::RTPBuffer::from_buffer_readable(&packet).unwrap();
            received.last_mut().unwrap().push_str(std::str::from_utf8(rtp.payload().unwrap()).unwrap());
            if rtp.is_marker() {
                received.push(String::new());
                times.push(rtp.timestamp());
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(received[..3], texts);
        assert_eq!([1, 2].map(|n| times[n].wrapping_sub(times[n - 1])), [3600, 3600], "40 ms at 90 kHz");
    }
}
