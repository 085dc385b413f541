// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread of a publisher, with brokers that are scripted instead of connected.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_publish::session::{Broker, Link, Notice, Outcome, Publisher};
use emotion_publish::{Failure, Limits, Message, Outbox, Problem, Rejection};

/// What happens on one attempt to connect.
#[derive(Clone, Debug)]
enum Attempt {
    Fails(&'static str),
    /// Never answers.
    Hangs,
    /// Connects, acknowledges as many messages, and breaks when the next one is sent.
    Breaks(usize),
    /// Connects and refuses each message.
    Refuses,
    /// Connects, and ends the connection when it receives one of these messages.
    Closes(&'static [u32]),
    /// Connects, and the connection ends at each message, by a protocol in which a broker refuses instead.
    Interrupted,
    /// Connects and acknowledges each message.
    Works,
}

/// The payloads that a broker has received, per connection.
type Log = Arc<Mutex<Vec<Vec<String>>>>;

struct Scripted {
    attempts: VecDeque<Attempt>,
    log: Log,
}

impl Broker for Scripted {
    type Link = ScriptedLink;

    async fn connect(&mut self) -> Result<ScriptedLink, Failure> {
        let attempt = self.attempts.pop_front().unwrap_or(Attempt::Works);
        match attempt {
            Attempt::Fails(reason) => return Err(Failure::Unreachable(reason.into())),
            Attempt::Hangs => std::future::pending().await,
            _ => self.log.lock().unwrap().push(Vec::new()),
        }
        Ok(ScriptedLink { attempt, log: self.log.clone(), outcomes: VecDeque::new(), is_closed: false })
    }
}

struct ScriptedLink {
    attempt: Attempt,
    log: Log,
    outcomes: VecDeque<Outcome>,
    is_closed: bool,
}

impl Link for ScriptedLink {
    fn send(&mut self, message: &Message) -> Result<(), Failure> {
        let mut log = self.log.lock().unwrap();
        let received = log.last_mut().unwrap();
        match &self.attempt {
            Attempt::Breaks(count) if received.len() == *count => return Err(Failure::Lost("broken".into())),
            Attempt::Refuses => self.outcomes.push_back(Outcome::Rejected(message.sequence, not_allowed())),
            _ if self.is_closed => {}
            Attempt::Interrupted => self.is_closed = true,
            Attempt::Closes(numbers) if numbers.contains(&number(std::str::from_utf8(&message.payload).unwrap())) => self.is_closed = true,
            _ => self.outcomes.push_back(Outcome::Sent(message.sequence)),
        }
        received.push(String::from_utf8(message.payload.to_vec()).unwrap());
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Outcome, Failure> {
        match self.outcomes.pop_front() {
            Some(outcome) => Ok(outcome),
            None if self.is_closed && matches!(self.attempt, Attempt::Interrupted) => Err(Failure::Interrupted),
            None if self.is_closed => Err(Failure::Lost("closed".into())),
            None => std::future::pending().await,
        }
    }

    async fn close(self) {
        self.log.lock().unwrap().last_mut().unwrap().push("closed".into());
    }
}

fn not_allowed() -> Rejection {
    Rejection::Refused("not allowed".into())
}

/// The count in the message id.
fn number(payload: &str) -> u32 {
    payload.split(['-', '"']).nth(4).unwrap().parse().unwrap()
}

fn publisher(attempts: impl Into<VecDeque<Attempt>>) -> (Publisher, Log, Receiver<Notice>) {
    let outbox = Outbox::open(&Limits { max_bytes: 1 << 20, spool: None }).unwrap();
    let (log, (sender, notices)) = (Log::default(), channel());
    let broker = Scripted { attempts: attempts.into(), log: log.clone() };
    let publisher = Publisher::start(outbox, broker, move |notice| drop(sender.send(notice))).unwrap();
    (publisher, log, notices)
}

fn push(publisher: &Publisher, count: usize) {
    publisher.push(&"faces".into(), "{}\n".repeat(count).as_bytes());
}

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn every_message_is_sent_and_the_link_is_closed_at_the_end() {
    let (publisher, log, notices) = publisher([]);
    push(&publisher, 200);
    assert!(publisher.drain(PATIENCE));
    assert_eq!((publisher.counts().sent, publisher.is_connected()), (200, true));
    drop(publisher);
    let log = log.lock().unwrap();
    assert_eq!((log.len(), log[0].len(), log[0].last().unwrap().as_str()), (1, 201, "closed"));
    assert_eq!(notices.iter().collect::<Vec<_>>(), [Notice::Connected]);
}

#[test]
fn a_failure_is_reported_once_and_again_when_it_changes() {
    let attempts = [Attempt::Fails("refused"), Attempt::Fails("refused"), Attempt::Fails("wrong password"), Attempt::Works];
    let (publisher, _, notices) = publisher(attempts);
    push(&publisher, 1);
    assert!(publisher.drain(PATIENCE));
    assert_eq!(publisher.counts().reconnects, 0, "there was no connection before");
    drop(publisher);
    let failed = |reason: &str| Notice::Disconnected(Failure::Unreachable(reason.into()));
    assert_eq!(notices.iter().collect::<Vec<_>>(), [failed("refused"), failed("wrong password"), Notice::Connected]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_on_the_next_connection() {
    let (publisher, log, _notices) = publisher([Attempt::Breaks(3), Attempt::Breaks(0), Attempt::Works]);
    push(&publisher, 10);
    assert!(publisher.drain(PATIENCE));
    assert_eq!((publisher.counts().reconnects, publisher.counts().dropped), (2, 0));
    let log = log.lock().unwrap();
    assert_eq!((log.len(), log[0].len(), log[1].len()), (3, 3, 0));
    let last: Vec<_> = log[2].iter().map(|payload| number(payload)).collect();
    assert!(last.is_sorted() && last.ends_with(&[3, 4, 5, 6, 7, 8, 9]), "{last:?}");
}

#[test]
fn refused_messages_are_dropped_and_reported_once() {
    let (publisher, _, notices) = publisher([Attempt::Refuses]);
    push(&publisher, 10);
    assert!(publisher.drain(PATIENCE));
    assert_eq!((publisher.counts().sent, publisher.counts().dropped), (0, 10));
    drop(publisher);
    let problem = Notice::Problem(Problem::Rejected(not_allowed()));
    assert_eq!(notices.iter().collect::<Vec<_>>(), [Notice::Connected, problem]);
}

#[test]
fn draining_ends_after_its_limit_and_when_it_is_interrupted() {
    let (publisher, _, _notices) = publisher([Attempt::Hangs]);
    push(&publisher, 1);
    assert!(!publisher.drain(Duration::from_millis(20)));
    // In some of the rounds the interruption comes first, in others during the wait.
    for _ in 0..200 {
        publisher.interrupt(false);
        std::thread::scope(|scope| {
            let drained = scope.spawn(|| publisher.drain(Duration::from_secs(3_600)));
            std::thread::yield_now();
            publisher.interrupt(true);
            assert!(!drained.join().unwrap());
        });
    }
    assert!(!publisher.drain(Duration::from_secs(3_600)), "until it is allowed again");
    // Dropping it ends the attempt to connect.
    drop(publisher);
}

#[test]
fn a_message_on_which_the_broker_always_closes_is_given_up_and_the_others_are_sent() {
    let (publisher, log, notices) = publisher(vec![Attempt::Closes(&[5, 9]); 16]);
    push(&publisher, 20);
    assert!(publisher.drain(PATIENCE));
    assert_eq!((publisher.counts().sent, publisher.counts().dropped, publisher.counts().rejected), (18, 2, 2));
    drop(publisher);
    let mut received: Vec<_> = log.lock().unwrap().iter().flatten().filter(|line| *line != "closed").map(|line| number(line)).collect();
    received.sort_unstable();
    received.dedup();
    assert_eq!(received, (0..20).collect::<Vec<_>>());
    let problems: Vec<_> = notices.iter().filter(|notice| matches!(notice, Notice::Problem(_))).collect();
    assert!(
        matches!(problems[..], [Notice::Problem(Problem::Rejected(Rejection::Disconnects { connections: 3, .. }))]),
        "reported once: {problems:?}"
    );
}

#[test]
fn connections_that_break_on_any_message_lose_none() {
    let closing = [&[0][..], &[0], &[1], &[1], &[2], &[2], &[0, 1]];
    let (publisher, _, _notices) = publisher(closing.map(Attempt::Closes));
    push(&publisher, 10);
    assert!(publisher.drain(PATIENCE));
    assert_eq!((publisher.counts().sent, publisher.counts().dropped), (10, 0));
}

#[test]
fn where_brokers_refuse_a_lost_connection_costs_no_message() {
    let (publisher, _, _notices) = publisher(vec![Attempt::Interrupted; 5]);
    push(&publisher, 1);
    assert!(publisher.drain(PATIENCE));
    assert_eq!((publisher.counts().sent, publisher.counts().dropped), (1, 0));
}
