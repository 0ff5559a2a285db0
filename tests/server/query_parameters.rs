//! The other query parameters of a presigned V4 URL: signed, and some of them meant.

use crate::check::{MISMATCH_V4, Table, assert_stored, exists, given, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::Request;

#[test]
fn every_parameter_is_signed() {
    let mut table = Table::default();
    let path = unique("signed");
    let put = Request::new("PUT", &path).add_query("x-id=PutObject&other=1&x-empty").presign().body("x");
    table.refused_write("added", &put.clone().add_query("more=1"), &MISMATCH_V4);
    table.refused_write("added twice", &put.clone().add_query("other=1"), &MISMATCH_V4);
    table.refused_write("removed", &put.clone().drop_parameter("x-id"), &MISMATCH_V4);
    table.refused_write("changed", &put.clone().edit("other=1", "other=2"), &MISMATCH_V4);
    table.refused_write("renamed", &put.clone().edit("other=1", "Other=1"), &MISMATCH_V4);
    table.refused_write("hoisted later", &put.clone().add_query("x-amz-meta-a=b"), &MISMATCH_V4);
    table.status("as signed", &put.send(), 200);
    let unknown = "x-id=PutObject&requestedBy=me&X-Amz-User-Agent=u&x-amz-foo=bar&x-empty&";
    let put = Request::new("PUT", &unique("unknown")).add_query(unknown).presign().body("x");
    table.status("unknown ones are signed and ignored", &put.send(), 200);
}

#[test]
fn queries_are_canonical_in_every_form() {
    let mut table = Table::default();
    let prefix = unique("canonical").trim_start_matches("/bucket1/").to_owned();
    given(&format!("/bucket1/{prefix}%20%2B"), "x");
    for query in [
        format!("prefix={prefix}+%2B&list-type=2"),
        format!("prefix={prefix}%20%2b&list-type=2"),
        format!("list-type=2&prefix={prefix}%20%2B&x=b&x=a&x=&A=1&a=1&~=1&y"),
        format!("&&list-type=2&&prefix={prefix}%20%2B&s=1;t=2&e=1=2&"),
        format!("list-type=2&prefix={prefix}%20%2B&slash=a/b&colon=a:b"),
    ] {
        let list = Request::new("GET", "/bucket1").add_query(&query).presign().send();
        table.status(&query, &list, 200);
        table.check(&format!("{query}: the key"), list.element("Key") == Some(format!("{prefix} +")));
    }
}

#[test]
fn hoisted_headers_count() {
    let mut table = Table::default();
    let path = unique("hoisted");
    let query = "x-amz-meta-one=a%20b&X-Amz-Meta-Two=2&X-Amz-Storage-Class=STANDARD_IA&X-Amz-Acl=private";
    let put = Request::new("PUT", &path).add_query(query).presign().body("x").send();
    table.status("a PUT", &put, 200);
    let stored = Request::new("HEAD", &path).presign().send();
    table.check("metadata", stored.header("x-amz-meta-one") == Some("a b"));
    table.check("metadata in capitals", stored.header("x-amz-meta-two") == Some("2"));
    table.check("storage class", stored.header("x-amz-storage-class") == Some("STANDARD_IA"));
    let path = unique("copied");
    let from = unique("source");
    given(&from, "source");
    let query = format!("x-amz-copy-source={}", crate::sign::escape(&from));
    table.status("a copy", &Request::new("PUT", &path).add_query(&query).presign().send(), 200);
    assert_stored(&path, "source");
}

#[test]
fn conditions_in_the_query() {
    let mut table = Table::default();
    let path = unique("condition");
    let once = Request::new("PUT", &path).add_query("If-None-Match=*").presign().body("first");
    table.status("nothing there", &once.send(), 200);
    let message = "At least one of the pre-conditions you specified did not hold";
    let expected = refusal(412, "PreconditionFailed", message, &[("Condition", "If-None-Match")]);
    table.refused("there by now", &once.send(), &expected);
    let matching = Request::new("GET", &path).add_query("If-Match=%22other%22").presign().send();
    let expected = refusal(412, "PreconditionFailed", message, &[("Condition", "If-Match")]);
    table.refused("another tag", &matching, &expected);
    assert_stored(&path, "first");
}

#[test]
fn checksums_in_the_query_mean_nothing() {
    let mut table = Table::default();
    let path = unique("checksum");
    let query = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject";
    let put = Request::new("PUT", &path).add_query(query).presign().body("hello world");
    table.refused_write("edited", &put.clone().edit("AAAAAA", "BAAAAA"), &MISMATCH_V4);
    let stored = put.send();
    table.status("as signed", &stored, 200);
    table.check("another is computed", stored.header("x-amz-checksum-crc64nvme") == Some("jSnVw/bqjr4="));
    table.check("it is not echoed", stored.header("x-amz-checksum-crc32").is_none());
    let head = Request::new("HEAD", &path).add_query("x-amz-checksum-mode=ENABLED").presign().send();
    table.check("shown by the query", head.header("x-amz-checksum-crc64nvme") == Some("jSnVw/bqjr4="));
    let head = Request::new("HEAD", &path).presign().send();
    table.check("not shown by default", head.header("x-amz-checksum-crc64nvme").is_none());
    let create = Request::new("POST", &unique("upload"))
        .add_query("uploads=&x-amz-checksum-algorithm=SHA256")
        .presign()
        .body("")
        .send();
    table.check("honoured for an upload", create.header("x-amz-checksum-algorithm") == Some("SHA256"));
}

#[test]
fn a_content_type_in_the_query_is_not_stored() {
    let path = unique("type");
    Request::new("PUT", &path).add_query("Content-Type=text%2Fplain").presign().body("x").send().expect(200);
    let head = Request::new("HEAD", &path).presign().send().expect(200);
    assert_eq!(head.header("content-type"), Some("binary/octet-stream"));
    let put = Request::new("PUT", &path).add_query("Content-Type=text%2Fplain").presign().body("x");
    put.header("Content-Type", "text/html").send().expect(200);
    let head = Request::new("HEAD", &path).presign().send().expect(200);
    assert_eq!(head.header("content-type"), Some("text/html"));
}

#[test]
fn answers_can_be_overridden() {
    let mut table = Table::default();
    let path = unique("override");
    given(&path, "hello");
    let overrides = [
        ("response-content-type", "content-type", "text/x-other"),
        ("response-content-language", "content-language", "de"),
        ("response-content-disposition", "content-disposition", "attachment; filename=\"a b.txt\""),
        ("response-content-encoding", "content-encoding", "x-other"),
        ("response-cache-control", "cache-control", "max-age=1"),
        ("response-expires", "expires", "Thu, 01 Dec 1994 16:00:00 GMT"),
    ];
    for (parameter, header, value) in overrides {
        let query = format!("{parameter}={}", crate::sign::escape(value));
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, &path).add_query(&query);
            let response = request.clone().presign().send();
            table.status(&format!("{method} {query}"), &response, 200);
            table.check(&format!("{method} {query}: the header"), response.header(header) == Some(value));
            let response = request.clone().presign().header("Range", "bytes=0-0").send();
            let right = response.status == 206 && response.header(header) == Some(value);
            table.check(&format!("{method} {query}: of a range"), right);
            table.status(&format!("{method} {query} signed in the header"), &request.sign().send(), 200);
        }
    }
    let missing =
        Request::new("GET", &unique("missing")).add_query("response-content-type=a%2Fb").presign().send();
    let unchanged = missing.status == 404 && missing.header("content-type") == Some("application/xml");
    table.check("errors are not overridden", unchanged);
}

#[test]
fn overrides_need_a_signature() {
    let mut table = Table::default();
    let path = unique("override");
    given(&path, "hello");
    let message = "Request specific response headers cannot be used for anonymous GET requests.";
    for parameter in [
        "response-content-type",
        "response-content-language",
        "response-content-disposition",
        "response-content-encoding",
        "response-cache-control",
        "response-expires",
    ] {
        let anonymous = Request::new("GET", &path).add_query(&format!("{parameter}=a")).send();
        table.refused(parameter, &anonymous, &refusal(400, "InvalidRequest", message, &[]));
    }
}

#[test]
fn overrides_are_latin() {
    let mut table = Table::default();
    let path = unique("latin");
    given(&path, "x");
    let disposition = "attachment; filename=\"\u{65e5}\u{672c}.txt\"";
    let query = format!("response-content-disposition={}", crate::sign::escape(disposition));
    let elements = [("ArgumentName", "response-content-disposition"), ("ArgumentValue", disposition)];
    let message = "Header value cannot be represented using ISO-8859-1.";
    let expected = refusal(400, "InvalidArgument", message, &elements);
    let response = Request::new("GET", &path).add_query(&query).presign().send();
    table.refused("beyond ISO-8859-1", &response, &expected);
    // A line break would end the header and begin another.
    let query = "response-content-type=a%0d%0ax-injected:%201";
    let response = Request::new("GET", &path).add_query(query).presign().send();
    table.check("no header is injected", response.header("x-injected").is_none());
    table.check(&format!("a line break is refused: {}", response.status), response.status == 400);
    table.check("it is there", exists(&path));
}

#[test]
fn header_and_query_of_one_name() {
    let mut table = Table::default();
    let path = unique("both");
    let put = Request::new("PUT", &path).header("x-amz-meta-a", "header");
    let added = put.clone().presign().add_query("x-amz-meta-a=query").body("x");
    table.refused_write("the query added after signing", &added, &MISMATCH_V4);
    let same = put.clone().add_query("x-amz-meta-a=header").presign().body("x");
    table.status("both signed, and the same", &same.send(), 200);
    let both = put.add_query("x-amz-meta-a=query").presign().body("y").send();
    table.check("both signed, and different", both.status == 400);
    let stored = Request::new("HEAD", &path).presign().send();
    table.check("what was stored", stored.header("x-amz-meta-a") == Some("header"));
}
