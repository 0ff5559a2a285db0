//! Where a copy comes from, and what it makes.

use crate::check::{Table, assert_stored, exists, given, refusal};
use crate::harness::{server, unique};
use crate::sign::Sign as _;
use crate::wire::Request;

/// Recorded of the second (with this ArgumentValue), measured: paws#819; stated of the others: versitygw.
#[test]
fn sources_in_three_stages() {
    let mut table = Table::default();
    let to = unique("to");
    let id = crate::multipart::create(&to);
    let elements = [("ArgumentName", "x-amz-copy-source"), ("ArgumentValue", "x-amz-copy-source")];
    for (source, message) in [
        ("", "Invalid copy source bucket name"),
        ("/", "Invalid copy source bucket name"),
        ("//key", "Invalid copy source bucket name"),
        ("B_/key", "Invalid copy source bucket name"),
        ("wrongformat", "Invalid copy source object key"),
        ("/bucket1", "Invalid copy source object key"),
        ("bucket1/", "Invalid copy source object key"),
        ("http://host", "Invalid copy source bucket name"),
        ("bucket1/%%%%", "Invalid copy source encoding"),
        ("bucket1/%ZZ", "Invalid copy source encoding"),
        ("bucket1/%FF", "Invalid copy source encoding"),
    ] {
        let expected = refusal(400, "InvalidArgument", message, &elements);
        for target in [to.clone(), format!("{to}?partNumber=1&uploadId={id}")] {
            let copy = Request::new("PUT", &target).header("x-amz-copy-source", source).sign();
            table.refused(&format!("{source:?}"), &copy.send(), &expected);
        }
    }
    table.check("nothing was copied", !exists(&to));
}

/// Asserted by a test that is run on AWS (unsure): a whole URL is taken for its path. Decided: whatever its host.
#[test]
fn a_source_may_be_a_whole_url() {
    let mut table = Table::default();
    let from = unique("from blank").replace(' ', "%20");
    given(&from, "source");
    for scheme in ["http", "https"] {
        let to = unique("to-url");
        let source = format!("{scheme}://{}{from}", server().address);
        let copy = Request::new("PUT", &to).header("x-amz-copy-source", &source).sign();
        table.status(&source, &copy.send(), 200);
        assert_stored(&to, "source");
    }
}

/// Stated: versitygw; that it holds of every operation that copies nothing is inferred.
#[test]
fn sources_where_nothing_is_copied() {
    let mut table = Table::default();
    let path = unique("not-copied");
    given(&path, "kept");
    let id = crate::multipart::create(&path);
    let elements = [("ArgumentName", "x-amz-copy-source"), ("ArgumentValue", path.as_str())];
    let message = "You can only specify a copy source header for copy requests.";
    let expected = refusal(400, "InvalidArgument", message, &elements);
    for (method, target) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("GET", "/bucket1".to_owned()),
        ("DELETE", "/bucket1".to_owned()),
        ("PUT", format!("{path}?tagging")),
        ("POST", format!("{path}?uploadId={id}")),
        ("DELETE", format!("{path}?uploadId={id}")),
        ("POST", "/bucket1?delete".to_owned()),
    ] {
        let request = Request::new(method, &target).header("x-amz-copy-source", &path).body("");
        table.refused(&format!("{method} {target}"), &request.sign().send(), &expected);
    }
    let hoisted = Request::new("DELETE", &path).add_query(&format!("x-amz-copy-source={path}")).presign();
    table.refused("in the query", &hoisted.send(), &expected);
    let head = Request::new("HEAD", &path).header("x-amz-copy-source", &path).sign().send();
    table.status("HEAD", &head, 400);
    assert_stored(&path, "kept");
}

/// Recorded: test_s3_copy_object_in_place_website_redirect_location, test_s3_copy_object_in_place_storage_class.
#[test]
fn copies_onto_themselves() {
    let mut table = Table::default();
    let path = unique("itself");
    let own = [("x-amz-meta-a", "b"), ("x-amz-website-redirect-location", "/first")];
    Request::new("PUT", &path).headers(&own).body("x").sign().send().expect(200);
    let copy = |headers: &[(&str, &str)]| {
        Request::new("PUT", &path).header("x-amz-copy-source", &path).headers(headers).sign().send()
    };
    let head = || Request::new("HEAD", &path).sign().send();
    let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
    table.refused("nothing changes", &copy(&[]), &refusal(400, "InvalidRequest", message, &[]));
    table.status("a redirect", &copy(&[("x-amz-website-redirect-location", "/second")]), 200);
    let found = head();
    table.check("it is set", found.header("x-amz-website-redirect-location") == Some("/second"));
    table.check("metadata is kept", found.header("x-amz-meta-a") == Some("b"));
    table.status("a class", &copy(&[("x-amz-storage-class", "STANDARD_IA")]), 200);
    let found = head();
    // Documented of CopyObject: the redirect is not copied.
    table.check("it goes", found.header("x-amz-website-redirect-location").is_none());
    table.check("the class", found.header("x-amz-storage-class") == Some("STANDARD_IA"));
    table.status("metadata", &copy(&[("x-amz-metadata-directive", "REPLACE")]), 200);
    table.check("replaced", head().header("x-amz-meta-a").is_none());
}

/// Recorded of `wrongformat` (test_s3_copy_object_wrong_format); in a query and in other spellings inferred.
#[test]
fn sources_in_other_spellings() {
    let mut table = Table::default();
    let from = unique("spelt");
    given(&from, "source");
    let key = from.trim_start_matches("/bucket1/").to_owned();
    let elements = [("ArgumentName", "x-amz-copy-source"), ("ArgumentValue", "x-amz-copy-source")];
    for (source, message) in [
        ("wrongformat", "Invalid copy source object key"),
        ("wrongformat?versionId=null", "Invalid copy source object key"),
        ("%2Fbucket1%2F", "Invalid copy source object key"),
        ("bucket1%2F", "Invalid copy source object key"),
        ("http://host/bucket1", "Invalid copy source object key"),
        ("http://host/bucket1/", "Invalid copy source object key"),
        ("%2F", "Invalid copy source bucket name"),
        ("http://host/", "Invalid copy source bucket name"),
        ("https:///", "Invalid copy source bucket name"),
        ("s3://bucket1/key", "Invalid copy source bucket name"),
        ("../bucket1/key", "Invalid copy source bucket name"),
        ("bucket1/%", "Invalid copy source encoding"),
        ("bucket1/%4", "Invalid copy source encoding"),
        ("bucket1/%C3", "Invalid copy source encoding"),
        ("http://host/bucket1/%G0", "Invalid copy source encoding"),
    ] {
        let to = unique("spelt-wrong");
        let expected = refusal(400, "InvalidArgument", message, &elements);
        let copy = Request::new("PUT", &to).header("x-amz-copy-source", source).sign();
        table.refused(source, &copy.send(), &expected);
        let query = format!("x-amz-copy-source={}", crate::sign::escape(source));
        let copy = Request::new("PUT", &to).add_query(&query).presign();
        table.refused(&format!("{source} in the query"), &copy.send(), &expected);
        table.check(&format!("{source}: something was made"), !exists(&to));
    }
    let host = server().address;
    for source in [
        format!("bucket1/{key}"),
        format!("/bucket1/{key}"),
        format!("bucket1%2F{key}"),
        format!("%2Fbucket1%2F{key}"),
        format!("/bucket1/{key}?versionId=null"),
        format!("http://{host}/bucket1/{key}?versionId=null"),
        format!("https://elsewhere.example/bucket1/{key}"),
    ] {
        let to = unique("spelt-right");
        let copy = Request::new("PUT", &to).header("x-amz-copy-source", &source).sign();
        table.status(&source, &copy.send(), 200);
        assert_stored(&to, "source");
        let id = crate::multipart::create(&to);
        let part = Request::new("PUT", &format!("{to}?partNumber=1&uploadId={id}"));
        table.status(
            &format!("{source}, a part"),
            &part.header("x-amz-copy-source", &source).sign().send(),
            200,
        );
    }
}

/// Stated: versitygw; of further operations, of an empty source and of V2 inferred.
#[test]
fn sources_where_nothing_else_is_copied() {
    let mut table = Table::default();
    let path = unique("nothing-copied");
    given(&path, "kept");
    let id = crate::multipart::create(&path);
    let message = "You can only specify a copy source header for copy requests.";
    for (method, target, document) in [
        ("GET", "/".to_owned(), ""),
        ("GET", "/bucket1?location".to_owned(), ""),
        ("GET", format!("{path}?tagging"), ""),
        ("GET", format!("{path}?uploadId={id}"), ""),
        ("DELETE", format!("{path}?tagging"), ""),
        ("POST", format!("{path}?uploads"), ""),
        ("PUT", "/copied-never".to_owned(), ""),
        ("PUT", "/bucket1?versioning".to_owned(), "<VersioningConfiguration/>"),
        ("DELETE", path.clone(), ""),
    ] {
        for source in [path.as_str(), "wrongformat", ""] {
            let elements = [("ArgumentName", "x-amz-copy-source"), ("ArgumentValue", source)];
            let expected = refusal(400, "InvalidArgument", message, &elements);
            let request = Request::new(method, &target).header("x-amz-copy-source", source);
            let response = request.document(document).sign().send();
            table.refused(&format!("{method} {target} {source:?}"), &response, &expected);
        }
    }
    let text = format!("DELETE\n\n\n{{}}\nx-amz-copy-source:{path}\n{path}");
    let delete = Request::new("DELETE", &path).presign_v2(&text, 600).header("x-amz-copy-source", &path);
    table.status("V2", &delete.send(), 400);
    for target in [path.as_str(), "/bucket1"] {
        let head = Request::new("HEAD", target).header("x-amz-copy-source", "").sign().send();
        table.status(&format!("HEAD {target}"), &head, 400);
    }
    table.status("no bucket", &Request::new("HEAD", "/copied-never").sign().send(), 404);
    let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
    table.status("the upload is there", &list, 200);
    assert_stored(&path, "kept");
}

/// Recorded: test_s3_copy_object_in_place, test_s3_copy_object_in_place_website_redirect_location,
/// test_s3_copy_object_in_place_storage_class, test_s3_copy_object_in_place_metadata_directive: what is set is a change,
/// be it what it was before; metadata without REPLACE and an ACL are none.
#[test]
fn what_changes_a_copy_onto_itself() {
    let mut table = Table::default();
    let path = unique("in-place");
    let own = [("x-amz-meta-key", "value"), ("x-amz-website-redirect-location", "/test/direct")];
    let put = Request::new("PUT", &path).headers(&own).header("Content-Type", "application/json");
    put.body("x").sign().send().expect(200);
    let copy = |source: &str, headers: &[(&str, &str)]| {
        Request::new("PUT", &path).header("x-amz-copy-source", source).headers(headers).sign().send()
    };
    let head = || Request::new("HEAD", &path).sign().send();
    let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
    let illegal = refusal(400, "InvalidRequest", message, &[]);
    for headers in [
        &[("x-amz-meta-key2", "value2")][..],
        &[("x-amz-metadata-directive", "COPY"), ("x-amz-meta-key2", "value2")],
        &[("Content-Type", "image/png")],
        &[("x-amz-acl", "private")],
    ] {
        table.refused(&format!("{headers:?}"), &copy(&path, headers), &illegal);
    }
    // However the source is written, it is the same object.
    let url = format!("http://{}{path}", server().address);
    let (encoded, bare) = (path.replace('/', "%2F"), path.trim_start_matches('/'));
    for source in [url.as_str(), &encoded, bare] {
        table.refused(source, &copy(source, &[]), &illegal);
    }
    let redirect = [("x-amz-website-redirect-location", "/test/direct")];
    table.status("the same redirect", &copy(&path, &redirect), 200);
    let found = head();
    table.check("it is kept", found.header("x-amz-website-redirect-location") == Some("/test/direct"));
    table.check("metadata too", found.header("x-amz-meta-key") == Some("value"));
    table.status("the same class", &copy(&path, &[("x-amz-storage-class", "STANDARD")]), 200);
    let class = ("x-amz-storage-class", "STANDARD");
    let ignored = [("x-amz-metadata-directive", "COPY"), ("x-amz-meta-key3", "value3"), class];
    table.status("metadata that is ignored", &copy(&path, &ignored), 200);
    let found = head();
    table.check("the type", found.header("content-type") == Some("application/json"));
    let right = found.header("x-amz-meta-key") == Some("value") && found.header("x-amz-meta-key3").is_none();
    table.check("the metadata", right);
    table.status("nothing replaces", &copy(&path, &[("x-amz-metadata-directive", "REPLACE")]), 200);
    let found = head();
    table.check("the type is the usual", found.header("content-type") == Some("binary/octet-stream"));
    table.check("no metadata", found.header("x-amz-meta-key").is_none());
    assert_stored(&path, "x");
}

const ARCHIVED: &str = "The operation is not valid for the object's storage class";

/// Recorded: test_put_object_storage_class (all eight classes), test_s3_get_deep_archive_object_restore. Decided of
/// ?restore, which AWS was recorded to answer with 202: nothing is restored here, so 501.
#[test]
fn classes_that_are_read_and_that_are_not() {
    let mut table = Table::default();
    for (class, is_read) in [
        ("STANDARD", true),
        ("STANDARD_IA", true),
        ("GLACIER_IR", true),
        ("ONEZONE_IA", true),
        ("INTELLIGENT_TIERING", true),
        ("REDUCED_REDUNDANCY", true),
        ("GLACIER", false),
        ("DEEP_ARCHIVE", false),
    ] {
        let path = unique("class");
        let put = Request::new("PUT", &path).header("x-amz-storage-class", class).body("body-test").sign();
        table.status(class, &put.send(), 200);
        let attributes = Request::new("GET", &format!("{path}?attributes"));
        let shown = attributes.header("x-amz-object-attributes", "StorageClass").sign().send();
        table.check(
            &format!("{class}: {}", shown.text()),
            shown.element("StorageClass").as_deref() == Some(class),
        );
        let list = Request::new("GET", &format!("/bucket1?prefix={}", &path[9..])).sign().send();
        table.check(&format!("{class} in a listing"), list.element("StorageClass").as_deref() == Some(class));
        let text = format!("GET\n\n\n{{}}\n{path}");
        let to = unique("class-copy");
        let copy = || Request::new("PUT", &to).header("x-amz-copy-source", &path).sign();
        if is_read {
            assert_stored(&path, "body-test");
            table.status(&format!("{class}, a copy"), &copy().send(), 200);
            continue;
        }
        let elements = [("StorageClass", class)];
        let expected = refusal(403, "InvalidObjectState", ARCHIVED, &elements);
        table.refused(class, &Request::new("GET", &path).presign_v2(&text, 600).send(), &expected);
        for query in ["partNumber=1", "versionId=null", "response-content-type=a"] {
            let get = Request::new("GET", &path).add_query(query).sign();
            table.refused(&format!("{class} ?{query}"), &get.send(), &expected);
        }
        table.refused(&format!("{class}, a copy"), &copy().send(), &expected);
        table.check(&format!("{class}: a copy was made"), !exists(&to));
        let restore = "<RestoreRequest><Days>1</Days></RestoreRequest>";
        let restore = Request::new("POST", &format!("{path}?restore")).document(restore).sign();
        table.status(&format!("{class} ?restore"), &restore.send(), 501);
        table.status(&format!("{class}, deleted"), &Request::new("DELETE", &path).sign().send(), 204);
    }
}

/// Documented of CopyObject and UploadPart: what is written may be archived at once, and what replaces it is read again.
#[test]
fn copies_and_uploads_that_are_archived() {
    let mut table = Table::default();
    let (from, path) = (unique("thawed"), unique("frozen"));
    given(&from, "source");
    let elements = [("StorageClass", "GLACIER")];
    let expected = refusal(403, "InvalidObjectState", ARCHIVED, &elements);
    let get = || Request::new("GET", &path).sign().send();
    let class = ("x-amz-storage-class", "GLACIER");
    let copy = Request::new("PUT", &path).headers(&[("x-amz-copy-source", from.as_str()), class]).sign();
    table.status("a copy", &copy.send(), 200);
    table.refused("of a copy", &get(), &expected);
    let create = Request::new("POST", &format!("{path}?uploads")).headers(&[class]).body("").sign().send();
    let id = create.element("UploadId").expect("an id");
    let etag = crate::multipart::part(&path, &id, 1, b"part");
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    table.status("an upload", &crate::multipart::complete(&path, &id, &part), 200);
    table.refused("of an upload", &get(), &expected);
    given(&path, "written over");
    assert_stored(&path, "written over");
    // Recorded of PutObject and CreateMultipartUpload: test_put_object_storage_class_outposts; of copies inferred.
    let elements = [("StorageClassRequested", "OUTPOSTS")];
    let message = "The storage class you specified is not valid";
    let none = refusal(400, "InvalidStorageClass", message, &elements);
    let copy = Request::new("PUT", &path).header("x-amz-copy-source", &from);
    table.refused("a copy", &copy.header("x-amz-storage-class", "OUTPOSTS").sign().send(), &none);
    let put = Request::new("PUT", &path).add_query("x-amz-storage-class=OUTPOSTS").presign().body("x");
    table.refused("in the query", &put.send(), &none);
    assert_stored(&path, "written over");
}

/// Recorded: test_s3_copy_object_in_place_versioned. Documented: a version that was before is brought back by a copy of it
/// onto the object. Whether to name the current one is to change nothing is not known.
#[test]
fn copies_of_versions_onto_themselves() {
    let mut table = Table::default();
    crate::versions::versioned("/in-place-versions");
    let path = "/in-place-versions/key";
    let (one, two) = (crate::versions::put(path, "one"), crate::versions::put(path, "two"));
    let copy = |source: &str, headers: &[(&str, &str)]| {
        Request::new("PUT", path).header("x-amz-copy-source", source).headers(headers).sign().send()
    };
    let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
    let illegal = refusal(400, "InvalidRequest", message, &[]);
    table.refused("the object", &copy(path, &[]), &illegal);
    let source = "x-amz-copy-source-version-id";
    let replaced = copy(path, &[("x-amz-metadata-directive", "REPLACE")]);
    table.status("replaced", &replaced, 200);
    table.check("of the second", replaced.header(source) == Some(two.as_str()));
    let third = replaced.header("x-amz-version-id").unwrap_or_default().to_owned();
    table.check("a third", !third.is_empty() && third != two && third != one);
    let back = copy(&format!("{path}?versionId={one}"), &[]);
    table.status("the first is brought back", &back, 200);
    table.check("of the first", back.header(source) == Some(one.as_str()));
    assert_stored(path, "one");
    assert_stored(&format!("{path}?versionId={two}"), "two");
    crate::versions::set_versioning("/in-place-versions", "Suspended");
    table.refused("suspended", &copy(path, &[]), &illegal);
    let replaced = copy(path, &[("x-amz-metadata-directive", "REPLACE")]);
    table.status("suspended, replaced", &replaced, 200);
    assert_stored(path, "one");
    let list = Request::new("GET", "/in-place-versions?versions").sign().send();
    table.check("five versions", list.elements("Version").len() == 5);
}

/// Measured: amazonka#118, versitygw#1613.
#[test]
fn copies_have_no_body() {
    let mut table = Table::default();
    let (from, to) = (unique("body-from"), unique("body-to"));
    given(&from, "x");
    let message = "The request included a body. Requests of this type must not include a non-empty body.";
    let expected = refusal(400, "InvalidRequest", message, &[]);
    let copy = Request::new("PUT", &to).header("x-amz-copy-source", &from);
    table.refused("a body", &copy.clone().body("new data").sign().send(), &expected);
    table.check("it was copied", !exists(&to));
    table.status("none", &copy.body("").sign().send(), 200);
}
