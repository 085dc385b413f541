// SPDX-License-Identifier: MIT OR Apache-2.0
//! The dashboard's page in a browser in which it stays open: what it shows, its errors, and its memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json};
use test_support::browser::{Browser, chromium};

use crate::account::{Account, Story, is_calm};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// Looks from one at the memory to the next.
const WEIGHED: usize = 15;
/// The page shows what it got within so many seconds, and keeps it for as long.
const SHOWS: f64 = 3.0;
/// Another client may get the same so many seconds later.
const LATER: f64 = 1.0;
/// From so many seconds on, memory should not grow, by more than so many MiB an hour.
const WARM_UP: f64 = 1200.0;
const GROWTH: f64 = 1.0;
/// The time of day in ms, and names and counts of the cameras that are shown then. A busy browser answers later.
const TILES: &str = "[Date.now(), [...document.querySelectorAll('#fleet .grid > *')].map((tile) => \
                     [tile.dataset.name, tile.querySelector('.count').textContent])]";
/// What Chromium says of connections that fail, and of what a dashboard does not know that was started again.
const OF_CONNECTIONS: [&str; 3] = ["WebSocket connection to", "net::ERR_", "status of 404"];

/// What a browser has shown.
#[derive(Default)]
pub struct Seen {
    /// When, as the time of day in seconds, and names and counts of the cameras.
    tiles: Vec<(f64, Value)>,
    /// When, and the MiB that the objects of the page take.
    memory: Vec<(f64, f64)>,
    errors: Vec<String>,
}

/// A browser that looks at a page until it is asked for what it has seen.
pub struct Watcher {
    is_ended: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Watcher {
    /// Opens the dashboard at a port. `None` without Chromium.
    pub fn start(folder: &Path, port: u16, start: Instant) -> Option<Self> {
        let (program, profile, is_ended) = (chromium()?, folder.join("browser"), Arc::<AtomicBool>::default());
        let (name, ended) = (format!("chaos-{}", folder.file_name()?.display()), is_ended.clone());
        let thread = std::thread::spawn(move || watch(Browser::start(&program, &profile, &[], &name), port, start, &ended));
        Some(Self { is_ended, thread })
    }

    pub fn end(self) -> Seen {
        self.is_ended.store(true, SeqCst);
        self.thread.join().unwrap_or_else(|_| Seen { errors: vec!["the browser ended".into()], ..Seen::default() })
    }
}

fn watch(mut browser: Browser, port: u16, start: Instant, is_ended: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    // All tiles are in view.
    browser.resize(1600, 1800, 1.0);
    browser.command("Performance.enable", json!({}));
    // Chromium would keep a tree of all that the page has shown.
    browser.command("Accessibility.disable", json!({}));
    while !is_ended.load(SeqCst) {
        if browser.run("document.querySelector('#fleet') !== null") != true {
            browser.command("Page.navigate", json!({"url": format!("http://127.0.0.1:{port}/")}));
        }
        if seen.tiles.len().is_multiple_of(WEIGHED) {
            let at = start.elapsed().as_secs_f64();
            seen.memory.extend(memory_mib(&mut browser).map(|mib| (at, mib)));
        }
        let mut look = browser.run(TILES);
        seen.tiles.extend(look[0].as_f64().map(|now| (now / 1000.0, look[1].take())));
        std::thread::sleep(INTERVAL);
    }
    browser.take("end");
    seen.errors = std::mem::take(&mut browser.complaints);
    seen.errors.retain(|error| !OF_CONNECTIONS.iter().any(|text| error.contains(text)));
    seen
}

/// What the objects of a page take that are still needed.
fn memory_mib(browser: &mut Browser) -> Option<f64> {
    browser.command("HeapProfiler.collectGarbage", json!({}));
    let metrics = browser.command("Performance.getMetrics", json!({}));
    let used = metrics["metrics"].as_array()?.iter().find(|metric| metric["name"] == "JSHeapUsedSize")?;
    Some(used["value"].as_f64()? / f64::from(1 << 20))
}

/// The account of the page. It shows what the server has said, has no error, and does not grow.
pub fn account(story: &Story, seen: &Seen) -> Account {
    let mut account =
        Account::new("a page that stays open in a browser shows what it gets, without an error, and its memory does not grow");
    for error in &seen.errors {
        account.check(false, "browser", None, || error.clone());
    }
    let start = story.start.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    for (index, camera) in story.cameras.iter().enumerate() {
        let Some(unseen) = story.unseen(index) else { continue };
        let got: Vec<_> = story.page.iter().filter(|(_, got)| got["name"] == *camera.name).collect();
        let looks = seen.tiles.iter().map(|(at, tiles)| (at - start, tiles));
        for (at, tiles) in looks.filter(|(at, _)| is_calm(&unseen, at - SHOWS, *at) && at + SHOWS < story.length) {
            let tile = tiles.as_array().into_iter().flatten().find(|tile| tile[0] == *camera.name);
            let shown = tile.and_then(|tile| tile[1].as_str()).unwrap_or("nothing");
            let recent = || got.iter().filter(|(got, _)| (at - SHOWS..at + LATER).contains(got));
            let means: Vec<_> = recent().filter_map(|(_, camera)| camera["totals"]["faces_mean"].as_f64()).collect();
            // Counts may be old ones, of which a tile says so.
            let until = |camera: &Value| camera["totals"]["until"].as_f64().map_or(0.0, |until| until / 1000.0 - start);
            let is_old = shown.starts_with("no counts since") && recent().any(|(_, camera)| until(camera) + SHOWS < at);
            let is_right = is_old || means.iter().any(|mean| shown == faces(*mean));
            account.check(is_right, &camera.name, at, || format!("the page shows {shown}, and got {means:?} faces"));
        }
    }
    let memory = &seen.memory[seen.memory.partition_point(|(at, _)| *at < WARM_UP)..];
    let (first, last) = memory.split_at(memory.len() / 2);
    let least = |part: &[(f64, f64)]| part.iter().map(|(_, mib)| *mib).fold(f64::INFINITY, f64::min);
    let hours = memory.last().zip(memory.first()).map_or(0.0, |(last, first)| (last.0 - first.0) / 3600.0);
    // From the middle of one half to that of the other.
    let growth = (least(last) - least(first)) / (hours / 2.0);
    account.check(hours < 0.5 || growth < GROWTH, "browser", None, || format!("its memory grows by {growth:.1} MiB an hour"));
    let has_shown = seen.tiles.iter().any(|(_, tiles)| tiles.as_array().is_some_and(|tiles| !tiles.is_empty()));
    account.check(has_shown, "browser", None, || "no camera was shown".into());
    account
}

fn faces(mean: f64) -> String {
    match mean.round() as u64 {
        1 => "1 face".into(),
        count => format!("{count} faces"),
    }
}
