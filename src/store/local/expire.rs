//! Removing what lifecycle rules found, if it is still what was found.

use super::Store;
use super::buckets::revision_of;
use super::index::record::ObjectRecord;
use super::index::tables::{Transaction, object_key};
use super::objects::has_versions;
use crate::clock::Timestamp;
use crate::s3::name::BucketName;
use crate::store::Error;
use crate::store::model::{Expired, Revision};

impl Store {
    /// Removes what is still as it was found, if the bucket's configuration still is of the `revision` that said so, and
    /// says how much that was; `None` if it is another.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub async fn remove_expired(
        &self,
        name: BucketName,
        expired: Vec<Expired>,
        revision: Revision,
        now: Timestamp,
    ) -> Result<Option<usize>, Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?;
            if revision_of(&bucket) != revision {
                return Ok(None);
            }
            let mut removed = 0;
            for found in &expired {
                let key = object_key(bucket.id, &found.key);
                if !transaction.is_still(&key, found)? {
                    continue;
                }
                match found.is_current && has_versions(&bucket) {
                    true => transaction.delete_current(&bucket, &key, now)?,
                    false => transaction.delete_version(&key, found.version)?,
                };
                removed += 1;
            }
            Ok(Some(removed))
        };
        self.committer().commit(None, change).await
    }
}

impl Transaction<'_> {
    /// Whether a version is still there, unchanged, and still current if and only if it was.
    fn is_still(&self, key: &[u8], found: &Expired) -> Result<bool, Error> {
        let current = self.index.current_head(&self.raw, key)?;
        if current.is_some_and(|head| head.version() == found.version) != found.is_current {
            return Ok(false);
        }
        let (version, modified) = match self.index.find(&self.raw, key, Some(found.version)) {
            Ok(value) => {
                let (record, _) = ObjectRecord::decode(value)?;
                if found.tags.as_ref().is_some_and(|tags| tags.entries() != record.tags) {
                    return Ok(false);
                }
                (record.head.version(), record.head.modified())
            }
            Err(Error::DeleteMarker { version, modified, named: true }) => (version, modified),
            Err(error) if error.is_failure() => return Err(error),
            Err(_) => return Ok(false),
        };
        Ok((version, modified) == (found.version, found.modified))
    }
}
