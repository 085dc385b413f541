// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes an HTML report of a record, as `emotion-report` does.

use std::io::{self, Read};
use std::path::Path;

use emotion_page::{Records, Report};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A report covers at most the newest bytes of a record.
const MAX_BYTES: usize = 32 << 20;

/// Reports are made one at a time, so that requests cannot use all processors and memory.
static TURNS: Semaphore = Semaphore::const_new(1);

/// The right to make a report. Requests do not wait for it: each that waits would occupy a thread that downloads need.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held until it is dropped")] SemaphorePermit<'static>);

impl Turn {
    /// The right to make a report; none while another one is made.
    pub fn take() -> Option<Self> {
        TURNS.try_acquire().ok().map(Self)
    }
}

/// The page of an NDJSON record, as HTML; `name` is the name of the record on the page. `_turn` is given back at the end, also
/// if the client is gone before.
///
/// # Errors
/// If the record cannot be read.
pub fn write(_turn: Turn, record: &mut dyn Read, name: &str) -> io::Result<String> {
    let name = format!("{name}.ndjson");
    let lines = newest(record, MAX_BYTES)?;
    let records = Records::read(lines.as_slice(), Path::new(&name)).map_err(io::Error::other)?;
    Report { name: &name, ..Report::default() }.html(records).map_err(io::Error::other)
}

/// The last whole lines of `record`, at most `max_bytes` in total.
fn newest(record: &mut dyn Read, max_bytes: usize) -> io::Result<Vec<u8>> {
    let (mut text, mut is_cut) = (Vec::new(), false);
    while record.take(max_bytes as u64).read_to_end(&mut text)? > 0 {
        let excess = text.len().saturating_sub(max_bytes);
        text.drain(..excess);
        is_cut |= excess > 0;
    }
    if is_cut {
        let first_line = text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |end| end + 1);
        text.drain(..first_line);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_is_cut_to_its_last_whole_lines() {
        assert_eq!(newest(&mut &b"first\nsecond\nthird\n"[..], 12).unwrap(), b"third\n");
        assert_eq!(newest(&mut &b"first\nsecond\n"[..], 13).unwrap(), b"first\nsecond\n");
        assert_eq!(newest(&mut &b"one\ntwo\nthree\nfour\nfive\nsix\n"[..], 5).unwrap(), b"six\n");
    }

    #[test]
    fn a_second_report_is_refused_while_one_is_made() {
        let first = Turn::take().expect("no report is made");
        assert!(Turn::take().is_none());
        write(first, &mut &b""[..], "camera").expect("a page");
        assert!(Turn::take().is_some(), "the next one");
    }
}
