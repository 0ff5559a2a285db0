//! Removes what the lifecycle rules of buckets say has expired.

use std::sync::Arc;
use std::time::Duration;

use crate::api::Context;
use crate::clock::Timestamp;
use crate::s3::lifecycle::Lifecycle;
use crate::s3::listing::{PAGE_KEYS_MAX, Selection};
use crate::s3::name::BucketName;
use crate::store;
use crate::store::Walk;
use crate::store::model::{Bucket, UploadName};

/// Most removals in one transaction: others wait for it.
const BATCH_REMOVALS_MAX: usize = 256;

/// Applies the rules of all buckets, again and again, until it is dropped. What fails is tried again the next time.
pub async fn apply_lifecycles(context: Arc<Context>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let buckets = match context.store.buckets().await {
            Ok(buckets) => buckets,
            Err(error) => {
                tracing::error!(%error, "lifecycles cannot be applied");
                continue;
            }
        };
        for bucket in buckets.into_iter().filter(|bucket| !bucket.revision.is_first()) {
            let name = &bucket.name;
            match apply(&context, &bucket).await {
                Ok((0, 0)) => {}
                Ok((versions, uploads)) => {
                    tracing::info!(bucket = %name, versions, uploads, "applied the lifecycle");
                }
                // It was removed meanwhile.
                Err(store::Error::NoSuchBucket) => {}
                Err(error) => tracing::error!(bucket = %name, %error, "the lifecycle was not applied"),
            }
        }
    }
}

/// Applies the rules of a bucket: how many versions and uploads were removed.
async fn apply(context: &Arc<Context>, bucket: &Bucket) -> Result<(usize, usize), store::Error> {
    let name = &bucket.name;
    let rules = context.bucket_rules.rules(&context.store, bucket).await?;
    let now = context.clock.now();
    let mut counts = (0, 0);
    for prefix in rules.lifecycle.prefixes() {
        let mut walk = Some(Walk::below(prefix));
        while let Some(at) = walk.take() {
            let (expired, next) = context.store.expired(name, &rules.lifecycle, at, now).await?;
            for batch in expired.chunks(BATCH_REMOVALS_MAX) {
                let removed =
                    context.store.remove_expired(name.clone(), batch.to_vec(), bucket.revision, now).await?;
                match removed {
                    Some(removed) => counts.0 += removed,
                    // The rules are others by now; they have their turn the next time.
                    None => return Ok(counts),
                }
            }
            walk = next;
        }
        counts.1 += abort_uploads(context, name, &rules.lifecycle, prefix, now).await?;
    }
    Ok(counts)
}

async fn abort_uploads(
    context: &Arc<Context>,
    name: &BucketName,
    rules: &Lifecycle,
    prefix: &str,
    now: Timestamp,
) -> Result<usize, store::Error> {
    let mut selection = Selection { prefix: prefix.to_owned(), limit: PAGE_KEYS_MAX, ..Selection::default() };
    let (mut after, mut aborted) = (None, 0);
    loop {
        let page = context.store.uploads(name, selection.clone(), after).await?;
        after = page.entries.last().map(|(_, upload)| upload.id);
        for (key, upload) in page.entries {
            if rules.aborts(&key, upload.initiated, now) {
                let upload = UploadName { bucket: name.clone(), key: upload.key, id: upload.id };
                match context.store.abort_upload(upload, now).await {
                    Ok(()) => aborted += 1,
                    Err(store::Error::NoSuchUpload) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        match page.next {
            Some(next) => selection.after = Some(next),
            None => return Ok(aborted),
        }
    }
}
