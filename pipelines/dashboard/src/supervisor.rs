// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks after one source: starts it, says what became of it and tries again, later and later.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::graph::Graph;
use crate::input::Input;
use crate::live::Calendar;
use crate::source::{Command, Source, State};

/// How often commands and the time since the last frame are looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// A source without a frame for that long is started anew.
const STALL: Duration = Duration::from_secs(20);
/// A browser without a picture for that long is told to be away.
const PAUSE: Duration = Duration::from_secs(3);
/// What has played for that long begins to wait anew.
const WELL: Duration = Duration::from_secs(30);
/// Longest time to the next attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How one run ended.
enum End {
    Told(Command),
    Failed(String),
}

/// Starts to look after `source` on a thread of its own.
///
/// # Errors
/// If there is no thread to be had.
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
            attempts = if began.elapsed() >= WELL { 1 } else { attempts + 1 };
            let reason = source.input.without_password(reason);
            if attempts == 1 {
                eprintln!("emotion-dashboard: {}: {reason}", source.name);
            }
            let pause = wait(attempts);
            let retry_at = u64::try_from(calendar.at(Instant::now() + pause).as_millis()).unwrap_or(u64::MAX);
            source.set_state(State::Failed { reason, retry_at, attempts });
            end = End::Told(sleep(commands, pause));
        }
        match end {
            End::Told(Command::End) => return,
            End::Told(Command::Stop) => {
                attempts = 0;
                source.set_state(State::Stopped);
                // Whatever else is asked for has to wait until it starts.
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

/// Seconds before the attempt after so many that failed: 1, 2, 4, ... 30.
fn wait(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.saturating_sub(1).min(6)).min(LONGEST_WAIT)
}

/// What is asked for meanwhile, or to start once the time is over.
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

/// One life of a pipeline, from building to stopping it.
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
    // An element that cannot start says why on the bus.
    let started = graph.pipeline.set_state(gst::State::Playing);
    let began = Instant::now();
    loop {
        let wait = if started.is_err() { gst::ClockTime::from_seconds(2) } else { TICK };
        let types = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Latency];
        match bus.timed_pop_filtered(wait, &types).as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => return End::Failed(reason(error)),
            Some(gst::MessageView::Eos(_)) => return End::Failed("the stream has ended".into()),
            Some(gst::MessageView::Latency(_)) => {
                let _ = graph.pipeline.recalculate_latency();
            }
            _ if started.is_err() => return End::Failed("the pipeline does not start".into()),
            _ => {}
        }
        loop {
            match commands.try_recv() {
                Ok(Command::Switch) => graph.switch(source.switches()),
                Ok(Command::Start) => {}
                Ok(command) => return End::Told(command),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return End::Told(Command::End),
            }
        }
        if !graph.rewind_if_ended() {
            return End::Failed("the file cannot be played from its beginning again".into());
        }
        let quiet = source.since_last_frame();
        match (&source.input, quiet) {
            (Input::Browser, None) => source.set_state(State::Waiting),
            (Input::Browser, Some(quiet)) if quiet > PAUSE => source.set_state(State::Waiting),
            (_, Some(quiet)) if quiet > STALL => return End::Failed(format!("no frame for {} seconds", STALL.as_secs())),
            (_, None) if began.elapsed() > STALL => return End::Failed(format!("no frame in {} seconds", STALL.as_secs())),
            (_, Some(_)) => source.set_state(State::Playing),
            (_, None) => {}
        }
    }
}

/// An error in a line: what GStreamer says to users, and to developers behind it, which often is where the reason is.
fn reason(error: &gst::message::Error) -> String {
    let said = error.error().to_string();
    let debug = error.debug().unwrap_or_default();
    let detail = debug.lines().skip(1).last().unwrap_or_default().trim_end_matches(" (Generic error)");
    if detail.is_empty() || said.contains(detail) { said } else { format!("{said} {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_later_and_later() {
        let seconds: Vec<u64> = (1..=8).map(|attempts| wait(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
    }

    #[test]
    fn someone_who_starts_it_does_not_wait() {
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
