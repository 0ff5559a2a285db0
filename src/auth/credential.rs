//! Who may sign: access keys, their secrets, the users behind them, and the keys derived for V4.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::s3::name::hex_encode;

/// The user an access key belongs to, as answers name its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The canonical id.
    pub id: String,
    /// The name next to it.
    pub display_name: String,
}

/// A secret: cannot be printed or compared, and is wiped when dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct SecretKey(String);

impl SecretKey {
    /// A secret as a configuration spells it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// HMAC-SHA1 of `text`, as V2 signs.
    pub(super) fn hmac_sha1(&self, text: &[u8]) -> [u8; 20] {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.0.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// Whether a text is the secret, in a time that does not tell how much of it is right.
    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The scope of a V4 signature, without the access key: `yyyyMMdd/region/s3/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub date: String,
    pub region: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/s3/aws4_request", self.date, self.region)
    }
}

/// The HMAC state of a V4 signing key, ready to sign.
#[derive(Clone)]
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a scope: four HMACs.
    pub(super) fn derive(secret: &SecretKey, scope: &Scope) -> Self {
        let mut key = format!("AWS4{}", secret.0).into_bytes();
        for text in [scope.date.as_str(), &scope.region, "s3", "aws4_request"] {
            let next = Self::keyed(&key).sign_bytes(text.as_bytes());
            key.zeroize();
            key = next.to_vec();
        }
        let derived = Self::keyed(&key);
        key.zeroize();
        derived
    }

    fn keyed(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn sign_bytes(&self, text: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// The signature of a string to sign, in hexadecimal.
    pub(super) fn sign(&self, string_to_sign: &str) -> ExpectedSignature {
        ExpectedSignature(hex_encode(&self.sign_bytes(string_to_sign.as_bytes())))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The signature a request should have had. It cannot be printed or compared with `==`.
#[derive(ZeroizeOnDrop)]
pub(super) struct ExpectedSignature(String);

impl ExpectedSignature {
    /// Compares in constant time; the text must be equal to the letter.
    pub(super) fn matches(&self, provided: &str) -> bool {
        self.0.as_bytes().ct_eq(provided.as_bytes()).into()
    }

    /// The text, for requests we sign ourselves and for chaining signatures.
    pub(super) fn into_text(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// An access key with its secret, and its session token if it is a temporary one.
#[derive(Debug)]
pub struct Key {
    access_key: Arc<str>,
    secret: SecretKey,
    session_token: Option<SecretKey>,
    user: Arc<User>,
    derived: Mutex<Vec<(Scope, SigningKey)>>,
}

/// Most derived keys kept for one access key: those of a week's URLs in a few regions.
const DERIVED_KEYS_MAX: usize = 32;

impl Key {
    /// A key without a session token.
    pub fn new(access_key: impl Into<Arc<str>>, secret: SecretKey, user: Arc<User>) -> Self {
        Self { access_key: access_key.into(), secret, session_token: None, user, derived: Mutex::default() }
    }

    /// Makes it a temporary key, good only together with this token.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(SecretKey::new(token));
        self
    }

    /// What requests name it by.
    pub fn access_key(&self) -> &Arc<str> {
        &self.access_key
    }

    /// Whose it is.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// What the token of a request is worth with this key.
    pub(super) fn judge_token(&self, token: Option<&str>) -> TokenVerdict {
        match (&self.session_token, token.filter(|token| !token.is_empty())) {
            (None, None) => TokenVerdict::Valid,
            (Some(expected), Some(token)) if expected.matches(token) => TokenVerdict::Valid,
            (Some(_), None) => TokenVerdict::Missing,
            (_, Some(_)) => TokenVerdict::Invalid,
        }
    }

    /// The signing key of a scope: remembered, or derived.
    pub(super) fn signing_key(&self, scope: &Scope) -> SigningKey {
        let derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        match derived.iter().find(|(known, _)| known == scope) {
            Some((_, key)) => key.clone(),
            None => {
                drop(derived);
                SigningKey::derive(&self.secret, scope)
            }
        }
    }

    /// Remembers the signing key of a scope. Only what has verified a signature is worth it: scopes are the
    /// client's to choose.
    pub(super) fn remember(&self, scope: &Scope, key: &SigningKey) {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if derived.iter().any(|(known, _)| known == scope) {
            return;
        }
        if derived.len() >= DERIVED_KEYS_MAX {
            derived.remove(0);
        }
        derived.push((scope.clone(), key.clone()));
    }
}

/// See [`Key::judge_token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenVerdict {
    Valid,
    /// A temporary key without its token.
    Missing,
    /// A token that is not this key's.
    Invalid,
}

/// All keys that are accepted.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: HashMap<Arc<str>, Key>,
}

impl Keyring {
    /// A ring of these keys; of two with the same id the last counts.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { keys: keys.into_iter().map(|key| (Arc::clone(&key.access_key), key)).collect() }
    }

    /// The key of this id.
    pub fn key(&self, access_key: &str) -> Option<&Key> {
        self.keys.get(access_key)
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let user = Arc::new(User { id: "main".into(), display_name: "Main".into() });
        let key = Key::new("AKID", SecretKey::new("hidden"), user).with_session_token("hush");
        let printed = format!("{key:?}");
        assert!(printed.contains("AKID") && !printed.contains("hidden") && !printed.contains("hush"));
    }

    #[test]
    fn derived_keys_are_bounded() {
        let user = Arc::new(User { id: "main".into(), display_name: "Main".into() });
        let key = Key::new("AKID", SecretKey::new("hidden"), user);
        for region in 0..100 {
            let scope = Scope { date: "20240102".into(), region: region.to_string() };
            key.remember(&scope, &key.signing_key(&scope));
        }
        assert_eq!(key.derived.lock().expect("unpoisoned").len(), DERIVED_KEYS_MAX);
    }

    #[test]
    fn tokens() {
        let user = Arc::new(User { id: "main".into(), display_name: "Main".into() });
        let permanent = Key::new("AKID", SecretKey::new("s"), Arc::clone(&user));
        assert_eq!(permanent.judge_token(None), TokenVerdict::Valid);
        assert_eq!(permanent.judge_token(Some("t")), TokenVerdict::Invalid);
        let temporary = Key::new("AKID", SecretKey::new("s"), user).with_session_token("t");
        assert_eq!(temporary.judge_token(None), TokenVerdict::Missing);
        assert_eq!(temporary.judge_token(Some("t")), TokenVerdict::Valid);
        assert_eq!(temporary.judge_token(Some("u")), TokenVerdict::Invalid);
    }
}
