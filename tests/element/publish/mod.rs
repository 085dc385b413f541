// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionpublish` against Debian's mosquitto on loopback, and against servers that misbehave.

mod faults;
mod nats;
mod osc;
mod secrets;

use std::sync::mpsc::{Receiver, channel};

use gst::prelude::*;
use gst_check::Harness;

use test_support::broker::{Folder, Manner, Mosquitto, Relay, Subscriber, installed, wait};
use test_support::gstreamer::init;

const MOSQUITTO: [&str; 3] = ["mosquitto", "mosquitto_sub", "mosquitto_pub"];
const EVENTS: &str = "emotion/door/events";
const STATUS: &str = "emotion/door/status";

/// An `emotionpublish` that runs, with records pushed into it.
struct Publisher {
    element: gst::Element,
    harness: Harness,
    next: u64,
}

impl Publisher {
    /// Starts with `properties` of the form `name=value`.
    fn start(properties: &[(&str, &str)]) -> Self {
        init();
        let mut builder = gst::ElementFactory::make("emotionpublish");
        for (name, value) in properties {
            builder = builder.property_from_str(name, value);
        }
        let element = builder.build().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = Harness::with_element(&element, Some("sink"), None);
        harness.play();
        harness.set_src_caps_str("application/x-ndjson,schema=events");
        Self { element, harness, next: 0 }
    }

    /// Pushes `count` buffers with one record each, numbered from 0 on.
    fn push(&mut self, count: u64) {
        for _ in 0..count {
            let line = format!("{{\"type\":\"appeared\",\"n\":{}}}\n", self.next);
            self.next += 1;
            assert_eq!(self.harness.push(gst::Buffer::from_slice(line.into_bytes())), Ok(gst::FlowSuccess::Ok));
        }
    }

    fn stat(&self, name: &str) -> u64 {
        let stats = self.element.property::<gst::Structure>("stats");
        let count = |name: &str| stats.get::<u64>(name).unwrap();
        assert_eq!(count("exported") + count("recovered"), count("sent") + count("queued") + count("dropped"), "{stats:?}");
        count(name)
    }

    fn wait_until_sent(&self, count: u64) {
        wait(&format!("{count} sent messages"), || self.stat("sent") >= count);
    }

    /// Waits for a warning that contains `text`.
    fn wait_for_warning(&self, text: &str) {
        let bus = self.element.bus().unwrap();
        let mut is_posted = false;
        wait(&format!("a warning with {text:?}"), || {
            while let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning]) {
                let gst::MessageView::Warning(warning) = message.view() else { unreachable!("only warnings are taken") };
                println!("warning: {}", warning.error());
                is_posted |= warning.error().message().contains(text);
            }
            is_posted
        });
    }

    /// Ends the stream, which drains, and stops.
    fn end(mut self) {
        assert!(self.harness.push_event(gst::event::Eos::new()));
        self.element.set_state(gst::State::Null).unwrap();
    }
}

/// Receives a message each time that `element` logs a line with `text`.
fn logged(element: &gst::Element, text: &'static str) -> Receiver<()> {
    let (sender, receiver) = channel();
    let element = element.downgrade();
    gst::DebugCategory::get("emotionpublish").unwrap().set_threshold(gst::DebugLevel::Debug);
    gst::log::add_log_function(move |_, _, _, _, _, object, message| {
        let is_from = object.is_some_and(|object| element.upgrade().is_some_and(|element| object.as_ptr() == element.as_ptr().cast()));
        if is_from && message.get().is_some_and(|line| line.contains(text)) {
            // Nobody may wait any more.
            let _ = sender.send(());
        }
    });
    receiver
}

fn numbers(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[test]
fn records_arrive_in_order_under_the_topic_of_their_schema_with_either_version() {
    if !installed(&MOSQUITTO) {
        return;
    }
    for version in ["5", "3.1.1"] {
        let broker = Mosquitto::open(&format!("arrive-{version}"));
        let subscriber = Subscriber::new(broker.port, &[]);
        let mut publisher = Publisher::start(&[("location", &broker.location()), ("mqtt-version", version)]);
        publisher.push(200);
        // A buffer may have several records, as of a frame with several faces.
        let lines = "{\"n\":200}\n{\"n\":201}\n";
        assert!(publisher.harness.push(gst::Buffer::from_slice(lines.as_bytes())).is_ok());
        publisher.end();
        wait("all messages", || subscriber.received.of(STATUS).len() == 2);
        assert_eq!(subscriber.received.numbers(EVENTS), numbers(202), "{version}");
        assert_eq!(subscriber.received.of(EVENTS).len(), 202, "no repeats while nothing fails");
        assert_eq!(subscriber.received.of(STATUS), ["online", "offline"]);
        let object = &subscriber.received.objects(EVENTS)[7];
        assert_eq!((&object["type"], &object["n"]), (&"appeared".into(), &7.into()));
        assert!(object["message_id"].as_str().unwrap().ends_with("-7"), "{object}");
    }
}

#[test]
fn the_status_is_retained_and_a_broken_connection_sets_it_to_offline() {
    if !installed(&MOSQUITTO) {
        return;
    }
    for version in ["5", "3.1.1"] {
        let broker = Mosquitto::open(&format!("status-{version}"));
        let relay = Relay::new(Manner::Forwards(broker.port));
        let mut publisher = Publisher::start(&[("location", &relay.location()), ("mqtt-version", version)]);
        publisher.push(1);
        publisher.wait_until_sent(1);
        let subscriber = Subscriber::new(broker.port, &[]);
        assert_eq!(subscriber.received.of(STATUS), ["online"], "also for a subscriber that comes later");
        relay.cut();
        wait("the last will and the next connection", || subscriber.received.of(STATUS).len() >= 3);
        assert_eq!(subscriber.received.of(STATUS), ["online", "offline", "online"]);
        publisher.push(1);
        publisher.wait_until_sent(2);
        assert_eq!(publisher.stat("reconnects"), 1);
        publisher.end();
    }
}

#[test]
fn a_pipeline_starts_with_the_first_record_or_gap() {
    init();
    // A sink that does not take part in the start loses the end of the stream in gst-launch-1.0 of GStreamer 1.22.
    let line = "videotestsrc ! video/x-raw,format=GRAY8 ! emotionexport format=events ! emotionpublish location=mqtt://127.0.0.1:9/emotion";
    let pipeline = gst::parse::launch(line).unwrap();
    assert_eq!(pipeline.set_state(gst::State::Paused), Ok(gst::StateChangeSuccess::Async));
    let (started, state, _) = pipeline.state(gst::ClockTime::from_seconds(60));
    assert_eq!((started, state), (Ok(gst::StateChangeSuccess::Success), gst::State::Paused), "after a gap, since there are no events");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_whole_pipeline_publishes_what_emotionexport_writes() {
    if !installed(&MOSQUITTO) {
        return;
    }
    init();
    let broker = Mosquitto::open("pipeline");
    let subscriber = Subscriber::new(broker.port, &[]);
    let line = format!(
        "videotestsrc num-buffers=20 ! video/x-raw,format=GRAY8,width=320,height=240 ! \
         emotionexport aggregate-only=true ! emotionpublish location={}",
        broker.location()
    );
    test_support::gstreamer::run(&line).unwrap();
    wait("all messages", || subscriber.received.of(STATUS).len() == 2);
    let summaries = subscriber.received.objects("emotion/door/summary");
    assert_eq!(summaries.len(), 20);
    assert!(summaries.iter().all(|summary| summary["type"] == "summary" && summary["stream"].is_string() && summary["pts"].is_u64()));
}

#[test]
fn at_the_end_of_the_stream_the_element_waits_for_the_broker_but_not_for_ever() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let silent = Relay::new(Manner::Silent);
    let mut publisher = Publisher::start(&[("location", &silent.location()), ("drain-timeout", "100000000")]);
    publisher.push(3);
    assert!(publisher.harness.push_event(gst::event::Eos::new()));
    publisher.wait_for_warning("3 messages were not sent");
    publisher.element.set_state(gst::State::Null).unwrap();
    assert_eq!((publisher.stat("exported"), publisher.stat("queued")), (3, 3), "the counts are kept after the end");

    let broker = Mosquitto::open("drain");
    let slow = Relay::new(Manner::Slow(broker.port));
    let subscriber = Subscriber::new(broker.port, &[]);
    let mut publisher = Publisher::start(&[("location", &slow.location()), ("drain-timeout", "60000000000")]);
    publisher.push(100);
    publisher.end();
    wait("all messages", || subscriber.received.of(STATUS).len() == 2);
    assert_eq!(subscriber.received.numbers(EVENTS), numbers(100));
}

#[test]
fn stopping_interrupts_the_wait_at_the_end() {
    let silent = Relay::new(Manner::Silent);
    let mut publisher = Publisher::start(&[("location", &silent.location()), ("drain-timeout", "3600000000000")]);
    publisher.push(3);
    let element = publisher.element.clone();
    let waiting = logged(&element, "waiting up to 3600s");
    let stopper = std::thread::spawn(move || {
        waiting.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        element.set_state(gst::State::Null).unwrap();
    });
    // Returns, and does not wait for an hour.
    publisher.harness.push_event(gst::event::Eos::new());
    stopper.join().unwrap();
    publisher.wait_for_warning("3 messages were not sent");
}

#[test]
fn wrong_settings_are_one_clear_error_at_the_start() {
    init();
    let folder = Folder::new("settings");
    let junk = folder.write("junk.pem", "no certificate");
    let junk = junk.to_str().unwrap();
    for (properties, expected) in [
        (vec![], "location is not set"),
        (vec![("location", "mqtt://h")], "a topic"),
        (vec![("location", "ftp://h/t")], "a scheme"),
        (vec![("location", "mqtt://h/t"), ("leaky", "no")], "spool-location"),
        (vec![("location", "mqtt://h/t"), ("password-file", "/nowhere/secret")], "/nowhere/secret"),
        (vec![("location", "mqtts://h/t"), ("ca-file", junk)], "junk.pem: expected certificates in PEM format"),
        (vec![("location", "mqtts://h/t"), ("certificate-file", junk)], "belong together"),
        (vec![("location", "mqtts://h/t"), ("certificate-file", junk), ("key-file", junk)], "junk.pem: expected a private key"),
    ] {
        let mut builder = gst::ElementFactory::make("emotionpublish");
        for (name, value) in &properties {
            builder = builder.property_from_str(name, value);
        }
        let element = builder.build().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        assert!(element.set_state(gst::State::Paused).is_err(), "{properties:?}");
        let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = message.view() else { unreachable!("only errors are taken") };
        assert!(error.error().message().contains(expected), "{properties:?}: {error:?}");
        element.set_state(gst::State::Null).unwrap();
    }
}
