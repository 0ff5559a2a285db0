//! Buckets: what the store does with them, and what is configured of them.

use crate::clock::Timestamp;
use crate::s3::name::BucketName;
use crate::store::Error;
use crate::store::local::Store;
use crate::store::local::index::record::{BucketRecord, StoredVersioning, decode, encode};
use crate::store::local::index::tables::{Transaction, prefixed};
use crate::store::model::{Bucket, NewBucket, Revision, Setting, Usage, Versioning};

impl Store {
    /// Every bucket, by name.
    ///
    /// # Errors
    /// The index's. Blocks.
    pub fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        let index = self.index();
        let transaction = index.read()?;
        let mut buckets = Vec::new();
        for entry in index.buckets.iter(&transaction)? {
            let (name, value) = entry?;
            let name = std::str::from_utf8(name).ok().and_then(BucketName::parse);
            let name = name.ok_or_else(|| Error::Index("a bucket's name is broken".to_owned()))?;
            buckets.push(bucket(name, decode(value)?));
        }
        Ok(buckets)
    }

    /// A bucket.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        let index = self.index();
        let transaction = index.read()?;
        Ok(bucket(name.clone(), index.bucket(&transaction, name)?))
    }

    /// How much a bucket holds.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub fn usage(&self, name: &BucketName) -> Result<Usage, Error> {
        let index = self.index();
        let transaction = index.read()?;
        let record = index.usage(&transaction, index.bucket(&transaction, name)?.id)?;
        Ok(record.usage())
    }

    /// Makes a bucket, with its tags if it is given some.
    ///
    /// # Errors
    /// [`Error::BucketExists`], and the index's.
    pub async fn create_bucket(&self, new: NewBucket, now: Timestamp) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let NewBucket { name, owner, location, tagging } = new;
            match transaction.bucket(&name) {
                Ok(existing) => return Err(Error::BucketExists(existing.owner)),
                Err(Error::NoSuchBucket) => {}
                Err(error) => return Err(error),
            }
            let id = u32::try_from(transaction.next("bucket")?)
                .ok()
                .ok_or_else(|| Error::Index("there were too many buckets".to_owned()))?;
            let record = BucketRecord {
                id,
                created_millis: now.unix_millis(),
                owner,
                versioning: StoredVersioning::Off,
                revision: 0,
                location,
            };
            if let Some(document) = tagging {
                let key = setting_key(id, Setting::Tagging);
                transaction.index.settings.put(&mut transaction.raw, &key, document.as_bytes())?;
            }
            transaction.put_bucket(&name, &record)
        };
        self.committer().commit(None, change).await
    }

    /// Removes a bucket without objects; unfinished uploads go with it.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`], and the index's.
    pub async fn delete_bucket(&self, name: BucketName) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let bucket = transaction.bucket(&name)?;
            let prefix = prefixed(bucket.id, b"");
            for table in [transaction.index.objects, transaction.index.versions] {
                let first = transaction.first(table, &prefix)?;
                if first.is_some_and(|(key, _)| key.starts_with(&prefix)) {
                    return Err(Error::BucketNotEmpty);
                }
            }
            transaction.remove_uploads(bucket.id)?;
            for setting in Setting::ALL {
                transaction.index.settings.delete(&mut transaction.raw, &setting_key(bucket.id, setting))?;
            }
            transaction.forget_usage(bucket.id)?;
            transaction.index.buckets.delete(&mut transaction.raw, name.as_str().as_bytes())?;
            Ok(())
        };
        self.committer().commit(None, change).await
    }

    /// Switches versioning on, or suspends it.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub async fn set_versioning(&self, name: BucketName, versioning: Versioning) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let record = transaction.bucket(&name)?;
            transaction.put_bucket(
                &name,
                &BucketRecord { versioning: versioning.into(), revision: record.revision + 1, ..record },
            )
        };
        self.committer().commit(None, change).await
    }

    /// The document that configures a bucket, if there is one.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub fn setting(&self, name: &BucketName, setting: Setting) -> Result<Option<String>, Error> {
        let index = self.index();
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, name)?.id;
        let document = index.settings.get(&transaction, &setting_key(bucket, setting))?;
        let text = document.map(|document| std::str::from_utf8(document).map(str::to_owned)).transpose();
        text.ok().ok_or_else(|| Error::Index("a bucket's setting is not text".to_owned()))
    }

    /// Puts a document in its place, or removes it.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's.
    pub async fn set_setting(
        &self,
        name: BucketName,
        setting: Setting,
        document: Option<String>,
    ) -> Result<(), Error> {
        let change = move |transaction: &mut Transaction<'_>| {
            let mut bucket = transaction.bucket(&name)?;
            let key = setting_key(bucket.id, setting);
            bucket.revision += 1;
            transaction.put_bucket(&name, &bucket)?;
            let settings = transaction.index.settings;
            match document {
                Some(document) => settings.put(&mut transaction.raw, &key, document.as_bytes())?,
                None => {
                    settings.delete(&mut transaction.raw, &key)?;
                }
            }
            Ok(())
        };
        self.committer().commit(None, change).await
    }
}

impl Transaction<'_> {
    fn put_bucket(&mut self, name: &BucketName, record: &BucketRecord) -> Result<(), Error> {
        let value = encode(record)?;
        Ok(self.index.buckets.put(&mut self.raw, name.as_str().as_bytes(), &value)?)
    }
}

pub(super) fn setting_key(bucket: u32, setting: Setting) -> Vec<u8> {
    prefixed(bucket, setting.name())
}

/// The state of its configuration.
pub(super) fn revision_of(record: &BucketRecord) -> Revision {
    Revision { bucket: record.id, number: record.revision }
}

fn bucket(name: BucketName, record: BucketRecord) -> Bucket {
    Bucket {
        name,
        created: Timestamp::from_unix_millis(record.created_millis),
        revision: revision_of(&record),
        owner: record.owner,
        versioning: record.versioning.into(),
        location: record.location,
    }
}
