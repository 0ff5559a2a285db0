//! The records of the index: a version byte, then fields in a fixed order (postcard), then, for an inline
//! object, its body.
//!
//! Postcard is chosen for its published, stable encoding and because it decodes from the mapped page.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, Checksum, ChecksumType};
use crate::s3::metadata::Metadata;
use crate::s3::name::{ETag, VersionId};
use crate::size;
use crate::store::Error;
use crate::store::local::blobs::segment::Segment;
use crate::store::model::{ObjectChecksum, ObjectPart, Summary, Versioning};

/// First byte of every record that is written.
const VERSION: u8 = 5;
/// First byte of records of the fourth version of the format.
const FOURTH: u8 = 4;
/// First byte of records of the third version of the format.
const THIRD: u8 = 3;
/// First byte of records of the second version of the format.
const SECOND: u8 = 2;
/// First byte of records of the first version of the format.
const FIRST: u8 = 1;

/// A record of the index.
pub(in crate::store::local) trait Record<'v>: Sized + Deserialize<'v> {
    /// The fields of version 1.
    type V1: Deserialize<'v> + Into<Self>;
    /// The fields of version 2.
    type V2: Deserialize<'v> + Into<Self>;
    /// The fields of versions 3 and 4.
    type V3: Deserialize<'v> + Into<Self>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) enum StoredAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    XxHash64,
    XxHash3,
    XxHash128,
}

impl From<Algorithm> for StoredAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32,
            Algorithm::Crc32c => Self::Crc32c,
            Algorithm::Crc64Nvme => Self::Crc64Nvme,
            Algorithm::Sha1 => Self::Sha1,
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha512 => Self::Sha512,
            Algorithm::Md5 => Self::Md5,
            Algorithm::XxHash64 => Self::XxHash64,
            Algorithm::XxHash3 => Self::XxHash3,
            Algorithm::XxHash128 => Self::XxHash128,
        }
    }
}

impl From<StoredAlgorithm> for Algorithm {
    fn from(algorithm: StoredAlgorithm) -> Self {
        match algorithm {
            StoredAlgorithm::Crc32 => Self::Crc32,
            StoredAlgorithm::Crc32c => Self::Crc32c,
            StoredAlgorithm::Crc64Nvme => Self::Crc64Nvme,
            StoredAlgorithm::Sha1 => Self::Sha1,
            StoredAlgorithm::Sha256 => Self::Sha256,
            StoredAlgorithm::Sha512 => Self::Sha512,
            StoredAlgorithm::Md5 => Self::Md5,
            StoredAlgorithm::XxHash64 => Self::XxHash64,
            StoredAlgorithm::XxHash3 => Self::XxHash3,
            StoredAlgorithm::XxHash128 => Self::XxHash128,
        }
    }
}

/// A checksum value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct StoredChecksum {
    algorithm: StoredAlgorithm,
    bytes: Vec<u8>,
}

impl StoredChecksum {
    pub(in crate::store::local) fn of(checksum: &Checksum) -> Self {
        Self { algorithm: checksum.algorithm().into(), bytes: checksum.bytes().to_vec() }
    }

    pub(in crate::store::local) fn value(&self) -> Option<Checksum> {
        Checksum::from_bytes(self.algorithm.into(), &self.bytes)
    }
}

/// What a listing needs: the first fields of an object, decoded without the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct Head {
    pub(in crate::store::local) modified_millis: i64,
    pub size: u64,
    pub(in crate::store::local) md5: [u8; 16],
    /// 0 for a body that came in one go.
    pub(in crate::store::local) etag_parts: u16,
    pub(in crate::store::local) checksum: Option<StoredChecksum>,
    pub(in crate::store::local) composite: bool,
    pub(in crate::store::local) storage_class: Option<String>,
    /// `None` for the version `null`.
    pub version: Option<[u8; 16]>,
    /// Whether its storage class keeps it from being read. Objects that were stored before this was known of them
    /// stay readable.
    pub archived: bool,
}

impl Head {
    pub(in crate::store::local) fn new(
        modified: Timestamp,
        size: u64,
        etag: ETag,
        checksum: Option<ObjectChecksum>,
        metadata: &Metadata,
    ) -> Self {
        let class = metadata.storage_class();
        Self {
            modified_millis: modified.unix_millis(),
            size,
            md5: *etag.md5(),
            etag_parts: etag.parts().unwrap_or(0),
            checksum: checksum.map(|checksum| StoredChecksum::of(&checksum.value)),
            composite: checksum.is_some_and(|checksum| checksum.kind == ChecksumType::Composite),
            storage_class: (class != "STANDARD").then(|| class.to_owned()),
            version: None,
            archived: metadata.is_archived(),
        }
    }

    pub(in crate::store::local) fn version(&self) -> VersionId {
        VersionId::from_bytes(self.version)
    }

    pub(in crate::store::local) fn modified(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.modified_millis)
    }

    pub(in crate::store::local) fn etag(&self) -> ETag {
        match self.etag_parts {
            0 => ETag::single(self.md5),
            parts => ETag::multipart(self.md5, parts),
        }
    }

    pub(in crate::store::local) fn object_checksum(&self) -> Option<ObjectChecksum> {
        let value = self.checksum.as_ref().and_then(StoredChecksum::value)?;
        let kind = self.kind();
        Some(ObjectChecksum { value, kind, parts: (self.etag_parts > 0).then_some(self.etag_parts) })
    }

    fn kind(&self) -> ChecksumType {
        match self.composite {
            true => ChecksumType::Composite,
            false => ChecksumType::FullObject,
        }
    }

    pub(in crate::store::local) fn summary(self) -> Summary {
        Summary {
            size: self.size,
            etag: self.etag(),
            modified: self.modified(),
            checksum: self.checksum.as_ref().map(|checksum| (checksum.algorithm.into(), self.kind())),
            storage_class: self.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
        }
    }
}

/// Where the body of an object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) enum StoredBody {
    /// After the record.
    Inline,
    Segments(Vec<Segment>),
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct ObjectRecord {
    pub head: Head,
    pub metadata: Vec<(String, String)>,
    /// Empty for a body that came in one go.
    pub parts: Vec<StoredPart>,
    pub body: StoredBody,
    pub tags: Vec<(String, String)>,
}

/// A part that an object was uploaded in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct StoredPart {
    pub size: u64,
    pub checksum: Option<StoredChecksum>,
}

impl StoredPart {
    pub(in crate::store::local) fn part(&self) -> ObjectPart {
        ObjectPart { size: self.size, checksum: self.checksum.as_ref().and_then(StoredChecksum::value) }
    }
}

impl ObjectRecord {
    /// The record and the inline body after it.
    pub(in crate::store::local) fn decode(value: &[u8]) -> Result<(Self, &[u8]), Error> {
        take(value)
    }

    /// Whether a body from the index is the one that was stored.
    pub(in crate::store::local) fn is_of(&self, body: &[u8]) -> bool {
        let holds = match self.head.object_checksum().map(|checksum| checksum.value) {
            Some(stored) => Checksum::of(stored.algorithm(), body) == stored,
            None => fast_md5::digest(body) == *self.head.etag().md5(),
        };
        holds && size::bytes(body.len()) == self.head.size
    }

    /// Only the head of the record.
    pub(in crate::store::local) fn decode_head(value: &[u8]) -> Result<Head, Error> {
        take(value).map(|(head, _)| head)
    }

    /// The value of this record, with an inline body after it.
    pub(in crate::store::local) fn encode(&self, inline: &[u8]) -> Result<Vec<u8>, Error> {
        let mut value = encode(self)?;
        value.extend_from_slice(inline);
        Ok(value)
    }

    pub(in crate::store::local) fn segments(&self) -> &[Segment] {
        match &self.body {
            StoredBody::Inline => &[],
            StoredBody::Segments(segments) => segments,
        }
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct BucketRecord {
    /// Prefix of its keys; never used twice.
    pub id: u32,
    pub created_millis: i64,
    pub owner: String,
    pub versioning: StoredVersioning,
    /// How often it was configured; 0 while nothing in its configuration matters to the requests of its objects, so that
    /// who serves one need not look.
    pub revision: u64,
    /// The region that it was asked to be in, where every region is accepted.
    pub location: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) enum StoredVersioning {
    Off,
    Enabled,
    Suspended,
}

impl From<Versioning> for StoredVersioning {
    fn from(versioning: Versioning) -> Self {
        match versioning {
            Versioning::Off => Self::Off,
            Versioning::Enabled => Self::Enabled,
            Versioning::Suspended => Self::Suspended,
        }
    }
}

impl From<StoredVersioning> for Versioning {
    fn from(versioning: StoredVersioning) -> Self {
        match versioning {
            StoredVersioning::Off => Self::Off,
            StoredVersioning::Enabled => Self::Enabled,
            StoredVersioning::Suspended => Self::Suspended,
        }
    }
}

/// A delete marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct MarkerRecord {
    modified_millis: i64,
    /// `None` for the version `null`.
    pub version: Option<[u8; 16]>,
}

impl MarkerRecord {
    pub(in crate::store::local) fn new(modified: Timestamp, version: Option<[u8; 16]>) -> Self {
        Self { modified_millis: modified.unix_millis(), version }
    }

    pub(in crate::store::local) fn modified(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.modified_millis)
    }
}

impl Record<'_> for MarkerRecord {
    type V1 = Self;
    type V2 = Self;
    type V3 = Self;
}

/// A blob: how many records refer to it, its size, and the checksum of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct BlobRecord {
    pub references: u32,
    pub size: u64,
    /// `None` if it was stored before blobs had one.
    pub checksum: Option<StoredChecksum>,
}

/// The value of a record.
pub(in crate::store::local) fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_extend(record, vec![VERSION]).map_err(broken)
}

/// The record of a value.
pub(in crate::store::local) fn decode<'v, T: Record<'v>>(value: &'v [u8]) -> Result<T, Error> {
    match take(value)? {
        (record, []) => Ok(record),
        (_, rest) => Err(Error::Index(format!("a record has {} bytes too many", rest.len()))),
    }
}

/// Splits a value into its leading record and the bytes that follow.
fn take<'v, T: Record<'v>>(value: &'v [u8]) -> Result<(T, &'v [u8]), Error> {
    match value.split_first() {
        Some((&VERSION, rest)) => postcard::take_from_bytes(rest).map_err(broken),
        Some((&(FOURTH | THIRD), rest)) => {
            let (old, rest) = postcard::take_from_bytes::<T::V3>(rest).map_err(broken)?;
            Ok((old.into(), rest))
        }
        Some((&SECOND, rest)) => {
            let (old, rest) = postcard::take_from_bytes::<T::V2>(rest).map_err(broken)?;
            Ok((old.into(), rest))
        }
        Some((&FIRST, rest)) => {
            let (old, rest) = postcard::take_from_bytes::<T::V1>(rest).map_err(broken)?;
            Ok((old.into(), rest))
        }
        Some((version, _)) => Err(Error::Index(format!("a record has the unknown version {version}"))),
        None => Err(Error::Index("a record is empty".to_owned())),
    }
}

fn broken(error: postcard::Error) -> Error {
    Error::Index(format!("a record cannot be read or written: {error}"))
}

/// An inline body, copied out of the mapped page.
pub(in crate::store::local) fn inline(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_round_trip() {
        let metadata = Metadata::from_stored(vec![("content-type".into(), "text/plain".into())]);
        let checksum = Checksum::parse(Algorithm::Crc32, "AAAAAA==").map(ObjectChecksum::full);
        let head =
            Head::new(Timestamp::from_unix_millis(1), 5, ETag::multipart([9; 16], 2), checksum, &metadata);
        let record = ObjectRecord {
            head: head.clone(),
            metadata: metadata.entries().to_vec(),
            parts: [3, 2].map(|size| StoredPart { size, checksum: None }).to_vec(),
            body: StoredBody::Inline,
            tags: vec![("k".into(), "v".into())],
        };
        let value = record.encode(b"hello").expect("encoded");
        assert_eq!(ObjectRecord::decode(&value).expect("decoded"), (record, &b"hello"[..]));
        assert_eq!(ObjectRecord::decode_head(&value).expect("decoded"), head);
        assert_eq!(head.object_checksum().map(|c| c.text()).as_deref(), Some("AAAAAA=="));
        assert!(ObjectRecord::decode(&[]).is_err() && ObjectRecord::decode(&[9, 1]).is_err());
    }

    /// What version 2 stored in an archived class stays readable, also when the record is written anew.
    #[test]
    fn records_of_version_2_are_read() {
        let value =
            [&[2, 2, 5][..], &[9; 16], &[0, 0, 0, 1, 7], b"GLACIER", &[0, 0, 0, 0, 0], b"hello"].concat();
        let (record, inline) = ObjectRecord::decode(&value).expect("decoded");
        assert_eq!(inline, b"hello");
        assert_eq!(record.head.storage_class.as_deref(), Some("GLACIER"));
        let anew = record.encode(inline).expect("encoded");
        let (again, _) = ObjectRecord::decode(&anew).expect("decoded");
        assert!(!record.head.archived && !again.head.archived);
        let class = vec![("x-amz-storage-class".to_owned(), "GLACIER".to_owned())];
        let new = Head::new(
            Timestamp::from_unix_millis(1),
            5,
            ETag::single([9; 16]),
            None,
            &Metadata::from_stored(class),
        );
        assert!(new.archived);
        let bucket: BucketRecord = decode(&[2, 7, 0, 1, b'o', 1, 1]).expect("decoded");
        assert_eq!((bucket.id, bucket.owner.as_str(), bucket.location), (7, "o", None));
    }

    /// Buckets of versions 3 and 4 said whether they had lifecycle rules.
    #[test]
    fn buckets_of_version_4_are_read() {
        for version in [3, 4] {
            for (has_lifecycle, revision) in [(0, 0), (1, 1)] {
                let value = [version, 7, 0, 1, b'o', 1, has_lifecycle, 1, 2, b'e', b'u'];
                let bucket: BucketRecord = decode(&value).expect("decoded");
                let expected = BucketRecord {
                    id: 7,
                    created_millis: 0,
                    owner: "o".to_owned(),
                    versioning: StoredVersioning::Enabled,
                    revision,
                    location: Some("eu".to_owned()),
                };
                assert_eq!(bucket, expected);
                assert_eq!(
                    decode::<BucketRecord>(&encode(&bucket).expect("encoded")).expect("decoded"),
                    expected
                );
            }
        }
    }

    /// An object of 5 bytes inline, as version 1 wrote it: two parts, a CRC32, one header.
    #[test]
    fn records_of_version_1_are_read() {
        let value = [
            &[1, 2, 5][..],
            &[9; 16],
            &[2, 1, 0, 4, 0, 0, 0, 0, 0, 0, 1, 12],
            b"content-type",
            &[10],
            b"text/plain",
            &[2, 3, 2, 0],
            b"hello",
        ]
        .concat();
        let (record, inline) = ObjectRecord::decode(&value).expect("decoded");
        assert_eq!(inline, b"hello");
        assert_eq!(record.head.etag(), ETag::multipart([9; 16], 2));
        assert_eq!(record.head.object_checksum().map(|c| c.text()).as_deref(), Some("AAAAAA=="));
        assert_eq!(record.metadata, [("content-type".to_owned(), "text/plain".to_owned())]);
        assert_eq!(record.parts.iter().map(|part| part.size).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(record.head.version(), VersionId::NULL);
        assert!(!record.head.archived);
        let blob: BlobRecord = decode(&[1, 3, 200, 1]).expect("decoded");
        assert_eq!(blob, BlobRecord { references: 3, size: 200, checksum: None });
    }
}
