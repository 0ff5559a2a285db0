//! No operation is found by what is absent: a word that selects one, and a header that changes what is done, are
//! carried out or refused by name.

use crate::check::{MISMATCH_V2, Table, assert_stored, given, refusal};
use crate::harness::unique;
use crate::sign::{Sign as _, http_date, time_at};
use crate::wire::{Request, Response};

const HEADER: &str = "A header you provided implies functionality that is not implemented";

/// Whether a refusal is a 501 that names this word.
pub fn names(response: &Response, word: &str) -> bool {
    response.status == 501
        && response.element("Code").as_deref() == Some("NotImplemented")
        && response.element("additionalMessage").is_some_and(|message| message.contains(word))
}

/// Decided: S3 does these, and they are to be refused by name; botocore's `service-2.json` has them since 2026-06.
#[test]
fn sub_resources_of_objects_that_are_not_done() {
    let mut table = Table::default();
    let path = unique("words");
    given(&path, "kept");
    for (method, query, word) in [
        ("PUT", "annotation&annotationName=n", "annotation"),
        ("PUT", "annotation=&annotationName=n", "annotation"),
        ("DELETE", "annotation&annotationName=n", "annotation"),
        ("DELETE", "annotation", "annotation"),
        ("GET", "annotation", "annotation"),
        ("GET", "annotation&annotationName=n", "annotation"),
        ("PUT", "encryption", "encryption"),
        ("PUT", "acl", "acl"),
        ("PUT", "retention", "retention"),
        ("PUT", "legal-hold", "legal-hold"),
        ("PUT", "renameObject", "renameObject"),
        ("POST", "restore", "restore"),
        ("POST", "select&select-type=2", "select"),
        ("GET", "torrent", "torrent"),
        // Sub-resources of buckets, which S3 answers at the path of a key, too.
        ("PUT", "policy", "policy"),
        ("DELETE", "policy", "policy"),
        ("DELETE", "lifecycle", "lifecycle"),
        ("PUT", "versioning", "versioning"),
        ("GET", "location", "location"),
        // What S3 may be given tomorrow.
        ("PUT", "tomorrow", "tomorrow"),
        ("PUT", "tomorrow=", "tomorrow"),
        ("PUT", "a=1&tomorrow", "tomorrow"),
        ("DELETE", "tomorrow", "tomorrow"),
        ("DELETE", "tomorrow=&versionId=null", "tomorrow"),
    ] {
        let case = format!("{method} ?{query}");
        let request = || Request::new(method, &path).add_query(query);
        for request in [request().presign().body("another"), request().body("another").sign()] {
            let response = request.send();
            table.check(&format!("{case}: {} {}", response.status, response.text()), names(&response, word));
        }
    }
    assert_stored(&path, "kept");
}

/// Decided, as above; S3 ignores a parameter that it does not know and that has a value.
#[test]
fn parameters_that_select_nothing() {
    let mut table = Table::default();
    let path = unique("ignored");
    for query in ["foo=1", "x-foo", "x-foo=", "X-Amz-Foo=", "x-id=PutObject", "prefix=", "Content-Type="] {
        table.status(query, &Request::new("PUT", &path).add_query(query).presign().body("x").send(), 200);
    }
    for query in ["tomorrow", "tomorrow=", "foo=1&bar"] {
        for method in ["GET", "HEAD"] {
            let response = Request::new(method, &path).add_query(query).presign().send();
            table.status(&format!("{method} {query}"), &response, 200);
        }
    }
    for (method, target) in [("GET", "/bucket1"), ("HEAD", "/bucket1"), ("GET", "/")] {
        for query in ["tomorrow", "tomorrow=", "x-foo", "X-Amz-Foo="] {
            let response = Request::new(method, target).add_query(query).presign().send();
            table.status(&format!("{method} {target}?{query}"), &response, 200);
        }
    }
    table.status("DELETE ?foo=1", &Request::new("DELETE", &path).add_query("foo=1").presign().send(), 204);
}

/// Decided, as above, of buckets.
#[test]
fn sub_resources_of_buckets_that_are_not_done() {
    let mut table = Table::default();
    let bucket = "/bucket1";
    for word in
        ["abac", "metadataTable", "metadataConfiguration", "acl", "policy", "cors", "website", "encryption"]
    {
        for method in ["GET", "PUT"] {
            // Metadata tables are made by POST, and have no PUT.
            if word.starts_with("metadata") && method == "PUT" {
                continue;
            }
            let response = Request::new(method, bucket).add_query(word).body("<a/>").sign().send();
            let case = format!("{method} ?{word}: {} {}", response.status, response.text());
            table.check(&case, names(&response, word));
        }
    }
    for (method, word) in [
        ("PUT", "metadataJournalTable"),
        ("PUT", "metadataInventoryTable"),
        ("PUT", "metadataAnnotationTable"),
        ("POST", "metadataTable"),
        ("DELETE", "metadataConfiguration"),
        ("DELETE", "tomorrow"),
        ("PUT", "tomorrow"),
        ("POST", "tomorrow"),
    ] {
        let response = Request::new(method, bucket).add_query(word).body("").sign().send();
        table.check(&format!("{method} ?{word}: {}", response.text()), names(&response, word));
    }
    table.status("the bucket", &Request::new("HEAD", bucket).sign().send(), 200);
}

/// Decided: with V2 a word that selects an operation is signed, so that nobody can add one.
#[test]
fn words_are_signed_in_v2() {
    let mut table = Table::default();
    let path = unique("words-v2");
    given(&path, "kept");
    for word in ["annotation", "encryption", "tagging", "attributes", "abac", "metadataTable", "renameObject"]
    {
        let put = Request::new("PUT", &path).presign_v2(&format!("PUT\n\n\n{{}}\n{path}"), 600);
        let response = put.add_query(word).body("x").send();
        table
            .check(&format!("{word} added: {}", response.text()), [403, 405, 501].contains(&response.status));
        let get = Request::new("GET", &path).presign_v2(&format!("GET\n\n\n{{}}\n{path}?{word}"), 600);
        table.status(&format!("{word} taken away"), &get.send(), 403);
    }
    assert_stored(&path, "kept");
}

/// Recorded: test_delete_object_if_match_size_non_express, test_delete_object_if_match_modified_non_express,
/// test_delete_object_if_match_all_non_express, which have no additionalMessage; of the others decided alike.
#[test]
fn headers_that_change_what_is_done() {
    let mut table = Table::default();
    let path = unique("headers");
    given(&path, "kept");
    let date = "Tue, 01 Jan 2030 00:00:00 GMT";
    for (method, headers, name) in [
        ("DELETE", &[("x-amz-if-match-size", "99")][..], "x-amz-if-match-size"),
        ("DELETE", &[("x-amz-if-match-last-modified-time", date)], "x-amz-if-match-last-modified-time"),
        (
            "DELETE",
            &[
                ("x-amz-if-match-size", "4"),
                ("x-amz-if-match-last-modified-time", date),
                ("If-Match", "\"badvalue\""),
            ],
            "x-amz-if-match-last-modified-time",
        ),
        ("DELETE", &[("x-amz-object-if-match", "\"a\"")], "x-amz-object-if-match"),
        ("PUT", &[("x-amz-object-if-match", "\"a\"")], "x-amz-object-if-match"),
        ("PUT", &[("x-amz-rename-source", "/bucket1/other")], "x-amz-rename-source"),
        ("PUT", &[("x-amz-write-offset-bytes", "4")], "x-amz-write-offset-bytes"),
        ("PUT", &[("x-amz-server-side-encryption", "AES256")], "x-amz-server-side-encryption"),
        (
            "PUT",
            &[("x-amz-server-side-encryption-customer-algorithm", "AES256")],
            "x-amz-server-side-encryption-customer-algorithm",
        ),
        ("PUT", &[("x-amz-object-lock-mode", "GOVERNANCE")], "x-amz-object-lock-mode"),
        ("PUT", &[("x-amz-object-lock-legal-hold", "ON")], "x-amz-object-lock-legal-hold"),
        ("PUT", &[("x-amz-object-lock-event-hold", "ON")], "x-amz-object-lock-event-hold"),
        ("PUT", &[("Content-Range", "bytes 0-3/8")], "content-range"),
        ("PUT", &[("If-Modified-Since", date)], "if-modified-since"),
        ("DELETE", &[("If-Unmodified-Since", date)], "if-unmodified-since"),
    ] {
        let elements = [("Header", name)];
        let response = Request::new(method, &path).headers(headers).body("another").sign().send();
        table.refused(name, &response, &refusal(501, "NotImplemented", HEADER, &elements));
    }
    let hoisted = Request::new("DELETE", &path).add_query("x-amz-if-match-size=99").presign().send();
    let elements = [("Header", "x-amz-if-match-size")];
    table.refused("in the query", &hoisted, &refusal(501, "NotImplemented", HEADER, &elements));
    assert_stored(&path, "kept");
    let id = crate::multipart::create(&path);
    let abort = Request::new("DELETE", &format!("{path}?uploadId={id}"));
    let response = abort.header("x-amz-if-match-initiated-time", date).sign().send();
    let elements = [("Header", "x-amz-if-match-initiated-time")];
    table.refused("an abort", &response, &refusal(501, "NotImplemented", HEADER, &elements));
    let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
    table.status("the upload is there", &list, 200);
}

/// Decided: what is harmless is passed over, what asks for nothing else than is done is taken.
#[test]
fn headers_that_change_nothing() {
    let mut table = Table::default();
    for (name, value) in
        [("x-amz-request-payer", "requester"), ("x-amz-mfa", "serial 123456"), ("x-amz-tomorrow", "x")]
    {
        let path = unique("harmless");
        table.status(name, &Request::new("PUT", &path).header(name, value).body("x").sign().send(), 200);
        table.status(name, &Request::new("DELETE", &path).header(name, value).sign().send(), 204);
    }
    // Measured: versitygw#1218.
    let path = unique("retention");
    given(&path, "x");
    let name = "x-amz-bypass-governance-retention";
    let message = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.";
    let elements = [("ArgumentName", name), ("ArgumentValue", "true")];
    let refused = Request::new("DELETE", &path).header(name, "true").sign().send();
    table.refused("no retention", &refused, &refusal(400, "InvalidArgument", message, &elements));
    assert_stored(&path, "x");
    let create = |name: &str, headers: &[(&str, &str)]| {
        Request::new("PUT", name).headers(headers).body("").sign().send()
    };
    table.status("global", &create("/namespace-global", &[("x-amz-bucket-namespace", "global")]), 200);
    let response = create("/namespace-own", &[("x-amz-bucket-namespace", "account-regional")]);
    let elements = [("Header", "x-amz-bucket-namespace")];
    table.refused("a namespace", &response, &refusal(501, "NotImplemented", HEADER, &elements));
    table.status("not made", &Request::new("HEAD", "/namespace-own").sign().send(), 404);
}

/// Decided: a word is a word with any value and in any spelling of its escapes; with letters of another case it is one
/// that nobody knows.
#[test]
fn words_in_other_forms() {
    let mut table = Table::default();
    let path = unique("forms");
    given(&path, "kept");
    for (query, word) in [
        ("acl=x", "acl"),
        ("%61cl", "acl"),
        ("annotation=x", "annotation"),
        ("annotatio%6E", "annotation"),
        ("policy=x", "policy"),
        ("encryption=x&versionId=null", "encryption"),
        ("x-id=PutObject&renameObject=", "renameObject"),
        ("&&tomorrow&&", "tomorrow"),
        ("ACL", "ACL"),
        ("Tagging", "Tagging"),
        ("tagging%20", "tagging "),
        ("uploadid", "uploadid"),
        ("partnumber", "partnumber"),
        ("caf%C3%A9", "caf\u{e9}"),
    ] {
        let response = Request::new("PUT", &path).add_query(query).presign().body("another").send();
        table
            .check(&format!("PUT ?{query}: {} {}", response.status, response.text()), names(&response, word));
        // Of an ACL and of a new name there is no DELETE.
        let response = Request::new("DELETE", &path).add_query(query).presign().send();
        let refused = response.status == 405 || names(&response, word);
        table.check(&format!("DELETE ?{query}: {} {}", response.status, response.text()), refused);
    }
    assert_stored(&path, "kept");
    for query in ["", "&", "&&", "foo=%20"] {
        let put = Request::new("PUT", &path).add_query(query).body("kept").sign();
        table.status(&format!("PUT ?{query}"), &put.send(), 200);
    }
}

/// The words of buckets and objects that are not done, and one that nobody knows.
const WORDS: &str = "abac accelerate acl analytics&id=a annotation cors encryption intelligent-tiering&id=a \
    inventory&id=a legal-hold logging metadataAnnotationTable metadataConfiguration \
    metadataInventoryTable metadataJournalTable metadataTable metrics&id=a notification object-lock \
    ownershipControls policy policyStatus publicAccessBlock renameObject replication requestPayment \
    retention session tomorrow tomorrow= torrent website";

/// Decided, as above: a bucket is neither made nor removed by a word that is not understood. It is empty, so that
/// nothing else would keep it.
#[test]
fn words_make_and_remove_no_bucket() {
    let mut table = Table::default();
    let (bucket, absent) = ("/words-empty", "/words-absent");
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    for word in WORDS.split(' ') {
        for (method, target) in [("DELETE", bucket), ("PUT", bucket), ("PUT", absent), ("POST", bucket)] {
            let response = Request::new(method, target).add_query(word).body("").sign().send();
            let case = format!("{method} {target}?{word}: {} {}", response.status, response.text());
            let absent = target == absent && response.status == 404;
            table.check(&case, absent || [405, 501].contains(&response.status));
            if response.status == 501 {
                let word = word.split(['&', '=']).next().unwrap_or_default();
                table.check(&case, names(&response, word));
            }
        }
    }
    table.status("it is there", &Request::new("HEAD", bucket).sign().send(), 200);
    table.status("it is not there", &Request::new("HEAD", absent).sign().send(), 404);
    let delete = Request::new("DELETE", bucket).add_query("foo=1&x-foo").sign().send();
    table.status("what has a value selects nothing", &delete, 204);
}

/// Decided: such a header is refused wherever something would change. Whether more than its name is said is left open.
#[test]
fn headers_that_change_what_is_done_elsewhere() {
    let mut table = Table::default();
    let path = unique("elsewhere");
    given(&path, "kept");
    let id = crate::multipart::create(&path);
    let key = path.trim_start_matches("/bucket1/");
    let keys = format!("<Delete><Object><Key>{key}</Key></Object></Delete>");
    for (name, value) in [
        ("x-amz-if-match-size", "99"),
        ("x-amz-if-match-tomorrow", "x"),
        ("x-amz-object-if-match", "\"a\""),
        ("x-amz-rename-source-if-match", "\"a\""),
        ("x-amz-rename-source", "/bucket1/other"),
        ("x-amz-bucket-namespace", "account-regional"),
        ("if-modified-since", "Tue, 01 Jan 2030 00:00:00 GMT"),
    ] {
        let names = |response: &Response| {
            response.status == 501
                && response.element("Code").as_deref() == Some("NotImplemented")
                && response.element("Message").as_deref() == Some(HEADER)
                && response.element("Header").as_deref() == Some(name)
        };
        for (method, target, document) in [
            ("PUT", path.clone(), "another"),
            ("DELETE", path.clone(), ""),
            ("POST", format!("{path}?uploads"), ""),
            ("PUT", format!("{path}?partNumber=1&uploadId={id}"), "part"),
            ("DELETE", format!("{path}?uploadId={id}"), ""),
            ("DELETE", format!("{path}?tagging"), ""),
            ("POST", "/bucket1?delete".to_owned(), &keys),
            ("PUT", "/headers-never".to_owned(), ""),
        ] {
            let request = Request::new(method, &target).header(name, value).document(document);
            let response = request.sign().send();
            table.check(&format!("{method} {target} {name}: {}", response.text()), names(&response));
        }
        let own = if name.starts_with("x-amz-") { format!("{name}:{value}\n") } else { String::new() };
        let delete = Request::new("DELETE", &path).presign_v2(&format!("DELETE\n\n\n{{}}\n{own}{path}"), 600);
        let response = delete.header(name, value).send();
        table.check(&format!("{name}, V2: {}", response.text()), names(&response));
    }
    assert_stored(&path, "kept");
    let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
    table
        .check("the upload is there, without a part", list.status == 200 && list.elements("Part").is_empty());
    table.status("not made", &Request::new("HEAD", "/headers-never").sign().send(), 404);
}

/// Reported: boto#916, knox#29: a raw `+` in the signature of V2 is a blank, and nothing is written or deleted by it; in
/// a header, where nothing is decoded, it is itself.
#[test]
fn a_raw_plus_in_a_signature() {
    let mut table = Table::default();
    let path = unique("plus");
    given(&path, "kept");
    for method in ["PUT", "DELETE", "GET", "HEAD"] {
        let text = format!("{method}\n\n\n{{}}\n{path}");
        let urls = (600..800).map(|seconds| Request::new(method, &path).presign_v2(&text, seconds));
        let mut urls = urls.filter(|url| url.parameter("Signature").contains("%2B"));
        let url = urls.next().expect("a signature with a plus").body("kept");
        let signature = url.parameter("Signature").to_owned();
        for raw in [signature.replace("%2B", "+"), signature.replace("%2B", "%20")] {
            let response = url.clone().set_parameter("Signature", &raw).send();
            match method {
                "HEAD" => table.status("HEAD", &response, 403),
                _ => table.refused(method, &response, &MISMATCH_V2),
            }
        }
        assert_stored(&path, "kept");
        table.check(method, [200, 204].contains(&url.send().status));
        given(&path, "kept");
    }
    let dates = (0..200).map(|seconds| http_date(time_at(-seconds)));
    let signed = dates.map(|date| {
        let get = Request::new("GET", &path).header("Date", &date);
        get.sign_v2(&format!("GET\n\n\n{date}\n{path}"))
    });
    let mut signed = signed.filter(|get| get.value("authorization").contains('+'));
    table.status("in a header", &signed.next().expect("a signature with a plus").send(), 200);
}
