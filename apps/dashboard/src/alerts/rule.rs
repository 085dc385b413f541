// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules of alerts.

use std::fmt;

use serde::Deserialize;

use crate::sample::Sample;

/// Longest time that a condition may have to hold, in seconds: an hour.
const MAX_HOLD_S: f64 = 3600.0;

/// A rule as the configuration spells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    /// Its name; without it, the condition is the name.
    name: Option<String>,
    /// The condition, such as `faces > 3`.
    when: String,
    /// How long the condition has to hold, in seconds.
    #[serde(default, rename = "for")]
    hold_s: f64,
    /// Names of the sources and cameras that it is for; an empty list means all.
    #[serde(default)]
    sources: Vec<String>,
}

/// The reason for which a text is not a rule.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    #[error("when = {0:?}: expected faces > NUMBER, LABEL > SCORE, the same with <, or offline")]
    Condition(String),
    #[error("when = {0:?}: expected a score of 0 to 1")]
    Score(String),
    #[error("for = {0}: expected 0 to {MAX_HOLD_S} seconds")]
    Hold(f64),
}

/// A condition that has to hold for a time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RuleText")]
pub struct Rule {
    pub name: String,
    /// What has to hold.
    pub condition: Condition,
    /// For how long, in milliseconds.
    pub hold_ms: u64,
    /// The sources that it is for; an empty list means all.
    pub sources: Vec<String>,
}

/// What has to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A quantity is above a limit.
    Above(Quantity, f64),
    /// A quantity is below a limit.
    Below(Quantity, f64),
    /// The camera is offline, or the source fails.
    Offline,
}

/// What a sample is measured by.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantity {
    /// The mean number of faces per frame.
    Faces,
    /// The mean score of a label over the faces.
    Score(String),
}

/// What is known about a source at some moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed<'a> {
    /// Since when it is offline, in milliseconds since 1970; `None` if it is not.
    pub offline_since: Option<u64>,
    /// Its newest totals, unless they are too old.
    pub sample: Option<&'a Sample>,
}

/// That a condition holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holding {
    /// The begin of the stretch in which it holds, in milliseconds since 1970.
    pub from_ms: u64,
    /// Its end.
    pub until_ms: u64,
    /// The quantity; `None` for [`Condition::Offline`].
    pub value: Option<f64>,
}

impl TryFrom<RuleText> for Rule {
    type Error = RuleError;

    fn try_from(text: RuleText) -> Result<Self, RuleError> {
        let condition = Condition::parse(&text.when)?;
        if !(0.0..=MAX_HOLD_S).contains(&text.hold_s) {
            return Err(RuleError::Hold(text.hold_s));
        }
        let name = text.name.unwrap_or_else(|| condition.to_string());
        Ok(Self { name, condition, hold_ms: (text.hold_s * 1000.0) as u64, sources: text.sources })
    }
}

impl Rule {
    /// True if the rule is for this source.
    pub fn is_for(&self, source: &str) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|name| name == source)
    }
}

impl Condition {
    fn parse(text: &str) -> Result<Self, RuleError> {
        let wrong = || RuleError::Condition(text.to_owned());
        if text.trim() == "offline" {
            return Ok(Self::Offline);
        }
        let at = text.find(['<', '>']).ok_or_else(wrong)?;
        let (name, number) = (text[..at].trim(), text[at + 1..].trim());
        let limit: f64 = number.parse().ok().filter(|limit: &f64| limit.is_finite()).ok_or_else(wrong)?;
        let quantity = match name {
            "faces" => Quantity::Faces,
            label if !label.is_empty() && !label.contains(char::is_whitespace) => Quantity::Score(label.to_owned()),
            _ => return Err(wrong()),
        };
        if matches!(quantity, Quantity::Score(_)) && !(0.0..=1.0).contains(&limit) {
            return Err(RuleError::Score(text.to_owned()));
        }
        Ok(if text[at..].starts_with('>') { Self::Above(quantity, limit) } else { Self::Below(quantity, limit) })
    }

    /// Whether it holds, and for which stretch of time.
    pub fn holds(&self, observed: &Observed<'_>, now_ms: u64) -> Option<Holding> {
        let (quantity, is_met): (_, &dyn Fn(f64) -> bool) = match self {
            Self::Offline => return observed.offline_since.map(|from_ms| Holding { from_ms, until_ms: now_ms, value: None }),
            Self::Above(quantity, limit) => (quantity, &|value| value > *limit),
            Self::Below(quantity, limit) => (quantity, &|value| value < *limit),
        };
        let sample = observed.sample?;
        let value = match quantity {
            Quantity::Faces => sample.faces,
            Quantity::Score(label) => sample.score(label)?,
        };
        is_met(value).then_some(Holding { from_ms: sample.from_ms, until_ms: sample.until_ms, value: Some(value) })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |quantity: &Quantity| match quantity {
            Quantity::Faces => "faces".to_owned(),
            Quantity::Score(label) => label.clone(),
        };
        match self {
            Self::Above(quantity, limit) => write!(f, "{} > {limit}", name(quantity)),
            Self::Below(quantity, limit) => write!(f, "{} < {limit}", name(quantity)),
            Self::Offline => f.write_str("offline"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<Rule, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn conditions_are_read_and_shown() {
        for text in ["faces > 3", "sadness > 0.5", "happiness < 0.25", "offline"] {
            assert_eq!(Condition::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Condition::parse("faces>3"), Ok(Condition::Above(Quantity::Faces, 3.0)));
        let crowd = rule("when = \"faces > 3\"\nfor = 2.5\nsources = [\"door\"]").unwrap();
        assert_eq!((crowd.name.as_str(), crowd.hold_ms), ("faces > 3", 2500));
        assert!(crowd.is_for("door") && !crowd.is_for("gate"));
    }

    #[test]
    fn wrong_rules_name_what_was_expected() {
        for text in ["faces", "faces > many", "> 3", "mean sadness > .5", "faces > NaN"] {
            assert_eq!(Condition::parse(text), Err(RuleError::Condition(text.into())));
        }
        assert_eq!(Condition::parse("sadness > 50"), Err(RuleError::Score("sadness > 50".into())));
        assert!(rule("when = \"offline\"\nfor = -1").unwrap_err().contains("seconds"));
        assert!(rule("when = \"offline\"\nwhile = 1").unwrap_err().contains("while"));
    }

    #[test]
    fn a_condition_holds_for_the_time_of_the_sample() {
        let sample = Sample { from_ms: 1000, until_ms: 2000, faces: 3.5, scores: vec![("sadness".into(), 0.6)] };
        let observed = Observed { offline_since: None, sample: Some(&sample) };
        let holds = |text: &str| Condition::parse(text).unwrap().holds(&observed, 9000);
        assert_eq!(holds("faces > 3"), Some(Holding { from_ms: 1000, until_ms: 2000, value: Some(3.5) }));
        assert!(holds("faces > 3.5").is_none() && holds("faces < 4").is_some() && holds("sadness > 0.5").is_some());
        assert!(holds("sadness < 0.5").is_none() && holds("joy < 0.5").is_none() && holds("offline").is_none());
        let offline = Observed { offline_since: Some(500), sample: None };
        let expected = Holding { from_ms: 500, until_ms: 9000, value: None };
        assert_eq!(Condition::Offline.holds(&offline, 9000), Some(expected));
    }
}
