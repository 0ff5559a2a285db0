//! A connection that makes no progress ends: no one may hold a slot by doing nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;

/// A stream that fails with `TimedOut` when no byte has moved for a while, either way.
pub(super) struct Stalling<S> {
    stream: S,
    limit: Duration,
    /// When the last byte moved.
    moved: Instant,
    /// Checks on `moved` when it ends, and is then set anew: a timer for each byte would cost more than the byte.
    timer: Pin<Box<Sleep>>,
    /// Is told what was written.
    activity: Arc<Activity>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stalling<S> {
    pub(super) fn new(stream: S, limit: Duration, activity: Arc<Activity>) -> Self {
        let moved = Instant::now();
        Self { stream, limit, moved, timer: Box::pin(sleep_until(moved + limit)), activity }
    }

    /// Notes what was written.
    fn wrote(&mut self, task: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.activity.written(bytes);
        }
        self.watch(task, polled)
    }

    /// Notes progress, or fails if there has been none for too long.
    fn watch<T>(&mut self, task: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.moved = Instant::now();
            return polled;
        }
        while self.timer.as_mut().poll(task).is_ready() {
            let end = self.moved + self.limit;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(task, buffer);
        self.watch(task, polled)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(task, data);
        self.wrote(task, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(task, data);
        self.wrote(task, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(task);
        self.watch(task, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_keeps_it_and_standing_still_ends_it() {
        let (near, mut far) = duplex(16);
        let mut near = Stalling::new(near, Duration::from_secs(10), Activity::new());
        let writer = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(8)).await;
                far.write_all(b"x").await.expect("written");
            }
            // Keeps its end open, and silent.
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        let mut byte = [0];
        for _ in 0..5 {
            near.read_exact(&mut byte).await.expect("a byte");
        }
        let began = Instant::now();
        let error = near.read_exact(&mut byte).await.expect_err("it stands still");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
        writer.abort();
    }
}
