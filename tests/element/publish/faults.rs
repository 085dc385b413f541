// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happens when the broker is stopped, refuses, never answers or is slow, and when the disk is full. Every push
//! returns in each case, so the stream never waits.

use super::{EVENTS, MOSQUITTO, Publisher, STATUS, numbers};
use test_support::broker::{Folder, Manner, Mosquitto, Relay, Subscriber, free_port, installed, wait};

#[test]
fn messages_wait_for_a_broker_that_starts_later() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let mut broker = Mosquitto::stopped("later", "allow_anonymous true");
    let mut publisher = Publisher::start(&[("location", &broker.location())]);
    publisher.push(50);
    publisher.wait_for_warning("Connection refused");
    broker.start();
    let subscriber = Subscriber::new(broker.port, &[]);
    publisher.push(50);
    publisher.wait_until_sent(100);
    assert_eq!((publisher.stat("dropped"), publisher.stat("reconnects")), (0, 0));
    // Those that were sent before the subscriber was there are not received.
    publisher.push(1);
    wait("the last message", || subscriber.received.numbers(EVENTS).contains(&100));
}

#[test]
fn nothing_is_lost_when_the_broker_restarts() {
    if !installed(&MOSQUITTO) {
        return;
    }
    for version in ["5", "3.1.1"] {
        let mut broker = Mosquitto::open(&format!("restart-{version}"));
        let subscriber = Subscriber::new(broker.port, &[]);
        let mut publisher = Publisher::start(&[("location", &broker.location()), ("mqtt-version", version)]);
        publisher.push(100);
        publisher.wait_until_sent(1);
        broker.stop();
        publisher.push(100);
        publisher.wait_for_warning("no connection to the broker");
        broker.start();
        publisher.push(100);
        publisher.wait_until_sent(300);
        wait("all messages", || subscriber.received.numbers(EVENTS).len() == 300);
        let mut received = subscriber.received.numbers(EVENTS);
        received.sort_unstable();
        assert_eq!(received, numbers(300), "each at least once");
        assert_eq!((publisher.stat("reconnects"), publisher.stat("dropped")), (1, 0));
        publisher.end();
    }
}

#[test]
fn pushes_do_not_wait_for_a_broker_that_is_away_and_it_gets_everything_afterwards() {
    if !installed(&MOSQUITTO) {
        return;
    }
    const ATTEMPTS: usize = 5;
    let mut broker = Mosquitto::open("away");
    let subscriber = Subscriber::new(broker.port, &[]);
    let relay = Relay::new(Manner::Forwards(broker.port));
    let mut publisher = Publisher::start(&[("location", &relay.location())]);
    publisher.push(1);
    publisher.wait_until_sent(1);
    broker.stop();
    let before = relay.connections();
    wait("attempts to connect", || {
        publisher.push(1);
        relay.connections() >= before + ATTEMPTS
    });
    let count = publisher.next;
    assert!(count > 4 * ATTEMPTS as u64, "{count} pushes: each waited for an attempt");
    assert_eq!(publisher.stat("queued"), count - 1);
    broker.start();
    publisher.wait_until_sent(count);
    wait("all messages", || subscriber.received.numbers(EVENTS).len() as u64 >= count);
    let mut received = subscriber.received.numbers(EVENTS);
    received.sort_unstable();
    assert_eq!(received, numbers(count), "each at least once");
    assert_eq!((publisher.stat("reconnects"), publisher.stat("dropped")), (1, 0));
}

#[test]
fn connections_that_break_again_and_again_lose_nothing() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let broker = Mosquitto::open("break");
    let subscriber = Subscriber::new(broker.port, &[]);
    let relay = Relay::new(Manner::Slow(broker.port));
    let mut publisher = Publisher::start(&[("location", &relay.location())]);
    for round in 1..=4 {
        publisher.push(50);
        publisher.wait_until_sent(50 * round - 40);
        relay.cut();
    }
    publisher.wait_until_sent(200);
    wait("all messages", || subscriber.received.numbers(EVENTS).len() == 200);
    let mut received = subscriber.received.numbers(EVENTS);
    received.sort_unstable();
    assert_eq!(received, numbers(200));
    assert_eq!(publisher.stat("dropped"), 0);
}

#[test]
fn a_broker_that_stops_answering_is_given_up_and_gets_everything_on_the_next_connection() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let broker = Mosquitto::open("stall");
    let subscriber = Subscriber::new(broker.port, &[]);
    let relay = Relay::new(Manner::Forwards(broker.port));
    let mut publisher = Publisher::start(&[("location", &relay.location())]);
    publisher.push(50);
    publisher.wait_until_sent(50);
    relay.stall(true);
    publisher.push(50);
    // Two pings later.
    publisher.wait_for_warning("no connection to the broker");
    relay.stall(false);
    publisher.wait_until_sent(100);
    wait("all messages", || subscriber.received.numbers(EVENTS).len() == 100);
    assert_eq!((publisher.stat("reconnects"), publisher.stat("dropped")), (1, 0));
}

/// Memory stays within its bound, the oldest messages are dropped, and the stream goes on.
fn assert_bounded(mut publisher: Publisher) -> Publisher {
    for _ in 0..20 {
        publisher.push(100);
        assert!(publisher.stat("queued-bytes") <= 20_000);
    }
    assert_eq!(publisher.stat("exported"), 2_000);
    assert!(publisher.stat("dropped") > 1_500);
    publisher
}

#[test]
fn memory_is_bounded_while_the_broker_refuses_or_never_answers() {
    let nobody = format!("mqtt://127.0.0.1:{}/emotion/door", free_port());
    let publisher = Publisher::start(&[("location", &nobody), ("max-size-bytes", "20000")]);
    publisher.wait_for_warning("Connection refused");
    assert_bounded(publisher);

    let silent = Relay::new(Manner::Silent);
    let publisher = Publisher::start(&[("location", &silent.location()), ("max-size-bytes", "20000")]);
    wait("a connection", || silent.connections() > 0);
    assert_bounded(publisher).wait_for_warning("no answer");
}

#[test]
fn a_slow_broker_gets_what_fits_and_the_newest_messages() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let broker = Mosquitto::open("slow");
    let subscriber = Subscriber::new(broker.port, &[]);
    let slow = Relay::new(Manner::Slow(broker.port));
    let publisher = Publisher::start(&[("location", &slow.location()), ("max-size-bytes", "20000")]);
    let publisher = assert_bounded(publisher);
    wait("an empty queue", || publisher.stat("queued") == 0);
    assert_eq!(publisher.stat("sent") + publisher.stat("dropped"), 2_000);
    let sent = publisher.stat("sent") as usize;
    wait("what was sent", || subscriber.received.numbers(EVENTS).len() >= sent);
    let received = subscriber.received.numbers(EVENTS);
    assert!(received.is_sorted() && received.last() == Some(&1_999), "{received:?}");
}

#[test]
fn a_spool_keeps_everything_while_there_is_no_broker_and_across_a_restart_of_the_element() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let folder = Folder::new("spool-element");
    let spool = folder.0.to_str().unwrap();
    let mut broker = Mosquitto::stopped("spooled", "allow_anonymous true");
    let location = broker.location();
    let properties =
        [("location", location.as_str()), ("leaky", "no"), ("spool-location", spool), ("max-size-bytes", "20000"), ("drain-timeout", "0")];
    let mut publisher = Publisher::start(&properties);
    publisher.push(1_000);
    assert_eq!((publisher.stat("queued"), publisher.stat("dropped")), (1_000, 0));
    assert!(publisher.stat("queued-bytes") <= 20_000);
    publisher.end();

    broker.start();
    let subscriber = Subscriber::new(broker.port, &[]);
    let mut publisher = Publisher::start(&properties);
    assert_eq!(publisher.stat("recovered"), 1_000);
    publisher.next = 1_000;
    publisher.push(10);
    publisher.wait_until_sent(1_010);
    wait("all messages", || subscriber.received.numbers(EVENTS).len() == 1_010);
    assert_eq!(subscriber.received.numbers(EVENTS), numbers(1_010));
    publisher.end();
}

#[test]
fn a_full_disk_is_a_warning_and_the_stream_goes_on() {
    let folder = Folder::new("disk-full");
    let nobody = format!("mqtt://127.0.0.1:{}/emotion/door", free_port());
    let spool = folder.0.to_str().unwrap();
    let mut publisher = Publisher::start(&[("location", &nobody), ("leaky", "no"), ("spool-location", spool)]);
    // Writing to this device fails as on a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.0.join(format!("{:020}.records", 0))).unwrap();
    publisher.push(10);
    publisher.wait_for_warning("No space left on device");
    assert_eq!((publisher.stat("exported"), publisher.stat("dropped")), (10, 10));
}

#[test]
fn a_message_that_the_broker_refuses_is_dropped_and_the_next_ones_are_sent() {
    if !installed(&MOSQUITTO) {
        return;
    }
    let mut broker = Mosquitto::stopped("refuses", "allow_anonymous true\nmax_packet_size 2000\nacl_file FOLDER/acl");
    broker.folder.write("acl", &format!("topic write {EVENTS}\ntopic write {STATUS}\n"));
    broker.start();
    let mut publisher = Publisher::start(&[("location", &broker.location())]);
    let large = format!("{{\"x\":\"{}\"}}\n", "x".repeat(3_000));
    publisher.harness.push(gst::Buffer::from_slice(large.into_bytes())).unwrap();
    publisher.push(1);
    publisher.wait_until_sent(1);
    publisher.wait_for_warning("larger than its maximum of 2000");
    publisher.harness.set_src_caps_str("application/x-ndjson,schema=faces");
    publisher.push(1);
    publisher.wait_for_warning("NotAuthorized");
    assert_eq!((publisher.stat("sent"), publisher.stat("dropped"), publisher.stat("reconnects")), (1, 2, 0));
}

/// A broker with `options` gets a message that it never takes between others.
fn assert_only_a_large_message_is_lost(name: &str, options: &str, version: &str, warning: &str) {
    let mut broker = Mosquitto::stopped(name, &format!("allow_anonymous true\n{options}"));
    broker.start();
    let subscriber = Subscriber::new(broker.port, &[]);
    let mut publisher = Publisher::start(&[("location", &broker.location()), ("mqtt-version", version)]);
    publisher.push(3);
    let large = format!("{{\"x\":\"{}\"}}\n", "x".repeat(3_000));
    publisher.harness.push(gst::Buffer::from_slice(large.into_bytes())).unwrap();
    publisher.push(30);
    publisher.wait_until_sent(33);
    publisher.wait_for_warning(warning);
    assert_eq!((publisher.stat("dropped"), publisher.stat("rejected")), (1, 1));
    wait("the others", || subscriber.received.of(EVENTS).len() >= 33);
    let mut received = subscriber.received.numbers(EVENTS);
    received.sort_unstable();
    assert_eq!(received, numbers(33));
}

#[test]
fn a_message_above_the_maximum_of_a_broker_without_refusals_does_not_hold_up_the_others() {
    if !installed(&MOSQUITTO) {
        return;
    }
    assert_only_a_large_message_is_lost("packet-3.1.1", "max_packet_size 2000", "3.1.1", "connections in a row when it received a message");
}

#[test]
fn a_message_above_a_limit_that_the_broker_does_not_announce_is_dropped() {
    if !installed(&MOSQUITTO) {
        return;
    }
    assert_only_a_large_message_is_lost("payload-5", "message_size_limit 2000", "5", "PacketTooLarge");
}
