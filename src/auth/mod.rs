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
mod claim_v2;
mod claim_v4;
mod credential;
mod digest;
mod framing;
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
pub use claim::{Claimed, Mechanism};
pub use credential::{Key, Keyring, SecretKey, User};
pub use digest::{BodyProof, Digester};
pub use framing::{Framer, FramingProof};
pub use payload::{BodyCheck, BodyKind};
pub use post::verify_policy_signature;
pub use sign::{Presign, SignVersion};

use crate::clock::Timestamp;
use crate::s3::check::{Check, Steps};
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
    /// Whichever.
    Any,
    /// This one.
    Only(String),
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Identity {
    /// No one in particular: policy decides what that is worth.
    Anonymous,
    /// The holder of a key.
    User {
        /// Who holds it.
        user: Arc<User>,
        /// The key that the request was signed with.
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
    /// The request, read under the name it was signed for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Who sent it.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it was signed.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }
}

/// A request that was refused, and why.
pub struct Refused {
    /// The request, as it is read first.
    pub request: Request,
    /// Why it was refused.
    pub error: Error,
}

/// Says what was refused and the code: the elements of an error repeat what was signed.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut refused = f.debug_struct("Refused");
        refused.field("request", &self.request).field("code", &self.error.code()).finish_non_exhaustive()
    }
}

/// What was checked and computed on the way to a verdict. Holds no expected signature, but whatever the client signed.
#[derive(Clone, Default)]
pub struct Trace {
    /// The checks that held, in the order in which they were made.
    pub steps: Steps,
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
    /// What led to the verdict.
    pub trace: Trace,
    /// The verdict.
    pub verdict: Result<Verified, Box<Refused>>,
}

/// Verifies a request. One without any signature is no error: it is [`Identity::Anonymous`], and anyone who calls this
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

/// Verifies a request and keeps what was checked and computed. Of several readings the one whose signature matches is the
/// request; if none does, the refusal is that of the first one.
pub fn examine(request: Request, keyring: &Keyring, settings: &Settings, now: Timestamp) -> Examination {
    let examiner = Examiner { keyring, settings, now };
    let mut request = request;
    let mut first: Option<(Error, Trace)> = None;
    loop {
        let mut trace = Trace::default();
        match examiner.judge(&request, &mut trace) {
            Ok((identity, mechanism, payload)) => {
                let verdict = Ok(Verified { request, identity, mechanism, payload });
                return Examination { trace, verdict };
            }
            Err(error) => {
                let goes_on = error.failed_check() == Some(Check::Signature) && request.read_otherwise();
                let (error, trace) = match first.take() {
                    // Another reading matched, and what it asks for was refused.
                    Some(_) if error.failed_check() != Some(Check::Signature) => (error, trace),
                    Some(first) => first,
                    None => (error, trace),
                };
                if !goes_on {
                    return Examination { trace, verdict: Err(Box::new(Refused { request, error })) };
                }
                first = Some((error, trace));
            }
        }
    }
}

/// What requests are verified with.
#[derive(Clone, Copy)]
struct Examiner<'a> {
    keyring: &'a Keyring,
    settings: &'a Settings,
    now: Timestamp,
}

impl Examiner<'_> {
    /// Makes the checks in the order of S3.
    fn judge(&self, request: &Request, trace: &mut Trace) -> Result<(Identity, Mechanism, Payload), Error> {
        let mechanism = claim::mechanism(request)?;
        trace.steps.pass(Check::OneMechanism);
        let (key, payload) = match mechanism {
            Mechanism::Anonymous => {
                let literal = request.header("x-amz-content-sha256");
                let payload = literal.map(|literal| Payload::of_anonymous(&literal, request.operation()));
                reading::check(request, mechanism)?;
                let payload = payload.transpose()?.unwrap_or(Payload::Unsigned);
                trace.steps.pass(Check::OneReading);
                return Ok((Identity::Anonymous, mechanism, payload));
            }
            Mechanism::V4Header | Mechanism::V4Query => v4::judge(request, mechanism, self, trace)?,
            Mechanism::V2Header | Mechanism::V2Query => v2::judge(request, mechanism, self, trace)?,
        };
        reading::check(request, mechanism)?;
        trace.steps.pass(Check::OneReading);
        let identity =
            Identity::User { user: Arc::clone(key.user()), access_key: Arc::clone(key.access_key()) };
        Ok((identity, mechanism, payload))
    }

    /// The key that a request names.
    fn key(&self, access_key: &str) -> Result<&Key, Error> {
        self.keyring.key(access_key).ok_or_else(|| unknown_key(access_key))
    }

    fn check_skew(&self, date: Timestamp, sent: &str) -> Result<(), Error> {
        let skew_millis = self.now.unix_millis().abs_diff(date.unix_millis());
        let max_millis = self.settings.skew_seconds_max.saturating_mul(1000);
        if i64::try_from(skew_millis).is_ok_and(|skew| skew <= max_millis) {
            return Ok(());
        }
        Err(ErrorCode::RequestTimeTooSkewed
            .error()
            .with("RequestTime", sent)
            .with("ServerTime", self.now.iso_seconds())
            .with("MaxAllowedSkewMilliseconds", max_millis.to_string())
            .check(Check::Skew))
    }
}

/// The session token of a request, from header or query.
fn request_token(request: &Request) -> Option<Cow<'_, str>> {
    request.amz("x-amz-security-token")
}

fn check_token(key: &Key, token: Option<&str>) -> Result<(), Error> {
    match key.judge_token(token) {
        TokenVerdict::Valid => Ok(()),
        TokenVerdict::Missing => Err(unknown_key(key.access_key())),
        TokenVerdict::Invalid => Err(ErrorCode::InvalidToken
            .error()
            .with("Token-0", token.unwrap_or_default())
            .check(Check::Token)),
    }
}

fn unknown_key(access_key: &str) -> Error {
    ErrorCode::InvalidAccessKeyId.error().with("AWSAccessKeyId", access_key).check(Check::AccessKey)
}

/// `SignatureDoesNotMatch`, which shows what was signed but never the signature it gives.
fn mismatch(access_key: &str, string_to_sign: &str, provided: &str) -> Error {
    ErrorCode::SignatureDoesNotMatch
        .error()
        .with("AWSAccessKeyId", access_key)
        .with("StringToSign", string_to_sign)
        .with("SignatureProvided", provided)
        .with("StringToSignBytes", spaced_hex(string_to_sign.as_bytes()))
        .check(Check::Signature)
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
