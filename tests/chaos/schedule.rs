// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes wrong, and when: a list of faults that follows from a seed. Faults overlap, but each thing has one of a kind at a time.

use std::time::Duration;

/// Before the first fault, everything starts.
pub const CALM_START: Duration = Duration::from_secs(40);
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
    /// SIGSTOP, and SIGCONT at the end.
    Pause,
    /// The camera sends nothing.
    Stall,
    /// It sends eight frames at once.
    Bundles,
    /// Its picture has another size.
    Resize,
    /// It leaves out packets.
    Damage,
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
    /// The clock of the program is an hour ahead or behind.
    ClockAhead,
    ClockBehind,
    /// The broker ends, and starts at the end with or without what it has stored.
    Restart,
    Wipe,
}

impl Kind {
    /// Those of a camera, its program and its network, and the longest time in seconds.
    const OF_CAMERAS: [(Self, u64); 17] = [
        (Self::Kill, 1),
        (Self::Kill, 1),
        (Self::Terminate, 1),
        (Self::Pause, 15),
        (Self::Stall, 12),
        (Self::Bundles, 15),
        (Self::Resize, 15),
        (Self::Damage, 15),
        (Self::SourceCut, 12),
        (Self::SourceDelay, 15),
        (Self::SourceLoseUp, 12),
        (Self::SourceLoseDown, 12),
        (Self::BrokerCut, 20),
        (Self::BrokerDelay, 20),
        (Self::DiskFull, 20),
        (Self::ClockAhead, 30),
        (Self::ClockBehind, 30),
    ];
    const OF_NETWORKS: [(Self, u64); 2] = [(Self::BrokerLoseUp, 30), (Self::BrokerLoseDown, 30)];
    const OF_BROKERS: [(Self, u64); 2] = [(Self::Restart, 20), (Self::Wipe, 15)];
    const OF_DASHBOARDS: [(Self, u64); 5] =
        [(Self::Kill, 1), (Self::Terminate, 1), (Self::Pause, 10), (Self::BrokerCut, 15), (Self::BrokerLoseDown, 20)];

    /// True if no frame of the camera may arrive, or not in time.
    pub fn stops_frames(self) -> bool {
        use Kind::{Bundles, Damage, Kill, Pause, Resize, SourceCut, SourceDelay, SourceLoseDown, SourceLoseUp, Stall, Terminate};
        matches!(
            self,
            Kill | Terminate | Pause | Stall | Bundles | Resize | Damage | SourceCut | SourceDelay | SourceLoseUp | SourceLoseDown
        )
    }
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

/// The faults of a run of this length, in order.
pub fn faults(seed: u64, length: Duration, cameras: usize) -> Vec<Fault> {
    let (mut random, mut faults) = (Random(seed), Vec::<Fault>::new());
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
        let length = Duration::from_millis(1000 + random.below(longest * 1000 - 999)).min(last - at);
        let fault = Fault { at, length, target, kind };
        // Another restart of a broker is one of the same kind.
        let is_same = |other: &Fault| other.target == target && (other.kind == kind || matches!(target, Target::Mqtt | Target::Nats));
        if !faults.iter().any(|other| is_same(other) && other.end() + Duration::from_secs(1) > at) {
            faults.push(fault);
        }
        at += Duration::from_millis(pause_ms / 2 + random.below(pause_ms));
    }
    faults
}

#[test]
fn a_seed_says_what_happens_and_leaves_time_to_recover() {
    let length = Duration::from_secs(1200);
    let (faults, again, other) = (faults(1, length, 8), faults(1, length, 8), faults(2, length, 8));
    assert_eq!(faults, again);
    assert_ne!(faults, other);
    assert!(faults.len() > 200 && faults.is_sorted_by_key(|fault| fault.at), "{}", faults.len());
    assert!(faults.iter().all(|fault| fault.at >= CALM_START && fault.end() <= length - CALM_END));
    let overlapping = faults.windows(2).filter(|pair| pair[0].end() > pair[1].at).count();
    assert!(overlapping * 3 > faults.len(), "{overlapping} of {}", faults.len());
    let kinds = Kind::OF_CAMERAS.iter().chain(&Kind::OF_NETWORKS).chain(&Kind::OF_BROKERS).chain(&Kind::OF_DASHBOARDS);
    for (kind, _) in kinds {
        assert!(faults.iter().any(|fault| fault.kind == *kind), "{kind:?} never happens in 20 minutes");
    }
}
