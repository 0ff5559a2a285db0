//! The source of a copy: whether it may be read, and what is known of it without its body.

use super::call::{Call, Judged, ObjectCall, found};
use super::error::from_store;
use super::guards::check_expected_owner;
use crate::policy::{Actions, Ask, Permit, Resource};
use crate::s3::action::Action;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::range::Span;
use crate::s3::request::OBJECT_BYTES_MAX;
use crate::store;
use crate::store::Body;
use crate::store::model::{Bucket, Object, ObjectName};

/// The source of a copy, which the request may read.
pub(super) struct Source<'s> {
    pub name: &'s ObjectName,
    pub bucket: Bucket,
    judged: Judged,
    _permit: Permit<'s>,
}

impl<'s> Source<'s> {
    /// The source that a request names.
    ///
    /// # Errors
    /// Returns `NoSuchBucket` if its bucket does not exist, and `AccessDenied` if it may not be read or belongs to another
    /// account than the client expects.
    pub(super) async fn find<'c: 's>(call: &Call<'c>, name: &'s ObjectName) -> Result<Self, Error> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other error is said as always")]
        let bucket = call.store().bucket(&name.bucket).await.map_err(|error| match error {
            store::Error::NoSuchBucket => {
                ErrorCode::NoSuchBucket.error().with("BucketName", name.bucket.as_str())
            }
            error => from_store(error, call.request()),
        })?;
        let (permit, judged) = call.ask(ask(name, Action::GET_OBJECT), name.version).await?;
        check_expected_owner(call.request(), "x-amz-source-expected-bucket-owner", &bucket)?;
        Ok(Self { name, bucket, judged, _permit: permit })
    }

    /// The object: the one that was judged, if one was.
    ///
    /// # Errors
    /// Returns what [`Source::refused`] makes of the store's.
    pub(super) async fn object(&self, call: &Call<'_>) -> Result<Object, Error> {
        found(&self.judged, call.store(), self.name).await.map_err(|error| self.refused(error, call))
    }

    /// Whether it was looked at to decide on it.
    pub(super) fn is_judged(&self) -> bool {
        self.judged.is_some()
    }

    /// Asks whether its tags may be copied to the target of a call.
    ///
    /// # Errors
    /// Returns `AccessDenied`.
    pub(super) async fn ask_for_tags(&self, call: &ObjectCall<'_>) -> Result<(), Error> {
        call.ask(ask(self.name, Action::GET_OBJECT_TAGGING), self.name.version).await?;
        let resource = Resource::Object(call.bucket(), call.key());
        call.ask(Ask { actions: Actions::one(Action::PUT_OBJECT_TAGGING), resource }, None).await.map(drop)
    }

    /// What the store refused of it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other error is said as always")]
    pub(super) fn refused(&self, error: store::Error, call: &Call<'_>) -> Error {
        let key = self.name.key.as_str();
        match error {
            store::Error::NoSuchKey => ErrorCode::NoSuchKey.error().with("Key", key),
            store::Error::NoSuchVersion => {
                let version = self.name.version.map(|version| version.to_string()).unwrap_or_default();
                ErrorCode::NoSuchVersion.error().with("Key", key).with("VersionId", version)
            }
            store::Error::DeleteMarker { named: true, .. } => ErrorCode::InvalidRequest.with_message(
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            ),
            store::Error::DeleteMarker { version, .. } => ErrorCode::NoSuchKey
                .error()
                .with("Key", key)
                .header("x-amz-delete-marker", "true")
                .header("x-amz-version-id", version.to_string()),
            error => from_store(error, call.request()),
        }
    }
}

/// To do this to an object, of which a version may be named.
fn ask(name: &ObjectName, action: Action) -> Ask<'_> {
    let action = action.of_version_if(name.version.is_some());
    Ask { actions: Actions::one(action), resource: Resource::Object(&name.bucket, &name.key) }
}

/// Checks that what is copied at once is not larger than what can be uploaded at once.
///
/// # Errors
/// `InvalidRequest`.
pub(super) fn check_source_size(bytes: u64) -> Result<(), Error> {
    match bytes > OBJECT_BYTES_MAX {
        true => Err(ErrorCode::InvalidRequest.with_message(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {OBJECT_BYTES_MAX}"
        ))),
        false => Ok(()),
    }
}

/// Reads a span of a body to its end, for what `take` makes of it: few at once, and each only for as long as someone waits
/// for what comes of it. `failed` says what an error of the store means.
///
/// # Errors
/// Returns `SlowDown` if too many wait for their turn, and what the store refuses.
pub(super) async fn read_whole<T: Send + 'static>(
    call: &Call<'_>,
    (body, span): (&Body, Span),
    mut state: T,
    take: fn(&mut T, &[u8]),
    failed: impl Fn(store::Error) -> Error,
) -> Result<T, Error> {
    let _turn = call.context.bounds.turn_to_read().await?;
    let mut pieces = call.store().pieces(body, span).map_err(&failed)?;
    loop {
        if call.peer.line.is_gone() {
            return Err(ErrorCode::RequestTimeout.error().check(Check::ClientGone));
        }
        let more;
        (state, more) = pieces.fold(state, take).await.map_err(&failed)?;
        if !more {
            return Ok(state);
        }
    }
}
