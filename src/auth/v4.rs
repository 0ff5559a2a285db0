//! Signature Version 4, in the `Authorization` header and in the query of a presigned URL.

use std::borrow::Cow;

use super::canonical::{
    CanonicalRequest, Parts, UNSIGNED_PAYLOAD, canonical_query, folded, spaced_hex, string_to_sign,
};
use super::claim::Mechanism;
use super::claim_v4::V4Claim;
use super::credential::{Key, SigningKey};
use super::payload::{ChunkSigning, Payload};
use super::reading;
use super::{Examiner, Trace, check_token, default_port_variants, mismatch, request_token};
use crate::s3::check::{Check, Steps};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;

const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// Judges a V4 request: the key it was signed with, and what it says of its body.
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
    let is_url = mechanism == Mechanism::V4Query;
    let claim = match is_url {
        true => V4Claim::of_query(request, examiner.settings, steps)?,
        false => V4Claim::of_header(request, examiner.settings, steps)?,
    };
    match claim.expires_seconds {
        Some(seconds) => check_lifetime(&claim, seconds, examiner, steps)?,
        None => {
            examiner.check_skew(claim.date, &sent_date(request))?;
            steps.pass(Check::Skew);
        }
    }
    let key = examiner.key(&claim.access_key)?;
    steps.pass(Check::AccessKey);
    check_headers_signed(request, &claim.signed_headers)?;
    steps.pass(Check::HeadersSigned);
    check_token(key, request_token(request).as_deref())?;
    steps.pass(Check::Token);
    let literals = payload_literals(request, mechanism, &claim.signed_headers)?;
    steps.pass(Check::PayloadHash);
    let signing_key = check_signature(request, &claim, key, &literals, trace)?;
    trace.steps.pass(Check::Signature);
    reading::check_listed(request, &claim.signed_headers)?;
    let payload = match is_url {
        true => Payload::of_presigned(&literals),
        false => {
            let signing =
                ChunkSigning::new(signing_key, &claim, trace.canonical_request.clone().unwrap_or_default());
            let literal = literals.first().map(Cow::as_ref).unwrap_or_default();
            Payload::of_header(literal, Some(signing), request.operation())?
        }
    };
    Ok((key, payload))
}

/// The date of a header-signed request as it was sent.
fn sent_date(request: &Request) -> String {
    let amz = request.amz("x-amz-date").map(Cow::into_owned);
    amz.or_else(|| request.header("date").map(Cow::into_owned)).unwrap_or_default()
}

fn check_lifetime(
    claim: &V4Claim,
    seconds: i64,
    examiner: &Examiner<'_>,
    steps: &mut Steps,
) -> Result<(), Error> {
    let (now, expires) = (examiner.now, claim.date.plus_seconds(seconds));
    if claim.date > now.plus_seconds(examiner.settings.future_tolerance_seconds) {
        return Err(ErrorCode::AccessDenied
            .with_message("Request is not yet valid")
            .with("X-Amz-Date", claim.date.unix_millis().to_string())
            .with("Expires", expires.iso_seconds())
            .with("ServerTime", now.iso_seconds())
            .check(Check::NotYetValid));
    }
    steps.pass(Check::NotYetValid);
    if now > expires {
        return Err(ErrorCode::AccessDenied
            .with_message("Request has expired")
            .with("X-Amz-Expires", seconds.to_string())
            .with("Expires", expires.iso_seconds())
            .with("ServerTime", now.iso_seconds())
            .check(Check::Expired));
    }
    steps.pass(Check::Expired);
    Ok(())
}

/// Every `x-amz-*` header, `Content-MD5` and the host must be signed: anyone who passes a URL on could add them.
fn check_headers_signed(request: &Request, signed: &[String]) -> Result<(), Error> {
    let unsigned = |name: &str| signed.binary_search_by(|known| known.as_str().cmp(name)).is_err();
    let mut missing: Vec<&str> = request
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| (name.starts_with("x-amz-") && *name != CONTENT_SHA256) || *name == "content-md5")
        .chain(["host"])
        .filter(|name| unsigned(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    missing.dedup();
    Err(ErrorCode::AccessDenied
        .with_message("There were headers present in the request which were not signed")
        .with("HeadersNotSigned", missing.join(", "))
        .check(Check::HeadersSigned))
}

/// The literals that may stand at the end of the canonical request, the likeliest first.
fn payload_literals<'r>(
    request: &'r Request,
    mechanism: Mechanism,
    signed: &[String],
) -> Result<Vec<Cow<'r, str>>, Error> {
    let header = request.header(CONTENT_SHA256);
    if mechanism == Mechanism::V4Header {
        return match header {
            Some(literal) => Ok(vec![literal]),
            None => Err(ErrorCode::InvalidRequest
                .with_message("Missing required header for this request: x-amz-content-sha256")
                .check(Check::PayloadHash)),
        };
    }
    let in_query = request.query().value_any_case(CONTENT_SHA256).map(Cow::Borrowed);
    let listed = signed.iter().any(|name| name == CONTENT_SHA256);
    Ok(match (in_query, header) {
        (Some(literal), _) => vec![literal],
        (None, Some(literal)) if listed => vec![literal],
        (None, Some(literal)) if literal != UNSIGNED_PAYLOAD => {
            vec![Cow::Borrowed(UNSIGNED_PAYLOAD), literal]
        }
        (None, _) => vec![Cow::Borrowed(UNSIGNED_PAYLOAD)],
    })
}

/// Compares the signature, in constant time, with that of every form the client may have signed.
fn check_signature(
    request: &Request,
    claim: &V4Claim,
    key: &Key,
    literals: &[Cow<'_, str>],
    trace: &mut Trace,
) -> Result<SigningKey, Error> {
    let signing_key = key.signing_key(&claim.scope);
    // Only host and payload differ between the forms; the rest is made once.
    let query = canonical_query(request.query().iter());
    let mut headers: Vec<(&str, Cow<'_, [u8]>)> =
        claim.signed_headers.iter().map(|name| (name.as_str(), signed_value(request, name))).collect();
    let mut matches = |host: &str, payload: &str| {
        if let Some((_, value)) = headers.iter_mut().find(|(name, _)| *name == "host") {
            *value = Cow::Owned(folded(host.as_bytes()).into_owned());
        }
        let canonical = CanonicalRequest::render(&Parts {
            method: request.method().as_str(),
            path: request.path().decoded(),
            query: &query,
            headers: &headers,
            payload,
        });
        let text = string_to_sign(&claim.timestamp, &claim.scope, &canonical);
        (signing_key.sign(&text).matches(&claim.signature), canonical, text)
    };
    let mut as_received = None;
    // Nearly always the client signed the host as it sent it: the other forms are made when they are needed.
    let as_sent = std::iter::once_with(|| vec![request.host().to_owned()]);
    let others = std::iter::once_with(|| default_port_variants(request.host()).split_off(1));
    for host in as_sent.chain(others).flatten() {
        for literal in literals {
            let (matched, canonical, text) = matches(&host, literal);
            if matched {
                key.remember(&claim.scope, &signing_key);
                trace.canonical_request = Some(canonical);
                trace.string_to_sign = Some(text);
                return Ok(signing_key);
            }
            as_received.get_or_insert((canonical, text));
        }
    }
    let (canonical, text) = as_received.unwrap_or_default();
    let error = mismatch(&claim.access_key, &text, &claim.signature)
        .with("CanonicalRequest", canonical.to_string())
        .with("CanonicalRequestBytes", spaced_hex(canonical.as_bytes()));
    trace.canonical_request = Some(canonical);
    trace.string_to_sign = Some(text);
    Err(error)
}

/// The value of a signed header. One that is absent is empty, unless it is an `x-amz-*` that was hoisted.
fn signed_value<'r>(request: &'r Request, name: &str) -> Cow<'r, [u8]> {
    let mut values = request.headers().get_all(name).iter().map(|value| folded(value.as_bytes()));
    match values.next() {
        Some(first) => values.fold(first, |all, next| Cow::Owned([&all, &b","[..], &next].concat())),
        None if name.starts_with("x-amz-") => {
            folded(request.query().value_any_case(name).unwrap_or_default().as_bytes())
        }
        None => Cow::Borrowed(b""),
    }
}
