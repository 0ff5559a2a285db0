//! Golden requests that other clients signed, each verified with its intermediate values.

#![expect(
    clippy::as_conversions,
    clippy::panic,
    clippy::string_slice,
    reason = "a vector that is broken ends its test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use presigned::auth::{
    self, BodyKind, Examination, Key, Keyring, RegionRule, SecretKey, Settings, User, verify_policy_signature,
};
use presigned::clock::Timestamp;
use presigned::s3::arrival::{Arrival, Scheme};
use presigned::s3::check::Check;
use presigned::s3::checksum::{Algorithm, Hasher};
use presigned::s3::request::Request;
use presigned::s3::target::Domains;
use serde_json::Value;

const PRESIGNED_URLS: &str = include_str!("vectors/presigned-urls.json");
const AWS_DOCUMENTATION: &str = include_str!("vectors/aws-documentation.json");
const CLIENT_HEADERS: &str = include_str!("vectors/aws-sigv4-s3.json");

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("vectors are JSON")
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    vectors[name].as_array().unwrap_or_else(|| panic!("a list {name}"))
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{} has no {name}", vector["id"]))
}

fn now(vector: &Value) -> Timestamp {
    let basic: String = text(vector, "now").chars().filter(|c| !matches!(c, '-' | ':')).collect();
    Timestamp::parse_iso_basic(&basic).expect("now is a date")
}

fn key(vector: &Value) -> Key {
    let user = Arc::new(User { id: "main".into(), display_name: "Main".into() });
    let key =
        Key::new(text(vector, "access_key_id"), SecretKey::new(text(vector, "secret_access_key")), user);
    match vector["session_token"].as_str() {
        Some(token) => key.with_session_token(token),
        None => key,
    }
}

fn domains() -> Domains {
    Domains::new(
        [
            "s3.amazonaws.com",
            "s3.us-east-1.amazonaws.com",
            "s3.us-west-1.amazonaws.com",
            "s3.eu-central-1.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "s3.example.com",
        ]
        .map(str::to_owned),
    )
}

fn request(vector: &Value) -> Result<Request, presigned::s3::Error> {
    sent_to(vector, split(text(vector, "url")).0, &[])
}

/// Authority of a URL, and the rest of it.
fn split(url: &str) -> (&str, &str) {
    let (_, rest) = url.split_once("://").expect("an absolute URL");
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// The request as it comes to a host, which has further names.
fn sent_to(vector: &Value, host: &str, names: &[&str]) -> Result<Request, presigned::s3::Error> {
    let (_, target) = split(text(vector, "url"));
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let mut builder =
        http::Request::builder().method(text(vector, "method")).uri(target).header("host", host);
    for (name, value) in vector["headers"].as_object().expect("headers") {
        for value in value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]) {
            builder = builder.header(name, value.as_str().expect("a string"));
        }
    }
    let (parts, ()) = builder.body(()).expect("a request").into_parts();
    let arrival = Arrival::of(&parts, [127, 0, 0, 1].into(), Scheme::Http)?;
    let arrival = arrival.known_as(names.iter().map(|name| (*name).to_owned()));
    Request::parse(parts, arrival, &domains())
}

fn examine(vector: &Value) -> Examination {
    let request = request(vector).unwrap_or_else(|error| panic!("{}: {error}", vector["id"]));
    examine_request(vector, request)
}

fn examine_request(vector: &Value, request: Request) -> Examination {
    let settings = Settings { region: RegionRule::Any, ..Settings::default() };
    auth::examine(request, &Keyring::new([key(vector)]), &settings, now(vector))
}

/// Checks the verdict and every intermediate value that the vector gives.
fn check(vector: &Value) -> Examination {
    let id = &vector["id"];
    let examination = examine(vector);
    match vector["expect"].as_str().unwrap_or("ok") {
        "ok" => {
            if let Err(refused) = &examination.verdict {
                panic!("{id}: {} {:?}", refused.error, refused.error.details());
            }
            let trace = &examination.trace;
            if let Some(expected) = vector["canonical_request"].as_str() {
                assert_eq!(trace.canonical_request.as_ref().expect("one").to_string(), expected, "{id}");
            }
            assert_eq!(trace.string_to_sign.as_deref(), vector["string_to_sign"].as_str(), "{id}");
        }
        code => {
            let refused = examination.verdict.as_ref().expect_err("an error is expected");
            assert_eq!(refused.error.code().name(), code, "{id}");
        }
    }
    examination
}

#[test]
fn presigned_urls_of_ten_clients() {
    let vectors = parse(PRESIGNED_URLS);
    let mut kinds = BTreeMap::new();
    for vector in list(&vectors, "vectors") {
        *kinds.entry(text(vector, "kind")).or_insert(0) += 1;
        if text(vector, "kind") != "post-policy" {
            check(vector);
        }
    }
    assert_eq!(kinds, BTreeMap::from([("post-policy", 4), ("v2-query", 27), ("v4-query", 79)]));
}

/// What a URL addresses follows from the name it was signed for, whatever host it was sent to.
#[test]
fn the_reading_whose_signature_matches_is_the_request() {
    let (urls, documentation) = (parse(PRESIGNED_URLS), parse(AWS_DOCUMENTATION));
    let all = list(&urls, "vectors").iter().chain(list(&documentation, "v4_header"));
    let mut elsewhere = 0;
    for vector in all.filter(|v| v["kind"] != "post-policy" && v["expect"].as_str().unwrap_or("ok") == "ok") {
        let (signed, id) = (split(text(vector, "url")).0, &vector["id"]);
        let meant = request(vector).expect("a request");
        let names = ["bucket.localhost", "other.s3.example.com:9000", signed];
        let sent = sent_to(vector, "internal:9000", &names).expect("a request");
        let examination = examine_request(vector, sent);
        let verified = examination.verdict.unwrap_or_else(|refused| panic!("{id}: {}", refused.error));
        let request = verified.request();
        assert_eq!(request.target(), meant.target(), "{id}");
        assert_eq!(request.operation(), meant.operation(), "{id}");
        assert_eq!(request.arrival().host(), "internal:9000", "{id}");
        elsewhere += usize::from(request.host() == signed);
        if request.host() != signed {
            // V2 signs no host, only the bucket and the path.
            assert!(!verified.mechanism().name().starts_with("v4"), "{id}");
            continue;
        }
        // Of several readings of which none matches, the first one is the one that is told about.
        let sent = sent_to(vector, "internal:9000", &names[..2]).expect("a request");
        // Not every name makes a request of it: a bucket has no parts.
        let first = (sent.host().to_owned(), sent.target().clone());
        let refused = examine_request(vector, sent);
        let refused = refused.verdict.expect_err("no name matches");
        assert_eq!(refused.error.code().name(), "SignatureDoesNotMatch", "{id}");
        assert_eq!((refused.request.host(), refused.request.target()), (first.0.as_str(), &first.1), "{id}");
        let shown = format!("host:{}", first.0);
        let canonical = refused.error.detail("CanonicalRequest").unwrap_or(&shown);
        assert!(canonical.contains(&shown), "{id}: {canonical}");
    }
    assert!(elsewhere > 80, "{elsewhere}");
}

/// The checks of a presigned URL, in the order of S3.
#[test]
fn an_examination_keeps_its_steps() {
    let vectors = parse(PRESIGNED_URLS);
    let steps = |kind: &str| {
        let vector = list(&vectors, "vectors").iter().find(|v| v["kind"] == kind && v["expect"] == "ok");
        let examination = examine(vector.expect("one"));
        examination.trace.steps.passed().map(Check::name).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        steps("v4-query"),
        "one mechanism, parameters, algorithm, credential, date, credential date, expires, signed headers, \
         not yet valid, expired, access key, headers signed, token, payload hash, signature, one reading"
    );
    assert_eq!(
        steps("v2-query"),
        "one mechanism, parameters, access key, token, expired, signature, one reading"
    );
}

#[test]
fn every_byte_of_a_presigned_url_counts() {
    let vectors = parse(PRESIGNED_URLS);
    for vector in
        list(&vectors, "vectors").iter().filter(|v| v["kind"] != "post-policy" && v["expect"] == "ok")
    {
        let url = text(vector, "url");
        let mut tampered = vector.clone();
        // The last character of the signature, the method, the path, an unknown parameter.
        let name = if vector["kind"] == "v4-query" { "X-Amz-Signature=" } else { "Signature=" };
        let start = url.find(name).expect("a signature") + name.len();
        let at = start;
        let other = if url[at..].starts_with('a') { "b" } else { "a" };
        let signature = format!("{}{other}{}", &url[..at], &url[at + 1..]);
        let path = url.replacen("/k", "/K", 1);
        let extra = format!("{url}&versionId=other");
        for changed in [signature, path, extra] {
            if changed == url {
                continue;
            }
            tampered["url"] = changed.clone().into();
            let refused = examine(&tampered).verdict.expect_err(&changed);
            assert_eq!(refused.error.code().name(), "SignatureDoesNotMatch", "{changed}");
        }
        tampered["url"] = url.into();
        tampered["method"] = if vector["method"] == "GET" { "HEAD" } else { "GET" }.into();
        // The other method may not even exist for the target.
        assert!(request(&tampered).is_err() || examine(&tampered).verdict.is_err(), "{url}");
    }
}

#[test]
fn no_answer_shows_the_expected_signature() {
    let vectors = parse(PRESIGNED_URLS);
    for vector in list(&vectors, "vectors").iter().filter(|v| v["kind"] == "v4-query" && v["expect"] == "ok")
    {
        let url = text(vector, "url");
        let start = url.find("X-Amz-Signature=").expect("a signature") + "X-Amz-Signature=".len();
        let signature = &url[start..start + 64];
        let mut tampered = vector.clone();
        tampered["url"] = url.replace(signature, &"0".repeat(64)).into();
        let examination = examine(&tampered);
        let shown = format!("{examination:?}");
        assert!(!shown.contains(signature), "{url}");
        assert!(!shown.contains(text(vector, "secret_access_key")), "{url}");
    }
}

/// `Debug` of a request that holds shows nothing that its reader could send again.
#[test]
fn what_is_printed_cannot_be_used() {
    let vectors = parse(PRESIGNED_URLS);
    for vector in
        list(&vectors, "vectors").iter().filter(|v| v["kind"] != "post-policy" && v["expect"] == "ok")
    {
        let shown = format!("{:?} {:?}", request(vector), examine(vector));
        let (_, query) = text(vector, "url").split_once('?').expect("a query");
        for piece in query.split('&') {
            let (name, value) = piece.split_once('=').unwrap_or_default();
            let decoded = presigned::s3::uri::decode(value).expect("a value");
            let secret = name.to_ascii_lowercase();
            if secret.ends_with("signature") || secret.ends_with("security-token") {
                assert!(!shown.contains(value) && !shown.contains(decoded.as_ref()), "{shown}");
            }
        }
    }
}

#[test]
fn headers_of_the_documentation() {
    let vectors = parse(AWS_DOCUMENTATION);
    assert_eq!(list(&vectors, "v4_header").len(), 4);
    for vector in list(&vectors, "v4_header") {
        check(vector);
    }
    let mut checked = 0;
    for vector in list(&vectors, "v2") {
        // A bucket that is the whole host name is not offered: buckets are subdomains of known domains.
        let host = text(vector, "url").split('/').nth(2).unwrap_or_default();
        let bucket = vector["host_bucket"].as_str();
        if bucket.is_some_and(|bucket| host.split(':').next() == Some(bucket)) {
            continue;
        }
        check(vector);
        checked += 1;
    }
    assert_eq!(checked, 14);
}

#[test]
fn headers_of_clients() {
    let vectors = parse(CLIENT_HEADERS);
    let all =
        [list(&vectors, "v4_header"), list(&vectors, "v2"), list(&vectors, "v4_unsigned_trailer")].concat();
    assert_eq!(all.len(), 70);
    for vector in &all {
        check(vector);
    }
}

#[test]
fn bodies_with_an_unsigned_trailer() {
    let vectors = parse(CLIENT_HEADERS);
    for vector in list(&vectors, "v4_unsigned_trailer") {
        let encoded = STANDARD.decode(text(vector, "body_base64")).expect("base64");
        let decoded = STANDARD.decode(text(vector, "decoded_base64")).expect("base64");
        let read = |encoded: &[u8], piece: usize| {
            let verified = check(vector).verdict.expect("verified");
            let mut body = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme })?;
            let mut out = Vec::new();
            for piece in encoded.chunks(piece) {
                body.framer.push(Bytes::copy_from_slice(piece), &mut out)?;
            }
            let data = out.concat();
            body.digester.update(&data);
            let proof = body.digester.finish(body.framer.finish()?)?;
            Ok::<_, presigned::s3::Error>((data, proof))
        };
        for piece in [1, 7, 100_000] {
            let (data, proof) = read(&encoded, piece).expect("valid");
            assert_eq!(data, decoded, "{}", vector["id"]);
            let checksum = proof.checksum().expect("one");
            assert_eq!(checksum.algorithm().header(), vector["trailer"]["name"], "{}", vector["id"]);
            assert_eq!(checksum.base64(), vector["trailer"]["value"], "{}", vector["id"]);
        }
        if !decoded.is_empty() {
            let mut broken = encoded.clone();
            let at = encoded.windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
            broken[at] ^= 1;
            let error = read(&broken, 100_000).expect_err("a changed byte");
            assert_eq!(error.code().name(), "BadDigest", "{}", vector["id"]);
        }
    }
}

#[test]
fn signed_chunks_of_the_documentation() {
    let vectors = parse(AWS_DOCUMENTATION);
    assert_eq!(list(&vectors, "v4_streaming").len(), 2);
    for vector in list(&vectors, "v4_streaming") {
        let mut body = Vec::new();
        for chunk in list(vector, "chunks") {
            let size = chunk["size"].as_u64().and_then(|size| usize::try_from(size).ok()).expect("a size");
            body.extend(format!("{size:x};chunk-signature={}\r\n", text(chunk, "signature")).bytes());
            body.extend(std::iter::repeat_n(b'a', size));
            if size > 0 {
                body.extend(b"\r\n");
            }
        }
        if let Some(line) = vector["trailer"]["line"].as_str() {
            let signature = text(&vector["trailer"], "signature");
            body.extend(format!("{}\r\nx-amz-trailer-signature:{signature}\r\n", line.trim_end()).bytes());
        }
        body.extend(b"\r\n");
        assert_eq!(Some(body.len() as u64), vector["encoded_length"].as_u64(), "{}", vector["id"]);
        let read = |body: &[u8], piece: usize| {
            let verified = check(vector).verdict.expect("verified");
            let mut check = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme })?;
            let mut out = Vec::new();
            for piece in body.chunks(piece) {
                check.framer.push(Bytes::copy_from_slice(piece), &mut out)?;
            }
            out.iter().for_each(|data| check.digester.update(data));
            check.digester.finish(check.framer.finish()?)
        };
        for piece in [1, 8191, 100_000] {
            assert_eq!(read(&body, piece).expect("valid").size(), 66_560, "{}", vector["id"]);
        }
        // A changed byte of data breaks its chunk's signature, one of a signature its own.
        for at in [70_usize, 100, 66_000, 66_550] {
            let mut broken = body.clone();
            broken[at] ^= 1;
            let error = read(&broken, 100_000).expect_err("a changed byte");
            let code = error.code().name();
            assert!(
                matches!(code, "SignatureDoesNotMatch" | "IncompleteBody"),
                "{} {at}: {error}",
                vector["id"]
            );
        }
        let cut = read(&body[..body.len() / 2], 100_000).expect_err("half a body");
        assert_eq!(cut.code().name(), "IncompleteBody");
    }
}

#[test]
fn policies_of_forms() {
    let documentation = parse(AWS_DOCUMENTATION);
    for vector in list(&documentation, "post") {
        let region = vector["region"].as_str().unwrap_or("us-east-1");
        let date = now(vector).date_stamp();
        let scope = (text(vector, "version") == "v4").then_some((date.as_str(), region));
        let policy = text(vector, "policy_base64");
        let verify =
            |policy: &str| verify_policy_signature(&key(vector), scope, policy, text(vector, "signature"));
        assert_eq!(verify(policy), Ok(()), "{}", vector["id"]);
        assert!(verify(&policy.replacen('e', "f", 1)).is_err(), "{}", vector["id"]);
    }
    let urls = parse(PRESIGNED_URLS);
    let forms: Vec<_> = list(&urls, "vectors").iter().filter(|v| v["kind"] == "post-policy").collect();
    assert_eq!(forms.len(), 4);
    for vector in forms {
        let fields: BTreeMap<String, &str> = vector["fields"]
            .as_object()
            .expect("fields")
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().expect("a string")))
            .collect();
        let credential: Vec<&str> = fields
            .get("x-amz-credential")
            .map(|credential| credential.split('/').collect())
            .unwrap_or_default();
        let scope = (credential.len() == 5).then(|| (credential[1], credential[2]));
        let signature =
            fields.get("x-amz-signature").or_else(|| fields.get("signature")).expect("a signature");
        assert_eq!(
            verify_policy_signature(&key(vector), scope, fields["policy"], signature),
            Ok(()),
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn checksums_of_known_data() {
    let vectors = parse(AWS_DOCUMENTATION);
    assert_eq!(list(&vectors, "checksums").len(), 5);
    for vector in list(&vectors, "checksums") {
        for algorithm in Algorithm::ALL {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(text(vector, "data").as_bytes());
            assert_eq!(hasher.finish().base64(), text(vector, algorithm.lower_name()), "{vector}");
        }
    }
}
