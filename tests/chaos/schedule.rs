// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes wrong, and when: a list of faults that follows from a seed. Faults overlap, but each thing has one of a kind at a time.

use std::time::Duration;

/// Before the first fault, everything starts.
pub const CALM_START: Duration = Duration::from_secs(40);
/// From then on, some processes are not ended.
const SPARES: Duration = Duration::from_secs(1200);
/// After the last fault, everything recovers.
pub const CALM_END: Duration = Duration::from_secs(60);

/// What a fault happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The program that follows the camera with this index, its network and its disk.
    Camera(usize),
    Dashboard,
    Mqtt,
    Nats,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SIGKILL. The program is started again after two seconds, as by a service manager.
    Kill,
    /// SIGTERM; likewise.
    Terminate,
    /// A new configuration, as by `systemctl reload`: it is checked, and if it is right, the program ends and is started again.
    Reload,
    /// A wrong one: the program goes on.
    ReloadWrong,
    /// The power of the program fails: SIGKILL, and its disks keep what they have synced.
    Power,
    /// The program is replaced by the version under test: SIGTERM, and another program starts.
    Upgrade,
    /// The program gets no more memory.
    Memory,
    /// SIGSTOP, and SIGCONT at the end.
    Pause,
    /// The camera sends nothing.
    Stall,
    /// It sends eight frames at once.
    Bundles,
    /// Its picture has another size.
    Resize,
    /// It sends 4:2:2, for which H.264 has another profile.
    Profile,
    /// It shows every second frame.
    HalfRate,
    /// It leaves out packets.
    Damage,
    /// It sends packets in another order.
    Reorder,
    /// It does not take the password any more.
    Revoke,
    /// The connections to the camera or to the broker break, and new ones are refused.
    SourceCut,
    BrokerCut,
    /// Bytes arrive later, up to a second.
    SourceDelay,
    BrokerDelay,
    /// Nothing arrives from the program, or at it, and at the end the connections break.
    SourceLoseUp,
    SourceLoseDown,
    BrokerLoseUp,
    BrokerLoseDown,
    /// The disk of recordings is full.
    DiskFull,
    /// It is slow: each call that writes takes a tenth of a second longer.
    DiskSlow,
    /// The clock of the program is an hour ahead or behind.
    ClockAhead,
    ClockBehind,
    /// A command switches on that faces are hidden, and off at the end.
    Hide,
    /// The broker ends, and starts at the end with or without what it has stored.
    Restart,
    Wipe,
}

impl Kind {
    /// Those of a camera, its program and its network, and the longest time in seconds.
    const OF_CAMERAS: [(Self, u64); 27] = [
        (Self::Kill, 1),
        (Self::Kill, 1),
        (Self::Terminate, 1),
        (Self::Power, 1),
        (Self::Reload, 1),
        (Self::ReloadWrong, 1),
        (Self::Memory, 5),
        (Self::Pause, 15),
        (Self::Stall, 12),
        (Self::Bundles, 15),
        (Self::Resize, 15),
        (Self::Profile, 15),
        (Self::HalfRate, 15),
        (Self::Damage, 15),
        (Self::Reorder, 15),
        (Self::Revoke, 12),
        (Self::SourceCut, 12),
        (Self::SourceDelay, 15),
        (Self::SourceLoseUp, 12),
        (Self::SourceLoseDown, 12),
        (Self::BrokerCut, 20),
        (Self::BrokerDelay, 20),
        (Self::DiskFull, 20),
        (Self::DiskSlow, 20),
        (Self::ClockAhead, 30),
        (Self::ClockBehind, 30),
        (Self::Hide, 30),
    ];
    const OF_NETWORKS: [(Self, u64); 2] = [(Self::BrokerLoseUp, 30), (Self::BrokerLoseDown, 30)];
    const OF_BROKERS: [(Self, u64); 2] = [(Self::Restart, 20), (Self::Wipe, 15)];
    const OF_DASHBOARDS: [(Self, u64); 5] =
        [(Self::Kill, 1), (Self::Terminate, 1), (Self::Pause, 10), (Self::BrokerCut, 15), (Self::BrokerLoseDown, 20)];

    /// True if messages may not arrive at the broker.
    pub fn is_of_broker(self) -> bool {
        matches!(self, Self::BrokerCut | Self::BrokerDelay | Self::BrokerLoseUp | Self::BrokerLoseDown)
    }

    /// True if no frame of the camera may arrive, or not in time. Packets in another order are put in order again.
    pub fn stops_frames(self) -> bool {
        self.is_of_process()
            || matches!(self, Self::Stall | Self::Bundles | Self::Resize | Self::Profile | Self::HalfRate | Self::Damage | Self::Revoke)
            || matches!(self, Self::SourceCut | Self::SourceDelay | Self::SourceLoseUp | Self::SourceLoseDown)
    }

    /// True if it happens to all cameras of a process.
    pub fn is_of_process(self) -> bool {
        self.ends_process() || self == Self::Pause
    }

    pub fn ends_process(self) -> bool {
        matches!(self, Self::Kill | Self::Power | Self::Terminate | Self::Reload | Self::Upgrade | Self::Memory)
    }
}

/// How many cameras there are, of which the last ones are in one process.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub alone: usize,
    pub together: usize,
}

impl Counts {
    pub fn all(self) -> usize {
        self.alone + self.together
    }

    /// True if a camera has disks of its own, and its program no other camera.
    pub fn has_disks(self, camera: usize) -> bool {
        has_disk(camera) && camera < self.alone
    }

    /// The index of the program of a camera.
    pub fn program_of(self, camera: usize) -> usize {
        camera.min(self.alone)
    }
}

/// True if a camera records to a disk of its own.
pub fn has_disk(camera: usize) -> bool {
    camera % 3 == 1
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: Duration,
    pub length: Duration,
    pub target: Target,
    pub kind: Kind,
}

impl Fault {
    pub fn end(&self) -> Duration {
        self.at + self.length
    }
}

/// Random numbers that follow from a seed (SplitMix64, Steele and others 2014).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    fn choice<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// The faults of a run of this length, in order; of the kinds whose names `only` has, or of all if it is empty.
pub fn faults(seed: u64, length: Duration, counts: Counts, only: &str) -> Vec<Fault> {
    let is_wanted = |kind: Kind| only.is_empty() || only.split(',').any(|name| name == format!("{kind:?}"));
    let (mut random, mut faults, cameras) = (Random(seed), Vec::<Fault>::new(), counts.all());
    let last = length.saturating_sub(CALM_END);
    // Each camera has a fault about every half a minute, so that there are calm times too.
    let pause_ms = 45_000 / (cameras as u64 + 2);
    let mut at = CALM_START;
    while at < last {
        let number = random.below(cameras as u64 + 2) as usize;
        let (target, kinds) = match number {
            _ if number < cameras && random.below(6) == 0 => (Target::Camera(number), &Kind::OF_NETWORKS[..]),
            _ if number < cameras => (Target::Camera(number), &Kind::OF_CAMERAS[..]),
            _ if number == cameras => (Target::Dashboard, &Kind::OF_DASHBOARDS[..]),
            _ => (random.choice(&[Target::Mqtt, Target::Nats]), &Kind::OF_BROKERS[..]),
        };
        let (kind, longest) = random.choice(kinds);
        if !is_wanted(kind) || is_spared(target, kind, counts, at > SPARES) {
            at += Duration::from_millis(1);
            continue;
        }
        let length = Duration::from_millis(1000 + random.below(longest * 1000 - 999)).min(last - at);
        let fault = Fault { at, length, target, kind };
        // Another restart of a broker is one of the same kind.
        let is_same = |other: &Fault| other.target == target && (other.kind == kind || matches!(target, Target::Mqtt | Target::Nats));
        if !faults.iter().any(|other| is_same(other) && other.end() + Duration::from_secs(1) > at) {
            faults.push(fault);
        }
        at += Duration::from_millis(pause_ms / 2 + random.below(pause_ms));
    }
    faults.extend(upgrade(length, counts).filter(|fault| is_wanted(fault.kind) && fault.at >= CALM_START && fault.end() <= last));
    faults.sort_by_key(|fault| fault.at);
    faults
}

/// One program after the other is upgraded, from a third of the time on: what runs then lives long enough to show whether it grows.
fn upgrade(length: Duration, counts: Counts) -> impl Iterator<Item = Fault> {
    let programs = (0..counts.all().min(counts.alone + 1)).map(Target::Camera).chain([Target::Dashboard]);
    let times = (0..).map(move |index| length / 3 + index * Duration::from_secs(5));
    times.zip(programs).map(|(at, target)| Fault { at, length: Duration::from_secs(1), target, kind: Kind::Upgrade })
}

/// What happens to a process happens by its first camera, and its power fails only with disks of its own. After the first minutes, every
/// second camera, those in one process and the dashboard are not ended, so that they live long enough to show whether they grow.
fn is_spared(target: Target, kind: Kind, counts: Counts, is_late: bool) -> bool {
    match target {
        Target::Camera(index) if kind.is_of_process() && index > counts.alone => true,
        Target::Camera(index) if kind == Kind::Power && !counts.has_disks(index) => true,
        Target::Camera(index) => is_late && kind.ends_process() && (index % 2 == 1 || index >= counts.alone),
        _ => is_late && target == Target::Dashboard && kind.ends_process(),
    }
}

#[test]
fn a_seed_says_what_happens_and_leaves_time_to_recover() {
    let length = 2 * SPARES;
    let counts = Counts { alone: 8, together: 2 };
    let (faults, again, other) = (faults(1, length, counts, ""), faults(1, length, counts, ""), faults(2, length, counts, ""));
    assert_eq!(faults, again);
    assert_ne!(faults, other);
    assert!(faults.len() > 200 && faults.is_sorted_by_key(|fault| fault.at), "{}", faults.len());
    assert!(faults.iter().all(|fault| fault.at >= CALM_START && fault.end() <= length - CALM_END));
    let overlapping = faults.windows(2).filter(|pair| pair[0].end() > pair[1].at).count();
    assert!(overlapping * 3 > faults.len(), "{overlapping} of {}", faults.len());
    assert!(self::faults(1, length, counts, "Kill").iter().all(|fault| fault.kind == Kind::Kill));
    let kinds = Kind::OF_CAMERAS.iter().chain(&Kind::OF_NETWORKS).chain(&Kind::OF_BROKERS).chain(&Kind::OF_DASHBOARDS);
    for (kind, _) in kinds {
        assert!(faults.iter().any(|fault| fault.kind == *kind), "{kind:?} never happens in 40 minutes");
    }
    let ended = |index| faults.iter().filter(move |fault| fault.target == Target::Camera(index) && fault.kind.ends_process());
    let is_late = |fault: &Fault| fault.at > SPARES;
    assert!([0, 2, 4, 6].into_iter().flat_map(ended).any(is_late) && ![1, 3, 5, 7].into_iter().flat_map(ended).any(is_late));
    let upgraded = faults.iter().filter(|fault| fault.kind == Kind::Upgrade).count();
    assert_eq!(upgraded, 10, "those of eight cameras, that of two, and the dashboard");
    assert!(ended(8).count() > 0 && ended(9).count() == 0, "a process is ended by its first camera");
}
