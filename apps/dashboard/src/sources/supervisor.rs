// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs one source: starts its pipeline, reports its state, and restarts it after growing pauses.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use emotion_supervise::backoff::Backoff;
use emotion_supervise::run::{self, End};

use crate::calendar::Calendar;
use crate::sources::graph::{Constant, Graph, log};
use crate::sources::input::Input;
use crate::sources::source::{Command, Source, State};

/// A source without a frame for this long is restarted.
const STALL: Duration = Duration::from_secs(20);
/// A browser that sends no picture for this long is shown as waiting.
const BROWSER_PAUSE: Duration = Duration::from_secs(3);
/// Shortest and longest pause before the next attempt.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Runs `source` on a new thread.
///
/// # Errors
/// If the thread cannot be started.
pub fn spawn(
    source: Arc<Source>,
    commands: mpsc::Receiver<Command>,
    constant: Constant,
    calendar: Calendar,
) -> std::io::Result<JoinHandle<()>> {
    let name = format!("source {}", source.id);
    std::thread::Builder::new().name(name).spawn(move || supervise(&source, &commands, &constant, &calendar))
}

fn supervise(source: &Arc<Source>, commands: &mpsc::Receiver<Command>, constant: &Constant, calendar: &Calendar) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        let began = Instant::now();
        source.set_state(State::Connecting);
        let command = match run_once(source, commands, constant) {
            End::Told(command) => command,
            end => {
                let reason = if let End::Failed(reason) = end { reason } else { "the stream ended".into() };
                source.progress.end_run();
                let pause = backoff.pause(began.elapsed());
                let (reason, attempts) = (source.input.without_password(&reason), backoff.failures());
                if attempts == 1 {
                    eprintln!("emotion-dashboard: {}: {reason}", source.name);
                }
                let retry_at = calendar.ms(Instant::now() + pause);
                source.set_state(State::Failed { reason, retry_at, attempts });
                sleep(commands, pause)
            }
        };
        match command {
            Command::End => return,
            Command::Stop => {
                backoff.reset();
                source.progress.stop();
                source.set_state(State::Stopped);
                // Switches are applied when the source starts.
                loop {
                    match commands.recv().unwrap_or(Command::End) {
                        Command::End => return,
                        Command::Start => break,
                        Command::Stop | Command::Switch | Command::Calibrate(_) | Command::ResetBaseline(_) => {}
                    }
                }
            }
            Command::Start | Command::Switch | Command::Calibrate(_) | Command::ResetBaseline(_) => {}
        }
    }
}

/// Returns the command that arrives during the pause, or `Start` after it.
fn sleep(commands: &mpsc::Receiver<Command>, pause: Duration) -> Command {
    let end = Instant::now() + pause;
    loop {
        match commands.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Command::Switch | Command::Calibrate(_) | Command::ResetBaseline(_)) => {}
            Ok(command) => return command,
            Err(mpsc::RecvTimeoutError::Timeout) => return Command::Start,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Command::End,
        }
    }
}

/// Builds, runs and stops the pipeline once.
fn run_once(source: &Arc<Source>, commands: &mpsc::Receiver<Command>, constant: &Constant) -> End<Command> {
    source.begin_run();
    let graph = match Graph::build(source, constant) {
        Ok(graph) => graph,
        Err(error) => return End::Failed(error.to_string()),
    };
    source.set_feed(graph.feed.clone());
    // A browser may pause for as long as it likes.
    let stall = (source.input != Input::Browser).then_some(STALL);
    let end = run::play(&graph.pipeline, &source.progress, stall, |silence| tick(source, commands, &graph, silence));
    source.set_feed(None);
    run::stop(&graph.pipeline, &log(source));
    end
}

/// Follows commands and updates the state. `silence` is the time since the last frame of this run.
fn tick(source: &Source, commands: &mpsc::Receiver<Command>, graph: &Graph, silence: Option<Duration>) -> Option<End<Command>> {
    loop {
        match commands.try_recv() {
            Ok(Command::Switch) if !graph.suits(&source.switches()) => return Some(End::Told(Command::Start)),
            Ok(Command::Switch) => {
                if let Err(error) = graph.switch(&source.switches()) {
                    return Some(End::Failed(error.to_string()));
                }
            }
            Ok(Command::Start) => {}
            Ok(Command::Calibrate(id)) => graph.chain.calibrate(id, false),
            Ok(Command::ResetBaseline(id)) => graph.chain.calibrate(id, true),
            Ok(command) => return Some(End::Told(command)),
            Err(mpsc::TryRecvError::Empty) => break,
            Err(mpsc::TryRecvError::Disconnected) => return Some(End::Told(Command::End)),
        }
    }
    if !graph.rewind_if_ended() {
        return Some(End::Failed("the file cannot be rewound".into()));
    }
    match (&source.input, silence) {
        (Input::Browser, None) => source.set_state(State::Waiting),
        (Input::Browser, Some(silence)) if silence > BROWSER_PAUSE => source.set_state(State::Waiting),
        (_, Some(_)) => source.set_state(State::Playing),
        (_, None) => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_command_ends_the_pause() {
        let (sender, commands) = mpsc::channel();
        sender.send(Command::Switch).unwrap();
        sender.send(Command::Start).unwrap();
        let began = Instant::now();
        assert_eq!(sleep(&commands, Duration::from_secs(60)), Command::Start);
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(sleep(&commands, Duration::ZERO), Command::Start);
        drop(sender);
        assert_eq!(sleep(&commands, Duration::from_secs(60)), Command::End);
    }
}
