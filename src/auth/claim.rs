//! What a request claims to be: which mechanism it uses, and its parameters, parsed but not yet believed.

use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::hex_encode;
use crate::s3::request::Request;

use super::canonical::ALGORITHM;

/// The mechanism of a request; there is never more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Nothing is signed.
    Anonymous,
    /// Signature Version 4 in the `Authorization` header.
    V4Header,
    /// Signature Version 4 in the query of a presigned URL.
    V4Query,
    /// Signature Version 2 in the `Authorization` header.
    V2Header,
    /// Signature Version 2 in the query of a presigned URL.
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
pub(super) const V2_PARAMETERS: [&str; 3] = ["AWSAccessKeyId", "Expires", "Signature"];

/// Finds the mechanism.
///
/// # Errors
/// `InvalidArgument` for two at once, for an unknown scheme, and for a header that is not an authorization at all.
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
    /// Whether a query parameter of this name belongs to the signature of a URL, of either version.
    pub fn is_parameter(name: &str) -> bool {
        V4_PARAMETERS.contains(&name) || V2_PARAMETERS.contains(&name)
    }

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

/// The one value that all lines of the header make.
pub(super) fn authorization(request: &Request) -> Option<String> {
    let mut lines = request.headers().get_all(http::header::AUTHORIZATION).iter();
    let text = |line: &http::HeaderValue| String::from_utf8_lossy(line.as_bytes()).into_owned();
    let first = lines.next().map(text)?;
    Some(lines.fold(first, |all, next| all + "," + &text(next)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V4,
}

/// The date of a header-signed request, and its text. `x-amz-date` beats `Date`.
pub(super) fn request_date(request: &Request, version: Version) -> Result<(Timestamp, String), Error> {
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

/// Decimal digits alone: no sign, no space, no fraction.
pub(super) fn parse_decimal(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

pub(super) fn not_sigv4a(header: &'static str) -> Error {
    Error::not_implemented_header(header, Some("SigV4A is not implemented here")).check(Check::Algorithm)
}
