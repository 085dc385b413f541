// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in the video of one camera, as a service.
//!
//! ```text
//!  source.rs                    analysis.rs                        outlets
//!  the source, opened again  →  faces and expressions, always  →   rtsp.rs      a picture and records for clients
//!  whenever it vanishes         playing                            recorded.rs  recordings and records in files
//!                                                                  pushed.rs    a picture to servers
//!                                                                  emotionpublish   records to a broker
//! ```

mod analysis;
mod clients;
mod control;
mod homeassistant;
mod metrics;
mod one_media;
mod onvif;
mod options;
mod pace;
mod published;
mod pushed;
mod record_source;
mod recorded;
mod rtsp;
mod settings;
mod source;
mod status;
mod switched;
mod value;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use emotion_supervise::progress::Progress;
use emotion_supervise::run::reason;
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};

use analysis::{Analysis, AnalysisError};
use control::Switches;
use options::Options;
use rtsp::Outlet;
use settings::{Settings, SettingsError};
use value::Switch;

/// Time to finish files, in addition to the publisher's.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to close the source.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args_os()) {
        Ok(settings) => settings,
        Err(SettingsError::CommandLine(error)) => error.exit(),
        Err(error) => return refuse(&error),
    };
    let is_check = settings.check;
    let options = match Options::new(settings, |name| std::env::var(name).ok()) {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    if is_check {
        return check(options).map_or_else(|error| refuse(&*error), |()| ExitCode::SUCCESS);
    }
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emotion-camera: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the settings.
fn refuse(error: &dyn Error) -> ExitCode {
    eprintln!("emotion-camera: {error}; see --help");
    ExitCode::from(2)
}

/// Checks what would only be found out later: files, folders, properties and models. Opens no connection, and changes nothing that a
/// running camera uses.
fn check(options: Options) -> Result<(), Box<dyn Error>> {
    init()?;
    options.check_files()?;
    Switches::read(&options)?;
    source::check(&options).map_err(|error| options.source.without_password(&error.message))?;
    let outlet = options.rtsp.as_ref().map(|_| Arc::new(Outlet::default()));
    Ok(Analysis::build(&Options { files: None, ..options }, outlet.as_ref(), &Arc::default())?.check()?)
}

fn init() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    Ok(gstemotion::plugin_register_static()?)
}

/// Runs until a signal, the end of a file, or a failure of an outlet.
fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    init()?;
    source::check(&options).map_err(|error| options.source.without_password(&error.message))?;
    let progress = Arc::new(Progress::new());
    let analysis = start(&options, &progress)?;
    let main_loop = glib::MainLoop::new(None, false);
    quit_on_signals(main_loop.clone())?;
    let failure: Arc<Mutex<Option<String>>> = Arc::default();
    let watch = watch(&analysis, &main_loop, &failure)?;
    let drain = options.publish.as_ref().map_or(Duration::ZERO, |publish| publish.drain_timeout);
    let (stop, closed) = read_source(options, analysis.clone(), progress, main_loop.clone())?;
    main_loop.run();

    drop((watch, stop));
    // Before the outlets finish: the source may still have pictures for recordings.
    let _ = closed.recv_timeout(CLOSE_TIMEOUT);
    let failed = failure.lock().take();
    let finished = match failed {
        Some(reason) => Err(AnalysisError::Failed(reason)),
        None => analysis.finish(drain + FINISH_TIMEOUT),
    };
    let _ = analysis.pipeline.set_state(gst::State::Null);
    Ok(finished?)
}

/// Starts the analysis and its outlets.
fn start(options: &Options, progress: &Arc<Progress>) -> Result<Arc<Analysis>, Box<dyn Error>> {
    let outlet = options.rtsp.as_ref().map(|_| Arc::new(Outlet::default()));
    let analysis = Arc::new(Analysis::build(options, outlet.as_ref(), progress)?);
    let switches = Switches::read(options)?;
    analysis.switch(&switches);
    analysis.start()?;
    control::start(options, switches, &analysis)?;
    if let Some((rtsp, outlet)) = options.rtsp.as_ref().zip(outlet.as_ref()) {
        rtsp::serve(rtsp, outlet)?;
    }
    if let Switch::On(listen) = options.settings.metrics.listen {
        metrics::serve(listen, options.name.clone(), analysis.clone(), progress.clone())?;
    }
    Ok(analysis)
}

/// Reads the source on a separate thread, which quits `main_loop` at the end of the source, and on another one the video that is recorded
/// instead. The threads stop when the senders are dropped. The receiver gets nothing: it is disconnected when the sources are closed.
fn read_source(
    options: Options,
    analysis: Arc<Analysis>,
    progress: Arc<Progress>,
    main_loop: glib::MainLoop,
) -> std::io::Result<(Vec<Sender<()>>, Receiver<()>)> {
    let (stop, stopped) = channel();
    let (closing, closed) = channel();
    let mut stops = vec![stop];
    let thread = |name: &str| std::thread::Builder::new().name(name.into());
    if let Some((place, recorder)) = options.record_source.clone().zip(analysis.recorder.clone()) {
        let ((stop, stopped), closing) = (channel(), closing.clone());
        let (options, analysis) = (options.clone(), analysis.clone());
        thread("record-source").spawn(move || {
            record_source::run(&options, &place, &analysis, &recorder, &stopped);
            drop(closing);
        })?;
        stops.push(stop);
    }
    thread("source").spawn(move || {
        source::run(&options, &analysis, &progress, &stopped);
        quit(&main_loop);
        drop(closing);
    })?;
    Ok((stops, closed))
}

/// Ends `main_loop`, or lets it end at once when it runs later. `MainLoop::quit` alone has no effect on a loop that does not run
/// yet.
fn quit(main_loop: &glib::MainLoop) {
    let ended = main_loop.clone();
    let source = glib::idle_source_new(Some("quit"), glib::Priority::HIGH, move || {
        ended.quit();
        glib::ControlFlow::Break
    });
    source.attach(Some(&main_loop.context()));
}

/// Quits `main_loop` at the first signal that asks the program to end. A second interrupt, as by Ctrl+C, ends the program at once. A second
/// request to terminate does not: a service manager that stops a service right after it was reloaded sends two, and ends a program that
/// takes too long by itself.
fn quit_on_signals(main_loop: glib::MainLoop) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let mut interrupts = 0;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => interrupts += 1,
                    _ = terminate.recv() => {}
                }
                if interrupts > 1 {
                    std::process::exit(1);
                }
                quit(&main_loop);
            }
        });
    })?;
    Ok(())
}

/// Prints what outlets report, and ends the program if one fails.
fn watch(analysis: &Analysis, main_loop: &glib::MainLoop, failure: &Arc<Mutex<Option<String>>>) -> Result<impl Sized, Box<dyn Error>> {
    let bus = analysis.pipeline.bus().ok_or("a pipeline without a bus")?;
    let (main_loop, failure) = (main_loop.clone(), failure.clone());
    let pipeline = analysis.pipeline.downgrade();
    let guard = bus.add_watch(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                failure.lock().get_or_insert_with(|| reason(error));
                quit(&main_loop);
            }
            gst::MessageView::Warning(warning) => eprintln!("emotion-camera: {}", warning.error()),
            gst::MessageView::Info(info) => eprintln!("emotion-camera: {}", info.error()),
            gst::MessageView::Latency(_) => {
                let _ = pipeline.upgrade().map(|pipeline| pipeline.recalculate_latency());
            }
            _ => {}
        }
        glib::ControlFlow::Continue
    })?;
    Ok(guard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_is_asked_to_end_before_it_runs_ends_at_once() {
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        quit(&main_loop);
        let (limit, late) = (main_loop.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let is_late = late.clone();
        let timeout = glib::timeout_source_new(Duration::from_secs(10), None, glib::Priority::DEFAULT, move || {
            is_late.store(true, std::sync::atomic::Ordering::Relaxed);
            limit.quit();
            glib::ControlFlow::Break
        });
        timeout.attach(Some(&context));
        main_loop.run();
        assert!(!late.load(std::sync::atomic::Ordering::Relaxed), "the loop ran until the limit");
    }
}
