//! Raw bytes over a socket to the real binary: what a client sends, and what S3 would answer.
//!
//! Nothing here is signed by this crate: V4 comes from the `aws-sigv4` crate, V2 and the odd shapes that no
//! signer makes are put together by hand from its primitives.
#![cfg(feature = "server")]
#![allow(
    unreachable_pub,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::map_err_ignore,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test has no face, and fails by panicking"
)]

mod check;
mod harness;
mod http2;
mod sign;
mod wire;

mod anonymous;
mod answers_buckets;
mod answers_checksums;
mod answers_conditions;
mod answers_copies;
mod answers_documents;
mod answers_errors;
mod answers_lifecycle;
mod answers_listings;
mod answers_markers;
mod answers_metadata;
mod answers_methods;
mod answers_names;
mod answers_new_checksums;
mod answers_operations;
mod answers_owners;
mod answers_parts;
mod answers_repeats;
mod attributes;
mod bounds;
mod chunked;
mod chunked_faults;
mod connections;
mod digests;
mod documents;
mod endurance;
mod framing;
mod header_v4;
mod heads;
mod lifecycle;
mod multipart;
mod objects;
mod one_reading;
mod operators;
mod query_parameters;
mod query_payload;
mod query_v4;
mod settings;
mod signed_headers;
mod tags;
mod target;
mod trees;
mod v2;
mod version_lists;
mod versions;
