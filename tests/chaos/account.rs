// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happened in a run, and what an account of it says.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::brokers::Messages;
use crate::cameras::{KEY_INTERVAL, NUMBERS, RATE};
use crate::programs::Program;
use crate::schedule::{Fault, Kind, Target};
use crate::watched::Watched;

/// Seconds until frames arrive after a fault: a new attempt comes after at most 10 s, and is made and has a key frame after some more.
const SETTLES: f64 = 16.0;
/// Seconds until a program that was ended runs again.
const RESTARTS: f64 = 3.0;
/// Seconds of a recording that a crash may lose, two distances of key frames, with the delay of the network.
pub const CRASH_LOSES: f64 = 2.0 * KEY_INTERVAL as f64 / RATE as f64 + 1.0;
/// Seconds until everything runs after the start.
const STARTS: f64 = 30.0;
/// Seconds until the time of day is right again after a step of the clock.
const REDATES: f64 = 60.0;
/// A frame that is shown so many seconds late tells that the machine was busy, and frames around it may be lost.
const BUSY: f64 = 0.15;

/// What happened.
pub struct Story {
    /// Seconds.
    pub length: f64,
    pub start: SystemTime,
    /// When each frame was shown, in seconds from the start.
    pub shown: Vec<f64>,
    pub faults: Vec<Fault>,
    pub cameras: Vec<Watched>,
    pub dashboard: Program,
    /// What MQTT and NATS brokers have got.
    pub messages: Messages,
    /// That of a scan of recordings.
    pub scan: Option<Account>,
    /// What could not be done on this machine.
    pub left_out: Vec<String>,
}

impl Story {
    /// When a frame of a camera was shown.
    pub fn shown_at(&self, number: u32) -> f64 {
        let number = number % NUMBERS;
        self.shown.get(number as usize).copied().unwrap_or(f64::from(number) / f64::from(RATE))
    }

    /// Seconds from the start to a time of day in RFC 3339, as in records.
    pub fn since_start(&self, utc: &str) -> Option<f64> {
        let mut fields = utc.split_once('T')?.1.strip_suffix('Z')?.split(':');
        let mut field = || fields.next()?.parse::<f64>().ok();
        let of_day = field()? * 3600.0 + field()? * 60.0 + field()?;
        let start = self.start.duration_since(UNIX_EPOCH).ok()?.as_secs_f64() % 86_400.0;
        let since = of_day - start;
        // A run may go on after midnight.
        Some(if since < -43_200.0 { since + 86_400.0 } else { since })
    }

    /// The times, in seconds from the start, in which frames of a camera may be lost.
    pub fn disturbed(&self, camera: usize) -> Vec<(f64, f64)> {
        let of_faults = self.faults.iter().filter(|fault| fault.target == Target::Camera(camera) && fault.kind.stops_frames());
        let late = (0..).zip(&self.shown).filter(|(number, at)| **at - f64::from(*number) / f64::from(RATE) > BUSY);
        let ends = self.cameras[camera].program.ends.iter();
        [(0.0, STARTS)]
            .into_iter()
            .chain(of_faults.map(span))
            .chain(late.map(|(_, at)| (at - 2.0, at + 3.0)))
            .chain(ends.map(|end| (end.at - 1.0, end.at + RESTARTS + SETTLES)))
            .collect()
    }

    /// Those in which the program's time of day may be wrong.
    pub fn misdated(&self, camera: usize) -> Vec<(f64, f64)> {
        let of_clock = |fault: &&Fault| matches!(fault.kind, Kind::ClockAhead | Kind::ClockBehind);
        let faults = self.faults.iter().filter(|fault| fault.target == Target::Camera(camera)).filter(of_clock);
        faults.map(|fault| (fault.at.as_secs_f64() - 1.0, fault.end().as_secs_f64() + REDATES)).collect()
    }

    /// Those in which recordings may lack frames: also before a crash.
    pub fn unrecorded(&self, camera: usize) -> Vec<(f64, f64)> {
        let full = self.faults.iter().filter(|fault| fault.target == Target::Camera(camera) && fault.kind == Kind::DiskFull);
        let crashes = self.cameras[camera].program.ends.iter().filter(|end| end.asked != Some(Signal::TERM)).map(|end| end.at);
        let lost = crashes.chain(full.clone().map(|fault| fault.at.as_secs_f64())).map(|at| (at - CRASH_LOSES, at));
        self.disturbed(camera).into_iter().chain(full.map(span)).chain(lost).collect()
    }
}

/// The time of a fault, and of what follows from it.
fn span(fault: &Fault) -> (f64, f64) {
    let restarts = if matches!(fault.kind, Kind::Kill | Kind::Terminate) { RESTARTS } else { 0.0 };
    (fault.at.as_secs_f64() - 0.5, fault.end().as_secs_f64() + restarts + SETTLES)
}

/// True if the times `from..to` are in none of the spans.
pub fn is_calm(spans: &[(f64, f64)], from: f64, to: f64) -> bool {
    spans.iter().all(|(start, end)| to < *start || from > *end)
}

/// Something that a promise does not allow.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Name of a program.
    pub program: String,
    /// Seconds from the start.
    pub at: Option<f64>,
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.map(|at| format!(" at {at:.1} s")).unwrap_or_default();
        write!(f, "{}{at}: {}", self.program, self.text)
    }
}

/// A promise, how often it was checked, and where it was not kept.
#[derive(Clone, Debug)]
pub struct Account {
    pub promise: &'static str,
    pub checked: usize,
    pub findings: Vec<Finding>,
}

impl Account {
    pub fn new(promise: &'static str) -> Self {
        Self { promise, checked: 0, findings: Vec::new() }
    }

    /// Counts a check, and notes a finding if it fails.
    pub fn check(&mut self, holds: bool, program: &str, at: impl Into<Option<f64>>, text: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds {
            self.findings.push(Finding { program: program.into(), at: at.into(), text: text() });
        }
    }
}
