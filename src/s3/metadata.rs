//! What a client says about an object: its content headers and its own `x-amz-meta-*`.

use http::{HeaderName, HeaderValue};

use super::encoded_word;
use super::error::{Error, ErrorCode};
use super::request::Request;

/// Most bytes of names and values of user metadata together.
pub const USER_METADATA_BYTES_MAX: usize = 2048;
/// The type of an object whose client named none.
pub const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";

const STORED_HEADERS: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];
const STORED_AMZ_HEADERS: [&str; 2] = ["x-amz-storage-class", REDIRECT_LOCATION];
const REDIRECT_LOCATION: &str = "x-amz-website-redirect-location";
const USER_PREFIX: &str = "x-amz-meta-";
const STORAGE_CLASS: &str = "x-amz-storage-class";
const STORAGE_CLASSES: [&str; 10] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
];

/// The headers an object is stored and served with: lower-case names in a fixed order, user metadata last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// Reads what a PUT, a POST or a replacing copy says of the new object. The token `aws-chunked` is part of
    /// the transfer if `framed`, and is then dropped from `Content-Encoding`.
    ///
    /// # Errors
    /// `MetadataTooLarge`, `InvalidStorageClass`, `InvalidRedirectLocation`.
    pub fn from_request(request: &Request, framed: bool) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for name in STORED_HEADERS {
            let value = match (name, request.latin1(name)) {
                // V2 signs an empty type as none.
                ("content-type", value) => {
                    let value = value.filter(|value| !value.is_empty());
                    Some(value.unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned()))
                }
                ("content-encoding", Some(value)) if framed => without_aws_chunked(&value),
                (_, value) => value,
            };
            entries.extend(value.map(|value| (name.to_owned(), value)));
        }
        for name in STORED_AMZ_HEADERS {
            // Text of a query goes out as it would have come in a header.
            let in_query =
                || request.query().value_any_case(name).map(|text| text.bytes().map(char::from).collect());
            entries.extend(request.latin1(name).or_else(in_query).map(|value| (name.to_owned(), value)));
        }
        if let Some((_, class)) = entries.iter().find(|(name, _)| name == STORAGE_CLASS)
            && !STORAGE_CLASSES.contains(&class.as_str())
        {
            return Err(ErrorCode::InvalidStorageClass.error().with("StorageClassRequested", class));
        }
        let is_place = |text: &str| ["http://", "https://", "/"].iter().any(|start| text.starts_with(start));
        if entries.iter().any(|(name, value)| name == REDIRECT_LOCATION && !is_place(value)) {
            return Err(ErrorCode::InvalidRedirectLocation.error());
        }
        let user = user_metadata(request);
        if let Some((name, value)) = entries.iter().chain(&user).find(|entry| !is_presentable(entry)) {
            let message = "Metadata names and values must be valid in headers.";
            return Err(Error::invalid_argument(message, name, value));
        }
        let size: usize = user.iter().map(|(name, value)| name.len() - USER_PREFIX.len() + value.len()).sum();
        if size > USER_METADATA_BYTES_MAX {
            return Err(ErrorCode::MetadataTooLarge
                .error()
                .with("Size", size.to_string())
                .with("MaxSizeAllowed", USER_METADATA_BYTES_MAX.to_string()));
        }
        entries.extend(user);
        Ok(Self(entries))
    }

    /// Metadata that someone kept; `None` if no object can have it.
    pub fn parse_entries(entries: Vec<(String, String)>) -> Option<Self> {
        let known = |name: &str| {
            STORED_HEADERS.contains(&name)
                || STORED_AMZ_HEADERS.contains(&name)
                || (name.starts_with(USER_PREFIX) && !name.contains(|c: char| c.is_ascii_uppercase()))
        };
        entries.iter().all(|entry| known(&entry.0) && is_presentable(entry)).then_some(Self(entries))
    }

    /// Metadata as it was stored.
    pub fn from_stored(entries: Vec<(String, String)>) -> Self {
        Self(entries)
    }

    /// The same with storage class and redirect of another, which are never copied.
    #[must_use]
    pub fn with_own_of(mut self, other: &Self) -> Self {
        let is_own = |entry: &(String, String)| STORED_AMZ_HEADERS.contains(&entry.0.as_str());
        self.0.retain(|entry| !is_own(entry));
        self.0.extend(other.0.iter().filter(|entry| is_own(entry)).cloned());
        self
    }

    /// Names and values, for storing.
    pub fn entries(&self) -> &[(String, String)] {
        &self.0
    }

    /// The storage class, `STANDARD` if none was named.
    pub fn storage_class(&self) -> &str {
        self.named_storage_class().unwrap_or("STANDARD")
    }

    /// Whether the storage class is one whose objects must be restored before they can be read.
    pub fn is_archived(&self) -> bool {
        matches!(self.storage_class(), "GLACIER" | "DEEP_ARCHIVE")
    }

    /// The storage class, if one was named.
    pub fn named_storage_class(&self) -> Option<&str> {
        self.value(STORAGE_CLASS)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The headers of an answer that serves the object. A storage class of `STANDARD` is not shown.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.0
            .iter()
            .filter(|(name, value)| !(name == STORAGE_CLASS && value == "STANDARD"))
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, shown(name, value)?)))
    }
}

/// Whether an entry can be shown again, without which it must not be stored: a query can hold what no header can.
fn is_presentable((name, value): &(String, String)) -> bool {
    HeaderName::try_from(name).is_ok() && shown(name, value).is_some()
}

/// The user metadata of headers and query, sorted, each name once.
fn user_metadata(request: &Request) -> Vec<(String, String)> {
    let in_headers = request.headers().keys().map(|name| name.as_str().to_owned());
    let in_query = request.query().iter().map(|(name, _)| name.to_ascii_lowercase());
    let mut names: Vec<String> =
        in_headers.chain(in_query).filter(|name| name.starts_with(USER_PREFIX)).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| {
            // Words are decoded in headers only: what a query or a form holds is text already.
            let in_header = request.latin1(&name).map(|value| encoded_word::decode(&value));
            let value = in_header.or_else(|| request.query().value_any_case(&name).map(str::to_owned));
            value.map(|value| (name, value))
        })
        .collect()
}

fn without_aws_chunked(value: &str) -> Option<String> {
    let kept: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

/// A value as answers show it. The client's own goes out in encoded words if it is not plain; the others go out as the
/// bytes that came in.
fn shown(name: &str, value: &str) -> Option<HeaderValue> {
    if encoded_word::is_plain(value) {
        return HeaderValue::from_str(value).ok();
    }
    if name.starts_with(USER_PREFIX) {
        return HeaderValue::from_str(&encoded_word::encode(value)).ok();
    }
    let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    // Earlier versions kept what the bytes said in UTF-8.
    HeaderValue::from_bytes(&latin1.unwrap_or_else(|| value.as_bytes().to_vec())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_chunked_leaves_the_encoding() {
        assert_eq!(without_aws_chunked("aws-chunked"), None);
        assert_eq!(without_aws_chunked("foo, aws-chunked, bar").as_deref(), Some("foo, bar"));
        assert_eq!(without_aws_chunked("gzip,aws-chunked").as_deref(), Some("gzip"));
    }

    #[test]
    fn kept_entries_are_checked() {
        let of = |name: &str, value: &str| Metadata::parse_entries(vec![(name.to_owned(), value.to_owned())]);
        assert!(of("content-type", "text/plain").is_some());
        assert!(of("x-amz-meta-a", "caf\u{e9}").is_some());
        for (name, value) in
            [("host", "a"), ("x-amz-meta-A", "a"), ("x-amz-meta-a b", "a"), ("expires", "a\nb")]
        {
            assert!(of(name, value).is_none(), "{name}");
        }
    }

    #[test]
    fn values_beyond_ascii_are_shown_as_s3_shows_them() {
        let of = |name, value| shown(name, value).expect("a value").as_bytes().to_vec();
        assert_eq!(of("x-amz-meta-a", "caf\u{e9}"), b"=?UTF-8?Q?caf=C3=A9?=");
        assert_eq!(of("x-amz-meta-a", "plain"), b"plain");
        assert_eq!(of("content-disposition", "\u{e2}\u{80}\u{94}"), b"\xe2\x80\x94");
        assert_eq!(of("content-disposition", "\u{2014}"), b"\xe2\x80\x94");
    }
}
