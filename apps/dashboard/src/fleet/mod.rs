// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fleet: cameras on any machine that publish to a broker (`emotion-camera`, `emotionpublish`).
//!
//! ```text
//! broker → broker.rs: subscription → camera.rs: status, totals, events, history → viewers, alerts
//! ```

mod broker;
mod camera;
mod message;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use emotion_publish::subscriber::Report;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

pub use broker::{AlertPublisher, Broker, BrokerError};
use camera::{Camera, Status};

use crate::calendar::Calendar;
use crate::history::Timeline;
use crate::sample::Sample;

/// Maximum number of cameras, over all brokers.
const MAX_CAMERAS: usize = 200;
/// A camera without a status makes room for another one without a status once it was silent for this long.
const SILENCE_MS: u64 = 60_000;

/// All brokers and their cameras.
pub struct Fleet {
    calendar: Calendar,
    /// The brokers, in the order of the command line.
    pub brokers: Vec<Broker>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Incremented with each change.
    version: u64,
    last_id: u32,
    cameras: BTreeMap<u32, Camera>,
    /// Ids by broker and topic.
    ids: HashMap<Address, u32>,
    /// For each broker the reason for which there is no connection; `None` while it is connected.
    failures: Vec<Option<String>>,
    /// True if cameras were left out, since there are too many.
    is_full: bool,
}

/// The index of a broker, and the topic of a camera.
pub type Address = (usize, String);

/// What alerts look at.
pub struct Condition {
    /// Id of the camera.
    pub id: u32,
    /// Its broker and its topic there.
    pub address: Address,
    pub name: String,
    /// Since when it is offline, in milliseconds since 1970; `None` if it is not.
    pub offline_since: Option<u64>,
    /// Its newest totals.
    pub sample: Option<Sample>,
}

impl Fleet {
    /// A fleet without cameras.
    pub fn new(brokers: Vec<Broker>, calendar: Calendar) -> Self {
        let failures = brokers.iter().map(|_| Some("connecting".to_owned())).collect();
        Self { calendar, brokers, state: Mutex::new(State { version: 1, failures, ..State::default() }) }
    }

    /// Follows all brokers, each in a task of the current runtime.
    pub fn follow(self: &Arc<Self>) {
        for index in 0..self.brokers.len() {
            let fleet = self.clone();
            tokio::spawn(async move { fleet.brokers[index].follow(|report| fleet.report(index, report)).await });
        }
    }

    /// Takes a report of a broker.
    fn report(&self, broker: usize, report: Report<'_>) {
        let address = &self.brokers[broker].address;
        match report {
            Report::Connected => {
                eprintln!("emotion-dashboard: {address}: connected");
                let now_ms = self.calendar.now_ms();
                let mut state = self.state.lock();
                state.set_failure(broker, None);
                state.cameras.values_mut().filter(|camera| camera.broker == broker).for_each(|camera| camera.doubt(now_ms));
            }
            Report::Disconnected(reason) => {
                eprintln!("emotion-dashboard: {address}: no connection: {reason}; trying again");
                self.state.lock().set_failure(broker, Some(reason.to_owned()));
            }
            Report::Message { topic, payload, is_retained } => {
                let Some((topic, schema)) = topic.rsplit_once('/') else { return };
                let now_ms = self.calendar.now_ms();
                let name = self.brokers[broker].camera_name(topic);
                self.state.lock().take(broker, topic, &name, (schema, payload, is_retained), now_ms);
            }
        }
    }

    /// What changed after `version`: the current version, and the message to viewers; `None` if nothing did.
    pub fn changes_since(&self, version: u64) -> Option<(u64, Value)> {
        let state = self.current();
        if state.version <= version {
            return None;
        }
        let cameras: Vec<_> =
            state.cameras.iter().filter(|(_, camera)| camera.version > version).map(|(&id, camera)| camera.view(id)).collect();
        let brokers = self.brokers.iter().zip(&state.failures);
        let brokers: Vec<_> = brokers.map(|(broker, failure)| json!({ "address": broker.address, "failure": failure })).collect();
        let ids: Vec<u32> = state.cameras.keys().copied().collect();
        let full = state.is_full.then_some(MAX_CAMERAS);
        Some((state.version, json!({ "brokers": brokers, "ids": ids, "cameras": cameras, "max_cameras": full })))
    }

    /// The seconds `from..to` of a camera, in at most `points` points; `None` if there is no camera with this id.
    pub fn timeline(&self, id: u32, from: u64, to: u64, points: u64) -> Option<Timeline> {
        self.state.lock().cameras.get(&id).map(|camera| camera.history.timeline(from, to, points))
    }

    /// What alerts look at, for each camera.
    pub fn conditions(&self) -> Vec<Condition> {
        let of = |(&id, camera): (&u32, &Camera)| Condition {
            id,
            address: (camera.broker, camera.topic.clone()),
            name: camera.name.clone(),
            offline_since: camera.offline_since(),
            sample: camera.latest.clone(),
        };
        self.current().cameras.iter().map(of).collect()
    }

    /// Publishes an alert to the topic of a camera, which may have been removed.
    pub fn publish_alert(&self, (broker, topic): &Address, record: &str) {
        self.brokers[*broker].publish_alert(topic, record);
    }

    /// The state, in which cameras that nothing is heard of are offline.
    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.give_up(self.calendar.now_ms());
        state
    }
}

impl State {
    fn set_failure(&mut self, broker: usize, failure: Option<String>) {
        self.version += 1;
        self.failures[broker] = failure;
    }

    /// Takes cameras for offline that nothing is heard of.
    fn give_up(&mut self, now_ms: u64) {
        for camera in self.cameras.values_mut() {
            if camera.give_up(now_ms) {
                self.version += 1;
                camera.version = self.version;
            }
        }
    }

    /// Takes a message: schema, payload, and whether it is retained.
    fn take(&mut self, broker: usize, topic: &str, name: &str, message: (&str, &[u8], bool), now_ms: u64) {
        let (schema, payload, is_retained) = message;
        let key = (broker, topic.to_owned());
        let known = self.ids.get(&key).copied();
        // An empty message removes a retained one: the camera was taken out of service.
        if schema == "status" && payload.is_empty() {
            if let Some(id) = known {
                self.remove(id);
            }
            return;
        }
        let Some(id) = known.or_else(|| self.add(key, name, schema == "status", now_ms)) else { return };
        let Some(camera) = self.cameras.get_mut(&id) else { return };
        if camera.take(schema, payload, is_retained, now_ms) {
            self.version += 1;
            camera.version = self.version;
        }
    }

    /// Adds a camera. If there are too many, it replaces the one that may go and was not heard of for the longest time.
    fn add(&mut self, key: Address, name: &str, has_status: bool, now_ms: u64) -> Option<u32> {
        if self.cameras.len() >= MAX_CAMERAS {
            // Without a status nobody knows whether a camera is still there.
            let may_go = |camera: &Camera| match camera.status {
                Status::Online => false,
                Status::Offline => true,
                Status::Unknown => has_status || now_ms.saturating_sub(camera.heard_ms) >= SILENCE_MS,
            };
            let candidates = self.cameras.iter().filter(|(_, camera)| may_go(camera));
            let Some(longest) = candidates.min_by_key(|(_, camera)| camera.heard_ms).map(|(&id, _)| id) else {
                self.version += u64::from(!self.is_full);
                self.is_full = true;
                return None;
            };
            self.remove(longest);
        }
        self.last_id += 1;
        self.version += 1;
        let mut camera = Camera::new(key.0, &key.1, name, now_ms);
        camera.version = self.version;
        self.cameras.insert(self.last_id, camera);
        self.ids.insert(key, self.last_id);
        Some(self.last_id)
    }

    fn remove(&mut self, id: u32) {
        if let Some(camera) = self.cameras.remove(&id) {
            self.ids.remove(&(camera.broker, camera.topic));
            self.is_full = false;
            self.version += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(state: &mut State, topic: &str, schema: &str, payload: &[u8], now_ms: u64) {
        state.take(0, topic, topic, (schema, payload, false), now_ms);
    }

    #[test]
    fn the_number_of_cameras_is_limited_and_those_that_are_gone_make_room() {
        let mut state = State::default();
        for number in 0..MAX_CAMERAS {
            take(&mut state, &format!("emotion/{number}"), "status", b"online", number as u64);
        }
        take(&mut state, "emotion/more", "status", b"online", 1000);
        assert!(state.is_full && !state.ids.contains_key(&(0, "emotion/more".into())), "all are online");
        take(&mut state, "emotion/7", "status", b"offline", 1001);
        take(&mut state, "emotion/5", "status", b"offline", 1002);
        take(&mut state, "emotion/more", "status", b"online", 1003);
        assert_eq!(state.cameras.len(), MAX_CAMERAS);
        assert!(state.ids.contains_key(&(0, "emotion/more".into())) && !state.ids.contains_key(&(0, "emotion/7".into())));
    }

    /// A full list of cameras that have published faces but no status, one each millisecond.
    fn full_without_status() -> State {
        let mut state = State::default();
        for number in 0..MAX_CAMERAS {
            take(&mut state, &format!("emotion/{number}"), "faces", b"{}", number as u64);
        }
        state
    }

    fn has(state: &State, topic: &str) -> bool {
        state.ids.contains_key(&(0, topic.into()))
    }

    #[test]
    fn a_camera_without_a_status_makes_room_for_one_with_a_status() {
        let mut state = full_without_status();
        take(&mut state, "emotion/0", "faces", b"{}", 1000);
        take(&mut state, "emotion/door", "status", b"online", 1001);
        assert!(has(&state, "emotion/door") && has(&state, "emotion/0") && !has(&state, "emotion/1"));
        assert_eq!((state.cameras.len(), state.is_full), (MAX_CAMERAS, false));
    }

    #[test]
    fn cameras_without_a_status_make_room_once_they_are_silent() {
        let mut state = full_without_status();
        take(&mut state, "emotion/more", "faces", b"{}", 1000);
        assert!(state.is_full && !has(&state, "emotion/more"), "the others were heard of a moment ago");
        take(&mut state, "emotion/more", "faces", b"{}", SILENCE_MS);
        assert!(!state.is_full && has(&state, "emotion/more") && !has(&state, "emotion/0"));
    }

    #[test]
    fn a_camera_that_only_the_broker_calls_online_is_offline_in_the_end() {
        let mut state = State::default();
        let retained = |state: &mut State, topic: &str, now_ms| state.take(0, topic, topic, ("status", b"online", true), now_ms);
        let online = |state: &State| state.cameras.values().map(|camera| camera.offline_since().is_none()).collect::<Vec<_>>();
        ["dead", "quiet", "busy"].iter().for_each(|topic| retained(&mut state, topic, 1_000));
        // A camera repeats its status each minute, whether or not it sees faces.
        take(&mut state, "quiet", "status", b"online", 60_000);
        take(&mut state, "busy", "faces", b"{}", 2_000);
        state.give_up(120_999);
        assert_eq!(online(&state), [true, true, true]);
        let version = state.version;
        state.give_up(121_000);
        assert_eq!((online(&state), state.version), (vec![false, true, true], version + 1));
        // After another connection, the broker says the same, and a camera that is known from before may have died meanwhile.
        state.cameras.values_mut().for_each(|camera| camera.doubt(200_000));
        retained(&mut state, "dead", 200_000);
        take(&mut state, "quiet", "status", b"online", 201_000);
        state.give_up(320_000);
        assert_eq!(online(&state), [false, true, false]);
        take(&mut state, "dead", "events", b"{}", 400_000);
        take(&mut state, "busy", "status", b"online", 400_000);
        state.give_up(900_000);
        assert_eq!(online(&state), [true, true, true], "they are back");
    }

    #[test]
    fn an_empty_status_removes_a_camera() {
        let mut state = State::default();
        take(&mut state, "emotion/door", "status", b"offline", 1);
        take(&mut state, "emotion/door", "status", b"", 2);
        take(&mut state, "emotion/gate", "status", b"", 3);
        assert!(state.cameras.is_empty() && state.ids.is_empty());
    }
}
