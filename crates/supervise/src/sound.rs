// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sound of a source, on its way to recordings. It is not decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;

use crate::decoding::encoded;
use crate::encoding::{SOUND_NAMES, Sound, rtp_name};
use crate::recording::Tap;
use crate::source::{Result, Source, pad};

/// Takes the first sound that `from`, an `rtspsrc` or a `decodebin`, adds and recordings can have, if it is wanted.
pub(crate) fn take(source: &Source<'_>, from: &gst::Element) {
    let Some(tap) = source.reading.sound.clone() else { return };
    let (pipeline, log, is_taken) = (source.pipeline.downgrade(), source.reading.log.clone(), AtomicBool::new(false));
    from.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some((first, pipeline)) = caps.structure(0).zip(pipeline.upgrade()) else { return };
        if !first.name().starts_with("audio/") && first.get::<&str>("media") != Ok("audio") || is_taken.load(Ordering::Relaxed) {
            return;
        }
        let Some(sound) = Sound::of(&caps) else {
            return log.say(format_args!("the sound is not recorded: expected {SOUND_NAMES}, found {}", first.name()));
        };
        is_taken.store(true, Ordering::Relaxed);
        let depayloader = rtp_name(&caps).map(|_| sound.depayloader);
        let linked = link(&pipeline, pad, depayloader, tap.clone());
        linked.unwrap_or_else(|error| log.say(format_args!("the sound is not recorded: {error}")));
    });
}

/// Links `from` to what passes its sound on to `tap`.
fn link(pipeline: &gst::Pipeline, from: &gst::Pad, depayloader: Option<&str>, tap: Arc<Tap>) -> Result<()> {
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false);
    let sink = sink.property("enable-last-sample", false).build()?;
    pad(&sink, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        info.buffer().and_then(|buffer| encoded(pad, buffer)).into_iter().for_each(|sound| tap.hear(sound));
        gst::PadProbeReturn::Ok
    });
    pipeline.add(&sink)?;
    sink.sync_state_with_parent()?;
    let entry = match depayloader {
        Some(factory) => {
            let depayloader = gst::ElementFactory::make(factory).build()?;
            pipeline.add(&depayloader)?;
            depayloader.link(&sink)?;
            depayloader.sync_state_with_parent()?;
            depayloader
        }
        None => sink,
    };
    from.link(&pad(&entry, "sink")?).map(|_| ()).map_err(|error| gst::glib::bool_error!("{error}"))
}
