//! Sends windows of blobs from their files: the kernel hands the pages on, and nobody copies them.
//!
//! To hyper it is a stream like any other. What it writes is looked up by where it is in memory; the bodies of large
//! objects are windows of files, and go by `sendfile`. Everything else is written as it is.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::sendfile;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::store::file_behind;

/// Below this, looking up what it is costs more than copying it.
const DIRECT_BYTES_MIN: usize = 64 * 1024;

/// A connection without encryption.
pub(super) struct Direct(pub(super) TcpStream);

impl Direct {
    fn poll_send(
        &self,
        task: &mut Context<'_>,
        file: &File,
        offset: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(task))?;
            let sent = self.0.try_io(Interest::WRITABLE, || {
                let mut at = offset;
                Ok(sendfile(&self.0, file, Some(&mut at), length)?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The length was checked when the window was made, so somebody has cut the file short.
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl AsyncRead for Direct {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(task, buffer)
    }
}

impl AsyncWrite for Direct {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let behind = if data.len() < DIRECT_BYTES_MIN { None } else { file_behind(data) };
        let Some((file, offset)) = behind else {
            return Pin::new(&mut self.0).poll_write(task, data);
        };
        match ready!(self.poll_send(task, &file, offset, data.len())) {
            // There are file systems that cannot do this.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Pin::new(&mut self.0).poll_write(task, data)
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
            Some((before, _)) => Pin::new(&mut self.0).poll_write_vectored(task, before),
            None => Pin::new(&mut self.0).poll_write_vectored(task, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task)
    }
}
