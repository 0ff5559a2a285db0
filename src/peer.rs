//! The other end of a connection, as it is known to those who answer its requests.

use std::fmt::Debug;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who sends requests: the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address, as the log shows it.
    pub address: Arc<str>,
    /// The same without its port.
    pub ip: IpAddr,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// The answers that wait for it.
    pub unsent: Unsent,
    /// The connection itself.
    pub line: Arc<dyn Line>,
    /// What the connection takes up.
    pub slot: Arc<dyn Slot>,
}

impl Peer {
    /// Whether the connection has a slot for more than a quick question; waits a while for one.
    pub async fn has_slot(&self) -> bool {
        self.slot.is_usual() || self.slot.become_usual().await
    }
}

/// What a connection is, to those who answer its requests.
pub trait Line: Debug + Send + Sync {
    /// Whether the other end has closed it. One that has only said that it will send no more counts as gone: no one can
    /// tell the difference.
    fn is_gone(&self) -> bool;
    /// Whether what is handed to it goes to the kernel as it is, untouched: then it may be a mapping of a file.
    fn is_direct(&self) -> bool;
}

/// A slot for a connection. A few are spare: kept for questions like those of health checks.
pub trait Slot: Debug + Send + Sync {
    /// Whether it is a usual one: once it is, it stays so.
    fn is_usual(&self) -> bool;
    /// Whether it is a usual one, for which a spare one waits a while.
    fn become_usual(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

/// Most bytes of refusals that wait on one connection; beyond them a refusal is its bare status.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// How many bytes of refusals wait on a connection: those not handed to it yet, and those it has not written.
#[derive(Clone, Debug, Default)]
pub struct Unsent(Arc<AtomicUsize>);

impl Unsent {
    /// Room for so many bytes; `None` if there is none left.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let more = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= UNSENT_BYTES_MAX);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Reserved { unsent: self.clone(), bytes })
    }

    /// So many bytes were written to the connection, of this answer or of others.
    pub fn written(&self, bytes: usize) {
        if self.0.load(Ordering::Relaxed) > 0 {
            self.subtract(bytes);
        }
    }

    fn subtract(&self, bytes: usize) {
        let less = |waiting: usize| Some(waiting.saturating_sub(bytes));
        // The function always gives a number.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// Room for an answer that is not handed on yet.
#[derive(Debug)]
pub(crate) struct Reserved {
    unsent: Unsent,
    bytes: usize,
}

impl Reserved {
    /// So many bytes were handed on, and count until they are written.
    pub(crate) fn handed_on(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.unsent.subtract(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_counts() {
        let unsent = Unsent::default();
        let mut first = unsent.reserve(UNSENT_BYTES_MAX - 10).expect("room");
        assert!(unsent.reserve(11).is_none());
        // Handed on is not written.
        first.handed_on(UNSENT_BYTES_MAX - 10);
        drop(first);
        assert!(unsent.reserve(11).is_none());
        unsent.written(1);
        drop(unsent.reserve(11).expect("room"));
        unsent.written(UNSENT_BYTES_MAX);
        assert!(unsent.reserve(UNSENT_BYTES_MAX).is_some());
    }
}
