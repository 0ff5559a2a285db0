//! How a request reached the server: decided once, from the connection and the head, and believed by everything above.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, Version};

use super::check::Check;
use super::error::{Error, ErrorCode};

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// As a URL spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// How a request reached the server. Nothing else reads the host of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    peer: IpAddr,
    scheme: Scheme,
    host: String,
    names: Vec<String>,
}

impl Arrival {
    /// A request that came from `peer` over a connection of this scheme.
    ///
    /// # Errors
    /// Returns `BadRequest` if several hosts could be meant, if the host is not text, and if HTTP/1.1 came without one.
    pub fn of(head: &Parts, peer: IpAddr, scheme: Scheme) -> Result<Self, Error> {
        let host = host(&head.uri, &head.headers, head.version)?;
        Ok(Self { peer, scheme, host, names: Vec::new() })
    }

    /// Adds authorities under which the client may have signed the request besides the host it was sent to, the likeliest
    /// first.
    #[must_use]
    pub fn known_as(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.names.extend(names);
        self
    }

    /// The other end of the connection.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The scheme that the client used.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host as received, with its port if it had one; empty if there was none.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The other names under which the request may have been signed.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// The host of a request: that of its target, as HTTP/2 has it, or of the one header. RFC 9112 3.2, RFC 9113 8.3.1.
fn host(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<String, Error> {
    let refuse = |message: &'static str| Err(ErrorCode::BadRequest.with_message(message).check(Check::Host));
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
