//! The head of a request, parsed once: what it addresses and asks, with its headers and query side by side.
//! Nothing in it is believed yet.

use std::borrow::Cow;
use std::fmt;

use http::header::{HOST, ValueIter};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::error::{Error, ErrorCode};
use super::operation::Operation;
use super::target::{self, Domains, Style, Target};
use super::uri::{DecodeError, Path, Query};

/// Most bytes that the target and the headers of a request may have together.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most parameters of a query.
pub const QUERY_PARAMETERS_MAX: usize = 1000;

/// A parsed request head.
#[derive(Clone)]
pub struct Request {
    method: Method,
    host: String,
    path: Path,
    query: Query,
    headers: HeaderMap,
    has_amz_headers: bool,
    target: Target,
    style: Style,
    operation: Operation,
}

/// Says what is addressed and how, and nothing of query and headers: signatures and tokens are among them.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut request = f.debug_struct("Request");
        request
            .field("method", &self.method)
            .field("target", &self.target)
            .field("operation", &self.operation);
        request.finish_non_exhaustive()
    }
}

impl Request {
    /// Parses a head; `domains` are those whose subdomains are buckets.
    ///
    /// # Errors
    /// S3's errors for a target that is no URI, bucket or key, for a method the target does not answer to, and
    /// for a head beyond [`HEAD_BYTES_MAX`].
    pub fn parse(parts: http::request::Parts, domains: &Domains) -> Result<Self, Error> {
        let http::request::Parts { method, uri, headers, version, .. } = parts;
        let head_bytes = uri.path().len()
            + uri.query().map_or(0, str::len)
            + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
        if head_bytes > HEAD_BYTES_MAX {
            return Err(ErrorCode::RequestHeaderSectionTooLarge
                .error()
                .with("MaxSizeAllowed", HEAD_BYTES_MAX.to_string()));
        }
        let host = host(&uri, &headers, version)?;
        let refuse = |error| match error {
            DecodeError::InvalidEscape => Error::bare("Invalid URI: isHexDigit"),
            DecodeError::InvalidText => ErrorCode::InvalidURI.error().with("URI", uri.path()),
        };
        let path = Path::parse(uri.path()).map_err(refuse)?;
        let query = Query::parse(uri.query().unwrap_or_default()).map_err(refuse)?;
        if query.len() > QUERY_PARAMETERS_MAX {
            return Err(ErrorCode::InvalidURI.error().with("URI", uri.path()));
        }
        let (target, style) = target::resolve(&host, &path, domains)?;
        let has_amz_headers = headers.keys().any(|name| is_amz(name.as_str()));
        let copy_source = (has_amz_headers && headers.contains_key("x-amz-copy-source"))
            || query.value_any_case("x-amz-copy-source").is_some();
        let operation = Operation::find(&method, &target, &query, copy_source)?;
        Ok(Self { method, host, path, query, headers, has_amz_headers, target, style, operation })
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The host as received, with its port if it had one; empty if there was none.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn query(&self) -> &Query {
        &self.query
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn style(&self) -> Style {
        self.style
    }

    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The value of a header, all its lines joined as they are signed, if it is text.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut lines = self.lines(name)?.map(|value| std::str::from_utf8(value.as_bytes()));
        let first = lines.next()?.ok()?;
        lines.try_fold(Cow::Borrowed(first), |all, next| Some(Cow::Owned(format!("{all},{}", next.ok()?))))
    }

    /// All lines of a header, joined, each byte a character as ISO-8859-1 has it: what HTTP gives no other meaning.
    pub fn latin1(&self, name: &str) -> Option<String> {
        let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        joined(self.lines(name)?.map(text).map(Cow::Owned)).map(Cow::into_owned)
    }

    /// An `x-amz-*` value, as [`Request::anywhere`].
    ///
    /// Presigners hoist such headers into the query, where they are signed like everything else. Checksums are
    /// the exception: in a query S3 ignores them, so they are to be read with [`Request::header`].
    pub fn amz(&self, name: &str) -> Option<Cow<'_, str>> {
        self.anywhere(name)
    }

    /// The value of a header wherever the client put it: all lines of the header, joined, else the query parameter
    /// of that name in any case, which S3 honours alike. `name` is in lower case; what is not UTF-8 is replaced.
    pub fn anywhere(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = |value| String::from_utf8_lossy(HeaderValue::as_bytes(value));
        let header = self.lines(name).and_then(|lines| joined(lines.map(text)));
        header.or_else(|| self.query.value_any_case(name).map(Cow::Borrowed))
    }

    /// The lines of a header. Most are asked for in vain: a presigned URL comes with none of S3's own.
    fn lines(&self, name: &str) -> Option<ValueIter<'_, HeaderValue>> {
        (self.has_amz_headers || !is_amz(name)).then(|| self.headers.get_all(name).iter())
    }

    /// Whether there is a header of S3's own.
    pub fn has_amz_headers(&self) -> bool {
        self.has_amz_headers
    }

    /// The declared length of the body: `Content-Length`, if it is a number.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length").and_then(|text| text.trim().parse().ok())
    }
}

/// The lines of one header as they are signed.
fn joined<'v>(mut lines: impl Iterator<Item = Cow<'v, str>>) -> Option<Cow<'v, str>> {
    let first = lines.next()?;
    Some(lines.fold(first, |all, next| Cow::Owned(format!("{all},{next}"))))
}

/// Whether a name is one of S3's own, in any case.
pub fn is_amz(name: &str) -> bool {
    name.as_bytes().get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-"))
}

/// The host of a request: that of its target, as HTTP/2 has it, or of the one header. RFC 9112 3.2, RFC 9113 8.3.1.
///
/// # Errors
/// `BadRequest` for several that could be meant, for what is no text, and for none in HTTP/1.1.
fn host(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<String, Error> {
    let refuse = |message: &'static str| Err(ErrorCode::BadRequest.says(message).at("host"));
    let mut lines = headers.get_all(HOST).iter();
    let (line, more) = (lines.next().map(HeaderValue::to_str), lines.next());
    let authority = uri.authority().map(Authority::as_str);
    match (authority, line) {
        _ if more.is_some() => refuse("The request has more than one Host header."),
        (_, Some(Err(_))) => refuse("The Host header is not valid."),
        (Some(authority), Some(Ok(line))) if version >= Version::HTTP_2 && authority != line => {
            refuse("The Host header and the authority of the request differ.")
        }
        // In HTTP/1.1 an absolute target goes before the header.
        (Some(authority), _) => Ok(authority.to_owned()),
        (None, Some(Ok(line))) => Ok(line.to_owned()),
        (None, None) if version == Version::HTTP_11 => refuse("The request has no Host header."),
        // Health checks of load balancers still send HTTP/1.0 without one.
        (None, None) => Ok(String::new()),
    }
}
