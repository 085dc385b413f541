// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hardware decoders, which decodebin prefers by their rank, and the way back to software where they fail.
//!
//! decodebin itself tries the next decoder if one does not start. One that fails later ends the run of its source, and is not used in
//! the next ones.

use std::sync::Arc;

use gst::prelude::*;
use parking_lot::Mutex;

use crate::decoding::{class, on_decoders, refuse};
use crate::log::Log;
use crate::progress::Progress;

/// The hardware decoders of a source.
#[derive(Debug, Default)]
pub(crate) struct Hardware(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The one of this run.
    used: Option<String>,
    /// Those that are not used any more.
    failed: Vec<String>,
}

impl Hardware {
    /// Notes that a run begins.
    pub fn begin_run(&self) {
        self.0.lock().used = None;
    }

    /// Notes that a run failed: in `element`, if it is known, or `has_frames`. Returns the hardware decoder that is to blame, and that is not
    /// used any more: one that has failed, or that was in use and has decoded nothing.
    pub fn fail(&self, element: Option<&gst::Object>, has_frames: bool) -> Option<String> {
        let element = element.and_then(|object| object.downcast_ref::<gst::Element>());
        let name = name(element.and_then(|element| element.factory()));
        let state = &mut *self.0.lock();
        let name = name.or_else(|| state.used.take().filter(|_| !has_frames))?;
        state.failed.push(name.clone());
        Some(name)
    }

    /// Notes a decoder that is tried. Returns the hardware decoder that did not start before it.
    fn try_next(&self, decoder: &gst::Element) -> Option<String> {
        let state = &mut *self.0.lock();
        let before = std::mem::replace(&mut state.used, name(decoder.factory()))?;
        let has_failed = state.used.as_ref() != Some(&before);
        has_failed.then(|| state.failed.push(before.clone()));
        has_failed.then_some(before)
    }
}

/// Lets `decode`, a `decodebin`, use no hardware decoder that has failed. `log` says which one does not start.
pub(crate) fn watch(decode: &gst::Element, progress: &Arc<Progress>, log: &Log) {
    let known = progress.clone();
    refuse(decode, move |factory| known.hardware.0.lock().failed.iter().any(|name| factory.name() == *name));
    let (progress, log) = (progress.clone(), log.clone());
    on_decoders(decode, move |decoder| {
        if let Some(before) = progress.hardware.try_next(decoder) {
            let next = decoder.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
            log.say(format_args!("the hardware decoder {before} does not start; decoding with {next}"));
        }
    });
}

/// The name of a hardware decoder.
fn name(factory: Option<gst::ElementFactory>) -> Option<String> {
    let factory = factory?;
    let is_hardware = ["Decoder", "Hardware"].iter().all(|part| class(&factory).any(|word| word == *part));
    is_hardware.then(|| factory.name().into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::input::{self, Reading};
    use crate::place::Place;
    use crate::run::{self, End};
    use crate::time_of_day::Clock;

    /// Decodes H.264 of 112x80 pixels, which no other test has, and fails as `FAILS` says.
    mod fake {
        use std::sync::LazyLock;
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

        use gst::glib;
        use gst::prelude::*;
        use gst::subclass::prelude::*;
        use parking_lot::Mutex;

        /// Where it fails.
        pub static FAILS: Mutex<&str> = Mutex::new("");

        #[derive(Default)]
        pub struct Fake;

        #[glib::object_subclass]
        impl ObjectSubclass for Fake {
            const NAME: &'static str = "EmotionTestHardwareDecoder";
            type Type = super::FakeDecoder;
            type ParentType = gst::Bin;
        }

        impl ObjectImpl for Fake {
            fn constructed(&self) {
                self.parent_constructed();
                let (bin, decoder) = (self.obj(), gst::ElementFactory::make("avdec_h264").build().unwrap());
                bin.add(&decoder).unwrap();
                for template in Self::pad_templates() {
                    let inner = decoder.static_pad(template.name_template()).unwrap();
                    let pad = gst::GhostPad::builder_from_template_with_target(template, &inner).unwrap().build();
                    bin.add_pad(&pad).unwrap();
                }
                let (weak, count) = (bin.downgrade(), AtomicU32::new(0));
                decoder.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                    let is_due = *FAILS.lock() == "later" && count.fetch_add(1, Relaxed) == 10;
                    weak.upgrade()
                        .filter(|_| is_due)
                        .iter()
                        .for_each(|bin| gst::element_error!(bin, gst::StreamError::Decode, ("the surface is lost")));
                    gst::PadProbeReturn::Ok
                });
            }
        }

        impl GstObjectImpl for Fake {}

        impl ElementImpl for Fake {
            fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                    gst::subclass::ElementMetadata::new(
                        "Fake",
                        "Codec/Decoder/Video/Hardware",
                        "Fails",
                        "The developers of gst-plugin-emotion",
                    )
                });
                Some(&METADATA)
            }

            fn pad_templates() -> &'static [gst::PadTemplate] {
                static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                    let of = |name, direction, caps: &str| {
                        let caps = caps.parse::<gst::Caps>().unwrap();
                        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).unwrap()
                    };
                    let h264 = "video/x-h264,width=112,height=80,stream-format=avc,alignment=au";
                    vec![of("sink", gst::PadDirection::Sink, h264), of("src", gst::PadDirection::Src, "video/x-raw")]
                });
                &TEMPLATES
            }

            fn change_state(&self, change: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                let failing = [("ready", gst::StateChange::NullToReady), ("paused", gst::StateChange::ReadyToPaused)];
                if failing.contains(&(*FAILS.lock(), change)) {
                    return Err(gst::StateChangeError);
                }
                self.parent_change_state(change)
            }
        }

        impl BinImpl for Fake {}
    }

    glib::wrapper! {
        pub struct FakeDecoder(ObjectSubclass<fake::Fake>) @extends gst::Bin, gst::Element, gst::Object;
    }

    /// Runs a file, and returns how that ended, the number of its frames, and the decoders that were tried.
    fn run(film: &Path, progress: &Arc<Progress>) -> (End<()>, usize, Vec<String>) {
        let pipeline = gst::parse::launch("fakesink name=end sync=false").unwrap().downcast::<gst::Element>().unwrap();
        let (pipeline, end) = (gst::Pipeline::new(), pipeline);
        pipeline.add(&end).unwrap();
        let (tried, frames): (Arc<Mutex<Vec<String>>>, Arc<Mutex<usize>>) = Default::default();
        let (seen, count, beats) = (tried.clone(), frames.clone(), progress.clone());
        on_decoders(&pipeline, move |decoder| seen.lock().push(decoder.factory().unwrap().name().into()));
        end.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            beats.beat();
            *count.lock() += 1;
            gst::PadProbeReturn::Ok
        });
        let reading = Reading {
            max_size: (1920, 1080),
            latency: Duration::ZERO,
            protocols: None,
            timeout: None,
            max_pixels: None,
            clock: Clock::Camera,
            video: 1,
            sound: None,
            progress: progress.clone(),
            log: Log::new("test"),
        };
        progress.begin_run();
        input::add(&pipeline, &Place::File(film.to_owned()), &reading, &end).unwrap();
        let ended = run::play(&pipeline, progress, Some(Duration::from_secs(30)), |_| None);
        pipeline.set_state(gst::State::Null).unwrap();
        let (frames, tried) = (*frames.lock(), tried.lock().clone());
        (ended, frames, tried)
    }

    #[test]
    fn software_decodes_where_hardware_fails_at_its_start_or_later() {
        gst::init().unwrap();
        let film = std::env::temp_dir().join(format!("emotion-hardware-{}.mp4", std::process::id()));
        let line = format!(
            "videotestsrc num-buffers=40 ! video/x-raw,format=I420,width=112,height=80,framerate=40/1 ! x264enc tune=zerolatency \
             ! h264parse ! mp4mux ! filesink location={}",
            film.display()
        );
        let writer = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        assert_eq!(run::play::<()>(&writer, &Progress::new(), None, |_| None), End::Finished);
        writer.set_state(gst::State::Null).unwrap();
        let name = "emotiontesthardware";
        gst::Element::register(None, name, gst::Rank::PRIMARY + 100, FakeDecoder::static_type()).unwrap();
        for fails in ["ready", "paused", "later"] {
            *fake::FAILS.lock() = fails;
            let (progress, both) = (Arc::new(Progress::new()), vec![name.to_owned(), "avdec_h264".into()]);
            let (ended, frames, tried) = run(&film, &progress);
            if fails == "later" {
                let End::Failed(reason) = ended else { panic!("{ended:?}") };
                assert!(
                    reason.contains("the surface is lost") && reason.ends_with("; emotiontesthardware is not used any more"),
                    "{reason}"
                );
                assert!(frames >= 1 && tried == both[..1], "{frames} {tried:?}");
            } else {
                assert_eq!((ended, frames, tried), (End::Finished, 40, both.clone()));
            }
            assert_eq!(progress.hardware.0.lock().failed, [name]);
            assert_eq!(run(&film, &progress), (End::Finished, 40, both[1..].to_vec()), "it is not tried again");
        }
        std::fs::remove_file(film).unwrap();
    }
}
