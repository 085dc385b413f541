// SPDX-License-Identifier: MIT OR Apache-2.0
//! A camera as its program sees it: configuration, networks, disk and clock, and what happens to them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::ioctl::{Setter, ioctl, opcode};
use rustix::process::Signal;
use test_support::broker::free_port;
use test_support::repository;

use crate::brokers::Mqtt;
use crate::cameras::address;
use crate::programs::Program;
use crate::proxy::Link;
use crate::schedule::{Kind, has_disk};
use crate::viewer::Viewer;

/// Seconds of a recording.
const RECORDING_S: u32 = 20;
/// The size of a disk that becomes full, with room for the recordings of a minute, and for what a program needs beside them.
const DISK_MIB: u64 = 80;
const MINUTE_MIB: u64 = 2;
/// The size of the disk of a spool.
const SPOOL_MIB: u64 = 256;
/// A disk that is not used any more within this time is held by somebody else.
const PATIENCE: Duration = Duration::from_secs(10);
/// The ioctl that stops an ext4 file system at once, and the flag by which it writes nothing before.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
const WITHOUT_LOG: u32 = 2;
/// Bytes wait for so long on a slow network.
const SLOW: Duration = Duration::from_millis(300);

/// A camera that a program watches.
pub struct Watched {
    pub name: String,
    /// Where its recordings are at the end.
    pub recordings: PathBuf,
    pub spool: Option<PathBuf>,
    pub is_blurred: bool,
    /// From when to when it has said that it hides faces, in seconds from the start.
    pub hides: Vec<(f64, f64)>,
    /// How many states it had published when it was told to hide faces; `None` if it has said that it does, or is not told to.
    asked: Option<usize>,
    /// The index of its program.
    pub program: usize,
    /// The networks to its camera and to its broker.
    source: Link,
    pub broker: Link,
    pub disk: Option<Disk>,
    /// That of the spool.
    spool_disk: Option<Disk>,
    /// Play what it serves, by TCP and by UDP.
    pub viewers: Vec<Viewer>,
    /// A file that says how far the program's clock is ahead.
    pub clock: Option<PathBuf>,
    /// A file that makes its disk slow.
    pub slow: Option<PathBuf>,
}

impl Watched {
    /// The camera at `/index`, and the table of its configuration. `broker` is the protocol and the port of its broker. Some have a spool, some
    /// disks of their own, some a clock of their own or a slow disk if they are alone, and some hide faces.
    pub fn new(
        folder: &Path,
        (index, name): (usize, &str),
        program: usize,
        (length, camera): (Duration, u16),
        broker: (&str, u16),
        start: Instant,
    ) -> (Self, String) {
        let (home, is_alone) = (folder.join(name), program == index);
        fs::create_dir_all(&home).expect("a folder");
        let (protocol, [source, broker]) = (broker.0, [camera, broker.1].map(Link::to));
        let size_mib = DISK_MIB + MINUTE_MIB * (length.as_secs() / 60);
        let mount = |name, mib| has_disk(index).then(|| Disk::mount(home.join(name), mib)).flatten();
        let (disk, spool_disk) = (mount("disk", size_mib), mount("store", SPOOL_MIB));
        let place = |disk: &Option<Disk>| disk.as_ref().map_or(&home, |disk| &disk.folder).clone();
        let (spool, is_blurred) = ((index % 3 != 2).then(|| place(&spool_disk).join("spool")), index % 4 == 3);
        let recorded = place(&disk).join("days");
        let switches = (protocol == "mqtt").then(|| format!("publish.switches-file = \"{}\"\n", home.join("switches").display()));
        let served = index.is_multiple_of(4).then(free_port);
        let rtsp = served.map(|port| format!("rtsp.listen = \"127.0.0.1:{port}\"\n"));
        let spooled = spool.iter().map(|spool| format!("publish.spool-location = \"{}\"\n", spool.display())).collect::<String>();
        let table = format!(
            "source = \"{}\"\nname = \"{name}\"\n{}files.folder = \"{}\"\nfiles.seconds = {RECORDING_S}\n\
             publish.location = \"{protocol}://127.0.0.1:{}/emotion/{name}\"\npublish.schemas = [\"events\", \"summary\"]\n{spooled}{}{}",
            address(index, source.port),
            if is_blurred { "blur = \"pixelate\"\n" } else { "" },
            recorded.display(),
            broker.port,
            switches.unwrap_or_default(),
            rtsp.unwrap_or_default(),
        );
        let viewer = |protocol| served.map(|port| Viewer::start(protocol, format!("rtsp://127.0.0.1:{port}/faces"), start));
        let viewers = ["tcp", "udp"].into_iter().filter_map(viewer).collect();
        let (hides, asked, name, recordings) = (Vec::new(), None, name.to_owned(), home.join("days"));
        let clock = (index % 4 == 2 && is_alone && faketime().is_some()).then(|| home.join("clock"));
        let slow = (index % 2 == 1 && is_alone && slow_disk(folder).is_some()).then(|| home.join("slow"));
        (Self { name, recordings, spool, is_blurred, hides, asked, program, source, broker, disk, spool_disk, viewers, clock, slow }, table)
    }

    /// Begins or ends a fault of its program, its networks, its disk or its clock.
    pub fn disturb(&mut self, kind: Kind, is_on: bool, program: &mut Program) {
        match kind {
            Kind::SourceCut => self.source.close(is_on),
            // The camera asks for it with the next session.
            Kind::Revoke if is_on => self.source.cut(),
            Kind::SourceDelay => self.source.delay(if is_on { SLOW } else { Duration::ZERO }),
            Kind::SourceLoseUp => self.source.lose(0, is_on),
            Kind::SourceLoseDown => self.source.lose(1, is_on),
            Kind::Power if is_on => {
                program.kill();
                self.disk.iter().chain(&self.spool_disk).for_each(Disk::fail);
            }
            Kind::DiskFull => self.disk.iter().for_each(|disk| disk.fill(is_on)),
            Kind::DiskSlow => self.slow.iter().for_each(|path| drop(if is_on { fs::write(path, "") } else { fs::remove_file(path) })),
            Kind::ClockAhead => self.set_clock(if is_on { "+3600" } else { "+0" }),
            Kind::ClockBehind => self.set_clock(if is_on { "-3600" } else { "+0" }),
            Kind::Memory => {
                disturb(kind, is_on, program, &self.broker);
                // It wants some when it connects again.
                self.source.cut();
            }
            _ => disturb(kind, is_on, program, &self.broker),
        }
    }

    /// Tells the program to hide faces or not, at `now`.
    pub fn hide(&mut self, is_on: bool, now: f64, mqtt: &Mqtt) {
        // Otherwise, an earlier state that arrives later would be taken for the answer.
        self.asked = (is_on && mqtt.is_up()).then(|| mqtt.payloads(&format!("emotion/{}/state", self.name)).len());
        self.hides.iter_mut().filter(|(_, to)| to.is_infinite() && !is_on).for_each(|(_, to)| *to = now);
        mqtt.publish(&format!("emotion/{}/set", self.name), &format!("{{\"blur\": {is_on}}}"));
    }

    /// Notes when the program has said that it hides faces.
    pub fn note_hiding(&mut self, now: f64, mqtt: &Mqtt) {
        let Some(asked) = self.asked else { return };
        let states = mqtt.payloads(&format!("emotion/{}/state", self.name));
        if states[asked.min(states.len())..].last().is_some_and(|state| state.contains("\"blur\":true")) {
            self.asked = None;
            self.hides.push((now, f64::INFINITY));
        }
    }

    fn set_clock(&self, ahead: &str) {
        self.clock.iter().for_each(|path| fs::write(path, ahead).expect("a file"));
    }
}

/// The program of one camera or of several.
pub fn watch(name: &str, folder: &Path, tables: &[String], camera: Option<&Watched>, start: Instant) -> Program {
    let (home, metrics) = (folder.join(name), free_port());
    fs::create_dir_all(&home).expect("a folder");
    let heading = if tables.len() > 1 { "[[camera]]\n" } else { "" };
    let tables: String = tables.iter().map(|table| format!("{heading}{table}")).collect();
    let configuration = home.join("camera.toml");
    fs::write(&configuration, format!("metrics.listen = \"127.0.0.1:{metrics}\"\n{tables}")).expect("a file");
    let command = [earlier_program("emotion-camera"), "--config".into(), configuration.display().to_string()];
    let mut program = Program::new(name, command.into(), metrics, home.join("log"), start);
    program.variables.extend(camera.and_then(|camera| clock_of(camera.clock.as_ref()?)).into_iter().flatten());
    program.variables.extend(camera.and_then(|camera| disk_of(camera.slow.as_ref()?)).into_iter().flatten());
    program
}

/// Reloads the configuration of a program, with another length of recordings, or with a mistake.
fn reload(program: &mut Program, is_wrong: bool) {
    let path = PathBuf::from(program.command.last().expect("a configuration"));
    let text = fs::read_to_string(&path).expect("a file");
    let [now, later] = [RECORDING_S, RECORDING_S + 5].map(|seconds| format!("files.seconds = {seconds}\n"));
    if is_wrong {
        let wrong = path.with_extension("wrong");
        fs::write(&wrong, text.replacen("files.folder", "files.folders", 1)).expect("a file");
        program.reload(&wrong, true);
    } else {
        let (from, to) = if text.contains(&now) { (&now, &later) } else { (&later, &now) };
        fs::write(&path, text.replace(from, to)).expect("a file");
        program.reload(&path, false);
    }
}

/// Ends a program, which is started again as the version under test.
fn upgrade(running: &mut Program) {
    let name = Path::new(&running.command[0]).file_name().expect("the path of a program").to_string_lossy();
    running.command[0] = program(&name);
    running.end(Signal::TERM);
}

/// What happens to a program or to its network to a broker.
pub fn disturb(kind: Kind, is_on: bool, program: &mut Program, broker: &Link) {
    match (kind, is_on) {
        (Kind::Kill, true) => program.end(Signal::KILL),
        (Kind::Terminate, true) => program.end(Signal::TERM),
        (Kind::Reload | Kind::ReloadWrong, true) => reload(program, kind == Kind::ReloadWrong),
        (Kind::Upgrade, true) => upgrade(program),
        (Kind::Pause, _) => program.pause(is_on),
        (Kind::Memory, _) => program.limit_memory(is_on),
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

/// The path of a program until the upgrade: in the folder EARLIER, or that of the version under test.
pub fn earlier_program(name: &str) -> String {
    let folder = std::env::var_os("EARLIER").filter(|folder| !folder.is_empty());
    folder.map_or_else(|| program(name), |folder| Path::new(&folder).join(name).display().to_string())
}

/// The variables by which a program has the clock of a file. `None` without the library.
fn clock_of(path: &Path) -> Option<[(&'static str, String); 4]> {
    fs::write(path, "+0").expect("a file");
    let [library, path] = [faketime()?.as_path(), path].map(|path| path.display().to_string());
    let duration = ("FAKETIME_CACHE_DURATION", "1".to_owned());
    Some([("LD_PRELOAD", library), ("FAKETIME_TIMESTAMP_FILE", path), ("DONT_FAKE_MONOTONIC", "1".to_owned()), duration])
}

/// The variables by which a program has a disk that is slow while a file exists. `None` without the library.
fn disk_of(path: &Path) -> Option<[(&'static str, String); 2]> {
    Some([("LD_PRELOAD", slow_disk(path.ancestors().nth(2)?)?.display().to_string()), ("SLOW_DISK", path.display().to_string())])
}

/// The library that makes disks slow, in the folder of the run. `None` without a compiler.
pub fn slow_disk(folder: &Path) -> Option<PathBuf> {
    let (library, source) = (folder.join("slow.so"), repository().join("tests/chaos/slow.c"));
    let compile = || Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
    (library.exists() || compile().is_ok_and(|status| status.success())).then_some(library)
}

/// The library that gives a program another clock.
pub fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.map_while(Result::ok);
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
}

/// A disk of its own, which can be full, and whose power can fail.
pub struct Disk {
    folder: PathBuf,
    image: PathBuf,
}

impl Disk {
    /// An ext4 file system in a file beside `folder`. `None` without the right to mount one.
    fn mount(folder: PathBuf, mib: u64) -> Option<Self> {
        let disk = Self { image: folder.with_extension("img"), folder };
        fs::create_dir_all(&disk.folder).expect("a folder");
        fs::File::create(&disk.image).and_then(|file| file.set_len(mib << 20)).expect("a file");
        let has_made = Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&disk.image).status();
        (has_made.is_ok_and(|status| status.success()) && disk.attach()).then_some(disk)
    }

    fn attach(&self) -> bool {
        Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.folder]).status().is_ok_and(|status| status.success())
    }

    fn fill(&self, is_full: bool) {
        let path = self.folder.join("full");
        if is_full {
            let mut file = fs::File::create(path).expect("a file");
            while file.write_all(&[0; 4096]).is_ok() {}
        } else {
            let _ = fs::remove_file(path);
        }
    }

    /// Forgets what was written and not synced.
    #[allow(unsafe_code)]
    fn fail(&self) {
        let folder = fs::File::open(&self.folder).expect("a folder");
        // SAFETY: `SHUTDOWN` has the number of EXT4_IOC_SHUTDOWN, which reads an integer.
        unsafe { ioctl(&folder, Setter::<SHUTDOWN, u32>::new(WITHOUT_LOG)) }.expect("an ext4 file system");
        drop(folder);
        let end = Instant::now() + PATIENCE;
        while !Command::new("umount").arg(&self.folder).status().is_ok_and(|status| status.success()) {
            assert!(Instant::now() < end, "{}: in use", self.folder.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(self.attach(), "{}: cannot be mounted again", self.folder.display());
    }

    /// Moves what was recorded to a folder that stays.
    pub fn keep(&self, folder: &Path) {
        self.fill(false);
        let _ = Command::new("cp").arg("-a").arg(self.folder.join("days")).arg(folder).status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
        let _ = fs::remove_file(&self.image);
    }
}
