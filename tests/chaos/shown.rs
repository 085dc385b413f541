// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts of what clients of the dashboard saw: totals of the fleet, alerts, and records by `/v1`, against the film and what cameras
//! have published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use serde_json::Value;

use crate::account::{Account, Story, is_calm};
use crate::cameras::{NUMBERS, RATE, ROUND, WITH_FACE, film, round_of};
use crate::messages::without_other_hours;
use crate::recordings::{ENOUGH, distance};

/// Seconds until the page shows what has happened: a summary covers a second, and the page looks each second.
const SHOWS: f64 = 5.0;
/// A face comes into the counts, and goes out of them, within so many frames.
const LINGERS: u32 = 7;
/// Seconds from what a film shows to the time of an alert: a summary covers a second, and a face that has gone stays for another one.
const RAISED: f64 = 3.5;
/// Seconds of a span of the timeline.
const SPAN: u64 = 10;
/// Means are rounded to so much.
const ROUNDED: f64 = 0.006;
/// A span is the mean of some ten summaries, of which one at its edge may belong to the next one. What a camera has shown altogether is exact to
/// this.
const EDGE: f64 = 0.21;
const EXACT: f64 = 0.02;

/// A record of the schema `summary`: begin and end in seconds from the start, mean and maximum number of faces.
type Summary = (f64, f64, f64, u64);

/// The accounts of the dashboard.
pub fn accounts(story: &Story) -> Vec<Account> {
    let mut counts = Account::new("while nothing disturbs, a summary counts the faces of the film");
    let mut page = Account::new("the page of the fleet shows what cameras have published, and while nothing disturbs the newest of it");
    let mut sums = Account::new("the timeline of the fleet is the mean of what cameras have published while nothing disturbs");
    let mut alerts = Account::new("while nothing disturbs, each time without a face is one alert that begins and ends at its time");
    for (index, camera) in story.cameras.iter().enumerate() {
        let all = summaries(story, &camera.name);
        look_at_counts(story, index, &all, &mut counts);
        if story.unseen(index).is_none() {
            continue;
        }
        look_at_page(story, index, &all, &mut page);
        look_at_timeline(story, index, &all, &mut sums);
        look_at_alerts(story, index, &mut alerts);
    }
    vec![counts, page, sums, alerts, followed(story)]
}

fn summaries(story: &Story, name: &str) -> Vec<Summary> {
    let (topic, mut known) = (format!("emotion/{name}/summary"), BTreeSet::new());
    let records = story.messages.iter().filter(|(of, _)| *of == topic).filter_map(|(_, text)| serde_json::from_str::<Value>(text).ok());
    let new = records.filter(|record| known.insert(record["message_id"].to_string()));
    let summary = |record: Value| {
        let from = story.since_start(record["utc"].as_str()?)?;
        Some((from, from + record["duration"].as_f64()? / 1e9, record["faces_mean"].as_f64()?, record["faces_max"].as_u64()?))
    };
    without_other_hours(new.filter_map(summary).collect(), |(from, ..)| *from)
}

fn look_at_counts(story: &Story, index: usize, all: &[Summary], account: &mut Account) {
    let (spans, skipped) = ([story.disturbed(index), story.misdated(index)].concat(), story.skipped(index));
    for (from, to, mean, _) in all {
        if !is_calm(&spans, from - 3.0, to + 3.0) {
            continue;
        }
        let round = |at: f64| round_of((at * f64::from(RATE)).round() as u32 + NUMBERS * index as u32);
        let expected = match (round(*from), round(*to)) {
            (first, last) if first <= last && (LINGERS..WITH_FACE - 3).contains(&first) && last < WITH_FACE - 3 => 1.0,
            (first, last) if first <= last && (WITH_FACE + LINGERS..ROUND - 3).contains(&first) && last < ROUND - 3 => 0.0,
            _ => continue,
        };
        let text = || format!("{mean} faces instead of {expected}");
        account.check_unless(skipped(*from, *to) > 0.0, *mean == expected, &story.cameras[index].name, *from, text);
    }
}

fn look_at_page(story: &Story, index: usize, all: &[Summary], account: &mut Account) {
    let name = &story.cameras[index].name;
    let (mut misdated, unseen) = (story.misdated(index), story.unseen(index).unwrap_or_default());
    misdated.extend(story.disturbed(index));
    let start_ms = story.start.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0);
    let shown: Vec<_> = story.page.iter().filter(|(_, camera)| camera["name"] == **name && camera["totals"].is_object()).collect();
    for (at, camera) in &shown {
        let totals = &camera["totals"];
        let (from, mean) = ((totals["from"].as_f64().unwrap_or(0.0) - start_ms) / 1000.0, totals["faces_mean"].as_f64().unwrap_or(-1.0));
        let is_same = |summary: &&Summary| (summary.2 - mean).abs() < ROUNDED && Some(summary.3) == totals["faces_max"].as_u64();
        // A summary that is dated in the future has the time of its arrival.
        let is_there = all.iter().filter(is_same).any(|summary| (summary.0 - from).abs() < 2.0);
        account.check(is_there || !is_calm(&misdated, *at, *at), name, *at, || format!("it has not published {totals}"));
    }
    for at in (0..story.length as u32).map(f64::from).filter(|at| is_calm(&unseen, at - SHOWS, *at)) {
        let last = shown[..shown.partition_point(|(shown, _)| *shown <= at)].last().map_or(0.0, |(at, _)| *at);
        account.check(at - last <= SHOWS, name, at, || format!("the page shows what is {:.1} s old", at - last));
    }
}

fn look_at_timeline(story: &Story, index: usize, all: &[Summary], account: &mut Account) {
    let name = &story.cameras[index].name;
    let mut spans = story.unseen(index).unwrap_or_default();
    spans.extend(story.misdated(index));
    // The dashboard has forgotten what was before it was started.
    spans.extend(story.dashboard.ends.iter().rev().skip(1).map(|end| (0.0, end.at)));
    let start = story.start.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut means: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (from, to, mean, _) in all {
        // As the dashboard counts: whole milliseconds, and each second that has begun.
        let (from_ms, to_ms) = (((from + start) * 1000.0) as u64, ((to + start) * 1000.0) as u64);
        let (first, length) = (from_ms / 1000, (to_ms - from_ms).div_ceil(1000));
        for at in (first - first % SPAN..first + length.max(1)).step_by(SPAN as usize) {
            means.entry(at).or_default().push(*mean);
        }
    }
    let (mut sums, mut count) = ([0.0; 2], 0);
    for (at, mean) in story.timelines.get(name).into_iter().flatten() {
        let since = *at as f64 - start;
        if is_calm(&spans, since - 5.0, since + SPAN as f64 + 5.0) {
            let own = means.get(at).map_or(0.0, |means| means.iter().sum::<f64>() / means.len() as f64);
            account.check((own - mean).abs() < EDGE, name, since, || format!("{mean} faces instead of {own:.3}, of {:?}", means.get(at)));
            (sums, count) = ([sums[0] + own, sums[1] + mean], count + 1);
        }
    }
    let [own, shown] = sums.map(|sum| sum / f64::from(count.max(1)));
    let text = || format!("{shown:.3} faces in {count} spans instead of {own:.3}");
    account.check(count < 10 || (own - shown).abs() < EXACT, name, None, text);
}

fn look_at_alerts(story: &Story, index: usize, account: &mut Account) {
    let name = &story.cameras[index].name;
    let mut spans = [story.disturbed(index), story.misdated(index)].concat();
    spans.extend(story.unseen(index).into_iter().flatten());
    let skipped = story.skipped(index);
    let (topic, mut known) = (format!("emotion/{name}/alerts"), BTreeSet::new());
    let records = story.messages.iter().filter(|(of, _)| *of == topic).filter_map(|(_, text)| serde_json::from_str::<Value>(text).ok());
    let records: Vec<_> = records.filter(|record| record["alert"] == "empty" && known.insert(record["message_id"].to_string())).collect();
    let times = |state: &str| -> Vec<f64> {
        let of_state = records.iter().filter(|record| record["state"] == state);
        of_state.filter_map(|record| story.since_start(record[state].as_str()?)).collect()
    };
    for (state, moment) in [("began", WITH_FACE), ("ended", 0)] {
        let times = times(state);
        for number in (0..story.shown.len() as u32).map(|number| number + NUMBERS * index as u32).filter(|n| round_of(*n) == moment) {
            let at = story.shown_at(number);
            if is_calm(&spans, at - 10.0, at + 12.0) && at + 14.0 < story.length {
                let count = times.iter().filter(|time| (at - 1.2..at + RAISED).contains(*time)).count();
                let text = || format!("{count} alerts {state}");
                account.check_unless(skipped(at - 2.0, at + 4.0) > 0.0, count == 1, name, at, text);
            }
        }
    }
}

/// The dashboard's own source is the camera after those of programs.
fn followed(story: &Story) -> Account {
    const APART: f64 = 3.0;
    let mut account = Account::new("a client of /v1 gets records of faces where they are, while nothing disturbs");
    let (film, mut sums, mut compared, spans) = (film(), [0.0; 3], 0, story.unfollowed());
    let number = |at: f64| (at * f64::from(RATE)).round() as u32 + NUMBERS * story.cameras.len() as u32;
    for at in (0..story.length as u32 - 8).map(f64::from).filter(|at| is_calm(&spans, at - 1.0, at + APART)) {
        let [first, last] = [at, at + APART].map(|at| round_of(number(at)));
        if first <= last && first >= LINGERS && last < WITH_FACE {
            let next = story.followed.get(story.followed.partition_point(|(got, _)| *got < at));
            account.check(next.is_some_and(|(got, _)| *got < at + APART), "dashboard", at, || format!("no record for {APART} s"));
        }
    }
    for (at, record) in story.followed.iter().filter(|(at, _)| is_calm(&spans, at - 2.0, *at)) {
        let Some(taken) = record["utc"].as_str().and_then(|utc| story.since_start(utc)) else {
            account.check(false, "dashboard", *at, || record.to_string());
            continue;
        };
        account.check((-0.5..2.0).contains(&(at - taken)), "dashboard", *at, || format!("a record of {taken:.1} s"));
        let number = number(taken);
        if round_of(number) < WITH_FACE {
            let places = [5, 0, -5].map(|off| number.saturating_add_signed(off));
            compared += 1;
            places.iter().zip(&mut sums).for_each(|(place, sum)| *sum += distance(&film, *place, record));
        }
    }
    let [later, own, earlier] = sums;
    let text = || format!("faces are nearer to their places a second off: {earlier:.4} before, {own:.4}, {later:.4} after");
    account.check(compared < ENOUGH || own < later && own < earlier, "dashboard", None, text);
    account
}
