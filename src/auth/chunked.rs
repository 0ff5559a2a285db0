//! The framing of aws-chunked: bytes in, the object's bytes out, every chunk signature checked on the way.
//!
//! ```text
//! chunk   = hex-size [ ";chunk-signature=" 64hex ] CRLF data CRLF
//! last    = "0" [ ";chunk-signature=" 64hex ] CRLF
//! trailer = *( name ":" value CRLF ) [ "x-amz-trailer-signature:" 64hex CRLF ]
//! end     = [ CRLF ]
//! ```
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use std::fmt;

use bytes::{Buf as _, Bytes};
use sha2::{Digest as _, Sha256};

use super::canonical::{CanonicalRequest, spaced_hex};
use super::claim_v4::V4Claim;
use super::credential::{Scope, SigningKey};
use super::mismatch;
use crate::s3::check::Check;
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::hex_encode;
use crate::size;

/// Smallest signed chunk that another may follow.
const CHUNK_BYTES_MIN: u64 = 8192;
/// Longest line in front of a chunk or in a trailer.
const LINE_BYTES_MAX: usize = 1024;
/// Most lines of a trailer.
const TRAILER_LINES_MAX: usize = 16;
/// SHA-256 of nothing, a fixed line of every chunk's string to sign.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// What signs the chunks of a body: the key of the head's signature, and the last signature of the chain.
#[derive(Clone)]
pub(super) struct ChunkSigning {
    key: SigningKey,
    timestamp: String,
    scope: Scope,
    previous: String,
    access_key: String,
    /// That of the head, which a refusal shows again.
    canonical: CanonicalRequest,
}

/// Says nothing: the last signature is that of the head.
impl fmt::Debug for ChunkSigning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigning").finish_non_exhaustive()
    }
}

impl ChunkSigning {
    pub(super) fn new(key: SigningKey, claim: &V4Claim, canonical: CanonicalRequest) -> Self {
        Self {
            key,
            timestamp: claim.timestamp.clone(),
            scope: claim.scope.clone(),
            previous: claim.signature.clone(),
            access_key: claim.access_key.clone(),
            canonical,
        }
    }

    /// `SignatureDoesNotMatch` for a chunk or a trailer.
    fn mismatch(&self, text: &str, provided: &str) -> Error {
        mismatch(&self.access_key, text, provided)
            .with("CanonicalRequest", self.canonical.to_string())
            .with("CanonicalRequestBytes", spaced_hex(self.canonical.as_bytes()))
            .check(Check::ChunkSignature)
    }

    /// Checks one link of the chain and makes it the last.
    fn check(&mut self, kind: &str, hashes: &str, provided: &str) -> Result<(), Error> {
        let text = format!(
            "AWS4-HMAC-SHA256-{kind}\n{}\n{}\n{}\n{hashes}",
            self.timestamp, self.scope, self.previous
        );
        let expected = self.key.sign(&text);
        if !expected.matches(provided) {
            return Err(self.mismatch(&text, provided));
        }
        self.previous = expected.into_text();
        Ok(())
    }
}

/// Where in the grammar the next byte stands.
#[derive(Debug)]
enum State {
    /// In the line that begins a chunk.
    ChunkLine,
    /// In the data of a chunk, with this many bytes to come.
    Data { left: u64 },
    /// In the line end after the data.
    DataEnd,
    /// After the last chunk, at the start of or in a trailer line.
    TrailerLine,
    /// After the empty line: what follows is ignored.
    End,
}

/// Most bytes after the end of a body: S3 passes over some.
const BEHIND_BYTES_MAX: usize = 64 * 1024;

/// A decoder of one body.
pub(super) struct Decoder {
    state: State,
    /// The line being read, without its line end.
    line: Vec<u8>,
    signing: Option<ChunkSigning>,
    /// The checksum a trailer must bring.
    announced: Option<Algorithm>,
    expected: u64,
    decoded: u64,
    chunk: Chunk,
    trailer: Vec<(String, String)>,
    /// How many bytes came after the end.
    behind: usize,
}

/// The chunk being read.
#[derive(Default)]
struct Chunk {
    /// Counted from 1.
    number: u64,
    size: u64,
    signature: String,
    hash: Sha256,
}

impl Decoder {
    pub(super) fn new(signing: Option<ChunkSigning>, announced: Option<Algorithm>, expected: u64) -> Self {
        Self {
            state: State::ChunkLine,
            line: Vec::new(),
            signing,
            announced,
            expected,
            decoded: 0,
            chunk: Chunk::default(),
            trailer: Vec::new(),
            behind: 0,
        }
    }

    pub(super) fn push(&mut self, mut input: Bytes, out: &mut Vec<Bytes>) -> Result<(), Error> {
        while !input.is_empty() {
            match self.state {
                State::ChunkLine => {
                    if let Some(line) = self.take_line(&mut input)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { left } => {
                    let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(bytes);
                    if self.signing.is_some() {
                        self.chunk.hash.update(&data);
                    }
                    self.decoded += size::bytes(data.len());
                    self.state = match left - size::bytes(data.len()) {
                        0 => State::DataEnd,
                        left => State::Data { left },
                    };
                    out.push(data);
                }
                State::DataEnd => {
                    if let Some(line) = self.take_line(&mut input)? {
                        if !line.is_empty() {
                            return Err(terminated());
                        }
                        self.check_chunk()?;
                        self.state = State::ChunkLine;
                    }
                }
                State::TrailerLine => {
                    if let Some(line) = self.take_line(&mut input)? {
                        self.take_trailer_line(&line)?;
                    }
                }
                State::End => {
                    self.behind += input.len();
                    input.advance(input.len());
                    if self.behind > BEHIND_BYTES_MAX {
                        return Err(terminated());
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the body: gives the checksum of the trailer, if one was announced.
    pub(super) fn finish(mut self) -> Result<Option<Checksum>, Error> {
        match self.state {
            State::End => {}
            // The line end after the last chunk may be left out, but not half of it.
            State::TrailerLine if self.line.is_empty() => {}
            State::ChunkLine | State::Data { .. } | State::DataEnd | State::TrailerLine => {
                return Err(terminated());
            }
        }
        if self.decoded != self.expected {
            return Err(incomplete(self.expected, self.decoded));
        }
        self.check_trailer()
    }

    /// Reads up to a CRLF; `None` if the input ends before it.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<String>, Error> {
        while let Some(&byte) = input.first() {
            input.advance(1);
            match (byte, self.line.last()) {
                (b'\n', Some(b'\r')) => {
                    self.line.pop();
                    let line = std::mem::take(&mut self.line);
                    return String::from_utf8(line).map(Some).ok().ok_or_else(terminated);
                }
                // Only trailer lines may end in a line feed of their own before the CRLF, as some signers
                // send what they sign.
                (b'\n', _) if !matches!(self.state, State::TrailerLine) => return Err(terminated()),
                (_, Some(b'\r')) => return Err(terminated()),
                _ if self.line.len() >= LINE_BYTES_MAX => return Err(terminated()),
                _ => self.line.push(byte),
            }
        }
        Ok(None)
    }

    fn begin_chunk(&mut self, line: &str) -> Result<(), Error> {
        let (size, extensions) = line.split_once(';').map_or((line, None), |(size, rest)| (size, Some(rest)));
        let size = size.trim();
        if size.is_empty() || size.len() > 16 || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(terminated());
        }
        let size = u64::from_str_radix(size, 16).ok().ok_or_else(terminated)?;
        if let Some(signing) = &self.signing {
            self.chunk.signature = chunk_signature(extensions.unwrap_or_default(), signing)?;
            if size > 0 && self.chunk.number > 0 && self.chunk.size < CHUNK_BYTES_MIN {
                return Err(ErrorCode::InvalidChunkSizeError
                    .error()
                    .with("Chunk", (self.chunk.number + 1).to_string())
                    .with("BadChunkSize", self.chunk.size.to_string()));
            }
        }
        if size > self.expected - self.decoded {
            return Err(incomplete(self.expected, self.decoded.saturating_add(size)));
        }
        self.chunk.number += 1;
        self.chunk.size = size;
        match size {
            0 => {
                self.check_chunk()?;
                self.state = State::TrailerLine;
            }
            left => self.state = State::Data { left },
        }
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), Error> {
        if let Some(signing) = &mut self.signing {
            let hash = hex_encode(&self.chunk.hash.finalize_reset());
            signing.check("PAYLOAD", &format!("{EMPTY_SHA256}\n{hash}"), &self.chunk.signature)?;
        }
        Ok(())
    }

    fn take_trailer_line(&mut self, line: &str) -> Result<(), Error> {
        let line = line.trim();
        if line.is_empty() {
            self.state = State::End;
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed_trailer)?;
        if self.trailer.len() >= TRAILER_LINES_MAX {
            return Err(malformed_trailer());
        }
        self.trailer.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    fn check_trailer(&mut self) -> Result<Option<Checksum>, Error> {
        let trailer = std::mem::take(&mut self.trailer);
        let (signatures, fields): (Vec<_>, Vec<_>) =
            trailer.into_iter().partition(|(name, _)| name == TRAILER_SIGNATURE);
        let Some(algorithm) = self.announced else {
            return match fields.is_empty() && signatures.is_empty() {
                true => Ok(None),
                false => Err(malformed_trailer()),
            };
        };
        if fields.is_empty() || fields.iter().any(|(name, _)| name != algorithm.header()) {
            return Err(malformed_trailer());
        }
        // Of a repeated trailer the last counts.
        let (_, value) = fields.last().ok_or_else(malformed_trailer)?;
        match (&mut self.signing, signatures.first()) {
            (Some(signing), Some((_, provided))) => {
                let lines: String = fields.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
                signing.check("TRAILER", &hex_encode(&Sha256::digest(lines)), provided)?;
            }
            (Some(_), None) => return Err(terminated()),
            (None, Some(_)) => return Err(malformed_trailer()),
            (None, None) => {}
        }
        let invalid = || {
            ErrorCode::InvalidRequest
                .with_message(format!("Value for {} trailing header is invalid.", algorithm.header()))
        };
        Checksum::parse(algorithm, value).map(Some).ok_or_else(invalid)
    }
}

/// The signature of `;chunk-signature=…`. Another parameter before it is taken for a signature that does not
/// match; after it, for a broken line: so S3 answers.
fn chunk_signature(extensions: &str, signing: &ChunkSigning) -> Result<String, Error> {
    let (first, rest) =
        extensions.split_once(';').map_or((extensions, None), |(first, rest)| (first, Some(rest)));
    let (name, value) = first.split_once('=').ok_or_else(terminated)?;
    if name.trim() != "chunk-signature" {
        return Err(signing.mismatch("", value.trim()));
    }
    match (value.trim(), rest) {
        ("", _) | (_, Some(_)) => Err(terminated()),
        (value, None) => Ok(value.to_owned()),
    }
}

/// `IncompleteBody` for a body of another length than declared.
pub(super) fn incomplete(expected: u64, provided: u64) -> Error {
    ErrorCode::IncompleteBody
        .with_message("You did not provide the number of bytes specified by the Content-Length HTTP header")
        .with("NumberBytesExpected", expected.to_string())
        .with("NumberBytesProvided", provided.to_string())
        .check(Check::Length)
}

fn terminated() -> Error {
    ErrorCode::IncompleteBody.error().check(Check::ChunkFraming)
}

fn malformed_trailer() -> Error {
    ErrorCode::MalformedTrailerError.error()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(
        body: &[u8],
        announced: Option<Algorithm>,
        expected: u64,
    ) -> Result<(Vec<u8>, Option<Checksum>), Error> {
        // In every split in two, and byte by byte, the outcome must be the same.
        let run = |pieces: &[&[u8]]| {
            let mut decoder = Decoder::new(None, announced, expected);
            let mut out = Vec::new();
            for piece in pieces {
                decoder.push(Bytes::copy_from_slice(piece), &mut out)?;
            }
            decoder.finish().map(|trailer| (out.concat(), trailer))
        };
        let whole = run(&[body]);
        for at in 0..body.len() {
            assert_eq!(run(&[&body[..at], &body[at..]]), whole);
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(run(&bytes), whole);
        whole
    }

    fn code(body: &[u8], announced: Option<Algorithm>, expected: u64) -> ErrorCode {
        decode(body, announced, expected).expect_err("refused").code()
    }

    #[test]
    fn unsigned_with_trailer() {
        let crc32 = Some(Algorithm::Crc32);
        let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        let (data, trailer) = decode(body, crc32, 11).expect("valid");
        assert_eq!(
            (data.as_slice(), trailer.map(|t| t.base64()).as_deref()),
            (&b"hello world"[..], Some("DUoRhQ=="))
        );
        // A line feed of its own after the value, blanks around it, the last of two.
        let body = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nX-Amz-Checksum-Crc32: DUoRhQ== \n\r\n\r\n";
        assert!(
            decode(body, crc32, 11)
                .is_ok_and(|(_, trailer)| trailer.is_some_and(|t| t.base64() == "DUoRhQ=="))
        );
    }

    #[test]
    fn the_end_may_be_short_but_not_half() {
        assert!(decode(b"1\r\na\r\n0\r\n", None, 1).is_ok());
        assert!(decode(b"1\r\na\r\n0\r\n\r\n", None, 1).is_ok());
        assert!(decode(b"1\r\na\r\n0\r\n\r\nanything", None, 1).is_ok());
        assert!(decode(b"0\r\n\r\n", None, 0).is_ok());
        assert_eq!(code(b"1\r\na\r\n0\r\n\r", None, 1), ErrorCode::IncompleteBody);
        assert_eq!(code(b"1\r\na\r\n0\r", None, 1), ErrorCode::IncompleteBody);
    }

    #[test]
    fn broken_framing() {
        let bodies: [&[u8]; 12] = [
            b"",
            b"1\r\na",
            b"1\r\na\r\n",
            b"1\na\n0\n",
            b"1\ra\r\n0\r\n",
            b"1\r\nab\r\n0\r\n",
            b"-1\r\na\r\n0\r\n",
            b"x\r\na\r\n0\r\n",
            b"\r\n",
            b"2\r\nab\r\n0\r\n\r\n",
            b"11111111111111111\r\n",
            b"0\r\n\r\n",
        ];
        for body in bodies {
            assert_eq!(code(body, None, 1), ErrorCode::IncompleteBody, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn broken_trailers() {
        let crc32 = Some(Algorithm::Crc32);
        for (body, announced) in [
            (&b"0\r\n\r\n"[..], crc32),
            (b"0\r\n", crc32),
            (b"0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n", crc32),
            (b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\nother:1\r\n\r\n", crc32),
            (b"0\r\n\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", crc32),
            (b"0\r\nno colon\r\n\r\n", crc32),
            (b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", None),
        ] {
            assert_eq!(code(body, announced, 0), ErrorCode::MalformedTrailerError, "{}", body.escape_ascii());
        }
        assert_eq!(code(b"0\r\nx-amz-checksum-crc32:junk\r\n\r\n", crc32, 0), ErrorCode::InvalidRequest);
    }

    #[test]
    fn lines_are_bounded() {
        let line = [b"1;".as_slice(), &[b'a'; LINE_BYTES_MAX]].concat();
        assert_eq!(code(&line, None, 1), ErrorCode::IncompleteBody);
    }
}
