//! Who sent a request, and is the body the one they signed? Also the signing direction.
//!
//! [`authenticate`] takes a parsed head and gives a [`Verified`], which owns it. Everything here is pure: `now`
//! is an argument, and nothing is read or written. The checks stand in the order in which S3 makes them:
//! mechanism, parameters, scope, time, key, signed headers, token, signature, payload.
//!
//! The expected signature never leaves this module: it has no `Display`, and is compared in constant time.

mod canonical;
mod chunked;
mod claim;
mod credential;
mod payload;
mod post;
mod reading;
mod sign;
mod v2;
mod v4;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

pub use canonical::{CanonicalRequest, UNSIGNED_PAYLOAD};
pub use claim::{Claimed, Mechanism, is_signature_parameter};
pub use credential::{Key, Keyring, SecretKey, User};
pub use payload::{BodyCheck, BodyKind, BodyProof, Digester, Framer, FramingProof, OBJECT_BYTES_MAX};
pub use post::verify_policy_signature;
pub use sign::{Presign, SignVersion};

use crate::clock::Timestamp;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::request::Request;
use canonical::spaced_hex;
use credential::TokenVerdict;
use payload::Payload;

/// How strict the checks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The region a V4 scope must name.
    pub region: RegionRule,
    /// Longest lifetime of a V4 URL.
    pub expires_v4_seconds_max: i64,
    /// Furthest expiry of a V2 URL from now.
    pub expires_v2_seconds_max: Option<i64>,
    /// How far in the future `X-Amz-Date` may lie.
    pub future_tolerance_seconds: i64,
    /// How far the date of a header-signed request may be from now, either way.
    pub skew_seconds_max: i64,
}

impl Settings {
    /// S3's own limit: a week.
    pub const EXPIRES_V4_SECONDS_DEFAULT: i64 = 604_800;
    const SKEW_SECONDS_DEFAULT: i64 = 900;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: RegionRule::Only("us-east-1".to_owned()),
            expires_v4_seconds_max: Self::EXPIRES_V4_SECONDS_DEFAULT,
            expires_v2_seconds_max: None,
            future_tolerance_seconds: Self::SKEW_SECONDS_DEFAULT,
            skew_seconds_max: Self::SKEW_SECONDS_DEFAULT,
        }
    }
}

/// Which regions a scope may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionRule {
    Any,
    Only(String),
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Nobody in particular: policy decides what that is worth.
    Anonymous,
    User {
        user: Arc<User>,
        access_key: Arc<str>,
    },
}

/// A request whose signature held, or that had none. Only [`authenticate`] makes one.
///
/// ```compile_fail,E0451
/// use presigned::auth::Verified;
/// let forged = Verified { request: todo!(), identity: todo!(), mechanism: todo!(), payload: todo!() };
/// ```
#[derive(Debug)]
pub struct Verified {
    request: Request,
    identity: Identity,
    mechanism: Mechanism,
    payload: Payload,
}

impl Verified {
    pub fn request(&self) -> &Request {
        &self.request
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }
}

/// A request that was refused, and why.
pub struct Refused {
    pub request: Request,
    pub error: Error,
}

/// Says what was refused and the code: the elements of an error repeat what was signed.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut refused = f.debug_struct("Refused");
        refused.field("request", &self.request).field("code", &self.error.code()).finish_non_exhaustive()
    }
}

/// What was computed on the way to a verdict. Holds no expected signature, but whatever the client signed.
#[derive(Clone, Default)]
pub struct Trace {
    /// The canonical request, for V4.
    pub canonical_request: Option<CanonicalRequest>,
    /// The string to sign.
    pub string_to_sign: Option<String>,
}

/// Says nothing of the values: a session token may be among what was signed.
impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

/// A verdict with the values that led to it.
#[derive(Debug)]
pub struct Examination {
    pub trace: Trace,
    pub verdict: Result<Verified, Box<Refused>>,
}

/// Verifies a request. One without any signature is no error: it is [`Identity::Anonymous`], and whoever calls this
/// must look at [`Verified::identity`] before acting on it.
///
/// # Errors
/// The first check that failed, as S3 words it, with the request.
pub fn authenticate(
    request: Request,
    keyring: &Keyring,
    settings: &Settings,
    now: Timestamp,
) -> Result<Verified, Box<Refused>> {
    examine(request, keyring, settings, now).verdict
}

/// Verifies a request and keeps the intermediate values.
pub fn examine(request: Request, keyring: &Keyring, settings: &Settings, now: Timestamp) -> Examination {
    let mut trace = Trace::default();
    let verdict = match judge(&request, keyring, settings, now, &mut trace) {
        Ok((identity, mechanism, payload)) => Ok(Verified { request, identity, mechanism, payload }),
        Err(error) => Err(Box::new(Refused { request, error })),
    };
    Examination { trace, verdict }
}

fn judge(
    request: &Request,
    keyring: &Keyring,
    settings: &Settings,
    now: Timestamp,
    trace: &mut Trace,
) -> Result<(Identity, Mechanism, Payload), Error> {
    let mechanism = claim::mechanism(request)?;
    let (key, payload) = match mechanism {
        Mechanism::Anonymous => {
            let literal = request.header("x-amz-content-sha256");
            let payload = literal.map(|literal| Payload::of_anonymous(&literal, request.operation()));
            reading::check(request, mechanism)?;
            return Ok((Identity::Anonymous, mechanism, payload.transpose()?.unwrap_or(Payload::Unsigned)));
        }
        Mechanism::V4Header | Mechanism::V4Query => {
            v4::judge(request, mechanism, keyring, settings, now, trace)?
        }
        Mechanism::V2Header | Mechanism::V2Query => {
            v2::judge(request, mechanism, keyring, settings, now, trace)?
        }
    };
    reading::check(request, mechanism)?;
    let identity = Identity::User { user: Arc::clone(key.user()), access_key: Arc::clone(key.access_key()) };
    Ok((identity, mechanism, payload))
}

/// The session token of a request, from header or query.
fn request_token(request: &Request) -> Option<Cow<'_, str>> {
    request.amz("x-amz-security-token")
}

fn check_token(key: &Key, token: Option<&str>) -> Result<(), Error> {
    match key.judge_token(token) {
        TokenVerdict::Valid => Ok(()),
        TokenVerdict::Missing => Err(unknown_key(key.access_key())),
        TokenVerdict::Invalid => {
            Err(ErrorCode::InvalidToken.error().with("Token-0", token.unwrap_or_default()).at("token"))
        }
    }
}

fn check_skew(date: Timestamp, sent: &str, settings: &Settings, now: Timestamp) -> Result<(), Error> {
    let skew_millis = now.unix_millis().abs_diff(date.unix_millis());
    let max_millis = settings.skew_seconds_max.saturating_mul(1000);
    if i64::try_from(skew_millis).is_ok_and(|skew| skew <= max_millis) {
        return Ok(());
    }
    Err(ErrorCode::RequestTimeTooSkewed
        .error()
        .with("RequestTime", sent)
        .with("ServerTime", now.iso_seconds())
        .with("MaxAllowedSkewMilliseconds", max_millis.to_string())
        .at("skew"))
}

fn unknown_key(access_key: &str) -> Error {
    ErrorCode::InvalidAccessKeyId.error().with("AWSAccessKeyId", access_key).at("access key")
}

/// `SignatureDoesNotMatch`, which shows what was signed but never the signature it gives.
fn mismatch(access_key: &str, string_to_sign: &str, provided: &str) -> Error {
    ErrorCode::SignatureDoesNotMatch
        .error()
        .with("AWSAccessKeyId", access_key)
        .with("StringToSign", string_to_sign)
        .with("SignatureProvided", provided)
        .with("StringToSignBytes", spaced_hex(string_to_sign.as_bytes()))
        .at("signature")
}

/// The forms in which a client may have signed the host it reached: as received, without and with the default
/// ports, in lower case.
fn default_port_variants(host: &str) -> Vec<String> {
    let mut variants = vec![host.to_owned()];
    for host in [host.to_owned(), host.to_ascii_lowercase()] {
        let stripped = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443"));
        variants.push(stripped.unwrap_or(&host).to_owned());
        if crate::s3::target::without_port(&host) == host {
            variants.push(format!("{host}:80"));
            variants.push(format!("{host}:443"));
        }
        variants.push(host);
    }
    let mut seen = Vec::with_capacity(variants.len());
    for variant in variants {
        if !seen.contains(&variant) {
            seen.push(variant);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_tried_with_and_without_default_ports() {
        assert_eq!(default_port_variants("h:443"), ["h:443", "h"]);
        assert_eq!(default_port_variants("h"), ["h", "h:80", "h:443"]);
        assert_eq!(default_port_variants("H:9000"), ["H:9000", "h:9000"]);
    }
}
