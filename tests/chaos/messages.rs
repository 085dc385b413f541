// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts of messages: each one arrives, once after its id and in order, and events tell what the film showed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::account::{Account, POWER_LOSES_MESSAGES, Story, is_calm};
use crate::cameras::{NUMBERS, WITH_FACE, round_of};
use crate::programs::Counted;
use crate::watched::Watched;

/// What `/metrics` calls the messages of a process.
const EXPORTED: &str = "emotion_publish_messages_total";
const DROPPED: &str = "emotion_publish_dropped_total";

/// A time that is so many seconds from most of so many before and after it has the wrong hour.
const OTHER_HOUR: f64 = 1000.0;
const AROUND: usize = 60;

/// The messages of one camera without repeats: start, count, and record.
type Ordered = Vec<(String, u64, Value)>;

/// The accounts of all messages.
pub fn accounts(story: &Story) -> Vec<Account> {
    let mut whole = Account::new("each message is a whole record with an id");
    let mut ordered = Account::new("messages of a camera arrive in order, but for repeats");
    let mut delivered = Account::new("each message arrives at least once, or is counted as dropped");
    let mut events = Account::new("while nothing disturbs, each face that comes and goes is one event each, at its time");
    for (index, camera) in story.cameras.iter().enumerate() {
        let all = unique(story, camera, &mut whole);
        look_at_order(&all, &camera.name, &mut ordered);
        look_for_missing(&all, camera, &story.counted(index), story.power_failures(index).collect(), &mut delivered);
        look_at_events(story, index, camera, &all, &mut events);
    }
    vec![whole, ordered, delivered, events, alerts(story)]
}

/// The messages of a camera by their ids, each at its first arrival.
fn unique(story: &Story, camera: &Watched, whole: &mut Account) -> Ordered {
    let (mut known, mut all) = (BTreeSet::new(), Vec::new());
    let topics = ["events", "summary"].map(|schema| format!("emotion/{}/{schema}", camera.name));
    for (_, payload) in story.messages.iter().filter(|(topic, _)| topics.contains(topic)) {
        let record = serde_json::from_str::<Value>(payload).ok();
        let id = record.as_ref().and_then(|record| record["message_id"].as_str()).and_then(|id| id.split_once('-'));
        let id = id.and_then(|(start, count)| Some((start.to_owned(), count.parse::<u64>().ok()?)));
        whole.check(id.is_some(), &camera.name, None, || payload.clone());
        all.extend(id.filter(|id| known.insert(id.clone())).zip(record.clone()).map(|((start, count), record)| (start, count, record)));
    }
    all
}

fn look_at_order(all: &Ordered, name: &str, ordered: &mut Account) {
    let mut earlier = BTreeSet::new();
    for pair in all.windows(2) {
        let [(start, count, record), (next_start, next_count, next)] = pair else { continue };
        let is_next = if start == next_start {
            count < next_count
        } else {
            earlier.insert(start);
            !earlier.contains(next_start)
        };
        let text = || format!("{next_start}-{next_count} ({}) after {start}-{count} ({})", next["utc"], record["utc"]);
        ordered.check(is_next, name, None, text);
    }
}

/// The counts that are missing below the last one of each start.
fn missing(all: &Ordered) -> Vec<(&str, Vec<u64>)> {
    let mut counts: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for (start, count, _) in all {
        counts.entry(start).or_default().insert(*count);
    }
    let below = |counts: &BTreeSet<u64>| (0..counts.last().copied().unwrap_or(0)).filter(|count| !counts.contains(count)).collect();
    counts.iter().map(|(start, counts)| (*start, below(counts))).collect()
}

fn look_for_missing(all: &Ordered, camera: &Watched, counted: &[Counted], failures: Vec<f64>, delivered: &mut Account) {
    // The last sample of each process.
    let last = || counted.chunk_by(|one, next| one.pid == next.pid).filter_map(<[Counted]>::last);
    let sum = |name: &str| last().map(|sample| sample.get(name)).sum::<f64>() as u64;
    let (exported, dropped) = (sum(EXPORTED), sum(DROPPED));
    for (start, gaps) in missing(all) {
        let text = || format!("{start} lacks {gaps:?}, with {dropped} dropped");
        delivered.check(gaps.len() as u64 <= dropped, &camera.name, None, text);
    }
    if camera.spool.is_some() {
        let text = || format!("{exported} messages before the last samples, {} arrived, {dropped} dropped", all.len());
        let lost = failures.iter().map(|at| lost_by(counted, *at)).sum::<f64>() as u64;
        delivered.check(all.len() as u64 + dropped + lost >= exported, &camera.name, None, text);
    }
    delivered.checked += all.len();
}

/// How many messages a power failure may have lost.
fn lost_by(counted: &[Counted], failure: f64) -> f64 {
    let until = |at: f64| counted.iter().rfind(|sample| sample.at < at);
    let Some(last) = until(failure) else { return 0.0 };
    let synced = until(last.at - POWER_LOSES_MESSAGES).filter(|sample| sample.pid == last.pid);
    last.get(EXPORTED) - synced.map_or(0.0, |sample| sample.get(EXPORTED))
}

fn look_at_events(story: &Story, index: usize, camera: &Watched, all: &Ordered, events: &mut Account) {
    let ends = story.ends(index).filter(|_| camera.spool.is_none()).map(|end| (story.unsent(index, end.at), end.at));
    let failures = story.power_failures(index).map(|at| (at - POWER_LOSES_MESSAGES, at));
    let spans: Vec<_> = story.disturbed(index).into_iter().chain(story.misdated(index)).chain(ends).chain(failures).collect();
    let times = |kind: &str| -> Vec<f64> {
        let of_kind = all.iter().filter(|(_, _, record)| record["type"] == kind);
        without_other_hours(of_kind.filter_map(|(_, _, record)| story.since_start(record["utc"].as_str()?)).collect(), |time| *time)
    };
    let (appeared, left, changed) = (times("appeared"), times("left"), times("expression"));
    let (tolerance, skipped) = (story.tolerance(index), story.skipped(index));
    let near = |times: &[f64], at: f64| times.iter().filter(|time| (**time - at).abs() < tolerance(at)).count();
    for number in (0..story.shown.len() as u32).map(|number| number + NUMBERS * index as u32) {
        let at = story.shown_at(number);
        if !is_calm(&spans, at - 2.0, at + 4.0) || at + 9.0 > story.length {
            continue;
        }
        let count = match round_of(number) {
            0 => Some(("appeared", near(&appeared, at))),
            WITH_FACE => Some(("left", near(&left, at))),
            _ => None,
        };
        if let Some((kind, count)) = count {
            // A face is followed over frames that a busy machine skips, or is another one after them.
            let text = || format!("{count} times {kind} at frame {number}");
            events.check_unless(skipped(at - 2.0, at + 4.0) > 0.0, count == 1, &camera.name, at, text);
        }
        if round_of(number) == 1 && is_calm(&spans, at, at + 9.0) {
            let count = changed.iter().filter(|time| (at - tolerance(at)..at + 8.0).contains(time)).count();
            let text = || format!("no expression after frame {number}");
            events.check_unless(skipped(at, at + 9.0) > 0.0, count > 0, &camera.name, at, text);
        }
    }
}

/// What happened at `time`, in order of the messages, except that of a clock that was an hour ahead or behind.
pub fn without_other_hours<T>(all: Vec<T>, time: impl Fn(&T) -> f64) -> Vec<T> {
    let times: Vec<f64> = all.iter().map(time).collect();
    let median = |index: usize| {
        let mut around = times[index.saturating_sub(AROUND)..(index + AROUND + 1).min(times.len())].to_vec();
        around.sort_by(f64::total_cmp);
        around[around.len() / 2]
    };
    let is_near = |index: usize| (times[index] - median(index)).abs() < OTHER_HOUR;
    all.into_iter().enumerate().filter(|(index, _)| is_near(*index)).map(|(_, one)| one).collect()
}

/// Alerts begin and end in turn. A dashboard that was killed does not know what it has begun.
fn alerts(story: &Story) -> Account {
    let mut account = Account::new("alerts end before they begin again, unless the dashboard was ended");
    let restarts = story.dashboard.ends.len().saturating_sub(1);
    let (mut active, mut again): (BTreeMap<(String, String), bool>, BTreeMap<String, usize>) = Default::default();
    let mut known = BTreeSet::new();
    for (topic, payload) in story.messages.iter().filter(|(topic, _)| topic.ends_with("/alerts")) {
        let alert = serde_json::from_str::<Value>(payload).unwrap_or_default();
        if !known.insert(alert["message_id"].to_string()) {
            continue;
        }
        let (key, begins) = ((topic.clone(), alert["alert"].to_string()), alert["state"] == "began");
        let was = active.insert(key, begins);
        if was == Some(begins) || was.is_none() && !begins {
            *again.entry(topic.clone()).or_default() += 1;
        }
        account.checked += 1;
    }
    for (topic, count) in again {
        // Three alerts a camera can each be begun once more.
        account.check(count <= 3 * restarts, &topic, None, || format!("{count} of one kind in a row, and {restarts} restarts"));
    }
    account
}

#[test]
fn times_of_another_hour_are_left_out() {
    let times = |from: u32, to: u32, ahead: f64| (from..to).map(move |round| f64::from(round) * 12.0 + ahead);
    let seen: Vec<_> = times(0, 50, 0.0).chain(times(50, 53, 3600.0)).chain(times(53, 400, 0.0)).chain(times(400, 402, -3600.0)).collect();
    assert_eq!(without_other_hours(seen, |time| *time), times(0, 50, 0.0).chain(times(53, 400, 0.0)).collect::<Vec<_>>());
}

#[test]
fn what_is_missing_or_in_another_order_is_found() {
    let all = |ids: &[(&str, u64)]| -> Ordered { ids.iter().map(|(start, count)| ((*start).into(), *count, Value::Null)).collect() };
    let findings = |ids: &[(&str, u64)]| {
        let mut ordered = Account::new("");
        look_at_order(&all(ids), "door", &mut ordered);
        ordered.findings.len()
    };
    let right = [("a", 0), ("a", 1), ("b", 0), ("b", 2)];
    assert_eq!(missing(&all(&right)), [("a", vec![]), ("b", vec![1])]);
    assert_eq!(findings(&right), 0);
    assert_eq!(findings(&[("a", 0), ("a", 2), ("a", 1)]), 1);
    assert_eq!(findings(&[("a", 0), ("b", 0), ("a", 1)]), 1, "an earlier process after a later one");
}
