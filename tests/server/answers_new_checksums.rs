//! The checksums that S3 has taken since 2026-04: SHA512, MD5, XXHASH64, XXHASH3 and XXHASH128.
//!
//! Names are those of botocore's model of S3, values those of Python's hashlib and of awscrt (big-endian, seed 0).
//! Documented by the model alone: what S3 says of them in refusals is inferred from the other algorithms. That only
//! COMPOSITE is taken is decided, as for SHA1.

use crate::check::{Table, assert_stored, exists, refusal};
use crate::chunked::{MODES, upload_with};
use crate::harness::unique;
use crate::multipart::complete;
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

const PART_BYTES_MIN: usize = 5 * 1024 * 1024;
const MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");

/// The checksums of an algorithm.
struct Sums {
    name: &'static str,
    /// Of `hello world`, of nothing, and of `bbb`.
    hello: &'static str,
    empty: &'static str,
    other: &'static str,
    /// Of 5 MiB of `a`, of ten `a`, and of the two of them.
    parts: [&'static str; 2],
    composite: &'static str,
    /// Of 5 MiB and ten `a`.
    whole: &'static str,
}

const ALL: [Sums; 5] = [
    Sums {
        name: "SHA512",
        hello: "MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw==",
        empty: "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        other: "XtwcakOQB1o8on9NQWHEazdLHDstY/hG22//DFEyA8OsOxSiSm8J2L8hQHpIQhE7XZqjWdJmKZw9bPnpLbZtvg==",
        parts: [
            "dG/apTY4zOym1QXc+SnT+n6yiLzvGpvzC+vzf3jfumP2uDUBPETzj+18ptxibqHPpNa7fYUMWQ+MkqZiZAcs+g==",
            "RxSHCv9sl8oJ0TWDT9tYpjiaUMEf747Er+9Gb7YKI6xrepySZY8U30mT1rQKTk2EJBlq/DR+l2QNaN5h4c8UsA==",
        ],
        composite: "/SieIrhwRpEeSdqTX3r+gHA+RWETPaJ4rHvKz5X5VgoLip8Ku+/Ac1JgzXAllxsTzRmajPVVggn57DAzrAi2rg==",
        whole: "Lu+4PA+gY5GEDwCHNAXcj+SQVDa9+c9JCnqijfFqv5txij7E+gt2a4AKD+C+lgmn7L5U9Oma8iXjCmaRPZgvTQ==",
    },
    Sums {
        name: "MD5",
        hello: "XrY7u+Ae7tCTyyK7j1rNww==",
        empty: "1B2M2Y8AsgTpgAmY7PhCfg==",
        other: "CPjgJgxkQYUQzvsrBu7lzQ==",
        parts: ["ebKBBg0ze5srhMzzkK3PdA==", "4JyAxC/aVfnZkuWcprMwfQ=="],
        composite: "eNeXU/1bzgJxWf5rjodiiw==",
        whole: "ag7R8m6+MweYnGHgR5Xh2Q==",
    },
    Sums {
        name: "XXHASH64",
        hello: "RatnNLIeaWg=",
        empty: "70bbN1HY6Zk=",
        other: "Ok/RqwuWAEY=",
        parts: ["SrGuhw/sEV4=", "LQWtXXe1+E8="],
        composite: "Da3c1fcyPwc=",
        whole: "Q0o1oFVTj6U=",
    },
    Sums {
        name: "XXHASH3",
        hello: "1Eex6kDmmIs=",
        empty: "LQaABTjTlMI=",
        other: "vhaKi0001zo=",
        parts: ["IYg8Ke7DmeQ=", "y70WlFd7JH0="],
        composite: "cSrUahKo128=",
        whole: "2PsHZrXCOqE=",
    },
    Sums {
        name: "XXHASH128",
        hello: "340J6T+HSQCpm4d1zBW2xw==",
        empty: "maoG0wFHmNhgAcMkRo1Jfw==",
        other: "ptycGe/kq7y+FoqLTTTXOg==",
        parts: ["fq8v9rMrjkMhiDwp7sOZ5A==", "7VoeQVddInzniyc9HUr69Q=="],
        composite: "6YEEks6GraaiwziAKvzw/w==",
        whole: "9OzsTMVzCU7Y+wdmtcI6oQ==",
    },
];

fn header(name: &str) -> String {
    format!("x-amz-checksum-{}", name.to_ascii_lowercase())
}

fn element(name: &str, sum: &str, kind: &str) -> String {
    format!("<Checksum{name}>{sum}</Checksum{name}><ChecksumType>{kind}</ChecksumType>")
}

fn attributes(path: &str) -> Response {
    let request = Request::new("GET", &format!("{path}?attributes="));
    request.header("x-amz-object-attributes", "Checksum,ETag,ObjectParts").sign().send()
}

/// GET and HEAD show this checksum in this type, attributes show it, and listings name the algorithm.
fn shown(table: &mut Table, path: &str, name: &str, sum: &str, kind: &str) {
    for method in ["GET", "HEAD"] {
        let found = Request::new(method, path).headers(&[MODE]).sign().send();
        table.status(&format!("{method} {name}"), &found, 200);
        let right =
            found.header(&header(name)) == Some(sum) && found.header("x-amz-checksum-type") == Some(kind);
        table.check(&format!("{method} {name}: {:?}", found.headers), right);
    }
    let found = attributes(path);
    let checksum = found.element("Checksum").unwrap_or_default();
    let bare = sum.split_once('-').map_or(sum, |(bare, _)| bare);
    table.check(&format!("attributes {name}: {}", found.text()), checksum == element(name, bare, kind));
    let key = path.trim_start_matches("/bucket1/");
    for listing in ["", "list-type=2&", "versions=&"] {
        let listed = Request::new("GET", &format!("/bucket1?{listing}max-keys=1&prefix={key}")).sign().send();
        let algorithms = listed.elements("ChecksumAlgorithm");
        let right = algorithms == [name] && listed.elements("ChecksumType") == [kind];
        table.check(&format!("{listing} {name}: {algorithms:?}"), right);
    }
}

/// Documented: PutObjectRequest of the model. Inferred: refusals, by test_put_object_checksum of the other five.
#[test]
fn in_headers() {
    let mut table = Table::default();
    for Sums { name, hello, empty, other, .. } in ALL {
        let path = unique("new-header");
        let put = |sum: &str, body: &str| Request::new("PUT", &path).header(&header(name), sum).body(body);
        let wrong = format!("The {name} you specified did not match the calculated checksum.");
        let wrong = refusal(400, "BadDigest", &wrong, &[]);
        table.refused_write(&format!("{name}, another"), &put(other, "hello world").sign(), &wrong);
        table.refused_write(&format!("{name}, presigned"), &put(other, "hello world").presign(), &wrong);
        let invalid = format!("Value for {} header is invalid.", header(name));
        let invalid = refusal(400, "InvalidRequest", &invalid, &[]);
        for value in ["junk", "====", "AAAA", "DUoRhQ==", &hello[..hello.len() - 2]] {
            table.refused_write(&format!("{name}: {value}"), &put(value, "hello world").sign(), &invalid);
        }
        let multiple = put(hello, "hello world").header("x-amz-checksum-crc32", "DUoRhQ==").sign();
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        table.refused_write(name, &multiple, &refusal(400, "InvalidRequest", message, &[]));
        table.status(name, &put(empty, "").sign().send(), 200);
        for (case, request) in [
            ("signed", put(hello, "hello world").sign()),
            ("named", put(hello, "hello world").header("x-amz-sdk-checksum-algorithm", name).sign()),
            ("presigned", put(hello, "hello world").presign()),
        ] {
            let stored = request.send();
            table.status(&format!("{name}, {case}"), &stored, 200);
            let answered = stored.header(&header(name)) == Some(hello)
                && stored.header("x-amz-checksum-type") == Some("FULL_OBJECT");
            table.check(&format!("{name}, {case}: {:?}", stored.headers), answered);
        }
        if exists(&path) {
            shown(&mut table, &path, name, hello, "FULL_OBJECT");
        }
    }
}

/// Inferred: trailers are as for the other five.
#[test]
fn in_trailers() {
    let mut table = Table::default();
    for Sums { name, hello, other, .. } in ALL {
        for mode in MODES.into_iter().filter(|mode| mode.has_trailer()) {
            let path = unique("new-trailer");
            let framed = |sum: &str| {
                let request = Request::new("PUT", &path).header("x-amz-trailer", &header(name));
                upload_with(request, mode, 11).chunk("hello world").last().trailer(&header(name), sum).end()
            };
            let message = format!("The {name} you specified did not match the calculated checksum.");
            let expected = refusal(400, "BadDigest", &message, &[]);
            table.refused_write(&format!("{name}, another"), &framed(other).request(), &expected);
            let stored = framed(hello).request().send();
            table.status(&format!("{name} {mode:?}"), &stored, 200);
            table.check(&format!("{name} {mode:?}"), stored.header(&header(name)) == Some(hello));
            if exists(&path) {
                shown(&mut table, &path, name, hello, "FULL_OBJECT");
            }
        }
    }
}

/// Starts an upload with a checksum; without a type it is COMPOSITE, as for SHA1.
fn begin(path: &str, name: &str, kind: &[(&str, &str)]) -> Response {
    let create = Request::new("POST", &format!("{path}?uploads=")).header("x-amz-checksum-algorithm", name);
    create.headers(kind).body("").sign().send()
}

/// Decided: FULL_OBJECT is refused as for SHA1 (recorded: test_multipart_checksum_type_compatibility).
#[test]
fn uploads_are_composite() {
    let mut table = Table::default();
    for Sums { name, .. } in ALL {
        let path = unique("new-type");
        let full = begin(&path, name, &[("x-amz-checksum-type", "FULL_OBJECT")]);
        let lower = name.to_ascii_lowercase();
        let message =
            format!("The FULL_OBJECT checksum type cannot be used with the {lower} checksum algorithm.");
        table.refused(name, &full, &refusal(400, "InvalidRequest", &message, &[]));
        for kind in [&[][..], &[("x-amz-checksum-type", "COMPOSITE")]] {
            let created = begin(&path, name, kind);
            table.status(&format!("{name} {kind:?}"), &created, 200);
            let right = created.header("x-amz-checksum-algorithm") == Some(name)
                && created.header("x-amz-checksum-type") == Some("COMPOSITE");
            table.check(&format!("{name}: {:?}", created.headers), right);
            let Some(id) = created.element("UploadId") else { continue };
            let listed =
                Request::new("GET", &format!("/bucket1?uploads=&prefix={}", &path[9..])).sign().send();
            let right = listed.elements("ChecksumAlgorithm").contains(&name.to_owned());
            table.check(&format!("{name}: {}", listed.text()), right);
            let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}")).body("x");
            let crc32 = put.clone().header("x-amz-checksum-crc32", "jNwfgw==");
            for (request, actual) in [(put, "null"), (crc32, "crc32")] {
                let message = format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {lower}, actual checksum Type: {actual}"
                );
                let expected = refusal(400, "InvalidRequest", &message, &[]);
                table.refused(&format!("{name}, {actual}"), &request.sign().send(), &expected);
            }
        }
    }
}

/// Inferred: parts, completion and copies are as recorded for SHA1 and SHA256
/// (test_complete_multipart_parts_checksum_composite).
#[test]
fn of_parts() {
    let mut table = Table::default();
    let bodies = [vec![b'a'; PART_BYTES_MIN], vec![b'a'; 10]];
    for Sums { name, parts, composite, whole, other, .. } in ALL {
        let path = unique("new-parts");
        let created = begin(&path, name, &[]);
        table.status(name, &created, 200);
        let Some(id) = created.element("UploadId") else { continue };
        let mut named = Vec::new();
        for (number, (sum, body)) in (1..).zip(parts.iter().zip(&bodies)) {
            let put = Request::new("PUT", &format!("{path}?partNumber={number}&uploadId={id}"));
            let stored = put.header(&header(name), sum).presign().body(body).send();
            table.status(&format!("{name}, part {number}"), &stored, 200);
            table.check(&format!("{name}, part {number}"), stored.header(&header(name)) == Some(sum));
            let tag = stored.header("etag").unwrap_or_default().to_owned();
            named.push(move |sum: &str| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><Checksum{name}>{sum}</Checksum{name}></Part>")
            });
        }
        let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
        table.check(&format!("{name}: {}", list.text()), list.elements(&format!("Checksum{name}")) == parts);
        let wrong = complete(&path, &id, &(named[0](parts[0]) + &named[1](other)));
        let code = wrong.element("Code");
        table.check(&format!("{name}, wrong: {code:?}"), code.as_deref() == Some("InvalidPart"));
        let done = complete(&path, &id, &(named[0](parts[0]) + &named[1](parts[1])));
        table.status(name, &done, 200);
        let counted = format!("{composite}-2");
        table.check(
            &format!("{name}: {}", done.text()),
            done.text().contains(&element(name, &counted, "COMPOSITE")),
        );
        shown(&mut table, &path, name, &counted, "COMPOSITE");
        let found = attributes(&path);
        let of_parts = Response { body: found.elements("Part").concat().into_bytes(), ..found };
        table.check(&format!("{name}: parts"), of_parts.elements(&format!("Checksum{name}")) == parts);
        let second = Request::new("GET", &format!("{path}?partNumber=2")).headers(&[MODE]).sign().send();
        table.check(&format!("{name}: {:?}", second.headers), second.header(&header(name)) == Some(parts[1]));
        let target = format!("{path}-copy");
        let copy = Request::new("PUT", &target).header("x-amz-copy-source", &path).sign().send();
        table.check(
            &format!("{name}: {}", copy.text()),
            copy.text().contains(&element(name, whole, "FULL_OBJECT")),
        );
        shown(&mut table, &target, name, whole, "FULL_OBJECT");
    }
}

/// Inferred: a copy computes what is asked for (recorded: test_s3_copy_object_with_checksum of the other five), and a
/// part that is copied has the checksum of its upload (recorded: test_multipart_upload_part_copy_checksum).
#[test]
fn of_copies() {
    let mut table = Table::default();
    let source = unique("new-source");
    Request::new("PUT", &source).body("hello world").sign().send().expect(200);
    for Sums { name, hello, .. } in ALL {
        let path = unique("new-copy");
        let copy = Request::new("PUT", &path).header("x-amz-copy-source", &source);
        let copied = copy.header("x-amz-checksum-algorithm", name).sign().send();
        table.status(name, &copied, 200);
        let right = copied.text().contains(&element(name, hello, "FULL_OBJECT"));
        table.check(&format!("{name}: {}", copied.text()), right);
        if exists(&path) {
            shown(&mut table, &path, name, hello, "FULL_OBJECT");
            assert_stored(&path, "hello world");
        }
        let Some(id) = begin(&path, name, &[]).element("UploadId") else { continue };
        let part = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}"));
        let part = part.header("x-amz-copy-source", &source).sign().send();
        let sum = part.element(&format!("Checksum{name}"));
        table.check(&format!("{name}, a part: {}", part.text()), sum.as_deref() == Some(hello));
    }
}

/// Documented: the model has MD5 beside Content-MD5; they are two headers, and each is compared.
#[test]
fn md5_twice() {
    let mut table = Table::default();
    let (right, wrong) = (ALL[1].hello, ALL[1].other);
    let put = |content: &str, checksum: &str| {
        let headers = [("Content-MD5", content), ("x-amz-checksum-md5", checksum)];
        Request::new("PUT", &unique("new-md5")).headers(&headers).body("hello world").sign()
    };
    table.status("both right", &put(right, right).send(), 200);
    for (content, checksum) in [(wrong, right), (right, wrong)] {
        let request = put(content, checksum);
        let refused = request.send();
        table.status("one wrong", &refused, 400);
        table.check(&refused.text(), refused.element("Code").as_deref() == Some("BadDigest"));
        table.check("stored", !exists(&request.target));
    }
}

/// Recorded: test_multipart_parts_checksum_exceptions_composite. Decided: the text names the five old algorithms until
/// a newer recording is known.
#[test]
fn algorithms_that_are_none() {
    let mut table = Table::default();
    let path = unique("new-none");
    let message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
    for name in ["TEST", "SHA384", "SHA3", "XXHASH", "XXHASH32", "XXH3", "MD4", "SHA-512", "BLAKE3"] {
        table.refused(name, &begin(&path, name, &[]), &refusal(400, "InvalidRequest", message, &[]));
    }
}
