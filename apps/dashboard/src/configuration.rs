// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration file, in TOML: sources, the secrets of brokers, and the rules of alerts.

use std::path::Path;

use emotion_publish::Location;
use emotion_publish::secrets::Secrets;
use serde::Deserialize;

use crate::alerts::{Rule, RuleText};

/// What the file may have.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Text {
    sources: Vec<String>,
    alerts_location: Option<String>,
    broker: Secrets,
    alerts: Vec<RuleText>,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Configuration {
    /// Sources, as on the command line.
    pub sources: Vec<String>,
    /// Where alerts of this program's own sources are published.
    pub alerts_location: Option<Location>,
    /// How to log in at brokers.
    pub broker: Secrets,
    /// The rules of alerts.
    pub rules: Vec<Rule>,
}

impl Configuration {
    /// Reads a file.
    ///
    /// # Errors
    /// A message for the user that names the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text: Text = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let location = text.alerts_location.as_deref().map(Location::parse).transpose();
        let rules = text.alerts.into_iter().map(Rule::parse).collect::<Result<_, _>>().map_err(|error| format!("alerts: {error}"))?;
        Ok(Self {
            sources: text.sources,
            alerts_location: location.map_err(|error| format!("alerts-location: {error}"))?,
            broker: text.broker,
            rules,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_manual_is_read() {
        let manual = include_str!("../../../docs/fleet.md");
        let start = manual.find("sources = [").expect("an example");
        let example = &manual[start..start + manual[start..].find("```").expect("its end")];
        let configuration = Configuration::parse(example).unwrap();
        assert_eq!(configuration.sources.len(), 1);
        let names: Vec<&str> = configuration.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["crowd", "sad faces", "offline"]);
        assert!(configuration.broker.password_file.is_some());
    }

    #[test]
    fn errors_name_the_key() {
        let error = |text: &str| Configuration::parse(text).unwrap_err();
        assert!(error("sorces = []").contains("sorces"));
        assert!(error("[broker]\npasword-file = \"x\"").contains("pasword-file"));
        assert!(error("[[alerts]]\nwhen = \"many\"").contains("alerts: when"));
        assert!(error("alerts-location = \"mqtt://user:pw@host/t\"").contains("password-file"));
    }
}
