//! Lifecycle: the configuration of a bucket, what answers say of it, and the work that comes of it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::error::of_store;
use super::exchange::{Body, Call, Context, Intake, Reply, blocking, no_content, xml};
use super::upload::receive_document;
use crate::auth::BodyKind;
use crate::clock::Timestamp;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::lifecycle::{Candidate, Lifecycle};
use crate::s3::listing::{PAGE_KEYS_MAX, Selection};
use crate::s3::name::BucketName;
use crate::s3::tagging::Tags;
use crate::s3::uri::{Slash, encode};
use crate::store::{self, Bucket, Setting, UploadName, Walk};

/// Most removals in one transaction: others wait for it.
const BATCH_REMOVALS_MAX: usize = 256;

/// Most bytes of a configuration: 1,000 rules, each with a prefix of the longest kind.
const LIFECYCLE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
pub(super) fn get(call: &Call<'_>) -> Result<Reply, Error> {
    let stored = call.store().setting(call.bucket(), Setting::Lifecycle);
    match stored.map_err(|error| of_store(error, call.request()))? {
        Some(document) => {
            let stored = call.store().setting(call.bucket(), Setting::TransitionSize);
            let size = stored.map_err(|error| of_store(error, call.request()))?;
            let mut reply = xml(document);
            add_transition_size(&mut reply, size.as_deref());
            Ok(reply)
        }
        None => {
            Err(ErrorCode::NoSuchLifecycleConfiguration.error().with("BucketName", call.bucket().as_str()))
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
pub(super) async fn put(call: &Call<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document =
        receive_document(call, body, BodyKind::Document { digest_required: true }, LIFECYCLE_BYTES_MAX)
            .await?;
    let document = Lifecycle::parse(&document)?.document();
    // What is kept must be readable again.
    Lifecycle::parse(document.as_bytes())?;
    let size = transition_size(call)?;
    set(call, Setting::TransitionSize, size.clone()).await?;
    set(call, Setting::Lifecycle, Some(document)).await?;
    let mut reply = Reply::new(Body::empty());
    add_transition_size(&mut reply, size.as_deref());
    Ok(reply)
}

/// The smallest size of objects that transitions are for, if nothing else is said.
const TRANSITION_SIZE_DEFAULT: &str = "all_storage_classes_128K";
const TRANSITION_SIZE: &str = "x-amz-transition-default-minimum-object-size";

/// The smallest size of objects that transitions are for, unless it is the default. There are no transitions here, so
/// that it is only kept and shown.
fn transition_size(call: &Call<'_>) -> Result<Option<String>, Error> {
    match call.request().amz(TRANSITION_SIZE).as_deref() {
        None | Some(TRANSITION_SIZE_DEFAULT) => Ok(None),
        Some(other @ "varies_by_storage_class") => Ok(Some(other.to_owned())),
        Some(other) => Err(ErrorCode::InvalidRequest
            .says(format!("Invalid TransitionDefaultMinimumObjectSize found: {other}"))
            .at("lifecycle")),
    }
}

fn add_transition_size(reply: &mut Reply, size: Option<&str>) {
    let value = HeaderValue::from_str(size.unwrap_or(TRANSITION_SIZE_DEFAULT)).ok();
    reply.headers_mut().extend(value.map(|value| (HeaderName::from_static(TRANSITION_SIZE), value)));
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html>
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Error> {
    set(call, Setting::Lifecycle, None).await?;
    Ok(no_content())
}

async fn set(call: &Call<'_>, setting: Setting, document: Option<String>) -> Result<(), Error> {
    let set = call.store().set_setting(call.bucket().clone(), setting, document).await;
    set.map_err(|error| of_store(error, call.request()))
}

/// Says when an object of the addressed bucket expires, if a rule has a date for it.
pub(super) fn add_expiration(
    headers: &mut HeaderMap,
    call: &Call<'_>,
    size: u64,
    tags: &Tags,
    modified: Timestamp,
) {
    if !call.owned.is_some_and(|bucket| bucket.has_lifecycle) {
        return;
    }
    let rules = match call.context.lifecycles.rules(call.store(), call.bucket()) {
        Ok(rules) => rules,
        // What was asked for is done, whether or not it can be said when it ends.
        Err(error) => {
            tracing::error!(bucket = %call.bucket(), %error, "the lifecycle cannot be read");
            return;
        }
    };
    let candidate = Candidate { key: call.key().as_str(), size, tags };
    let value = rules.lifecycle.expiry(candidate, modified).and_then(|(date, rule)| {
        let rule = encode(rule, Slash::Escape);
        HeaderValue::try_from(format!("expiry-date=\"{}\", rule-id=\"{rule}\"", date.http_date())).ok()
    });
    headers.extend(value.map(|value| (HeaderName::from_static("x-amz-expiration"), value)));
}

/// Applies the rules of all buckets, again and again, until it is dropped. What fails is tried again the next time.
pub async fn apply_lifecycles(context: Arc<Context>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let store = context.store.clone();
        let buckets = match blocking(move || store.buckets()).await {
            Ok(Ok(buckets)) => buckets,
            Ok(Err(error)) => {
                tracing::error!(%error, "lifecycles cannot be applied");
                continue;
            }
            Err(_) => continue,
        };
        for Bucket { name, .. } in buckets.into_iter().filter(|bucket| bucket.has_lifecycle) {
            match apply(&context, &name).await {
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
async fn apply(context: &Arc<Context>, name: &BucketName) -> Result<(usize, usize), store::Error> {
    let rules = context.lifecycles.rules(&context.store, name)?;
    let now = context.clock.now();
    let mut counts = (0, 0);
    for prefix in rules.lifecycle.prefixes() {
        let mut walk = Some(Walk::below(prefix));
        while let Some(at) = walk.take() {
            let (store, bucket, asked) = (context.store.clone(), name.clone(), Arc::clone(&rules));
            let found = blocking(move || store.expired(&bucket, &asked.lifecycle, at, now)).await;
            let (expired, next) = found.unwrap_or_else(|_| Err(panicked()))?;
            for batch in expired.chunks(BATCH_REMOVALS_MAX) {
                let removed = context
                    .store
                    .remove_expired(name.clone(), batch.to_vec(), rules.document.clone(), now)
                    .await?;
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
        let (store, bucket, wanted) = (context.store.clone(), name.clone(), selection.clone());
        let page = blocking(move || store.uploads(&bucket, &wanted, after)).await;
        let page = page.unwrap_or_else(|_| Err(panicked()))?;
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

fn panicked() -> store::Error {
    store::Error::Index("reading the index panicked".to_owned())
}
