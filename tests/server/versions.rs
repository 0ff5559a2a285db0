//! Buckets with versioning: what is kept of what was replaced and deleted, and how it is read and removed.

use crate::check::{MALFORMED_XML, Refusal, Table, assert_stored, given, refusal};
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

/// A version id that no version has.
pub const UNKNOWN: &str = "0123456789abcdef0123456789abcdef";
const NO_SUCH_KEY: &str = "The specified key does not exist.";
const NO_SUCH_VERSION: &str = "The specified version does not exist.";
const NOT_AGAINST: &str = "The specified method is not allowed against this resource.";

/// Makes a bucket for one test.
#[track_caller]
pub fn bucket(path: &str) {
    Request::new("PUT", path).sign().send().expect(200);
}

/// Makes a bucket with versioning for one test.
#[track_caller]
pub fn versioned(path: &str) {
    bucket(path);
    set_versioning(path, "Enabled");
}

/// Switches versioning on, or suspends it.
#[track_caller]
pub fn set_versioning(path: &str, status: &str) {
    configure(path, &format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"))
        .expect(200);
}

fn configure(path: &str, document: &str) -> Response {
    Request::new("PUT", &format!("{path}?versioning=")).document(document).sign().send()
}

/// Stores a version and gives its id.
#[track_caller]
pub fn put(path: &str, body: impl AsRef<[u8]>) -> String {
    id_of(&Request::new("PUT", path).body(body).sign().send().expect(200))
}

/// Deletes without naming a version, and gives the id of the marker.
#[track_caller]
pub fn mark_deleted(path: &str) -> String {
    let response = Request::new("DELETE", path).sign().send().expect(204);
    assert_eq!(response.header("x-amz-delete-marker"), Some("true"));
    id_of(&response)
}

/// The version that an answer is about.
#[track_caller]
pub fn id_of(response: &Response) -> String {
    response.header("x-amz-version-id").expect("a version").to_owned()
}

/// The path of one version.
pub fn of(path: &str, version: &str) -> String {
    format!("{path}?versionId={version}")
}

fn send(method: &str, target: &str) -> Response {
    Request::new(method, target).sign().send()
}

fn says_marker(response: &Response, version: &str) -> bool {
    response.header("x-amz-delete-marker") == Some("true")
        && response.header("x-amz-version-id") == Some(version)
}

#[test]
fn versioning_is_a_setting() {
    let mut table = Table::default();
    let path = "/versions-setting";
    bucket(path);
    let shown = || send("GET", &format!("{path}?versioning=")).expect(200);
    let never = shown();
    table.check(&format!("at first: {}", never.text()), never.text().contains("<VersioningConfiguration"));
    table.check("at first: no status", never.element("Status").is_none());
    for status in ["Suspended", "Enabled", "Suspended", "Enabled"] {
        let document = format!(
            "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>{status}</Status></VersioningConfiguration>"
        );
        let response = configure(path, &document);
        table.check(&format!("{status}: {}", response.text()), response.status == 200);
        table.check(&format!("{status}: a body"), response.body.is_empty());
        table.check(&format!("{status} is shown"), shown().element("Status").as_deref() == Some(status));
    }
    let none = refusal(
        400,
        "IllegalVersioningConfigurationException",
        "The Versioning element must be specified",
        &[],
    );
    let whole = |inner: &str| format!("<VersioningConfiguration>{inner}</VersioningConfiguration>");
    for (inner, expected) in [
        ("", &none),
        ("<Status>enabled</Status>", &MALFORMED_XML),
        ("<Status>Disabled</Status>", &MALFORMED_XML),
        ("<Status>Off</Status>", &MALFORMED_XML),
    ] {
        table.refused(inner, &configure(path, &whole(inner)), expected);
    }
    table.refused("another root", &configure(path, "<Tagging/>"), &MALFORMED_XML);
    table.refused("not closed", &configure(path, "<VersioningConfiguration>"), &MALFORMED_XML);
    let mfa = configure(path, &whole("<Status>Suspended</Status><MfaDelete>Enabled</MfaDelete>"));
    table.status("MFA", &mfa, 501);
    let suspend = whole("<Status>Suspended</Status>");
    let wrong = Request::new("PUT", &format!("{path}?versioning="))
        .header("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
        .body(&suspend);
    let response = wrong.sign().send();
    table.status("another digest", &response, 400);
    table.check("another digest", response.element("Code").as_deref() == Some("BadDigest"));
    table.check("still enabled", shown().element("Status").as_deref() == Some("Enabled"));
    let elements = [("BucketName", "versions-nowhere")];
    let missing = refusal(404, "NoSuchBucket", "The specified bucket does not exist", &elements);
    table.refused("read of no bucket", &send("GET", "/versions-nowhere?versioning="), &missing);
    table.refused("set of no bucket", &configure("/versions-nowhere", &suspend), &missing);
}

#[test]
fn every_write_is_a_version() {
    let mut table = Table::default();
    versioned("/versions-writes");
    let path = "/versions-writes/dir/key%20%2B%C3%A9";
    // One body is kept in the index, the others are files.
    let bodies = [b"small".to_vec(), vec![b'l'; 300_000], vec![b'm'; 1_500_000]];
    let ids: Vec<String> = bodies.iter().map(|body| put(path, body)).collect();
    for (number, (id, body)) in ids.iter().zip(&bodies).enumerate() {
        let hex = id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        table.check(&format!("{id} is an id of its own"), hex && !ids[..number].contains(id));
        for (how, response) in [
            ("signed", send("GET", &of(path, id))),
            ("presigned", Request::new("GET", &of(path, id)).presign().send()),
        ] {
            table.status(how, &response, 200);
            table.check(&format!("{how}: the body of {number}"), response.body == *body);
            table.check(how, response.header("x-amz-version-id") == Some(id));
            table.check(how, response.header("x-amz-delete-marker").is_none());
        }
        let head = send("HEAD", &of(path, id));
        let length = body.len().to_string();
        table.check("HEAD", head.status == 200 && head.header("content-length") == Some(&length));
        table.check("HEAD: its version", head.header("x-amz-version-id") == Some(id));
        let part = Request::new("GET", &of(path, id)).header("Range", "bytes=1-3").sign().send();
        table.check("a range", part.status == 206 && part.body == body[1..=3]);
        let etag = head.header("etag").unwrap_or_default();
        let known = Request::new("GET", &of(path, id)).header("If-None-Match", etag).sign().send();
        table.status("what the client has", &known, 304);
        table.check("304: its version", known.header("x-amz-version-id") == Some(id));
    }
    let current = send("GET", path);
    table.check("the newest is current", current.body == bodies[2] && id_of(&current) == ids[2]);
}

#[test]
fn without_versioning_there_is_no_word_of_it() {
    let mut table = Table::default();
    bucket("/versions-without");
    let path = "/versions-without/key";
    let put = Request::new("PUT", path).body("x").sign().send().expect(200);
    let answers = [put, send("GET", path), send("HEAD", path), send("GET", &of(path, "null"))];
    for response in &answers {
        table.status("an answer", response, 200);
    }
    table.check("the version null", answers[3].body == b"x");
    for response in answers.iter().chain([&send("DELETE", path)]) {
        table.check("a header", response.header("x-amz-version-id").is_none());
        table.check("a marker", response.header("x-amz-delete-marker").is_none());
    }
    let gone = send("GET", path);
    gone.refused(&refusal(404, "NoSuchKey", NO_SUCH_KEY, &[("Key", "key")]));
    table.check("no marker was there", gone.header("x-amz-delete-marker").is_none());
}

#[test]
fn what_was_there_before_is_the_version_null() {
    let mut table = Table::default();
    bucket("/versions-before");
    let path = "/versions-before/key";
    given(path, "before");
    set_versioning("/versions-before", "Enabled");
    let found = send("GET", path).expect(200);
    table.check("current and null", found.body == b"before" && id_of(&found) == "null");
    let id = put(path, "after");
    assert_stored(path, "after");
    let old = send("GET", &of(path, "null")).expect(200);
    table.check("kept as null", old.body == b"before" && id_of(&old) == "null");
    let deleted = send("DELETE", &of(path, "null"));
    table.check("deleted", deleted.status == 204 && id_of(&deleted) == "null");
    table.check("no marker", deleted.header("x-amz-delete-marker").is_none());
    let elements = [("Key", "key"), ("VersionId", "null")];
    let gone = refusal(404, "NoSuchVersion", NO_SUCH_VERSION, &elements);
    table.refused("null is gone", &send("GET", &of(path, "null")), &gone);
    table.check("the other stays", id_of(&send("GET", path)) == id);
}

#[test]
fn a_delete_marker_hides_what_is_there() {
    let mut table = Table::default();
    versioned("/versions-marker");
    let path = "/versions-marker/key";
    let id = put(path, "kept");
    let marker = mark_deleted(path);
    let missing = refusal(404, "NoSuchKey", NO_SUCH_KEY, &[("Key", "key")]);
    let get = send("GET", path);
    table.refused("GET", &get, &missing);
    table.check("GET: the marker", says_marker(&get, &marker));
    let head = send("HEAD", path);
    table.status("HEAD", &head, 404);
    table.check("HEAD: the marker", says_marker(&head, &marker));
    let elements = [("Method", "GET"), ("ResourceType", "DeleteMarker")];
    let get = send("GET", &of(path, &marker));
    table.refused("GET by id", &get, &refusal(405, "MethodNotAllowed", NOT_AGAINST, &elements));
    let head = send("HEAD", &of(path, &marker));
    table.status("HEAD by id", &head, 405);
    for response in [&get, &head] {
        table.check("by id: the marker", says_marker(response, &marker));
        let allow: Vec<_> = response.headers.iter().filter(|(name, _)| name == "allow").collect();
        table.check(&format!("Allow: {allow:?}"), matches!(&allow[..], [(_, value)] if value == "DELETE"));
        table.check("Last-Modified", response.header("last-modified").is_some_and(|d| d.ends_with(" GMT")));
    }
    table.check("the version stays", send("GET", &of(path, &id)).expect(200).body == b"kept");
    let second = mark_deleted(path);
    table.check("another marker", second != marker);
    let listed = send("GET", "/versions-marker?list-type=2");
    table.check("not listed", listed.status == 200 && listed.elements("Key").is_empty());
    for gone in [&second, &marker] {
        table.status("still deleted", &send("GET", path), 404);
        let deleted = send("DELETE", &of(path, gone));
        table.check("a marker is removed", deleted.status == 204 && says_marker(&deleted, gone));
    }
    let back = send("GET", path).expect(200);
    table.check("the object is back", back.body == b"kept" && id_of(&back) == id);
    let never = mark_deleted("/versions-marker/never");
    let get = send("GET", "/versions-marker/never");
    table.check("a key that never was has a marker", get.status == 404 && says_marker(&get, &never));
}

#[test]
fn conditions_do_not_see_a_marker_as_an_object() {
    let mut table = Table::default();
    versioned("/versions-conditions");
    let path = "/versions-conditions/key";
    let etag = Request::new("PUT", path).body("one").sign().send().expect(200);
    let etag = etag.header("etag").expect("a tag").to_owned();
    let conditional = |method: &str, name: &str, value: &str| {
        let request = Request::new(method, path).header(name, value);
        let request = if method == "PUT" { request.body("two") } else { request };
        request.sign().send()
    };
    table.status("it is there", &conditional("PUT", "If-None-Match", "*"), 412);
    let other = "\"00000000000000000000000000000000\"";
    let elements = [("Condition", "If-Match")];
    let message = "At least one of the pre-conditions you specified did not hold";
    let failed = refusal(412, "PreconditionFailed", message, &elements);
    table.refused("deleting another", &conditional("DELETE", "If-Match", other), &failed);
    assert_stored(path, "one");
    let deleted = conditional("DELETE", "If-Match", &etag);
    table.check("deleting it", deleted.status == 204 && deleted.header("x-amz-delete-marker").is_some());
    let missing = refusal(404, "NoSuchKey", NO_SUCH_KEY, &[("Key", "key")]);
    table.refused("replacing what is deleted", &conditional("PUT", "If-Match", &etag), &missing);
    table.status("writing it anew", &conditional("PUT", "If-None-Match", "*"), 200);
    assert_stored(path, "two");
}

#[test]
fn version_ids_that_name_nothing() {
    let mut table = Table::default();
    versioned("/versions-ids");
    let path = "/versions-ids/key";
    put(path, "x");
    let tagging = "<Tagging><TagSet/></Tagging>";
    let requests = |version: &str| {
        [
            Request::new("GET", &of(path, version)),
            Request::new("GET", &format!("{}&attributes=", of(path, version)))
                .header("x-amz-object-attributes", "ETag"),
            Request::new("GET", &format!("{}&tagging=", of(path, version))),
            Request::new("PUT", &format!("{}&tagging=", of(path, version))).document(tagging),
            Request::new("DELETE", &format!("{}&tagging=", of(path, version))),
        ]
        .map(|request| (format!("{} {}", request.method, request.target), request.sign().send()))
    };
    for unknown in [UNKNOWN, "null"] {
        let elements = [("Key", "key"), ("VersionId", unknown)];
        let expected = refusal(404, "NoSuchVersion", NO_SUCH_VERSION, &elements);
        for (case, response) in requests(unknown) {
            table.refused(&case, &response, &expected);
            table.check(&case, response.header("x-amz-delete-marker").is_none());
        }
        table.status("HEAD", &send("HEAD", &of(path, unknown)), 404);
        let deleted = send("DELETE", &of(path, unknown));
        table.check("DELETE", deleted.status == 204 && id_of(&deleted) == unknown);
        table.check("DELETE: no marker", deleted.header("x-amz-delete-marker").is_none());
    }
    for (version, message) in [
        ("", "Version id cannot be the empty string"),
        ("abc", "Invalid version id specified"),
        ("NULL", "Invalid version id specified"),
        ("0123456789abcdef0123456789abcde", "Invalid version id specified"),
        ("0123456789abcdef0123456789abcdef0", "Invalid version id specified"),
        ("0123456789abcdef0123456789abcdeg", "Invalid version id specified"),
    ] {
        let elements = [("ArgumentName", "versionId"), ("ArgumentValue", version)];
        let expected: Refusal<'_> = refusal(400, "InvalidArgument", message, &elements);
        for (case, response) in requests(version) {
            table.refused(&case, &response, &expected);
        }
        table.status("HEAD", &send("HEAD", &of(path, version)), 400);
        table.refused("DELETE", &send("DELETE", &of(path, version)), &expected);
    }
    assert_stored(path, "x");
}

#[test]
fn writes_take_no_version() {
    let mut table = Table::default();
    versioned("/versions-put");
    let path = "/versions-put/key";
    let id = put(path, "x");
    let message = "This operation does not accept a version-id.";
    for version in [id.as_str(), UNKNOWN, "null", "junk", ""] {
        let elements = [("ArgumentName", "versionId"), ("ArgumentValue", version)];
        let expected = refusal(400, "InvalidArgument", message, &elements);
        let target = of(path, version);
        let copy = Request::new("PUT", &target).header("x-amz-copy-source", path);
        for (case, request) in [
            ("PUT", Request::new("PUT", &target).body("y").sign()),
            ("PUT, presigned", Request::new("PUT", &target).presign().body("y")),
            ("a copy", copy.sign()),
            ("an upload", Request::new("POST", &format!("{target}&uploads=")).sign()),
        ] {
            table.refused(&format!("{case} {version:?}"), &request.send(), &expected);
        }
    }
    table.check("the version is untouched", id_of(&send("GET", path)) == id);
}

#[test]
fn deleting_a_version_brings_back_the_one_before() {
    let mut table = Table::default();
    versioned("/versions-delete");
    let path = "/versions-delete/key";
    let bodies = ["one", "two", "three", "four"];
    let ids = bodies.map(|body| put(path, body));
    let delete = |id: &str| send("DELETE", &of(path, id));
    let current = |number: usize| {
        let found = send("GET", path);
        found.body == bodies[number].as_bytes() && found.header("x-amz-version-id") == Some(&ids[number])
    };
    let deleted = delete(&ids[3]);
    table.check("the newest", deleted.status == 204 && id_of(&deleted) == ids[3]);
    table.check("no marker", deleted.header("x-amz-delete-marker").is_none());
    table.check("the third is current", current(2));
    delete(&ids[1]).expect(204);
    table.check("the third still is", current(2));
    delete(&ids[2]).expect(204);
    table.check("the first is current", current(0));
    let marker = mark_deleted(path);
    delete(&ids[0]).expect(204);
    let get = send("GET", path);
    table.check("a marker alone", get.status == 404 && says_marker(&get, &marker));
    delete(&marker).expect(204);
    let get = send("GET", path);
    table.refused("nothing", &get, &refusal(404, "NoSuchKey", NO_SUCH_KEY, &[("Key", "key")]));
    table.check("nothing, not even a marker", get.header("x-amz-delete-marker").is_none());
    let elements = [("Key", "key"), ("VersionId", ids[0].as_str())];
    let gone = refusal(404, "NoSuchVersion", NO_SUCH_VERSION, &elements);
    table.refused("the first is gone", &send("GET", &of(path, &ids[0])), &gone);
}

#[test]
fn a_suspended_bucket_has_one_version_null() {
    let mut table = Table::default();
    let name = "/versions-suspended";
    versioned(name);
    let path = "/versions-suspended/key";
    let id = put(path, "kept");
    set_versioning(name, "Suspended");
    let shown = || crate::version_lists::listed(&send("GET", &format!("{name}?versions=")));
    for body in ["null one", "null two"] {
        let stored = Request::new("PUT", path).body(body).sign().send().expect(200);
        table.check("a write shows no version", stored.header("x-amz-version-id").is_none());
        let found = send("GET", path).expect(200);
        table.check(body, found.body == body.as_bytes() && id_of(&found) == "null");
        let expected = [("Version", "key", "null", true), ("Version", "key", &id, false)];
        table.check(&format!("{body}: {:?}", shown()), shown() == expected);
    }
    for _ in 0..2 {
        table.check("the marker is null", mark_deleted(path) == "null");
        let expected = [("DeleteMarker", "key", "null", true), ("Version", "key", &id, false)];
        table.check(&format!("one marker: {:?}", shown()), shown() == expected);
    }
    let get = send("GET", path);
    table.check("deleted", get.status == 404 && says_marker(&get, "null"));
    let get = send("GET", &of(path, "null"));
    table.check("a marker by id", get.status == 405 && says_marker(&get, "null"));
    table.check("the other version stays", send("GET", &of(path, &id)).expect(200).body == b"kept");
    let deleted = send("DELETE", &of(path, "null"));
    table.check("the marker is removed", deleted.status == 204 && says_marker(&deleted, "null"));
    table.check("the object is back", id_of(&send("GET", path)) == id);
    given(path, "null three");
    set_versioning(name, "Enabled");
    let newest = put(path, "enabled again");
    let expected = [("key", newest.as_str(), true), ("key", "null", false), ("key", &id, false)]
        .map(|(key, version, latest)| ("Version", key, version, latest));
    table.check(&format!("enabled again: {:?}", shown()), shown() == expected);
    table.check("null is kept", send("GET", &of(path, "null")).expect(200).body == b"null three");
    let marker = mark_deleted(path);
    table.check("a marker of its own", marker.len() == 32 && shown().len() == 4);
}

#[test]
fn a_bucket_is_empty_when_its_versions_are_gone() {
    let mut table = Table::default();
    let name = "/versions-empty";
    versioned(name);
    let path = "/versions-empty/key";
    let id = put(path, "x");
    let marker = mark_deleted(path);
    for gone in [&id, &marker] {
        let response = send("DELETE", name);
        let message =
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
        let elements = [("BucketName", "versions-empty")];
        table.refused("not empty", &response, &refusal(409, "BucketNotEmpty", message, &elements));
        send("DELETE", &of(path, gone)).expect(204);
    }
    table.status("empty", &send("DELETE", name), 204);
    bucket(name);
    let status = send("GET", &format!("{name}?versioning=")).expect(200).element("Status");
    table.check("made anew without versioning", status.is_none());
}
