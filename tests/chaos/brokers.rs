// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's mosquitto and nats-server, and everything that they were sent.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;
use test_support::broker::{Folder, Mosquitto, Subscriber, free_port, start_server, wait};

use crate::proxy::Link;

/// Topics and payloads.
pub type Messages = Vec<(String, String)>;

/// An MQTT broker and a subscriber that was there from the start.
pub struct Mqtt {
    broker: Mosquitto,
    subscriber: Subscriber,
}

impl Mqtt {
    pub fn start() -> Self {
        let broker = Mosquitto::open("chaos-mqtt");
        let subscriber = Subscriber::new(broker.port, &[]);
        Self { broker, subscriber }
    }

    pub fn port(&self) -> u16 {
        self.broker.port
    }

    /// Ends the broker. No client reaches it until [`Self::resume`]: what it acknowledges without a subscriber would be lost.
    pub fn stop(&mut self, clients: &[Link], keeps_store: bool) {
        clients.iter().for_each(|client| client.close(true));
        self.broker.stop();
        if !keeps_store {
            let _ = fs::remove_file(self.broker.folder.0.join("mosquitto.db"));
        }
    }

    pub fn resume(&mut self, clients: &[Link]) {
        self.broker.start();
        let known = self.subscriber.received.of("emotion/ready").len();
        let port = self.port().to_string();
        wait("the subscriber", || {
            let _ = Command::new("mosquitto_pub").args(["-p", &port, "-t", "emotion/ready", "-m", "1"]).status();
            self.subscriber.received.of("emotion/ready").len() > known
        });
        clients.iter().for_each(|client| client.close(false));
    }

    /// What was published, in the order of its arrival.
    pub fn messages(&self) -> Messages {
        self.subscriber.received.all()
    }

    /// What was published to a topic.
    pub fn payloads(&self, topic: &str) -> Vec<String> {
        self.subscriber.received.of(topic)
    }

    /// True if it takes connections.
    pub fn is_up(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port())).is_ok()
    }

    /// Publishes, if the broker is there.
    pub fn publish(&self, topic: &str, payload: &str) {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-p", &self.port().to_string(), "-q", "1", "-t", topic, "-m", payload]).stderr(Stdio::null());
        std::thread::spawn(move || command.status());
    }
}

/// A NATS server with a stream of JetStream.
pub struct Nats {
    folder: Folder,
    port: u16,
    child: Option<Child>,
    /// What was in streams that are lost.
    taken: Messages,
}

impl Nats {
    pub fn start() -> Self {
        let (folder, port) = (Folder::new("chaos-nats"), free_port());
        let store = folder.0.join("jetstream");
        folder.write("nats.conf", &format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{}\" }}\n", store.display()));
        let mut nats = Self { folder, port, child: None, taken: Vec::new() };
        nats.run();
        nats
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server; the stream is made if it is not there.
    fn run(&mut self) {
        self.child = Some(start_server("/usr/sbin/nats-server", &self.configuration(), self.port));
        let config = stream::Config { name: "emotion".into(), subjects: vec!["emotion.>".into()], ..Default::default() };
        self.with(async |context| drop(context.get_or_create_stream(config).await.expect("a stream")));
    }

    fn configuration(&self) -> PathBuf {
        self.folder.0.join("nats.conf")
    }

    pub fn stop(&mut self, clients: &[Link], keeps_store: bool) {
        clients.iter().for_each(|client| client.close(true));
        if !keeps_store {
            self.taken = self.messages();
        }
        self.kill();
        if !keeps_store {
            let _ = fs::remove_dir_all(self.folder.0.join("jetstream"));
        }
    }

    pub fn resume(&mut self, clients: &[Link]) {
        self.run();
        clients.iter().for_each(|client| client.close(false));
    }

    /// What was published, in the order of its arrival, with slashes in the subjects.
    pub fn messages(&self) -> Messages {
        let new = self.with(async |context| {
            let mut stream = context.get_stream("emotion").await.expect("a stream");
            let count = stream.info().await.expect("its state").state.messages as usize;
            let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a consumer");
            let messages = consumer.messages().await.expect("messages").take(count).map(|message| message.expect("a message"));
            let texts = messages.map(|message| (message.subject.replace('.', "/"), String::from_utf8_lossy(&message.payload).into_owned()));
            texts.collect::<Vec<_>>().await
        });
        self.taken.iter().cloned().chain(new).collect()
    }

    fn with<T>(&self, work: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = async_nats::connect(format!("nats://127.0.0.1:{}", self.port)).await.expect("a connection");
            work(jetstream::new(client)).await
        })
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = (Command::new("kill").arg(child.id().to_string()).status(), child.wait());
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
