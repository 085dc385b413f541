// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's mosquitto on a loopback port, a subscriber, and servers that misbehave.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::left_out;

/// Maximum waiting time, long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// True if the programs exist. Otherwise the test is recorded as skipped.
pub fn installed(programs: &[&str]) -> bool {
    let exists = |program: &&str| ["/usr/sbin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(program).exists());
    let missing: Vec<_> = programs.iter().filter(|program| !exists(program)).copied().collect();
    if !missing.is_empty() {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{missing:?} are missing; `make setup` installs them");
        left_out::note(format!("no {missing:?}"));
    }
    missing.is_empty()
}

/// Waits until `is_true`.
pub fn wait(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < end, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port on which nobody listens. It is not one that the system gives to clients: another connection could take it before a
/// server does, and an attempt to connect to it could connect to itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        // Each process begins elsewhere, since several test programs may run.
        let port = 20_000 + (std::process::id() as u16 % 100) * 100 + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Starts a server with a configuration file and waits until it accepts connections.
pub fn start_server(program: &str, configuration: &Path, port: u16) -> Child {
    let mut command = Command::new(program);
    let mut child = command.arg("-c").arg(configuration).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait("a server", || {
        assert_eq!(child.try_wait().unwrap(), None, "the server has ended");
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    child
}

/// An empty folder, which is removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    /// An empty folder for `test`.
    pub fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gst-emotion-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A broker that can be stopped and started again on its port.
pub struct Mosquitto {
    /// Its configuration, log and database.
    pub folder: Folder,
    /// Its port on loopback.
    pub port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// A broker that is not started. `options` are lines of its configuration, in which FOLDER is its folder.
    pub fn stopped(test: &str, options: &str) -> Self {
        let (folder, port) = (Folder::new(test), free_port());
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        // By default the broker keeps at most 1,000 messages for a subscriber that is away, and drops the others.
        let options = format!(
            "user {user}\nmax_queued_messages 100000\npersistence true\npersistence_location FOLDER/\nlistener {port} 127.0.0.1\n{options}\n"
        );
        folder.write("mosquitto.conf", &options.replace("FOLDER", &folder.0.display().to_string()));
        Self { folder, port, child: None }
    }

    /// A broker that anyone may use.
    pub fn open(test: &str) -> Self {
        let mut broker = Self::stopped(test, "allow_anonymous true");
        broker.start();
        broker
    }

    /// Starts the broker and waits until it accepts connections.
    pub fn start(&mut self) {
        self.child = Some(start_server("/usr/sbin/mosquitto", &self.folder.0.join("mosquitto.conf"), self.port));
    }

    /// Stops the broker, which saves its sessions.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            Command::new("kill").arg(child.id().to_string()).status().unwrap();
            child.wait().unwrap();
        }
    }

    /// Its address, for `location` of the element.
    pub fn location(&self) -> String {
        format!("mqtt://127.0.0.1:{}/emotion/door", self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a subscriber has received: topic and payload, in order.
#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<Vec<(String, String)>>>);

impl Received {
    /// Topics and payloads in the order of their arrival.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }

    /// The payloads of a topic.
    pub fn of(&self, topic: &str) -> Vec<String> {
        self.all().into_iter().filter(|(known, _)| known == topic).map(|(_, payload)| payload).collect()
    }

    /// The objects of a topic in order, without repeats of a message id.
    pub fn objects(&self, topic: &str) -> Vec<Value> {
        let mut known = HashSet::new();
        let objects = self.of(topic).into_iter().map(|payload| serde_json::from_str::<Value>(&payload).unwrap());
        objects.filter(|object| known.insert(object["message_id"].to_string())).collect()
    }

    /// The field `n` of these objects.
    pub fn numbers(&self, topic: &str) -> Vec<u64> {
        self.objects(topic).iter().map(|object| object["n"].as_u64().unwrap()).collect()
    }
}

/// A subscriber to everything under `emotion`, which connects again like any good one.
pub struct Subscriber {
    /// All messages so far.
    pub received: Received,
    child: Child,
}

impl Subscriber {
    /// Subscribes with a session that outlives connections. `options` are further options of mosquitto_sub.
    pub fn new(port: u16, options: &[&str]) -> Self {
        let mut child = Command::new("mosquitto_sub")
            .args(["-p", &port.to_string(), "-q", "1", "-c", "-i", "subscriber", "-t", "emotion/#", "-v"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let received = Received::default();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn({
            let received = received.clone();
            move || {
                for line in lines.map_while(Result::ok) {
                    let (topic, payload) = line.split_once(' ').unwrap();
                    received.0.lock().unwrap().push((topic.into(), payload.into()));
                }
            }
        });
        let subscriber = Self { received, child };
        // The subscription is known to be active when the first message arrives.
        wait("the subscription", || {
            Command::new("mosquitto_pub").args(["-p", &port.to_string(), "-t", "emotion/ready", "-m", "1"]).args(options).status().unwrap();
            !subscriber.received.of("emotion/ready").is_empty()
        });
        subscriber
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a [`Relay`] does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Accepts connections and never answers.
    Silent,
    /// Forwards to a broker.
    Forwards(u16),
    /// Forwards a few bytes at a time to a broker.
    Slow(u16),
}

/// A server between a publisher and a broker.
pub struct Relay {
    /// Its port on loopback.
    pub port: u16,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    is_closed: Arc<AtomicBool>,
    /// Set while present connections do not forward.
    is_stalled: Arc<AtomicBool>,
}

impl Relay {
    /// Listens on a free port.
    pub fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            is_closed: Arc::default(),
            is_stalled: Arc::default(),
        };
        let (connections, is_closed) = (relay.connections.clone(), relay.is_closed.clone());
        let is_stalled = relay.is_stalled.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_closed.load(Ordering::Acquire) {
                    return;
                }
                connections.lock().unwrap().push(client.try_clone().unwrap());
                serve(client, manner, &connections, &is_stalled);
            }
        });
        relay
    }

    /// Breaks all connections, without a goodbye.
    pub fn cut(&self) {
        self.connections.lock().unwrap().drain(..).for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
    }

    /// Keeps all connections open and forwards nothing, or goes on.
    pub fn stall(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Ordering::Release);
    }

    /// Number of connections so far since the last cut.
    pub fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Its address, for `location` of the element.
    pub fn location(&self) -> String {
        format!("mqtt://127.0.0.1:{}/emotion/door", self.port)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        self.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(client: TcpStream, manner: Manner, connections: &Mutex<Vec<TcpStream>>, is_stalled: &Arc<AtomicBool>) {
    let (port, chunk, pause) = match manner {
        Manner::Silent => return,
        Manner::Forwards(port) => (port, 4_096, Duration::ZERO),
        Manner::Slow(port) => (port, 400, Duration::from_millis(5)),
    };
    let Ok(broker) = TcpStream::connect(("127.0.0.1", port)) else { return drop(client.shutdown(Shutdown::Both)) };
    connections.lock().unwrap().push(broker.try_clone().unwrap());
    let (client_reader, broker_reader) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let (upstream, downstream) = (is_stalled.clone(), is_stalled.clone());
    std::thread::spawn(move || forward(client_reader, broker, chunk, pause, &upstream));
    std::thread::spawn(move || forward(broker_reader, client, 4_096, Duration::ZERO, &downstream));
}

fn forward(mut from: TcpStream, mut to: TcpStream, chunk: usize, pause: Duration, is_stalled: &AtomicBool) {
    let mut buffer = vec![0; chunk];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        std::thread::sleep(pause);
        while is_stalled.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
