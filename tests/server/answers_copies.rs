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
