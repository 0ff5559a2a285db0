//! Signatures by others: V4 by the `aws-sigv4` crate, V2 by hand.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4::{self, calculate_signature, generate_signing_key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::harness::{ACCESS_KEY, SECRET_KEY};
use crate::wire::Request;

/// Headers that are added below the signer, or that it leaves alone.
const NEVER_SIGNED: [&str; 7] =
    ["authorization", "user-agent", "transfer-encoding", "content-length", "connection", "expect", "te"];

/// How a request is signed.
#[derive(Clone, Debug)]
pub struct Signer {
    pub access_key: &'static str,
    pub secret_key: &'static str,
    pub token: Option<&'static str>,
    pub region: &'static str,
    /// When, in seconds from now.
    pub seconds: i64,
    /// The lifetime of a URL.
    pub expires: u64,
    /// What stands for the body's hash; by default the hash for headers, `UNSIGNED-PAYLOAD` for URLs.
    pub payload: Option<String>,
    /// Whether `x-amz-content-sha256` is sent with a signed header.
    pub payload_header: bool,
    /// The target as the signer writes it, if another is sent.
    pub target: Option<String>,
}

impl Default for Signer {
    fn default() -> Self {
        Self {
            access_key: ACCESS_KEY,
            secret_key: SECRET_KEY,
            token: None,
            region: "us-east-1",
            seconds: 0,
            expires: 600,
            payload: None,
            payload_header: true,
            target: None,
        }
    }
}

impl Signer {
    pub fn payload(literal: &str) -> Self {
        Self { payload: Some(literal.to_owned()), ..Self::default() }
    }

    pub fn at(seconds: i64) -> Self {
        Self { seconds, ..Self::default() }
    }

    /// Signs another form of the target than the one that is sent.
    pub fn target(target: &str) -> Self {
        Self { target: Some(target.to_owned()), ..Self::default() }
    }
}

/// Ways to sign a request: what was added before is signed, what is added after is not.
pub trait Sign: Sized {
    /// V4 in the header, the body hashed.
    fn sign(self) -> Self {
        self.sign_with(&Signer::default())
    }
    fn sign_with(self, signer: &Signer) -> Self;
    /// V4 in the query.
    fn presign(self) -> Self {
        self.presign_with(&Signer::default())
    }
    fn presign_with(self, signer: &Signer) -> Self;
}

impl Sign for Request {
    fn sign_with(mut self, signer: &Signer) -> Self {
        let payload = signer.payload.clone().unwrap_or_else(|| sha256_hex(&self.body));
        let (headers, _) = self.signed(signer, payload, SignatureLocation::Headers);
        self.headers.extend(headers);
        self
    }

    fn presign_with(mut self, signer: &Signer) -> Self {
        let payload = signer.payload.clone().unwrap_or_else(|| "UNSIGNED-PAYLOAD".to_owned());
        let (_, parameters) = self.signed(signer, payload, SignatureLocation::QueryParams);
        for (name, value) in parameters {
            self = self.add_query(&format!("{name}={}", escape(&value)));
        }
        self
    }
}

type Pairs = Vec<(String, String)>;

impl Request {
    fn signed(&self, signer: &Signer, payload: String, location: SignatureLocation) -> (Pairs, Pairs) {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = match signer.payload_header {
            true => PayloadChecksumKind::XAmzSha256,
            false => PayloadChecksumKind::NoHeader,
        };
        settings.signature_location = location;
        settings.excluded_headers = Some(NEVER_SIGNED.into_iter().map(Into::into).collect());
        if location == SignatureLocation::QueryParams {
            settings.expires_in = Some(Duration::from_secs(signer.expires));
        }
        let token = signer.token.map(str::to_owned);
        let identity = Credentials::new(signer.access_key, signer.secret_key, token, None, "tests").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(signer.region)
            .name("s3")
            .time(time_at(signer.seconds))
            .settings(settings)
            .build()
            .expect("complete parameters")
            .into();
        let uri = format!("http://host{}", signer.target.as_deref().unwrap_or(&self.target));
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Precomputed(payload);
        let signable = SignableRequest::new(&self.method, uri, headers, body).expect("a signable request");
        let output = aws_sigv4::http_request::sign(signable, &parameters).expect("a signature");
        let (headers, parameters) = output.into_parts().0.into_parts();
        (
            headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect(),
            parameters.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect(),
        )
    }

    /// The signature in the `Authorization` header.
    pub fn signature(&self) -> &str {
        self.value("authorization").split_once("Signature=").expect("a signature").1
    }

    /// V4 in the query, from parts that no signer would choose: `list` as `X-Amz-SignedHeaders` has it, `lines`
    /// as the canonical headers have it, `query` in canonical order behind the `X-Amz-` parameters.
    pub fn presign_by_hand(mut self, list: &str, lines: &[(&str, &str)], query: &str, payload: &str) -> Self {
        let now = time_at(0);
        let date = iso_basic(now);
        let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
        let credential = escape(&format!("{ACCESS_KEY}/{scope}"));
        let own = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={date}&X-Amz-Expires=600&X-Amz-SignedHeaders={}",
            escape(list)
        );
        let mut pieces: Vec<&str> =
            own.split('&').chain(query.split('&').filter(|piece| !piece.is_empty())).collect();
        pieces.sort_unstable();
        let query = pieces.join("&");
        let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
        let lines: String = lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical =
            format!("{}\n{}\n{query}\n{lines}\n{}\n{payload}", self.method, self.target, names.join(";"));
        let signature = sign_text(now, &string_to_sign(now, &canonical));
        self.target = format!("{}?{query}&X-Amz-Signature={signature}", self.target);
        self
    }

    /// The same in the header, dated by these lines; they are signed as they are, and must be sorted.
    pub fn sign_by_hand(self, now: SystemTime, lines: &[(&str, &str)], payload: &str) -> Self {
        let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let text: String = lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let canonical = format!("{}\n{path}\n{query}\n{text}\n{names}\n{payload}", self.method);
        let signature = sign_text(now, &string_to_sign(now, &canonical));
        let scope = format!("{}/us-east-1/s3/aws4_request", &iso_basic(now)[..8]);
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope},SignedHeaders={names},Signature={signature}"
        );
        self.header("Authorization", &value)
    }

    /// V2 in the query; `text` is what is signed, with `{}` for the expiry.
    pub fn presign_v2(self, text: &str, seconds: i64) -> Self {
        let expires = (OffsetDateTime::from(time_at(seconds)).unix_timestamp()).to_string();
        let signature = sign_v2(&text.replacen("{}", &expires, 1));
        self.add_query(&format!(
            "AWSAccessKeyId={ACCESS_KEY}&Expires={expires}&Signature={}",
            escape(&signature)
        ))
    }

    /// V2 in the header.
    pub fn sign_v2(self, text: &str) -> Self {
        let signature = sign_v2(text);
        self.header("Authorization", &format!("AWS {ACCESS_KEY}:{signature}"))
    }
}

fn sign_v2(text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET_KEY.as_bytes()).expect("any length goes");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The V4 string to sign of a canonical request.
pub fn string_to_sign(time: SystemTime, canonical: &str) -> String {
    let date = iso_basic(time);
    let hash = sha256_hex(canonical.as_bytes());
    format!("AWS4-HMAC-SHA256\n{date}\n{}/us-east-1/s3/aws4_request\n{hash}", &date[..8])
}

/// Signs a text with the V4 key of that day.
pub fn sign_text(time: SystemTime, text: &str) -> String {
    calculate_signature(generate_signing_key(SECRET_KEY, time, "us-east-1", "s3"), text.as_bytes())
}

/// Some seconds from now, to the whole second.
pub fn time_at(seconds: i64) -> SystemTime {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).expect("a nanosecond");
    SystemTime::from(now + time::Duration::seconds(seconds))
}

pub fn iso_basic(time: SystemTime) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    OffsetDateTime::from(time).format(format).expect("a date")
}

pub fn iso(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    OffsetDateTime::from(time).format(format).expect("a date")
}

pub fn http_date(time: SystemTime) -> String {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    OffsetDateTime::from(time).format(format).expect("a date")
}

pub fn unix_millis(time: SystemTime) -> String {
    (OffsetDateTime::from(time).unix_timestamp() * 1000).to_string()
}

pub fn sha256_hex(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Percent-encodes all but the unreserved characters.
pub fn escape(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
