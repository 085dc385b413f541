// SPDX-License-Identifier: MIT OR Apache-2.0
//! A camera: its analysis, its outlets, and the threads that read its sources. Of several cameras, one that fails is started again.

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use emotion_supervise::backoff::Backoff;
use emotion_supervise::progress::Progress;
use emotion_supervise::run::reason;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::analysis::Analysis;
use crate::control::{self, Switchable};
use crate::graph::AnalysisError;
use crate::options::Options;
use crate::rtsp::{Outlet, Servers};
use crate::switches::Switches;
use crate::{record_source, source, status};

/// Time to finish files, in addition to the publisher's.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to close the source.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the end is looked for.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Shortest and longest pause before a camera that failed is started again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Why a camera does not run.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A camera, and what outlives its analysis.
pub struct Camera {
    /// What it does.
    pub options: Options,
    /// Its counts.
    pub progress: Arc<Progress>,
    outlet: Option<Arc<Outlet>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    analysis: Option<Arc<Analysis>>,
    /// What the publisher of the last analysis has counted.
    published: Option<gst::Structure>,
    /// `None` before they are read.
    switches: Option<Switches>,
    /// True once its address is served, and commands are taken.
    is_open: bool,
}

impl Camera {
    /// A camera that does not run yet.
    pub fn new(options: Options) -> Self {
        let outlet = options.rtsp.as_ref().map(|_| Arc::default());
        Self { options, progress: Arc::new(Progress::new()), outlet, state: Mutex::default() }
    }

    /// The analysis, while there is one.
    pub fn analysis(&self) -> Option<Arc<Analysis>> {
        self.state.lock().analysis.clone()
    }

    /// What the publisher has counted: that of the analysis, or if there is none, of the last one.
    pub fn publisher_stats(&self) -> Option<gst::Structure> {
        let state = self.state.lock();
        state.analysis.as_ref().and_then(|analysis| analysis.publisher_stats()).or_else(|| state.published.clone())
    }

    /// Runs until `stop` is closed, or a file ends. If it fails, it is started again, unless it `is_alone`: then the service manager does
    /// that.
    ///
    /// # Errors
    /// The failure of one that is alone, or the reason why it did not end as it should.
    pub fn run(self: &Arc<Self>, servers: &Servers, stop: &Receiver<()>, is_alone: bool) -> Result<(), Failure> {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        loop {
            let began = Instant::now();
            let Err(failure) = self.run_once(servers, stop) else { return Ok(()) };
            if is_alone || stop.try_recv() != Err(TryRecvError::Empty) {
                return Err(failure);
            }
            self.progress.end_run();
            let pause = backoff.pause(began.elapsed());
            self.options.log.say(format_args!("{failure}; starting again in {} s", pause.as_secs()));
            status::tell(&format!("{}: {failure}", self.options.name));
            if stop.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return Ok(());
            }
        }
    }

    fn run_once(self: &Arc<Self>, servers: &Servers, stop: &Receiver<()>) -> Result<(), Failure> {
        source::check(&self.options).map_err(|error| self.options.source.without_password(&error.message))?;
        let switches = self.switches()?;
        let analysis = Arc::new(Analysis::build(&self.options, self.outlet.as_ref(), &self.progress)?);
        {
            let mut state = self.state.lock();
            // Those that a command has set since count.
            analysis.switch(state.switches.get_or_insert(switches));
            state.analysis = Some(analysis.clone());
        }
        let ended = self.serve(&analysis, servers, stop);
        let _ = analysis.pipeline.set_state(gst::State::Null);
        let mut state = self.state.lock();
        (state.published, state.analysis) = (analysis.publisher_stats(), None);
        ended
    }

    fn serve(self: &Arc<Self>, analysis: &Arc<Analysis>, servers: &Servers, stop: &Receiver<()>) -> Result<(), Failure> {
        analysis.start()?;
        if !self.state.lock().is_open {
            if let Some((rtsp, outlet)) = self.options.rtsp.as_ref().zip(self.outlet.as_ref()) {
                servers.serve(rtsp, outlet)?;
            }
            control::start(self.clone())?;
            self.state.lock().is_open = true;
        }
        let sources = self.read(analysis)?;
        let is_over = || stop.try_recv() != Err(TryRecvError::Empty) || sources.ended.try_recv() != Err(TryRecvError::Empty);
        let ended = self.watch(analysis, is_over);
        drop(sources.stops);
        // Before the outlets finish: the source may still have pictures for recordings.
        let _ = sources.closed.recv_timeout(CLOSE_TIMEOUT);
        ended?;
        let drain = self.options.publish.as_ref().map_or(Duration::ZERO, |publish| publish.drain_timeout);
        Ok(analysis.finish(drain + FINISH_TIMEOUT, &self.options.log)?)
    }

    /// Prints what the outlets of `analysis` report, until one fails or `is_over`.
    fn watch(&self, analysis: &Analysis, is_over: impl Fn() -> bool) -> Result<(), AnalysisError> {
        let bus = analysis.pipeline.bus().ok_or(AnalysisError::Missing("bus"))?;
        while !is_over() {
            match bus.timed_pop(TICK).as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => return Err(AnalysisError::Failed(reason(error))),
                // That a source buffers less than an inference takes. Nothing here waits for the clock.
                Some(gst::MessageView::Warning(warning)) if warning.error().matches(gst::CoreError::Clock) => {}
                Some(gst::MessageView::Warning(warning)) => self.options.log.say(warning.error()),
                Some(gst::MessageView::Info(info)) => self.options.log.say(info.error()),
                Some(gst::MessageView::Latency(_)) => drop(analysis.pipeline.recalculate_latency()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the source on a separate thread, and on another one the video that is recorded instead.
    fn read(self: &Arc<Self>, analysis: &Arc<Analysis>) -> std::io::Result<Sources> {
        let (closing, closed) = channel();
        let (ending, ended) = channel::<()>();
        let mut stops = Vec::new();
        if let Some((place, recorder)) = self.options.record_source.clone().zip(analysis.recorder.clone()) {
            let (camera, analysis) = (self.clone(), analysis.clone());
            let run = move |stop: &Receiver<()>| record_source::run(&camera.options, &place, &analysis, &recorder, stop);
            stops.push(spawn("record-source", closing.clone(), run)?);
        }
        let (camera, analysis) = (self.clone(), analysis.clone());
        let run = move |stop: &Receiver<()>| {
            source::run(&camera.options, &analysis, &camera.progress, stop);
            drop(ending);
        };
        stops.push(spawn("source", closing, run)?);
        Ok(Sources { stops, ended, closed })
    }
}

impl Switchable for Camera {
    fn options(&self) -> &Options {
        &self.options
    }

    fn switches(&self) -> std::io::Result<Switches> {
        let known = self.state.lock().switches;
        known.map_or_else(|| Switches::read(&self.options), Ok)
    }
    fn switch(&self, switches: Switches) {
        let mut state = self.state.lock();
        state.switches = Some(switches);
        state.analysis.iter().for_each(|analysis| analysis.switch(&switches));
    }
}

/// Calls `run` on a thread, and drops `closing` at its end. It is to end when the sender is dropped.
fn spawn(name: &str, closing: Sender<()>, run: impl FnOnce(&Receiver<()>) + Send + 'static) -> std::io::Result<Sender<()>> {
    let (stop, stopped) = channel();
    let run = move || {
        run(&stopped);
        drop(closing);
    };
    std::thread::Builder::new().name(name.into()).spawn(run)?;
    Ok(stop)
}

/// The threads that read sources.
struct Sources {
    /// They stop when these are dropped.
    stops: Vec<Sender<()>>,
    /// Disconnected when the source has ended, or is stopped. It gets nothing.
    ended: Receiver<()>,
    /// Disconnected when all of them are closed.
    closed: Receiver<()>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn what_was_published_is_counted_to_the_end() {
        gst::init().unwrap();
        gstemotion::plugin_register_static().unwrap();
        let line = ["emotion-camera", "--publish-location", "mqtt://127.0.0.1:1/door", "gst:videotestsrc is-live=true"];
        let options = Options::new(Settings::read_one(line.map(Into::into)).unwrap(), |_| None).unwrap();
        let camera = Arc::new(Camera::new(options));
        assert!(camera.publisher_stats().is_none());
        let (stop, stopped) = channel();
        drop(stop);
        camera.run(&Servers::default(), &stopped, true).unwrap();
        let stats = camera.publisher_stats().expect("its last counts");
        assert_eq!((stats.get("exported"), stats.get("connected")), (Ok(0_u64), Ok(false)));
    }
}
