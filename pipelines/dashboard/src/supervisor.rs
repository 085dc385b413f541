// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs one source: starts its pipeline, reports its state, and restarts it after growing pauses.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::graph::Graph;
use crate::input::Input;
use crate::live::Calendar;
use crate::source::{Command, Source, State};

/// How often commands and the time since the last frame are checked.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// A source without a frame for this long is restarted.
const STALL: Duration = Duration::from_secs(20);
/// A browser that sends no picture for this long is shown as waiting.
const BROWSER_PAUSE: Duration = Duration::from_secs(3);
/// A run of this length resets the pauses between attempts.
const STABLE_RUN: Duration = Duration::from_secs(30);
/// Longest pause before the next attempt.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Why a run ended.
enum End {
    Commanded(Command),
    Failed(String),
}

/// Runs `source` on a new thread.
///
/// # Errors
/// If the thread cannot be started.
pub fn spawn(
    source: Arc<Source>,
    commands: mpsc::Receiver<Command>,
    labels: String,
    calendar: Calendar,
) -> std::io::Result<JoinHandle<()>> {
    let name = format!("source {}", source.id);
    std::thread::Builder::new().name(name).spawn(move || supervise(&source, &commands, &labels, calendar))
}

fn supervise(source: &Arc<Source>, commands: &mpsc::Receiver<Command>, labels: &str, calendar: Calendar) {
    let mut attempts = 0;
    loop {
        let began = Instant::now();
        source.set_state(State::Connecting);
        let mut end = run(source, commands, labels);
        if let End::Failed(reason) = &end {
            attempts = if began.elapsed() >= STABLE_RUN { 1 } else { attempts + 1 };
            let reason = source.input.without_password(reason);
            if attempts == 1 {
                eprintln!("emotion-dashboard: {}: {reason}", source.name);
            }
            let pause = pause_after(attempts);
            let retry_at = u64::try_from(calendar.at(Instant::now() + pause).as_millis()).unwrap_or(u64::MAX);
            source.set_state(State::Failed { reason, retry_at, attempts });
            end = End::Commanded(sleep(commands, pause));
        }
        match end {
            End::Commanded(Command::End) => return,
            End::Commanded(Command::Stop) => {
                attempts = 0;
                source.set_state(State::Stopped);
                // Switches are applied when the source starts.
                loop {
                    match commands.recv().unwrap_or(Command::End) {
                        Command::End => return,
                        Command::Start => break,
                        Command::Stop | Command::Switch => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The pause after so many failed attempts: 1, 2, 4, ... 30 seconds.
fn pause_after(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.saturating_sub(1).min(6)).min(MAX_PAUSE)
}

/// Returns the command that arrives during the pause, or `Start` after it.
fn sleep(commands: &mpsc::Receiver<Command>, pause: Duration) -> Command {
    let end = Instant::now() + pause;
    loop {
        match commands.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Command::Switch) => {}
            Ok(command) => return command,
            Err(mpsc::RecvTimeoutError::Timeout) => return Command::Start,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Command::End,
        }
    }
}

/// Builds, runs and stops the pipeline once.
fn run(source: &Arc<Source>, commands: &mpsc::Receiver<Command>, labels: &str) -> End {
    source.begin_run();
    let graph = match Graph::build(source, labels) {
        Ok(graph) => graph,
        Err(error) => return End::Failed(error.message.to_string()),
    };
    source.set_feed(graph.feed.clone());
    let end = play(source, commands, &graph);
    source.set_feed(None);
    let _ = graph.pipeline.set_state(gst::State::Null);
    end
}

fn play(source: &Arc<Source>, commands: &mpsc::Receiver<Command>, graph: &Graph) -> End {
    let Some(bus) = graph.pipeline.bus() else { return End::Failed("the pipeline has no bus".into()) };
    // An element that cannot start posts the reason on the bus.
    let started = graph.pipeline.set_state(gst::State::Playing);
    let began = Instant::now();
    loop {
        let wait = if started.is_err() { gst::ClockTime::from_seconds(2) } else { TICK };
        let types = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Latency];
        match bus.timed_pop_filtered(wait, &types).as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => return End::Failed(reason(error)),
            Some(gst::MessageView::Eos(_)) => return End::Failed("the stream ended".into()),
            Some(gst::MessageView::Latency(_)) => {
                let _ = graph.pipeline.recalculate_latency();
            }
            _ if started.is_err() => return End::Failed("the pipeline did not start".into()),
            _ => {}
        }
        loop {
            match commands.try_recv() {
                Ok(Command::Switch) => graph.switch(source.switches()),
                Ok(Command::Start) => {}
                Ok(command) => return End::Commanded(command),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return End::Commanded(Command::End),
            }
        }
        if !graph.rewind_if_ended() {
            return End::Failed("the file cannot be rewound".into());
        }
        match (&source.input, source.since_last_frame()) {
            (Input::Browser, None) => source.set_state(State::Waiting),
            (Input::Browser, Some(silence)) if silence > BROWSER_PAUSE => source.set_state(State::Waiting),
            (_, Some(silence)) if silence > STALL => return End::Failed(format!("no frame for {} seconds", STALL.as_secs())),
            (_, None) if began.elapsed() > STALL => return End::Failed(format!("no frame in {} seconds", STALL.as_secs())),
            (_, Some(_)) => source.set_state(State::Playing),
            (_, None) => {}
        }
    }
}

/// GStreamer's message for users, with the last line of the details for developers, which often has the cause.
fn reason(error: &gst::message::Error) -> String {
    let text = error.error().to_string();
    let debug = error.debug().unwrap_or_default();
    let detail = debug.lines().skip(1).last().unwrap_or_default().trim_end_matches(" (Generic error)");
    if detail.is_empty() || text.contains(detail) { text } else { format!("{text} {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_maximum() {
        let seconds: Vec<u64> = (1..=8).map(|attempts| pause_after(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(pause_after(u32::MAX), MAX_PAUSE);
    }

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
