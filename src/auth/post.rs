//! The signature of a browser form: over the policy text exactly as received, by V4 or V2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use super::credential::{Key, Scope};
use super::mismatch;
use crate::s3::error::Error;

/// Verifies the signature of a form's policy: V4 if `scope` gives date and region, else V2.
///
/// # Errors
/// `SignatureDoesNotMatch`.
pub fn verify_policy_signature(
    key: &Key,
    scope: Option<(&str, &str)>,
    policy: &str,
    signature: &str,
) -> Result<(), Error> {
    let matched = match scope {
        Some((date, region)) => {
            let scope = Scope { date: date.to_owned(), region: region.to_owned() };
            key.signing_key(&scope).sign(policy).matches(signature)
        }
        None => {
            let provided = STANDARD.decode(signature).unwrap_or_default();
            key.secret().hmac_sha1(policy.as_bytes()).as_slice().ct_eq(&provided).into()
        }
    };
    matched.then_some(()).ok_or_else(|| mismatch(key.access_key(), policy, signature))
}
