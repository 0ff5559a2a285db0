//! Bodies: immutable files, where they are, and the file system below them.

pub(in crate::store) mod blob;
pub(super) mod layout;
pub(super) mod medium;
pub(super) mod segment;
pub(in crate::store) mod windows;
