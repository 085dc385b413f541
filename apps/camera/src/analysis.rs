// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline that finds and classifies faces and feeds the outlets. It plays from the start of the program to its end,
//! while the source comes and goes.
//!
//! ```text
//! appsrc ! videoconvert ! emotionfacedetect ! facelandmarks ! emotionclassify ! tee name=faces
//!   faces. ! queue ! videoconvert ! videoscale ! capsfilter ! emotionoverlay ! tee name=pictures
//!     pictures. ! queue ! appsink                          RTSP: pictures
//!   faces. ! queue ! videoconvert ! videoscale ! capsfilter ! emotionoverlay ! appsink     files: pictures of a camera whose video cannot be recorded as it is
//!   faces. ! queue ! emotionexport ! appsink               files: records; RTSP: records, and once more for ONVIF metadata
//!   faces. ! queue ! videoconvert ! videoscale ! capsfilter ! emotionoverlay ! encoder ! appsink     servers, likewise
//!   faces. ! queue ! emotionexport ! funnel ! emotionpublish     broker, an emotionexport for each schema
//! ```
//!
//! `facelandmarks` is there with `--geometry`. Faces are searched in the camera's own picture, of any size, which is scaled for those who
//! look at it. Frames keep their times: the clock of this pipeline is that of the source's, whose timestamps may restart. While a
//! frame is analysed, others wait at the entry, and those that are later than `--max-delay` make room for newer ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use emotion_core::geometry::Size;
use emotion_supervise::chain::{self, Chain};
use emotion_supervise::encoding::NoEncoder;
use emotion_supervise::hiding::Hiding;
use emotion_supervise::input::pad;
use emotion_supervise::log::Log;
use emotion_supervise::progress::Progress;
use emotion_supervise::push::Pusher;
use emotion_supervise::recording::Recorder;
use emotion_supervise::run::reason;
use gst::prelude::*;
use gst_app::AppSrc;
use gstemotion::meta;
use parking_lot::Mutex;

use crate::graph::{AnalysisError, began, running_time, scaled, skip, take};
use crate::options::Options;
use crate::rtsp::{Outlet, Stream};
use crate::switched::{Hidden, Switched};
use crate::switches::Switches;
use crate::{published, pushed, recorded};

/// A queue that keeps the newest frames, of as many nanoseconds as follow.
const NEWEST: &str = "queue leaky=downstream max-size-bytes=0 max-size-time=";
/// A queue for frames that must not be lost.
const ALL: &str = "queue max-size-buffers=4 max-size-bytes=0 max-size-time=0";

/// From a frame to the next one that arrives with it, if they have no times.
const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(10);

/// The pipeline of the analysis.
#[derive(Debug)]
pub struct Analysis {
    /// The pipeline.
    pub pipeline: gst::Pipeline,
    /// Takes the frames of the source.
    entry: AppSrc,
    /// Time of the last frame.
    last: Mutex<Option<gst::ClockTime>>,
    /// The element of the broker.
    publisher: Option<gst::Element>,
    /// Writes the files.
    pub recorder: Option<Arc<Recorder>>,
    /// Sends to servers.
    pub pusher: Option<Arc<Pusher>>,
    /// False while frames are left out.
    is_on: AtomicBool,
    /// Until when faces are hidden.
    pub faces: Arc<Hiding>,
    switched: Switched,
}

impl Analysis {
    /// Builds the pipeline. Pictures and records for RTSP go to `outlet`.
    ///
    /// # Errors
    /// If an element is missing or does not take a setting.
    pub fn build(options: &Options, outlet: Option<&Arc<Outlet>>, progress: &Arc<Progress>) -> Result<Self, AnalysisError> {
        let settings = &options.settings;
        let pipeline = gst::parse::launch(&line(options)?)?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| AnalysisError::Missing("pipeline"))?;
        let element = |name: &'static str| pipeline.by_name(name).ok_or(AnalysisError::Missing(name));
        let entry = element("frames")?.downcast::<AppSrc>().map_err(|_| AnalysisError::Missing("appsrc"))?;
        let hidden = Hidden::default();
        for export in pipeline.iterate_elements().into_iter().flatten() {
            if export.factory().is_some_and(|factory| factory.name() == "emotionexport") {
                export.set_property("source", &options.name);
                if export.name() != recorded::EXPORTER && !export.property::<bool>("aggregate-only") {
                    let individuals = hidden.individuals.clone();
                    skip(&pad(&export, "src")?, move |time| individuals.hides(time));
                }
            }
        }
        let chain = Chain::new(
            settings.geometry,
            &[chain::recall(settings.recall), chain::prior(settings.prior), chain::baseline(settings.baseline)],
        )?;
        chain.link(&pipeline, &element("converted")?, &element("faces")?)?;
        count(&pad(chain.classifier(), "src")?, progress);
        if let Some(outlet) = outlet {
            outlet.follow(&pipeline);
            feed(element("video")?, Stream::Video, outlet)?;
            feed(element("text")?, Stream::Text, outlet)?;
            if options.rtsp.as_ref().is_some_and(|rtsp| rtsp.onvif) {
                feed(element("onvif")?, Stream::Onvif, outlet)?;
            }
            let (outlet, stall, keeps) = (outlet.clone(), options.stall, options.keeps_drawn());
            skip(&pad(&element("pictures-queue")?, "sink")?, move |_| !outlet.sees(stall) && !keeps);
        }
        let recorder = |files| recorded::recorder(files, options, &element, &hidden.individuals, progress);
        let recorder = options.files.as_ref().map(recorder).transpose()?;
        let pusher = pushed::pusher(options, &element)?;
        let publisher = options.publish.as_ref().map(|publish| published::set_up(element("publish")?, publish, options)).transpose()?;
        let (faces, switched) = (hidden.faces.clone(), Switched::new(&pipeline, settings, chain.detector(), hidden)?);
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let analysis =
            Self { pipeline, entry, last: Mutex::default(), publisher, recorder, pusher, is_on: AtomicBool::new(true), faces, switched };
        analysis.switch(&Switches::configured(settings));
        Ok(analysis)
    }

    /// Starts the pipeline.
    ///
    /// # Errors
    /// The message of the element that does not start.
    pub fn start(&self) -> Result<(), AnalysisError> {
        self.reach(gst::State::Playing)
    }

    /// Starts and stops all elements except that of the broker, which would replace the connection of a running camera.
    ///
    /// # Errors
    /// The message of the element that does not start.
    pub fn check(&self) -> Result<(), AnalysisError> {
        if let Some(publisher) = &self.publisher {
            publisher.set_locked_state(true);
        }
        let reached = self.reach(gst::State::Paused);
        let _ = self.pipeline.set_state(gst::State::Null);
        reached
    }

    fn reach(&self, state: gst::State) -> Result<(), AnalysisError> {
        if self.pipeline.set_state(state).is_ok() {
            return Ok(());
        }
        let wait = gst::ClockTime::from_seconds(2);
        let message = self.pipeline.bus().and_then(|bus| bus.timed_pop_filtered(wait, &[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => Err(AnalysisError::Failed(reason(error))),
            _ => Err(AnalysisError::Start),
        }
    }

    /// Takes a frame of the source, whose pipeline began at `base`; without one, it is taken now. It is dropped if the pipeline does not
    /// play yet, or does no more. Returns its time in this pipeline.
    pub fn push(&self, sample: gst::Sample, base: Option<gst::ClockTime>, progress: &Progress) -> Option<gst::ClockTime> {
        let time = self.place(&sample, base)?;
        let (caps, mut buffer) = (sample.caps_owned()?, sample.buffer_owned()?);
        // Otherwise the frame would not be writable.
        drop(sample);
        if self.entry.caps().as_ref() != Some(&caps) {
            self.entry.set_caps(Some(&caps));
        }
        if !self.is_on.load(Ordering::Relaxed) {
            self.entry.send_event(gst::event::Gap::builder(time).duration(buffer.duration()).build());
            return Some(time);
        }
        let frame = buffer.make_mut();
        frame.set_pts(time);
        frame.set_dts(None);
        progress.received(frame);
        // Fails at the end of the program.
        let _ = self.entry.push_buffer(buffer);
        progress.waiting(self.entry.current_level_buffers());
        Some(time)
    }

    /// The time here of a frame of a pipeline that began at `base`; without it, now, and a little after the frame before: pictures without
    /// times, as of Motion JPEG, come several at once. It is always after that of the frame before. `None` if this pipeline does not play.
    pub fn place(&self, sample: &gst::SampleRef, base: Option<gst::ClockTime>) -> Option<gst::ClockTime> {
        let own = running_time(sample).zip(base);
        let here = began(&self.entry)?;
        let now = self.entry.current_running_time()?;
        let (time, step) = match own {
            Some((running, base)) => (running.saturating_add(base).saturating_sub(here), gst::ClockTime::NSECOND),
            None => (now, STEP),
        };
        let mut last = self.last.lock();
        let step = if last.is_some_and(|last| last > now + gst::ClockTime::SECOND) { gst::ClockTime::NSECOND } else { step };
        let time = last.map_or(time, |last| time.max(last + step));
        *last = Some(time);
        Some(time)
    }

    /// The time here of a running time in another pipeline, which began at `base`.
    pub fn time_of(&self, running: gst::ClockTime, base: gst::ClockTime) -> Option<gst::ClockTime> {
        Some((running + base).saturating_sub(self.entry.base_time()?))
    }

    /// Sets what `switches` say.
    pub fn switch(&self, switches: &Switches) {
        self.switched.set(
            switches,
            self.recorder.as_deref(),
            self.pusher.as_deref(),
            self.entry.current_running_time().unwrap_or_default(),
        );
        self.is_on.store(switches.analysis, Ordering::Relaxed);
    }

    /// Tells the exporters that the last `length` had no frames, so that faces leave and summaries end.
    pub fn gap(&self, length: Duration) {
        let length = gst::ClockTime::try_from(length).unwrap_or(gst::ClockTime::ZERO);
        let now = self.entry.caps().and_then(|_| self.entry.current_running_time());
        if let Some(now) = now.filter(|_| !length.is_zero()) {
            // Frames may have been placed a little later than now.
            let mut last = self.last.lock();
            *last = last.max(Some(now));
            drop(last);
            self.entry.send_event(gst::event::Gap::builder(now.saturating_sub(length)).duration(length).build());
        }
    }

    /// Ends the stream and waits until files are finished and messages sent, for at most `limit`. What was not sent goes to `log`.
    ///
    /// # Errors
    /// If that fails or takes longer.
    pub fn finish(&self, limit: Duration, log: &Log) -> Result<(), AnalysisError> {
        let end = Instant::now() + limit;
        let _ = self.entry.end_of_stream();
        let finished = self.wait_for_end(limit, log);
        let left = end.saturating_duration_since(Instant::now());
        let is_written = self.recorder.as_ref().is_none_or(|recorder| recorder.finish(left));
        self.pusher.iter().for_each(|pusher| pusher.finish(end.saturating_duration_since(Instant::now())));
        finished.and(if is_written { Ok(()) } else { Err(AnalysisError::Unfinished(limit.as_secs())) })
    }

    fn wait_for_end(&self, limit: Duration, log: &Log) -> Result<(), AnalysisError> {
        let (bus, end) = (self.pipeline.bus().ok_or(AnalysisError::Missing("bus"))?, Instant::now() + limit);
        let types = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Warning];
        loop {
            let left = gst::ClockTime::try_from(end.saturating_duration_since(Instant::now())).unwrap_or(gst::ClockTime::MAX);
            match bus.timed_pop_filtered(left, &types).as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Eos(_)) => return Ok(()),
                Some(gst::MessageView::Error(error)) => return Err(AnalysisError::Failed(reason(error))),
                // Such as the number of messages that were not sent.
                Some(gst::MessageView::Warning(warning)) => log.say(warning.error()),
                _ => return Err(AnalysisError::Unfinished(limit.as_secs())),
            }
        }
    }

    /// The property `stats` of `emotionpublish`.
    pub fn publisher_stats(&self) -> Option<gst::Structure> {
        self.publisher.as_ref().map(|publisher| publisher.property("stats"))
    }
}

fn line(options: &Options) -> Result<String, NoEncoder> {
    let max_delay = options.max_delay.as_nanos();
    // As a limit, 0 is none.
    let max_frames = u64::from(max_delay == 0);
    let newest = format!("{NEWEST}{max_delay} max-size-buffers={max_frames}");
    let mut line = format!(
        "appsrc name=frames is-live=true format=time leaky-type=downstream max-bytes=0 max-time={max_delay} max-buffers={max_frames} \
         ! videoconvert name=converted tee name=faces "
    );
    let scaled = scaled(options.settings.size);
    let is_drawn = options.files.is_some() && options.settings.files.is_drawn();
    if options.draws_pictures() {
        let queue = if is_drawn { ALL } else { &newest };
        line += &format!("faces. ! {queue} name=pictures-queue ! {scaled} ! emotionoverlay name=overlay ! tee name=pictures ");
    }
    if let Some(rtsp) = &options.rtsp {
        line += &format!(
            "pictures. ! {newest} ! appsink name=video sync=false async=false max-buffers=1 drop=true \
             faces. ! queue ! emotionexport ! appsink name=text sync=false async=false max-buffers=100 drop=true "
        );
        if rtsp.onvif {
            line += "faces. ! queue ! emotionexport format=onvif-metadata \
                     ! appsink name=onvif sync=false async=false max-buffers=100 drop=true ";
        }
    }
    if options.files.is_some() {
        line += &if is_drawn {
            format!("pictures. ! {ALL}")
        } else {
            format!("faces. ! {ALL} name=recorded-queue ! {scaled} ! emotionoverlay name=hidden")
        };
        line += " ! appsink name=recorded sync=false async=false max-buffers=1 \
                 faces. ! queue ! emotionexport name=recorded-export ! appsink name=records sync=false async=false ";
    }
    line += &pushed::branch(options, &newest)?;
    if let Some(publish) = &options.publish {
        line += "funnel name=schemas ! emotionpublish name=publish ";
        for schema in &publish.schemas {
            line += &format!("faces. ! queue ! emotionexport {} ! schemas. ", published::export(*schema, publish));
        }
    }
    Ok(line)
}

/// Counts the frames that leave `classified`, and their faces.
fn count(classified: &gst::Pad, progress: &Arc<Progress>) {
    let progress = progress.clone();
    classified.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if let Some((buffer, caps)) = info.buffer().zip(pad.current_caps()) {
            let side = |name| caps.structure(0).and_then(|first| u32::try_from(first.get::<i32>(name).ok()?).ok()).unwrap_or_default();
            let size = Size { width: side("width"), height: side("height") };
            let faces = meta::read_faces(buffer, size).iter().filter(|face| face.confirmed).count();
            progress.analysed(buffer, faces);
            let now = pad.parent_element().and_then(|element| element.current_running_time());
            if let Some((now, taken)) = now.zip(buffer.pts()) {
                progress.set_latency(now.saturating_sub(taken).into());
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Passes the samples of an appsink on to the clients.
fn feed(sink: gst::Element, stream: Stream, outlet: &Arc<Outlet>) -> Result<(), AnalysisError> {
    let outlet = outlet.clone();
    take(sink, move |sample| outlet.push(stream, sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn build(line: &str) -> Result<Analysis, AnalysisError> {
        gst::init().unwrap();
        gstemotion::plugin_register_static().unwrap();
        let words = ["emotion-camera", "/dev/video0"].into_iter().chain(line.split_whitespace());
        let options = Options::new(Settings::read_one(words.map(Into::into)).unwrap(), |_| None).unwrap();
        Analysis::build(&options, options.rtsp.as_ref().map(|_| Arc::default()).as_ref(), &Arc::default())
    }

    #[test]
    fn settings_reach_the_elements() {
        let analysis = build(
            "--rtsp-listen 127.0.0.1:1 --geometry --prior balanced --baseline track --blur pixelate --blur-delay 300 --recall high \
             --draw false --labels happiness=joy",
        )
        .unwrap();
        let value = |element: &str, property: &str| {
            let value = analysis.pipeline.by_name(element).unwrap().property_value(property);
            value.serialize().unwrap().to_string()
        };
        assert_eq!(["emotionclassify", "facelandmarks"].map(|element| value(element, "baseline")), ["track", "track"]);
        assert_eq!((value("emotionclassify", "prior"), value("overlay", "blur-faces")), ("balanced".into(), "pixelate".into()));
        assert_eq!((value("overlay", "blur-delay"), value("facedetect", "recall")), ("300000000".into(), "high".into()));
        assert_eq!((value("overlay", "draw-boxes"), value("overlay", "labels")), ("false".into(), r#""happiness\=joy""#.into()));
        assert!(analysis.pipeline.by_name("facelandmarks").is_some());
        let without = build("--rtsp-listen 127.0.0.1:1").unwrap();
        assert!(without.pipeline.by_name("facelandmarks").is_none());
        assert!(!without.pipeline.by_name("overlay").unwrap().property::<bool>("draw-pose"));
    }

    #[test]
    fn a_session_begins_after_the_frames_of_the_one_before() {
        let analysis = build("--rtsp-listen 127.0.0.1:1").unwrap();
        let (entry, clock) = (&analysis.entry, gst::SystemClock::obtain());
        entry.set_clock(Some(&clock)).unwrap();
        entry.set_base_time(clock.time());
        entry.set_caps(Some(&gst::Caps::new_empty_simple("video/x-raw")));
        entry.set_state(gst::State::Playing).unwrap();
        let place = |milliseconds: u64| {
            let mut buffer = gst::Buffer::new();
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(milliseconds));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            analysis.place(&gst::Sample::builder().buffer(&buffer).segment(&segment).build(), entry.base_time()).unwrap()
        };
        // The first frames of a session that were late are placed where they arrived, and those after them too, for a while.
        let before = place(60_000);
        analysis.gap(Duration::from_millis(500));
        assert!(place(300) > before, "while it was away, time passed, but not so much");
        entry.set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn frames_wait_as_long_as_they_may() {
        for (line, limits) in [("", [0, 1_000_000_000]), ("--max-delay 0.5", [0, 500_000_000]), ("--max-delay 0", [1, 0])] {
            let analysis = build(&format!("--rtsp-listen 127.0.0.1:1 {line}")).unwrap();
            assert_eq!([analysis.entry.max_buffers(), analysis.entry.max_time().nseconds()], limits, "{line}");
        }
    }

    #[test]
    fn a_setting_that_the_publisher_does_not_take_is_named_with_what_it_expects() {
        let error = build("--publish-location mqtt://host/a --publish-max-size-bytes many").unwrap_err();
        assert!(matches!(error, AnalysisError::Property { property: "max-size-bytes", .. }), "{error:?}");
        assert!(error.to_string().starts_with("publish.max-size-bytes: expected a value of ") && error.to_string().ends_with("many"));
    }
}
