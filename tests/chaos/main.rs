// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cameras, brokers and a dashboard under faults that come together, with accounts of everything that was shown: `scripts/test chaos`.
//!
//! ```text
//! schedule.rs  seed → faults
//! site.rs      does what the schedule says, to watched.rs (cameras as programs see them), programs.rs, brokers.rs, proxy.rs (networks)
//! cameras.rs   frames that say their numbers;  viewer.rs, clients.rs: clients of RTSP, of the page and of /v1
//! account.rs   what happened when, and the accounts: recordings.rs, messages.rs, shown.rs, processes.rs
//! page.rs      result.json and a page that draws it
//! ```

mod account;
mod brokers;
mod browser;
mod cameras;
mod clients;
mod likeness;
mod messages;
mod page;
mod processes;
mod programs;
mod proxy;
mod recordings;
mod scan;
mod schedule;
mod shown;
mod site;
mod viewer;
mod watched;

use std::time::Duration;

use account::Account;
use schedule::Counts;
use test_support::broker::installed;
use test_support::{fetched, repository};

/// The number in an environment variable.
fn variable(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: expected a number, found {text}")))
}

#[test]
#[ignore = "takes MINUTES=10: scripts/test chaos"]
fn chaos() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub", "nats-server", "ffprobe"]) {
        return;
    }
    let (seed, length) = (variable("SEED", 1), Duration::from_secs(60 * variable("MINUTES", 10)));
    let folder = repository().join("target/chaos").join(seed.to_string());
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let alone = variable("CAMERAS", 8).clamp(1, 8) as usize;
    let counts = Counts { alone, together: variable("TOGETHER", 8).min((site::NAMES.len() - alone) as u64) as usize };
    assert!(length.as_secs() * u64::from(cameras::RATE) < u64::from(cameras::NUMBERS), "MINUTES: at most 203");
    let faults = if variable("CALM", 0) > 0 {
        Vec::new()
    } else {
        schedule::faults(seed, length, counts, &std::env::var("ONLY").unwrap_or_default())
    };
    println!("chaos: seed {seed}, {} s, {counts:?}, {} faults, {}", length.as_secs(), faults.len(), folder.display());
    let story = site::run(&folder, length, counts, faults);
    let mut accounts =
        [recordings::accounts(&story), messages::accounts(&story), shown::accounts(&story), processes::accounts(&story)].concat();
    accounts.extend(story.browser.as_ref().map(|seen| browser::account(&story, seen)));
    accounts.extend(story.scan.clone());
    page::write(&folder, seed, &story, &accounts);
    for account in &accounts {
        let Account { promise, checked, excused, findings } = account;
        println!("chaos: {promise}: {checked} checked, {excused} excused by frames that were skipped, {} findings", findings.len());
        findings.iter().take(20).for_each(|finding| println!("chaos:   {finding}"));
    }
    assert_eq!(page::findings(&accounts), 0, "{}", folder.join("index.html").display());
}
