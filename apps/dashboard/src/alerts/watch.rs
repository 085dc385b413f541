// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluates the rules regularly and publishes what has changed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use emotion_core::export::Utc;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::log::{Alert, Log, Subject};
use super::rule::{Observed, Rule};
use crate::fleet::{Address, AlertPublisher, Condition, Fleet};
use crate::sample::Sample;
use crate::sources::registry::Registry;

/// Time between two evaluations.
const INTERVAL: Duration = Duration::from_millis(500);
/// A sample counts until this long after the end of the next one is due.
const LATENESS_MS: u64 = 3000;

/// The alerts about sources and cameras.
pub struct Alerts {
    log: Mutex<Log>,
    /// Publishes alerts of this program's own sources.
    publisher: Option<AlertPublisher>,
}

impl Alerts {
    /// No alerts yet. `publisher` is for those of this program's own sources.
    pub fn new(rules: Vec<Rule>, publisher: Option<AlertPublisher>) -> Self {
        Self { log: Mutex::new(Log::new(rules)), publisher }
    }

    /// The newest alerts as JSON, if their version is not `version`; with their version.
    pub fn unless_version(&self, version: Option<u64>) -> Option<(u64, Value)> {
        let log = self.log.lock();
        (version != Some(log.version)).then(|| (log.version, json!(log.alerts().collect::<Vec<_>>())))
    }

    /// Evaluates the rules for ever, if there are any, and publishes what has changed.
    pub async fn run(&self, sources: &Registry, fleet: &Fleet) {
        if !self.log.lock().has_rules() {
            return std::future::pending().await;
        }
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // With those of the last time: an alert ends when its camera is removed.
        let mut known = HashMap::new();
        loop {
            ticks.tick().await;
            let conditions = fleet.conditions();
            let addresses = conditions.iter().map(|camera| (camera.id, camera.address.clone())).collect();
            let before = std::mem::replace(&mut known, addresses);
            for alert in self.evaluate(sources, conditions, sources.now_ms()) {
                self.publish(fleet, |id| known.get(&id).or_else(|| before.get(&id)), &alert);
            }
        }
    }

    /// Returns the alerts that have begun or ended.
    fn evaluate(&self, sources: &Registry, cameras: Vec<Condition>, now_ms: u64) -> Vec<Alert> {
        let mut seen = HashSet::new();
        let mut changed = Vec::new();
        let mut observe = |subject: Subject, name: &str, offline_since: Option<u64>, sample: Option<Sample>| {
            let sample = sample.filter(|sample| is_fresh(sample, now_ms));
            let observed = Observed { offline_since, sample: sample.as_ref() };
            seen.insert(subject);
            changed.extend(self.log.lock().observe(subject, name, &observed, now_ms));
        };
        for source in sources.all() {
            let sample = source.with_live(|live| live.latest.clone());
            observe(Subject::Source(source.id), &source.name, source.failing_since_ms(), sample);
        }
        for camera in cameras {
            observe(Subject::Camera(camera.id), &camera.name, camera.offline_since, camera.sample);
        }
        changed.extend(self.log.lock().keep_only(&seen, now_ms));
        changed
    }

    /// Publishes an alert of a camera below the camera's own topic, and one of a source if the configuration says where.
    fn publish<'a>(&self, fleet: &Fleet, address: impl Fn(u32) -> Option<&'a Address>, alert: &Alert) {
        let record = record(alert).to_string();
        match alert.subject {
            Subject::Camera(id) => address(id).into_iter().for_each(|address| fleet.publish_alert(address, &record)),
            Subject::Source(_) => self.publisher.iter().for_each(|publisher| publisher.publish("", &record)),
        }
        eprintln!("emotion-dashboard: alert: {record}");
    }
}

/// False if the sample after this one should have arrived, or if this one is in the future since the clock was set back.
fn is_fresh(sample: &Sample, now_ms: u64) -> bool {
    let length_ms = sample.until_ms.saturating_sub(sample.from_ms);
    sample.until_ms <= now_ms + LATENESS_MS && now_ms < sample.until_ms + length_ms + LATENESS_MS
}

/// The record that is published for an alert.
fn record(alert: &Alert) -> Value {
    let utc = |ms: u64| Utc(ms.saturating_mul(1_000_000)).to_string();
    json!({
        "type": "alert",
        "version": 1,
        "stream": alert.source,
        "alert": alert.rule,
        "when": alert.when,
        "state": if alert.ended.is_some() { "ended" } else { "began" },
        "began": utc(alert.began),
        "ended": alert.ended.map(utc),
        "value": alert.value,
        "count": alert.count,
        "first": utc(alert.first),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_counts_until_the_next_one_is_late_and_not_from_the_future() {
        let sample = Sample { from_ms: 10_000, until_ms: 11_000, ..Sample::default() };
        for (now_ms, expected) in [(11_000, true), (10_500, true), (14_999, true), (15_000, false), (7_999, false)] {
            assert_eq!(is_fresh(&sample, now_ms), expected, "{now_ms}");
        }
    }
}
