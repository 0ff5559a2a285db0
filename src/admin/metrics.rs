//! Everything that is counted, as a page for Prometheus.

use crate::api::Requests;
use crate::metrics::Exposition;
use crate::store::{self, Store};

/// Most buckets that are shown one by one.
const BUCKETS_MAX: usize = 1000;

/// Everything that is counted, as a page.
///
/// # Errors
/// The store's.
pub(super) async fn page(requests: &Requests, store: &Store) -> Result<String, store::Error> {
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
