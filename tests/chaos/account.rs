// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happened in a run, and what an account of it says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::Value;

use crate::brokers::Messages;
use crate::browser::Seen;
use crate::cameras::{KEY_INTERVAL, NUMBERS, RATE};
use crate::programs::{Counted, End, Program};
use crate::schedule::{Fault, Kind, Target};
use crate::site::is_mqtt;
use crate::watched::Watched;

/// Seconds until frames arrive after a fault: a new attempt comes after at most 10 s, and is made and has a key frame after some more.
const SETTLES: f64 = 16.0;
/// Seconds until a program that was ended runs again.
const RESTARTS: f64 = 3.0;
/// Seconds of a recording that a crash may lose, two distances of key frames, with the delay of the network.
pub const CRASH_LOSES: f64 = 2.0 * KEY_INTERVAL as f64 / RATE as f64 + 1.0;
/// Seconds of a recording that a power failure may lose: files are synced every second.
const POWER_LOSES: f64 = CRASH_LOSES + 1.5;
/// Seconds of messages that it may lose: spools are synced every five seconds.
pub const POWER_LOSES_MESSAGES: f64 = 6.5;
/// Seconds until messages arrive again after a fault of a broker or its network: the longest wait for a new attempt is 30 s.
const RECONNECTS: f64 = 40.0;
/// Seconds until everything runs after the start.
const STARTS: f64 = 30.0;
/// Seconds until the time of day is right again after a step of the clock.
const REDATES: f64 = 60.0;
/// How many seconds the time of day may be off, and in a session that begins.
const TOLERANCE: f64 = 1.0;
const BEGINS: f64 = 3.0;
/// What `/metrics` calls frames that are not analysed, for want of time, and the seconds until a sample counts one: it waits for a second,
/// and a sample is taken every two seconds, on a busy machine later.
const SKIPPED: &str = "emotion_frames_skipped_total";
const COUNTS: f64 = 5.0;
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
    /// Those of the cameras. The last one may have several.
    pub programs: Vec<Program>,
    pub dashboard: Program,
    /// What MQTT and NATS brokers have got.
    pub messages: Messages,
    /// The cameras of the fleet as a page got them, and when.
    pub page: Vec<(f64, Value)>,
    /// What the page has shown in a browser.
    pub browser: Option<Seen>,
    /// Records of the dashboard's own source by `/v1`, and when they arrived.
    pub followed: Vec<(f64, Value)>,
    /// Spans of the timelines of cameras: when, in seconds since 1970, and the mean number of faces.
    pub timelines: BTreeMap<String, Vec<(u64, f64)>>,
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

    /// When the program of a camera ended.
    pub fn ends(&self, camera: usize) -> impl Iterator<Item = &End> {
        self.programs[self.cameras[camera].program].ends.iter()
    }

    /// Those ends that lose something.
    pub fn crashes(&self, camera: usize) -> impl Iterator<Item = f64> {
        self.ends(camera).filter(|end| end.asked != Some(Signal::TERM)).map(|end| end.at)
    }

    /// When the power of the program of a camera failed.
    pub fn power_failures(&self, camera: usize) -> impl Iterator<Item = f64> {
        self.faults_of(camera).filter(|fault| fault.kind == Kind::Power).map(|fault| fault.at.as_secs_f64())
    }

    /// How many seconds of a recording the end of its program at a time may lose.
    pub fn loses(&self, camera: usize, at: f64) -> f64 {
        if self.power_failures(camera).any(|failed| (failed - at).abs() < 2.0) { POWER_LOSES } else { CRASH_LOSES }
    }

    /// What the program of a camera counted of it.
    pub fn counted(&self, camera: usize) -> Vec<Counted> {
        let Watched { program, name, .. } = &self.cameras[camera];
        self.programs[*program].counted(name)
    }

    /// How many frames of a camera a busy machine has skipped between two times, as its program counts them, and in the seconds around.
    pub fn skipped(&self, camera: usize) -> impl Fn(f64, f64) -> f64 {
        let counted = self.counted(camera);
        let until = move |at: f64| counted.iter().rfind(|sample| sample.at < at).map_or(0.0, |sample| sample.get(SKIPPED));
        move |from, to| until(to + COUNTS) - until(from - COUNTS)
    }

    /// The faults that a camera has, by itself or with its process.
    pub fn faults_of(&self, camera: usize) -> impl Iterator<Item = &Fault> {
        let program = self.cameras[camera].program;
        self.faults.iter().filter(move |fault| match fault.target {
            Target::Camera(index) => index == camera || fault.kind.is_of_process() && self.cameras[index].program == program,
            _ => false,
        })
    }

    /// True if a program gets no more memory at a time, or has just failed for that.
    pub fn lacks_memory(&self, program: usize, at: f64) -> bool {
        let mut faults = self.faults.iter().filter(|fault| fault.kind == Kind::Memory);
        faults.any(|fault| {
            let is_own = matches!(fault.target, Target::Camera(index) if self.cameras[index].program == program);
            is_own && (fault.at.as_secs_f64()..fault.end().as_secs_f64() + SETTLES).contains(&at)
        })
    }

    /// The times, in seconds from the start, in which frames of a camera may be lost.
    pub fn disturbed(&self, camera: usize) -> Vec<(f64, f64)> {
        let of_faults = self.faults_of(camera).filter(|fault| fault.kind.stops_frames());
        [(0.0, STARTS)]
            .into_iter()
            .chain(of_faults.map(span))
            .chain(self.late())
            .chain(self.ends(camera).map(|end| (end.at - end.took - 1.0, end.at + RESTARTS + SETTLES)))
            .collect()
    }

    /// Those in which the dashboard may not hear of a camera; `None` if it follows another broker.
    pub fn unseen(&self, camera: usize) -> Option<Vec<(f64, f64)>> {
        if !is_mqtt(camera) {
            return None;
        }
        let reconnects = |fault: &Fault| (fault.at.as_secs_f64() - 1.0, fault.end().as_secs_f64() + RECONNECTS);
        let network = self.faults_of(camera).filter(|fault| fault.kind.is_of_broker());
        let others = self.faults.iter().filter(|fault| matches!(fault.target, Target::Dashboard | Target::Mqtt));
        let ends = self.ends(camera).chain(&self.dashboard.ends).map(|end| (end.at - end.took - 1.0, end.at + RECONNECTS));
        Some(self.disturbed(camera).into_iter().chain(network.chain(others).map(reconnects)).chain(ends).collect())
    }

    /// Those in which a client of `/v1` may not hear of the dashboard's own source.
    pub fn unfollowed(&self) -> Vec<(f64, f64)> {
        let dashboard = self.faults.iter().filter(|fault| fault.target == Target::Dashboard);
        let ends = self.dashboard.ends.iter().map(|end| (end.at - end.took - 1.0, end.at + RECONNECTS));
        let settles = |fault: &Fault| (fault.at.as_secs_f64() - 1.0, fault.end().as_secs_f64() + RECONNECTS);
        [(0.0, STARTS + RECONNECTS)].into_iter().chain(self.late()).chain(dashboard.map(settles)).chain(ends).collect()
    }

    /// Those in which the program's time of day may be wrong.
    pub fn misdated(&self, camera: usize) -> Vec<(f64, f64)> {
        let of_clock = |fault: &&Fault| matches!(fault.kind, Kind::ClockAhead | Kind::ClockBehind);
        self.faults_of(camera).filter(of_clock).map(|fault| (fault.at.as_secs_f64() - 1.0, fault.end().as_secs_f64() + REDATES)).collect()
    }

    /// How many seconds the time of day of a frame may be off. The first frames of a session have that of their arrival, which a busy machine
    /// delays, and what its camera says later moves it by 1/20 of the time that passes.
    pub fn tolerance(&self, camera: usize) -> impl Fn(f64) -> f64 {
        let begin: Vec<_> = self.disturbed(camera).into_iter().map(|(from, to)| (from, to + 20.0 * (BEGINS - TOLERANCE))).collect();
        move |at| if is_calm(&begin, at, at) { TOLERANCE } else { BEGINS }
    }

    /// Those in which frames were shown late, and perhaps two at once.
    pub fn late(&self) -> Vec<(f64, f64)> {
        let late = (0..).zip(&self.shown).filter(|(number, at)| **at - f64::from(*number) / f64::from(RATE) > BUSY);
        late.fold(Vec::new(), |mut spans: Vec<(f64, f64)>, (_, at)| {
            match spans.last_mut() {
                Some((_, to)) if *to >= at - 2.0 => *to = at + 3.0,
                _ => spans.push((at - 2.0, at + 3.0)),
            }
            spans
        })
    }

    /// Those in which a decoder may show parts of earlier frames, because packets are missing, until the second key frame after it, or may
    /// give frames that were shown at once other times.
    pub fn damaged(&self, camera: usize) -> Vec<(f64, f64)> {
        let faults = self.faults_of(camera).filter(|fault| fault.kind == Kind::Damage);
        // A frame may have been shown earlier, and wait for its bundle.
        let spans = faults.map(|fault| (fault.at.as_secs_f64() - 2.0, fault.end().as_secs_f64() + CRASH_LOSES));
        spans.chain(self.late()).collect()
    }

    /// True if a camera may hide faces at a time. A command that ends this may be lost with its connection.
    pub fn may_hide(&self, camera: usize, at: f64) -> bool {
        let is_told = |fault: &Fault| fault.kind == Kind::Hide && fault.at.as_secs_f64() < at;
        self.cameras[camera].is_blurred || self.faults_of(camera).any(is_told)
    }

    /// Those in which it shows fewer frames, so that a face that has gone stays longer.
    pub fn halved(&self, camera: usize) -> Vec<(f64, f64)> {
        self.faults_of(camera).filter(|fault| fault.kind == Kind::HalfRate).map(span).collect()
    }

    /// Those in which frames wait for a slow disk. A crash loses them.
    pub fn slow(&self, camera: usize) -> impl Iterator<Item = (f64, f64)> {
        let slow = self.faults_of(camera).filter(|fault| fault.kind == Kind::DiskSlow);
        slow.map(|fault| (fault.at.as_secs_f64() - CRASH_LOSES, fault.end().as_secs_f64() + SETTLES))
    }

    /// Those in which recordings stop because their disk is full.
    pub fn full(&self, camera: usize) -> impl Iterator<Item = (f64, f64)> {
        self.faults_of(camera).filter(|fault| fault.kind == Kind::DiskFull).map(span)
    }

    /// From when on no frames came before a time, perhaps: what was not complete then is lost if the program crashes or its disk is full.
    fn interrupted(&self, camera: usize, at: f64) -> f64 {
        since(&self.faults_of(camera).filter(|fault| fault.kind.stops_frames()).map(span).collect::<Vec<_>>(), at)
    }

    /// From when on messages waited for the broker at a time, perhaps: what waits when a program without a spool ends is lost.
    pub fn unsent(&self, camera: usize, at: f64) -> f64 {
        let broker = if is_mqtt(camera) { Target::Mqtt } else { Target::Nats };
        let of_network = self.faults_of(camera).filter(|fault| fault.kind.is_of_broker());
        let faults = of_network.chain(self.faults.iter().filter(|fault| fault.target == broker));
        let spans = faults.map(|fault| (fault.at.as_secs_f64() - 1.0, fault.end().as_secs_f64() + RECONNECTS));
        since(&spans.collect::<Vec<_>>(), at)
    }

    /// Those in which recordings may lack frames: also before a crash.
    pub fn unrecorded(&self, camera: usize) -> Vec<(f64, f64)> {
        let stops = self.crashes(camera).chain(self.full(camera).map(|(from, _)| from));
        let lost = stops.flat_map(|at| [at, self.interrupted(camera, at)].map(|from| (from - self.loses(camera, at), from)));
        // The camera's own picture is recorded from a key frame on, after the encoded one.
        let slow = self.slow(camera).filter(|(from, to)| self.crashes(camera).any(|at| (*from..*to).contains(&at)));
        let hides = self.faults_of(camera).filter(|fault| fault.kind == Kind::Hide);
        self.disturbed(camera).into_iter().chain(hides.map(span)).chain(self.full(camera)).chain(lost).chain(slow).collect()
    }
}

/// The time of a fault, and of what follows from it.
fn span(fault: &Fault) -> (f64, f64) {
    let restarts = if fault.kind.ends_process() { RESTARTS } else { 0.0 };
    // Key frames are further apart at half of the rate, and a crash loses what follows one before the last.
    let before = if fault.kind == Kind::HalfRate { 4.5 } else { 0.5 };
    (fault.at.as_secs_f64() - before, fault.end().as_secs_f64() + restarts + SETTLES)
}

/// When the spans began that lead to a time without a gap.
fn since(spans: &[(f64, f64)], at: f64) -> f64 {
    let before = |from: &f64| spans.iter().filter(|(start, end)| start < from && from <= end).map(|(start, _)| *start).reduce(f64::min);
    std::iter::successors(Some(at), before).last().unwrap_or(at)
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
    /// How many checks failed for a reason that is counted, too.
    pub excused: usize,
    pub findings: Vec<Finding>,
}

impl Account {
    pub fn new(promise: &'static str) -> Self {
        Self { promise, checked: 0, excused: 0, findings: Vec::new() }
    }

    /// Counts a check, and notes a finding if it fails.
    pub fn check(&mut self, holds: bool, program: &str, at: impl Into<Option<f64>>, text: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds {
            self.findings.push(Finding { program: program.into(), at: at.into(), text: text() });
        }
    }
    /// Counts a check that may fail if `excused`, and how often that was so.
    pub fn check_unless(&mut self, excused: bool, holds: bool, program: &str, at: f64, text: impl FnOnce() -> String) {
        self.excused += usize::from(excused && !holds);
        self.check(holds || excused, program, at, text);
    }
}
