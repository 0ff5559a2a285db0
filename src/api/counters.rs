//! What is counted of requests and of the store, and the page that shows it.

use std::collections::HashMap;
use std::time::Duration;

use crate::metrics::{Counter, Exposition, Histogram};
use crate::s3::operation::Operation;
use crate::store::{self, Store};

/// Most buckets that are shown one by one.
const BUCKETS_MAX: usize = 1000;
/// The name of requests that were refused before it was known what they ask for.
const UNKNOWN: &str = "-";

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
        let names = Operation::all().map(Operation::name).chain([UNKNOWN]);
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

    fn write(&self, text: &mut Exposition) {
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

/// Everything that is counted, as a page.
///
/// # Errors
/// The store's.
pub async fn metrics(requests: &Requests, store: &Store) -> Result<String, store::Error> {
    let mut text = Exposition::default();
    requests.write(&mut text);
    let state = store.state().await?;
    for (name, kind, help, value) in [
        ("presigned_commits_total", "counter", "Commits of the index.", state.commits),
        ("presigned_changes_total", "counter", "Changes that commits have carried.", state.changes),
        (
            "presigned_damaged_blobs",
            "gauge",
            "Blobs that a scrub found damaged, which are not served.",
            state.damaged,
        ),
        ("presigned_garbage_blobs", "gauge", "Blobs whose files are still to be removed.", state.garbage),
        ("presigned_index_bytes", "gauge", "Size of the index.", state.index_bytes),
    ] {
        text.heading(name, kind, help);
        text.sample(name, &[], value);
    }
    if let Some(times) = store.commit_times() {
        text.heading("presigned_commit_seconds", "histogram", "Time of a commit, with its syncs.");
        text.histogram("presigned_commit_seconds", &[], times);
    }
    let mut usages = Vec::new();
    for bucket in store.buckets().await?.into_iter().take(BUCKETS_MAX) {
        match store.usage(&bucket.name).await {
            Ok(usage) => usages.push((bucket.name, usage)),
            // It was removed meanwhile.
            Err(store::Error::NoSuchBucket) => {}
            Err(error) => return Err(error),
        }
    }
    text.heading(
        "presigned_bucket_bytes",
        "gauge",
        "Bytes in a bucket, with all versions and unfinished uploads.",
    );
    for (name, usage) in &usages {
        text.sample("presigned_bucket_bytes", &[("bucket", name.as_str())], usage.bytes);
    }
    text.heading("presigned_bucket_versions", "gauge", "Objects in a bucket, with all versions.");
    for (name, usage) in &usages {
        text.sample("presigned_bucket_versions", &[("bucket", name.as_str())], usage.versions);
    }
    Ok(text.finish())
}
