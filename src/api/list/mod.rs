//! Listings: objects in both versions of the call, versions, uploads, parts.

pub(super) mod objects;
pub(super) mod uploads;
pub(super) mod versions;
