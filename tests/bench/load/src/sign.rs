//! Presigned V4 requests, by the `aws-sigv4` crate.

use std::thread;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use crate::drive::{Body, Request};

const LIFETIME: Duration = Duration::from_secs(3600);
/// More than one, or signing ahead takes longer than what is measured.
const THREADS: usize = 2;

/// A request before it is signed. Its target has the bucket, and a query that is percent-encoded.
pub struct Draft {
    pub method: &'static str,
    pub target: String,
    pub header: Option<(&'static str, String)>,
    /// The bytes that make this body differ from every other one; they come first in it.
    pub tag: Vec<u8>,
    /// What comes after them.
    pub body: Body,
}

impl Draft {
    pub fn new(method: &'static str, target: String) -> Self {
        Self { method, target, header: None, tag: Vec::new(), body: Body::None }
    }
}

/// A key pair at an endpoint.
pub struct Signer {
    pub host: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
}

impl Signer {
    /// Signs all of them, in order.
    pub fn presign(&self, drafts: &[Draft]) -> Vec<Request> {
        let now = SystemTime::now();
        thread::scope(|scope| {
            let share = drafts.len().div_ceil(THREADS).max(1);
            let parts: Vec<_> = drafts
                .chunks(share)
                .map(|part| {
                    scope.spawn(move || part.iter().map(|draft| self.one(draft, now)).collect::<Vec<_>>())
                })
                .collect();
            parts.into_iter().flat_map(|part| part.join().expect("signing does not panic")).collect()
        })
    }

    fn one(&self, draft: &Draft, now: SystemTime) -> Request {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(LIFETIME);
        let identity = Credentials::new(&self.access_key, &self.secret_key, None, None, "load").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(now)
            .settings(settings)
            .build()
            .expect("complete parameters")
            .into();
        let uri = format!("http://{}{}", self.host, draft.target);
        let headers = draft.header.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(draft.method, uri, headers, SignableBody::UnsignedPayload)
            .expect("a signable request");
        let (_, query) = sign(signable, &parameters).expect("a signature").into_parts().0.into_parts();

        let mut head = format!("{} {}", draft.method, draft.target);
        for (at, (name, value)) in query.iter().enumerate() {
            head.push(if at == 0 && !draft.target.contains('?') { '?' } else { '&' });
            head.push_str(&format!("{name}={}", escape(value)));
        }
        head.push_str(&format!(" HTTP/1.1\r\nHost: {}\r\n", self.host));
        if let Some((name, value)) = &draft.header {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if matches!(draft.method, "PUT" | "POST") {
            head.push_str(&format!("Content-Length: {}\r\n", draft.tag.len() + draft.body.length()));
        }
        head.push_str("\r\n");
        let mut head = head.into_bytes();
        head.extend_from_slice(&draft.tag);
        Request { head, body: draft.body.clone() }
    }
}

/// Percent-encodes all but what no query needs encoded.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
