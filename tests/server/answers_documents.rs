//! Documents of XML 1.0, and what their schema lets out.

use crate::check::{MALFORMED_XML, Table, assert_stored, exists, given};
use crate::harness::unique;
use crate::multipart::{create, part};
use crate::sign::Sign as _;
use crate::wire::Request;

/// Measured: boto3#2005 (raw characters); aws-sdk-java#333. By reference inferred: XML 1.0 has these characters in
/// neither form.
#[test]
fn characters_that_xml_has_not() {
    let mut table = Table::default();
    let bucket = "/characters";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let path = format!("{bucket}/x%10y");
    given(&path, "kept");
    let tagged = format!("{bucket}/k");
    given(&tagged, "kept");
    let id = create(&tagged);
    let etag = part(&tagged, &id, 1, b"x");
    let filter = |prefix: &str| {
        format!(
            "<LifecycleConfiguration><Rule><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
        )
    };
    for mark in ["\u{10}", "&#x10;", "&#16;", "\u{1}", "\u{b}", "\u{fffe}", "&#xffff;", "\u{1f}"] {
        let tags =
            format!("<Tagging><TagSet><Tag><Key>a{mark}</Key><Value>b</Value></Tag></TagSet></Tagging>");
        for (method, target, document) in [
            (
                "POST",
                format!("{bucket}?delete"),
                format!("<Delete><Object><Key>x{mark}y</Key></Object></Delete>"),
            ),
            ("PUT", format!("{tagged}?tagging"), tags.clone()),
            ("PUT", format!("{bucket}?tagging"), tags),
            ("PUT", format!("{bucket}?lifecycle"), filter(mark)),
            (
                "PUT",
                format!("{bucket}?versioning"),
                format!(
                    "<VersioningConfiguration><!-- {mark} --><Status>Enabled</Status></VersioningConfiguration>"
                ),
            ),
            (
                "POST",
                format!("{tagged}?uploadId={id}"),
                format!(
                    "<CompleteMultipartUpload>{mark}<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
                ),
            ),
            (
                "PUT",
                "/characters-two".to_owned(),
                format!("<CreateBucketConfiguration>{mark}</CreateBucketConfiguration>"),
            ),
        ] {
            // In a comment a reference is no reference.
            if target.ends_with("versioning") && mark.starts_with('&') {
                continue;
            }
            let response = Request::new(method, &target).document(&document).sign().send();
            table.refused(&format!("{method} {target} {mark:?}"), &response, &MALFORMED_XML);
        }
    }
    table.check("the key is there", exists(&path));
    table.status("no bucket was made", &Request::new("HEAD", "/characters-two").sign().send(), 404);
    assert_stored(&tagged, "kept");
}

/// White space and everything else of XML 1.0 stays what it was.
#[test]
fn characters_that_xml_has() {
    let mut table = Table::default();
    for (key, written) in
        [("a%09b", "a&#9;b"), ("a%0Ab", "a&#xa;b"), ("%F0%9F%98%80", "\u{1f600}"), ("a%7Fb", "a\u{7f}b")]
    {
        let path = format!("{}-{key}", unique("white"));
        given(&path, "x");
        let name = path.trim_start_matches("/bucket1/").replace(key, written);
        let document = format!("<Delete>\r\n\t<Object><Key>{name}</Key></Object></Delete>");
        let response = Request::new("POST", "/bucket1?delete").document(&document).sign().send();
        table.status(key, &response, 200);
        table.check(&format!("{key} is gone"), !exists(&path));
    }
}

/// Recorded: SDKs with an empty list of tags send `<Tagging/>`, and the tags are gone.
#[test]
fn no_set_of_tags_is_an_empty_one() {
    let mut table = Table::default();
    let path = unique("no-set");
    Request::new("PUT", &path).header("x-amz-tagging", "a=b").body("x").sign().send().expect(200);
    let tagging = format!("{path}?tagging");
    table.status("put", &Request::new("PUT", &tagging).document("<Tagging/>").sign().send(), 200);
    let found = Request::new("GET", &tagging).sign().send();
    table.check("none", found.elements("Tag").is_empty());
    let bucket = "/no-set";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let tagging = format!("{bucket}?tagging");
    let one = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    table.status("a bucket's", &Request::new("PUT", &tagging).document(one).sign().send(), 204);
    table.status("none", &Request::new("PUT", &tagging).document("<Tagging/>").sign().send(), 204);
    table.status("gone", &Request::new("GET", &tagging).sign().send(), 404);
}
