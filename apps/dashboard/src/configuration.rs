// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration file, in TOML: sources, the secrets of brokers, and the rules of alerts.

use std::path::PathBuf;

use emotion_publish::Location;
use emotion_publish::secrets::Secrets;
use serde::{Deserialize, Deserializer};

use crate::alerts::Rule;
use crate::argument::Argument;

/// What the file says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Configuration {
    /// Sources, as on the command line.
    pub sources: Vec<Argument>,
    /// Where alerts of this program's own sources are published.
    #[serde(deserialize_with = "location")]
    pub alerts_location: Option<Location>,
    /// File with the secret that signs alerts, if they go to a web server; without it, the password of brokers does.
    pub alerts_secret_file: Option<PathBuf>,
    /// Sources hide individual faces when they begin.
    pub aggregate_only: bool,
    /// Sources make faces unrecognisable when they begin.
    pub blur: bool,
    /// How to log in at brokers.
    pub broker: Secrets,
    /// The rules of alerts.
    #[serde(rename = "alerts")]
    pub rules: Vec<Rule>,
}

fn location<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Location>, D::Error> {
    let text = String::deserialize(text)?;
    Location::parse(&text).map(Some).map_err(|error| serde::de::Error::custom(format_args!("alerts-location: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_manual_is_read() {
        let manual = include_str!("../../../docs/fleet.md");
        let start = manual.find("sources = [").expect("an example");
        let example = &manual[start..start + manual[start..].find("```").expect("its end")];
        let configuration = toml::from_str::<Configuration>(example).unwrap();
        assert_eq!(configuration.sources.len(), 1);
        let names: Vec<&str> = configuration.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["crowd", "sad faces", "offline"]);
        assert!(configuration.broker.password_file.is_some());
    }

    #[test]
    fn a_file_of_1_0_is_read() {
        let configuration =
            emotion_supervise::configuration::read::<Configuration>(&test_support::data("1.0/emotion-dashboard.toml")).unwrap();
        let names: Vec<&str> = configuration.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!((configuration.sources.len(), names), (2, vec!["crowd", "offline"]));
        assert_eq!((configuration.rules[0].hold_ms, configuration.rules[0].sources.len()), (10_000, 1));
        assert!(configuration.alerts_location.is_some() && configuration.broker.key_file == Some("page.key".into()));
    }

    #[test]
    fn the_manual_has_every_key() {
        let manual = include_str!("../../../packaging/man/emotion-dashboard.1").replace("\\-", "-");
        let (_, section) = manual.split_once(".SH CONFIGURATION").expect("a section");
        let mut promised = Vec::new();
        for (table, count) in [("", 7), ("[broker]", 5), ("[[alerts]]", 4)] {
            // The error for an unknown key lists those that are known, in backticks.
            let error = toml::from_str::<Configuration>(&format!("{table}\nunknown = 1")).unwrap_err();
            let keys: Vec<_> = error.message().split('`').skip(3).step_by(2).collect();
            assert_eq!(keys.len(), count, "{error}");
            for key in keys {
                assert!(section.split_whitespace().any(|word| word == key), "{key} is missing");
                promised.push(format!("{table}{key}"));
            }
        }
        test_support::promises::assert_kept("emotion-dashboard-configuration", promised);
    }

    #[test]
    fn errors_name_the_key() {
        let error = |text: &str| toml::from_str::<Configuration>(text).unwrap_err().to_string();
        assert!(error("sorces = []").contains("sorces"));
        assert!(error("[broker]\npasword-file = \"x\"").contains("pasword-file"));
        assert!(
            error("[[alerts]]\nwhen = \"many\"").contains("[[alerts]]\n")
                && error("[[alerts]]\nwhen = \"many\"").contains("when = \"many\": expected")
        );
        assert!(error("alerts-location = \"mqtt://user:pw@host/t\"").contains("password-file"));
    }
}
