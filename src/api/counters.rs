//! What is counted of requests.

use std::collections::HashMap;
use std::time::Duration;

use crate::metrics::{Counter, Exposition, Histogram};
use crate::s3::operation::Operation;

/// The names of requests that are none of S3's: what was refused before it was known what it asks for, and what the server
/// says of itself.
const OTHERS: [&str; 3] = ["-", "Health", "Metrics"];

/// What is counted of requests, by operation.
#[derive(Debug)]
pub struct Requests {
    operations: HashMap<&'static str, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By the first digit of the status; 0 for connections that went before an answer.
    statuses: [Counter; 6],
    time: Histogram,
    bytes_in: Counter,
    bytes_out: Counter,
}

impl Default for Requests {
    fn default() -> Self {
        let names = Operation::all().map(Operation::name).chain(OTHERS);
        Self { operations: names.map(|name| (name, Counts::default())).collect() }
    }
}

impl Requests {
    /// Counts a request that has ended.
    pub(super) fn count(
        &self,
        operation: &'static str,
        status: u16,
        time: Duration,
        (bytes_in, bytes_out): (u64, u64),
    ) {
        let Some(counts) = self.operations.get(operation) else {
            return;
        };
        if let Some(status) = counts.statuses.get(usize::from(status / 100)) {
            status.add(1);
        }
        counts.time.observe(time);
        counts.bytes_in.add(bytes_in);
        counts.bytes_out.add(bytes_out);
    }

    /// Adds what was counted to a page.
    pub fn write(&self, text: &mut Exposition) {
        // Operations that no one asked for would only be in the way.
        let mut asked: Vec<(&str, &Counts)> =
            self.operations.iter().map(|(name, counts)| (*name, counts)).collect();
        asked.retain(|(_, counts)| counts.time.count() > 0);
        asked.sort_unstable_by_key(|(name, _)| *name);
        let name = "presigned_requests_total";
        text.heading(
            name,
            "counter",
            "Requests by operation and class of status; none if the connection went.",
        );
        for (operation, counts) in &asked {
            for (class, counter) in ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&counts.statuses) {
                if counter.value() > 0 {
                    text.sample(name, &[("operation", operation), ("status", class)], counter.value());
                }
            }
        }
        let name = "presigned_request_seconds";
        text.heading(name, "histogram", "Time from the head of a request to the end of its answer.");
        for (operation, counts) in &asked {
            text.histogram(name, &[("operation", operation)], &counts.time);
        }
        let name = "presigned_received_bytes_total";
        text.heading(name, "counter", "Bytes of bodies received.");
        for (operation, counts) in &asked {
            text.sample(name, &[("operation", operation)], counts.bytes_in.value());
        }
        let name = "presigned_sent_bytes_total";
        text.heading(name, "counter", "Bytes of bodies sent.");
        for (operation, counts) in &asked {
            text.sample(name, &[("operation", operation)], counts.bytes_out.value());
        }
    }
}
