//! What S3 reads of a request that was verified: two requests that one signature fits must not differ in it.
//!
//! Left out is what is read without being signed, or signed without being read, by the rules of S3:
//!
//! * the signature itself, and the header or the parameters that carry it;
//! * headers that V4 does not list, V2 has no line for, and that do not begin with `x-amz-`;
//! * the host, of which the target is what is read; V2 does not sign it;
//! * in V2, parameters that select nothing and do not begin with `x-amz-`, such as `prefix`;
//! * whether an `x-amz-*` value stood in a header or in the query, which V2 signs alike;
//! * parameters that begin with `x-amz-` and that no header could be named like: nothing is read of them, and metadata
//!   of such a name is refused;
//! * runs of blanks in a header that V4 signs, which are one blank, but for those of a copy's source; blanks around a value;
//! * `x-amz-content-sha256`, of which S3 lets an unsigned one pass beside a signed one. Whether the body is framed counts.

use std::collections::BTreeSet;

use http::HeaderName;
use presigned::auth::{Mechanism, Verified};
use presigned::s3::{Operation, Request};

/// Parameters that V2 signs beside those that select an operation.
const SIGNED_BY_V2: [&str; 9] = [
    "Expires",
    "partNumber",
    "versionId",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];
/// Headers that have a line of their own in V2.
const LINES_OF_V2: [&str; 2] = ["content-md5", "content-type"];
const NOT_COMPARED: [&str; 4] = ["authorization", "host", "x-amz-content-sha256", "x-amz-signature"];

/// Whether it is one of those requests of which one signature fits several that are read in different ways.
pub fn leaves_a_choice(verified: &Verified) -> bool {
    let request = verified.request();
    let has_several_values = |name: &str| {
        let values = values(request, name);
        values.iter().any(|value| values.first() != Some(value))
    };
    let mut plain = parameters(verified).filter(|name| !name.to_ascii_lowercase().starts_with("x-amz-"));
    // A parameter with two values, which can be exchanged; no signer has a use for it.
    plain.any(has_several_values)
        // A bucket that cannot be: V2 signs a label of the host like a piece of the path.
        || request.target().check_name().is_err()
}

/// In what two requests differ that carry the same signature.
pub fn difference(one: &Verified, other: &Verified) -> Option<String> {
    let (ours, theirs) = (one.request(), other.request());
    let differ = |what: &str, differ: bool| differ.then(|| what.to_owned());
    differ("mechanism", one.mechanism() != other.mechanism())
        .or_else(|| differ("method", ours.method() != theirs.method()))
        .or_else(|| differ("target", ours.target() != theirs.target()))
        .or_else(|| differ("operation", ours.operation() != theirs.operation()))
        .or_else(|| differ("framing", one.is_framed() != other.is_framed()))
        .or_else(|| {
            let names: BTreeSet<&str> = parameters(one).chain(parameters(other)).collect();
            let name = names.into_iter().find(|name| values(ours, name) != values(theirs, name))?;
            Some(format!("parameter {name}"))
        })
        .or_else(|| {
            let names: BTreeSet<String> = headers(one).chain(headers(other)).collect();
            let name = names.into_iter().find(|name| header(one, name) != header(other, name))?;
            Some(format!("header {name}"))
        })
}

fn is_v4(verified: &Verified) -> bool {
    matches!(verified.mechanism(), Mechanism::V4Header | Mechanism::V4Query)
}

/// The names of the parameters that are compared.
fn parameters(verified: &Verified) -> impl Iterator<Item = &str> {
    let is_compared = move |name: &&str| match is_v4(verified) {
        true => !NOT_COMPARED.contains(&name.to_ascii_lowercase().as_str()),
        false => SIGNED_BY_V2.contains(name) || Operation::is_sub_resource(name),
    };
    verified.request().query().iter().map(|(name, _)| name).filter(is_compared)
}

/// The values of a parameter, in order: of most that stand twice, the first is read.
fn values<'r>(request: &'r Request, name: &str) -> Vec<&'r str> {
    request.query().iter().filter(|(other, _)| *other == name).map(|(_, value)| value).collect()
}

/// The names of the headers that are compared.
fn headers(verified: &Verified) -> impl Iterator<Item = String> {
    let request = verified.request();
    let listed = match is_v4(verified) {
        true => signed_headers(request).split(';').map(str::to_ascii_lowercase).collect(),
        false => LINES_OF_V2.map(str::to_owned).to_vec(),
    };
    let in_headers = request.headers().keys().map(|name| name.as_str().to_owned());
    let in_query = request.query().iter().map(|(name, _)| name.to_ascii_lowercase());
    let amz = in_headers.chain(in_query).filter(|name| name.starts_with("x-amz-"));
    let names = listed.into_iter().chain(amz).filter(|name| HeaderName::from_bytes(name.as_bytes()).is_ok());
    names.filter(|name| !NOT_COMPARED.contains(&name.as_str()))
}

/// The list of a V4 signature.
fn signed_headers(request: &Request) -> &str {
    let in_header = || {
        let header = request.headers().get("authorization")?.to_str().ok()?;
        header.split(',').find_map(|part| part.trim().strip_prefix("SignedHeaders="))
    };
    request.query().value("X-Amz-SignedHeaders").or_else(in_header).unwrap_or_default()
}

/// A header as it is read: all its lines, else the parameter of that name if it is one of Amazon's. One that is empty is
/// as good as none.
fn header(verified: &Verified, name: &str) -> Vec<u8> {
    let request = verified.request();
    let mut lines =
        request.headers().get_all(name).iter().map(|line| line.as_bytes().trim_ascii()).peekable();
    let value = match lines.peek() {
        Some(_) => lines.collect::<Vec<_>>().join(&b','),
        None if name.starts_with("x-amz-") => {
            request.query().value_any_case(name).unwrap_or_default().trim_ascii().into()
        }
        None => Vec::new(),
    };
    if is_v4(verified) && name != "x-amz-copy-source" { folded(&value) } else { value }
}

/// One blank for each run of them.
fn folded(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}
