// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluates the rules regularly and publishes what has changed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gstemotion::export::Utc;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::log::{Alert, Subject};
use super::rule::Observed;
use crate::sample::Sample;
use crate::sources::registry::Registry;

/// Time between two evaluations.
const INTERVAL: Duration = Duration::from_millis(500);
/// A sample counts until this long after the end of the next one is due.
const LATENESS_MS: u64 = 3000;

/// Evaluates the rules of `registry` for ever, if it has any.
pub async fn run(registry: Arc<Registry>) {
    if !registry.with_alerts(|log| log.has_rules()) {
        return std::future::pending().await;
    }
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for alert in evaluate(&registry) {
            publish(&registry, &alert);
        }
    }
}

fn evaluate(registry: &Registry) -> Vec<Alert> {
    let now_ms = registry.now_ms();
    let mut seen = HashSet::new();
    let mut changed = Vec::new();
    for source in registry.all() {
        let sample = source.with_live(|live| live.latest.clone()).filter(|sample| is_fresh(sample, now_ms));
        let observed = Observed { offline_since: source.failing_since_ms(), sample: sample.as_ref() };
        let subject = Subject::Source(source.id);
        seen.insert(subject);
        changed.extend(registry.with_alerts(|log| log.observe(subject, &source.name, &observed, now_ms)));
    }
    for camera in registry.fleet.conditions() {
        let subject = Subject::Camera(camera.id);
        let sample = camera.sample.filter(|sample| is_fresh(sample, now_ms));
        let observed = Observed { offline_since: camera.offline_since, sample: sample.as_ref() };
        seen.insert(subject);
        changed.extend(registry.with_alerts(|log| log.observe(subject, &camera.name, &observed, now_ms)));
    }
    changed.extend(registry.with_alerts(|log| log.keep_only(&seen, now_ms)));
    changed
}

/// False if the sample after this one should have arrived, or if this one is in the future since the clock was set back.
fn is_fresh(sample: &Sample, now_ms: u64) -> bool {
    let length_ms = sample.until_ms.saturating_sub(sample.from_ms);
    sample.until_ms <= now_ms + LATENESS_MS && now_ms < sample.until_ms + length_ms + LATENESS_MS
}

fn publish(registry: &Registry, alert: &Alert) {
    let utc = |ms: u64| Utc(ms.saturating_mul(1_000_000)).to_string();
    let record = json!({
        "type": "alert",
        "version": 1,
        "stream": alert.source,
        "alert": alert.rule,
        "when": alert.when,
        "state": if alert.ended.is_some() { "ended" } else { "began" },
        "began": utc(alert.began),
        "ended": alert.ended.map(utc),
        "value": alert.value,
    });
    let record = record.to_string();
    match alert.subject {
        Subject::Camera(id) => registry.fleet.publish_alert(id, &record),
        Subject::Source(_) => registry.publish_alert(&record),
    }
    eprintln!("emotion-dashboard: alert: {record}");
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
