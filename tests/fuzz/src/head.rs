//! Heads of requests as bytes: `METHOD target`, and a line for each header.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use presigned::s3::Request;
use presigned::s3::arrival::{Arrival, Scheme};
use presigned::s3::target::Domains;

/// A head in the pieces that a holder of it can move around.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub method: Vec<u8>,
    pub path: Vec<u8>,
    /// The query between its `&`.
    pub pieces: Vec<Vec<u8>>,
    pub lines: Vec<Vec<u8>>,
}

impl Head {
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        let first = lines.next()?;
        let (method, target) = cut(&first, b' ')?;
        let (path, query) = cut(target, b'?').unwrap_or((target, b""));
        let pieces = query.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
        Some(Self {
            method: method.to_vec(),
            path: path.to_vec(),
            pieces: pieces.map(<[u8]>::to_vec).collect(),
            lines: lines.filter(|line| !line.is_empty()).collect(),
        })
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.path[..]].concat();
        for (position, piece) in self.pieces.iter().enumerate() {
            bytes.push(if position == 0 { b'?' } else { b'&' });
            bytes.extend_from_slice(piece);
        }
        for line in &self.lines {
            bytes.push(b'\n');
            bytes.extend_from_slice(line);
        }
        bytes
    }

    /// The names of its headers, in lower case.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let names = self.lines.iter().filter_map(|line| Some(cut(line, b':')?.0));
        names.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
    }

    /// As hyper gives it to the server; `None` if it is no HTTP.
    fn parts(&self) -> Option<Parts> {
        let target = [&self.path[..], if self.pieces.is_empty() { b"" } else { b"?" }].concat();
        let target = [target, self.pieces.join(&b'&')].concat();
        let mut request = http::Request::new(());
        *request.method_mut() = Method::from_bytes(&self.method).ok()?;
        *request.uri_mut() = http::Uri::try_from(target).ok()?;
        for line in &self.lines {
            let (name, value) = cut(line, b':')?;
            let name = HeaderName::from_bytes(name).ok()?;
            request.headers_mut().append(name, HeaderValue::from_bytes(value.trim_ascii()).ok()?);
        }
        Some(request.into_parts().0)
    }

    /// As S3 reads it; `None` if it refuses to.
    pub fn request(&self) -> Option<Request> {
        let parts = self.parts()?;
        let arrival = Arrival::of(&parts, [127, 0, 0, 1].into(), Scheme::Http).ok()?;
        Request::parse(parts, arrival, &Domains::new(["s3.example.org".to_owned()])).ok()
    }
}

/// What stands before and after the first such byte.
pub fn cut(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    Some((bytes.get(..position)?, bytes.get(position + 1..)?))
}
