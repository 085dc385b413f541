// SPDX-License-Identifier: MIT OR Apache-2.0
//! A request body that is passed on while it arrives.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use crate::REQUEST_TIMEOUT;
use crate::door::Connection;

/// Minimum mean rate of a body, after [`REQUEST_TIMEOUT`].
const MIN_BYTES_PER_SECOND: u64 = 16 << 10;

/// Fails if the body stops, or arrives too slowly on the whole. Until it has arrived, its connection may be evicted.
pub struct Arriving {
    body: Body,
    connection: Arc<Connection>,
    began: Instant,
    bytes: u64,
    end: Pin<Box<Sleep>>,
}

impl Arriving {
    /// A body that begins to arrive now.
    pub fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection, began: Instant::now(), bytes: 0, end: Box::pin(sleep(REQUEST_TIMEOUT)) }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            return this.end.as_mut().poll(context).map(|()| Some(Err("the body does not arrive in time".into())));
        };
        if let Some(Ok(frame)) = &frame {
            this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            let paid = Duration::from_millis(this.bytes.saturating_mul(1000) / MIN_BYTES_PER_SECOND);
            this.end.as_mut().reset((this.began + paid + REQUEST_TIMEOUT).min(Instant::now() + REQUEST_TIMEOUT));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.connection.is_heard.store(true, Ordering::Relaxed);
    }
}
