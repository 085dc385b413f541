// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: cameras, their programs, brokers and a dashboard, and what the schedule does to them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use test_support::broker::free_port;

use crate::account::{Story, Watched};
use crate::brokers::{Mqtt, Nats};
use crate::cameras::Cameras;
use crate::programs::Program;
use crate::proxy::Link;
use crate::schedule::{Fault, Kind, Target};

const NAMES: [&str; 8] = ["door", "gate", "hall", "yard", "desk", "roof", "lift", "barn"];
/// Before the end, cameras send nothing for this long, so that everything is counted.
const SILENCE: Duration = Duration::from_secs(4);
/// The longest time that a program may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(40);
/// Seconds of a recording.
const RECORDING_S: u32 = 20;
/// The size of a disk that becomes full.
const DISK_MIB: u32 = 64;

struct Site {
    cameras: Cameras,
    watched: Vec<Watched>,
    /// The networks of each program to its camera, and to its broker.
    sources: Vec<Link>,
    brokers: Vec<Link>,
    dashboard: Program,
    dashboard_link: Link,
    mqtt: Mqtt,
    nats: Nats,
    disks: Vec<Option<Disk>>,
}

/// A disk of its own, which can be full.
struct Disk(PathBuf);

impl Disk {
    /// A file system in memory. `None` without the right to mount one.
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={DISK_MIB}m"), "chaos"]).arg(folder).status();
        status.is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }

    fn fill(&self, is_full: bool) {
        let path = self.0.join("full");
        if is_full {
            let mut file = fs::File::create(path).expect("a file");
            while file.write_all(&[0; 4096]).is_ok() {}
        } else {
            let _ = fs::remove_file(path);
        }
    }

    /// Moves what was recorded to a folder that stays.
    fn keep(&self, folder: &Path) {
        self.fill(false);
        let _ = Command::new("cp").arg("-a").arg(self.0.join("days")).arg(folder).status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The path of a program: of `variable`, or the one that was built with this test.
fn program(variable: &str, name: &str) -> String {
    let built = || std::env::current_exe().expect("a test has a path").ancestors().nth(2).expect("a build folder").join(name);
    std::env::var(variable).ok().filter(|path| !path.is_empty()).unwrap_or_else(|| built().display().to_string())
}

/// Runs for `length`, and tells what happened.
pub fn run(folder: &Path, length: Duration, count: usize, faults: Vec<Fault>) -> Story {
    let (start, begun) = (Instant::now(), SystemTime::now());
    let mut site = Site::start(folder, count, start);
    let left_out = (site.disks.iter().all(Option::is_none) && count > 1).then(|| "no full disk: mounting one needs root".to_owned());
    left_out.iter().for_each(|text| println!("chaos: {text}"));
    site.play(start, length, &faults);
    site.end();
    let Site { cameras, watched, dashboard, mqtt, nats, disks, .. } = site;
    for (disk, camera) in disks.iter().zip(&watched).filter_map(|(disk, camera)| Some((disk.as_ref()?, camera))) {
        disk.keep(camera.recordings.parent().expect("a folder"));
    }
    let messages = [mqtt.messages(), nats.messages()].concat();
    let (length, shown) = (length.as_secs_f64(), cameras.shown());
    Story { length, start: begun, shown, faults, cameras: watched, dashboard, messages, left_out: left_out.into_iter().collect() }
}

impl Site {
    fn start(folder: &Path, count: usize, start: Instant) -> Self {
        let (cameras, mqtt, nats) = (Cameras::serve(count, start), Mqtt::start(), Nats::start());
        let (mut watched, mut sources, mut brokers, mut disks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, name) in NAMES.into_iter().enumerate().take(count) {
            let home = folder.join(name);
            fs::create_dir_all(&home).expect("a folder");
            let (source, is_mqtt) = (Link::to(cameras.port), is_mqtt(index));
            let broker = Link::to(if is_mqtt { mqtt.port() } else { nats.port() });
            let disk = if index % 3 == 1 { Disk::mount(&home.join("disk")) } else { None };
            let spool = (index % 3 != 2).then(|| home.join("spool"));
            let recorded = disk.as_ref().map_or(&home, |disk| &disk.0).join("days");
            let protocol = if is_mqtt { "mqtt" } else { "nats" };
            let metrics = free_port();
            let mut text = format!(
                "source = \"rtsp://127.0.0.1:{}/{index}\"\nname = \"{name}\"\n[files]\nfolder = \"{}\"\nseconds = {RECORDING_S}\n\
                 [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n[publish]\nlocation = \"{protocol}://127.0.0.1:{}/emotion/{name}\"\n\
                 schemas = [\"events\", \"summary\"]\n",
                source.port,
                recorded.display(),
                broker.port
            );
            if let Some(spool) = &spool {
                text += &format!("spool-location = \"{}\"\n", spool.display());
            }
            let configuration = home.join("camera.toml");
            fs::write(&configuration, text).expect("a file");
            let command = [program("EMOTION_CAMERA", "emotion-camera"), "--config".into(), configuration.display().to_string()];
            let program = Program::start(name, command.into(), metrics, home.join("log"), start);
            watched.push(Watched { name: name.into(), recordings: home.join("days"), spool, program });
            sources.push(source);
            brokers.push(broker);
            disks.push(disk);
        }
        let dashboard_link = Link::to(mqtt.port());
        let dashboard = dashboard(folder, dashboard_link.port, start);
        Self { cameras, watched, sources, brokers, dashboard, dashboard_link, mqtt, nats, disks }
    }

    fn play(&mut self, start: Instant, length: Duration, faults: &[Fault]) {
        let steps = faults.iter().flat_map(|fault| [(fault.at, fault, true), (fault.end(), fault, false)]);
        let mut steps: Vec<_> = steps.collect();
        steps.sort_by_key(|(at, ..)| *at);
        let (mut steps, mut is_silent) = (steps.into_iter().peekable(), false);
        while start.elapsed() < length {
            while let Some((at, fault, is_on)) = steps.next_if(|(at, ..)| *at <= start.elapsed()) {
                println!("chaos: {:6.1} {} {:?} {:?}", at.as_secs_f64(), if is_on { "begins" } else { "ends  " }, fault.kind, fault.target);
                self.apply(fault, is_on);
            }
            if !is_silent && start.elapsed() + SILENCE >= length {
                is_silent = true;
                (0..self.watched.len()).for_each(|index| self.cameras.misbehave(index, Kind::Stall, true));
            }
            self.watched.iter_mut().map(|camera| &mut camera.program).chain([&mut self.dashboard]).for_each(|program| {
                program.keep(true);
            });
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn apply(&mut self, fault: &Fault, is_on: bool) {
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
            (Target::Camera(index), Kind::DiskFull) => self.disks[index].iter().for_each(|disk| disk.fill(is_on)),
            (Target::Camera(index), kind) => {
                let source = &self.sources[index];
                match kind {
                    Kind::SourceCut => source.close(is_on),
                    Kind::SourceDelay => source.delay(Duration::from_millis(if is_on { 300 } else { 0 })),
                    Kind::SourceLoseUp => source.lose(0, is_on),
                    Kind::SourceLoseDown => source.lose(1, is_on),
                    _ => self.cameras.misbehave(index, kind, is_on),
                }
                disturb(kind, is_on, &mut self.watched[index].program, &self.brokers[index]);
            }
        }
    }

    /// The networks of all clients of a broker.
    fn clients(&self, of_mqtt: bool) -> Vec<Link> {
        let cameras = self.brokers.iter().enumerate().filter(|(index, _)| is_mqtt(*index) == of_mqtt).map(|(_, link)| link.clone());
        cameras.chain(of_mqtt.then(|| self.dashboard_link.clone())).collect()
    }

    /// Ends the cameras, and then the dashboard.
    fn end(&mut self) {
        let mut cameras: Vec<_> = self.watched.iter_mut().map(|camera| &mut camera.program).collect();
        end(&mut cameras);
        end(&mut [&mut self.dashboard]);
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

fn is_mqtt(index: usize) -> bool {
    index.is_multiple_of(2)
}

fn dashboard(folder: &Path, broker: u16, start: Instant) -> Program {
    let home = folder.join("dashboard");
    fs::create_dir_all(&home).expect("a folder");
    let (configuration, port) = (home.join("wall.toml"), free_port());
    let text = format!(
        "sources = [\"mqtt://127.0.0.1:{broker}/emotion/+\"]\n[[alerts]]\nname = \"face\"\nwhen = \"faces > 0.5\"\n\
         [[alerts]]\nwhen = \"offline\"\nfor = 5\n"
    );
    fs::write(&configuration, text).expect("a file");
    let data = home.join("data");
    let listen = format!("127.0.0.1:{port}");
    let words = ["--config", &configuration.display().to_string(), "--listen", &listen, "--data", &data.display().to_string()];
    let command = [program("EMOTION_DASHBOARD", "emotion-dashboard")].into_iter().chain(words.map(str::to_owned)).collect();
    Program::start("dashboard", command, port, home.join("log"), start)
}

/// What happens to a program or to its network to a broker.
fn disturb(kind: Kind, is_on: bool, program: &mut Program, broker: &Link) {
    match (kind, is_on) {
        (Kind::Kill, true) => program.end(Signal::KILL),
        (Kind::Terminate, true) => program.end(Signal::TERM),
        (Kind::Pause, _) => program.pause(is_on),
        (Kind::BrokerCut, _) => broker.close(is_on),
        (Kind::BrokerDelay, _) => broker.delay(Duration::from_millis(if is_on { 300 } else { 0 })),
        (Kind::BrokerLoseUp, _) => broker.lose(0, is_on),
        (Kind::BrokerLoseDown, _) => broker.lose(1, is_on),
        _ => {}
    }
}
