//! What a request claims to be: which mechanism it uses, and its parameters, parsed but not yet believed.

use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::s3::check::{Check, Steps};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::hex_encode;
use crate::s3::request::Request;

use super::canonical::ALGORITHM;
use super::credential::Scope;
use super::{RegionRule, Settings};

/// The mechanism of a request; there is never more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    Anonymous,
    V4Header,
    V4Query,
    V2Header,
    V2Query,
}

impl Mechanism {
    /// Whether it is Signature Version 2.
    pub(super) fn is_v2(self) -> bool {
        matches!(self, Self::V2Header | Self::V2Query)
    }

    /// A word for the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::V4Header => "v4-header",
            Self::V4Query => "v4-query",
            Self::V2Header => "v2-header",
            Self::V2Query => "v2-query",
        }
    }
}

pub(super) const V4_PARAMETERS: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];
const V2_PARAMETERS: [&str; 3] = ["AWSAccessKeyId", "Expires", "Signature"];

/// Whether a query parameter of this name belongs to the signature of a URL, of either version.
pub fn is_signature_parameter(name: &str) -> bool {
    V4_PARAMETERS.contains(&name) || V2_PARAMETERS.contains(&name)
}

const MALFORMED_HEADER: &str = "The authorization header is malformed; ";
const MALFORMED_CREDENTIAL: &str = "Error parsing the X-Amz-Credential parameter; ";
const SCOPE_TERMINAL: &str = "aws4_request";

/// Finds the mechanism.
///
/// # Errors
/// `InvalidArgument` for two at once, for an unknown scheme, and for a header that is no authorization at all.
pub(super) fn mechanism(request: &Request) -> Result<Mechanism, Error> {
    let query = request.query();
    let header = authorization(request);
    let v4 = V4_PARAMETERS.iter().any(|name| query.contains(name));
    let v2 = query.contains("Signature") || query.contains("AWSAccessKeyId");
    if usize::from(header.is_some()) + usize::from(v4) + usize::from(v2) > 1 {
        let value = header.unwrap_or_default();
        return Err(Error::invalid_argument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
            "Authorization",
            value,
        )
        .check(Check::OneMechanism));
    }
    let Some(header) = header else {
        // A lone `Expires` is a V2 URL that lost its other parameters.
        let v2 = v2 || query.contains("Expires");
        return Ok(match (v4, v2) {
            (true, _) => Mechanism::V4Query,
            (false, true) => Mechanism::V2Query,
            (false, false) => Mechanism::Anonymous,
        });
    };
    let refuse = |message: &'static str| {
        Error::invalid_argument(message, "Authorization", header.as_str()).check(Check::AuthorizationHeader)
    };
    match header.split_once(' ') {
        None => Err(refuse("Authorization header is invalid -- one and only one ' ' (space) required.")),
        Some((ALGORITHM, _)) => Ok(Mechanism::V4Header),
        Some(("AWS", _)) => Ok(Mechanism::V2Header),
        Some(("AWS4-ECDSA-P256-SHA256", _)) => Err(not_sigv4a("Authorization")),
        Some(_) => Err(refuse("Unsupported Authorization Type")),
    }
}

/// Who a request says that it is from, before anything is checked: for the log.
pub struct Claimed<'r> {
    /// Empty if there is none.
    pub access_key: &'r str,
    /// The signature of a presigned URL.
    signature: Option<&'r str>,
}

impl<'r> Claimed<'r> {
    /// What query or header say.
    pub fn of(request: &'r Request) -> Self {
        let query = request.query();
        let first = |credential: &'r str| credential.split('/').next().unwrap_or_default();
        if let Some(credential) = query.value("X-Amz-Credential") {
            return Self { access_key: first(credential), signature: query.value("X-Amz-Signature") };
        }
        if let Some(access_key) = query.value("AWSAccessKeyId") {
            return Self { access_key, signature: query.value("Signature") };
        }
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let header = header.unwrap_or_default();
        let access_key = match header.split_once("Credential=") {
            Some((_, credential)) => first(credential),
            None => header.strip_prefix("AWS ").and_then(|pair| pair.split(':').next()).unwrap_or_default(),
        };
        Self { access_key, signature: None }
    }

    /// Tells presigned URLs apart, and is useless for signing: the first 16 hexadecimal digits of the SHA-256 of the
    /// signature.
    pub fn url_id(&self) -> Option<String> {
        let signature = self.signature.filter(|signature| !signature.is_empty())?;
        let digest = Sha256::digest(signature.as_bytes());
        Some(hex_encode(digest.get(..8).unwrap_or_default()))
    }
}

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
const V2_EXPIRES_MAX: i64 = i32::MAX as i64;

/// Parses the `Expires` of a V2 URL.
///
/// # Errors
/// `AccessDenied` if it is no date.
pub(super) fn parse_v2_expires(text: &str) -> Result<Timestamp, Error> {
    let seconds = parse_decimal(text).filter(|&seconds| seconds <= V2_EXPIRES_MAX).ok_or_else(|| {
        ErrorCode::AccessDenied
            .with_message(format!("Invalid date (should be seconds since epoch): {text}"))
            .check(Check::Expires)
    })?;
    Ok(Timestamp::from_unix_seconds(seconds))
}

/// The one value that all lines of the header make.
fn authorization(request: &Request) -> Option<String> {
    let mut lines = request.headers().get_all(http::header::AUTHORIZATION).iter();
    let text = |line: &http::HeaderValue| String::from_utf8_lossy(line.as_bytes()).into_owned();
    let first = lines.next().map(text)?;
    Some(lines.fold(first, |all, next| all + "," + &text(next)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V2,
    V4,
}

/// The date of a header-signed request, and its text. `x-amz-date` beats `Date`.
fn request_date(request: &Request, version: Version) -> Result<(Timestamp, String), Error> {
    let refuse = || {
        ErrorCode::AccessDenied
            .with_message("AWS authentication requires a valid Date or x-amz-date header")
            .check(Check::Date)
    };
    let (sent, amz) = match (request.amz("x-amz-date"), request.header("date")) {
        (Some(amz), _) => (amz.into_owned(), true),
        (None, Some(date)) => (date.into_owned(), false),
        (None, None) => return Err(refuse()),
    };
    let date = match (version, amz) {
        (Version::V4, true) => Timestamp::parse_iso_basic(&sent),
        (Version::V4, false) => {
            Timestamp::parse_http_date(&sent).or_else(|| Timestamp::parse_iso_basic(&sent))
        }
        (Version::V2, _) => Timestamp::parse_http_date(&sent),
    };
    let date = date.filter(|date| date.unix_millis() >= 0).ok_or_else(refuse)?;
    Ok((date, sent))
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

/// Decimal digits alone: no sign, no space, no fraction.
fn parse_decimal(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn not_sigv4a(header: &'static str) -> Error {
    Error::not_implemented_header(header, Some("SigV4A is not implemented here")).check(Check::Algorithm)
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
