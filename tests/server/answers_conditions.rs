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
/// test_put_object_if_match_and_if_none_match_validation; the list of tags measured: versitygw PR#2368.
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
