//! What lifecycle rules remove: found page by page, removed only if it is still what was found.

use super::Store;
use super::buckets::revision_of;
use super::index::{ReadTransaction, Transaction, object_key};
use super::objects::has_versions;
use super::record::ObjectRecord;
use super::versions::before_versions;
use crate::clock::Timestamp;
use crate::s3::lifecycle::{Candidate, Lifecycle};
use crate::s3::listing::{PAGE_KEYS_MAX, Selection};
use crate::s3::name::{BucketName, ObjectKey, VersionId};
use crate::s3::tagging::Tags;
use crate::store::{Error, Expired, ListedVersion, Revision};

/// A walk over the versions of a bucket below a prefix, which ends and goes on between pages.
#[derive(Clone, Debug)]
pub struct Walk {
    prefix: String,
    /// Key and version of the last entry.
    after: Option<(String, VersionId)>,
    /// When the version before the next one was written, if it is of the same key.
    replaced: Option<Timestamp>,
    /// How many versions of the key were met that are not current.
    newer: u32,
}

impl Walk {
    /// A walk from the first key with this prefix.
    pub fn below(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), after: None, replaced: None, newer: 0 }
    }
}

impl Store {
    /// What has expired on the next page of a walk, and the walk if there is more.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's. Blocks.
    pub fn expired(
        &self,
        name: &BucketName,
        lifecycle: &Lifecycle,
        mut walk: Walk,
        now: Timestamp,
    ) -> Result<(Vec<Expired>, Option<Walk>), Error> {
        let (after, version) = walk.after.clone().unzip();
        let selection =
            Selection { prefix: walk.prefix.clone(), after, limit: PAGE_KEYS_MAX, ..Selection::default() };
        let page = self.versions(name, &selection, version)?;
        let index = self.index();
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, name)?.id;
        let mut expired = Vec::new();
        for (text, entry) in page.entries {
            // A key begins with its latest version, and is shown from there once more if the page before ended with a
            // version `null` that has been removed since.
            if entry.is_latest || walk.after.as_ref().is_none_or(|(key, _)| *key != text) {
                (walk.replaced, walk.newer) = (None, 0);
            }
            let key = ObjectKey::parse(&text).map_err(|_| Error::Index("a key is broken".to_owned()))?;
            let table_key = object_key(bucket, &key);
            let tags = match lifecycle.needs_tags() && entry.object.is_some() {
                true => Some(self.tags_of(&transaction, &table_key, entry.version)?),
                false => None,
            };
            let none = Tags::default();
            let size = entry.object.as_ref().map_or(0, |object| object.size);
            let candidate = Candidate { key: &text, size, tags: tags.as_ref().unwrap_or(&none) };
            let gone = match (&entry, walk.replaced) {
                (ListedVersion { is_latest: true, object: Some(_), .. }, _) => {
                    lifecycle.expiry(candidate, entry.modified).is_some_and(|(date, _)| date <= now)
                }
                (ListedVersion { is_latest: true, object: None, .. }, _) => {
                    lifecycle.expires_lone_marker(&text, entry.modified, now)
                        && self.is_lone(&transaction, &table_key)?
                }
                (_, Some(replaced)) => lifecycle.expires_noncurrent(candidate, replaced, walk.newer, now),
                (_, None) => false,
            };
            let is_current = entry.is_latest && entry.object.is_some();
            walk.newer += u32::from(!entry.is_latest);
            walk.replaced = Some(entry.modified);
            walk.after = Some((text, entry.version));
            if gone {
                let (version, modified) = (entry.version, entry.modified);
                expired.push(Expired { key, version, modified, is_current, tags });
            }
        }
        Ok((expired, page.next.map(|_| walk)))
    }

    fn tags_of(
        &self,
        transaction: &ReadTransaction<'_>,
        key: &[u8],
        version: VersionId,
    ) -> Result<Tags, Error> {
        match self.index().find(transaction, key, Some(version)) {
            Ok(value) => Ok(Tags::from_entries(ObjectRecord::decode(value)?.0.tags)),
            // It went since the page was read.
            Err(error) if !error.is_failure() => Ok(Tags::default()),
            Err(error) => Err(error),
        }
    }

    /// Whether a delete marker is all there is of a key.
    fn is_lone(&self, transaction: &ReadTransaction<'_>, key: &[u8]) -> Result<bool, Error> {
        let versions = self.index().versions.prefix_iter(transaction, &before_versions(key))?;
        Ok(versions.take(2).count() == 1 && self.index().objects.get(transaction, key)?.is_none())
    }

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
