//! The index: what is stored, in tables of LMDB, and the records in them.

pub(super) mod list;
pub(super) mod record;
pub(super) mod record_v1;
pub(super) mod record_v2;
pub(super) mod record_v3;
pub(super) mod tables;
pub(super) mod upload_record;
pub(super) mod uploads;
pub(super) mod usage_record;
pub(super) mod versions;
