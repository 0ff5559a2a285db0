//! Every request header that S3 has: what becomes of it here.
//!
//! A header that changes what is done is read or refused, never passed over: to ignore it would be a wrong 200.

/// What becomes of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Some operation reads it.
    Read,
    /// It asks for what is not there: a request that would change something is refused.
    Refused,
    /// It may be ignored, for this reason.
    Harmless(&'static str),
}

use Treatment::{Harmless, Read, Refused};

/// What becomes of a header, its name in lower case; `None` if S3 has none of that name.
pub fn treatment(name: &str) -> Option<Treatment> {
    match name.strip_prefix("x-amz-") {
        Some(rest) => of_amazon(rest),
        None if is_standard(name) => Some(Read),
        None => None,
    }
}

/// Whether this is the name of a header of HTTP that requests to S3 carry; in lower case.
pub fn is_standard(name: &str) -> bool {
    matches!(
        name,
        "accept"
            | "accept-encoding"
            | "authorization"
            | "cache-control"
            | "connection"
            | "content-disposition"
            | "content-encoding"
            | "content-language"
            | "content-length"
            | "content-md5"
            | "content-range"
            | "content-type"
            | "date"
            | "expect"
            | "expires"
            | "host"
            | "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-range"
            | "if-unmodified-since"
            | "origin"
            | "range"
            | "te"
            | "transfer-encoding"
            | "user-agent"
    )
}

/// The same of what follows `x-amz-`.
fn of_amazon(rest: &str) -> Option<Treatment> {
    // In each of these families S3 adds members; none may be passed over.
    const READ_FAMILIES: [&str; 3] = ["meta-", "checksum-", "grant-"];
    const REFUSED_FAMILIES: [&str; 6] = [
        "server-side-encryption",
        "copy-source-server-side-encryption",
        "object-lock-",
        "if-match-",
        "rename-source",
        "fwd-",
    ];
    let is_of = |families: &[&str]| families.iter().any(|family| rest.starts_with(family));
    Some(match rest {
        _ if is_of(&READ_FAMILIES) => Read,
        _ if is_of(&REFUSED_FAMILIES) => Refused,
        "acl"
        | "bucket-namespace"
        | "bucket-object-lock-enabled"
        | "content-sha256"
        | "copy-source"
        | "copy-source-if-match"
        | "copy-source-if-modified-since"
        | "copy-source-if-none-match"
        | "copy-source-if-unmodified-since"
        | "copy-source-range"
        | "date"
        | "decoded-content-length"
        | "expected-bucket-owner"
        | "max-parts"
        | "metadata-directive"
        | "mp-object-size"
        | "object-attributes"
        | "object-ownership"
        | "part-number-marker"
        | "sdk-checksum-algorithm"
        | "security-token"
        | "source-expected-bucket-owner"
        | "storage-class"
        | "tagging"
        | "tagging-directive"
        | "trailer"
        | "transition-default-minimum-object-size"
        | "website-redirect-location" => Read,
        "bucket-object-lock-token"
        | "client-token"
        | "object-if-match"
        | "request-route"
        | "request-token"
        | "write-offset-bytes" => Refused,
        "bypass-governance-retention" => Read,
        "confirm-remove-self-bucket-access" => Harmless("it goes with bucket policies, which are refused"),
        "create-session-mode" => Harmless("it goes with sessions, which are refused"),
        "mfa" => Harmless("MFA Delete cannot be switched on"),
        "object-annotation-directive" => Harmless("no object has annotations to copy or to leave out"),
        "optional-object-attributes" => Harmless("no object is restored, so that no restore status is shown"),
        "request-payer" => Harmless("no bucket makes requesters pay"),
        "skip-destination-validation" => Harmless("it goes with notifications, which are refused"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_names() {
        assert_eq!(treatment("x-amz-meta-anything"), Some(Read));
        assert_eq!(treatment("x-amz-if-match-size"), Some(Refused));
        assert_eq!(treatment("x-amz-server-side-encryption"), Some(Refused));
        assert_eq!(treatment("x-amz-object-lock-of-tomorrow"), Some(Refused));
        assert_eq!(treatment("if-match"), Some(Read));
        assert_eq!(treatment("x-amz-tomorrow"), None);
        assert!(matches!(treatment("x-amz-mfa"), Some(Harmless(_))));
    }
}
