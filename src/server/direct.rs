//! Sends windows of blobs from their files: the kernel hands the pages on, and no one copies them.
//!
//! To hyper it is a stream like any other. What it writes is looked up by where it is in memory; the bodies of large
//! objects are windows of files, and go by `sendfile`. Everything else is written as it is.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::sendfile;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::mapped::file_behind;
use crate::peer::Line;

/// Below this, looking up what it is costs more than copying it.
const DIRECT_BYTES_MIN: usize = 64 * 1024;

/// A connection, before any encryption.
pub(super) struct Direct {
    /// The two halves share one socket. Of this one someone else may ask whether the other end is still there.
    reading: Arc<Mutex<OwnedReadHalf>>,
    writing: OwnedWriteHalf,
}

/// What the requests of a connection know of it.
#[derive(Debug)]
pub(super) struct Wire {
    reading: Arc<Mutex<OwnedReadHalf>>,
    is_direct: bool,
}

impl Line for Wire {
    fn is_gone(&self) -> bool {
        let half = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut asked = [PollFd::new(half.as_ref(), gone)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut asked, Some(&now)).is_ok() && asked.iter().any(|asked| asked.revents().intersects(gone))
    }

    fn is_direct(&self) -> bool {
        self.is_direct
    }
}

impl Direct {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (reading, writing) = stream.into_split();
        Self { reading: Arc::new(Mutex::new(reading)), writing }
    }

    /// What requests know of it; `is_direct` if nothing encrypts what is written to it.
    pub(super) fn line(&self, is_direct: bool) -> Arc<dyn Line> {
        Arc::new(Wire { reading: Arc::clone(&self.reading), is_direct })
    }

    fn poll_send(
        &self,
        task: &mut Context<'_>,
        file: &File,
        offset: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let socket = self.writing.as_ref();
            ready!(socket.poll_write_ready(task))?;
            let sent = socket.try_io(Interest::WRITABLE, || {
                let mut at = offset;
                Ok(sendfile(socket, file, Some(&mut at), length)?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The length was checked when the window was made, so someone has cut the file short.
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl AsyncRead for Direct {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut half = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *half).poll_read(task, buffer)
    }
}

impl AsyncWrite for Direct {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let behind = if data.len() < DIRECT_BYTES_MIN { None } else { file_behind(data) };
        let Some((file, offset)) = behind else {
            return Pin::new(&mut self.writing).poll_write(task, data);
        };
        match ready!(self.poll_send(task, &file, offset, data.len())) {
            // There are file systems that cannot do this.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Pin::new(&mut self.writing).poll_write(task, data)
            }
            sent => Poll::Ready(sent),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let large = data.iter().position(|piece| piece.len() >= DIRECT_BYTES_MIN);
        match large.map(|at| data.split_at(at)) {
            // What stands before it goes first, and is most often the head of the answer.
            Some((before, [large, ..])) if before.iter().all(|piece| piece.is_empty()) => {
                self.poll_write(task, large)
            }
            Some((before, _)) => Pin::new(&mut self.writing).poll_write_vectored(task, before),
            None => Pin::new(&mut self.writing).poll_write_vectored(task, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.writing.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writing).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writing).poll_shutdown(task)
    }
}
