// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which rules hold for which sources, and the alerts that came of it.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Serialize;

use super::rule::{Observed, Rule};

/// An alert ends when its condition has not held for this long. Otherwise one that flickers would raise it again and again.
const QUIET_MS: u64 = 5000;
/// An alert that begins this soon after the last one of the same rule and subject ended continues that one.
const GROUPING_MS: u64 = 300_000;
/// Maximum number of alerts that are remembered.
const MAX_ALERTS: usize = 100;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A source of this program, by its id.
    Source(u32),
    /// A camera of the fleet, by its id.
    Camera(u32),
}

/// An alert, as the page receives it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// From 1, never reused.
    pub id: u64,
    /// What it is about.
    pub subject: Subject,
    /// The name of that.
    pub source: String,
    /// The name of the rule.
    pub rule: String,
    /// Its condition.
    pub when: String,
    /// Since when the condition held, the last time, in milliseconds since 1970.
    pub began: u64,
    /// Since when it no longer held; `None` while it does.
    pub ended: Option<u64>,
    /// The value that raised it, the last time; `None` if the condition has no value.
    pub value: Option<f64>,
    /// How many times it was raised.
    pub count: u64,
    /// Since when the condition held, the first time.
    pub first: u64,
}

/// The rules and the newest alerts.
#[derive(Debug, Default)]
pub struct Log {
    rules: Vec<Rule>,
    progress: HashMap<(usize, Subject), Progress>,
    /// The newest one last. Active ones are never dropped.
    alerts: VecDeque<Alert>,
    last_id: u64,
    /// Incremented when an alert begins or ends.
    pub version: u64,
}

/// How far a rule has come with a source.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Begin of the time in which the condition has held.
    since_ms: Option<u64>,
    /// Since when it does not hold while an alert is active.
    quiet_since_ms: Option<u64>,
    active: Option<u64>,
}

impl Progress {
    /// Without times after `now_ms`: the clock was set back, and the time to hold starts over.
    fn until(self, now_ms: u64) -> Self {
        let past = |ms: &u64| *ms <= now_ms;
        Self { since_ms: self.since_ms.filter(past), quiet_since_ms: self.quiet_since_ms.filter(past), ..self }
    }
}

impl Log {
    /// A log of these rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// True if there is a rule.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The alerts that are remembered, the oldest first.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter()
    }

    /// Evaluates all rules for one source. Returns the alerts that have begun or ended.
    pub fn observe(&mut self, subject: Subject, source: &str, observed: &Observed<'_>, now_ms: u64) -> Vec<Alert> {
        let mut changed = Vec::new();
        for index in 0..self.rules.len() {
            if !self.rules[index].is_for(source) {
                continue;
            }
            let holding = self.rules[index].condition.holds(observed, now_ms);
            let mut progress = self.progress.get(&(index, subject)).copied().unwrap_or_default().until(now_ms);
            match (holding, progress.active) {
                (Some(holding), active) => {
                    let since_ms = *progress.since_ms.get_or_insert(holding.from_ms);
                    progress.quiet_since_ms = None;
                    if active.is_none() && holding.until_ms.saturating_sub(since_ms) >= self.rules[index].hold_ms {
                        let alert = self.begin(index, subject, source, since_ms, holding.value);
                        progress.active = Some(alert.id);
                        changed.push(alert);
                    }
                }
                (None, None) => progress.since_ms = None,
                (None, Some(id)) => {
                    let quiet_since_ms = *progress.quiet_since_ms.get_or_insert(now_ms);
                    if now_ms.saturating_sub(quiet_since_ms) >= QUIET_MS {
                        changed.extend(self.end(id, quiet_since_ms));
                        progress = Progress::default();
                    }
                }
            }
            self.progress.insert((index, subject), progress);
        }
        changed
    }

    /// Ends the alerts of sources that are gone, and forgets the sources. Returns the alerts that have ended.
    pub fn keep_only(&mut self, subjects: &HashSet<Subject>, now_ms: u64) -> Vec<Alert> {
        let gone: Vec<u64> = self
            .progress
            .iter()
            .filter(|((_, subject), _)| !subjects.contains(subject))
            .filter_map(|(_, progress)| progress.active)
            .collect();
        self.progress.retain(|(_, subject), _| subjects.contains(subject));
        gone.into_iter().filter_map(|id| self.end(id, now_ms)).collect()
    }

    /// Begins an alert, or continues the last one of the same rule and subject if that ended a short time before.
    fn begin(&mut self, rule: usize, subject: Subject, source: &str, began: u64, value: Option<f64>) -> Alert {
        self.version += 1;
        let alert = match self.take_recent(rule, subject, began) {
            Some(earlier) => Alert { began, ended: None, value, count: earlier.count + 1, ..earlier },
            None => {
                self.last_id += 1;
                let (name, when) = (self.rules[rule].name.clone(), self.rules[rule].condition.to_string());
                let source = source.to_owned();
                Alert { id: self.last_id, subject, source, rule: name, when, began, ended: None, value, count: 1, first: began }
            }
        };
        self.alerts.push_back(alert.clone());
        if self.alerts.len() > MAX_ALERTS
            && let Some(oldest) = self.alerts.iter().position(|alert| alert.ended.is_some())
        {
            self.alerts.remove(oldest);
        }
        alert
    }

    /// Removes the last alert of this rule and subject if it ended a short time before `began`.
    fn take_recent(&mut self, rule: usize, subject: Subject, began: u64) -> Option<Alert> {
        let Rule { name, condition, .. } = &self.rules[rule];
        let when = condition.to_string();
        let is_same = |alert: &Alert| alert.subject == subject && alert.rule == *name && alert.when == when;
        let last = self.alerts.iter().rposition(is_same)?;
        let is_recent = self.alerts[last].ended.is_some_and(|ended| began.abs_diff(ended) < GROUPING_MS);
        if is_recent { self.alerts.remove(last) } else { None }
    }

    fn end(&mut self, id: u64, ended: u64) -> Option<Alert> {
        let alert = self.alerts.iter_mut().find(|alert| alert.id == id)?;
        alert.ended = Some(ended);
        self.version += 1;
        Some(alert.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    const DOOR: Subject = Subject::Camera(1);

    fn log(text: &str) -> Log {
        Log::new(vec![toml::from_str(text).unwrap()])
    }

    /// Observes `faces` in the second that ends at `until_ms`.
    fn observe(log: &mut Log, until_ms: u64, faces: f64) -> Vec<(u64, Option<u64>)> {
        let sample = Sample { from_ms: until_ms - 1000, until_ms, faces, scores: Vec::new() };
        let observed = Observed { offline_since: None, sample: Some(&sample) };
        log.observe(DOOR, "door", &observed, until_ms).into_iter().map(|alert| (alert.began, alert.ended)).collect()
    }

    #[test]
    fn an_alert_begins_once_the_condition_has_held_and_ends_once() {
        let mut log = log("when = \"faces > 3\"\nfor = 3");
        assert!(observe(&mut log, 10_000, 4.0).is_empty() && observe(&mut log, 11_000, 4.0).is_empty());
        assert_eq!(observe(&mut log, 12_000, 4.0), [(9000, None)], "three seconds");
        assert!(observe(&mut log, 13_000, 4.0).is_empty(), "only once");
        assert!(observe(&mut log, 14_000, 1.0).is_empty() && observe(&mut log, 15_000, 4.0).is_empty(), "a flicker");
        for at in 16..21 {
            assert!(observe(&mut log, at * 1000, 1.0).is_empty());
        }
        assert_eq!(observe(&mut log, 21_000, 1.0), [(9000, Some(16_000))]);
        assert_eq!((log.alerts().count(), log.version), (1, 2));
    }

    #[test]
    fn a_condition_that_stops_starts_over() {
        let mut log = log("when = \"faces > 3\"\nfor = 3");
        for (at, faces) in [(10, 4.0), (11, 4.0), (12, 3.0), (13, 4.0), (14, 4.0)] {
            assert!(observe(&mut log, at * 1000, faces).is_empty());
        }
        assert_eq!(observe(&mut log, 15_000, 4.0), [(12_000, None)]);
    }

    #[test]
    fn alerts_begin_and_end_after_the_clock_was_set_back() {
        let mut log = log("when = \"faces > 3\"\nfor = 3");
        assert!(observe(&mut log, 9_000_000, 4.0).is_empty());
        assert!(observe(&mut log, 10_000, 4.0).is_empty() && observe(&mut log, 11_000, 4.0).is_empty());
        assert_eq!(observe(&mut log, 12_000, 4.0), [(9000, None)]);
        assert!(observe(&mut log, 9_000_000, 1.0).is_empty());
        assert!((20..25).all(|at| observe(&mut log, at * 1000, 1.0).is_empty()));
        assert_eq!(observe(&mut log, 25_000, 1.0), [(9000, Some(20_000))]);
    }

    #[test]
    fn alerts_that_follow_each_other_are_one_with_a_count() {
        let mut log = log("when = \"faces > 3\"");
        // The condition holds for a second of each ten.
        for at in 1..=30 {
            observe(&mut log, at * 1000, if at % 10 == 1 { 4.0 } else { 1.0 });
        }
        let alerts: Vec<_> = log.alerts().map(|alert| (alert.id, alert.count, alert.first, alert.began, alert.ended)).collect();
        assert_eq!(alerts, [(1, 3, 0, 20_000, Some(22_000))]);
        let other = Sample { from_ms: 30_000, until_ms: 31_000, faces: 4.0, scores: Vec::new() };
        let gate = log.observe(Subject::Camera(2), "gate", &Observed { offline_since: None, sample: Some(&other) }, 31_000);
        assert_eq!((gate[0].id, gate[0].count), (2, 1), "another camera");
        assert_eq!(observe(&mut log, 22_000 + GROUPING_MS + 1000, 4.0), [(22_000 + GROUPING_MS, None)]);
        assert_eq!(log.alerts().last().map(|alert| (alert.id, alert.count)), Some((3, 1)), "a long time later");
    }

    #[test]
    fn the_alert_of_a_source_that_is_gone_ends() {
        let mut log = log("when = \"offline\"");
        let offline = Observed { offline_since: Some(500), sample: None };
        assert_eq!(log.observe(DOOR, "door", &offline, 600).len(), 1);
        assert!(log.keep_only(&HashSet::from([DOOR]), 700).is_empty());
        assert_eq!(log.keep_only(&HashSet::new(), 800)[0].ended, Some(800));
        assert!(log.progress.is_empty());
    }

    #[test]
    fn the_number_of_alerts_is_limited_and_active_ones_stay() {
        let mut log = log("when = \"offline\"");
        let offline = Observed { offline_since: Some(1), sample: None };
        log.observe(Subject::Camera(0), "first", &offline, 1);
        for number in 1..300 {
            log.observe(Subject::Camera(number), "other", &offline, 1);
            log.keep_only(&HashSet::from([Subject::Camera(0)]), 2);
        }
        assert_eq!(log.alerts().count(), MAX_ALERTS);
        assert_eq!(log.alerts().next().map(|alert| (alert.id, alert.ended)), Some((1, None)));
    }
}
