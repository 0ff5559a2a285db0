//! Tags of objects, as documents and in the header, and of buckets.

use crate::check::{MALFORMED_XML, Refusal, Table, assert_stored, exists, given, not_signed, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::versions::{bucket, id_of, mark_deleted, of, put, set_versioning, versioned};
use crate::wire::{Request, Response};

const HEADER: &str = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.";
const TWICE: &str = "Cannot provide multiple Tags with the same key";
const BAD_KEY: &str = "The TagKey you have provided is invalid";
const BAD_VALUE: &str = "The TagValue you have provided is invalid";
const SYSTEM: &str = "System tags cannot be added/updated by requester";

/// Tags in a request and in an answer.
type Tags<'a> = &'a [(&'a str, &'a str)];

/// The path of the tags of an object or a bucket.
fn tagging(path: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}tagging=")
}

fn set_of(tags: Tags<'_>) -> String {
    let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<TagSet>{}</TagSet>", tags.iter().map(tag).collect::<String>())
}

fn tag(path: &str, tags: Tags<'_>) -> Response {
    let document = format!("<Tagging>{}</Tagging>", set_of(tags));
    Request::new("PUT", &tagging(path)).document(document).sign().send()
}

/// Whether these are the tags, in this order, in exactly the document of S3.
#[track_caller]
fn has_tags(path: &str, tags: Tags<'_>) -> bool {
    let response = Request::new("GET", &tagging(path)).sign().send().expect(200);
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</Tagging>",
        set_of(tags)
    );
    assert_eq!(response.header("content-type"), Some("application/xml"));
    response.text() == expected
}

fn count(path: &str) -> Option<String> {
    let [get, head] = ["GET", "HEAD"].map(|method| {
        let response = Request::new(method, path).sign().send().expect(200);
        response.header("x-amz-tagging-count").map(str::to_owned)
    });
    assert_eq!(get, head, "the count of GET and of HEAD");
    get
}

fn invalid<'a>(message: &'a str, elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(400, "InvalidTag", message, elements)
}

#[test]
fn tags_are_put_read_and_removed() {
    let mut table = Table::default();
    let path = unique("tags");
    given(&path, "x");
    let before = Request::new("HEAD", &path).sign().send();
    table.check("none at first", has_tags(&path, &[]) && count(&path).is_none());
    let tags = [("colour", "blue"), ("a b", "c+d=e"), ("\u{fc}", ""), ("_.:/=+-@", "_.:/=+-@")];
    let response = tag(&path, &tags);
    table.check(&format!("put: {}", response.text()), response.status == 200 && response.body.is_empty());
    table.check("no version", response.header("x-amz-version-id").is_none());
    table.check("as they were put", has_tags(&path, &tags));
    table.check("counted", count(&path).as_deref() == Some("4"));
    table.status("put again", &tag(&path, &[("only", "one")]), 200);
    table.check("replaced", has_tags(&path, &[("only", "one")]) && count(&path).as_deref() == Some("1"));
    let after = Request::new("HEAD", &path).sign().send();
    for name in ["etag", "last-modified", "content-length", "content-type"] {
        table.check(&format!("{name} stays"), after.header(name) == before.header(name));
    }
    assert_stored(&path, "x");
    let removed = Request::new("DELETE", &tagging(&path)).sign().send();
    table.check("removed", removed.status == 204 && removed.body.is_empty());
    table.check("none at last", has_tags(&path, &[]) && count(&path).is_none());
    table.status("an empty set", &tag(&path, &[]), 200);
    let presigned = Request::new("PUT", &tagging(&path))
        .document("<Tagging><TagSet><Tag><Key>by</Key><Value>URL</Value></Tag></TagSet></Tagging>")
        .presign();
    table.status("presigned", &presigned.send(), 200);
    table.check("presigned", has_tags(&path, &[("by", "URL")]));
    given(&path, "y");
    table.check("another object has none", has_tags(&path, &[]));
}

#[test]
fn tags_of_nothing() {
    let mut table = Table::default();
    let path = unique("tags-of-nothing");
    let key = path.trim_start_matches("/bucket1/");
    let elements = [("Key", key)];
    let missing = refusal(404, "NoSuchKey", "The specified key does not exist.", &elements);
    table.refused("put", &tag(&path, &[("a", "b")]), &missing);
    let deleted = Request::new("DELETE", &tagging(&path)).sign().send();
    table.refused("delete", &deleted, &missing);
    let get = Request::new("GET", &tagging(&path)).sign().send();
    table.status("get", &get, 404);
    table.check("get", get.element("Code").as_deref() == Some("NoSuchKey"));
    table.check("made", !exists(&path));
}

#[test]
fn documents_that_hold_no_tags() {
    let mut table = Table::default();
    let path = unique("tag-documents");
    given(&path, "x");
    table.status("to be kept", &tag(&path, &[("kept", "1")]), 200);
    let put = |document: &str| Request::new("PUT", &tagging(&path)).document(document).sign().send();
    for document in [
        "",
        "tags",
        "<Tagging>",
        "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>",
        "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Other><Key>a</Key><Value>b</Value></Other></TagSet></Tagging>",
    ] {
        let response = put(document);
        // An empty body has a code of its own on S3.
        if document.is_empty() && response.element("Code").as_deref() == Some("MissingRequestBodyError") {
            continue;
        }
        table.refused(document, &response, &MALFORMED_XML);
    }
    let document = format!("<Tagging>{}</Tagging>", set_of(&[("a", "b")]));
    let wrong = Request::new("PUT", &tagging(&path)).document("<Tagging/>").body(&document).sign().send();
    table.check("another digest", wrong.element("Code").as_deref() == Some("BadDigest"));
    table.check("the tags are kept", has_tags(&path, &[("kept", "1")]));
    // Measured: versitygw#1662.
    table.status("no digest", &Request::new("PUT", &tagging(&path)).body(&document).sign().send(), 200);
}

#[test]
fn tags_that_cannot_be() {
    let mut table = Table::default();
    let path = unique("tag-rules");
    given(&path, "x");
    table.status("to be kept", &tag(&path, &[("kept", "1")]), 200);
    let long_key = "k".repeat(129);
    let long_value = "v".repeat(257);
    // Outside the basic plane a character counts twice.
    let wide_key = "\u{20000}".repeat(65);
    for (tags, message, elements) in [
        (&[("a", "1"), ("a", "2")] as Tags<'_>, TWICE, &[("TagKey", "a")] as Tags<'_>),
        (&[("", "1")], BAD_KEY, &[("TagKey", "")]),
        (&[("a,b", "1")], BAD_KEY, &[("TagKey", "a,b")]),
        (&[("a*", "1")], BAD_KEY, &[("TagKey", "a*")]),
        (&[(&long_key, "1")], BAD_KEY, &[("TagKey", &long_key)]),
        (&[(&wide_key, "1")], BAD_KEY, &[("TagKey", &wide_key)]),
        (&[("a", "1,2")], BAD_VALUE, &[("TagKey", "a"), ("TagValue", "1,2")]),
        (&[("a", &long_value)], BAD_VALUE, &[("TagKey", "a"), ("TagValue", &long_value)]),
    ] {
        table.refused(&format!("{tags:?}"), &tag(&path, tags), &invalid(message, elements));
    }
    for key in ["aws:a", "AWS:a"] {
        let message = "Your TagKey cannot be prefixed with aws:";
        table.refused(key, &tag(&path, &[(key, "1")]), &invalid(message, &[("TagKey", key)]));
    }
    let numbers: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = numbers.iter().map(|number| (number.as_str(), "v")).collect();
    let message = "Object tags cannot be greater than 10";
    table.refused("11 tags", &tag(&path, &many), &refusal(400, "BadRequest", message, &[]));
    table.check("the tags are kept", has_tags(&path, &[("kept", "1")]));
    let most = [(&long_key[..128], &long_value[..256]), (&wide_key[..256], "wide")];
    table.status("the longest", &tag(&path, &most), 200);
    table.check("the longest", has_tags(&path, &most));
    table.status("10 tags", &tag(&path, &many[..10]), 200);
    table.check("10 tags", count(&path).as_deref() == Some("10"));
}

#[test]
fn tags_in_the_header() {
    let mut table = Table::default();
    let path = unique("tag-header");
    let put = |tags: &str| Request::new("PUT", &path).header("x-amz-tagging", tags).body("x");
    for (header, tags) in [
        ("a=1&b=2", &[("a", "1"), ("b", "2")][..]),
        ("a%20b=c%2Bd&e+f=g%3Dh", &[("a b", "c+d"), ("e f", "g=h")]),
        ("%C3%BC=%C3%A9", &[("\u{fc}", "\u{e9}")]),
        ("key1&key2", &[("key1", ""), ("key2", "")]),
        ("", &[]),
    ] {
        table.status(header, &put(header).sign().send(), 200);
        table.check(&format!("{header}: its tags"), has_tags(&path, tags));
        let number = tags.len().to_string();
        table.check(header, count(&path) == Some(number).filter(|_| !tags.is_empty()));
    }
    let new = unique("tag-header");
    let many: Vec<String> = (0..11).map(|number| format!("{number}=v")).collect();
    let many = many.join("&");
    for header in ["a=1&a=2", "=1", "a=%FF", "key1=val1,key2=val2"] {
        let elements = [("ArgumentName", "x-amz-tagging"), ("ArgumentValue", header)];
        let expected = refusal(400, "InvalidArgument", HEADER, &elements);
        let put = Request::new("PUT", &new).header("x-amz-tagging", header).body("x");
        table.refused_write(header, &put.clone().sign(), &expected);
        let create = Request::new("POST", &format!("{new}?uploads=")).header("x-amz-tagging", header);
        table.refused(&format!("{header}, an upload"), &create.sign().send(), &expected);
    }
    let put = |tags: &str| Request::new("PUT", &new).header("x-amz-tagging", tags).body("x").sign();
    let message = "Object tags cannot be greater than 10";
    table.refused_write("11 tags", &put(&many), &refusal(400, "BadRequest", message, &[]));
    for header in ["a%2A=1", "a=*", "a,b=1", "aws:a=1"] {
        let response = put(header).send();
        table.status(header, &response, 400);
        let code = response.element("Code").unwrap_or_default();
        table.check(&format!("{header}: {code}"), ["InvalidTag", "InvalidArgument"].contains(&code.as_str()));
    }
    table.check("something was stored", !exists(&new));
}

#[test]
fn tags_in_presigned_urls() {
    let mut table = Table::default();
    let (query, header) = (unique("tag-url"), unique("tag-url"));
    let value = crate::sign::escape("a=1&b=c%20d");
    let url = Request::new("PUT", &format!("{query}?x-amz-tagging={value}")).presign().body("x");
    table.status("in the query", &url.send(), 200);
    table.check("in the query", has_tags(&query, &[("a", "1"), ("b", "c d")]));
    let other = url.edit("a%3D1", "a%3D2").send();
    table.check("not signed so", other.element("Code").as_deref() == Some("SignatureDoesNotMatch"));
    let signed = Request::new("PUT", &header).header("x-amz-tagging", "a=1").presign().body("x");
    table.status("a signed header", &signed.send(), 200);
    table.check("a signed header", has_tags(&header, &[("a", "1")]));
    table.status("without it", &signed.clone().without("x-amz-tagging").send(), 403);
    let new = unique("tag-url");
    let added = Request::new("PUT", &new).presign().header("x-amz-tagging", "a=1").body("x");
    table.refused_write(
        "a header that was not signed",
        &added,
        &not_signed(&[("HeadersNotSigned", "x-amz-tagging")]),
    );
}

#[test]
fn copies_take_tags_along() {
    let mut table = Table::default();
    let (from, to) = (unique("tag-from"), unique("tag-to"));
    let tagged = [("x-amz-tagging", "a=1&b=2")];
    Request::new("PUT", &from).headers(&tagged).body("x").sign().send().expect(200);
    let copy = |headers: &[(&str, &str)]| {
        Request::new("PUT", &to).header("x-amz-copy-source", &from).headers(headers).sign().send()
    };
    let directive = "x-amz-tagging-directive";
    for (headers, tags) in [
        (&[][..], &[("a", "1"), ("b", "2")][..]),
        (&[(directive, "COPY")], &[("a", "1"), ("b", "2")]),
        (&[("x-amz-metadata-directive", "REPLACE")], &[("a", "1"), ("b", "2")]),
        (&[(directive, "REPLACE"), ("x-amz-tagging", "c=3")], &[("c", "3")]),
        (&[(directive, "REPLACE")], &[]),
    ] {
        table.status(&format!("{headers:?}"), &copy(headers), 200);
        table.check(&format!("{headers:?}: the tags"), has_tags(&to, tags));
    }
    let elements = [("ArgumentName", directive), ("ArgumentValue", "MIX")];
    let unknown = refusal(400, "InvalidArgument", "Unknown tagging directive.", &elements);
    table.refused("another directive", &copy(&[(directive, "MIX")]), &unknown);
    let header = [(directive, "REPLACE"), ("x-amz-tagging", "a=1&a=2")];
    let elements = [("ArgumentName", "x-amz-tagging"), ("ArgumentValue", "a=1&a=2")];
    table.refused("twice", &copy(&header), &refusal(400, "InvalidArgument", HEADER, &elements));
    table.check("after refusals", has_tags(&to, &[]));
    table.check("the source", has_tags(&from, &[("a", "1"), ("b", "2")]));
}

#[test]
fn uploads_are_started_with_tags() {
    let mut table = Table::default();
    let path = unique("tag-upload");
    let create = Request::new("POST", &format!("{path}?uploads=")).header("x-amz-tagging", "a=1&b=2");
    let id = create.sign().send().expect(200).element("UploadId").expect("an id");
    let etag = crate::multipart::part(&path, &id, 1, b"part");
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    table.status("complete", &crate::multipart::complete(&path, &id, &part), 200);
    table.check("its tags", has_tags(&path, &[("a", "1"), ("b", "2")]));
    table.check("counted", count(&path).as_deref() == Some("2"));
}

#[test]
fn each_version_has_tags_of_its_own() {
    let mut table = Table::default();
    let name = "/tags-versions";
    bucket(name);
    let path = "/tags-versions/key";
    given(path, "null");
    table.status("before versioning", &tag(path, &[("n", "0")]), 200);
    set_versioning(name, "Enabled");
    let put_tagged = Request::new("PUT", path).header("x-amz-tagging", "n=1").body("one").sign();
    let (one, two) = (id_of(&put_tagged.send().expect(200)), put(path, "two"));
    table.check("the current one", has_tags(path, &[]));
    table.check("by id", has_tags(&of(path, &one), &[("n", "1")]));
    table.check("null", has_tags(&of(path, "null"), &[("n", "0")]));
    let answer = tag(path, &[("n", "2")]).expect(200);
    table.check("the current one is tagged", id_of(&answer) == two);
    let answer = tag(&of(path, &one), &[("n", "one")]).expect(200);
    table.check("an old one is tagged", id_of(&answer) == one);
    for (version, tags) in [(&two, &[("n", "2")][..]), (&one, &[("n", "one")])] {
        let answer = Request::new("GET", &tagging(&of(path, version))).sign().send().expect(200);
        table.check("the answer names it", id_of(&answer) == *version);
        table.check("its tags", has_tags(&of(path, version), tags));
        table.check("counted", count(&of(path, version)).as_deref() == Some("1"));
    }
    let removed = Request::new("DELETE", &tagging(&of(path, &one))).sign().send().expect(204);
    table.check("removed of one", id_of(&removed) == one && has_tags(&of(path, &one), &[]));
    table.check("and not of another", has_tags(path, &[("n", "2")]));
    let entries = Request::new("GET", &format!("{name}?versions=")).sign().send();
    table.check("no new versions", crate::version_lists::listed(&entries).len() == 3);
    let marker = mark_deleted(path);
    let put = Request::new("PUT", &tagging(&of(path, &marker))).document("<Tagging><TagSet/></Tagging>");
    for (method, request) in [("GET", Request::new("GET", &tagging(&of(path, &marker)))), ("PUT", put)] {
        let elements = [("Method", method), ("ResourceType", "DeleteMarker")];
        let message = "The specified method is not allowed against this resource.";
        let expected = refusal(405, "MethodNotAllowed", message, &elements);
        table.refused(&format!("{method} of a marker"), &request.sign().send(), &expected);
    }
    table.check("behind the marker", has_tags(&of(path, &two), &[("n", "2")]));
}

#[test]
fn buckets_have_tags() {
    let mut table = Table::default();
    let name = "/tags-bucket";
    versioned(name);
    let elements = [("BucketName", "tags-bucket")];
    let none = refusal(404, "NoSuchTagSet", "The TagSet does not exist", &elements);
    let get = || Request::new("GET", &tagging(name)).sign().send();
    table.refused("at first", &get(), &none);
    let response = tag(name, &[("tag1", "one"), ("tag2", "")]);
    table.check("put", response.status == 204 && response.body.is_empty());
    table.check("as they were put", has_tags(name, &[("tag1", "one"), ("tag2", "")]));
    let numbers: Vec<String> = (0..51).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = numbers.iter().map(|number| (number.as_str(), "v")).collect();
    for (tags, message, elements) in [
        (&[("a", "1"), ("a", "2")] as Tags<'_>, TWICE, &[("TagKey", "a")] as Tags<'_>),
        (&[("a,b", "1")], BAD_KEY, &[("TagKey", "a,b")]),
        (&[("a", "1,2")], BAD_VALUE, &[("TagKey", "a"), ("TagValue", "1,2")]),
        (&[("aws:a", "1")], SYSTEM, &[("TagKey", "aws:a")]),
    ] {
        table.refused(&format!("{tags:?}"), &tag(name, tags), &invalid(message, elements));
    }
    let message = "Bucket tags cannot be greater than 50";
    table.refused("51 tags", &tag(name, &many), &refusal(400, "BadRequest", message, &[]));
    table.check("after refusals", has_tags(name, &[("tag1", "one"), ("tag2", "")]));
    table.status("50 tags", &tag(name, &many[..50]), 204);
    table.check("50 tags", has_tags(name, &many[..50]));
    for _ in 0..2 {
        let removed = Request::new("DELETE", &tagging(name)).sign().send();
        table.status("removed", &removed, 204);
        table.refused("at last", &get(), &none);
    }
    table.status("put to be emptied", &tag(name, &[("a", "b")]), 204);
    table.status("emptied", &tag(name, &[]), 204);
    table.refused("emptied is none", &get(), &none);
    table.status("put again", &tag(name, &[("a", "b")]), 204);
    table.status("the bucket is removed", &Request::new("DELETE", name).sign().send(), 204);
    bucket(name);
    table.refused("made anew", &get(), &none);
    let elements = [("BucketName", "tags-nowhere")];
    let missing = refusal(404, "NoSuchBucket", "The specified bucket does not exist", &elements);
    table.refused("of no bucket", &tag("/tags-nowhere", &[("a", "b")]), &missing);
    let deleted = Request::new("DELETE", &tagging("/tags-nowhere")).sign().send();
    table.refused("delete of no bucket", &deleted, &missing);
}
