//! Operations on an object.

pub(super) mod attributes;
pub(super) mod copy;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod put;
pub(super) mod tagging;
