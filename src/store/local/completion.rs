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

/// The checksum of the object: of the whole, or of its parts' checksums, as the upload was started. Without a
/// choice it is over the whole, of the algorithm that the parts came with.
pub(super) fn combined_checksum(
    parts: &[(&NamedPart, PartRecord)],
    chosen: Option<(Algorithm, ChecksumType)>,
    completion: &Completion,
) -> Result<Option<ObjectChecksum>, Error> {
    let of_parts = parts.first().and_then(|(named, record)| record.part(named.number).checksum);
    let of_parts = of_parts.map_or(Algorithm::Crc64Nvme, |checksum| checksum.algorithm());
    let (algorithm, kind) = chosen.unwrap_or((of_parts, ChecksumType::FullObject));
    let mut values = Vec::with_capacity(parts.len());
    for (named, record) in parts {
        let part = record.part(named.number);
        check_part_checksum(named, &part, chosen)?;
        match part.checksum.filter(|checksum| checksum.algorithm() == algorithm) {
            Some(checksum) => values.push((checksum, record.size)),
            // Parts that were copied in may have another; the object then has none.
            None => return Ok(None),
        }
    }
    if completion.checksum_type.is_some_and(|named| named != kind) {
        return Err(bad_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            kind.name()
        )));
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
        && !named.checksums.iter().any(|(given, _)| *given == algorithm)
    {
        return Err(bad_request(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
            algorithm.lower_name(),
            named.number.value()
        )));
    }
    for (algorithm, text) in &named.checksums {
        if part
            .checksum
            .is_none_or(|checksum| checksum.algorithm() != *algorithm || checksum.base64() != *text)
        {
            return Err(Error::Checksum {
                bad_digest: true,
                message: format!(
                    "The {} you specified for part {} did not match what we received.",
                    algorithm.lower_name(),
                    named.number.value()
                ),
            });
        }
    }
    Ok(())
}

/// Compares the checksum of the whole that the client named.
pub(super) fn check_checksum(computed: Option<ObjectChecksum>, completion: &Completion) -> Result<(), Error> {
    let Some((algorithm, text)) = &completion.checksum else {
        return Ok(());
    };
    let digest = text.split_once('-').map_or(text.as_str(), |(digest, _)| digest);
    match computed.filter(|computed| computed.value.algorithm() == *algorithm) {
        Some(computed) if computed.value.base64() == digest => Ok(()),
        _ => Err(Error::Checksum {
            bad_digest: true,
            message: format!("The {} you specified did not match the calculated checksum.", algorithm.name()),
        }),
    }
}

fn bad_request(message: String) -> Error {
    Error::Checksum { bad_digest: false, message }
}
