// SPDX-License-Identifier: MIT OR Apache-2.0
//! Streams that are no RTSP: Motion JPEG, files and HLS by HTTP, RTMP, SRT, and transport streams by UDP or RTP.

use glib::Uri;
use gst::prelude::*;

use crate::place::{authority, host};
use crate::source::{Result, Source, pad};

/// Adds the elements that read `address`.
///
/// # Errors
/// If an element is missing or does not take the address.
pub(crate) fn add(source: &Source<'_>, address: &str) -> Result<()> {
    match address.split_once("://").map(|(scheme, _)| scheme) {
        Some("http" | "https") => {
            // Plays what is a file, or in parts as HLS, at its own speed. The pictures of Motion JPEG have the time of their arrival.
            let (upright, _) = source.played()?;
            let element = source.add(http(source, address)?)?;
            source.count_data(&element)?;
            let decode = source.decoded(&element, &upright)?;
            expect_motion_jpeg(&element, &decode)
        }
        Some("rtmp" | "rtmps") => {
            decoded(source, gst::ElementFactory::make("rtmp2src").property("location", address).build()?, source.entry)
        }
        Some("srt") => decoded(source, gst::ElementFactory::make("srtsrc").property("uri", address).build()?, source.entry),
        Some("rtp") => {
            let caps = "application/x-rtp,media=video,clock-rate=90000,encoding-name=MP2T,payload=33";
            let latency = u32::try_from(source.reading.latency.as_millis()).unwrap_or(u32::MAX);
            let packets = source.add(datagrams(address, caps)?)?;
            let jitter = source.add(gst::ElementFactory::make("rtpjitterbuffer").property("latency", latency).build()?)?;
            let payload = source.add(gst::ElementFactory::make("rtpmp2tdepay").build()?)?;
            source.count_data(&packets)?;
            gst::Element::link_many([&packets, &jitter, &payload])?;
            source.decoded(&payload, source.entry).map(|_| ())
        }
        _ => decoded(source, datagrams(address, "video/mpegts,systemstream=true,packetsize=188")?, source.entry),
    }
}

/// Adds `element`, and a decoder between it and `to`.
fn decoded(source: &Source<'_>, element: gst::Element, to: &gst::Element) -> Result<()> {
    let element = source.add(element)?;
    source.count_data(&element)?;
    source.decoded(&element, to).map(|_| ())
}

/// Lets `decode` read the pictures themselves if the server of `http` sends them one after the other. Their headers are of no use, and
/// with some servers, such as VLC, their lengths are wrong. The pictures have no times but that of their arrival.
fn expect_motion_jpeg(http: &gst::Element, decode: &gst::Element) -> Result<()> {
    let decode = decode.downgrade();
    pad(http, "src")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let headers = info.event().and_then(|event| event.structure()).filter(|structure| structure.name() == "http-headers");
        if headers.and_then(content_type).is_some_and(|kind| kind.starts_with("multipart/x-mixed-replace")) {
            let jpeg = gst::Caps::builder("image/jpeg").field("parsed", false).build();
            decode.upgrade().iter().for_each(|decode| decode.set_property("sink-caps", &jpeg));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// What a server says that it sends.
fn content_type(headers: &gst::StructureRef) -> Option<String> {
    let response = headers.get::<gst::Structure>("response-headers").ok()?;
    let name = response.fields().find(|name| name.eq_ignore_ascii_case("content-type"))?;
    Some(response.get::<String>(name).ok()?.to_ascii_lowercase())
}

fn http(source: &Source<'_>, address: &str) -> Result<gst::Element> {
    let credentials = authority(address).rsplit_once('@').map(|(credentials, _)| credentials);
    let plain = credentials.map_or_else(|| address.to_owned(), |credentials| address.replacen(&format!("{credentials}@"), "", 1));
    let element = gst::ElementFactory::make("souphttpsrc").property("location", plain);
    let element = element.property("retries", 0).property("keep-alive", false);
    let timeout = source.reading.timeout.map(|timeout| u32::try_from(timeout.as_secs().max(1)).unwrap_or(3600).min(3600));
    let element = timeout.into_iter().fold(element, |element, timeout| element.property("timeout", timeout));
    let decoded = |text: &str| Uri::unescape_string(text, None::<&str>).map_or_else(|| text.to_owned(), String::from);
    let Some((user, password)) = credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) else { return element.build() };
    element.property("user-id", decoded(user)).property("user-pw", decoded(password)).build()
}

/// Receives datagrams at the port of `address`, from its group if that is one of multicast.
fn datagrams(address: &str, caps: &str) -> Result<gst::Element> {
    let host = host(address);
    let host = if host.starts_with(':') { format!("0.0.0.0{host}") } else { host.to_owned() };
    let caps = caps.parse::<gst::Caps>()?;
    gst::ElementFactory::make("udpsrc").property("uri", format!("udp://{host}")).property("caps", caps).build()
}
