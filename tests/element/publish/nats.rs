// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionpublish` against Debian's nats-server with JetStream.

use std::process::{Child, Command};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, stream};
use serde_json::Value;

use super::{Publisher, numbers};
use test_support::broker::{Folder, Manner, Relay, free_port, installed, start_server, wait};

const SUBJECT: &str = "emotion.door.events";

/// A server that keeps its streams when it is stopped and started again.
struct Server {
    folder: Folder,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// A server with the users of `accounts`, lines of its configuration.
    fn start(test: &str, accounts: &str) -> Self {
        let (folder, port) = (Folder::new(test), free_port());
        let store = folder.0.join("jetstream");
        let options = format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{}\" }}\n{accounts}\n", store.display());
        folder.write("nats.conf", &options);
        let mut server = Self { folder, port, child: None };
        server.resume();
        server
    }

    fn resume(&mut self) {
        self.child = Some(start_server("/usr/sbin/nats-server", &self.folder.0.join("nats.conf"), self.port));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            Command::new("kill").arg(child.id().to_string()).status().unwrap();
            child.wait().unwrap();
        }
    }

    fn location(&self) -> String {
        format!("nats://127.0.0.1:{}/emotion/door", self.port)
    }

    /// Runs `work` with a connection to JetStream.
    fn with<T>(&self, options: ConnectOptions, work: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = options.connect(format!("nats://127.0.0.1:{}", self.port)).await.unwrap();
            work(jetstream::new(client)).await
        })
    }

    /// Creates a stream that takes everything under `emotion`.
    fn create_stream(&self, options: ConnectOptions) {
        let config = stream::Config { name: "emotion".into(), subjects: vec!["emotion.>".into()], ..Default::default() };
        self.with(options, async |context| drop(context.create_stream(config).await.unwrap()));
    }

    /// The messages of the stream, each as subject and payload.
    fn messages(&self, options: ConnectOptions) -> Vec<(String, String)> {
        self.with(options, async |context| {
            let stream = context.get_stream("emotion").await.unwrap();
            let count = stream.get_info().await.unwrap().state.messages;
            let mut messages = Vec::new();
            for sequence in 1..=count {
                let message = stream.get_raw_message(sequence).await.unwrap();
                messages.push((message.subject.to_string(), String::from_utf8(message.payload.to_vec()).unwrap()));
            }
            messages
        })
    }

    fn numbers(&self) -> Vec<u64> {
        let number = |payload: &str| serde_json::from_str::<Value>(payload).unwrap()["n"].as_u64().unwrap();
        let messages = self.messages(ConnectOptions::new());
        messages.iter().filter(|(subject, _)| subject == SUBJECT).map(|(_, payload)| number(payload)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_stream_of_jetstream_gets_each_message_once_and_the_status() {
    if !installed(&["nats-server"]) {
        return;
    }
    let server = Server::start("nats", "");
    server.create_stream(ConnectOptions::new());
    let mut publisher = Publisher::start(&[("location", &server.location())]);
    publisher.push(200);
    publisher.wait_until_sent(200);
    publisher.end();
    wait("the status", || server.messages(ConnectOptions::new()).len() == 202);
    assert_eq!(server.numbers(), numbers(200));
    let messages = server.messages(ConnectOptions::new());
    let status: Vec<_> = messages.iter().filter(|(subject, _)| subject == "emotion.door.status").map(|(_, text)| text.as_str()).collect();
    assert_eq!(status, ["online", "offline"]);
}

#[test]
fn messages_wait_for_the_stream_and_for_a_server_that_restarts() {
    if !installed(&["nats-server"]) {
        return;
    }
    let mut server = Server::start("nats-restart", "");
    let mut publisher = Publisher::start(&[("location", &server.location())]);
    publisher.push(10);
    publisher.wait_for_warning("no JetStream stream takes the subject emotion.door.*");
    server.create_stream(ConnectOptions::new());
    publisher.wait_until_sent(10);
    server.stop();
    publisher.push(10);
    publisher.wait_for_warning("no connection to the broker");
    server.resume();
    publisher.push(10);
    publisher.wait_until_sent(30);
    assert_eq!((server.numbers(), publisher.stat("dropped")), (numbers(30), 0));
}

#[test]
fn the_server_drops_repeats_after_a_broken_connection() {
    if !installed(&["nats-server"]) {
        return;
    }
    let server = Server::start("nats-repeats", "");
    server.create_stream(ConnectOptions::new());
    let relay = Relay::new(Manner::Slow(server.port));
    let location = format!("nats://127.0.0.1:{}/emotion/door", relay.port);
    let mut publisher = Publisher::start(&[("location", &location)]);
    for round in 1..=4 {
        publisher.push(50);
        publisher.wait_until_sent(50 * round - 40);
        relay.cut();
    }
    publisher.wait_until_sent(200);
    let mut received = server.numbers();
    received.sort_unstable();
    assert_eq!(received, numbers(200));
    assert!(publisher.stat("reconnects") >= 3);
}

#[test]
fn a_wrong_password_is_a_warning_and_the_right_one_is_taken() {
    if !installed(&["nats-server"]) {
        return;
    }
    let server = Server::start("nats-password", "authorization { user: camera, password: s3cret }");
    let login = || ConnectOptions::new().user_and_password("camera".into(), "s3cret".into());
    server.create_stream(login());
    let location = format!("nats://camera@127.0.0.1:{}/emotion/door", server.port);
    let start = |text: &str| {
        let file = server.folder.write("password", text);
        let mut publisher = Publisher::start(&[("location", &location), ("password-file", file.to_str().unwrap())]);
        publisher.push(5);
        publisher
    };
    let publisher = start("guess");
    publisher.wait_for_warning("authorization");
    assert_eq!((publisher.stat("sent"), publisher.stat("queued")), (0, 5));
    drop(publisher);
    start("s3cret").end();
    assert_eq!(server.messages(login()).iter().filter(|(subject, _)| subject == SUBJECT).count(), 5);
}

#[test]
fn a_message_above_the_maximum_of_the_stream_is_dropped_and_the_next_ones_are_sent() {
    if !installed(&["nats-server"]) {
        return;
    }
    let server = Server::start("nats-large", "");
    let subjects = vec!["emotion.>".into()];
    let config = stream::Config { name: "emotion".into(), subjects, max_message_size: 2_000, ..Default::default() };
    server.with(ConnectOptions::new(), async |context| drop(context.create_stream(config).await.unwrap()));
    let mut publisher = Publisher::start(&[("location", &server.location())]);
    publisher.push(3);
    let large = format!("{{\"x\":\"{}\"}}\n", "x".repeat(3_000));
    publisher.harness.push(gst::Buffer::from_slice(large.into_bytes())).unwrap();
    publisher.push(30);
    publisher.wait_until_sent(33);
    publisher.wait_for_warning("larger than the maximum of the stream");
    assert_eq!(server.numbers(), numbers(33));
    assert_eq!((publisher.stat("dropped"), publisher.stat("rejected"), publisher.stat("reconnects")), (1, 1, 0));
}

#[test]
fn a_subject_that_the_user_may_not_publish_to_does_not_hold_up_the_others() {
    if !installed(&["nats-server"]) {
        return;
    }
    let permissions = "permissions: { publish: { deny: \"emotion.door.faces\" } }";
    let user = format!("{{ user: camera, password: s3cret, {permissions} }}");
    let server = Server::start("nats-forbidden", &format!("authorization {{ users: [ {user} ] }}"));
    server.create_stream(ConnectOptions::new().user_and_password("camera".into(), "s3cret".into()));
    let file = server.folder.write("password", "s3cret");
    let location = format!("nats://camera@127.0.0.1:{}/emotion/door", server.port);
    let mut publisher = Publisher::start(&[("location", &location), ("password-file", file.to_str().unwrap())]);
    publisher.harness.set_src_caps_str("application/x-ndjson,schema=faces");
    publisher.push(2);
    publisher.harness.set_src_caps_str("application/x-ndjson,schema=events");
    publisher.push(5);
    publisher.wait_until_sent(5);
    publisher.wait_for_warning("may not publish to the subject emotion.door.faces");
    wait("both refusals", || publisher.stat("rejected") == 2);
    assert_eq!((publisher.stat("sent"), publisher.stat("reconnects")), (5, 0));
}
