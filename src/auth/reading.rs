//! One signed value has one reading: what could be signed as one thing and read as another is refused.
//!
//! A signature covers a text, and the server acts on what it reads. Where several requests have the same text,
//! anyone who holds one of them could send another.

use std::collections::HashMap;

use super::claim::Mechanism;
use super::v2;
use crate::s3::check::Check;
use crate::s3::checksum::Algorithm;
use crate::s3::error::Error;
use crate::s3::operation::Operation;
use crate::s3::request::{Request, is_amz};

/// S3 lets an unsigned header of this name pass besides a signed parameter.
const CONTENT_SHA256: &str = "x-amz-content-sha256";
const COPY_SOURCE: &str = "x-amz-copy-source";

/// Refuses a request that can be read in more than one way. To be asked when the signature has been judged: a wrong
/// one is the first thing that S3 tells of.
///
/// # Errors
/// `InvalidArgument`, with the name in lower case.
pub(super) fn check(request: &Request, mechanism: Mechanism) -> Result<(), Error> {
    check_names(request)?;
    if mechanism.is_v2() {
        check_v2(request)?;
    }
    check_copy_source(request)
}

/// An `x-amz-*` name may stand in the headers, on several lines that make one value, or in the query, in any case;
/// in several places only with one value.
fn check_names(request: &Request) -> Result<(), Error> {
    let has_headers = request.has_amz_headers();
    if !has_headers && !may_repeat(request) {
        return Ok(());
    }
    let mut first_values = HashMap::new();
    for (name, value) in request.query().iter() {
        if !is_amz(name) || is(name, CONTENT_SHA256) {
            continue;
        }
        let first = *first_values.entry(name.to_ascii_lowercase()).or_insert(value);
        if first != value || (has_headers && stands_in_headers(request, name, value)) {
            return Err(ambiguous(name, value));
        }
    }
    Ok(())
}

/// Whether an `x-amz-*` name may stand in the query twice. Those of a presigned URL have different lengths or last letters,
/// so that nearly no query is looked at any closer.
fn may_repeat(request: &Request) -> bool {
    let mut seen: u128 = 0;
    request.query().iter().any(|(name, _)| {
        let last = name.bytes().next_back().unwrap_or_default();
        let bit = 1 << (name.len() % 4 * 32 + usize::from(last % 32));
        let is_new = seen & bit == 0;
        seen |= if is_amz(name) { bit } else { 0 };
        !is_new && is_amz(name)
    })
}

/// Whether the headers have the name with another value. It is one of a header if it can be one at all.
fn stands_in_headers(request: &Request, name: &str, value: &str) -> bool {
    let mut lines = request.headers().get_all(name).iter().map(|line| line.as_bytes().trim_ascii());
    let Some(first) = lines.next() else {
        return false;
    };
    let joined = lines.fold(first.to_vec(), |all, next| [&all, &b","[..], next].concat());
    joined != value.trim().as_bytes()
}

/// A listed header that is absent is signed as one that is empty. Whether there is a copy source decides what is asked.
///
/// # Errors
/// As [`check`].
pub(super) fn check_listed(request: &Request, signed_headers: &[String]) -> Result<(), Error> {
    match signed_headers.iter().any(|name| name == COPY_SOURCE) && request.amz(COPY_SOURCE).is_none() {
        true => Err(ambiguous(COPY_SOURCE, "")),
        false => Ok(()),
    }
}

/// V2 signs a parameter as the header of its name; these are read in the headers only, or otherwise there.
fn is_header(name: &str, value: &str, operation: Operation) -> bool {
    const TRAILER: &str = "x-amz-trailer";
    let is_checksum = || Algorithm::of_header(&name.to_ascii_lowercase()).is_some();
    let is_upload = matches!(operation, Operation::PutObject | Operation::UploadPart);
    let is_metadata = || name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-meta-"));
    is(name, TRAILER) || (!is_upload && is_checksum()) || (is_metadata() && value.contains("=?"))
}

/// V2 signs what is decoded. A control character would be signed as a blank, and what follows an `&` in a value
/// as a parameter of its own.
fn check_v2(request: &Request) -> Result<(), Error> {
    for (name, value) in request.query().iter() {
        let has_control = is_amz(name) && (name.chars().chain(value.chars())).any(|c| c.is_ascii_control());
        let swallows = || {
            let behind =
                value.split('&').skip(1).map(|piece| piece.split_once('=').map_or(piece, |(name, _)| name));
            v2::is_signed(name) && behind.into_iter().any(v2::is_signed)
        };
        if has_control || swallows() || (is_amz(name) && is_header(name, value, request.operation())) {
            return Err(ambiguous(name, value));
        }
    }
    Ok(())
}

/// V4 signs a run of blanks as one: two keys would have one signature. An encoded blank is none.
fn check_copy_source(request: &Request) -> Result<(), Error> {
    let white = |byte: &u8| matches!(byte, b' ' | b'\t');
    for line in request.headers().get_all(COPY_SOURCE) {
        let line = line.as_bytes().trim_ascii();
        if line.contains(&b'\t') || line.windows(2).any(|pair| pair.iter().all(white)) {
            return Err(ambiguous(COPY_SOURCE, &String::from_utf8_lossy(line)));
        }
    }
    Ok(())
}

fn ambiguous(name: &str, value: &str) -> Error {
    let message = "The value of this argument can be read in more than one way";
    Error::invalid_argument(message, name.to_ascii_lowercase(), value).check(Check::OneReading)
}

fn is(name: &str, other: &str) -> bool {
    name.eq_ignore_ascii_case(other)
}
