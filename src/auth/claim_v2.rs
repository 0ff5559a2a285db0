//! What a V2 request claims.

use super::claim::{V2_PARAMETERS, Version, authorization, parse_decimal, request_date};
use crate::clock::Timestamp;
use crate::s3::check::{Check, Steps};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;

/// A V2 claim, by header or query.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct V2Claim {
    pub access_key: String,
    /// Base64 as received. A raw `+` is a blank, as in any query, and so no base64.
    pub signature: String,
    /// The date line of the string to sign.
    pub date_line: String,
    pub lifetime: V2Lifetime,
}

/// Until when a V2 signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum V2Lifetime {
    /// A URL, until this moment, which is not parsed yet: S3 asks for the key first.
    Expires(String),
    /// A header, for 15 minutes around this date, which was sent in this form.
    Dated(Timestamp, String),
}

impl V2Claim {
    /// Reads the query of a presigned URL.
    ///
    /// # Errors
    /// `AccessDenied` if a parameter is missing.
    pub(super) fn of_query(request: &Request, steps: &mut Steps) -> Result<Self, Error> {
        let query = request.query();
        if V2_PARAMETERS.iter().any(|name| query.count(name) != 1) {
            return Err(ErrorCode::AccessDenied
                .with_message("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
                .check(Check::Parameters));
        }
        steps.pass(Check::Parameters);
        let value = |name| query.value(name).unwrap_or_default();
        let expires = value("Expires");
        Ok(Self {
            access_key: value("AWSAccessKeyId").to_owned(),
            signature: value("Signature").to_owned(),
            date_line: expires.to_owned(),
            lifetime: V2Lifetime::Expires(expires.to_owned()),
        })
    }

    /// Reads an `Authorization` header.
    ///
    /// # Errors
    /// `InvalidArgument` without a colon, `AccessDenied` without a usable date.
    pub(super) fn of_header(request: &Request, steps: &mut Steps) -> Result<Self, Error> {
        let header = authorization(request).unwrap_or_default();
        let rest = header.split_once(' ').map_or("", |(_, rest)| rest.trim());
        let (access_key, signature) = rest.split_once(':').ok_or_else(|| {
            Error::invalid_argument(
                "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
                "Authorization",
                header.as_str(),
            )
            .check(Check::AuthorizationHeader)
        })?;
        steps.pass(Check::AuthorizationHeader);
        let (date, sent) = request_date(request, Version::V2)?;
        steps.pass(Check::Date);
        let date_line = match request.amz("x-amz-date") {
            Some(_) => String::new(),
            None => sent.clone(),
        };
        Ok(Self {
            access_key: access_key.to_owned(),
            signature: signature.to_owned(),
            date_line,
            lifetime: V2Lifetime::Dated(date, sent),
        })
    }
}

/// Last second of a V2 URL: beyond it S3 sees no date.
const V2_EXPIRES_MAX: i64 = 2_147_483_647;

/// Parses the `Expires` of a V2 URL.
///
/// # Errors
/// `AccessDenied` if it is not a date.
pub(super) fn parse_v2_expires(text: &str) -> Result<Timestamp, Error> {
    let seconds = parse_decimal(text).filter(|&seconds| seconds <= V2_EXPIRES_MAX).ok_or_else(|| {
        ErrorCode::AccessDenied
            .with_message(format!("Invalid date (should be seconds since epoch): {text}"))
            .check(Check::Expires)
    })?;
    Ok(Timestamp::from_unix_seconds(seconds))
}
