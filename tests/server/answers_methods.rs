//! Methods by sub-resource, and several sub-resources at once.

use crate::answers_operations::names;
use crate::check::{Table, exists, given, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::Request;

/// Measured: backlot#267, by two people in two regions; of the words that are not listed there inferred.
#[test]
fn what_a_sub_resource_allows() {
    let mut table = Table::default();
    let path = unique("methods");
    given(&path, "kept");
    for (target, allowed) in [
        ("/bucket1?location", "GET"),
        ("/bucket1?uploads", "POST, GET"),
        ("/bucket1?versioning", "GET, PUT"),
        ("/bucket1?acl", "GET, PUT"),
        ("/bucket1?tagging", "DELETE, GET, PUT"),
        ("/bucket1?policy", "DELETE, GET, PUT"),
        ("/bucket1?versions", "GET"),
        ("/bucket1?lifecycle", "DELETE, GET, PUT"),
        ("/bucket1?delete", "POST"),
        (&format!("{path}?acl"), "GET, PUT"),
        (&format!("{path}?tagging"), "DELETE, GET, PUT"),
        (&format!("{path}?uploadId=x"), "DELETE, POST, GET"),
        (&format!("{path}?uploads"), "POST, GET"),
        (&format!("{path}?attributes"), "GET"),
    ] {
        let response = Request::new("HEAD", target).sign().send();
        table.status(target, &response, 405);
        let found = response.header("allow");
        table.check(&format!("{target}: {found:?}"), found == Some(allowed));
    }
    for (method, target, allowed) in [
        ("PUT", format!("{path}?uploads"), "POST, GET"),
        ("PUT", format!("{path}?uploadId=x"), "DELETE, POST, GET"),
        ("DELETE", format!("{path}?acl"), "GET, PUT"),
        ("DELETE", format!("{path}?uploads"), "POST, GET"),
        ("POST", format!("{path}?tagging"), "DELETE, GET, PUT"),
        ("DELETE", "/bucket1?versioning".to_owned(), "GET, PUT"),
        ("POST", "/bucket1?location".to_owned(), "GET"),
    ] {
        let response = Request::new(method, &target).body("x").sign().send();
        table.status(&format!("{method} {target}"), &response, 405);
        table.check(&format!("{method} {target}: Allow"), response.header("allow") == Some(allowed));
    }
    table.check("the object is there", exists(&path));
}

/// Measured of `HEAD ?acl&versioning` (backlot#267: 400, without `Allow`); of other methods inferred. The text is the
/// one that AWS is quoted with elsewhere.
#[test]
fn two_sub_resources_at_once() {
    let mut table = Table::default();
    let path = unique("two");
    given(&path, "kept");
    let head = Request::new("HEAD", "/bucket1?acl&versioning").sign().send();
    table.status("HEAD", &head, 400);
    table.check("HEAD: Allow", head.header("allow").is_none());
    for (method, target, one, two) in [
        ("GET", "/bucket1?versioning&acl".to_owned(), "acl", "versioning"),
        ("PUT", format!("{path}?tagging&acl"), "acl", "tagging"),
        ("DELETE", format!("{path}?tagging&uploadId=x"), "tagging", "uploadId"),
        ("PUT", format!("{path}?partNumber=1&uploadId=x&uploads"), "uploadId", "uploads"),
    ] {
        let message = format!("Conflicting query string parameters: {one}, {two}");
        let elements = [("ArgumentName", "ResourceType"), ("ArgumentValue", one)];
        let response = Request::new(method, &target).body("x").sign().send();
        table.refused(&target, &response, &refusal(400, "InvalidArgument", &message, &elements));
    }
    table.check("the object is there", exists(&path));
}

/// Measured: backlot#267; of DELETE inferred.
#[test]
fn a_part_number_without_its_upload() {
    let mut table = Table::default();
    let path = unique("half");
    given(&path, "kept");
    let elements = [("ArgumentName", "partNumber"), ("ArgumentValue", "partNumber")];
    let message = "This operation does not accept partNumber without uploadId";
    let expected = refusal(400, "InvalidArgument", message, &elements);
    for method in ["PUT", "DELETE"] {
        let target = format!("{path}?partNumber=1");
        table.refused(method, &Request::new(method, &target).body("x").sign().send(), &expected);
        table.refused(method, &Request::new(method, &target).presign().body("x").send(), &expected);
    }
    crate::check::assert_stored(&path, "kept");
}

/// Measured of the listed ones (backlot#267), of the others inferred from AWS's model: the methods that a word has.
/// A HEAD has no body, so the elements are shown by another method.
#[test]
fn what_other_sub_resources_allow() {
    let mut table = Table::default();
    let path = unique("allowed");
    given(&path, "kept");
    for (word, allowed) in [
        ("accelerate", "GET, PUT"),
        ("cors", "DELETE, GET, PUT"),
        ("logging", "GET, PUT"),
        ("notification", "GET, PUT"),
        ("object-lock", "GET, PUT"),
        ("ownershipControls", "DELETE, GET, PUT"),
        ("policyStatus", "GET"),
        ("publicAccessBlock", "DELETE, GET, PUT"),
        ("replication", "DELETE, GET, PUT"),
        ("requestPayment", "GET, PUT"),
        ("website", "DELETE, GET, PUT"),
    ] {
        for target in [format!("/bucket1?{word}"), format!("/bucket1?{word}="), format!("/bucket1?{word}=x")]
        {
            let response = Request::new("HEAD", &target).sign().send();
            table.status(&target, &response, 405);
            let found = response.header("allow");
            table.check(&format!("{target}: {found:?}"), found == Some(allowed));
        }
        let response = Request::new("POST", &format!("/bucket1?{word}")).body("").sign().send();
        table.check(&format!("POST ?{word}: Allow"), response.header("allow") == Some(allowed));
        let elements = [("Method", "POST"), ("ResourceType", crate::check::ANY)];
        let message = "The specified method is not allowed against this resource.";
        table.refused(word, &response, &refusal(405, "MethodNotAllowed", message, &elements));
    }
    for (query, allowed) in [
        ("legal-hold", "GET, PUT"),
        ("retention", "GET, PUT"),
        ("restore", "POST"),
        ("select", "POST"),
        ("torrent", "GET"),
        ("annotation", "DELETE, GET, PUT"),
        ("renameObject", "PUT"),
        ("uploadId=x&partNumber=1", "DELETE, POST, GET"),
    ] {
        let response = Request::new("HEAD", &format!("{path}?{query}")).presign().send();
        table.status(query, &response, 405);
        let found = response.header("allow");
        table.check(&format!("{query}: {found:?}"), found == Some(allowed));
    }
}

/// Inferred: a method that S3 has not is no other one, and changes nothing.
#[test]
fn methods_that_are_none() {
    let mut table = Table::default();
    let path = unique("none");
    given(&path, "kept");
    for method in ["PATCH", "TRACE", "PROPFIND", "COPY", "MKCOL", "put", "Delete", "get"] {
        for target in [path.as_str(), "/bucket1", "/", "/methods-never"] {
            let request = Request::new(method, target).body("another");
            for response in [request.clone().sign().send(), request.send()] {
                let case = format!("{method} {target}: {} {}", response.status, response.text());
                table.check(&case, [400, 403, 404, 405, 501].contains(&response.status));
            }
        }
    }
    for (method, target) in [("POST", path.as_str()), ("PUT", "/"), ("DELETE", "/"), ("HEAD", "/")] {
        let response = Request::new(method, target).body("another").sign().send();
        table.status(&format!("{method} {target}"), &response, 405);
        table.check(&format!("{method} {target}: Allow"), response.header("allow").is_some());
    }
    crate::check::assert_stored(&path, "kept");
    table.status("no bucket", &Request::new("HEAD", "/methods-never").sign().send(), 404);
}

/// Measured: backlot#267; that the number does not matter, nor a copy source, is inferred.
#[test]
fn other_halves_of_a_pair() {
    let mut table = Table::default();
    let (path, source) = (unique("halves"), unique("halves-source"));
    given(&path, "kept");
    given(&source, "source");
    let elements = [("ArgumentName", "partNumber"), ("ArgumentValue", "partNumber")];
    let message = "This operation does not accept partNumber without uploadId";
    let expected = refusal(400, "InvalidArgument", message, &elements);
    for query in
        ["partNumber=1", "partNumber=", "partNumber", "partNumber=0", "partNumber=x", "partNumber=1&foo=1"]
    {
        let put = Request::new("PUT", &format!("{path}?{query}"));
        table.refused(query, &put.clone().body("another").sign().send(), &expected);
        let copy = put.header("x-amz-copy-source", &source).sign();
        table.refused(&format!("{query}, a copy"), &copy.send(), &expected);
    }
    for query in ["uploadId=x", "uploadId=", "uploadId"] {
        let put = Request::new("PUT", &format!("{path}?{query}"));
        table.status(query, &put.clone().body("another").sign().send(), 405);
        let copy = put.header("x-amz-copy-source", &source).sign();
        table.status(&format!("{query}, a copy"), &copy.send(), 405);
    }
    crate::check::assert_stored(&path, "kept");
    let get = Request::new("GET", &format!("{path}?partNumber=1")).sign().send();
    table.status("a read of a part", &get, 206);
}

/// Inferred from `HEAD ?acl&versioning`: three are as bad as two, and one that is said twice is one.
#[test]
fn more_sub_resources_at_once() {
    let mut table = Table::default();
    let path = unique("more");
    Request::new("PUT", &path).header("x-amz-tagging", "a=b").body("kept").sign().send().expect(200);
    for (method, target) in [
        ("HEAD", format!("{path}?acl&tagging")),
        ("HEAD", "/bucket1?acl=&versioning=".to_owned()),
        ("HEAD", "/bucket1?versioning=x&uploads".to_owned()),
        ("GET", "/bucket1?location&uploads&versions".to_owned()),
        ("DELETE", "/bucket1?policy&tagging".to_owned()),
        ("DELETE", format!("{path}?annotation&tagging")),
        ("POST", format!("{path}?uploads&restore")),
        ("PUT", format!("{path}?encryption&tagging")),
    ] {
        let response = Request::new(method, &target).body("").sign().send();
        table.status(&format!("{method} {target}"), &response, 400);
        table.check(&format!("{method} {target}: Allow"), response.header("allow").is_none());
    }
    crate::check::assert_stored(&path, "kept");
    let tags = Request::new("GET", &format!("{path}?tagging&tagging=")).sign().send();
    table.check("one that is said twice", tags.status == 200 && tags.elements("Tag").len() == 1);
}

/// Decided: a word that is known does not hide one that nobody knows; two that are known contradict each other.
#[test]
fn unknown_words_beside_known_ones() {
    let mut table = Table::default();
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    for (method, query) in [
        ("PUT", "tagging"),
        ("DELETE", "tagging"),
        ("PUT", "partNumber=1&uploadId=ID"),
        ("POST", "uploadId=ID"),
        ("DELETE", "uploadId=ID"),
        ("POST", "delete"),
    ] {
        for word in ["tomorrow", "tomorrow=", "annotation"] {
            let path = unique("beside");
            Request::new("PUT", &path)
                .header("x-amz-tagging", "kept=1")
                .body("kept")
                .sign()
                .send()
                .expect(200);
            let id = crate::multipart::create(&path);
            let etag = crate::multipart::part(&path, &id, 1, b"part");
            let key = path.trim_start_matches("/bucket1/");
            let (target, document) = match (method, query) {
                (_, "delete") => ("/bucket1", format!("<Delete><Object><Key>{key}</Key></Object></Delete>")),
                ("PUT", "tagging") => (path.as_str(), tags.to_owned()),
                ("POST", _) => (path.as_str(), completion(&etag)),
                _ => (path.as_str(), String::new()),
            };
            let target = format!("{target}?{}&{word}", query.replace("ID", &id));
            let response = Request::new(method, &target).document(&document).sign().send();
            let case = format!("{method} {target}: {} {}", response.status, response.text());
            let conflict = word == "annotation" && response.status == 400;
            table.check(&case, conflict || names(&response, "tomorrow"));
            let case = format!("{method} {query}&{word}:");
            let found = Request::new("GET", &path).sign().send();
            table.check(&format!("{case} the object is not as it was"), found.body == b"kept");
            table.check(&format!("{case} nor its tags"), found.header("x-amz-tagging-count") == Some("1"));
            let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
            table.check(
                &format!("{case} nor the upload"),
                list.element("ETag").as_deref() == Some(etag.as_str()),
            );
        }
    }
}

fn completion(etag: &str) -> String {
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>")
}
