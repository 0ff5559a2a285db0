//! What lifecycle rules say has expired: found page by page, the same way in every store.

use super::model::{Expired, ListedVersion, ObjectName};
use super::{Error, Store};
use crate::clock::Timestamp;
use crate::s3::lifecycle::{Candidate, Lifecycle};
use crate::s3::listing::{PAGE_KEYS_MAX, Selection};
use crate::s3::name::{BucketName, ObjectKey, VersionId};
use crate::s3::tagging::Tags;

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
    /// Returns [`Error::NoSuchBucket`], and the index's errors.
    pub async fn expired(
        &self,
        bucket: &BucketName,
        lifecycle: &Lifecycle,
        mut walk: Walk,
        now: Timestamp,
    ) -> Result<(Vec<Expired>, Option<Walk>), Error> {
        let (after, version) = walk.after.clone().unzip();
        let selection =
            Selection { prefix: walk.prefix.clone(), after, limit: PAGE_KEYS_MAX, ..Selection::default() };
        let page = self.versions(bucket, selection, version).await?;
        let mut expired = Vec::new();
        for (text, entry) in page.entries {
            let key =
                ObjectKey::parse(&text).ok().ok_or_else(|| Error::Index("a key is broken".to_owned()))?;
            let name = ObjectName { bucket: bucket.clone(), key, version: Some(entry.version) };
            let tags = match lifecycle.needs_tags() && entry.object.is_some() {
                true => Some(self.tags_of(&name).await?),
                false => None,
            };
            let gone = match walk.judge(lifecycle, &text, &entry, tags.as_ref(), now) {
                Fate::Stays => false,
                Fate::Goes => true,
                Fate::GoesIfAlone => self.is_alone(bucket, &text).await?,
            };
            if gone {
                let is_current = entry.is_latest && entry.object.is_some();
                let (version, modified) = (entry.version, entry.modified);
                expired.push(Expired { key: name.key, version, modified, is_current, tags });
            }
            walk.after = Some((text, entry.version));
        }
        Ok((expired, page.next.map(|_| walk)))
    }

    async fn tags_of(&self, name: &ObjectName) -> Result<Tags, Error> {
        match self.object(name).await {
            Ok(object) => Ok(object.tags),
            // It went since the page was read, or its body is not to be read.
            Err(error) if !error.is_failure() => Ok(Tags::default()),
            Err(error) => Err(error),
        }
    }

    /// Whether a delete marker is all there is of a key.
    async fn is_alone(&self, bucket: &BucketName, key: &str) -> Result<bool, Error> {
        let selection = Selection { prefix: key.to_owned(), limit: 2, ..Selection::default() };
        let page = self.versions(bucket, selection, None).await?;
        Ok(page.entries.iter().filter(|(of, _)| of == key).count() == 1)
    }
}

/// What the rules say of a version.
enum Fate {
    Stays,
    Goes,
    /// A delete marker that is to go if there is nothing else of its key.
    GoesIfAlone,
}

impl Walk {
    /// What the rules say of the next version.
    fn judge(
        &mut self,
        lifecycle: &Lifecycle,
        key: &str,
        entry: &ListedVersion,
        tags: Option<&Tags>,
        now: Timestamp,
    ) -> Fate {
        // A key begins with its latest version, and is shown from there once more if the page before ended with a
        // version `null` that has been removed since.
        if entry.is_latest || self.after.as_ref().is_none_or(|(before, _)| before != key) {
            (self.replaced, self.newer) = (None, 0);
        }
        let none = Tags::default();
        let size = entry.object.as_ref().map_or(0, |object| object.size);
        let candidate = Candidate { key, size, tags: tags.unwrap_or(&none) };
        let goes = |goes: bool| if goes { Fate::Goes } else { Fate::Stays };
        let fate = match (entry.is_latest, &entry.object, self.replaced) {
            (true, Some(_), _) => {
                goes(lifecycle.expiry(candidate, entry.modified).is_some_and(|(date, _)| date <= now))
            }
            (true, None, _) if lifecycle.expires_lone_marker(key, entry.modified, now) => Fate::GoesIfAlone,
            (true, None, _) | (false, _, None) => Fate::Stays,
            (false, _, Some(replaced)) => {
                goes(lifecycle.expires_noncurrent(candidate, replaced, self.newer, now))
            }
        };
        self.newer += u32::from(!entry.is_latest);
        self.replaced = Some(entry.modified);
        fate
    }
}
