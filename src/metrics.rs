//! Counters and histograms, and the text in which they are read. Knows nothing of what is counted.
//!
//! The text is the exposition format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What was counted.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets of a [`Histogram`], in microseconds; what is longer counts in the last, unbounded one.
const BOUNDS_MICROS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000, 60_000_000];

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BOUNDS_MICROS.len()],
    count: Counter,
    sum_micros: Counter,
}

impl Histogram {
    /// Counts one that took this long.
    pub fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BOUNDS_MICROS.iter().position(|bound| micros <= *bound) {
            self.buckets.iter().skip(bucket).take(1).for_each(|bucket| bucket.add(1));
        }
        self.count.add(1);
        self.sum_micros.add(micros);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count.value()
    }
}

/// The text being written. All samples of a name follow its heading.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a metric: its name, what kind it is (`counter`, `gauge` or `histogram`), and what it says.
    pub fn heading(&mut self, name: &str, kind: &str, help: &str) {
        self.0.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"]);
    }

    /// A sample with its labels.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels.iter().copied());
        // Writing to a string does not fail.
        let _ = writeln!(self.0, " {value}");
    }

    /// The samples of a histogram, in seconds.
    pub fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut below = 0;
        for (bound, bucket) in BOUNDS_MICROS.iter().zip(&histogram.buckets) {
            below += bucket.value();
            let bound = seconds(*bound);
            self.bucket(name, labels, &bound, below);
        }
        // Counted after the buckets, so that it is not less than they are.
        self.bucket(name, labels, "+Inf", histogram.count.value().max(below));
        self.sample(&format!("{name}_sum"), labels, seconds(histogram.sum_micros.value()));
        self.sample(&format!("{name}_count"), labels, histogram.count.value().max(below));
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }

    fn bucket(&mut self, name: &str, labels: &[(&str, &str)], bound: &str, value: u64) {
        self.0.extend([name, "_bucket"]);
        self.labels(labels.iter().copied().chain([("le", bound)]));
        let _ = writeln!(self.0, " {value}");
    }

    fn labels<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        let mut separator = "{";
        for (name, value) in labels {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.0.extend([separator, name, "=\"", value.as_str(), "\""]);
            separator = ",";
        }
        if separator == "," {
            self.0.push('}');
        }
    }
}

/// Microseconds as a decimal number of seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative() {
        let histogram = Histogram::default();
        for micros in [100, 101, 3_000_000, 100_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = Exposition::default();
        text.heading("x_seconds", "histogram", "Times.");
        text.histogram("x_seconds", &[("of", "a\"b")], &histogram);
        let text = text.finish();
        for line in [
            "# TYPE x_seconds histogram\n",
            "x_seconds_bucket{of=\"a\\\"b\",le=\"0.0001\"} 1\n",
            "x_seconds_bucket{of=\"a\\\"b\",le=\"1\"} 2\n",
            "x_seconds_bucket{of=\"a\\\"b\",le=\"10\"} 3\n",
            "x_seconds_bucket{of=\"a\\\"b\",le=\"+Inf\"} 4\n",
            "x_seconds_sum{of=\"a\\\"b\"} 103.000201\n",
            "x_seconds_count{of=\"a\\\"b\"} 4\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn samples_without_labels_have_no_braces() {
        let mut text = Exposition::default();
        text.sample("up", &[], 1);
        assert_eq!(text.finish(), "up 1\n");
    }
}
