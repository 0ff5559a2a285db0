//! What a V4 request claims.

use super::canonical::ALGORITHM;
use super::claim::{V4_PARAMETERS, Version, authorization, not_sigv4a, parse_decimal, request_date};
use super::credential::Scope;
use super::{RegionRule, Settings};
use crate::clock::Timestamp;
use crate::s3::check::{Check, Steps};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;

const MALFORMED_HEADER: &str = "The authorization header is malformed; ";

const MALFORMED_CREDENTIAL: &str = "Error parsing the X-Amz-Credential parameter; ";

const SCOPE_TERMINAL: &str = "aws4_request";

/// A V4 claim, by header or query.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct V4Claim {
    pub access_key: String,
    pub scope: Scope,
    /// The date as it is signed: `yyyyMMdd'T'HHmmss'Z'`.
    pub timestamp: String,
    pub date: Timestamp,
    /// Lifetime in seconds; a header has none.
    pub expires_seconds: Option<i64>,
    /// Lower-case names, sorted, each once.
    pub signed_headers: Vec<String>,
    /// As received.
    pub signature: String,
}

impl V4Claim {
    /// Reads the query of a presigned URL.
    ///
    /// # Errors
    /// `AuthorizationQueryParametersError`, in the order in which S3 checks.
    pub(super) fn of_query(request: &Request, settings: &Settings, steps: &mut Steps) -> Result<Self, Error> {
        let query = request.query();
        let refuse = |message: String| ErrorCode::AuthorizationQueryParametersError.with_message(message);
        // A repeated parameter can only be an attack or a mistake: which of the two would be meant?
        if V4_PARAMETERS.iter().any(|name| query.count(name) != 1) {
            return Err(ErrorCode::AuthorizationQueryParametersError.error().check(Check::Parameters));
        }
        steps.pass(Check::Parameters);
        let value = |name| query.value(name).unwrap_or_default();
        match value("X-Amz-Algorithm") {
            ALGORITHM => steps.pass(Check::Algorithm),
            "AWS4-ECDSA-P256-SHA256" => return Err(not_sigv4a("X-Amz-Algorithm")),
            _ => {
                return Err(refuse(format!(
                    "X-Amz-Algorithm only supports \"{ALGORITHM} and AWS4-ECDSA-P256-SHA256\""
                ))
                .check(Check::Algorithm));
            }
        }
        let (access_key, scope) = parse_credential(value("X-Amz-Credential"), settings).map_err(|fault| {
            fault.error(ErrorCode::AuthorizationQueryParametersError, MALFORMED_CREDENTIAL)
        })?;
        steps.pass(Check::Credential);
        let timestamp = value("X-Amz-Date").to_owned();
        let date = Timestamp::parse_iso_basic(&timestamp).ok_or_else(|| {
            refuse("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"".to_owned())
                .check(Check::Date)
        })?;
        steps.pass(Check::Date);
        if !timestamp.starts_with(&scope.date) {
            return Err(refuse(format!(
                "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
                scope.date,
                timestamp.get(..8).unwrap_or_default()
            ))
            .check(Check::CredentialDate));
        }
        steps.pass(Check::CredentialDate);
        let expires_seconds = parse_expires(value("X-Amz-Expires"), settings.expires_v4_seconds_max)?;
        steps.pass(Check::Expires);
        let signed_headers = parse_signed_headers(value("X-Amz-SignedHeaders")).ok_or_else(|| {
            refuse(format!("X-Amz-SignedHeaders must not name more than {SIGNED_HEADERS_MAX} headers"))
                .check(Check::SignedHeaders)
        })?;
        steps.pass(Check::SignedHeaders);
        Ok(Self {
            access_key,
            scope,
            timestamp,
            date,
            expires_seconds: Some(expires_seconds),
            signed_headers,
            signature: value("X-Amz-Signature").to_owned(),
        })
    }

    /// Reads an `Authorization` header.
    ///
    /// # Errors
    /// `AuthorizationHeaderMalformed`, in the order in which S3 checks; `AccessDenied` without a usable date.
    pub(super) fn of_header(
        request: &Request,
        settings: &Settings,
        steps: &mut Steps,
    ) -> Result<Self, Error> {
        let refuse = |message: String| {
            ErrorCode::AuthorizationHeaderMalformed
                .with_message(format!("{MALFORMED_HEADER}{message}"))
                .check(Check::AuthorizationHeader)
        };
        let header = authorization(request).unwrap_or_default();
        let rest = header.split_once(' ').map_or("", |(_, rest)| rest);
        let components: Vec<&str> = rest.split(',').map(str::trim).collect();
        if components.len() != 3 {
            return Err(refuse(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature."
                    .to_owned(),
            ));
        }
        let mut pairs = Vec::with_capacity(3);
        for component in components {
            match component.split_once('=') {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => pairs.push((name, value)),
                _ => {
                    return Err(refuse(format!("the authorization component \"{component}\" is malformed.")));
                }
            }
        }
        let component = |wanted: &str| {
            let found = pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
            found.ok_or_else(|| refuse(format!("missing {wanted}.")))
        };
        let (credential, signed_headers, signature) =
            (component("Credential")?, component("SignedHeaders")?, component("Signature")?);
        steps.pass(Check::AuthorizationHeader);
        let (access_key, scope) = parse_credential(credential, settings)
            .map_err(|fault| fault.error(ErrorCode::AuthorizationHeaderMalformed, MALFORMED_HEADER))?;
        steps.pass(Check::Credential);
        let (date, _) = request_date(request, Version::V4)?;
        steps.pass(Check::Date);
        let timestamp = date.iso_basic();
        if !timestamp.starts_with(&scope.date) {
            return Err(refuse("Invalid credential date. Date is not the same as X-Amz-Date.".to_owned())
                .check(Check::CredentialDate));
        }
        steps.pass(Check::CredentialDate);
        let signed_headers = parse_signed_headers(signed_headers).ok_or_else(|| {
            refuse(format!("SignedHeaders must not name more than {SIGNED_HEADERS_MAX} headers."))
        })?;
        steps.pass(Check::SignedHeaders);
        Ok(Self {
            access_key,
            scope,
            timestamp,
            date,
            expires_seconds: None,
            signed_headers,
            signature: signature.to_owned(),
        })
    }
}

/// Most names in a list of signed headers.
const SIGNED_HEADERS_MAX: usize = 100;

/// The names of a list; `None` beyond [`SIGNED_HEADERS_MAX`].
fn parse_signed_headers(list: &str) -> Option<Vec<String>> {
    if list.split(';').count() > SIGNED_HEADERS_MAX {
        return None;
    }
    let mut names: Vec<String> = list
        .split(';')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// Why a credential was refused; header and query put different prefixes before the same text.
#[derive(Debug)]
struct CredentialFault {
    message: String,
    region: Option<String>,
}

impl CredentialFault {
    fn error(self, code: ErrorCode, prefix: &str) -> Error {
        let error = code.with_message(format!("{prefix}{}", self.message)).check(Check::Credential);
        match self.region {
            Some(region) => error.with("Region", region).check(Check::Region),
            None => error,
        }
    }
}

/// Parses `AKID/yyyyMMdd/region/s3/aws4_request`, from the right so that keys with a slash work.
fn parse_credential(text: &str, settings: &Settings) -> Result<(String, Scope), CredentialFault> {
    let fault = |message: String| CredentialFault { message, region: None };
    let mut parts = text.rsplitn(5, '/');
    let (Some(terminal), Some(service), Some(region), Some(date), Some(access_key)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(fault(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .to_owned(),
        ));
    };
    if access_key.is_empty() {
        return Err(fault("a non-empty Access Key (AKID) must be provided in the credential.".to_owned()));
    }
    if !Timestamp::is_date_stamp(date) {
        return Err(fault(format!(
            "incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\"."
        )));
    }
    if let RegionRule::Only(expected) = &settings.region
        && region != expected
    {
        return Err(CredentialFault {
            message: format!("the region '{region}' is wrong; expecting '{expected}'"),
            region: Some(expected.clone()),
        });
    }
    if service != "s3" {
        return Err(fault(format!("incorrect service \"{service}\". This endpoint belongs to \"s3\".")));
    }
    if terminal != SCOPE_TERMINAL {
        return Err(fault(format!(
            "incorrect terminal \"{terminal}\". This endpoint uses \"{SCOPE_TERMINAL}\"."
        )));
    }
    Ok((access_key.to_owned(), Scope { date: date.to_owned(), region: region.to_owned() }))
}

/// Parses `X-Amz-Expires`.
fn parse_expires(text: &str, seconds_max: i64) -> Result<i64, Error> {
    let refuse = |message: String| {
        ErrorCode::AuthorizationQueryParametersError.with_message(message).check(Check::Expires)
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let seconds =
        parse_decimal(digits).ok_or_else(|| refuse("X-Amz-Expires should be a number".to_owned()))?;
    if negative && seconds > 0 {
        return Err(refuse("X-Amz-Expires must be non-negative".to_owned()));
    }
    if seconds > seconds_max {
        return Err(refuse(match seconds_max {
            Settings::EXPIRES_V4_SECONDS_DEFAULT => "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds".to_owned(),
            other => format!("X-Amz-Expires must be less than {other} seconds, the limit of this server"),
        }));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_is_a_plain_number() {
        let week = Settings::EXPIRES_V4_SECONDS_DEFAULT;
        assert_eq!(parse_expires("604800", week), Ok(604_800));
        assert_eq!(parse_expires("0", week), Ok(0));
        for (text, message) in [
            ("", "should be a number"),
            ("1.0", "should be a number"),
            ("+5", "should be a number"),
            (" 5", "should be a number"),
            ("5s", "should be a number"),
            ("9223372036854775808", "should be a number"),
            ("-1", "must be non-negative"),
            ("604801", "less than a week"),
        ] {
            let error = parse_expires(text, week).expect_err(text);
            assert!(error.message().contains(message), "{text}: {}", error.message());
        }
    }

    #[test]
    fn credentials_are_split_from_the_right() {
        let settings = Settings { region: RegionRule::Any, ..Settings::default() };
        let (key, scope) = parse_credential("a/b/20240102/eu/s3/aws4_request", &settings).expect("valid");
        assert_eq!((key.as_str(), scope.region.as_str()), ("a/b", "eu"));
        for (text, part) in [
            ("k/20240102/eu/s3", "mal-formed"),
            ("/20240102/eu/s3/aws4_request", "non-empty"),
            ("k/2024-01-02/eu/s3/aws4_request", "date format"),
            ("k/20240102/eu/sns/aws4_request", "service"),
            ("k/20240102/eu/s3/aws3_request", "terminal"),
            ("k%2F20240102%2Feu%2Fs3%2Faws4_request", "mal-formed"),
        ] {
            let fault = parse_credential(text, &settings).expect_err(text);
            assert!(fault.message.contains(part), "{text}: {}", fault.message);
        }
    }
}
