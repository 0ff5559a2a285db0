//! Is the body the one that was announced and signed?
//!
//! A body goes through two halves that may run side by side. The [`Framer`] takes what the client sends and
//! gives the object's bytes: it undoes aws-chunked and checks chunk signatures and lengths. The [`Digester`]
//! takes those bytes and computes digests. Only both together give a [`BodyProof`], and only with a proof can
//! anything be stored.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fast_md5::Md5;
use sha2::{Digest as _, Sha256};

use super::Verified;
use super::canonical::UNSIGNED_PAYLOAD;
pub(super) use super::chunked::ChunkSigning;
use super::chunked::{Decoder, incomplete};
use super::claim::Mechanism;
use super::digest::Digester;
use super::framing::{Framer, Framing};
use crate::s3::check::Check;
use crate::s3::checksum::{Algorithm, Checksum, Hasher};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::operation::Operation;
use crate::s3::request::{OBJECT_BYTES_MAX, Request};

const INVALID_SHA256: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
const INVALID_STREAMING: &str = "The value of x-amz-content-sha256 header is invalid.";
const ANONYMOUS_STREAMING: &str = "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.";
const MULTIPLE_CHECKSUMS: &str =
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";

/// What a request says of its body.
#[derive(Debug)]
pub(super) enum Payload {
    /// Nothing.
    Unsigned,
    /// Its SHA-256, or what stands in its place: compared with the body when that has come.
    Sha256(String),
    /// It is framed in chunks, signed or not, with or without a trailer after them.
    Chunked { signing: Option<Box<ChunkSigning>>, trailer: bool },
}

impl Payload {
    /// From the literals of a presigned request. Streaming is not decoded there, and junk is a mismatch.
    pub(super) fn of_presigned(literals: &[Cow<'_, str>]) -> Self {
        match literals.iter().find(|literal| *literal != UNSIGNED_PAYLOAD) {
            Some(literal) => Self::Sha256(literal.clone().into_owned()),
            None => Self::Unsigned,
        }
    }

    /// From the header of a signed request.
    ///
    /// # Errors
    /// `InvalidArgument` for junk, `InvalidRequest` for streaming where S3 has none, `NotImplemented` for V4A.
    pub(super) fn of_header(
        literal: &str,
        signing: Option<ChunkSigning>,
        operation: Operation,
    ) -> Result<Self, Error> {
        let payload = match literal {
            UNSIGNED_PAYLOAD => Self::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::Chunked { signing: None, trailer: true },
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                let signing = signing.ok_or_else(|| invalid_streaming(INVALID_STREAMING))?;
                Self::Chunked { signing: Some(Box::new(signing)), trailer: literal.ends_with("-TRAILER") }
            }
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                return Err(Error::not_implemented_header(
                    "x-amz-content-sha256",
                    Some("SigV4A is not implemented here"),
                ));
            }
            hash if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Self::Sha256(hash.to_owned())
            }
            _ => {
                return Err(Error::invalid_argument(INVALID_SHA256, "x-amz-content-sha256", literal)
                    .check(Check::PayloadHash));
            }
        };
        let streams = matches!(operation, Operation::PutObject | Operation::UploadPart);
        match !streams && matches!(payload, Self::Chunked { .. }) {
            true => Err(invalid_streaming(INVALID_STREAMING)),
            false => Ok(payload),
        }
    }

    /// From the header of a request that no one signed.
    ///
    /// # Errors
    /// As [`Payload::of_header`]; signed chunks need a signer.
    pub(super) fn of_anonymous(literal: &str, operation: Operation) -> Result<Self, Error> {
        match literal.starts_with("STREAMING-AWS4-") {
            true => Err(invalid_streaming(ANONYMOUS_STREAMING)),
            false => Self::of_header(literal, None, operation),
        }
    }
}

fn invalid_streaming(message: &'static str) -> Error {
    ErrorCode::InvalidRequest.with_message(message).check(Check::PayloadHash)
}

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// An object; the checksum is of this algorithm unless the client names one.
    Object {
        /// The algorithm.
        checksum: Algorithm,
    },
    /// A part; the checksum that is kept is of this algorithm, whichever the client names.
    Part {
        /// The algorithm.
        checksum: Algorithm,
    },
    /// A document that a POST carries; some must come with a digest.
    Document {
        /// Whether it must.
        digest_required: bool,
    },
    /// The document that completes an upload: a checksum in its head is that of the object.
    Completion,
}

/// A body about to be read: how long it will be, and its two halves.
pub struct BodyCheck {
    /// Length of the decoded body in bytes, as declared.
    pub length: u64,
    /// The algorithm of the checksum that the client sends with it.
    pub announced: Option<Algorithm>,
    /// Undoes the framing of the body.
    pub framer: Framer,
    /// Computes its digests.
    pub digester: Digester,
}

impl Verified {
    /// Whether the body is framed in aws-chunked.
    pub fn is_framed(&self) -> bool {
        matches!(self.payload, Payload::Chunked { .. })
    }

    /// Checks what the head says of the body: lengths, `Content-MD5`, checksums, trailer.
    ///
    /// # Errors
    /// `MissingContentLength`, `NotImplemented` for a body of unknown length, `InvalidDigest`, `InvalidRequest`
    /// for checksums, `MalformedTrailerError`, `EntityTooLarge`, `IncompleteBody`.
    pub fn check_body(&self, kind: BodyKind) -> Result<BodyCheck, Error> {
        let request = &self.request;
        let trailers = matches!(self.payload, Payload::Chunked { trailer: true, .. });
        let length = declared_length(request, &self.payload)?;
        let md5 = declared_md5(request)?;
        let declared = match kind {
            BodyKind::Completion => None,
            BodyKind::Object { .. } | BodyKind::Part { .. } | BodyKind::Document { .. } => {
                declared_checksum(request, self.mechanism)?
            }
        };
        let trailer = declared_trailer(request, trailers)?;
        if kind != BodyKind::Completion {
            check_sdk_algorithm(request, declared.as_ref(), trailer)?;
        }
        if declared.is_some() && trailer.is_some() {
            return Err(ErrorCode::InvalidRequest.with_message("Expecting a single x-amz-checksum- header"));
        }
        if matches!(kind, BodyKind::Document { digest_required: true }) && md5.is_none() && declared.is_none()
        {
            return Err(ErrorCode::InvalidRequest
                .with_message("Missing required header for this request: Content-MD5 OR x-amz-checksum-*"));
        }
        if length > OBJECT_BYTES_MAX {
            return Err(ErrorCode::EntityTooLarge
                .error()
                .with("ProposedSize", length.to_string())
                .with("MaxSizeAllowed", OBJECT_BYTES_MAX.to_string()));
        }
        let fallback = match kind {
            BodyKind::Object { checksum } | BodyKind::Part { checksum } => Some(checksum),
            BodyKind::Document { .. } | BodyKind::Completion => None,
        };
        let announced = declared.map(|checksum| checksum.algorithm()).or(trailer);
        let algorithm = announced.or(fallback);
        let kept = match kind {
            BodyKind::Part { checksum } if Some(checksum) != algorithm => Some(Hasher::new(checksum)),
            BodyKind::Object { .. }
            | BodyKind::Part { .. }
            | BodyKind::Document { .. }
            | BodyKind::Completion => None,
        };
        let framing = match &self.payload {
            Payload::Chunked { signing, .. } => {
                Framing::Chunked(Box::new(Decoder::new(signing.as_deref().cloned(), trailer, length)))
            }
            Payload::Unsigned | Payload::Sha256(_) => Framing::Plain { left: length },
        };
        let sha256 = match &self.payload {
            Payload::Sha256(claimed) => Some((claimed.clone(), Sha256::new())),
            Payload::Unsigned | Payload::Chunked { .. } => None,
        };
        Ok(BodyCheck {
            length,
            announced,
            framer: Framer { framing, length },
            digester: Digester {
                size: 0,
                md5: Md5::new(),
                sha256,
                hasher: algorithm.map(Hasher::new),
                kept,
                expected_md5: md5,
                expected_checksum: declared,
                digest_in_hex: matches!(kind, BodyKind::Object { .. }),
            },
        })
    }
}

/// The length of the decoded body.
fn declared_length(request: &Request, payload: &Payload) -> Result<u64, Error> {
    let missing = || ErrorCode::MissingContentLength.error();
    let decoded = || {
        let text = request.amz("x-amz-decoded-content-length").ok_or_else(missing)?;
        text.trim().parse::<u64>().ok().ok_or_else(&missing)
    };
    if let Payload::Chunked { .. } = payload {
        return decoded();
    }
    let Some(length) = request.content_length() else {
        return Err(match request.headers().contains_key(http::header::TRANSFER_ENCODING) {
            true => Error::not_implemented_header("Transfer-Encoding", None),
            false => missing(),
        });
    };
    // A presigned URL does not take aws-chunked: what is framed all the same cannot be what was announced.
    if let Payload::Sha256(literal) = payload
        && literal.starts_with("STREAMING-")
    {
        let decoded = decoded()?;
        if length > decoded {
            return Err(incomplete(decoded, length));
        }
    }
    Ok(length)
}

fn declared_md5(request: &Request) -> Result<Option<[u8; 16]>, Error> {
    let Some(value) = request.latin1("content-md5") else {
        return Ok(None);
    };
    let decoded = STANDARD.decode(&value).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    decoded.map(Some).ok_or_else(|| ErrorCode::InvalidDigest.error().with("Content-MD5", value))
}

/// The `x-amz-checksum-*` header. S3 ignores one in a query; but V2 signs a parameter like the header of the same name, so
/// the holder of a URL could move the header there to have it ignored.
fn declared_checksum(request: &Request, mechanism: Mechanism) -> Result<Option<Checksum>, Error> {
    let in_headers = request.headers().iter().map(|(name, value)| (name.as_str().into(), value.as_bytes()));
    let in_query =
        || request.query().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes()));
    let in_query = mechanism.is_v2().then(in_query).into_iter().flatten();
    let given = in_headers.chain(in_query.map(|(name, value)| (Cow::Owned(name), value)));
    let mut declared = None;
    for (name, value) in given {
        let name: &str = &name;
        let Some(suffix) = name.strip_prefix("x-amz-checksum-") else {
            continue;
        };
        if matches!(suffix, "algorithm" | "mode" | "type") {
            continue;
        }
        let algorithm = Algorithm::of_header(name).ok_or_else(|| {
            ErrorCode::InvalidRequest
                .with_message("The algorithm type you specified in x-amz-checksum- header is invalid.")
        })?;
        let checksum =
            std::str::from_utf8(value).ok().and_then(|value| Checksum::parse(algorithm, value)).ok_or_else(
                || ErrorCode::InvalidRequest.with_message(format!("Value for {name} header is invalid.")),
            )?;
        if declared.replace(checksum).is_some() {
            return Err(ErrorCode::InvalidRequest.with_message(MULTIPLE_CHECKSUMS));
        }
    }
    Ok(declared)
}

/// The checksum that `x-amz-trailer` announces.
fn declared_trailer(request: &Request, allowed: bool) -> Result<Option<Algorithm>, Error> {
    let Some(value) = request.header("x-amz-trailer") else {
        return Ok(None);
    };
    if !allowed {
        return Err(ErrorCode::MalformedTrailerError.error());
    }
    let name = value.trim_end_matches([',', ' ']).trim().to_ascii_lowercase();
    let algorithm = Algorithm::of_header(&name).ok_or_else(|| {
        ErrorCode::InvalidRequest
            .with_message("The value specified in the x-amz-trailer header is not supported")
    })?;
    Ok(Some(algorithm))
}

fn check_sdk_algorithm(
    request: &Request,
    declared: Option<&Checksum>,
    trailer: Option<Algorithm>,
) -> Result<(), Error> {
    let Some(named) = request.header("x-amz-sdk-checksum-algorithm") else {
        return Ok(());
    };
    let invalid = |message: &'static str| Err(ErrorCode::InvalidRequest.with_message(message));
    // The JavaScript SDK means `Content-MD5` by this one.
    let has_md5 = || request.headers().contains_key("content-md5");
    if Algorithm::parse(&named) == Some(Algorithm::Md5)
        && has_md5()
        && declared.is_none()
        && trailer.is_none()
    {
        return Ok(());
    }
    match declared.map(Checksum::algorithm).or(trailer) {
        None => invalid(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        ),
        Some(algorithm) if Algorithm::parse(&named) != Some(algorithm) => {
            invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.")
        }
        Some(_) => Ok(()),
    }
}
