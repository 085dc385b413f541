// SPDX-License-Identifier: MIT OR Apache-2.0
//! A decoder for video.

use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;

use crate::units::is_unreferenced;

/// Demuxers of FFmpeg that do not work in GStreamer: that of NUT never ends, and crashes with some raw formats.
const UNUSABLE: [&str; 1] = ["avdemux_nut"];
/// FFmpeg's decoders that change the last picture into the next one. Without direct rendering, all their frames have the time of
/// the first one.
const REUSING: [&str; 10] = [
    "avdec_cinepak",
    "avdec_flashsv",
    "avdec_flashsv2",
    "avdec_flic",
    "avdec_msrle",
    "avdec_msvideo1",
    "avdec_qtrle",
    "avdec_rpza",
    "avdec_smc",
    "avdec_tscc",
];
/// The media type that GStreamer 1.22 gives to DNxHR in QuickTime files.
const UNNAMED_DNXHR: &str = "video/x-gst-fourcc-AVdh";

/// A `decodebin` that leaves audio and text encoded.
///
/// # Errors
/// If GStreamer has no `decodebin`.
pub fn video_decoder() -> Result<gst::Element, glib::BoolError> {
    let decode = gst::ElementFactory::make("decodebin").build()?;
    decode.connect("autoplug-continue", false, |arguments| {
        let caps = arguments[2].get::<gst::Caps>().ok()?;
        let is_other = caps.structure(0).is_some_and(|first| ["audio/", "text/"].iter().any(|kind| first.name().starts_with(kind)));
        Some((!is_other).to_value())
    });
    forbid_direct_rendering(&decode);
    name_dnxhr(&decode);
    Ok(decode)
}

/// A [`video_decoder`] for a file. It opens no connection: a playlist, which names other files and addresses, cannot be decoded.
///
/// # Errors
/// If GStreamer has no `decodebin`.
pub fn file_decoder() -> Result<gst::Element, glib::BoolError> {
    let decode = video_decoder()?;
    refuse(&decode, uses_network);
    Ok(decode)
}

/// Lets `decode`, a `decodebin`, use no element for which `is_refused` is true, and none that does not work.
pub fn refuse(decode: &gst::Element, is_refused: impl Fn(&gst::ElementFactory) -> bool + Send + Sync + 'static) {
    let results = glib::Type::from_name("GstAutoplugSelectResult").and_then(glib::EnumClass::with_type);
    let results = results.expect("decodebin registers this type");
    decode.connect("autoplug-select", false, move |arguments| {
        let factory = arguments[3].get::<gst::ElementFactory>().ok();
        let is_skipped = factory.as_ref().is_none_or(|factory| UNUSABLE.contains(&factory.name().as_str()) || is_refused(factory));
        results.to_value_by_nick(if is_skipped { "skip" } else { "try" })
    });
}

/// Gives DNxHR in QuickTime files the media type of its decoder, in the demuxers that `bin` adds from now on. GStreamer 1.22
/// knows only the older DNxHD by name.
pub fn name_dnxhr(bin: &impl IsA<gst::Element>) {
    on_elements(bin, |_, _, element| {
        if element.factory().is_some_and(|factory| factory.name() == "qtdemux") {
            // Before decodebin, which connects to the signal later.
            element.connect_pad_added(|_, pad| {
                let Some(caps) = pad.current_caps().filter(|caps| caps.structure(0).is_some_and(|first| first.name() == UNNAMED_DNXHR))
                else {
                    return;
                };
                let mut named = caps.copy();
                named.make_mut().structure_mut(0).expect("it was there").set_name("video/x-dnxhd");
                pad.push_event(gst::event::Caps::new(&named));
            });
        }
    });
}

/// True for the demuxers of playlists and for elements that receive streams, by what they say about themselves.
fn uses_network(factory: &gst::ElementFactory) -> bool {
    class(factory).any(|word| ["Adaptive", "Network", "Source"].contains(&word))
}

/// Switches off direct rendering in the decoders that `bin`, such as a `decodebin` or a pipeline, adds from now on.
///
/// FFmpeg's decoders then write into buffers of their own instead of the pipeline's. GStreamer 1.24 and 1.26 sometimes abort
/// otherwise if the width of a video is not a multiple of 16: "video meta uses 368x640 instead of 360x640".
pub fn forbid_direct_rendering(bin: &impl IsA<gst::Element>) {
    on_elements(bin, |_, _, element| {
        let is_reusing = element.factory().is_some_and(|factory| REUSING.contains(&factory.name().as_str()));
        if !is_reusing && element.has_property_with_type("direct-rendering", bool::static_type()) {
            element.set_property("direct-rendering", false);
        }
    });
}

/// Lets FFmpeg's decoders that `bin`, such as a `decodebin`, adds from now on use one thread each. With several, the pictures of a video that
/// lacks packets differ each time: what is missing is taken from frames that other threads have decoded so far.
pub fn decode_on_one_thread(bin: &impl IsA<gst::Element>) {
    on_decoders(bin, |decoder| {
        if decoder.has_property_with_type("max-threads", i32::static_type()) {
            decoder.set_property("max-threads", 1);
        }
    });
}

/// Refuses videos with more than `max` pixels in the decoders that `bin`, such as a `decodebin`, adds from now on: with an error on the bus,
/// before the decoder begins if the size is known by then, and before a frame leaves it otherwise.
pub fn limit_pixels(bin: &impl IsA<gst::Element>, max: u64) {
    on_elements(bin, move |bin, _, element| {
        if element.factory().is_some_and(|factory| class(&factory).any(|word| word == "Decoder")) {
            element.pads().iter().for_each(|pad| limit_pixels_of(pad, bin, max));
        }
    });
}

/// Stops a stream with more than `max` pixels at `pad`. The error is one of `bin`, because a `decodebin` hides those of its decoders.
fn limit_pixels_of(pad: &gst::Pad, bin: &gst::Bin, max: u64) {
    let (bin, is_refused) = (bin.downgrade(), AtomicBool::new(false));
    pad.add_probe(gst::PadProbeType::DATA_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
            let side = |name| caps.caps().structure(0)?.get::<i32>(name).ok().and_then(|side| u64::try_from(side).ok());
            let size = side("width").zip(side("height")).filter(|(width, height)| width * height > max);
            is_refused.store(size.is_some(), Ordering::Relaxed);
            if let Some(((width, height), bin)) = size.zip(bin.upgrade()) {
                let text = format!("expected a video of at most {} megapixels, found {width} x {height}", max / 1_000_000);
                gst::element_error!(bin, gst::StreamError::Format, ("{text}"));
            }
        }
        // As long as the error is not noticed. `Handled`, because the bindings free what is dropped a second time.
        if is_refused.load(Ordering::Relaxed) { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
}

/// Decodes no picture that no other one needs, in the decoders of H.264 and H.265 which `bin`, such as a pipeline, adds from now on. Calls
/// `note` with each that is left out.
pub fn leave_out_unreferenced(bin: &impl IsA<gst::Element>, note: impl Fn() + Clone + Send + Sync + 'static) {
    on_decoders(bin, move |decoder| {
        let (Some(pad), note) = (decoder.static_pad("sink"), note.clone()) else { return };
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let caps = pad.current_caps();
            let map = info.buffer().and_then(|picture| picture.map_readable().ok());
            if !caps.zip(map).is_some_and(|(caps, map)| is_unreferenced(&caps, &map)) {
                return gst::PadProbeReturn::Ok;
            }
            note();
            // Not `Drop`: the bindings free what is dropped a second time.
            gst::PadProbeReturn::Handled
        });
    });
}

/// Calls `take` with each element that `bin`, such as a `decodebin` or a pipeline, adds from now on, after `bin` and the bin that the
/// element is in.
fn on_elements(bin: &impl IsA<gst::Element>, take: impl Fn(&gst::Bin, &gst::Bin, &gst::Element) + Send + Sync + 'static) {
    bin.upcast_ref::<gst::Element>().downcast_ref::<gst::Bin>().map(|bin| bin.connect_deep_element_added(take));
}

/// Calls `take` with each decoder of video that `bin` adds from now on.
pub fn on_decoders(bin: &impl IsA<gst::Element>, take: impl Fn(&gst::Element) + Send + Sync + 'static) {
    on_elements(bin, move |_, parent, element| {
        // A decoder within another one would get the pictures a second time.
        if decodes_video(element) && !decodes_video(parent.upcast_ref::<gst::Element>()) {
            take(element);
        }
    });
}

/// A picture of an encoded video on its way to a decoder, or a piece of sound.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// What its bytes are.
    pub caps: gst::Caps,
    /// The bytes.
    pub buffer: gst::Buffer,
    /// Running time at which it is shown or heard.
    pub time: gst::ClockTime,
    /// Id of the video that it belongs to, which its decoded picture has, too.
    pub stream: glib::GString,
}

/// The reference of the time that a decoded frame has in [`encoded_time`].
const ENCODED: &str = "timestamp/x-emotion-encoded";

/// Calls `take` with each picture that reaches a decoder of video which `bin`, such as a pipeline, adds from now on, except those of a video
/// that a tag says to turn. The frames that are decoded from them have its time in [`encoded_time`].
pub fn take_encoded(bin: &impl IsA<gst::Element>, take: impl Fn(Encoded) + Clone + Send + Sync + 'static) {
    on_decoders(bin, move |element| {
        let (Some(pad), take) = (element.static_pad("sink"), take.clone()) else { return };
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            info.buffer().filter(|_| !is_turned(pad)).and_then(|buffer| encoded(pad, buffer)).into_iter().for_each(&take);
            gst::PadProbeReturn::Ok
        });
        let (Some(pad), reference) = (element.static_pad("src"), gst::Caps::new_empty_simple(ENCODED)) else { return };
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some((time, frame)) = info.buffer().and_then(|frame| running_time(pad, frame)).zip(info.buffer_mut()) {
                gst::ReferenceTimestampMeta::add(frame.make_mut(), &reference, time, gst::ClockTime::NONE);
            }
            gst::PadProbeReturn::Ok
        });
    });
}

/// The running time at which the picture is shown of which `frame` was decoded, whatever happened to the time of the frame since.
pub fn encoded_time(frame: &gst::BufferRef) -> Option<gst::ClockTime> {
    let is_ours =
        |meta: &gst::MetaRef<'_, gst::ReferenceTimestampMeta>| meta.reference().structure(0).is_some_and(|first| first.name() == ENCODED);
    frame.iter_meta::<gst::ReferenceTimestampMeta>().find(is_ours).map(|meta| meta.timestamp())
}

fn running_time(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    segment.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts())
}

/// The caps of encoded video that recordings can have as it is.
pub const RECORDABLE: &str = "video/x-h264,parsed=true;video/x-h265,parsed=true";

/// Lets `bin`, such as a pipeline, decode nothing that is [`RECORDABLE`].
pub fn leave_encoded(bin: &impl IsA<gst::Element>) {
    on_elements(bin, |_, _, element| {
        if element.factory().is_some_and(|factory| factory.name() == "decodebin") {
            element.set_property_from_str("caps", RECORDABLE);
        }
    });
}

/// True if a tag of the video at `pad` says that its pictures are not upright, as those of phones are.
fn is_turned(pad: &gst::Pad) -> bool {
    let mut is_turned = false;
    pad.sticky_events_foreach(|event| {
        if let gst::EventView::Tag(tag) = event.view()
            && let Some(orientation) = tag.tag().get::<gst::tags::ImageOrientation>()
        {
            is_turned = orientation.get() != "rotate-0";
        }
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    is_turned
}

fn decodes_video(element: &gst::Element) -> bool {
    element.factory().is_some_and(|factory| {
        let has = |words: &[&str]| class(&factory).any(|word| words.contains(&word));
        has(&["Decoder"]) && has(&["Video", "Image"])
    })
}

/// The words by which the elements of a factory describe themselves, such as `Decoder`.
pub(crate) fn class(factory: &gst::ElementFactory) -> impl Iterator<Item = &str> {
    factory.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default().split('/')
}

/// What passes `pad` before it is decoded.
pub(crate) fn encoded(pad: &gst::Pad, buffer: &gst::Buffer) -> Option<Encoded> {
    let time = running_time(pad, buffer)?;
    let stream = pad.sticky_event::<gst::event::StreamStart>(0)?.stream_id().into();
    Some(Encoded { caps: pad.current_caps()?, buffer: buffer.clone(), time, stream })
}

/// Links the first video pad that `from` adds to `to`.
pub fn link_video_later(from: &gst::Element, to: &gst::Element) {
    let to = to.downgrade();
    from.connect_pad_added(move |_, pad| {
        let Some(sink_pad) = to.upgrade().and_then(|to| to.static_pad("sink")) else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let is_video = caps
            .structure(0)
            .is_some_and(|first| first.name().starts_with("video/") || first.get::<&str>("media").is_ok_and(|media| media == "video"));
        if is_video && !sink_pad.is_linked() {
            // A pad that cannot be linked causes an error on the bus with its first buffer.
            let _ = pad.link(&sink_pad);
        }
    });
}

/// The videos that `decode`, a `decodebin` with all its pads, has decoded, and of these the one that the file marks as default;
/// without a mark, the first.
pub fn videos(decode: &gst::Element) -> (usize, Option<gst::Pad>) {
    let is_video = |pad: &gst::Pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        caps.structure(0).is_some_and(|first| first.name() == "video/x-raw")
    };
    let is_default = |pad: &&gst::Pad| {
        pad.sticky_event::<gst::event::StreamStart>(0).is_some_and(|start| start.stream_flags().contains(gst::StreamFlags::SELECT))
    };
    let found: Vec<gst::Pad> = decode.src_pads().into_iter().filter(is_video).collect();
    (found.len(), found.iter().find(is_default).or(found.first()).cloned())
}

/// Links the default video of `decode`, a `decodebin`, to `to`, as soon as all pads exist. In a transport stream that changes,
/// this happens again. Without any video, there is an error on the bus.
pub fn link_default_video(decode: &gst::Element, to: &gst::Element) {
    let (to, has_linked) = (to.downgrade(), AtomicBool::new(false));
    decode.connect_no_more_pads(move |decode| {
        let Some(sink_pad) = to.upgrade().and_then(|to| to.static_pad("sink")).filter(|pad| !pad.is_linked()) else { return };
        match videos(decode).1 {
            Some(video) => {
                has_linked.store(true, Ordering::Relaxed);
                // A pad that cannot be linked causes an error on the bus with its first buffer.
                let _ = video.link(&sink_pad);
            }
            None if has_linked.load(Ordering::Relaxed) => {}
            None => gst::element_error!(decode, gst::StreamError::WrongType, ["expected a video, found none"]),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes a video whose width is not a multiple of 16, and returns the FFmpeg decoders with a property for direct rendering.
    fn decoders(decode: &gst::Element) -> Vec<gst::Element> {
        let pipeline = gst::parse::launch("videotestsrc num-buffers=3 ! video/x-raw,width=360,height=640 ! avenc_mpeg4 name=last").unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let sink = gst::ElementFactory::make("fakesink").property("sync", false).build().unwrap();
        pipeline.add_many([decode, &sink]).unwrap();
        pipeline.by_name("last").unwrap().link(decode).unwrap();
        link_video_later(decode, &sink);
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        let all = decode.downcast_ref::<gst::Bin>().unwrap().iterate_recurse().into_iter().flatten();
        let found = all.filter(|element| element.has_property("direct-rendering")).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        found
    }

    #[test]
    fn decoders_of_ffmpeg_do_not_render_directly() {
        gst::init().unwrap();
        let found = decoders(&video_decoder().unwrap());
        assert!(!found.is_empty(), "no decoder of FFmpeg was used (Debian: gstreamer1.0-libav)");
        assert!(found.iter().all(|decoder| !decoder.property::<bool>("direct-rendering")));
        // Otherwise this test would pass without the function.
        let other = decoders(&gst::ElementFactory::make("decodebin").build().unwrap());
        assert!(other.iter().any(|decoder| decoder.property::<bool>("direct-rendering")));
    }

    #[test]
    fn a_video_with_too_many_pixels_is_not_decoded() {
        gst::init().unwrap();
        // Motion JPEG has the size of the container, and H.264 that of its own headers.
        for (codec, max, is_refused) in [("jpegenc", 76_799, true), ("x264enc", 76_799, true), ("jpegenc", 76_800, false)] {
            let line = format!(
                "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240 ! {codec} ! matroskamux name=last fakesink name=end sync=false"
            );
            let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
            let (decode, end) = (video_decoder().unwrap(), pipeline.by_name("end").unwrap());
            limit_pixels(&decode, max);
            pipeline.add(&decode).unwrap();
            pipeline.by_name("last").unwrap().link(&decode).unwrap();
            link_video_later(&decode, &end);
            pipeline.set_state(gst::State::Playing).unwrap();
            let types = [gst::MessageType::Eos, gst::MessageType::Error];
            let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
            pipeline.set_state(gst::State::Null).unwrap();
            match message.view() {
                gst::MessageView::Error(error) => assert!(is_refused && error.error().to_string().contains("found 320 x 240"), "{error:?}"),
                _ => assert!(!is_refused, "{codec} was decoded"),
            }
        }
    }

    #[test]
    fn frames_of_a_decoder_that_reuses_pictures_have_times_of_their_own() {
        gst::init().unwrap();
        let line = "videotestsrc num-buffers=4 ! video/x-raw,width=64,height=48,framerate=10/1 ! videoconvert ! avenc_qtrle name=last \
            fakesink name=out signal-handoffs=true";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let (decode, out) = (video_decoder().unwrap(), pipeline.by_name("out").unwrap());
        pipeline.add(&decode).unwrap();
        pipeline.by_name("last").unwrap().link(&decode).unwrap();
        link_default_video(&decode, &out);
        let (times, seen) = std::sync::mpsc::channel();
        out.connect("handoff", false, move |arguments| {
            times.send(arguments[1].get::<gst::Buffer>().unwrap().pts().map(gst::ClockTime::mseconds)).unwrap();
            None
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        pipeline.set_state(gst::State::Null).unwrap();
        let times: Vec<u64> = seen.try_iter().flatten().collect();
        assert_eq!(times.iter().map(|time| time - times[0]).collect::<Vec<u64>>(), [0, 100, 200, 300]);
    }
}
