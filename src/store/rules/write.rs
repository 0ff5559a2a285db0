//! Conditions of writes and deletions.

use crate::clock::Timestamp;
use crate::s3::condition::WriteCondition;
use crate::s3::name::ETag;
use crate::store::Error;

/// Checks the condition of a write against the object that is current now, if there is one.
///
/// # Errors
/// Returns [`Error::Precondition`], and [`Error::NothingToMatch`] if an object was asked for.
pub(in crate::store) fn check_condition(
    condition: &WriteCondition,
    current: Option<ETag>,
) -> Result<(), Error> {
    match (condition, current) {
        (WriteCondition::Absent, Some(_)) => Err(Error::Precondition("If-None-Match")),
        (WriteCondition::Present | WriteCondition::Tagged(_), None) => Err(Error::NothingToMatch),
        (WriteCondition::Tagged(etag), Some(current)) if *etag != Some(current) => {
            Err(Error::Precondition("If-Match"))
        }
        (WriteCondition::None, _)
        | (WriteCondition::Absent, None)
        | (WriteCondition::Present | WriteCondition::Tagged(_), Some(_)) => Ok(()),
    }
}

/// Refuses a completion with a condition if what the condition is about came or went since the start, as S3 does:
/// `replaces` says whether there was an object then, `modified` when the current one was written.
///
/// # Errors
/// Returns [`Error::ConditionConflict`].
pub(in crate::store) fn check_unchanged(
    condition: &WriteCondition,
    modified: Option<Timestamp>,
    replaces: bool,
    initiated: Timestamp,
) -> Result<(), Error> {
    match (condition, modified) {
        (WriteCondition::Absent, None) if replaces => Err(Error::ConditionConflict("If-None-Match")),
        (WriteCondition::Tagged(_) | WriteCondition::Present, Some(modified)) if modified > initiated => {
            Err(Error::ConditionConflict("If-Match"))
        }
        _ => Ok(()),
    }
}
