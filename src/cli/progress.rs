//! The bar that long work moves, where someone can see it.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over bytes, and a brake.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Bytes a second; none is as fast as it goes.
    rate: Option<u64>,
    started: Instant,
    done: u64,
}

impl Progress {
    /// Whether someone sees it; if not, finding out how much there is to do may be left out.
    pub(super) fn is_seen() -> bool {
        std::io::stderr().is_terminal()
    }

    /// A bar of this many bytes. Without a terminal on standard error nothing is drawn.
    pub(super) fn new(total: u64, rate: Option<u64>) -> Self {
        let target = match Self::is_seen() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style =
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, rate, started: Instant::now(), done: 0 }
    }

    /// Begins further along, as work that is gone on with does.
    pub(super) fn skip(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// So many bytes are done; waits until the rate allows more.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
        self.done += bytes;
        let Some(rate) = self.rate.filter(|rate| *rate > 0) else {
            return;
        };
        let due = Duration::from_secs(self.done / rate)
            + Duration::from_nanos((self.done % rate).saturating_mul(1_000_000_000) / rate);
        if let Some(early) = due.checked_sub(self.started.elapsed()) {
            std::thread::sleep(early);
        }
    }

    /// Prints a line above the bar.
    pub(super) fn say(&self, text: &str) -> Result<(), super::Failure> {
        self.bar.suspend(|| super::say(&text))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
