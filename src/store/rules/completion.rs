//! What the parts of an upload make: ETag, size and checksum of the object, compared with what the client named.

use fast_md5::Md5;

use crate::s3::checksum::{Algorithm, Checksum, ChecksumType, Hasher};
use crate::s3::name::{ETag, PartNumber};
use crate::store::Error;
use crate::store::error::ChecksumFault;
use crate::store::model::{
    COMPLETED_BYTES_MAX, Completion, NamedPart, ObjectChecksum, PART_BYTES_MIN, Part, Upload,
};

/// How long a completion is remembered: S3 was seen to answer repetitions for about a day.
pub(in crate::store) const COMPLETION_MILLIS_MAX: i64 = 24 * 60 * 60 * 1000;

/// The object that parts make.
pub(in crate::store) struct Completed {
    pub etag: ETag,
    pub size: u64,
    pub checksum: Option<ObjectChecksum>,
}

/// Decides on a completion; `find` finds the parts that it names, in order.
///
/// # Errors
/// Returns what is wrong with parts, sizes and checksums, and what `find` fails with.
pub(in crate::store) fn complete(
    upload: &Upload,
    completion: &Completion,
    find: impl FnMut(PartNumber) -> Result<Option<Part>, Error>,
) -> Result<Completed, Error> {
    let parts = named_parts(completion, find)?;
    let size = parts.iter().map(|(_, part)| part.size).sum();
    if size > COMPLETED_BYTES_MAX {
        return Err(Error::ObjectTooLarge { size });
    }
    if let Some(named) = completion.size.filter(|named| *named != size) {
        return Err(Error::SizeMismatch { named, computed: size });
    }
    let checksum = combined_checksum(&parts, upload.checksum, completion)?;
    check_checksum(checksum, upload.checksum, completion)?;
    let count = u16::try_from(parts.len()).ok().ok_or(Error::InvalidPartOrder)?;
    let mut digests = Md5::new();
    parts.iter().for_each(|(_, part)| digests.update(part.etag.md5()));
    Ok(Completed { etag: ETag::multipart(digests.finalize(), count), size, checksum })
}

/// The parts a completion names, each checked.
fn named_parts(
    completion: &Completion,
    mut find: impl FnMut(PartNumber) -> Result<Option<Part>, Error>,
) -> Result<Vec<(&NamedPart, Part)>, Error> {
    let ascending = completion.parts.iter().zip(completion.parts.iter().skip(1));
    if ascending.into_iter().any(|(one, two)| one.number >= two.number) {
        return Err(Error::InvalidPartOrder);
    }
    let mut parts = Vec::with_capacity(completion.parts.len());
    for named in &completion.parts {
        let part = find(named.number)?.filter(|part| named.etag == Some(part.etag));
        let invalid = || Error::InvalidPart { number: named.number, etag: named.etag_text.clone() };
        parts.push((named, part.ok_or_else(invalid)?));
    }
    let small = parts
        .split_last()
        .and_then(|(_, all_but_last)| all_but_last.iter().find(|(_, part)| part.size < PART_BYTES_MIN));
    match small {
        Some((named, part)) => {
            let (number, etag) = (named.number, named.etag_text.clone());
            Err(Error::PartTooSmall { number, etag, size: part.size })
        }
        None => Ok(parts),
    }
}

/// The checksum of the object: of the whole, or of its parts' checksums, as the upload was started. Without a choice
/// it is a CRC64NVME of the whole, whatever the parts came with.
///
/// # Errors
/// [`Error::Checksum`], and [`Error::InvalidPart`] for a part that is named with a checksum which it has not.
fn combined_checksum(
    parts: &[(&NamedPart, Part)],
    chosen: Option<(Algorithm, ChecksumType)>,
    completion: &Completion,
) -> Result<Option<ObjectChecksum>, Error> {
    if completion.checksum_type.is_some_and(|named| chosen.map(|(_, kind)| kind) != Some(named)) {
        return Err(Error::Checksum(ChecksumFault::Type(chosen.map(|(_, kind)| kind))));
    }
    let (algorithm, kind) = chosen.unwrap_or((Algorithm::Crc64Nvme, ChecksumType::FullObject));
    let mut values = Vec::with_capacity(parts.len());
    for (named, part) in parts {
        check_part_checksum(named, part, chosen)?;
        match part.checksum.filter(|checksum| checksum.algorithm() == algorithm) {
            Some(checksum) => values.push((checksum, part.size)),
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
        return Err(Error::Checksum(ChecksumFault::Missing { algorithm, part: named.number }));
    }
    for (algorithm, text) in &named.checksums {
        if chosen.is_some_and(|(chosen, _)| chosen != *algorithm) {
            return Err(Error::Checksum(ChecksumFault::OfPart { algorithm: *algorithm, part: named.number }));
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
fn check_checksum(
    computed: Option<ObjectChecksum>,
    chosen: Option<(Algorithm, ChecksumType)>,
    completion: &Completion,
) -> Result<(), Error> {
    let Some((algorithm, text)) = &completion.checksum else {
        return Ok(());
    };
    let differs = |algorithm| Error::Checksum(ChecksumFault::Whole(algorithm));
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
