// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the message because of which a broker closes the connection.

use std::ops::RangeInclusive;

/// Number of connections in a row that a message must end, alone in flight, until it is given up.
pub const ATTEMPTS: u32 = 3;

/// Decides whether a message can ever be sent. MQTT 3.1.1 has no refusal: a broker that does not take a message closes the
/// connection, and would do so for ever. After a lost connection, the messages that were in flight are therefore sent one by
/// one. A message that ends [`ATTEMPTS`] connections in a row while no other is in flight is given up. A broker that is
/// merely away does not accept connections, so it costs no message.
#[derive(Clone, Debug, Default)]
pub struct Caution {
    /// The last message that was in flight when a connection was lost.
    until: Option<u64>,
    /// The message that was alone in flight when the last connection was lost, and how often in a row.
    suspect: Option<(u64, u32)>,
}

impl Caution {
    /// Maximum number of messages in flight, which is usually `window`.
    pub fn window(&self, window: usize) -> usize {
        if self.until.is_some() { 1 } else { window }
    }

    /// The broker has answered a message.
    pub fn answered(&mut self, sequence: u64) {
        self.suspect = None;
        self.until = self.until.filter(|until| sequence < *until);
    }

    /// The broker has ended a connection with these messages in flight. True if the first of them is to be given up.
    pub fn connection_lost(&mut self, in_flight: RangeInclusive<u64>) -> bool {
        let (first, last) = in_flight.into_inner();
        self.until = self.until.max(Some(last));
        if first != last {
            return false;
        }
        let before = self.suspect.filter(|(suspect, _)| *suspect == first).map_or(0, |(_, losses)| losses);
        self.suspect = Some((first, before + 1));
        before + 1 >= ATTEMPTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_ends_three_connections_alone_is_given_up() {
        let mut caution = Caution::default();
        assert_eq!(caution.window(64), 64);
        assert!(!caution.connection_lost(3..=9), "any of them may be the cause");
        assert_eq!(caution.window(64), 1);
        caution.answered(3);
        assert_eq!([(); 3].map(|()| caution.connection_lost(4..=4)), [false, false, true]);
        caution.answered(4);
        assert_eq!(caution.window(64), 1, "another one may be a cause as well");
        caution.answered(9);
        assert_eq!(caution.window(64), 64);
    }

    #[test]
    fn a_message_that_is_answered_is_no_suspect() {
        let mut caution = Caution::default();
        for sequence in 0..10 {
            assert!(!caution.connection_lost(sequence..=sequence));
            assert!(!caution.connection_lost(sequence..=sequence));
            caution.answered(sequence);
        }
        assert_eq!(caution.window(64), 64);
    }
}
