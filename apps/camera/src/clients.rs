// SPDX-License-Identifier: MIT OR Apache-2.0
//! A limit of connections to the RTSP server, so that clients leave file descriptors to recordings and to the broker.

use std::collections::VecDeque;
use std::sync::Arc;

use gst::glib;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPClient, RTSPServer};
use parking_lot::Mutex;

/// A connection, the name of which is that of the client's object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Connection<T> {
    client: T,
    /// True if it has a session. Only clients with the token get one.
    is_admitted: bool,
}

/// The open connections, the oldest first.
type Connections<T> = VecDeque<Connection<T>>;

/// Closes connections to `server` above the number `max`: the oldest one that has no session, or else the newest.
pub fn limit(server: &RTSPServer, max: usize) {
    let open: Arc<Mutex<Connections<glib::WeakRef<RTSPClient>>>> = Arc::default();
    server.connect_client_connected(move |_, client| {
        let note = open.clone();
        client.connect_new_session(move |client, _| {
            note.lock().iter_mut().filter(|known| known.client == client.downgrade()).for_each(|known| known.is_admitted = true);
        });
        let forget = open.clone();
        client.connect_closed(move |client| forget.lock().retain(|known| known.client != client.downgrade()));
        let mut open = open.lock();
        open.push_back(Connection { client: client.downgrade(), is_admitted: false });
        if let Some(surplus) = surplus(&mut open, max) {
            // Later, because the server has not attached a new client yet, but before it accepts the next one.
            let close = move || {
                surplus.upgrade().iter().for_each(RTSPClientExt::close);
                glib::ControlFlow::Break
            };
            glib::idle_source_new(Some("close"), glib::Priority::HIGH, close).attach(None);
        }
    });
}

/// Removes the connection that has to go, if there are more than `max`.
fn surplus<T>(open: &mut Connections<T>, max: usize) -> Option<T> {
    if open.len() <= max {
        return None;
    }
    let oldest = open.iter().position(|connection| !connection.is_admitted);
    open.remove(oldest.unwrap_or(open.len() - 1)).map(|connection| connection.client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_connection_without_a_session_goes_first() {
        let mut open: Connections<char> =
            [('a', true), ('b', false), ('c', true), ('d', false)].map(|(client, is_admitted)| Connection { client, is_admitted }).into();
        assert_eq!(surplus(&mut open, 4), None);
        assert_eq!([surplus(&mut open, 1), surplus(&mut open, 1), surplus(&mut open, 1)], [Some('b'), Some('d'), Some('c')]);
    }
}
