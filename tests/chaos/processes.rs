// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts of processes: they end when they are asked, count everything, recover, and leave nothing behind.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::account::{Account, Story, is_calm};
use crate::programs::{Counted, RESTART, Sample};
use crate::schedule::{CALM_END, Kind};
use crate::site::is_mqtt;

/// Seconds in which a program ends.
const SHUTDOWN: f64 = 10.0;
/// Seconds in which it begins: a signal may come before it listens to any.
const BEGINS: f64 = 2.0;
/// Frames that wait for the analysis at most: those of a second, and those in queues.
const WAITING: f64 = 20.0;
/// A process that lives so many seconds shows whether it grows; the first part of them is not looked at: until then, the largest pictures
/// and the most sessions at a time have been there.
const LONG_LIFE: f64 = 3000.0;
const WARM_UP: f64 = 1200.0;
/// Memory is the least of so many seconds: what a burst needs is there again for the next one.
const STEP: f64 = 300.0;
/// Growth of memory in KiB an hour.
const GROWTH: f64 = 1024.0;
/// Descriptors and threads beyond those of the first minute.
const RISE: f64 = 8.0;
/// Threads of an encoder, beyond the one that each recording has. A camera goes on with it if the command that ends hiding is lost.
const ENCODER: f64 = 4.0;
/// What a dashboard keeps of the last day, in KiB an hour: spans of 128 bytes, of 10 s of each camera, and of a second of its own source.
const OF_CAMERA: f64 = 45.0;
const OF_SOURCE: f64 = 450.0;

/// The accounts of all processes.
pub fn accounts(story: &Story) -> Vec<Account> {
    vec![ends(story), reloads(story), logs(story), counts(story), recovery(story), served(story), resources(story), files(story)]
}

fn ends(story: &Story) -> Account {
    let mut account = Account::new("programs end only when they are asked, with status 0 and within 10 s, or for want of memory");
    for (index, program) in story.programs.iter().chain([&story.dashboard]).enumerate() {
        for (number, end) in program.ends.iter().enumerate() {
            let began = number.checked_sub(1).map_or(0.0, |before| program.ends[before].at + RESTART.as_secs_f64());
            let is_new = end.at - began < BEGINS && end.failure == "signal 15";
            match end.asked {
                Some(Signal::KILL) => account.checked += 1,
                Some(_) => {
                    let is_right = is_new || end.failure.is_empty() && end.took <= SHUTDOWN || story.lacks_memory(index, end.at);
                    account.check(is_right, &program.name, end.at, || format!("it took {:.1} s to end {}", end.took, end.failure));
                }
                None => {
                    let has_none = story.lacks_memory(index, end.at);
                    account.check(has_none, &program.name, end.at, || format!("it ended by itself: {}", end.failure));
                }
            }
        }
    }
    account
}

fn reloads(story: &Story) -> Account {
    let mut account = Account::new("a right configuration is taken, and with a wrong one the program goes on");
    // What cannot be written is refused as well.
    let is_full = |at: f64, program: usize| {
        let cameras = (0..story.cameras.len()).filter(|index| story.cameras[*index].program == program);
        let mut full = cameras.flat_map(|index| story.faults_of(index)).filter(|fault| fault.kind == Kind::DiskFull);
        full.any(|fault| (fault.at.as_secs_f64()..fault.end().as_secs_f64() + 5.0).contains(&at))
    };
    for (index, program) in story.programs.iter().enumerate() {
        for reload in &program.reloads {
            let is_right = reload.is_taken != reload.is_wrong || !reload.is_taken && is_full(reload.at, index);
            account.check(is_right, &program.name, reload.at, || format!("{reload:?}"));
        }
    }
    account
}

fn logs(story: &Story) -> Account {
    let mut account = Account::new("no program panics, and GStreamer reports no critical error, but for want of memory");
    for (index, program) in story.programs.iter().chain([&story.dashboard]).enumerate() {
        let text = fs::read(&program.log).unwrap_or_default();
        let failed = program.ends.iter().filter(|end| end.asked.is_none() && story.lacks_memory(index, end.at));
        let failed: Vec<_> = failed.map(|end| format!(":{})", end.pid)).collect();
        for line in String::from_utf8_lossy(&text).lines() {
            // rtspsrc of GStreamer 1.22 says the first when it is stopped before its first frame, and the standard library the second when
            // there is no memory for a thread.
            let is_known = ["gst_event_set_seqnum", "pal/unix/stack_overflow"].iter().any(|word| line.contains(word));
            let is_bad = ["panicked at", "CRITICAL", "GLib-GObject", "poisoned"].iter().any(|word| line.contains(word));
            let lacks_memory = failed.iter().any(|pid| line.contains(pid));
            account.check(!is_bad || is_known || lacks_memory, &program.name, None, || line.to_owned());
        }
    }
    account
}

fn counts(story: &Story) -> Account {
    let mut account = Account::new("frames received are analysed, skipped or wait; messages are sent, dropped or wait");
    for (index, camera) in story.cameras.iter().enumerate() {
        let samples = story.counted(index);
        for sample in &samples {
            let waiting = waiting(sample);
            let text = || format!("{waiting} frames are neither analysed nor skipped");
            account.check((-1.0..=WAITING).contains(&waiting), &camera.name, sample.at, text);
            let publish = |name: &str| sample.get(&format!("emotion_publish_{name}"));
            let (come, gone) = (
                publish("messages_total") + publish("recovered_total"),
                publish("sent_total") + publish("queue_messages") + publish("dropped_total"),
            );
            account.check(come == gone, &camera.name, sample.at, || format!("{come} messages, of which {gone} are counted"));
        }
        for pair in samples.windows(2).filter(|pair| pair[0].pid == pair[1].pid) {
            let falls = pair[0].metrics.iter().find(|(name, value)| name.ends_with("_total") && pair[1].get(name) < **value);
            account.check(falls.is_none(), &camera.name, pair[1].at, || format!("{falls:?} falls"));
        }
        // At the end, cameras are silent: nothing waits, but for a summary of the silence that was just made.
        let last = samples.last();
        let is_settled = last.is_some_and(|last| waiting(last) == 0.0 && last.get("emotion_publish_queue_messages") <= 2.0);
        account.check(is_settled, &camera.name, story.length, || format!("something waits at the end: {last:?}"));
    }
    account
}

fn waiting(sample: &Counted) -> f64 {
    let frames = |name: &str| sample.get(&format!("emotion_frames_{name}_total"));
    frames("received") - frames("analysed") - frames("skipped")
}

fn recovery(story: &Story) -> Account {
    let mut account = Account::new("within half a minute after the last fault, sources, recordings and brokers are up again");
    let from = story.length - CALM_END.as_secs_f64() / 2.0;
    for (index, camera) in story.cameras.iter().enumerate() {
        let samples = story.counted(index);
        let calm = samples.iter().filter(|sample| sample.at > from && sample.at < story.length - 5.0);
        for sample in calm {
            for name in ["emotion_source_up", "emotion_recording_up", "emotion_publish_connected"] {
                account.check(sample.get(name) == 1.0, &camera.name, sample.at, || format!("{name} is {}", sample.get(name)));
            }
        }
    }
    account
}

/// A client of RTSP gets a picture within this many seconds.
fn served(story: &Story) -> Account {
    const APART: f64 = 3.0;
    let mut account = Account::new("a client of RTSP gets pictures while nothing disturbs");
    for (index, camera) in story.cameras.iter().enumerate() {
        for viewer in &camera.viewers {
            let (seen, spans) = (viewer.seen.lock().expect("no panic").clone(), story.disturbed(index));
            // It connects again some seconds after the program has started.
            let spans: Vec<_> = spans.into_iter().map(|(from, to)| (from, to + 8.0)).collect();
            for at in (0..story.length as u32 - 8).map(f64::from).filter(|at| is_calm(&spans, *at, at + APART)) {
                let is_served = seen.get(seen.partition_point(|seen| *seen < at)).is_some_and(|next| *next < at + APART);
                account.check(is_served, &camera.name, at, || format!("no picture for {APART} s"));
            }
        }
    }
    account
}

/// The same number of descriptors and threads at the end as in the first minute, and no growth in a long life.
fn resources(story: &Story) -> Account {
    let mut account = Account::new("memory, file descriptors and threads do not grow");
    let totals = OF_CAMERA * story.cameras.len() as f64 + OF_SOURCE;
    let may_hide = |program| (0..).zip(&story.cameras).filter(|(index, camera)| is_mqtt(*index) && camera.program == program).count();
    let limits = (0..).zip(&story.programs).map(|(index, program)| (program, GROWTH, ENCODER * may_hide(index) as f64));
    for (program, limit, encoders) in limits.chain([(&story.dashboard, GROWTH + totals, 0.0)]) {
        // A later process may have the number of an earlier one.
        for life in program.samples().chunk_by(|one, next| one.pid == next.pid) {
            let (Some(first), Some(last)) = (life.first(), life.last()) else { continue };
            let (warm, text) = (first.at + 60.0, |what: &str, from: f64, to: f64| format!("{what} from {from} to {to}"));
            let descriptors: fn(&Sample) -> f64 = |sample| sample.descriptors;
            for (what, of, rise) in [("descriptors", descriptors, RISE), ("threads", |sample| sample.threads, RISE + encoders)] {
                let (early, late): (Vec<_>, Vec<_>) = life.iter().partition(|sample| sample.at < warm);
                let early = early.into_iter().map(of).fold(0.0, f64::max);
                // What a fault needs for some seconds is none that grows.
                let late = late.into_iter().rev().take(30).map(of).reduce(f64::min).unwrap_or(early);
                account.check(late <= early + rise, &program.name, last.at, || text(what, early, late));
            }
            if last.at - first.at > LONG_LIFE {
                let growth = growth(&life[life.partition_point(|sample| sample.at < first.at + WARM_UP)..]);
                account.check(growth < limit, &program.name, last.at, || format!("memory grows by at least {growth:.0} KiB an hour"));
            }
        }
    }
    account
}

/// By how many KiB an hour the memory grows at least: the slope of its least in each step, by least squares, less two standard errors. Once,
/// where that fits best, memory may also come at once and stay, as a block does that is needed from one moment on: a leak comes again.
fn growth(samples: &[Sample]) -> f64 {
    let step = |sample: &Sample| (sample.at / STEP) as u64;
    let least: Vec<_> = samples
        .chunk_by(|one, next| step(one) == step(next))
        .map(|of_step| (step(&of_step[0]) as f64 * STEP / 3600.0, of_step.iter().map(|sample| sample.memory_kib).fold(f64::MAX, f64::min)))
        .collect();
    let fits = (0..least.len()).map(|at_once| Fit::of(&[&least[..at_once], &least[at_once..]]));
    let fits = fits.filter(|fit| fit.step.is_nan() || fit.step >= 0.0);
    fits.min_by(|one, other| one.residual.total_cmp(&other.residual)).expect("a long life").slope
}

/// Two parallel lines through two parts of a series, by least squares.
struct Fit {
    /// The sum of squared residuals.
    residual: f64,
    /// The slope less two standard errors.
    slope: f64,
    /// How much higher the second line is; NaN if the first part is empty.
    step: f64,
}

impl Fit {
    fn of(parts: &[&[(f64, f64)]; 2]) -> Self {
        let means = parts.map(|part| {
            let mean = |of: fn(&(f64, f64)) -> f64| part.iter().map(of).sum::<f64>() / part.len() as f64;
            (mean(|one| one.0), mean(|one| one.1))
        });
        let centred =
            |(part, mean): (&&[(f64, f64)], &(f64, f64))| part.iter().map(|one| (one.0 - mean.0, one.1 - mean.1)).collect::<Vec<_>>();
        let all: Vec<_> = parts.iter().zip(&means).flat_map(centred).collect();
        let spread: f64 = all.iter().map(|(at, _)| at * at).sum();
        let slope = all.iter().map(|(at, memory)| at * memory).sum::<f64>() / spread;
        let residual: f64 = all.iter().map(|(at, memory)| (memory - slope * at).powi(2)).sum();
        let [first, second] = means.map(|(at, memory)| memory - slope * at);
        Self { residual, slope: slope - 2.0 * (residual / (all.len() as f64 - 3.0) / spread).sqrt(), step: second - first }
    }
}

#[test]
fn memory_that_grows_is_found_in_what_scatters() {
    let grows = |an_hour: f64, at_once: f64| {
        let scatters = |second: u32| f64::from(second * 7919 % 4096 + second / 700 % 2 * 512);
        let steps = |second: u32| if second > 2400 { at_once } else { 0.0 };
        let memory = |second: u32| 100_000.0 + f64::from(second) / 3600.0 * an_hour + scatters(second) + steps(second);
        let sample = |second| Sample { at: f64::from(second), memory_kib: memory(second), ..Sample::default() };
        growth(&(1200..3600).step_by(2).map(sample).collect::<Vec<_>>())
    };
    let [none, leak, step, fall] = [grows(0.0, 0.0), grows(7000.0, 0.0), grows(0.0, 2048.0), grows(0.0, -4096.0)];
    assert!(none < GROWTH && leak > GROWTH && step < GROWTH && fall < GROWTH, "{none} {leak} {step} {fall}");
}

/// Only recordings, spools and their lists are left.
fn files(story: &Story) -> Account {
    let mut account = Account::new("no file is left but recordings, spools and logs");
    for camera in &story.cameras {
        let list = format!(".{}.pairs", camera.name);
        let folders = [(Some(&camera.recordings), vec![".mp4", ".ndjson", &list]), (camera.spool.as_ref(), vec![".records", "position"])];
        for (folder, ends) in folders.iter().filter_map(|(folder, ends)| Some((folder.as_ref()?, ends))) {
            for name in names(folder) {
                account.check(ends.iter().any(|end| name.ends_with(end)), &camera.name, None, || {
                    format!("{} is left", folder.join(&name).display())
                });
            }
        }
    }
    for program in &story.programs {
        let home = program.log.parent().map(names).unwrap_or_default();
        let core = home.iter().find(|name| name.starts_with("core"));
        account.check(core.is_none(), &program.name, None, || format!("{core:?}"));
    }
    account
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
