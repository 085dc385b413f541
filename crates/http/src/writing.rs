// SPDX-License-Identifier: MIT OR Apache-2.0
//! A connection whose client has to read.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Fails with [`ErrorKind::TimedOut`] if the client takes nothing of what is written for `limit`.
pub struct Writing<I> {
    io: I,
    limit: Duration,
    /// The end of the wait for the client, while there is one.
    end: Option<Pin<Box<Sleep>>>,
}

impl<I> Writing<I> {
    /// `io` with this limit.
    pub fn new(io: I, limit: Duration) -> Self {
        Self { io, limit, end: None }
    }
}

impl<I: AsyncWrite + Unpin> Writing<I> {
    /// Polls `write`, for at most the limit without a result.
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut I>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(result) = write(Pin::new(&mut self.io), context) {
            self.end = None;
            return Poll::Ready(result);
        }
        let limit = self.limit;
        ready!(self.end.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Writing<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll(context, |io, context| io.poll_write(context, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.get_mut().poll(context, |io, context| io.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll(context, |io, context| io.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll(context, |io, context| io.poll_shutdown(context))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Writing<I> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buffer)
    }
}
