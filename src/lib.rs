//! `presigned`: a self-hosted S3 endpoint that takes presigned URLs seriously.
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
pub mod policy;
pub mod s3;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod store;
