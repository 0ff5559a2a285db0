//! May they? Decides on what was verified, and gives a permit without which no handler runs.
//!
//! Today's rule is one line: whoever holds a configured key may do everything, nobody else anything.

use crate::auth::{Identity, Verified};
use crate::s3::error::{Error, ErrorCode};

/// That a verified request may be carried out. Borrows the request, so that what was verified, permitted and
/// carried out are the same value.
///
/// ```compile_fail,E0451
/// fn forge(verified: &presigned::auth::Verified) -> presigned::policy::Permit<'_> {
///     presigned::policy::Permit { verified }
/// }
/// ```
#[derive(Debug)]
pub struct Permit<'v> {
    verified: &'v Verified,
}

impl<'v> Permit<'v> {
    pub fn verified(&self) -> &'v Verified {
        self.verified
    }
}

/// The rules.
#[derive(Clone, Debug, Default)]
pub struct Policy;

impl Policy {
    /// Decides on a request.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn authorize<'v>(&self, verified: &'v Verified) -> Result<Permit<'v>, Error> {
        match verified.identity() {
            Identity::User { .. } => Ok(Permit { verified }),
            Identity::Anonymous => Err(ErrorCode::AccessDenied.error().at("policy")),
        }
    }
}
