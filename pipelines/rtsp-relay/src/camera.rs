// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline that plays the camera, rebuilt when it fails, ends or stalls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_app::{AppSink, AppSinkCallbacks};

use crate::options::{Options, Protocol};
use crate::outlet::{Outlet, Stream};

/// Pause before the second attempt; it doubles with each further one.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// How often the pipeline is checked for a stall.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(250);

/// Plays the camera and reconnects whenever the stream ends. Does not return.
pub fn run(options: &Options, outlet: &Arc<Outlet>) {
    let mut pause = MIN_PAUSE;
    loop {
        let frames = Arc::new(AtomicU64::new(0));
        let reason = play(options, outlet, &frames).unwrap_or_else(|error| error.to_string());
        let frames = frames.load(Ordering::Relaxed);
        pause = if frames > 0 { MIN_PAUSE } else { (pause * 2).min(MAX_PAUSE) };
        eprintln!("rtsp-relay: {reason} after {frames} frames; reconnecting in {:.2} s", pause.as_secs_f32());
        std::thread::sleep(pause);
    }
}

/// Plays the camera's stream into `outlet`. Returns why it ended.
fn play(options: &Options, outlet: &Arc<Outlet>, frames: &Arc<AtomicU64>) -> Result<String, gst::glib::Error> {
    let (width, height) = options.size;
    // Before each slow element a queue keeps the newest frame only.
    let newest = "queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0";
    let pipeline = gst::parse::launch(&format!(
        "rtspsrc name=camera ! application/x-rtp,media=video ! decodebin ! {newest} ! videoconvert ! videoscale \
         ! video/x-raw,format=I420,width={width},height={height},pixel-aspect-ratio=1/1 \
         ! emotionfacedetect ! emotionclassify ! tee name=faces \
         faces. ! {newest} ! emotionoverlay ! appsink name=video sync=false max-buffers=1 drop=true \
         faces. ! queue ! emotionexport ! appsink name=text sync=false max-buffers=100 drop=true"
    ))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap_or_else(|_| unreachable!("several elements make a pipeline"));
    let element = |name: &str| pipeline.by_name(name).unwrap_or_else(|| unreachable!("{name} is in the line above"));

    let camera = element("camera");
    camera.set_property("location", &options.camera);
    camera.set_property("latency", u32::try_from(options.latency.as_millis()).unwrap_or(u32::MAX));
    camera.set_property("drop-on-latency", true);
    camera.set_property_from_str("protocols", if options.protocol == Protocol::Tcp { "tcp" } else { "udp" });
    let stall_us = u64::try_from(options.stall.as_micros()).unwrap_or(u64::MAX);
    camera.set_property("tcp-timeout", stall_us);
    // For UDP: after this time rtspsrc falls back to TCP.
    camera.set_property("timeout", stall_us);

    for (name, stream) in [("video", Stream::Video), ("text", Stream::Text)] {
        let Ok(sink) = element(name).downcast::<AppSink>() else { unreachable!("{name} is an appsink") };
        let (outlet, frames) = (outlet.clone(), frames.clone());
        let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if matches!(stream, Stream::Video) && frames.fetch_add(1, Ordering::Relaxed) == 0 {
                eprintln!("rtsp-relay: receiving the camera's stream");
            }
            outlet.push(stream, &sample);
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
    }
    let reason = wait_for_end(&pipeline, options.stall, frames);
    let _ = pipeline.set_state(gst::State::Null);
    Ok(reason)
}

/// Runs `pipeline` until an error, the end of the stream, or `stall` without a frame. Returns the reason.
fn wait_for_end(pipeline: &gst::Pipeline, stall: Duration, frames: &AtomicU64) -> String {
    let Some(bus) = pipeline.bus() else { unreachable!("a pipeline has a bus") };
    // If the start fails, the reason is on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        if let Some(message) = bus.timed_pop_filtered(TICK, &[gst::MessageType::Error, gst::MessageType::Eos]) {
            return match message.view() {
                gst::MessageView::Error(error) => error.error().to_string().trim_end_matches('.').to_string(),
                _ => "the camera ended its stream".into(),
            };
        }
        let now = frames.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > stall {
            return format!("no frame for {:.1} s", stall.as_secs_f32());
        }
    }
}
