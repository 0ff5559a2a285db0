//! Bodies on their way in. A store pulls a body to its end, and publishes only what is proved.

use bytes::Bytes;

use super::Error;
use crate::auth::{Digester, FramingProof};
use crate::s3;

/// Where the bytes of a body come from.
pub trait Source: Send {
    /// Appends what comes next to `out`; `false` at the end. Giving up the wait loses nothing.
    ///
    /// # Errors
    /// Returns what is wrong with the body, or with how it comes.
    fn next(&mut self, out: &mut Vec<Bytes>) -> impl Future<Output = Result<bool, s3::Error>> + Send;

    /// That the frames of the body were complete, and as they were signed.
    ///
    /// # Errors
    /// Returns what is missing.
    fn finish(self) -> Result<FramingProof, s3::Error>;
}

/// A body that is to be taken in, with what it is checked by.
pub struct CheckedBody<S> {
    /// Where it comes from.
    pub source: S,
    /// What computes its digests.
    pub digester: Digester,
    /// How many bytes it has, as its head says.
    pub length: u64,
}

/// Why a body was not taken in.
#[derive(Debug)]
pub enum IntakeError {
    /// It is not what its head said.
    Body(s3::Error),
    /// The store refused it, or failed.
    Store(Error),
}

impl From<Error> for IntakeError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<s3::Error> for IntakeError {
    fn from(error: s3::Error) -> Self {
        Self::Body(error)
    }
}
