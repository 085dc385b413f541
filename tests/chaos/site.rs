// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: cameras, their programs, brokers and a dashboard, and what the schedule does to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use test_support::broker::free_port;

use crate::account::{Account, Story};
use crate::brokers::{Mqtt, Nats};
use crate::browser::Watcher;
use crate::cameras::{Cameras, address};
use crate::clients::Clients;
use crate::programs::Program;
use crate::proxy::Link;
use crate::scan;
use crate::schedule::{Counts, Fault, Kind, Target};
use crate::watched::{Watched, disturb, earlier_program, faketime, slow_disk, watch};

pub const NAMES: [&str; 16] =
    ["door", "gate", "hall", "yard", "desk", "roof", "lift", "barn", "attic", "porch", "stairs", "lawn", "lobby", "shed", "ramp", "court"];
/// The name of the program of several cameras.
const TOGETHER: &str = "house";
/// Before the end, cameras send nothing for this long, so that everything is counted.
const SILENCE: Duration = Duration::from_secs(4);
/// Time between two looks at what cameras publish of their switches.
const LOOK: Duration = Duration::from_millis(200);
/// The longest time that a program may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(40);

struct Site {
    cameras: Cameras,
    watched: Vec<Watched>,
    programs: Vec<Program>,
    dashboard: Program,
    clients: Clients,
    /// A browser with the dashboard's page.
    browser: Option<Watcher>,
    /// The network of the dashboard to its broker.
    dashboard_link: Link,
    mqtt: Mqtt,
    nats: Nats,
}

/// Runs for `length`, and tells what happened.
pub fn run(folder: &Path, length: Duration, counts: Counts, mut faults: Vec<Fault>) -> Story {
    let (start, begun) = (Instant::now(), SystemTime::now());
    let mut site = Site::start(folder, counts, (start, length));
    let left_out = site.left_out(folder);
    left_out.iter().for_each(|text| println!("chaos: {text}"));
    let scan = site.play((start, length), folder, &mut faults);
    let browser = site.browser.take().map(Watcher::end);
    let timelines = site.end(begun);
    let scan = scan.map(|scan| scan.join().expect("no panic"));
    let Site { cameras, watched, programs, dashboard, clients, mqtt, nats, .. } = site;
    for (disk, camera) in watched.iter().filter_map(|camera| Some((camera.disk.as_ref()?, camera))) {
        disk.keep(camera.recordings.parent().expect("a folder"));
    }
    let messages = [mqtt.messages(), nats.messages()].concat();
    let (length, shown) = (length.as_secs_f64(), cameras.shown());
    let [page, followed] = [&clients.cameras, &clients.faces].map(|got| std::mem::take(&mut *got.lock().expect("no panic")));
    Story {
        length,
        start: begun,
        shown,
        faults,
        cameras: watched,
        programs,
        dashboard,
        messages,
        page,
        browser,
        followed,
        timelines,
        scan,
        left_out,
    }
}

impl Site {
    fn start(folder: &Path, counts: Counts, (start, length): (Instant, Duration)) -> Self {
        // The last one is the dashboard's own. Sessions of two clients would disturb each other: the server stops what it shares.
        let (cameras, mqtt, nats) = (Cameras::serve(counts.all() + 1, start), Mqtt::start(), Nats::start());
        let broker = |index| if is_mqtt(index) { ("mqtt", mqtt.port()) } else { ("nats", nats.port()) };
        let names = NAMES.into_iter().enumerate().take(counts.all());
        let watched = names.map(|(index, name)| {
            Watched::new(folder, (index, name), counts.program_of(index), (length, cameras.port), broker(index), start)
        });
        let (watched, tables): (Vec<_>, Vec<_>) = watched.unzip();
        let (alone, together) = tables.split_at(counts.alone);
        let of_one = |(camera, table): (&Watched, &String)| watch(&camera.name, folder, std::slice::from_ref(table), Some(camera), start);
        let mut programs: Vec<_> = watched.iter().zip(alone).map(of_one).collect();
        programs.extend((!together.is_empty()).then(|| watch(TOGETHER, folder, together, None, start)));
        let dashboard_link = Link::to(mqtt.port());
        let port = free_port();
        let dashboard = dashboard(folder, dashboard_link.port, &address(counts.all(), cameras.port), port, start);
        let clients = Clients::start(port, start);
        let browser = Watcher::start(folder, port, start);
        Self { cameras, watched, programs, dashboard, clients, browser, dashboard_link, mqtt, nats }
    }

    /// What cannot be done on this machine.
    fn left_out(&self, folder: &Path) -> Vec<String> {
        let has_disk = self.watched.len() < 2 || self.watched.iter().any(|camera| camera.disk.is_some());
        let disk = (!has_disk).then_some("no full disk and no power failure: mounting one needs root");
        let clock = faketime().is_none().then_some("no steps of the clock: faketime is not installed");
        let slow = slow_disk(folder).is_none().then_some("no slow disks: cc is not installed");
        let ray = scan::python_with_ray().is_none().then_some("no scan on Ray: RAY_PYTHON is not set");
        let browser = self.browser.is_none().then_some("no browser: chromium is not installed");
        disk.into_iter().chain(browser).chain(clock).chain(slow).chain(ray).map(str::to_owned).collect()
    }

    /// Does what the schedule says, and notes when it was done: a step takes time, on a busy machine much. At half of the time, recordings are
    /// scanned.
    fn play(&mut self, (start, length): (Instant, Duration), folder: &Path, faults: &mut [Fault]) -> Option<JoinHandle<Account>> {
        let steps = (0..).zip(&*faults).flat_map(|(index, fault)| [(fault.at, index, true), (fault.end(), index, false)]);
        let mut steps: Vec<_> = steps.collect();
        steps.sort_by_key(|(at, ..)| *at);
        let (mut steps, mut is_silent) = (steps.into_iter().peekable(), false);
        let (mut scan, mut look_at) = (None, LOOK);
        while start.elapsed() < length {
            while let Some((_, index, is_on)) = steps.next_if(|(at, ..)| *at <= start.elapsed()) {
                let (now, fault): (_, &mut Fault) = (start.elapsed(), &mut faults[index]);
                let (at, what) = (now.as_secs_f64(), if is_on { "begins" } else { "ends  " });
                println!("chaos: {at:6.1} {what} {:?} {:?}", fault.kind, fault.target);
                self.apply(fault, is_on, at);
                if is_on {
                    fault.at = now;
                } else {
                    fault.length = start.elapsed() - fault.at;
                }
            }
            if !is_silent && start.elapsed() + SILENCE >= length {
                is_silent = true;
                (0..=self.watched.len()).for_each(|index| self.cameras.misbehave(index, Kind::Stall, true));
            }
            if start.elapsed() * 2 > length && scan.is_none() {
                scan = Some(scan::begin(folder, &self.watched[0].recordings, faults.len() as u64));
            }
            if start.elapsed() >= look_at {
                look_at = start.elapsed() + LOOK;
                self.watched.iter_mut().for_each(|camera| camera.note_hiding(look_at.as_secs_f64(), &self.mqtt));
            }
            self.programs.iter_mut().chain([&mut self.dashboard]).for_each(|program| {
                program.keep(true);
            });
            std::thread::sleep(Duration::from_millis(20));
        }
        scan
    }

    fn apply(&mut self, fault: &Fault, is_on: bool, now: f64) {
        match (fault.target, fault.kind) {
            (Target::Mqtt, kind) => {
                let clients = self.clients(true);
                if is_on { self.mqtt.stop(&clients, kind != Kind::Wipe) } else { self.mqtt.resume(&clients) }
            }
            (Target::Nats, kind) => {
                let clients = self.clients(false);
                if is_on { self.nats.stop(&clients, kind != Kind::Wipe) } else { self.nats.resume(&clients) }
            }
            (Target::Dashboard, kind) => disturb(kind, is_on, &mut self.dashboard, &self.dashboard_link),
            (Target::Camera(index), Kind::Hide) if is_mqtt(index) => self.watched[index].hide(is_on, now, &self.mqtt),
            (Target::Camera(index), kind) => {
                self.cameras.misbehave(index, kind, is_on);
                let program = &mut self.programs[self.watched[index].program];
                self.watched[index].disturb(kind, is_on, program);
            }
        }
    }

    /// The networks of all clients of a broker.
    fn clients(&self, of_mqtt: bool) -> Vec<Link> {
        let cameras =
            self.watched.iter().enumerate().filter(|(index, _)| is_mqtt(*index) == of_mqtt).map(|(_, camera)| camera.broker.clone());
        cameras.chain(of_mqtt.then(|| self.dashboard_link.clone())).collect()
    }

    /// Ends the cameras, and then the dashboard, after the timelines that it shows.
    fn end(&mut self, begun: SystemTime) -> BTreeMap<String, Vec<(u64, f64)>> {
        end(&mut self.programs.iter_mut().collect::<Vec<_>>());
        let timelines = self.timelines(begun);
        end(&mut [&mut self.dashboard]);
        timelines
    }

    fn timelines(&self, begun: SystemTime) -> BTreeMap<String, Vec<(u64, f64)>> {
        let page = self.clients.cameras.lock().expect("no panic");
        // A dashboard that was started again has given other ids.
        let ids: BTreeMap<_, _> = page.iter().filter_map(|(_, camera)| Some((camera["name"].as_str()?, camera["id"].as_u64()?))).collect();
        let [from, to] = [begun, SystemTime::now()].map(|time| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
        // A timeline has at most so many points.
        let from = from.max(to - 11_000);
        ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), self.clients.timeline(id, from, to)?))).collect()
    }
}

fn end(programs: &mut [&mut Program]) {
    programs.iter_mut().for_each(|program| program.end(Signal::TERM));
    let end = Instant::now() + PATIENCE;
    // All are asked: each notes its own end.
    while programs.iter_mut().filter_map(|program| program.keep(false).then_some(())).count() > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    programs.iter_mut().for_each(|program| program.end(Signal::KILL));
    while programs.iter_mut().filter_map(|program| program.keep(false).then_some(())).count() > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// True if a camera publishes to the broker of MQTT, which the dashboard follows.
pub fn is_mqtt(index: usize) -> bool {
    index.is_multiple_of(2)
}

/// A dashboard at a port, for the cameras of a broker, with a camera as a source of its own.
fn dashboard(folder: &Path, broker: u16, source: &str, port: u16, start: Instant) -> Program {
    let home = folder.join("dashboard");
    fs::create_dir_all(&home).expect("a folder");
    let configuration = home.join("wall.toml");
    let text = format!(
        "sources = [\"mqtt://127.0.0.1:{broker}/emotion/+\", \"{source}\"]\n[[alerts]]\nname = \"face\"\nwhen = \"faces > 0.5\"\n\
         [[alerts]]\nname = \"empty\"\nwhen = \"faces < 0.5\"\n[[alerts]]\nwhen = \"offline\"\nfor = 5\n"
    );
    fs::write(&configuration, text).expect("a file");
    let data = home.join("data");
    let listen = format!("127.0.0.1:{port}");
    let words = ["--config", &configuration.display().to_string(), "--listen", &listen, "--data", &data.display().to_string()];
    let command = [earlier_program("emotion-dashboard")].into_iter().chain(words.map(str::to_owned)).collect();
    Program::new("dashboard", command, port, home.join("log"), start)
}
