//! Uploads framed in aws-chunked that must work, and the framer that the faults are made with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::check::{Table, assert_stored};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer, sha256_hex, sign_text, time_at};
use crate::wire::Request;

pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// CRC32 of `hello world`.
pub const CRC32: &str = "DUoRhQ==";

/// The three ways to frame a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Signed,
    SignedTrailer,
    UnsignedTrailer,
}

pub const MODES: [Mode; 3] = [Mode::Signed, Mode::SignedTrailer, Mode::UnsignedTrailer];

impl Mode {
    pub fn literal(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    pub fn is_signed(self) -> bool {
        self != Self::UnsignedTrailer
    }

    pub fn has_trailer(self) -> bool {
        self != Self::Signed
    }
}

/// A framed upload of `length` bytes; a mode with a trailer announces CRC32.
pub fn upload(path: &str, mode: Mode, length: usize) -> Framer {
    let request = Request::new("PUT", path);
    match mode.has_trailer() {
        true => upload_with(request.header("x-amz-trailer", "x-amz-checksum-crc32"), mode, length),
        false => upload_with(request, mode, length),
    }
}

/// The same of a request that is to be signed.
pub fn upload_with(request: Request, mode: Mode, length: usize) -> Framer {
    let request = request.header("x-amz-decoded-content-length", &length.to_string());
    let request = request.sign_with(&Signer::payload(mode.literal()));
    let (previous, date) = (request.signature().to_owned(), request.value("x-amz-date").to_owned());
    Framer { request, mode, previous, date, body: Vec::new() }
}

/// Builds a framed body, chaining signatures from that of the head.
#[derive(Clone)]
pub struct Framer {
    pub request: Request,
    mode: Mode,
    previous: String,
    date: String,
    body: Vec<u8>,
}

impl Framer {
    fn link(&mut self, kind: &str, hashes: &str) -> String {
        let (date, previous) = (&self.date, &self.previous);
        let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{date}\n{scope}\n{previous}\n{hashes}");
        // Midnight may have passed: the key is of the day of the signature.
        let times = [time_at(0), time_at(-3600)];
        let time = times.into_iter().find(|time| crate::sign::iso_basic(*time)[..8] == date[..8]);
        self.previous = sign_text(time.expect("signed a moment ago"), &text);
        self.previous.clone()
    }

    /// The signature of the next chunk.
    pub fn chunk_signature(&mut self, data: &[u8]) -> String {
        self.link("PAYLOAD", &format!("{EMPTY_SHA256}\n{}", sha256_hex(data)))
    }

    /// The signature of the trailer, of lines like `name:value\n`.
    pub fn trailer_signature(&mut self, lines: &str) -> String {
        self.link("TRAILER", &sha256_hex(lines.as_bytes()))
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.extend_from_slice(bytes.as_ref());
        self
    }

    /// A chunk, signed if the mode is.
    pub fn chunk(self, data: impl AsRef<[u8]>) -> Self {
        self.chunk_as("{size};chunk-signature={signature}", data)
    }

    /// A chunk with a line of this form; without signatures only the part before the `;` is written.
    pub fn chunk_as(mut self, line: &str, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        let line = if self.mode.is_signed() { line } else { line.split(';').next().expect("a part") };
        let signature = if self.mode.is_signed() { self.chunk_signature(data) } else { String::new() };
        let line = line.replace("{size}", &format!("{:x}", data.len())).replace("{signature}", &signature);
        let end = if data.is_empty() { "" } else { "\r\n" };
        self.raw(format!("{line}\r\n")).raw(data).raw(end)
    }

    /// The last chunk: an empty one without the line end behind its data.
    pub fn last(self) -> Self {
        self.chunk("")
    }

    /// A trailer of one line, signed if the mode is.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        let signature = self.mode.is_signed().then(|| self.trailer_signature(&format!("{name}:{value}\n")));
        let framer = self.raw(format!("{name}:{value}\r\n"));
        match signature {
            Some(signature) => framer.raw(format!("x-amz-trailer-signature:{signature}\r\n")),
            None => framer,
        }
    }

    /// The trailer of `hello world`, where the mode has one.
    pub fn hello_trailer(self) -> Self {
        match self.mode.has_trailer() {
            true => self.trailer("x-amz-checksum-crc32", CRC32),
            false => self,
        }
    }

    /// The empty line at the end.
    pub fn end(self) -> Self {
        self.raw("\r\n")
    }

    /// The request, with the length of what was framed.
    pub fn request(self) -> Request {
        self.request.body(self.body)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.body
    }
}

/// `hello world` in one chunk, framed to the end.
pub fn hello(path: &str, mode: Mode) -> Request {
    upload(path, mode, 11).chunk("hello world").last().hello_trailer().end().request()
}

#[test]
fn each_mode_is_decoded() {
    let mut table = Table::default();
    for mode in MODES {
        let path = unique("framed");
        let stored = hello(&path, mode).send();
        table.status(&format!("{mode:?}"), &stored, 200);
        assert_stored(&path, "hello world");
        let checksum = if mode.has_trailer() { "x-amz-checksum-crc32" } else { "x-amz-checksum-crc64nvme" };
        table.check(&format!("{mode:?}: {checksum}"), stored.header(checksum).is_some());
        table.check(
            &format!("{mode:?}: its type"),
            stored.header("x-amz-checksum-type") == Some("FULL_OBJECT"),
        );
    }
}

#[test]
fn the_end_may_be_short() {
    let mut table = Table::default();
    for mode in MODES {
        for more in ["", "\r\n", "\r\nanything", "\r\n\r\n0\r\n"] {
            let path = unique("short");
            let framed = upload(&path, mode, 11).chunk("hello world").last().hello_trailer().raw(more);
            table.status(&format!("{mode:?} {more:?}"), &framed.request().send(), 200);
            assert_stored(&path, "hello world");
        }
    }
}

#[test]
fn sizes_may_be_odd() {
    let mut table = Table::default();
    let data: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let crc32 = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &data) as u32;
    let crc32 = STANDARD.encode(crc32.to_be_bytes());
    for mode in MODES {
        for cuts in [&[8192, 20_000, 91_808][..], &[99_999], &[], &[8193, 16_386, 50_000, 99_999]] {
            let path = unique("odd");
            let mut framed = upload(&path, mode, data.len());
            let mut start = 0;
            for end in cuts.iter().copied().chain([data.len()]) {
                framed = framed.chunk(&data[start..end]);
                start = end;
            }
            framed = framed.last();
            if mode.has_trailer() {
                framed = framed.trailer("x-amz-checksum-crc32", &crc32);
            }
            table.status(&format!("{mode:?} {cuts:?}"), &framed.end().request().send(), 200);
            assert_stored(&path, &data);
        }
        let path = unique("empty");
        let mut empty = upload(&path, mode, 0).last();
        if mode.has_trailer() {
            empty = empty.trailer("x-amz-checksum-crc32", "AAAAAA==");
        }
        table.status(&format!("{mode:?}: nothing"), &empty.end().request().send(), 200);
        assert_stored(&path, "");
    }
    let path = unique("tiny");
    let mut tiny = upload(&path, Mode::UnsignedTrailer, 11);
    for byte in "hello world".bytes() {
        tiny = tiny.chunk([byte]);
    }
    table.status("small chunks without signatures", &tiny.last().hello_trailer().end().request().send(), 200);
    assert_stored(&path, "hello world");
}

#[test]
fn lines_may_be_spaced() {
    let mut table = Table::default();
    for line in [
        "{size} ;chunk-signature={signature}",
        "{size}; chunk-signature={signature}",
        "{size};chunk-signature ={signature}",
        "{size};chunk-signature= {signature}",
        "{size} ; chunk-signature = {signature}",
        "000{size};chunk-signature={signature}",
    ] {
        for mode in [Mode::Signed, Mode::SignedTrailer] {
            let path = unique("spaced");
            let framed = upload(&path, mode, 11).chunk_as(line, "hello world").chunk_as(line, "");
            table.status(&format!("{mode:?} {line}"), &framed.hello_trailer().end().request().send(), 200);
            assert_stored(&path, "hello world");
        }
    }
    let upper = upload(&unique("upper"), Mode::UnsignedTrailer, 11);
    table.status(
        "upper-case hex",
        &upper.raw("B\r\nhello world\r\n0\r\n").hello_trailer().end().request().send(),
        200,
    );
    let spaced = upload(&unique("spaced"), Mode::UnsignedTrailer, 11).chunk("hello world").last();
    let spaced = spaced.raw(format!("X-Amz-Checksum-CRC32 :  {CRC32} \r\n\r\n")).request();
    table.status("a trailer with spaces", &spaced.send(), 200);
}

#[test]
fn encodings_are_kept_but_for_the_framing() {
    let mut table = Table::default();
    for (sent, kept) in [
        ("aws-chunked", None),
        ("foo, aws-chunked, bar", Some("foo, bar")),
        ("aws-chunked, gzip", Some("gzip")),
        ("gzip,aws-chunked", Some("gzip")),
        ("gzip", Some("gzip")),
    ] {
        for mode in MODES {
            let path = unique("encoding");
            let mut request = Request::new("PUT", &path).header("Content-Encoding", sent);
            if mode.has_trailer() {
                request = request.header("x-amz-trailer", "x-amz-checksum-crc32");
            }
            let framed = upload_with(request, mode, 11).chunk("hello world").last().hello_trailer().end();
            table.status(&format!("{mode:?} {sent}"), &framed.request().send(), 200);
            let stored = Request::new("HEAD", &path).sign().send();
            table.check(&format!("{mode:?} {sent}: kept"), stored.header("content-encoding") == kept);
        }
    }
    let path = unique("encoding");
    let plain = Request::new("PUT", &path).header("Content-Encoding", "aws-chunked").body("hello").sign();
    table.status("no framing", &plain.send(), 200);
    let stored = Request::new("HEAD", &path).sign().send();
    table.check("stored as sent", stored.header("content-encoding") == Some("aws-chunked"));
    assert_stored(&path, "hello");
}

#[test]
fn framed_in_http_chunks() {
    let mut table = Table::default();
    for mode in MODES {
        for size in [1, 7, 1000] {
            let path = unique("outer");
            let framed = upload(&path, mode, 11).chunk("hello world").last().hello_trailer().end();
            let mut outer = Vec::new();
            for piece in framed.bytes().chunks(size) {
                outer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                outer.extend_from_slice(piece);
                outer.extend_from_slice(b"\r\n");
            }
            outer.extend_from_slice(b"0\r\n\r\n");
            let request = framed.request.clone().header("Transfer-Encoding", "chunked").raw_body(outer);
            table.status(&format!("{mode:?} in pieces of {size}"), &request.send(), 200);
            assert_stored(&path, "hello world");
        }
    }
}

#[test]
fn trailers_that_hold() {
    let mut table = Table::default();
    for (name, value) in [
        ("x-amz-checksum-crc32", "DUoRhQ=="),
        ("x-amz-checksum-crc32c", "yZRlqg=="),
        ("x-amz-checksum-crc64nvme", "jSnVw/bqjr4="),
        ("x-amz-checksum-sha1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
        ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
    ] {
        for mode in [Mode::SignedTrailer, Mode::UnsignedTrailer] {
            let request = Request::new("PUT", &unique("trailer")).header("x-amz-trailer", name);
            let framed =
                upload_with(request, mode, 11).chunk("hello world").last().trailer(name, value).end();
            let stored = framed.request().send();
            table.status(&format!("{mode:?} {name}"), &stored, 200);
            table.check(&format!("{mode:?} {name}: echoed"), stored.header(name) == Some(value));
        }
    }
    let request = Request::new("PUT", &unique("commas")).header("x-amz-trailer", "x-amz-checksum-crc32,,");
    let framed = upload_with(request, Mode::UnsignedTrailer, 11).chunk("hello world").last();
    table.status("trailing commas", &framed.hello_trailer().end().request().send(), 200);
    let twice = upload(&unique("twice"), Mode::UnsignedTrailer, 11).chunk("hello world").last();
    let twice = twice.raw("x-amz-checksum-crc32:AAAAAA==\r\n").hello_trailer().end().request();
    table.status("of two the last counts", &twice.send(), 200);
    let none = upload_with(Request::new("PUT", &unique("none")), Mode::UnsignedTrailer, 11);
    let none = none.chunk("hello world").last().end().request().send();
    table.status("none announced, none sent", &none, 200);
    let computed = none.header("x-amz-checksum-crc64nvme") == Some("jSnVw/bqjr4=");
    table.check("then another is computed", computed);
}
