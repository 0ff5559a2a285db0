//! The answers of one connection that wait for their client: refusals cost nothing to ask for, so they are bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of refusals that wait on one connection; beyond them a refusal is its bare status.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// How many bytes of refusals wait on a connection: those not handed to it yet, and those it has not written.
#[derive(Clone, Debug, Default)]
pub struct Unsent(Arc<AtomicUsize>);

impl Unsent {
    /// Room for so many bytes; `None` if there is none left.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reserved> {
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
pub(super) struct Reserved {
    unsent: Unsent,
    bytes: usize,
}

impl Reserved {
    /// So many bytes were handed on, and count until they are written.
    pub(super) fn handed_on(&mut self, bytes: usize) {
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
