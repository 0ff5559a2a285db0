//! What a request addresses: the service, a bucket or an object, by path or by host.

use std::borrow::Cow;

use super::error::{Error, ErrorCode};
use super::name::{BucketName, KEY_BYTES_MAX, KeyError, ObjectKey};
use super::uri::Path;

/// The addressed resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All buckets.
    Service,
    /// A bucket.
    Bucket(BucketName),
    /// An object.
    Object(BucketName, ObjectKey),
    /// A bucket of a name that no bucket can have, or an object in it. S3 says so after it has judged the signature.
    Unnameable {
        /// The name.
        bucket: String,
        /// Whether an object in it is addressed.
        has_key: bool,
    },
}

impl Target {
    /// The bucket, unless the service itself is addressed.
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service | Self::Unnameable { .. } => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }

    /// The name of the bucket as it was sent, whether or not there can be one of it.
    pub fn bucket_text(&self) -> Option<&str> {
        match self {
            Self::Unnameable { bucket, .. } => Some(bucket),
            Self::Service | Self::Bucket(_) | Self::Object(..) => self.bucket().map(BucketName::as_str),
        }
    }

    /// Checks that there can be such a bucket.
    ///
    /// # Errors
    /// `InvalidBucketName`.
    pub fn check_name(&self) -> Result<(), Error> {
        match self {
            Self::Unnameable { bucket, .. } => {
                Err(ErrorCode::InvalidBucketName.error().with("BucketName", bucket))
            }
            Self::Service | Self::Bucket(_) | Self::Object(..) => Ok(()),
        }
    }

    /// The key, if an object is addressed.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Service | Self::Bucket(_) | Self::Unnameable { .. } => None,
            Self::Object(_, key) => Some(key),
        }
    }

    /// The word of `ResourceType` elements.
    pub fn resource_type(&self) -> &'static str {
        match self {
            Self::Service => "SERVICE",
            Self::Bucket(_) | Self::Unnameable { has_key: false, .. } => "BUCKET",
            Self::Object(..) | Self::Unnameable { has_key: true, .. } => "OBJECT",
        }
    }
}

/// Where the bucket's name stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// First segment of the path.
    Path,
    /// In the host, in front of one of our domains.
    VirtualHosted,
}

/// The domains whose subdomains are buckets; `localhost` is always one.
#[derive(Clone, Debug)]
pub struct Domains(Vec<String>);

impl Default for Domains {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl Domains {
    /// These domains and `localhost`; case and a trailing dot do not matter.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names
            .into_iter()
            .map(|name| name.trim_end_matches('.').to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .chain(["localhost".to_owned()])
            .collect();
        // The longest first, so that `s3.example.org` wins over `example.org`.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        Self(names)
    }

    /// Whether requests to `host` are to a bucket, whatever their path.
    pub fn names_bucket(&self, host: &str) -> bool {
        self.bucket_label(host).is_some()
    }

    /// The bucket part of `host`, if it is a proper subdomain of one of ours.
    fn bucket_label(&self, host: &str) -> Option<String> {
        let name = without_port(host).trim_end_matches('.');
        if self.0.iter().any(|domain| name.eq_ignore_ascii_case(domain)) {
            return None;
        }
        self.0.iter().find_map(|domain| {
            let (label, end) = name.split_at_checked(name.len().checked_sub(domain.len())?)?;
            let label = label.strip_suffix('.').filter(|label| !label.is_empty())?;
            end.eq_ignore_ascii_case(domain).then(|| label.to_ascii_lowercase())
        })
    }
}

/// The host without its port; the brackets of an IPv6 address stay.
pub fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Finds out what `host` and `path` address.
///
/// # Errors
/// `KeyTooLongError` and `InvalidURI`, as S3 words them.
pub fn resolve(host: &str, path: &Path, domains: &Domains) -> Result<(Target, Style), Error> {
    let decoded = path.decoded().strip_prefix('/').unwrap_or(path.decoded());
    let (bucket, key, style) = match domains.bucket_label(host) {
        Some(label) => (Cow::Owned(label), decoded, Style::VirtualHosted),
        None => {
            let (bucket, key) = decoded.split_once('/').unwrap_or((decoded, ""));
            (Cow::Borrowed(bucket), key, Style::Path)
        }
    };
    if bucket.is_empty() && key.is_empty() {
        return Ok((Target::Service, style));
    }
    let Some(bucket) = BucketName::parse(&bucket) else {
        return Ok((Target::Unnameable { bucket: bucket.into_owned(), has_key: !key.is_empty() }, style));
    };
    let target = match ObjectKey::parse(key) {
        Ok(key) => Target::Object(bucket, key),
        Err(KeyError::Empty) => Target::Bucket(bucket),
        Err(KeyError::TooLong(size)) => return Err(key_too_long(size)),
        Err(KeyError::Nul) => return Err(ErrorCode::InvalidURI.error().with("URI", path.raw())),
    };
    Ok((target, style))
}

/// `KeyTooLongError` for a key of `size` bytes.
pub fn key_too_long(size: usize) -> Error {
    ErrorCode::KeyTooLongError
        .error()
        .with("Size", size.to_string())
        .with("MaxSizeAllowed", KEY_BYTES_MAX.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, path: &str) -> Result<String, ErrorCode> {
        let path = Path::parse(path).expect("valid path");
        let domains = Domains::new(["s3.example.org".to_owned()]);
        resolve(host, &path, &domains).map_err(|error| error.code()).map(|(target, style)| match target {
            Target::Service => "service".to_owned(),
            Target::Bucket(bucket) => format!("{bucket} {style:?}"),
            Target::Object(bucket, key) => format!("{bucket} {key} {style:?}"),
            Target::Unnameable { bucket, has_key } => format!("no bucket {bucket:?} {has_key}"),
        })
    }

    #[test]
    fn by_path_and_by_host() {
        assert_eq!(at("localhost:9000", "/").as_deref(), Ok("service"));
        assert_eq!(at("127.0.0.1:9000", "/b1x").as_deref(), Ok("b1x Path"));
        assert_eq!(at("127.0.0.1:9000", "/b1x/").as_deref(), Ok("b1x Path"));
        assert_eq!(at("[::1]:9000", "/b1x//a").as_deref(), Ok("b1x /a Path"));
        assert_eq!(at("b1x.localhost:9000", "/k").as_deref(), Ok("b1x k VirtualHosted"));
        assert_eq!(at("My.b.S3.example.org", "/").as_deref(), Ok("my.b VirtualHosted"));
        assert_eq!(at("s3.example.org", "/b1x/a%2Fb").as_deref(), Ok("b1x a/b Path"));
        assert_eq!(at("other.example.org", "/b1x/k").as_deref(), Ok("b1x k Path"));
        assert_eq!(at("b1x.localhost", "//k").as_deref(), Ok("b1x /k VirtualHosted"));
    }

    #[test]
    fn refusals() {
        assert_eq!(at("localhost", "/B_ad/k").as_deref(), Ok("no bucket \"B_ad\" true"));
        assert_eq!(at("localhost", "//k").as_deref(), Ok("no bucket \"\" true"));
        assert_eq!(at("localhost", "/B_ad").as_deref(), Ok("no bucket \"B_ad\" false"));
        assert_eq!(at("localhost", &format!("/b1x/{}", "k".repeat(1025))), Err(ErrorCode::KeyTooLongError));
    }
}
