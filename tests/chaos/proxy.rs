// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network between two programs of this machine: connections that break, are slow, or lose what one side sends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(10);

/// A port that forwards to another one.
#[derive(Clone)]
pub struct Link {
    /// The port to connect to.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many have closed it. New connections are then refused.
    closed: AtomicU32,
    delay_ms: AtomicU64,
    /// Nothing arrives from the client, and nothing at it.
    loses: [AtomicBool; 2],
    /// Incremented with each cut, so that the connections before it end.
    cuts: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
}

impl Link {
    /// A network to a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let link = Self { port: listener.local_addr().expect("an address").port(), state: Arc::default() };
        let state = link.state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let cuts = state.cuts.load(SeqCst);
                if state.closed.load(SeqCst) == 0
                    && let Ok(server) = TcpStream::connect(("127.0.0.1", port))
                {
                    connect(&state, cuts, client, server);
                }
            }
        });
        link
    }

    /// Breaks all connections. Until everyone who closed it has opened it, new ones end at once.
    pub fn close(&self, is_closed: bool) {
        if is_closed {
            self.state.closed.fetch_add(1, SeqCst);
            self.cut();
        } else {
            self.state.closed.fetch_sub(1, SeqCst);
        }
    }

    /// Breaks all connections.
    pub fn cut(&self) {
        self.state.cuts.fetch_add(1, SeqCst);
        let connections = std::mem::take(&mut *self.state.connections.lock().expect("no panic"));
        connections.iter().for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
    }

    /// Lets each piece wait for so long.
    pub fn delay(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis() as u64, SeqCst);
    }

    /// Nothing arrives from the client (0) or at it (1). When it ends, what was held back is lost with its connections.
    pub fn lose(&self, direction: usize, loses: bool) {
        if !loses {
            self.cut();
        }
        self.state.loses[direction].store(loses, SeqCst);
    }
}

/// Forwards between both ends of a connection that began after so many cuts.
fn connect(state: &Arc<State>, cuts: u64, client: TcpStream, server: TcpStream) {
    let copies = [&client, &server].map(|stream| stream.try_clone().expect("a descriptor"));
    state.connections.lock().expect("no panic").extend([&client, &server].map(|stream| stream.try_clone().expect("a descriptor")));
    if state.cuts.load(SeqCst) != cuts {
        // It was cut while it began.
        copies.iter().for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
    }
    let [from_client, from_server] = copies;
    for (direction, from, to) in [(0, from_client, server), (1, from_server, client)] {
        let state = state.clone();
        std::thread::spawn(move || forward(&state, direction, cuts, from, to));
    }
}

fn forward(state: &State, direction: usize, cuts: u64, mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(Duration::from_millis(state.delay_ms.load(SeqCst)));
        while state.loses[direction].load(SeqCst) && state.cuts.load(SeqCst) == cuts {
            std::thread::sleep(PAUSE);
        }
        if state.cuts.load(SeqCst) != cuts || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_link_forwards_loses_and_breaks() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = Link::to(server.local_addr().unwrap().port());
    let connect = || {
        let client = TcpStream::connect(("127.0.0.1", link.port)).unwrap();
        (client, server.accept().unwrap().0)
    };
    let mut letter = [0];
    let (mut client, mut accepted) = connect();
    client.write_all(b"a").unwrap();
    assert_eq!((accepted.read(&mut letter).unwrap(), letter), (1, *b"a"));
    link.lose(1, true);
    accepted.write_all(b"b").unwrap();
    client.write_all(b"c").unwrap();
    assert_eq!((accepted.read(&mut letter).unwrap(), letter), (1, *b"c"), "the other way goes on");
    link.lose(1, false);
    assert_eq!(client.read(&mut letter).unwrap_or(0), 0, "what was held back is lost");
    let (mut client, _accepted) = connect();
    link.close(true);
    assert_eq!(client.read(&mut letter).unwrap_or(0), 0);
    let mut refused = TcpStream::connect(("127.0.0.1", link.port)).unwrap();
    assert_eq!(refused.read(&mut letter).unwrap_or(0), 0);
}
