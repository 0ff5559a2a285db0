//! The bytes of a body without what frames them: lengths are checked, and the signatures of chunks.

use bytes::Bytes;

use super::chunked::{Decoder, incomplete};
use crate::s3::checksum::Checksum;
use crate::s3::error::Error;
use crate::size;

/// Takes what the client sends, gives the bytes of the object.
pub struct Framer {
    pub(super) framing: Framing,
    pub(super) length: u64,
}

pub(super) enum Framing {
    Plain { left: u64 },
    Chunked(Box<Decoder>),
}

/// That a body was framed as announced, to its end.
#[derive(Debug)]
pub struct FramingProof {
    pub(super) size: u64,
    pub(super) trailer: Option<Checksum>,
}

impl Framer {
    /// Takes the next bytes and appends what they hold of the object to `out`, without copying.
    ///
    /// # Errors
    /// As the framing is found to be broken: `IncompleteBody`, `SignatureDoesNotMatch`, `InvalidChunkSizeError`,
    /// `MalformedTrailerError`.
    pub fn push(&mut self, input: Bytes, out: &mut Vec<Bytes>) -> Result<(), Error> {
        match &mut self.framing {
            Framing::Plain { left } => {
                let bytes = size::bytes(input.len());
                *left = left
                    .checked_sub(bytes)
                    .ok_or_else(|| incomplete(self.length, self.length - *left + bytes))?;
                if !input.is_empty() {
                    out.push(input);
                }
                Ok(())
            }
            Framing::Chunked(decoder) => decoder.push(input, out),
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// `IncompleteBody` if something is missing, and what a trailer may be refused for.
    pub fn finish(self) -> Result<FramingProof, Error> {
        match self.framing {
            Framing::Plain { left: 0 } => Ok(FramingProof { size: self.length, trailer: None }),
            Framing::Plain { left } => Err(incomplete(self.length, self.length - left)),
            Framing::Chunked(decoder) => {
                let trailer = decoder.finish()?;
                Ok(FramingProof { size: self.length, trailer })
            }
        }
    }
}
