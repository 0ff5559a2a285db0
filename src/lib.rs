//! `presigned`: a self-hosted S3 endpoint that takes presigned URLs seriously.
//!
//! # The path of a request
//!
//! ```text
//! bytes -> server -> http::Request, and the Peer that sent it
//!    s3::Arrival          how it reached us, decided once: from where, by which scheme, under which names
//!    s3::Request          what is asked and claimed, read for each of the names; nothing believed yet
//!    auth::examine        -> Verified: the reading whose signature matches; the checks that held are kept
//!    Policy::authorize    an Ask, actions on a resource -> Permit, which holds it
//!    a handler of api     gets a call of the service, a bucket or an object
//!    store                pulls a CheckedBody to its end; only with its BodyProof is anything published
//!    Reply                or an s3::Error, through the one table of api
//!    journal              keeps what became of it: for the log, the counters, and those who ask
//! ```
//!
//! What was verified, what was permitted and what is carried out are the same value.
//!
//! # Layers
//!
//! Imports lead down only; `tests/tidy` sees to it.
//!
//! | layer | module | what it is |
//! | --- | --- | --- |
//! | 0 | [`clock`] | timestamps and where "now" comes from |
//! | 0 | `metrics` | counters and histograms |
//! | 0 | `mapped` | files in memory, and the file behind a piece of memory |
//! | 0 | `peer` | the other end of a connection, as handlers know it |
//! | 1 | [`s3`] | the wire vocabulary: arrivals, names, targets, operations, conditions, checksums, checks, errors |
//! | 2 | [`auth`] | who sent it, and is the body the one they signed? Also the signing direction |
//! | 3 | `policy` | may they? |
//! | 3 | `store` | where objects live: one face, the engines below it, and the rules they share |
//! | 4 | `api` | the path of a request; its handlers by family, with what they share in leaves |
//! | 5 | `jobs` | what happens without a request |
//! | 5 | `admin` | what the server says of itself |
//! | 6 | `server` | sockets, TLS, hyper; has requests answered, and knows not by whom |
//! | 7 | `config` | file and flags in, each module's settings out |
//! | 8 | `cli` | subcommands; the only module that prints; puts everything together |
//!
//! # Where a new operation goes
//!
//! GetBucketRequestPayment, which answers that the owner pays, went through these places; one that changes something, or
//! needs more than a bucket, goes through the same.
//!
//! 1. Its row in the table of [`s3::operation`]: method, what it is on, the sub-resource, and the action that permits it.
//!    All operations of S3 are there already, those that are refused by name included. What it needs besides, by its
//!    headers, is in `policy::Actions`.
//! 2. Its handler, in the family of what it is on: `api::bucket`, `api::object`, `api::multipart`, `api::list`, or
//!    `api::service`. It is given a call of that type, and whatever it shares with others is in a leaf (`asked`, `show`,
//!    `source`, `page`, `guards`).
//! 3. Its arm in `act_on_bucket`, `act_on_object` or `act_on_service` of `api`, and its name in `guards::is_served`, so that
//!    who signs a URL is told that it is served. What its head alone can be refused for goes to `head::check_head`.
//! 4. If it keeps something: a `Setting` in `store::model`, or a method of `store::Store` for every engine and a test in
//!    `store::suite`; what requests of objects must know of it, in `api::BucketRules`.
//! 5. Its tests: what S3 answers in `tests/server`, with the evidence; a client that nobody here wrote in
//!    `conformance/flows`, where `surface.py` lists what is done. And its name in the table of the README.
//!
//! # Limits
//!
//! | what | limit | where |
//! | --- | --- | --- |
//! | target and headers of a request | 32 KiB | [`s3::request::HEAD_BYTES_MAX`] |
//! | key | 1,024 bytes | [`s3::name::KEY_BYTES_MAX`] |
//! | tags of an object, of a bucket | 10, 50 | [`s3::tagging`] |
//! | lifecycle rules of a bucket | 1,000 | [`s3::lifecycle::RULES_MAX`] |
//! | user metadata | 2 KiB | [`s3::metadata::USER_METADATA_BYTES_MAX`] |
//! | body of one PUT | 5 GiB | [`s3::request::OBJECT_BYTES_MAX`] |
//! | parts of an upload, size of all but the last | 10,000, 5 MiB | [`s3::name::PART_NUMBER_MAX`], `store::model::PART_BYTES_MIN` |
//! | document in a request | DeleteObjects 8 MiB, CompleteMultipartUpload 3 MiB, lifecycle 2 MiB, tagging and CreateBucket 128 KiB, versioning 4 KiB; 10 levels, 100,000 elements | `api`, [`s3::xml`] |
//! | documents in memory | 16 MiB of those up to 64 KiB, 48 MiB of larger ones; then `SlowDown` | `api` |
//! | whole bodies read at once, for copies | two for each core, 1,024 more wait; then `SlowDown` | `api` |
//! | files open for bodies | what connections leave of the open files allowed, at least half; then `SlowDown` | `store::local`, `server` |
//! | keys of a listing page, of a DeleteObjects | 1,000 | [`s3::listing::PAGE_KEYS_MAX`], `api` |
//! | parameters of a query, signed headers | 1,000, 100 | [`s3::request::QUERY_PARAMETERS_MAX`], [`auth`] |
//! | body standing still, connection standing still | 60 s, 120 s | `config::BODY_STALL_MAX`, `server` |
//! | body read after a refusal | 1 MiB, 2 s | `api` |
//! | connections, streams on one | 16,384 or half of the open files allowed, 128 | `server` |
//! | head, TLS handshake | 60 s, 10 s | `server` |
//! | line of aws-chunked, lines of a trailer | 1 KiB, 16 | [`auth`] |
//!
//! # The verifier alone
//!
//! With `default-features = false` the crate is [`clock`], [`s3`] and [`auth`]: no runtime, no sockets, no files.
//! It verifies the head of any `http::Request`:
//!
//! ```
//! use std::sync::Arc;
//! use presigned::auth::{Identity, Key, Keyring, SecretKey, Settings, User, authenticate};
//! use presigned::{clock::Timestamp, s3::Request, s3::arrival::{Arrival, Scheme}, s3::target::Domains};
//!
//! let url = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
//! let received = http::Request::get(url).header("host", "examplebucket.s3.amazonaws.com").body(()).unwrap();
//! let now = Timestamp::parse_iso_basic("20130524T120000Z").unwrap(); // or Clock::System.now()
//!
//! let user = Arc::new(User { id: "main".into(), display_name: "Main".into() });
//! let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let keyring = Keyring::new([Key::new("AKIAIOSFODNN7EXAMPLE", secret, user)]);
//! let domains = Domains::new(["s3.amazonaws.com".to_owned()]);
//! let (head, ()) = received.into_parts();
//! // How it reached us: from where, and whether over TLS.
//! let arrival = Arrival::of(&head, [203, 0, 113, 9].into(), Scheme::Https)?;
//! let request = Request::parse(head, arrival, &domains)?;
//! let verified = authenticate(request, &keyring, &Settings::default(), now).map_err(|refused| refused.error)?;
//! // A request without any signature is verified as no one's: what that is worth is for you to decide.
//! assert!(matches!(verified.identity(), Identity::User { user, .. } if user.id == "main"));
//! assert_eq!(verified.request().target().key().unwrap().as_str(), "test.txt");
//! # Ok::<(), presigned::s3::Error>(())
//! ```
//!
//! The body is a second step: [`auth::Verified::check_body`] gives a framer and a digester for its bytes, and only
//! when both have seen it to the end is it the body that was announced and signed.

#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
pub mod api;
pub mod auth;
#[cfg(feature = "server")]
pub mod cli;
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod jobs;
#[cfg(feature = "server")]
mod mapped;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod peer;
#[cfg(feature = "server")]
pub mod policy;
#[cfg(feature = "server")]
mod private;
pub mod s3;
#[cfg(feature = "server")]
pub mod server;
mod size;
#[cfg(feature = "server")]
pub mod store;
