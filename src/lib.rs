#![doc = "map"]
pub mod auth;
pub mod clock;
pub mod s3;
