//! The signing direction: presigned URLs of both versions, made with the renderer that verification uses.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::canonical::{
    ALGORITHM, CanonicalRequest, Parts, UNSIGNED_PAYLOAD, canonical_query, folded, string_to_sign,
};
use super::credential::{Scope, SecretKey, SigningKey};
use crate::clock::Timestamp;
use crate::s3::request::is_amz;
use crate::s3::uri::{Slash, encode};

/// Which signature a URL carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignVersion {
    /// Signature Version 4.
    V4,
    /// Signature Version 2.
    V2,
}

/// A request to presign.
#[derive(Clone, Debug)]
pub struct Presign<'a> {
    /// The version of the signature.
    pub version: SignVersion,
    /// The method that the URL is for.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host of the URL, with its port unless that is the scheme's own.
    pub host: &'a str,
    /// Decoded, from the root: `/bucket/key`.
    pub path: &'a str,
    /// The bucket, if it stands in the host and not in the path.
    pub host_bucket: Option<&'a str>,
    /// Parameters to sign with it, decoded.
    pub query: &'a [(String, String)],
    /// Headers the caller will send, lower-case names.
    pub headers: &'a [(String, String)],
    /// The access key that the URL names.
    pub access_key: &'a str,
    /// The secret that signs it.
    pub secret: &'a SecretKey,
    /// The region of the scope.
    pub region: &'a str,
    /// How long it is valid.
    pub expires_seconds: i64,
    /// When it is signed.
    pub now: Timestamp,
}

impl Presign<'_> {
    /// What the version would not sign of the parameters and headers to be signed: anyone who has the URL could leave it
    /// out or change it.
    pub fn unsigned(&self) -> Option<&str> {
        if self.version == SignVersion::V4 {
            return None;
        }
        let mut parameters = self.query.iter().map(|(name, _)| name.as_str());
        let mut headers = self.headers.iter().map(|(name, _)| name.as_str());
        parameters.find(|name| !is_amz(name) && !super::v2::is_signed(name)).or_else(|| {
            headers.find(|name| !is_amz(name) && !matches!(*name, "content-type" | "content-md5"))
        })
    }

    /// The URL.
    pub fn url(&self) -> String {
        let path = encode(self.path, Slash::Keep);
        let query = match self.version {
            SignVersion::V4 => self.query_v4(),
            SignVersion::V2 => self.query_v2(&path),
        };
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name, Slash::Escape), encode(value, Slash::Escape)))
            .collect();
        format!("{}://{}{path}?{}", self.scheme, self.host, query.join("&"))
    }

    fn query_v4(&self) -> Vec<(String, String)> {
        let timestamp = self.now.iso_basic();
        let scope = Scope { date: self.now.date_stamp(), region: self.region.to_owned() };
        let mut headers: Vec<(&str, Cow<'_, [u8]>)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), folded(value.as_bytes()))).collect();
        headers.push(("host", Cow::Borrowed(self.host.as_bytes())));
        headers.sort_unstable();
        let signed_headers: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let mut query = self.query.to_vec();
        for (name, value) in [
            ("X-Amz-Algorithm", ALGORITHM.to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", self.access_key)),
            ("X-Amz-Date", timestamp.clone()),
            ("X-Amz-Expires", self.expires_seconds.to_string()),
            ("X-Amz-SignedHeaders", signed_headers.join(";")),
        ] {
            query.push((name.to_owned(), value));
        }
        let canonical = CanonicalRequest::render(&Parts {
            method: self.method,
            path: self.path,
            query: &canonical_query(query.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
            headers: &headers,
            payload: UNSIGNED_PAYLOAD,
        });
        let signing_key = SigningKey::derive(self.secret, &scope);
        let signature = signing_key.sign(&string_to_sign(&timestamp, &scope, &canonical)).into_text();
        query.push(("X-Amz-Signature".to_owned(), signature));
        query
    }

    fn query_v2(&self, path: &str) -> Vec<(String, String)> {
        let expires = self.now.plus_seconds(self.expires_seconds).unix_seconds().to_string();
        let header = |wanted: &str| {
            let found = self.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.trim()).unwrap_or_default()
        };
        let mut text =
            format!("{}\n{}\n{}\n{expires}\n", self.method, header("content-md5"), header("content-type"));
        let in_query = self.query.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()));
        let in_headers = self.headers.iter().map(|(name, value)| (name.clone(), value.trim()));
        let mut amz: Vec<(String, &str)> =
            in_query.chain(in_headers).filter(|(name, _)| name.starts_with("x-amz-")).collect();
        amz.sort_unstable();
        for (name, value) in amz {
            text.push_str(&format!("{name}:{value}\n"));
        }
        if let Some(bucket) = self.host_bucket {
            text.extend(["/", bucket]);
        }
        text.push_str(path);
        text.push_str(&super::v2::signed_parameters(
            self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        ));
        let signature = STANDARD.encode(self.secret.hmac_sha1(text.as_bytes()));
        let mut query = self.query.to_vec();
        query.extend([
            ("AWSAccessKeyId".to_owned(), self.access_key.to_owned()),
            ("Signature".to_owned(), signature),
            ("Expires".to_owned(), expires),
        ]);
        query
    }
}
