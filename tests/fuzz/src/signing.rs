//! Signs heads by hand, with the string to sign that the server shows and HMACs of other crates.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use presigned::auth::{Examination, Key, Keyring, SecretKey, Settings, User, Verified, examine};
use presigned::clock::Timestamp;
use sha1::Sha1;
use sha2::Sha256;

use super::head::Head;

pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// When everything happens.
pub const DATE: &str = "20240102T030405Z";
pub const SCOPE: &str = "20240102/us-east-1/s3/aws4_request";
/// Stands where the signature goes.
const PLACE: &[u8] = b"SIGNATURE-GOES-HERE";

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let user = Arc::new(User { id: "main".to_owned(), display_name: "Main".to_owned() });
    Keyring::new([Key::new(ACCESS_KEY, SecretKey::new(SECRET_KEY), user)])
});

static SIGNING_KEY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let first = format!("AWS4{SECRET_KEY}").into_bytes();
    SCOPE.split('/').fold(first, |key, text| hmac_sha256(&key, text))
});

/// How a head is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    V4Query,
    V4Header,
    V2Query,
    V2Header,
}

impl Scheme {
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"v4-query" => Some(Self::V4Query),
            b"v4-header" => Some(Self::V4Header),
            b"v2-query" => Some(Self::V2Query),
            b"v2-header" => Some(Self::V2Header),
            _ => None,
        }
    }

    /// The head with everything but the signature; `signed` are the headers to be signed, which V2 has no list of.
    pub fn claim(self, head: &Head, signed: &[String]) -> Head {
        let mut head = head.clone();
        let place = String::from_utf8_lossy(PLACE);
        match self {
            Self::V4Query => head.pieces.extend(
                [
                    "X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(),
                    format!("X-Amz-Credential={ACCESS_KEY}/{SCOPE}"),
                    format!("X-Amz-Date={DATE}"),
                    "X-Amz-Expires=600".to_owned(),
                    format!("X-Amz-SignedHeaders={}", signed.join(";")),
                    format!("X-Amz-Signature={place}"),
                ]
                .map(String::into_bytes),
            ),
            Self::V4Header => {
                let mut signed = signed.to_vec();
                for (name, value) in [("x-amz-date", DATE), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")] {
                    if head.names().all(|other| other != name) {
                        head.lines.push(format!("{name}: {value}").into_bytes());
                        signed.push(name.to_owned());
                    }
                }
                let credential = format!("Credential={ACCESS_KEY}/{SCOPE}");
                let signed = signed.join(";");
                let value = format!("AWS4-HMAC-SHA256 {credential},SignedHeaders={signed},Signature={place}");
                head.lines.push(format!("authorization: {value}").into_bytes());
            }
            Self::V2Query => head.pieces.extend(
                [
                    format!("AWSAccessKeyId={ACCESS_KEY}"),
                    format!("Expires={}", now().plus_seconds(600).unix_seconds()),
                    format!("Signature={place}"),
                ]
                .map(String::into_bytes),
            ),
            Self::V2Header => {
                if head.names().all(|name| name != "date" && name != "x-amz-date") {
                    head.lines.push(format!("date: {}", now().http_date()).into_bytes());
                }
                head.lines.push(format!("authorization: AWS {ACCESS_KEY}:{place}").into_bytes());
            }
        }
        head
    }

    /// The signature of a string to sign, as the head carries it.
    pub fn signature(self, text: &str) -> String {
        match self {
            Self::V4Query | Self::V4Header => v4_signature(text),
            Self::V2Header => v2_signature(text),
            Self::V2Query => v2_signature(text).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        }
    }
}

/// The head with its signature where that goes.
pub fn put_in(head: &Head, signature: &str) -> Option<Head> {
    let bytes = head.bytes();
    let at = bytes.windows(PLACE.len()).position(|window| window == PLACE)?;
    let (before, after) = (bytes.get(..at)?, bytes.get(at + PLACE.len()..)?);
    Head::parse(&[before, signature.as_bytes(), after].concat())
}

/// What the server finds of a head; `None` if it cannot read it.
pub fn examined(head: &Head) -> Option<Examination> {
    Some(examine(head.request()?, &KEYRING, &Settings::default(), now()))
}

/// A head that was signed: it verified, and with this signature.
pub struct Signed {
    pub verified: Verified,
    pub signature: String,
}

/// Signs a claim; `None` for what the server refuses whatever its signature.
pub fn sign(scheme: Scheme, claim: &Head) -> Option<Signed> {
    let text = examined(claim)?.trace.string_to_sign?;
    let signature = scheme.signature(&text);
    match examined(&put_in(claim, &signature)?)?.verdict {
        Ok(verified) => Some(Signed { verified, signature }),
        Err(refused) => {
            // Of bytes that are no text the server shows others than it signs.
            let is_shown = !text.contains('\u{fffd}');
            let code = refused.error.code().name();
            assert!(code != "SignatureDoesNotMatch" || !is_shown, "the string to sign is another: {text:?}");
            None
        }
    }
}

pub fn now() -> Timestamp {
    Timestamp::parse_iso_basic(DATE).expect("a date")
}

/// A V4 signature, in hexadecimal.
pub fn v4_signature(text: &str) -> String {
    hex(&hmac_sha256(&SIGNING_KEY, text))
}

/// A V2 signature, in base64.
pub fn v2_signature(text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET_KEY.as_bytes()).expect("any length goes");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length goes");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
