// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in the video of cameras, as a service.
//!
//! ```text
//!  source.rs                    analysis.rs                        outlets
//!  the source, opened again  →  faces and expressions, always  →   rtsp.rs      a picture and records for clients
//!  whenever it vanishes         playing                            recorded.rs  recordings and records in files
//!                                                                  pushed.rs    a picture to servers
//!                                                                  emotionpublish   records to a broker
//! ```

mod analysis;
mod camera;
mod clients;
mod control;
mod graph;
mod fleet;
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
mod switches;
mod value;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};

use clap::CommandFactory;
use gst::glib;
use tokio::signal::unix::{SignalKind, signal};

use analysis::Analysis;
use camera::Camera;
use options::Options;
use rtsp::{Outlet, Servers};
use settings::{Settings, SettingsError};
use switches::Switches;
use value::Switch;

/// The command line of the program.
pub fn command() -> clap::Command {
    Settings::command()
}

/// Runs the program with its arguments, the first of which is its name.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    emotion_supervise::memory::stay_small();
    let settings = match Settings::read(arguments) {
        Ok(settings) => settings,
        Err(SettingsError::CommandLine(error)) => error.exit(),
        Err(error) => return refuse(&error),
    };
    let is_alone = !settings.has_tables();
    let cameras = match fleet::options(settings, |name| std::env::var(name).ok()) {
        Ok(cameras) => cameras,
        Err(error) => return refuse(&error),
    };
    if cameras.iter().any(|options| options.settings.check) {
        return check_all(cameras, is_alone);
    }
    match serve(cameras, is_alone) {
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

/// Checks each camera, and says what is wrong with any.
fn check_all(cameras: Vec<Options>, is_alone: bool) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for options in cameras {
        let name = options.name.clone();
        if let Err(error) = check(options) {
            code = refuse(&*if is_alone { error } else { format!("[[camera]] {name}: {error}").into() });
        }
    }
    code
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

/// GStreamer with the elements of the plugin, whose factories would be lost with a second registration.
fn init() -> Result<(), Box<dyn Error>> {
    static REGISTERED: OnceLock<Result<(), glib::BoolError>> = OnceLock::new();
    gst::init()?;
    Ok(REGISTERED.get_or_init(gstemotion::plugin_register_static).clone()?)
}

/// Runs until a signal, or until all cameras have ended: with the end of a file, or, if it is alone, with a failure.
fn serve(cameras: Vec<Options>, is_alone: bool) -> Result<(), Box<dyn Error>> {
    let main_loop = glib::MainLoop::new(None, false);
    quit_on_signals(main_loop.clone())?;
    init()?;
    let cameras: Vec<Arc<Camera>> = cameras.into_iter().map(|options| Arc::new(Camera::new(options))).collect();
    if let Switch::On(listen) = cameras[0].options.settings.metrics.listen {
        metrics::serve(listen, cameras.clone())?;
    }
    let (servers, running) = (Arc::new(Servers::default()), Arc::new(Running(main_loop.clone())));
    let (mut stops, mut threads) = (Vec::new(), Vec::new());
    for camera in cameras {
        let (stop, stopped) = channel();
        let (servers, running) = (servers.clone(), running.clone());
        let run = move || {
            let ended = camera.run(&servers, &stopped, is_alone);
            drop(running);
            ended.map_err(|error| if is_alone { error } else { format!("{}: {error}", camera.options.name).into() })
        };
        threads.push(std::thread::Builder::new().name("camera".into()).spawn(run)?);
        stops.push(stop);
    }
    drop(running);
    main_loop.run();
    drop(stops);
    let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("a camera does not panic")).collect();
    ended.into_iter().collect::<Result<(), _>>().map_err(|failure| -> Box<dyn Error> { failure })
}

/// Ends the loop when the last camera has ended.
struct Running(glib::MainLoop);

impl Drop for Running {
    fn drop(&mut self) {
        quit(&self.0);
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
