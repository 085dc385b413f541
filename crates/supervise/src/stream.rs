// SPDX-License-Identifier: MIT OR Apache-2.0
//! Streams that are no RTSP: Motion JPEG, files and HLS by HTTP, RTMP, SRT, and transport streams by UDP or RTP.

use gst::glib;
use gst::prelude::*;

use crate::input::{Result, Source};
use crate::place::{authority, host};

/// Adds the elements that read `address`.
///
/// # Errors
/// If an element is missing or does not take the address.
pub(crate) fn add(source: &Source<'_>, address: &str) -> Result<()> {
    match address.split_once("://").map(|(scheme, _)| scheme) {
        Some("http" | "https") => {
            // Plays what is a file, or in parts as HLS, at its own speed. The pictures of Motion JPEG have the time of their arrival.
            let clock = source.add(gst::ElementFactory::make("clocksync").property("sync-to-first", true).build()?)?;
            clock.link(source.entry)?;
            decoded(source, http(source, address)?, &clock)
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
            source.decoded(&payload, source.entry)
        }
        _ => decoded(source, datagrams(address, "video/mpegts,systemstream=true,packetsize=188")?, source.entry),
    }
}

/// Adds `element`, and a decoder between it and `to`.
fn decoded(source: &Source<'_>, element: gst::Element, to: &gst::Element) -> Result<()> {
    let element = source.add(element)?;
    source.count_data(&element)?;
    source.decoded(&element, to)
}

fn http(source: &Source<'_>, address: &str) -> Result<gst::Element> {
    let credentials = authority(address).rsplit_once('@').map(|(credentials, _)| credentials);
    let plain = credentials.map_or_else(|| address.to_owned(), |credentials| address.replacen(&format!("{credentials}@"), "", 1));
    let element = gst::ElementFactory::make("souphttpsrc").property("location", plain).property("do-timestamp", true);
    let element = element.property("retries", 0).property("keep-alive", false);
    let timeout = source.reading.timeout.map(|timeout| u32::try_from(timeout.as_secs().max(1)).unwrap_or(3600).min(3600));
    let element = timeout.into_iter().fold(element, |element, timeout| element.property("timeout", timeout));
    let decoded = |text: &str| glib::Uri::unescape_string(text, None::<&str>).map_or_else(|| text.to_owned(), String::from);
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
