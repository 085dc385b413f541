// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that connects an [`Outbox`] with a broker: sends, waits for outcomes, and connects again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::caution::{ATTEMPTS, Caution};
use crate::backoff::Backoff;
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::failure::{Failure, Problem, Rejection};
use crate::message::Message;
use crate::outbox::Outbox;

/// Maximum number of messages in flight. A broker may allow fewer: Mosquitto allows 20 by default.
const WINDOW: usize = 64;
/// Maximum time to connect, including encryption and log in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time without an outcome while messages are in flight. After that the connection is closed.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(20);
/// After messages were sent, the thread waits this long and then sends together what has arrived meanwhile.
const GATHERING: Duration = Duration::from_millis(100);
/// Time between two syncs of the spool: a power failure loses the messages of at most this time.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum time to say goodbye to the broker.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A broker to connect to.
pub trait Broker: Send {
    /// A connection to the broker.
    type Link: Link;

    /// Connects and announces that the publisher is online.
    ///
    /// # Errors
    /// Why there is no connection.
    fn connect(&mut self) -> impl Future<Output = std::result::Result<Self::Link, Failure>>;
}

/// A connection to a broker.
pub trait Link {
    /// Starts to send a message. The outcome follows.
    ///
    /// # Errors
    /// The connection is lost.
    fn send(&mut self, message: &Message) -> std::result::Result<(), Failure>;

    /// Waits for the next outcome. May be dropped and called again.
    ///
    /// # Errors
    /// The connection is lost.
    fn outcome(&mut self) -> impl Future<Output = std::result::Result<Outcome, Failure>>;

    /// Announces that the publisher is offline and closes the connection.
    fn close(self) -> impl Future<Output = ()>;
}

/// The outcome of a message, named by its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has acknowledged it.
    Sent(u64),
    /// The broker will never accept it, for this reason.
    Rejected(u64, Rejection),
}

/// What a publisher reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The broker is connected.
    Connected,
    /// There is no connection. Reported once for each reason until the next connection.
    Disconnected(Failure),
    /// Messages are lost or will be repeated.
    Problem(Problem),
}

/// Sends messages on its own thread. No method waits for the broker, except for [`Self::drain`].
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    outbox: Mutex<Outbox>,
    /// Notified at each outcome and by [`Publisher::interrupt`].
    settled: Condvar,
    /// Wakes the thread.
    wake: Notify,
    is_stopping: AtomicBool,
    is_connected: AtomicBool,
    is_interrupted: AtomicBool,
}

impl Publisher {
    /// Starts the thread. It calls `observe` for each notice.
    ///
    /// # Errors
    /// [`Error::Thread`] if the operating system cannot start a thread.
    pub fn start<B: Broker + 'static>(outbox: Outbox, broker: B, observe: impl FnMut(Notice) + Send + 'static) -> Result<Self> {
        let runtime = runtime().map_err(Error::Thread)?;
        let shared = Arc::new(Shared {
            outbox: Mutex::new(outbox),
            settled: Condvar::new(),
            wake: Notify::new(),
            is_stopping: AtomicBool::new(false),
            is_connected: AtomicBool::new(false),
            is_interrupted: AtomicBool::new(false),
        });
        let (shared_with, observe, next_send) = (shared.clone(), Box::new(observe), Instant::now());
        let session = Session {
            shared: shared_with,
            observe,
            last_failure: None,
            waiting_since: None,
            next_send,
            caution: Caution::default(),
            has_progress: false,
        };
        let run = move || {
            runtime.block_on(session.run(broker));
            // Looking up a host name may take long and cannot be cancelled.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("publish".into()).spawn(run).map_err(Error::Thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Adds each line of `text` as a message.
    pub fn push(&self, schema: &Arc<str>, text: &[u8]) {
        let mut outbox = self.shared.outbox.lock();
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| outbox.push(schema, line));
        drop(outbox);
        self.shared.wake.notify_one();
    }

    /// Waits until no message is left, for at most `limit`, or until [`Self::interrupt`]. Returns whether all have left.
    pub fn drain(&self, limit: Duration) -> bool {
        let is_waiting = |outbox: &mut Outbox| outbox.queued() > 0 && !self.shared.is_interrupted.load(Ordering::Acquire);
        let mut outbox = self.shared.outbox.lock();
        self.shared.settled.wait_while_for(&mut outbox, is_waiting, limit);
        outbox.queued() == 0
    }

    /// Ends [`Self::drain`], now and until it is allowed again.
    pub fn interrupt(&self, is_interrupted: bool) {
        self.shared.is_interrupted.store(is_interrupted, Ordering::Release);
        // With the lock, so that a drain that is about to wait does not miss the notification.
        drop(self.shared.outbox.lock());
        self.shared.settled.notify_all();
    }

    /// What happened to the messages so far.
    pub fn counts(&self) -> Counts {
        self.shared.outbox.lock().counts()
    }

    /// True while there is a connection.
    pub fn is_connected(&self) -> bool {
        self.shared.is_connected.load(Ordering::Acquire)
    }
}

/// What runs a session. For host names and for the spool it has another thread, which it keeps: tokio panics where it needs one and none can
/// be started.
fn runtime() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(Duration::MAX).build()?;
    let (start, started) = channel();
    runtime.spawn_blocking(move || start.send(()));
    let _ = started.recv();
    Ok(runtime)
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        // A panic has already been printed to standard error by the panic hook.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// The next message, if there is room for one in flight.
    fn next(&self, window: usize) -> Option<Message> {
        let mut outbox = self.outbox.lock();
        if outbox.in_flight() < window { outbox.take() } else { None }
    }

    /// Syncs the spool at regular intervals. The disk may be slow, so another thread waits for it.
    async fn keep_synced(self: Arc<Self>) {
        loop {
            sleep(SYNC_INTERVAL).await;
            let files = self.outbox.lock().unsynced();
            let synced = tokio::task::spawn_blocking(move || files.iter().try_for_each(std::fs::File::sync_data)).await;
            if let Ok(Err(error)) = synced {
                self.outbox.lock().note(Problem::SpoolSync(error.to_string()));
            }
        }
    }

    async fn stopped(&self) {
        while !self.is_stopping() {
            self.wake.notified().await;
        }
    }
}

struct Session {
    shared: Arc<Shared>,
    observe: Box<dyn FnMut(Notice) + Send>,
    /// The failure that was reported last, until there is a connection.
    last_failure: Option<Failure>,
    /// When the broker last answered, or `None` while no message is in flight.
    waiting_since: Option<Instant>,
    /// When the next messages are sent. A message costs little compared with waking the thread, so messages are sent together.
    next_send: Instant,
    caution: Caution,
    /// True if the broker has answered a message on this connection.
    has_progress: bool,
}

impl Session {
    async fn run(mut self, mut broker: impl Broker) {
        let shared = self.shared.clone();
        let mut backoff = Backoff::default();
        let mut is_first = true;
        if shared.outbox.lock().has_spool() {
            tokio::spawn(shared.clone().keep_synced());
        }
        while !shared.is_stopping() {
            let connected = tokio::select! {
                biased;
                () = shared.stopped() => break,
                connected = timeout(CONNECT_TIMEOUT, broker.connect()) => connected,
            };
            let failure = match connected {
                Ok(Ok(link)) => {
                    self.connected(std::mem::take(&mut is_first));
                    self.serve(link, &mut backoff).await
                }
                Ok(Err(failure)) => Some(failure),
                Err(_) => Some(Failure::Silent { seconds: CONNECT_TIMEOUT.as_secs() }),
            };
            let Some(failure) = failure else { break };
            self.disconnected(failure);
            tokio::select! {
                () = shared.stopped() => break,
                () = sleep(backoff.wait()) => {}
            }
        }
        shared.is_connected.store(false, Ordering::Release);
    }

    /// Sends until the connection is lost, and returns why, or until the publisher stops.
    async fn serve(&mut self, mut link: impl Link, backoff: &mut Backoff) -> Option<Failure> {
        let start = Instant::now();
        loop {
            match self.exchange(&mut link).await {
                Ok(()) if self.shared.is_stopping() => break,
                Ok(()) => self.report_problems(),
                Err(failure) => {
                    backoff.connection_ended(start.elapsed(), std::mem::take(&mut self.has_progress));
                    return Some(failure);
                }
            }
        }
        // If the broker does not answer, it sends the last will.
        let _ = timeout(CLOSE_TIMEOUT, link.close()).await;
        None
    }

    /// Sends what there is room for, and waits for an outcome or for more to send.
    async fn exchange(&mut self, link: &mut impl Link) -> std::result::Result<(), Failure> {
        let is_gathering = Instant::now() < self.next_send;
        if !is_gathering {
            self.send_waiting(link)?;
        }
        let is_waiting = self.shared.outbox.lock().in_flight() > 0;
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if !is_waiting {
            self.waiting_since = None;
        }
        tokio::select! {
            outcome = link.outcome() => {
                self.apply(outcome?);
                self.waiting_since = None;
            }
            () = self.shared.wake.notified(), if !is_gathering => {}
            () = sleep_until(self.next_send), if is_gathering => {}
            () = sleep_until(since + OUTCOME_TIMEOUT), if is_waiting => {
                return Err(Failure::Silent { seconds: OUTCOME_TIMEOUT.as_secs() });
            }
        }
        Ok(())
    }

    fn send_waiting(&mut self, link: &mut impl Link) -> std::result::Result<(), Failure> {
        let window = self.caution.window(WINDOW);
        let mut has_sent = false;
        while let Some(message) = self.shared.next(window) {
            link.send(&message)?;
            has_sent = true;
        }
        // A backlog is sent as fast as the broker answers.
        if has_sent && self.shared.outbox.lock().in_flight() < window {
            self.next_send = Instant::now() + GATHERING;
        }
        Ok(())
    }

    fn apply(&mut self, outcome: Outcome) {
        let (Outcome::Sent(sequence) | Outcome::Rejected(sequence, _)) = outcome;
        self.caution.answered(sequence);
        self.has_progress = true;
        let mut outbox = self.shared.outbox.lock();
        match outcome {
            Outcome::Sent(sequence) => outbox.sent(sequence),
            Outcome::Rejected(sequence, reason) => outbox.rejected(sequence, reason),
        }
        drop(outbox);
        self.shared.settled.notify_all();
    }

    fn connected(&mut self, is_first: bool) {
        if !is_first {
            self.shared.outbox.lock().reconnected();
        }
        (self.last_failure, self.waiting_since) = (None, None);
        self.shared.is_connected.store(true, Ordering::Release);
        (self.observe)(Notice::Connected);
    }

    fn disconnected(&mut self, failure: Failure) {
        self.shared.is_connected.store(false, Ordering::Release);
        if failure.may_be_due_to_a_message() {
            self.give_up_the_cause();
        }
        self.shared.outbox.lock().retry();
        if self.last_failure.as_ref() != Some(&failure) {
            (self.observe)(Notice::Disconnected(failure.clone()));
            self.last_failure = Some(failure);
        }
        self.report_problems();
    }

    /// Drops a message because of which the broker has closed several connections in a row.
    fn give_up_the_cause(&mut self) {
        let mut outbox = self.shared.outbox.lock();
        let Some(in_flight) = outbox.in_flight_range() else { return };
        let sequence = *in_flight.start();
        if self.caution.connection_lost(in_flight) {
            let bytes = outbox.size_in_flight(sequence).unwrap_or_default();
            outbox.rejected(sequence, Rejection::Disconnects { connections: ATTEMPTS, bytes });
            drop(outbox);
            self.caution.answered(sequence);
            self.shared.settled.notify_all();
        }
    }

    fn report_problems(&mut self) {
        loop {
            // Without the lock while it is observed.
            let Some(problem) = self.shared.outbox.lock().take_problem() else { return };
            (self.observe)(Notice::Problem(problem));
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use rustix::process::{Resource, Rlimit, setrlimit};

    use super::*;

    #[test]
    fn files_are_synced_where_no_thread_can_be_started() {
        let test = std::env::current_exe().unwrap();
        let child = Command::new(test).args(["--exact", "session::tests::without_memory_for_a_thread", "--ignored"]).output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }

    #[test]
    #[ignore = "it leaves its process without memory"]
    fn without_memory_for_a_thread() {
        let runtime = runtime().unwrap();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
        setrlimit(Resource::As, Rlimit { current: Some(pages * rustix::param::page_size() as u64), maximum: None }).unwrap();
        assert!(std::thread::Builder::new().spawn(|| ()).is_err());
        assert_eq!(runtime.block_on(async { tokio::task::spawn_blocking(|| 1).await.unwrap() }), 1);
    }
}
