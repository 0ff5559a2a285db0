//! Signature Version 2, in the `Authorization` header and in the query of a presigned URL.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use super::claim::Mechanism;
use super::claim_v2::{V2Claim, V2Lifetime, parse_v2_expires};
use super::credential::Key;
use super::payload::Payload;
use super::{Examiner, Trace, check_token, mismatch, request_token};
use crate::clock::Timestamp;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::target::{Style, Target};

/// Parameters that are signed besides those that select an operation: what S3 documents and clients sign.
const SIGNED_PARAMETERS: [&str; 11] = [
    "defaultObjectAcl",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "storageClass",
    "versionId",
];

/// Whether a query parameter is signed. Not all that select an operation are documented for V2; unsigned, anyone who
/// holds a URL could change what it does.
pub(super) fn is_signed(name: &str) -> bool {
    SIGNED_PARAMETERS.contains(&name) || Operation::is_sub_resource(name)
}

/// Judges a V2 request: the key it was signed with, and what it says of its body.
///
/// # Errors
/// The first check that failed, in the order of S3.
pub(super) fn judge<'k>(
    request: &Request,
    mechanism: Mechanism,
    examiner: &'k Examiner<'_>,
    trace: &mut Trace,
) -> Result<(&'k Key, Payload), Error> {
    let steps = &mut trace.steps;
    let claim = match mechanism == Mechanism::V2Query {
        true => V2Claim::of_query(request, steps)?,
        false => V2Claim::of_header(request, steps)?,
    };
    if let V2Lifetime::Dated(date, sent) = &claim.lifetime {
        examiner.check_skew(*date, sent)?;
        steps.pass(Check::Skew);
    }
    let key = examiner.key(&claim.access_key)?;
    steps.pass(Check::AccessKey);
    check_token(key, request_token(request).as_deref())?;
    steps.pass(Check::Token);
    if let V2Lifetime::Expires(expires) = &claim.lifetime {
        check_lifetime(parse_v2_expires(expires)?, examiner)?;
        steps.pass(Check::Expired);
    }
    check_signature(request, &claim, key, trace)?;
    trace.steps.pass(Check::Signature);
    let literal = request.amz("x-amz-content-sha256");
    let payload = match (mechanism, literal) {
        (_, None) => Payload::Unsigned,
        (Mechanism::V2Query, Some(literal)) => Payload::of_presigned(&[literal]),
        (_, Some(literal)) => Payload::of_header(&literal, None, request.operation())?,
    };
    Ok((key, payload))
}

fn check_lifetime(expires: Timestamp, examiner: &Examiner<'_>) -> Result<(), Error> {
    let now = examiner.now;
    if now > expires {
        return Err(ErrorCode::AccessDenied
            .with_message("Request has expired")
            .with("Expires", expires.iso_seconds())
            .with("ServerTime", now.iso_seconds())
            .check(Check::Expired));
    }
    match examiner.settings.expires_v2_seconds_max {
        Some(max) if expires > now.plus_seconds(max) => Err(ErrorCode::AccessDenied
            .with_message(format!(
                "Request expires more than {max} seconds from now, the limit of this server"
            ))
            .with("Expires", expires.iso_seconds())
            .with("ServerTime", now.iso_seconds())
            .check(Check::Expires)),
        _ => Ok(()),
    }
}

fn check_signature(request: &Request, claim: &V2Claim, key: &Key, trace: &mut Trace) -> Result<(), Error> {
    // Invalid base64 decodes to nothing, which never matches.
    let provided = STANDARD.decode(&claim.signature).unwrap_or_default();
    let matches = |bucket_slash| {
        let text = string_to_sign(request, &claim.date_line, bucket_slash);
        let matched = bool::from(key.secret().hmac_sha1(&text).as_slice().ct_eq(&provided));
        (matched, String::from_utf8_lossy(&text).into_owned())
    };
    let (matched, as_sent) = matches(false);
    trace.string_to_sign = Some(as_sent.clone());
    if matched {
        return Ok(());
    }
    // Some clients sign `/bucket` as `/bucket/`.
    if matches!(request.target(), Target::Bucket(_)) && !request.path().raw().ends_with('/') {
        let (matched, text) = matches(true);
        if matched {
            trace.string_to_sign = Some(text);
            return Ok(());
        }
    }
    Err(mismatch(&claim.access_key, &as_sent, &claim.signature))
}

fn string_to_sign(request: &Request, date_line: &str, bucket_slash: bool) -> Vec<u8> {
    // Only headers count, even where a client has put a copy of them into the query.
    let header = |name: &str| {
        let lines = request.headers().get_all(name).iter().map(|value| value.as_bytes());
        // What is read is all lines, so that is what is signed.
        lines.collect::<Vec<_>>().join(&b","[..])
    };
    let (md5, content_type, date_line) = (header("content-md5"), header("content-type"), one_line(date_line));
    let mut text = Vec::with_capacity(256);
    let method = request.method().as_str().as_bytes();
    for line in [method, &md5, &content_type, &date_line] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    push_amz_headers(&mut text, request);
    push_resource(&mut text, request, bucket_slash);
    text
}

/// CanonicalizedAmzHeaders: headers and hoisted parameters alike, one line for each name. Unlike V4, V2 keeps
/// runs of blanks within a value.
fn push_amz_headers(text: &mut Vec<u8>, request: &Request) {
    let mut lines: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, value) in request.headers() {
        if name.as_str().starts_with("x-amz-") {
            lines.entry(name.as_str().to_owned()).or_default().push(value.as_bytes().trim_ascii().to_vec());
        }
    }
    for (name, value) in request.query().iter() {
        let name = name.to_ascii_lowercase();
        if name.starts_with("x-amz-") {
            let name = String::from_utf8_lossy(&one_line(&name)).replace(':', " ");
            let (values, value) = (lines.entry(name).or_default(), one_line(value));
            // A client that sends a hoisted header as well has signed it once.
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    for (name, values) in lines {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&values.join(&b','));
        text.push(b'\n');
    }
}

/// A text of the query as it may stand in a line: without line ends, with which one value could pass for several
/// lines and so one signed request for another.
fn one_line(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte < b' ' { b' ' } else { byte }).collect()
}

/// CanonicalizedResource: the bucket of the host, the path as sent, the signed parameters.
fn push_resource(text: &mut Vec<u8>, request: &Request, bucket_slash: bool) {
    if let (Style::VirtualHosted, Some(bucket)) = (request.style(), request.target().bucket_text()) {
        text.push(b'/');
        text.extend_from_slice(bucket.as_bytes());
    }
    text.extend_from_slice(request.path().raw().as_bytes());
    if bucket_slash {
        text.push(b'/');
    }
    text.extend_from_slice(signed_parameters(request.query().iter()).as_bytes());
}

/// The parameters that are signed, as they end the resource: `?a=1&b`; empty if there is none.
pub(super) fn signed_parameters<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut parameters: Vec<(&str, &str)> = query.filter(|(name, _)| is_signed(name)).collect();
    parameters.sort_unstable();
    let mut text = String::new();
    for (position, (name, value)) in parameters.into_iter().enumerate() {
        text.push(if position == 0 { '?' } else { '&' });
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            text.push_str(value);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_selects_an_operation_is_signed() {
        for word in Operation::sub_resources().chain(["partNumber", "versionId"]) {
            assert_eq!(signed_parameters([(word, "")].into_iter()), format!("?{word}"));
        }
        assert_eq!(signed_parameters([("prefix", "a"), ("x-id", "GetObject")].into_iter()), "");
    }
}
