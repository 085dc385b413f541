// SPDX-License-Identifier: MIT OR Apache-2.0
//! A camera's program with its configuration, networks, disk and clock, and what happens to them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use test_support::broker::free_port;

use crate::programs::Program;
use crate::proxy::Link;
use crate::schedule::Kind;

/// Seconds of a recording.
const RECORDING_S: u32 = 20;
/// The size of a disk that becomes full.
const DISK_MIB: u32 = 64;
/// Bytes wait for so long on a slow network.
const SLOW: Duration = Duration::from_millis(300);

/// A camera's program.
pub struct Watched {
    pub name: String,
    /// Where its recordings are at the end.
    pub recordings: PathBuf,
    pub spool: Option<PathBuf>,
    pub is_blurred: bool,
    pub program: Program,
    /// The networks to its camera and to its broker.
    source: Link,
    pub broker: Link,
    pub disk: Option<Disk>,
    /// A file that says how far the program's clock is ahead.
    pub clock: Option<PathBuf>,
}

impl Watched {
    /// Starts the program of the camera at `/index`. `broker` is the protocol and the port of its broker. Some have a spool, some a disk
    /// of their own, some a clock of their own, and some hide faces.
    pub fn start(folder: &Path, (index, name): (usize, &str), camera: u16, broker: (&str, u16), start: Instant) -> Self {
        let home = folder.join(name);
        fs::create_dir_all(&home).expect("a folder");
        let (protocol, links) = (broker.0, [camera, broker.1].map(Link::to));
        let disk = if index % 3 == 1 { Disk::mount(&home.join("disk")) } else { None };
        let (spool, is_blurred) = ((index % 3 != 2).then(|| home.join("spool")), index % 4 == 3);
        let recorded = disk.as_ref().map_or(&home, |disk| &disk.0).join("days");
        let (metrics, [source, broker]) = (free_port(), links);
        let spooled = spool.iter().map(|spool| format!("spool-location = \"{}\"\n", spool.display())).collect::<String>();
        let text = format!(
            "source = \"rtsp://127.0.0.1:{}/{index}\"\nname = \"{name}\"\n{}[files]\nfolder = \"{}\"\nseconds = {RECORDING_S}\n\
             [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n[publish]\nlocation = \"{protocol}://127.0.0.1:{}/emotion/{name}\"\n\
             schemas = [\"events\", \"summary\"]\n{spooled}",
            source.port,
            if is_blurred { "blur = \"pixelate\"\n" } else { "" },
            recorded.display(),
            broker.port,
        );
        let (configuration, clock) = (home.join("camera.toml"), home.join("clock"));
        fs::write(&configuration, text).expect("a file");
        let variables = if index % 4 == 2 { variables_of(&clock) } else { None };
        let command = [program("emotion-camera"), "--config".into(), configuration.display().to_string()];
        let mut program = Program::new(name, command.into(), metrics, home.join("log"), start);
        program.variables.extend(variables.iter().flatten().cloned());
        let clock = variables.map(|_| clock);
        Self { name: name.into(), recordings: home.join("days"), spool, is_blurred, program, source, broker, disk, clock }
    }

    /// Begins or ends a fault of the program, its networks, its disk or its clock.
    pub fn disturb(&mut self, kind: Kind, is_on: bool) {
        match kind {
            Kind::SourceCut => self.source.close(is_on),
            Kind::SourceDelay => self.source.delay(if is_on { SLOW } else { Duration::ZERO }),
            Kind::SourceLoseUp => self.source.lose(0, is_on),
            Kind::SourceLoseDown => self.source.lose(1, is_on),
            Kind::DiskFull => self.disk.iter().for_each(|disk| disk.fill(is_on)),
            Kind::ClockAhead => self.set_clock(if is_on { "+3600" } else { "+0" }),
            Kind::ClockBehind => self.set_clock(if is_on { "-3600" } else { "+0" }),
            _ => disturb(kind, is_on, &mut self.program, &self.broker),
        }
    }

    fn set_clock(&self, ahead: &str) {
        self.clock.iter().for_each(|path| fs::write(path, ahead).expect("a file"));
    }
}

/// What happens to a program or to its network to a broker.
pub fn disturb(kind: Kind, is_on: bool, program: &mut Program, broker: &Link) {
    match (kind, is_on) {
        (Kind::Kill, true) => program.end(Signal::KILL),
        (Kind::Terminate, true) => program.end(Signal::TERM),
        (Kind::Pause, _) => program.pause(is_on),
        (Kind::BrokerCut, _) => broker.close(is_on),
        (Kind::BrokerDelay, _) => broker.delay(if is_on { SLOW } else { Duration::ZERO }),
        (Kind::BrokerLoseUp, _) => broker.lose(0, is_on),
        (Kind::BrokerLoseDown, _) => broker.lose(1, is_on),
        _ => {}
    }
}

/// The path of a program: in the folder PROGRAMS, or as it was built with this test.
pub fn program(name: &str) -> String {
    let built = || std::env::current_exe().expect("a test has a path").ancestors().nth(2).expect("a build folder").to_owned();
    std::env::var_os("PROGRAMS").map_or_else(built, PathBuf::from).join(name).display().to_string()
}

/// The variables by which a program has the clock of a file. `None` without libfaketime.
fn variables_of(path: &Path) -> Option<[(&'static str, String); 4]> {
    let library = fs::read_dir("/usr/lib").ok()?.map_while(Result::ok);
    let library = library.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())?;
    fs::write(path, "+0").expect("a file");
    let [library, path] = [library.as_path(), path].map(|path| path.display().to_string());
    let duration = ("FAKETIME_CACHE_DURATION", "1".to_owned());
    Some([("LD_PRELOAD", library), ("FAKETIME_TIMESTAMP_FILE", path), ("DONT_FAKE_MONOTONIC", "1".to_owned()), duration])
}

/// A disk of its own, which can be full.
pub struct Disk(PathBuf);

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
    pub fn keep(&self, folder: &Path) {
        self.fill(false);
        let _ = Command::new("cp").arg("-a").arg(self.0.join("days")).arg(folder).status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
