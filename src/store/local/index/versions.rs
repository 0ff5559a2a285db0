//! Versions: what a bucket keeps of what was replaced and deleted.
//!
//! The current version of a key stands in `objects` if it is an object, so that listings never meet what is not
//! current. Every other version, and every delete marker, stands in `versions` after its key, the newest first: its
//! position is a counter, inverted, and 8 random bytes, and is its id as well, unless it is the version `null`, to
//! whose position `nulls` leads. A value of `versions` is a byte that says what it is, and then the record.

use super::record::{BucketRecord, MarkerRecord, ObjectRecord, StoredVersioning, decode, encode};
use super::tables::{Index, Transaction};
use super::usage_record::UsageRecord;
use crate::clock::Timestamp;
use crate::s3::name::VersionId;
use crate::store::Error;
use crate::store::model::Deleted;

/// First byte of a value of `versions` that is an object, and of one that is a delete marker.
const OBJECT: u8 = 0;
const MARKER: u8 = 1;

/// Where a version stands among those of its key.
pub(in crate::store::local) type Position = [u8; 16];

/// A version as the table has it.
pub(in crate::store::local) enum Version<'v> {
    /// Record and inline body.
    Object(&'v [u8]),
    Marker(MarkerRecord),
}

impl<'v> Version<'v> {
    /// Reads a value of `versions`.
    pub(in crate::store::local) fn read(value: &'v [u8]) -> Result<Self, Error> {
        match value.split_first() {
            Some((&OBJECT, object)) => Ok(Self::Object(object)),
            Some((&MARKER, marker)) => Ok(Self::Marker(decode(marker)?)),
            _ => Err(Error::Index("a version is neither an object nor a marker".to_owned())),
        }
    }

    /// The object; a marker is the error of anyone who `named` it, or did not.
    fn object(self, named: bool) -> Result<&'v [u8], Error> {
        match self {
            Self::Object(value) => Ok(value),
            Self::Marker(marker) => Err(Error::DeleteMarker {
                version: VersionId::from_bytes(marker.version),
                modified: marker.modified(),
                named,
            }),
        }
    }
}

/// The key in `versions` of a version of the object with this key.
pub(in crate::store::local) fn version_key(object: &[u8], position: &Position) -> Vec<u8> {
    [&before_versions(object)[..], position].concat()
}

/// What all keys in `versions` begin with that belong to an object.
pub(in crate::store::local) fn before_versions(object: &[u8]) -> Vec<u8> {
    [object, b"\0"].concat()
}

/// Key of the object, and position, of a key in `versions`.
pub(in crate::store::local) fn parse_version_key(key: &[u8]) -> Result<(&[u8], Position), Error> {
    let parts = key.split_last_chunk::<16>();
    let parts = parts.and_then(|(object, position)| Some((object.strip_suffix(b"\0")?, *position)));
    parts.ok_or_else(|| Error::Index("the key of a version is broken".to_owned()))
}

impl Index {
    /// The value of an object: its current version, or the one that is named.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`], [`Error::NoSuchVersion`], [`Error::DeleteMarker`].
    pub(in crate::store::local) fn find<'t>(
        &self,
        transaction: &'t heed::RoTxn<'_>,
        object: &[u8],
        version: Option<VersionId>,
    ) -> Result<&'t [u8], Error> {
        let current = self.objects.get(transaction, object)?;
        let Some(version) = version else {
            return match current {
                Some(value) => Ok(value),
                None => match self.newest(transaction, object)? {
                    Some((_, version)) => version.object(false),
                    None => Err(Error::NoSuchKey),
                },
            };
        };
        if let Some(value) = current
            && ObjectRecord::decode_head(value)?.version() == version
        {
            return Ok(value);
        }
        let position = self.position(transaction, object, version)?.ok_or(Error::NoSuchVersion)?;
        let value = self.versions.get(transaction, &version_key(object, &position))?;
        Version::read(value.ok_or(Error::NoSuchVersion)?)?.object(true)
    }

    /// The newest version that is not in `objects`.
    pub(in crate::store::local) fn newest<'t>(
        &self,
        transaction: &'t heed::RoTxn<'_>,
        object: &[u8],
    ) -> Result<Option<(Position, Version<'t>)>, Error> {
        let mut rows = self.versions.prefix_iter(transaction, &before_versions(object))?;
        let Some(row) = rows.next() else {
            return Ok(None);
        };
        let (key, value) = row?;
        Ok(Some((parse_version_key(key)?.1, Version::read(value)?)))
    }

    /// Where a version stands that is not in `objects`, if there is one.
    pub(in crate::store::local) fn position(
        &self,
        transaction: &heed::RoTxn<'_>,
        object: &[u8],
        version: VersionId,
    ) -> Result<Option<Position>, Error> {
        match version.bytes() {
            Some(position) => Ok(Some(*position)),
            None => Ok(self.nulls.get(transaction, object)?.and_then(|position| position.try_into().ok())),
        }
    }
}

impl Transaction<'_> {
    /// Makes an object the current version of its key. Its blobs must be counted already.
    pub(in crate::store::local) fn write_version(
        &mut self,
        bucket: &BucketRecord,
        key: &[u8],
        mut record: ObjectRecord,
        inline: &[u8],
    ) -> Result<ObjectRecord, Error> {
        record.head.version = self.make_way(bucket.versioning, key)?;
        self.replace_object(key, &record, inline)?;
        Ok(record)
    }

    /// Deletes the current version, by a marker where versions are kept.
    pub(in crate::store::local) fn delete_current(
        &mut self,
        bucket: &BucketRecord,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Deleted, Error> {
        if bucket.versioning == StoredVersioning::Off {
            self.remove_object(key)?;
            return Ok(Deleted { version: None, marker: false });
        }
        let version = self.make_way(bucket.versioning, key)?;
        // Without an id of its own it takes the place of the version `null`.
        let position = match version {
            Some(position) => position,
            None => {
                self.remove_object(key)?;
                let position = self.new_position()?;
                self.index.nulls.put(&mut self.raw, key, &position)?;
                position
            }
        };
        let value = [vec![MARKER], encode(&MarkerRecord::new(now, version))?].concat();
        self.index.versions.put(&mut self.raw, &version_key(key, &position), &value)?;
        self.count(key, UsageRecord::of_marker(key));
        Ok(Deleted { version: Some(VersionId::from_bytes(version)), marker: true })
    }

    /// Removes a version for good; one that does not exist counts as removed. Whatever is then the newest becomes
    /// the current one.
    pub(in crate::store::local) fn delete_version(
        &mut self,
        key: &[u8],
        version: VersionId,
    ) -> Result<Deleted, Error> {
        let current = self.index.current_head(&self.raw, key)?;
        let is_current = current.as_ref().is_some_and(|head| head.version() == version);
        let mut marker = false;
        if is_current {
            self.remove_object(key)?;
        } else if let Some(position) = self.index.position(&self.raw, key, version)? {
            marker = self.remove_kept(key, &position)?;
            if version == VersionId::NULL {
                self.index.nulls.delete(&mut self.raw, key)?;
            }
        }
        if is_current || current.is_none() {
            self.promote_newest(key)?;
        }
        Ok(Deleted { version: Some(version), marker })
    }

    /// Makes room for a new current version, and gives the id it is to have. What it replaces is kept, unless both
    /// are the version `null`.
    fn make_way(&mut self, versioning: StoredVersioning, key: &[u8]) -> Result<Option<Position>, Error> {
        if versioning == StoredVersioning::Off {
            return Ok(None);
        }
        let current = self.index.current_head(&self.raw, key)?;
        let current = current.map(|head| head.version());
        if versioning == StoredVersioning::Enabled {
            if let Some(version) = current {
                self.demote(key, version)?;
            }
            return Ok(Some(self.new_position()?));
        }
        match current {
            // Anyone who comes replaces it.
            Some(VersionId::NULL) => {}
            Some(version) => self.demote(key, version)?,
            None => {}
        }
        if let Some(position) = self.index.position(&self.raw, key, VersionId::NULL)? {
            self.remove_kept(key, &position)?;
            self.index.nulls.delete(&mut self.raw, key)?;
        }
        Ok(None)
    }

    /// Moves the current version after the one that is to come.
    fn demote(&mut self, key: &[u8], version: VersionId) -> Result<(), Error> {
        let position = match version.bytes() {
            Some(position) => *position,
            None => {
                // Until now it needed no place among others.
                let position = self.new_position()?;
                self.index.nulls.put(&mut self.raw, key, &position)?;
                position
            }
        };
        let value = self.index.objects.get(&self.raw, key)?.unwrap_or_default();
        let value = [&[OBJECT], value].concat();
        self.index.versions.put(&mut self.raw, &version_key(key, &position), &value)?;
        self.index.objects.delete(&mut self.raw, key)?;
        Ok(())
    }

    /// Makes the newest version the current one, if it is an object.
    fn promote_newest(&mut self, key: &[u8]) -> Result<(), Error> {
        let Some((position, Version::Object(value))) = self.index.newest(&self.raw, key)? else {
            return Ok(());
        };
        let value = value.to_vec();
        if ObjectRecord::decode_head(&value)?.version() == VersionId::NULL {
            self.index.nulls.delete(&mut self.raw, key)?;
        }
        self.index.versions.delete(&mut self.raw, &version_key(key, &position))?;
        Ok(self.index.objects.put(&mut self.raw, key, &value)?)
    }

    /// Removes a version from `versions`; whether it was a marker.
    fn remove_kept(&mut self, key: &[u8], position: &Position) -> Result<bool, Error> {
        let table_key = version_key(key, position);
        let Some(value) = self.index.versions.get(&self.raw, &table_key)? else {
            return Ok(false);
        };
        let marker = match Version::read(value)? {
            Version::Marker(_) => {
                self.discount(key, UsageRecord::of_marker(key));
                true
            }
            Version::Object(value) => {
                let (record, _) = ObjectRecord::decode(value)?;
                self.discount(key, UsageRecord::of(key, &record));
                self.release(record.segments())?;
                false
            }
        };
        self.index.versions.delete(&mut self.raw, &table_key)?;
        Ok(marker)
    }

    /// A position before all others.
    fn new_position(&mut self) -> Result<Position, Error> {
        let number = u64::MAX - self.next("version")?;
        let mut position = [0; 16];
        let (order, random) = position.split_at_mut(8);
        order.copy_from_slice(&number.to_be_bytes());
        // The counter alone would name other versions once an old copy of the store is put back.
        getrandom::fill(random).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(position)
    }

    /// Writes a version anew where it is, as when its tags change, if what it took up and will take up passes a check.
    pub(in crate::store::local) fn rewrite_version(
        &mut self,
        key: &[u8],
        version: Option<VersionId>,
        change: impl FnOnce(&mut ObjectRecord),
        check: impl FnOnce(&Self, u64, u64) -> Result<(), Error>,
    ) -> Result<VersionId, Error> {
        let value = self.index.find(&self.raw, key, version)?;
        let (mut record, inline) = ObjectRecord::decode(value)?;
        let before = UsageRecord::of(key, &record);
        change(&mut record);
        let (found, value, after) =
            (record.head.version(), record.encode(inline)?, UsageRecord::of(key, &record));
        check(self, before.total(), after.total())?;
        self.discount(key, before);
        self.count(key, after);
        let current = self.index.current_head(&self.raw, key)?;
        if current.is_some_and(|head| head.version() == found) {
            self.index.objects.put(&mut self.raw, key, &value)?;
            return Ok(found);
        }
        let position = self.index.position(&self.raw, key, found)?.ok_or(Error::NoSuchVersion)?;
        let value = [&[OBJECT], value.as_slice()].concat();
        self.index.versions.put(&mut self.raw, &version_key(key, &position), &value)?;
        Ok(found)
    }
}
