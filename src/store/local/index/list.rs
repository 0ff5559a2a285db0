//! Pages of objects and of versions.

use std::ops::Bound;

use super::record::ObjectRecord;
use super::tables::{Index, ReadTransaction, Row, Table, prefixed};
use super::versions::{Version, parse_version_key, version_key};
use crate::s3::listing::{Page, Seek, Selection, Sorted, page};
use crate::s3::name::{BucketName, VersionId};
use crate::store::Error;
use crate::store::local::Store;
use crate::store::model::{ListedVersion, Summary};

impl Store {
    /// A page of a bucket's objects.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's. Blocks.
    pub fn list(&self, name: &BucketName, selection: &Selection) -> Result<Page<Summary>, Error> {
        let index = &self.engine.index;
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, name)?.id;
        page(&mut Objects { rows: Rows::new(&transaction, index.objects, bucket) }, selection)
    }

    /// A page of all versions and delete markers, by key, the newest first; `after` names the last version of the
    /// page before, together with the key of the selection.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's. Blocks.
    pub fn versions(
        &self,
        name: &BucketName,
        selection: &Selection,
        after: Option<VersionId>,
    ) -> Result<Page<ListedVersion>, Error> {
        let index = &self.engine.index;
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, name)?.id;
        let mut versions = Versions {
            index,
            transaction: &transaction,
            objects: Rows::new(&transaction, index.objects, bucket),
            kept: Rows::new(&transaction, index.versions, bucket),
            next_object: None,
            next_kept: None,
            key: Vec::new(),
            marker: selection.after.clone().zip(after),
        };
        page(&mut versions, selection)
    }
}

/// What is greater than anything that follows a NUL.
pub(in crate::store::local) const AFTER_NUL: &[u8] = b"\x01";

/// The rows of one bucket in a table, entered anywhere.
pub(in crate::store::local) struct Rows<'t> {
    transaction: &'t ReadTransaction<'t>,
    table: Table,
    bucket: u32,
    range: Option<heed::RoRange<'t, heed::types::Bytes, heed::types::Bytes>>,
}

impl<'t> Rows<'t> {
    pub(in crate::store::local) fn new(
        transaction: &'t ReadTransaction<'t>,
        table: Table,
        bucket: u32,
    ) -> Self {
        Self { transaction, table, bucket, range: None }
    }

    /// The first row at or after `from`, which is without the bucket, as the returned key is.
    pub(in crate::store::local) fn seek(&mut self, from: &[u8]) -> Result<Option<Row<'t>>, Error> {
        let from = prefixed(self.bucket, from);
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Included(&from), Bound::Unbounded);
        self.range = Some(self.table.range(self.transaction, &bounds)?);
        self.next()
    }

    /// The first row where a listing is entered. After a key comes nothing less than the key with `next`: no key holds a NUL,
    /// and what belongs to a key in tables with more than its own row follows a NUL.
    pub(in crate::store::local) fn enter(
        &mut self,
        from: Seek<'_>,
        next: &[u8],
    ) -> Result<Option<Row<'t>>, Error> {
        match from {
            Seek::At(bytes) => self.seek(bytes),
            Seek::After(key) => self.seek(&[key.as_bytes(), next].concat()),
        }
    }

    /// The row after the last one.
    pub(in crate::store::local) fn next(&mut self) -> Result<Option<Row<'t>>, Error> {
        let row = self.range.as_mut().and_then(Iterator::next).transpose()?;
        let prefix = self.bucket.to_be_bytes();
        Ok(row.and_then(|(key, value)| key.strip_prefix(&prefix).map(|key| (key, value))))
    }
}

struct Objects<'t> {
    rows: Rows<'t>,
}

impl Objects<'_> {
    fn entry(row: Option<Row<'_>>) -> Result<Option<(String, Summary)>, Error> {
        let Some((key, value)) = row else {
            return Ok(None);
        };
        let key =
            std::str::from_utf8(key).ok().ok_or_else(|| Error::Index("a key is not text".to_owned()))?;
        Ok(Some((key.to_owned(), ObjectRecord::decode_head(value)?.summary())))
    }
}

impl Sorted for Objects<'_> {
    type Item = Summary;
    type Error = Error;

    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, Summary)>, Error> {
        Self::entry(self.rows.enter(from, b"\0")?)
    }

    fn next(&mut self) -> Result<Option<(String, Summary)>, Error> {
        Self::entry(self.rows.next()?)
    }
}

/// The two tables of versions as one sequence: of a key first the current object, then the others.
struct Versions<'t> {
    index: &'t Index,
    transaction: &'t ReadTransaction<'t>,
    objects: Rows<'t>,
    kept: Rows<'t>,
    next_object: Option<Row<'t>>,
    next_kept: Option<Row<'t>>,
    /// The key of the last entry.
    key: Vec<u8>,
    /// Key and version that the page before ended with.
    marker: Option<(String, VersionId)>,
}

impl Versions<'_> {
    /// The lesser of the two next rows.
    fn entry(&mut self) -> Result<Option<(String, ListedVersion)>, Error> {
        let kept = self.next_kept.map(|(key, _)| parse_version_key(key)).transpose()?;
        let (key, entry) = match (self.next_object, kept) {
            (None, None) => return Ok(None),
            (Some((key, value)), kept) if kept.is_none_or(|(other, _)| key <= other) => {
                self.next_object = self.objects.next()?;
                (key, listed(value, true)?)
            }
            (_, Some((key, _))) => {
                let (_, value) = self.next_kept.unwrap_or_default();
                self.next_kept = self.kept.next()?;
                let entry = match Version::read(value)? {
                    Version::Object(value) => listed(value, false)?,
                    Version::Marker(marker) => ListedVersion {
                        version: VersionId::from_bytes(marker.version),
                        // The first of a key is an object, unless the key counts as deleted.
                        is_latest: self.key != key,
                        modified: marker.modified(),
                        object: None,
                    },
                };
                (key, entry)
            }
            (Some(_), None) => return Err(Error::Index("two tables cannot be merged".to_owned())),
        };
        self.key = key.to_vec();
        let text =
            std::str::from_utf8(key).ok().ok_or_else(|| Error::Index("a key is not text".to_owned()))?;
        Ok(Some((text.to_owned(), entry)))
    }

    /// Goes after the version that the page before ended with. It may be gone since, and with it whatever came before
    /// it, as when a client deletes what it lists: what was after it may then be the current one.
    fn enter(&mut self, key: &str, version: VersionId) -> Result<(), Error> {
        let object = prefixed(self.kept.bucket, key.as_bytes());
        let current = self.index.current_head(self.transaction, &object)?.map(|head| head.version());
        let first = [key.as_bytes(), b"\0"].concat();
        let (skips_current, behind) = match self.index.position(self.transaction, &object, version)? {
            _ if current == Some(version) => (true, first.clone()),
            // The version `null` leaves no trace: all of the key is shown once more rather than too little.
            None => (false, first.clone()),
            Some(position) => {
                let is_newer = match current.as_ref().map(VersionId::bytes) {
                    None => {
                        self.index.newest(self.transaction, &object)?.is_some_and(|(at, _)| at <= position)
                    }
                    Some(Some(at)) => *at < position,
                    // While it is current it has no position; what is gone may have stood before it.
                    Some(None) => {
                        let place = version_key(&object, &position);
                        self.index.versions.get(self.transaction, &place)?.is_some()
                    }
                };
                (is_newer, [&version_key(key.as_bytes(), &position)[..], &[0]].concat())
            }
        };
        if skips_current {
            self.key = key.as_bytes().to_vec();
        }
        self.next_object = self.objects.seek(if skips_current { &first } else { key.as_bytes() })?;
        self.next_kept = self.kept.seek(&behind)?;
        Ok(())
    }
}

fn listed(value: &[u8], is_latest: bool) -> Result<ListedVersion, Error> {
    let head = ObjectRecord::decode_head(value)?;
    let (version, modified) = (head.version(), head.modified());
    Ok(ListedVersion { version, is_latest, modified, object: Some(head.summary()) })
}

impl Sorted for Versions<'_> {
    type Item = ListedVersion;
    type Error = Error;

    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, ListedVersion)>, Error> {
        if let Some((key, version)) = self.marker.take().filter(|(key, _)| from == Seek::After(key)) {
            self.enter(&key, version)?;
            return self.entry();
        }
        self.next_object = self.objects.enter(from, b"\0")?;
        self.next_kept = self.kept.enter(from, AFTER_NUL)?;
        self.entry()
    }

    fn next(&mut self) -> Result<Option<(String, ListedVersion)>, Error> {
        self.entry()
    }
}
