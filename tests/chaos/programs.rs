// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program that is started again when it ends, as by a service manager, and what it uses while it runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// Time until a program that ended is started again.
pub const RESTART: Duration = Duration::from_secs(2);
/// Time between two samples.
const INTERVAL: Duration = Duration::from_secs(2);

/// The end of a process.
#[derive(Clone, Debug)]
pub struct End {
    /// When, in seconds from the start of the run.
    pub at: f64,
    /// The signal that it was sent, or `None` if it ended by itself.
    pub asked: Option<Signal>,
    /// How long it took to end, in seconds.
    pub took: f64,
    /// Status or signal, as text; empty for success.
    pub failure: String,
    pub pid: u32,
}

/// What a process uses and counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// When, in seconds from the start of the run.
    pub at: f64,
    pub pid: u32,
    pub memory_kib: f64,
    pub descriptors: f64,
    pub threads: f64,
    /// What `/metrics` says of each camera. Empty if it does not answer.
    pub metrics: BTreeMap<String, BTreeMap<String, f64>>,
}

/// What a process counts of a camera at one moment.
#[derive(Clone, Debug)]
pub struct Counted {
    pub at: f64,
    pub pid: u32,
    /// Names and values of metrics.
    pub metrics: BTreeMap<String, f64>,
}

impl Counted {
    /// The value of a metric, 0 if it is missing.
    pub fn get(&self, name: &str) -> f64 {
        self.metrics.get(name).copied().unwrap_or(0.0)
    }
}

/// A reload of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Reload {
    pub at: f64,
    pub is_wrong: bool,
    pub is_taken: bool,
}

/// A program that is kept running.
pub struct Program {
    pub name: String,
    /// Both of its outputs.
    pub log: PathBuf,
    pub ends: Vec<End>,
    pub reloads: Vec<Reload>,
    /// Its words, the first of which is the path of the program.
    pub command: Vec<String>,
    /// Environment variables.
    pub variables: Vec<(&'static str, String)>,
    start: Instant,
    child: Option<Child>,
    /// The signal that asks it to end, and when it could do so.
    asked: Option<(Signal, Instant)>,
    paused: Option<u32>,
    restart_at: Option<Instant>,
    /// What checks a new configuration, and whether that is wrong.
    check: Option<(Child, bool)>,
    pid: Arc<AtomicU32>,
    samples: Arc<Mutex<Vec<Sample>>>,
}

impl Program {
    /// A program whose metrics are at a port, and whose log is `log`. [`Self::keep`] starts it.
    pub fn new(name: &str, command: Vec<String>, metrics: u16, log: PathBuf, start: Instant) -> Self {
        let (pid, samples) = (Arc::<AtomicU32>::default(), Arc::<Mutex<Vec<Sample>>>::default());
        let (of, into) = (pid.clone(), samples.clone());
        std::thread::spawn(move || {
            // Ends with the program.
            while Arc::strong_count(&into) > 1 {
                std::thread::sleep(INTERVAL);
                let sample = sample(of.load(SeqCst), metrics, start);
                into.lock().expect("no panic").extend(sample);
            }
        });
        Self {
            name: name.into(),
            log,
            ends: Vec::new(),
            reloads: Vec::new(),
            command,
            variables: Vec::new(),
            start,
            child: None,
            asked: None,
            paused: None,
            restart_at: Some(start),
            check: None,
            pid,
            samples,
        }
    }

    /// Notes that the process has ended, and starts it again when it is time and `is_kept`. Returns true while there is a process.
    pub fn keep(&mut self, is_kept: bool) -> bool {
        if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("a child")) {
            let failure = match (status.code(), status.signal()) {
                (Some(0), _) => String::new(),
                (Some(code), _) => format!("status {code}"),
                (_, signal) => format!("signal {}", signal.unwrap_or(0)),
            };
            let took = self.asked.map_or(0.0, |(_, since)| since.elapsed().as_secs_f64());
            let asked = self.asked.take().map(|(signal, _)| signal);
            let pid = self.pid.swap(0, SeqCst);
            self.ends.push(End { at: self.start.elapsed().as_secs_f64(), asked, took, failure, pid });
            (self.child, self.restart_at) = (None, Some(Instant::now() + RESTART));
        }
        if is_kept && self.child.is_none() && self.restart_at.is_some_and(|at| at <= Instant::now()) {
            let child = self.spawn(&self.command[1..], Stdio::null());
            self.pid.store(child.id(), SeqCst);
            self.child = Some(child);
        }
        self.note_check();
        self.child.is_some()
    }

    fn spawn(&self, arguments: &[String], stdin: Stdio) -> Child {
        let log = File::options().append(true).create(true).open(&self.log).expect("a log");
        let mut command = Command::new(&self.command[0]);
        command.args(arguments).envs(self.variables.iter().cloned()).stdin(stdin);
        command.stdout(log.try_clone().expect("a descriptor")).stderr(log);
        let child = command.env_remove("GST_PLUGIN_PATH").current_dir(self.log.parent().expect("a folder")).spawn();
        child.unwrap_or_else(|error| panic!("{}: {error}", self.command[0]))
    }

    /// Checks a configuration as the unit of systemd does. If it is right, the process is asked to end.
    pub fn reload(&mut self, configuration: &Path, is_wrong: bool) {
        if self.child.is_some() && self.check.is_none() {
            let file = File::open(configuration).expect("a configuration");
            self.check = Some((self.spawn(&["--check", "--config", "-"].map(str::to_owned), file.into()), is_wrong));
        }
    }

    fn note_check(&mut self) {
        let Some((check, is_wrong)) = self.check.as_mut() else { return };
        let Some(status) = check.try_wait().expect("a child") else { return };
        let (is_taken, is_wrong) = (status.success(), *is_wrong);
        self.check = None;
        self.reloads.push(Reload { at: self.start.elapsed().as_secs_f64(), is_wrong, is_taken });
        if is_taken {
            self.end(Signal::TERM);
        }
    }

    /// Asks the process to end by this signal, if it runs.
    pub fn end(&mut self, signal: Signal) {
        if let Some(child) = &self.child {
            send(child.id(), signal);
            self.asked = Some((signal, Instant::now()));
        }
    }

    /// Kills the process, and waits until it has ended.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
        while self.keep(false) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops the process for a while, or lets it go on.
    pub fn pause(&mut self, is_paused: bool) {
        if is_paused {
            self.paused = self.child.as_ref().map(Child::id).inspect(|pid| send(*pid, Signal::STOP));
        } else if let Some(pid) = self.paused.take().filter(|pid| self.pid.load(SeqCst) == *pid) {
            send(pid, Signal::CONT);
            self.asked = self.asked.map(|(signal, _)| (signal, Instant::now()));
        }
    }

    /// Lets the process have the memory that it has, and no more, or as much as it wants.
    pub fn limit_memory(&self, is_limited: bool) {
        let Some(pid) = self.child.as_ref().and_then(|child| Pid::from_raw(child.id() as i32)) else { return };
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).unwrap_or_default();
        let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
        let current = pages.filter(|_| is_limited).map(|pages| pages * rustix::param::page_size() as u64);
        // Fails if the process has just ended.
        let _ = prlimit(Some(pid), Resource::As, Rlimit { current, maximum: None });
    }

    /// What was sampled so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().expect("no panic").clone()
    }

    /// What it counted of a camera, whenever it answered.
    pub fn counted(&self, camera: &str) -> Vec<Counted> {
        let counted = |sample: Sample| Some(Counted { at: sample.at, pid: sample.pid, metrics: sample.metrics.get(camera)?.clone() });
        self.samples().into_iter().filter_map(counted).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        for child in self.child.iter_mut().chain(self.check.iter_mut().map(|(child, _)| child)) {
            let _ = (child.kill(), child.wait());
        }
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid as i32).expect("an id of a process");
    // Fails if the process has just ended.
    let _ = kill_process(pid, signal);
}

fn sample(pid: u32, metrics: u16, start: Instant) -> Option<Sample> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let pages = std::fs::read_to_string(folder.join("statm")).ok()?;
    let memory_kib = pages.split(' ').nth(1)?.parse::<f64>().ok()? * rustix::param::page_size() as f64 / 1024.0;
    let count = |name: &str| std::fs::read_dir(folder.join(name)).map_or(0, Iterator::count) as f64;
    let (descriptors, threads) = (count("fd"), count("task"));
    let metrics = read_metrics(metrics).unwrap_or_default();
    Some(Sample { at: start.elapsed().as_secs_f64(), pid, memory_kib, descriptors, threads, metrics })
}

fn read_metrics(port: u16) -> Option<BTreeMap<String, BTreeMap<String, f64>>> {
    let limit = Duration::from_millis(500);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let mut all: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for line in body.lines().filter(|line| line.starts_with("emotion_")) {
        let (name, value) = line.rsplit_once(' ')?;
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let camera = labels.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(name, _)| name);
        all.entry(camera.to_owned()).or_default().insert(name.to_owned(), value.parse().ok()?);
    }
    Some(all)
}
