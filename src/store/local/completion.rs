//! What the parts of an upload make: the record of the object, and its checksum held against the client's.

use fast_md5::Md5;

use super::record::{Head, ObjectRecord, PartRecord, StoredBody, StoredPart};
use crate::clock::Timestamp;
use crate::s3::checksum::{Algorithm, Checksum, ChecksumType, Hasher};
use crate::s3::name::ETag;
use crate::store::{Completion, Error, NamedPart, ObjectChecksum, Part, Upload};

/// The record of the object that these parts make.
pub(super) fn completed(
    parts: &[(&NamedPart, PartRecord)],
    upload: &Upload,
    checksum: Option<ObjectChecksum>,
    now: Timestamp,
) -> Result<ObjectRecord, Error> {
    let mut digests = Md5::new();
    for (named, record) in parts {
        digests.update(record.part(named.number).etag.md5());
    }
    let count = u16::try_from(parts.len()).map_err(|_| Error::InvalidPartOrder)?;
    let size = parts.iter().map(|(_, record)| record.size).sum();
    let stored =
        |(_, record): &(_, PartRecord)| StoredPart { size: record.size, checksum: record.checksum.clone() };
    let etag = ETag::multipart(digests.finalize(), count);
    Ok(ObjectRecord {
        head: Head::new(now, size, etag, checksum, &upload.metadata),
        metadata: upload.metadata.entries().to_vec(),
        parts: parts.iter().map(stored).collect(),
        tags: upload.tags.entries().to_vec(),
        body: StoredBody::Segments(
            parts.iter().flat_map(|(_, record)| record.segments.iter().copied()).collect(),
        ),
    })
}

/// The checksum of the object: of the whole, or of its parts' checksums, as the upload was started. Without a choice
/// it is a CRC64NVME of the whole, whatever the parts came with.
///
/// # Errors
/// [`Error::Checksum`], and [`Error::InvalidPart`] for a part that is named with a checksum which it has not.
pub(super) fn combined_checksum(
    parts: &[(&NamedPart, PartRecord)],
    chosen: Option<(Algorithm, ChecksumType)>,
    completion: &Completion,
) -> Result<Option<ObjectChecksum>, Error> {
    if completion.checksum_type.is_some_and(|named| chosen.map(|(_, kind)| kind) != Some(named)) {
        return Err(bad_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            chosen.map_or("null", |(_, kind)| kind.name())
        )));
    }
    let (algorithm, kind) = chosen.unwrap_or((Algorithm::Crc64Nvme, ChecksumType::FullObject));
    let mut values = Vec::with_capacity(parts.len());
    for (named, record) in parts {
        let part = record.part(named.number);
        check_part_checksum(named, &part, chosen)?;
        match part.checksum.filter(|checksum| checksum.algorithm() == algorithm) {
            Some(checksum) => values.push((checksum, record.size)),
            // Parts that an earlier version stored may have another; the object then has none.
            None => return Ok(None),
        }
    }
    let value = match kind {
        ChecksumType::Composite => {
            let mut hasher = Hasher::new(algorithm);
            values.iter().for_each(|(checksum, _)| hasher.update(checksum.bytes()));
            Some(hasher.finish())
        }
        ChecksumType::FullObject => {
            let mut values = values.into_iter();
            let first = values.next().map(|(checksum, _)| checksum);
            values.fold(first, |all: Option<Checksum>, (next, size)| {
                all.and_then(|all| all.combine(&next, size))
            })
        }
    };
    let count = u16::try_from(parts.len()).ok();
    Ok(value.map(|value| ObjectChecksum { value, kind, parts: count }))
}

fn check_part_checksum(
    named: &NamedPart,
    part: &Part,
    chosen: Option<(Algorithm, ChecksumType)>,
) -> Result<(), Error> {
    if let Some((algorithm, ChecksumType::Composite)) = chosen
        && named.checksums.is_empty()
    {
        return Err(bad_request(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
            algorithm.lower_name(),
            named.number.value()
        )));
    }
    for (algorithm, text) in &named.checksums {
        if chosen.is_some_and(|(chosen, _)| chosen != *algorithm) {
            let message = format!(
                "The {} you specified for part {} did not match what we received.",
                algorithm.lower_name(),
                named.number.value()
            );
            return Err(Error::Checksum { bad_digest: true, message });
        }
        // Of an upload without a choice no part has a checksum that could be named.
        if chosen.is_none() || part.checksum.is_none_or(|checksum| checksum.base64() != *text) {
            return Err(Error::InvalidPart { number: named.number, etag: named.etag_text.clone() });
        }
    }
    Ok(())
}

/// Compares the checksum of the whole that the client named.
///
/// # Errors
/// [`Error::Checksum`].
pub(super) fn check_checksum(
    computed: Option<ObjectChecksum>,
    chosen: Option<(Algorithm, ChecksumType)>,
    completion: &Completion,
) -> Result<(), Error> {
    let Some((algorithm, text)) = &completion.checksum else {
        return Ok(());
    };
    let differs = |algorithm: Algorithm| Error::Checksum {
        bad_digest: true,
        message: format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.lower_name()
        ),
    };
    let Some(computed) = computed.filter(|computed| computed.value.algorithm() == *algorithm) else {
        // Of an upload without a choice S3 was recorded to pass over what it does not compute.
        return chosen.map_or(Ok(()), |(chosen, _)| Err(differs(chosen)));
    };
    let matches = match chosen {
        // Without a type the client is taken to mean a composite one, which a CRC64NVME cannot be.
        Some((Algorithm::Crc64Nvme, _)) | None => computed.text() == *text,
        Some((_, ChecksumType::FullObject)) => {
            completion.checksum_type == Some(ChecksumType::FullObject) && computed.text() == *text
        }
        Some((_, ChecksumType::Composite)) => computed.text() == *text || computed.value.base64() == *text,
    };
    if matches { Ok(()) } else { Err(differs(*algorithm)) }
}

fn bad_request(message: String) -> Error {
    Error::Checksum { bad_digest: false, message }
}
