//! What a copy makes of its source.

use crate::clock::Timestamp;
use crate::s3::condition::Decision;
use crate::s3::metadata::Metadata;
use crate::s3::name::ETag;
use crate::s3::tagging::Tags;
use crate::store::Error;
use crate::store::model::{Copy, ObjectChecksum};
use crate::store::rules::write::check_condition;

/// What is known of the source.
pub(in crate::store) struct Source {
    pub etag: ETag,
    pub modified: Timestamp,
    pub archived: bool,
    pub checksum: Option<ObjectChecksum>,
    pub metadata: Metadata,
    pub tags: Tags,
}

/// What the target of a copy has; its body is the source's.
pub(in crate::store) struct Copied {
    pub etag: ETag,
    pub checksum: Option<ObjectChecksum>,
    pub metadata: Metadata,
    pub tags: Tags,
    /// Whether it keeps the parts of its source: what is copied is one body otherwise.
    pub keeps_parts: bool,
}

/// Decides on a copy to where `current` is, if there is an object.
///
/// # Errors
/// Returns [`Error::Precondition`] for a condition on source or target, [`Error::Archived`], and [`Error::Conflict`] if what was
/// read, or decided of, is not what is there now.
pub(in crate::store) fn copy(source: Source, copy: Copy, current: Option<ETag>) -> Result<Copied, Error> {
    match copy.source_conditions.for_copy_source(&source.etag, source.modified) {
        Decision::Failed(condition) => return Err(Error::Precondition(condition)),
        Decision::Proceed | Decision::NotModified => {}
    }
    check_condition(&copy.target.condition, current)?;
    let is_judged = copy.judged.is_none_or(|judged| judged == (source.etag, source.modified));
    if !is_judged || (copy.keep_tags && !copy.tags_permitted && !source.tags.is_empty()) {
        return Err(Error::Conflict);
    }
    if source.archived {
        return Err(Error::Archived(source.metadata.storage_class().to_owned()));
    }
    let (etag, checksum) = match copy.digests {
        Some(read) if read.source != (source.etag, source.modified) => return Err(Error::Conflict),
        Some(read) => (read.etag, Some(ObjectChecksum::full(read.checksum))),
        None => (source.etag, source.checksum),
    };
    let metadata = match copy.keep_metadata {
        true => source.metadata.with_own_of(&copy.target.metadata),
        false => copy.target.metadata,
    };
    let tags = if copy.keep_tags { source.tags } else { copy.target.tags };
    Ok(Copied { etag, checksum, metadata, tags, keeps_parts: etag.parts().is_some() })
}
