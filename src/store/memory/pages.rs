//! Pages of objects, versions and uploads.

use std::collections::btree_map::{self, BTreeMap};
use std::convert::Infallible;
use std::ops::Bound;

use super::{Shelf, Store, UploadShelf, Version};
use crate::s3::listing::{Page, Seek, Selection, Sorted, page};
use crate::s3::name::{BucketName, UploadId, VersionId};
use crate::store::Error;
use crate::store::model::{ListedVersion, Object, Summary, Upload};

impl Store {
    pub(in crate::store) fn list(
        &self,
        name: &BucketName,
        selection: &Selection,
    ) -> Result<Page<Summary>, Error> {
        let tables = self.tables();
        let shelf = tables.shelf(name)?;
        let Ok(page) = page(&mut Objects { shelf, range: None }, selection);
        Ok(page)
    }

    pub(in crate::store) fn versions(
        &self,
        name: &BucketName,
        selection: &Selection,
        after: Option<VersionId>,
    ) -> Result<Page<ListedVersion>, Error> {
        let tables = self.tables();
        let marker = selection.after.clone().zip(after);
        let mut versions =
            Versions { shelf: tables.shelf(name)?, range: None, key: Vec::new(), left: &[], marker };
        let Ok(page) = page(&mut versions, selection);
        Ok(page)
    }

    pub(in crate::store) fn uploads(
        &self,
        name: &BucketName,
        selection: &Selection,
        after: Option<UploadId>,
    ) -> Result<Page<Upload>, Error> {
        let tables = self.tables();
        let marker = selection.after.clone().zip(after);
        let mut uploads = Uploads { uploads: &tables.shelf(name)?.uploads, range: None, marker };
        let Ok(page) = page(&mut uploads, selection);
        Ok(page)
    }
}

/// Keys come from clients as text.
fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn summary(object: &Object) -> Summary {
    Summary {
        size: object.size,
        etag: object.etag,
        modified: object.modified,
        checksum: object.checksum.map(|checksum| (checksum.value.algorithm(), checksum.kind)),
        storage_class: object.metadata.storage_class().to_owned(),
    }
}

type Keys<'s> = btree_map::Range<'s, Vec<u8>, Vec<Version>>;

fn keys_from<'s>(shelf: &'s Shelf, from: Seek<'_>) -> Keys<'s> {
    let start = match from {
        Seek::At(bytes) => Bound::Included(bytes),
        Seek::After(key) => Bound::Excluded(key.as_bytes()),
    };
    shelf.objects.range::<[u8], _>((start, Bound::Unbounded))
}

/// The current objects of a bucket.
struct Objects<'s> {
    shelf: &'s Shelf,
    range: Option<Keys<'s>>,
}

impl Sorted for Objects<'_> {
    type Item = Summary;
    type Error = Infallible;

    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, Summary)>, Infallible> {
        self.range = Some(keys_from(self.shelf, from));
        self.next()
    }

    fn next(&mut self) -> Result<Option<(String, Summary)>, Infallible> {
        let current = |(key, versions): (&Vec<u8>, &Vec<Version>)| {
            Some((text(key), summary(versions.first()?.object.as_ref()?)))
        };
        Ok(self.range.as_mut().and_then(|range| range.find_map(current)))
    }
}

/// All versions of a bucket, those of a key from the newest to the oldest.
struct Versions<'s> {
    shelf: &'s Shelf,
    range: Option<Keys<'s>>,
    /// The key that is being shown, and what is left of its versions.
    key: Vec<u8>,
    left: &'s [Version],
    /// Key and version that the page before ended with.
    marker: Option<(String, VersionId)>,
}

impl Sorted for Versions<'_> {
    type Item = ListedVersion;
    type Error = Infallible;

    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, ListedVersion)>, Infallible> {
        self.range = Some(keys_from(self.shelf, from));
        self.left = &[];
        if let Some((key, id)) = self.marker.take().filter(|(key, _)| from == Seek::After(key)) {
            let versions = self.shelf.objects.get(key.as_bytes()).map(Vec::as_slice).unwrap_or_default();
            // It may be gone since; the version `null` then leaves no trace: all of the key is shown once more rather
            // than too little.
            let behind = match versions.iter().position(|version| version.id == id) {
                Some(at) => at + 1,
                None => {
                    versions.iter().take_while(|version| position_of(id) <= Some(version.position)).count()
                }
            };
            self.key = key.into_bytes();
            self.left = versions.get(behind..).unwrap_or_default();
        }
        self.next()
    }

    fn next(&mut self) -> Result<Option<(String, ListedVersion)>, Infallible> {
        while self.left.is_empty() {
            let Some((key, versions)) = self.range.as_mut().and_then(Iterator::next) else {
                return Ok(None);
            };
            (self.key, self.left) = (key.clone(), versions);
        }
        let Some((version, left)) = self.left.split_first() else {
            return Ok(None);
        };
        self.left = left;
        let newest = self.shelf.objects.get(&self.key).and_then(|versions| versions.first());
        let listed = ListedVersion {
            version: version.id,
            is_latest: newest.is_some_and(|newest| newest.position == version.position),
            modified: version.modified,
            object: version.object.as_ref().map(summary),
        };
        Ok(Some((text(&self.key), listed)))
    }
}

/// Where a version stood, by its id; `None` for the version `null`.
fn position_of(id: VersionId) -> Option<u64> {
    let order = id.bytes()?.first_chunk::<8>().copied()?;
    Some(u64::MAX - u64::from_be_bytes(order))
}

/// The unfinished uploads of a bucket.
struct Uploads<'s> {
    uploads: &'s BTreeMap<(Vec<u8>, UploadId), UploadShelf>,
    range: Option<btree_map::Range<'s, (Vec<u8>, UploadId), UploadShelf>>,
    /// Key and id of the last upload of the page before.
    marker: Option<(String, UploadId)>,
}

impl Sorted for Uploads<'_> {
    type Item = Upload;
    type Error = Infallible;

    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, Upload)>, Infallible> {
        let start = match (self.marker.take().filter(|(key, _)| from == Seek::After(key)), from) {
            (Some((key, id)), _) => Bound::Excluded((key.into_bytes(), id)),
            (None, Seek::At(bytes)) => Bound::Included((bytes.to_vec(), UploadId::from_bytes([0; 16]))),
            (None, Seek::After(key)) => {
                Bound::Excluded((key.as_bytes().to_vec(), UploadId::from_bytes([u8::MAX; 16])))
            }
        };
        self.range = Some(self.uploads.range((start, Bound::Unbounded)));
        self.next()
    }

    fn next(&mut self) -> Result<Option<(String, Upload)>, Infallible> {
        let next = self.range.as_mut().and_then(Iterator::next);
        Ok(next.map(|((key, _), upload)| (text(key), upload.upload.clone())))
    }
}
