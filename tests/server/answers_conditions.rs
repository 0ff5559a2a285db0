//! A condition on a write that cannot be decided refuses the write.

use crate::check::{Refusal, Table, assert_stored, exists, given, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::Request;

const MESSAGE: &str = "A header you provided implies functionality that is not implemented";
const IF_MATCH: Refusal<'_> = Refusal {
    status: 501,
    code: "NotImplemented",
    message: MESSAGE,
    elements: &[
        ("Header", "If-Match"),
        ("additionalMessage", "We don't accept the provided value of If-Match header for this API"),
    ],
};
const IF_NONE_MATCH: Refusal<'_> = Refusal {
    elements: &[
        ("Header", "If-None-Match"),
        ("additionalMessage", "We don't accept the provided value of If-None-Match header for this API"),
    ],
    ..IF_MATCH
};
const BOTH: Refusal<'_> = Refusal {
    elements: &[
        ("Header", "If-Match,If-None-Match"),
        ("additionalMessage", "Multiple conditional request headers present in the request"),
    ],
    ..IF_MATCH
};
const FAILED: Refusal<'_> = Refusal {
    status: 412,
    code: "PreconditionFailed",
    message: "At least one of the pre-conditions you specified did not hold",
    elements: &[("Condition", "If-Match")],
};

/// Recorded: test_put_object_if_match_validation, test_put_object_if_none_match_validation,
/// test_put_object_if_match_and_if_none_match_validation; the list of tags measured: versitygw PR#2368; weak, empty and
/// repeated ones inferred.
#[test]
fn conditions_of_a_put() {
    let mut table = Table::default();
    let path = unique("conditions");
    given(&path, "kept");
    let right = Request::new("HEAD", &path).sign().send().header("etag").expect("a tag").to_owned();
    let list = format!("\"wrong\", {right}");
    let weak = format!("W/{right}");
    for (headers, expected) in [
        (&[("If-Match", "*")][..], &IF_MATCH),
        (&[("If-None-Match", right.as_str())], &IF_NONE_MATCH),
        (&[("If-None-Match", "\"*\"")], &IF_NONE_MATCH),
        (&[("If-None-Match", "*, \"a\"")], &IF_NONE_MATCH),
        (&[("If-None-Match", "")], &IF_NONE_MATCH),
        (&[("If-Match", right.as_str()), ("If-None-Match", "*")], &BOTH),
        (&[("If-Match", list.as_str())], &FAILED),
        (&[("If-Match", weak.as_str())], &FAILED),
        (&[("If-Match", "\"wrong\""), ("If-Match", right.as_str())], &FAILED),
        (&[("If-Match", right.as_str()), ("If-Match", "\"wrong\"")], &FAILED),
        (&[("If-Match", "")], &FAILED),
        (&[("If-Match", "bad-char_/")], &FAILED),
    ] {
        let put = Request::new("PUT", &path).headers(headers).body("another").sign();
        table.refused(&format!("{headers:?}"), &put.send(), expected);
        let put = Request::new("PUT", &path).presign().headers(headers).body("another");
        table.refused(&format!("{headers:?}, presigned"), &put.send(), expected);
    }
    assert_stored(&path, "kept");
    let put = Request::new("PUT", &path).header("If-Match", &right).body("changed").sign();
    table.status("the right one", &put.send(), 200);
}

/// Inferred: what is not text is no condition that can be decided (it was passed over, and the object overwritten).
#[test]
fn conditions_that_are_not_text() {
    let mut table = Table::default();
    let path = unique("bytes");
    given(&path, "kept");
    for (name, expected) in [("If-Match", 412), ("If-None-Match", 501)] {
        let put = Request::new("PUT", &path).presign().body("another");
        let mut head = put.clone().header(name, "*MARK").head();
        let at = head.windows(4).position(|window| window == b"MARK").expect("the mark");
        head.splice(at..at + 4, [0xe9]);
        let mut connection = crate::wire::Connection::open(put.address);
        connection.write(&head);
        connection.write(&put.body);
        table.status(name, &connection.response("PUT"), expected);
    }
    assert_stored(&path, "kept");
}

/// Recorded: test_copy_object_precondition_write_validation, test_copy_object_if_match.
#[test]
fn conditions_of_a_copy() {
    let mut table = Table::default();
    let (from, to) = (unique("source"), unique("target"));
    given(&from, "source");
    let copy = |headers: &[(&str, &str)]| {
        Request::new("PUT", &to).header("x-amz-copy-source", &from).headers(headers).sign().send()
    };
    table.refused("a star", &copy(&[("If-Match", "*")]), &IF_MATCH);
    table.refused("a tag", &copy(&[("If-None-Match", "\"a\"")]), &IF_NONE_MATCH);
    table.refused("both", &copy(&[("If-Match", "*"), ("If-None-Match", "\"a\"")]), &BOTH);
    let key = to.trim_start_matches("/bucket1/");
    let elements = [("Key", key)];
    let absent = refusal(404, "NoSuchKey", "The specified key does not exist.", &elements);
    table.refused("no target", &copy(&[("If-Match", "\"a\"")]), &absent);
    table.check("nothing was copied", !exists(&to));
    table.status("absent", &copy(&[("If-None-Match", "*")]), 200);
    table.refused("another", &copy(&[("If-Match", "\"wrong-etag\"")]), &FAILED);
}

/// Inferred from PutObject: AWS's model gives CompleteMultipartUpload the same two headers.
#[test]
fn conditions_of_a_completion() {
    let mut table = Table::default();
    let path = unique("completion-conditions");
    given(&path, "kept");
    let id = crate::multipart::create(&path);
    let etag = crate::multipart::part(&path, &id, 1, b"part");
    let parts = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let complete = |headers: &[(&str, &str)]| {
        let request = Request::new("POST", &format!("{path}?uploadId={id}")).headers(headers);
        request.body(&document).sign().send()
    };
    table.refused("a star", &complete(&[("If-Match", "*")]), &IF_MATCH);
    table.refused("a tag", &complete(&[("If-None-Match", "\"a\"")]), &IF_NONE_MATCH);
    table.refused("both", &complete(&[("If-Match", "\"a\""), ("If-None-Match", "*")]), &BOTH);
    table.refused("another", &complete(&[("If-Match", "\"wrong\"")]), &FAILED);
    assert_stored(&path, "kept");
}

/// Inferred from PutObject: the same forms, and a refusal leaves the upload as it was.
#[test]
fn forms_of_conditions_of_a_completion() {
    let mut table = Table::default();
    let (path, absent) = (unique("completion-forms"), unique("completion-forms"));
    given(&path, "kept");
    let right = Request::new("HEAD", &path).sign().send().header("etag").expect("a tag").to_owned();
    // Dates are kept to the millisecond, and what was written during an upload is a conflict.
    std::thread::sleep(std::time::Duration::from_millis(10));
    let complete = |path: &str, id: &str, headers: &[(&str, &str)]| {
        let etag = crate::multipart::part(path, id, 1, b"part");
        let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
        let document = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
        let request = Request::new("POST", &format!("{path}?uploadId={id}")).headers(headers);
        request.body(document).sign().send()
    };
    let id = crate::multipart::create(&path);
    let (weak, list) = (format!("W/{right}"), format!("\"wrong\", {right}"));
    for value in ["", "badvalue", &weak, &list, "\"*\"", "*, \"a\""] {
        table.refused(value, &complete(&path, &id, &[("If-Match", value)]), &FAILED);
    }
    let twice = [("If-Match", right.as_str()), ("If-Match", "\"wrong\"")];
    table.refused("two lines", &complete(&path, &id, &twice), &FAILED);
    for value in ["", right.as_str(), "\"*\"", "*, \"a\""] {
        table.refused(value, &complete(&path, &id, &[("If-None-Match", value)]), &IF_NONE_MATCH);
    }
    let is_there = Refusal { elements: &[("Condition", "If-None-Match")], ..FAILED };
    table.refused("something is there", &complete(&path, &id, &[("If-None-Match", "*")]), &is_there);
    assert_stored(&path, "kept");
    table.status("the right one", &complete(&path, &id, &[("If-Match", &right)]), 200);
    assert_stored(&path, "part");
    let id = crate::multipart::create(&absent);
    let elements = [("Key", absent.trim_start_matches("/bucket1/"))];
    let missing = refusal(404, "NoSuchKey", "The specified key does not exist.", &elements);
    table.refused("nothing is there", &complete(&absent, &id, &[("If-Match", &right)]), &missing);
    table.refused("a star", &complete(&absent, &id, &[("If-Match", "*")]), &IF_MATCH);
    table.check("something was made", !exists(&absent));
    table.status("nothing is there", &complete(&absent, &id, &[("If-None-Match", "*")]), 200);
}

/// Decided: DeleteObject has no `If-None-Match` in AWS's model, so one is refused; `If-Match: *` is documented for it.
#[test]
fn conditions_of_a_deletion() {
    let mut table = Table::default();
    let path = unique("deletion");
    given(&path, "kept");
    let delete = |headers: &[(&str, &str)]| Request::new("DELETE", &path).headers(headers).sign().send();
    table.refused("If-None-Match", &delete(&[("If-None-Match", "*")]), &IF_NONE_MATCH);
    table.refused("both", &delete(&[("If-Match", "*"), ("If-None-Match", "*")]), &BOTH);
    table.refused("a list", &delete(&[("If-Match", "\"a\", \"b\"")]), &FAILED);
    assert_stored(&path, "kept");
    table.status("a star", &delete(&[("If-Match", "*")]), 204);
    table.check("it is gone", !exists(&path));
}

/// Recorded: test_put_object_if_match_validation, test_put_object_if_match, test_put_object_if_match_versioned_bucket:
/// of a key that is not there, and of one whose current version is a delete marker.
#[test]
fn conditions_where_nothing_is() {
    let mut table = Table::default();
    let bucket = "/conditions-versions";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    Request::new("PUT", &format!("{bucket}?versioning")).body(enable).sign().send().expect(200);
    let source = unique("conditions-source");
    given(&source, "source");
    let marked = format!("{bucket}/marked");
    given(&marked, "before");
    Request::new("DELETE", &marked).sign().send().expect(204);
    for path in [unique("nothing"), marked] {
        let key = path.splitn(3, '/').nth(2).expect("a key").to_owned();
        let elements = [("Key", key.as_str())];
        let absent = refusal(404, "NoSuchKey", "The specified key does not exist.", &elements);
        let put = |value: &str| Request::new("PUT", &path).header("If-Match", value).body("x").sign().send();
        for value in ["abcdef", "bad-char_/", "\"abc\"", "", "\"a\", \"b\""] {
            table.refused(&format!("{path} {value}"), &put(value), &absent);
            let copy = Request::new("PUT", &path).header("x-amz-copy-source", &source);
            let copied = copy.header("If-Match", value).sign().send();
            table.refused(&format!("{path} {value}, a copy"), &copied, &absent);
        }
        table.refused(&format!("{path} *"), &put("*"), &IF_MATCH);
        let put = Request::new("PUT", &path).header("If-Match", "abcdef").header("If-None-Match", "*");
        table.refused(&format!("{path}, both"), &put.body("x").sign().send(), &BOTH);
        table.check(&format!("{path} was written"), !exists(&path));
    }
}

/// Recorded: test_copy_object_if_match, test_copy_object_if_none_match, test_copy_object_if_match_in_place,
/// test_copy_object_if_none_match_in_place.
#[test]
fn conditions_of_a_copy_over_something() {
    let mut table = Table::default();
    let (from, to) = (unique("over-source"), unique("over-target"));
    given(&from, "source");
    given(&to, "kept");
    let is_there = Refusal { elements: &[("Condition", "If-None-Match")], ..FAILED };
    let tag = |path: &str| Request::new("HEAD", path).sign().send().header("etag").expect("a tag").to_owned();
    let (own, other) = (tag(&to), tag(&from));
    let copy = |to: &str, headers: &[(&str, &str)]| {
        Request::new("PUT", to).header("x-amz-copy-source", &from).headers(headers).sign().send()
    };
    table.refused("something is there", &copy(&to, &[("If-None-Match", "*")]), &is_there);
    table.refused("the tag of the source", &copy(&to, &[("If-Match", &other)]), &FAILED);
    let list = format!("{other}, {own}");
    table.refused("a list", &copy(&to, &[("If-Match", &list)]), &FAILED);
    assert_stored(&to, "kept");
    table.status("its own tag", &copy(&to, &[("If-Match", &own)]), 200);
    assert_stored(&to, "source");
    let replace = ("x-amz-metadata-directive", "REPLACE");
    table.refused("in place", &copy(&from, &[replace, ("If-None-Match", "*")]), &is_there);
    table.status("in place", &copy(&from, &[replace, ("If-Match", &other)]), 200);
}

/// Recorded: test_delete_object_if_match_non_express; the forms inferred from PutObject.
#[test]
fn tags_of_a_deletion() {
    let mut table = Table::default();
    let path = unique("deletion-tags");
    given(&path, "kept");
    let right = Request::new("HEAD", &path).sign().send().header("etag").expect("a tag").to_owned();
    let weak = format!("W/{right}");
    let list = format!("\"wrong\", {right}");
    for value in ["\"wrong\"", "badvalue", "", &weak, &list, "*, \"a\"", "\"*\""] {
        let delete = Request::new("DELETE", &path).header("If-Match", value).sign();
        table.refused(value, &delete.send(), &FAILED);
        let delete = Request::new("DELETE", &path).presign().header("If-Match", value);
        table.refused(&format!("{value}, presigned"), &delete.send(), &FAILED);
    }
    let twice = Request::new("DELETE", &path).header("If-Match", &right).header("If-Match", "\"wrong\"");
    table.refused("two lines", &twice.sign().send(), &FAILED);
    assert_stored(&path, "kept");
    let bare = right.trim_matches('"');
    table.status(
        "without quotes",
        &Request::new("DELETE", &path).header("If-Match", bare).sign().send(),
        204,
    );
}

/// Inferred from the kind: an operation that takes no condition carries nothing out under one. AWS's model gives these
/// operations neither header; what S3 answers is not known, and to act is what must not be.
#[test]
fn conditions_where_none_is_taken() {
    let mut table = Table::default();
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    for (name, expected) in [("If-Match", &IF_MATCH), ("If-None-Match", &IF_NONE_MATCH)] {
        for (method, query) in [
            ("POST", "delete"),
            ("PUT", "tagging"),
            ("PUT", "partNumber=1&uploadId=ID"),
            ("DELETE", "uploadId=ID"),
        ] {
            let path = unique("untaken");
            given(&path, "kept");
            let id = crate::multipart::create(&path);
            let key = path.trim_start_matches("/bucket1/");
            let (target, document) = match query {
                "delete" => ("/bucket1", format!("<Delete><Object><Key>{key}</Key></Object></Delete>")),
                _ => (path.as_str(), tags.to_owned()),
            };
            let target = format!("{target}?{}", query.replace("ID", &id));
            let request = Request::new(method, &target).header(name, "\"wrong\"").document(&document);
            let response = request.sign().send();
            table.check(
                &format!("{method} ?{query} {name}: {} {}", response.status, response.text()),
                crate::check::compare(&response, expected).is_ok(),
            );
            let found = Request::new("GET", &path).sign().send();
            let is_as_before = found.body == b"kept" && found.header("x-amz-tagging-count").is_none();
            table.check(&format!("{method} ?{query} {name}: it was carried out on the object"), is_as_before);
            let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
            let is_as_before = list.status == 200 && list.elements("Part").is_empty();
            table.check(&format!("{method} ?{query} {name}: it was carried out on the upload"), is_as_before);
        }
    }
}

/// Documented of DeleteObjects: an entry may have an `ETag`; `Size` and `LastModifiedTime` are for directory buckets. What
/// cannot be decided refuses its entry and no other; of elements that stand twice inferred, which one counts is not known.
#[test]
fn conditions_of_many_deletions() {
    let mut table = Table::default();
    for (inner, code) in [
        ("<ETag>\"wrong\"</ETag>", Some("PreconditionFailed")),
        ("<ETag>wrong</ETag>", Some("PreconditionFailed")),
        ("<ETag></ETag>", Some("PreconditionFailed")),
        ("<ETag>W/RIGHT</ETag>", Some("PreconditionFailed")),
        ("<ETag>\"wrong\", RIGHT</ETag>", Some("PreconditionFailed")),
        ("<Size>4</Size>", Some("NotImplemented")),
        ("<Size>99</Size>", Some("NotImplemented")),
        ("<ETag>RIGHT</ETag><Size>4</Size>", Some("NotImplemented")),
        ("<LastModifiedTime>Tue, 01 Jan 2030 00:00:00 GMT</LastModifiedTime>", Some("NotImplemented")),
        ("<ETag>\"wrong\"</ETag><ETag>RIGHT</ETag>", None),
        ("<ETag>RIGHT</ETag><ETag>\"wrong\"</ETag>", None),
        ("<VersionId>null</VersionId><ETag>\"wrong\"</ETag>", Some("PreconditionFailed")),
    ] {
        let (path, other) = (unique("entries"), unique("entries"));
        given(&path, "kept");
        given(&other, "gone");
        let right = Request::new("HEAD", &path).sign().send().header("etag").expect("a tag").to_owned();
        let [key, another] = [&path, &other].map(|path| path.trim_start_matches("/bucket1/"));
        let entry = format!("<Object><Key>{key}</Key>{}</Object>", inner.replace("RIGHT", &right));
        let document = format!("<Delete>{entry}<Object><Key>{another}</Key></Object></Delete>");
        let response = Request::new("POST", "/bucket1?delete").document(&document).sign().send();
        table.check(&format!("{inner}: it was deleted, {}", response.text()), exists(&path));
        let Some(code) = code else {
            continue;
        };
        table.status(inner, &response, 200);
        let error = response.element("Error").unwrap_or_default();
        let right =
            error.contains(&format!("<Key>{key}</Key>")) && error.contains(&format!("<Code>{code}</Code>"));
        table.check(&format!("{inner}: {}", response.text()), right);
        table.check(&format!("{inner}: the other is gone"), !exists(&other));
    }
    for inner in ["<ETag>RIGHT</ETag>", "<ETag>BARE</ETag>", "<ETag>*</ETag>"] {
        let path = unique("entries");
        given(&path, "gone");
        let right = Request::new("HEAD", &path).sign().send().header("etag").expect("a tag").to_owned();
        let inner = inner.replace("RIGHT", &right).replace("BARE", right.trim_matches('"'));
        let key = path.trim_start_matches("/bucket1/");
        let document = format!("<Delete><Object><Key>{key}</Key>{inner}</Object></Delete>");
        let response = Request::new("POST", "/bucket1?delete").document(&document).sign().send();
        table.check(&format!("{inner}: {}", response.text()), !exists(&path));
    }
}
