// SPDX-License-Identifier: MIT OR Apache-2.0
//! `result.json`, a page that shows it: faults on an axis of time, with the accounts below; and `metrics.ndjson`, what `/metrics` said.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::account::{Account, Finding, Story};
use crate::programs::Program;
use crate::schedule::{Fault, Target};

/// The page, without its data.
const PAGE: &str = include_str!("page.html");
/// Where they go.
const PLACE: &str = "\"RESULT\"";

/// Writes all three to `folder`.
pub fn write(folder: &Path, seed: u64, story: &Story, accounts: &[Account]) {
    let programs: Vec<_> = story.programs.iter().chain([&story.dashboard]).map(program).collect();
    let faults = story.faults.iter().map(|fault| {
        json!({
            "at": fault.at.as_secs_f64(), "end": fault.end().as_secs_f64(),
            "target": target(story, fault), "kind": format!("{:?}", fault.kind),
        })
    });
    let text = |variable: &str| std::env::var(variable).unwrap_or_default();
    let result = json!({
        "seed": seed, "commit": text("COMMIT"), "only": text("ONLY"), "findings": findings(accounts), "seconds": story.length, "cameras": story.cameras.iter().map(|camera| &camera.name).collect::<Vec<_>>(), "left_out": story.left_out,
        "frames": story.shown.len() * story.cameras.len(), "late": story.late().iter().map(|(from, to)| to - from).sum::<f64>(), "messages": story.messages.len(),
        "faults": faults.collect::<Vec<_>>(), "programs": programs, "accounts": accounts.iter().map(account).collect::<Vec<_>>(),
    });
    fs::write(folder.join("result.json"), format!("{result:#}\n")).expect("a file");
    let samples = story.programs.iter().flat_map(|program| program.samples().into_iter().map(|sample| (&program.name, sample)));
    let lines = samples.map(|(name, sample)| format!("{}\n", json!({ "program": name, "at": sample.at, "metrics": sample.metrics })));
    fs::write(folder.join("metrics.ndjson"), lines.collect::<String>()).expect("a file");
    // In a script element, `<` could end it.
    fs::write(folder.join("index.html"), PAGE.replace(PLACE, &result.to_string().replace('<', "\\u003c"))).expect("a file");
}

/// The name of the camera, program or broker that a fault happens to.
fn target<'a>(story: &'a Story, fault: &Fault) -> &'a str {
    match fault.target {
        Target::Camera(index) if fault.kind.is_of_process() => &story.programs[story.cameras[index].program].name,
        Target::Camera(index) => &story.cameras[index].name,
        Target::Dashboard => &story.dashboard.name,
        Target::Mqtt => "MQTT",
        Target::Nats => "NATS",
    }
}

/// How many findings there are.
pub fn findings(accounts: &[Account]) -> usize {
    accounts.iter().map(|account| account.findings.len()).sum()
}

fn program(program: &Program) -> Value {
    let samples = program.samples();
    let samples = samples.iter().map(|sample| json!([sample.at, sample.memory_kib, sample.descriptors, sample.threads]));
    let ends = program.ends.iter().map(
        |end| json!({ "at": end.at, "asked": end.asked.map(|signal| format!("{signal:?}")), "took": end.took, "failure": end.failure }),
    );
    json!({ "name": program.name, "ends": ends.collect::<Vec<_>>(), "samples": samples.collect::<Vec<_>>() })
}

fn account(account: &Account) -> Value {
    let finding = |finding: &Finding| json!({ "program": finding.program, "at": finding.at, "text": finding.text });
    let findings: Vec<_> = account.findings.iter().map(finding).collect();
    json!({ "promise": account.promise, "checked": account.checked, "excused": account.excused, "findings": findings })
}
