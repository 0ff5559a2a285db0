//! HTTP/1.1 as bytes: requests written as they are given, answers taken apart.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::harness::server;

/// Longest that a test waits for the server; nothing should come near it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A request, every header as it will be sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub address: SocketAddr,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A request to the shared server.
    pub fn new(method: &str, target: &str) -> Self {
        Self::to(server().address, method, target)
    }

    pub fn to(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("Host".to_owned(), address.to_string())],
            body: Vec::new(),
        }
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds header lines.
    pub fn headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// Removes every line of a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces a header, or adds it.
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// The value of a header that was added.
    pub fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The body with its `Content-Length`.
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len().to_string();
        self.set("Content-Length", &length).raw_body(body)
    }

    /// A document with its `Content-MD5`.
    pub fn document(self, text: impl AsRef<[u8]>) -> Self {
        let md5 = STANDARD.encode(Md5::digest(text.as_ref()));
        self.set("Content-MD5", &md5).body(text)
    }

    /// The body without a word about its length.
    pub fn raw_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Replaces text in the target; it must be there.
    #[track_caller]
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        assert!(self.target.contains(from), "{} has no {from}", self.target);
        self.target = self.target.replacen(from, to, 1);
        self
    }

    /// Removes a query parameter.
    pub fn drop_parameter(mut self, name: &str) -> Self {
        let (path, query) = self.target.split_once('?').expect("a query");
        let kept: Vec<&str> =
            query.split('&').filter(|piece| piece.split('=').next() != Some(name)).collect();
        self.target = format!("{path}?{}", kept.join("&"));
        self
    }

    /// Gives a query parameter another raw value.
    #[track_caller]
    pub fn set_parameter(self, name: &str, value: &str) -> Self {
        let old = self.parameter(name).to_owned();
        self.edit(&format!("{name}={old}"), &format!("{name}={value}"))
    }

    /// The raw value of a query parameter.
    #[track_caller]
    pub fn parameter(&self, name: &str) -> &str {
        let (_, query) = self.target.split_once('?').expect("a query");
        let found = query.split('&').find_map(|piece| piece.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    /// Appends to the query.
    pub fn add_query(mut self, more: &str) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        self.target = format!("{}{mark}{more}", self.target);
        self
    }

    /// The head up to and with the empty line.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Sends it on a connection of its own.
    #[track_caller]
    pub fn send(&self) -> Response {
        let mut connection = Connection::open(self.address);
        connection.write(&[self.head(), self.body.clone()].concat());
        connection.response(&self.method)
    }
}

/// A connection, with what was read ahead.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("a connection")
    }

    /// A connection; `None` if nobody listens.
    pub fn try_open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(WAIT_MAX)).expect("a timeout");
        stream.set_write_timeout(Some(WAIT_MAX)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Some(Self { stream, buffer: Vec::new() })
    }

    /// Writes; that the server has closed by then is for the reader to see.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will come; a server that has closed by then does not hear it.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads on; `false` at the end.
    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&bytes[..read]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}; so far {}", self.buffer.escape_ascii()),
        }
    }

    /// Whether nothing arrives for a while.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let mut byte = [0];
        let silent = self.buffer.is_empty() && self.stream.peek(&mut byte).is_err();
        self.stream.set_read_timeout(Some(WAIT_MAX)).expect("a timeout");
        silent
    }

    /// Whether the server ends the connection without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    fn line_end(&mut self, wanted: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.buffer.windows(wanted.len()).position(|window| window == wanted) {
                return Some(at + wanted.len());
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.fill() {
                return None;
            }
        }
        let rest = self.buffer.split_off(length);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// The next answer to a request of this method, interim ones included.
    #[track_caller]
    pub fn response(&mut self, method: &str) -> Response {
        self.try_response(method).expect("an answer")
    }

    /// The next answer; `None` if the connection ends before or within it.
    pub fn try_response(&mut self, method: &str) -> Option<Response> {
        let end = self.line_end(b"\r\n\r\n")?;
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).expect("a head in UTF-8");
        let mut lines = head.trim_end().split("\r\n");
        let mut status = lines.next().expect("a status line").splitn(3, ' ');
        assert_eq!(status.next(), Some("HTTP/1.1"));
        let mut response = Response {
            status: status.next().and_then(|code| code.parse().ok()).expect("a status code"),
            reason: status.next().unwrap_or_default().to_owned(),
            headers: Vec::new(),
            names: Vec::new(),
            body: Vec::new(),
        };
        for line in lines {
            let (name, value) = line.split_once(':').expect("a header");
            response.names.push(name.to_owned());
            response.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let bodiless = method == "HEAD" || response.status < 200 || matches!(response.status, 204 | 304);
        if bodiless {
            return Some(response);
        }
        response.body = match (response.header("transfer-encoding"), response.header("content-length")) {
            (Some(_), _) => self.chunks()?,
            (None, Some(length)) => self.take(length.parse().expect("a length"))?,
            (None, None) => self.rest(),
        };
        Some(response)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.line_end(b"\r\n")?;
            let line: Vec<u8> = self.buffer.drain(..end).collect();
            let size = String::from_utf8(line).expect("a chunk line");
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
            let data = self.take(size + 2)?;
            if size == 0 {
                return Some(body);
            }
            body.extend_from_slice(&data[..size]);
        }
    }
}

/// An answer, its framing undone.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The names as they were written, in the same order.
    pub names: Vec<String>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of this name in the body.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| unescape(value))
    }

    /// What stands in every element of this name in the body, as it stands there.
    pub fn elements(&self, name: &str) -> Vec<String> {
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        let text = self.text();
        let inner = text.split(&start).skip(1).filter_map(|rest| rest.split_once(&end));
        inner.map(|(inner, _)| inner.to_owned()).collect()
    }

    /// Asserts a status, and shows the answer if it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {}", self.reason, self.text());
        self
    }

    /// What stands in an error document, element by element in order.
    ///
    /// The document must be exactly as S3 writes it: no namespace, no attributes, nothing nested.
    pub fn error_elements(&self) -> Result<Vec<(String, String)>, String> {
        let text = String::from_utf8(self.body.clone()).map_err(|_| "not UTF-8".to_owned())?;
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>";
        let malformed = || format!("not an error document: {text}");
        let mut rest =
            text.strip_prefix(start).and_then(|rest| rest.strip_suffix("</Error>")).ok_or_else(malformed)?;
        let mut elements = Vec::new();
        while !rest.is_empty() {
            let (name, after) =
                rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(malformed)?;
            let (value, after) = after.split_once(&format!("</{name}>")).ok_or_else(malformed)?;
            if value.contains(['<', '>', '"'])
                || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            {
                return Err(malformed());
            }
            elements.push((name.to_owned(), unescape(value)));
            rest = after;
        }
        Ok(elements)
    }
}

pub fn unescape(text: &str) -> String {
    quick_xml::escape::unescape(text).expect("well-formed text").into_owned()
}
