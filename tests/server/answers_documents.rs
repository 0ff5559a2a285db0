//! Documents of XML 1.0, and what their schema lets out.

use md5::{Digest as _, Md5};

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

/// Recorded: test_put_object_tagging_none_value, test_put_bucket_tagging_none_value: SDKs with an empty list of tags send
/// `<Tagging/>`, and the tags are gone.
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

/// Inferred: XML 1.0 has no such document, whatever the reader looks at. Attributes and comments count, too.
#[test]
fn documents_that_are_not_well_formed() {
    let mut table = Table::default();
    let bucket = "/well-formed";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let path = format!("{bucket}/kept");
    given(&path, "kept");
    let object = "<Object><Key>kept</Key></Object>";
    for document in [
        format!("<Delete a=\"&#x10;\">{object}</Delete>"),
        format!("<Delete a=\"&unknown;\">{object}</Delete>"),
        format!("<Delete a=\"&\">{object}</Delete>"),
        format!("<Delete a=\"<\">{object}</Delete>"),
        format!("<Delete a=\"1\" a=\"2\">{object}</Delete>"),
        format!("<Delete a=1>{object}</Delete>"),
        format!("<Delete a>{object}</Delete>"),
        format!("<Delete><!-- a -- b -->{object}</Delete>"),
        format!("<Delete>{object}<1/></Delete>"),
        format!("<Delete>{object}]]></Delete>"),
        format!("<Delete>{object}<?xml version=\"1.0\"?></Delete>"),
        format!("<Delete>{object}&</Delete>"),
        format!("<Delete>{object}&amp</Delete>"),
        format!("<Delete>{object}&#;</Delete>"),
        format!("<Delete>{object}&#x;</Delete>"),
        format!("<Delete>{object}&#X41;</Delete>"),
        format!("<Delete>{object}&#-1;</Delete>"),
        format!("<Delete>{object}&#xd800;</Delete>"),
        format!("<Delete>{object}&#x110000;</Delete>"),
        format!("<Delete>{object}&#xfffe;</Delete>"),
        format!("<Delete>{object}&#0;</Delete>"),
        format!("<Delete>{object}<![CDATA[\u{10}]]></Delete>"),
        format!("<Delete>{object}<![CDATA[</Delete>"),
        format!("<Delete>{object}<?pi \u{1}?></Delete>"),
        format!("<Delete b=\"\u{1f}\">{object}</Delete>"),
        format!("<Delete>{object}</Delete>\u{b}"),
        format!("\u{c}<Delete>{object}</Delete>"),
    ] {
        let response = Request::new("POST", &format!("{bucket}?delete")).document(&document).sign().send();
        table.refused(&document, &response, &MALFORMED_XML);
        if !exists(&path) {
            table.check(&format!("{document}: it was carried out"), false);
            given(&path, "kept");
        }
    }
}

/// White space may be written in any of its ways, and the names of other documents may have attributes.
#[test]
fn documents_that_are_well_formed() {
    let mut table = Table::default();
    for (before, within, behind) in [
        ("<?xml version='1.0' encoding='utf-8' standalone=\"yes\"?>", "", "\n"),
        ("\u{feff}<?xml version=\"1.0\"?>\r\n", "\t\r\n ", " \t\r\n"),
        ("<!-- before -->", "<!-- \u{85} \u{2028} & < -->", "<!-- behind -->"),
        ("", "<?pi & <?>", "<?pi?>"),
        ("", "<Quiet a=\"&amp;&#x41;&#9;'>\" b='\"'>false</Quiet>", ""),
    ] {
        let path = unique("formed");
        given(&path, "x");
        let key = path.trim_start_matches("/bucket1/");
        let document = format!("{before}<Delete>{within}<Object><Key>{key}</Key></Object></Delete>{behind}");
        let response = Request::new("POST", "/bucket1?delete").document(&document).sign().send();
        table.status(&document, &response, 200);
        table.check(&format!("{document}: it is gone"), !exists(&path));
    }
}

/// Inferred: what is in the place of the set is no empty one; the tags stay.
#[test]
fn something_else_is_no_empty_set() {
    let mut table = Table::default();
    let path = unique("other-set");
    Request::new("PUT", &path).header("x-amz-tagging", "a=b").body("x").sign().send().expect(200);
    let bucket = "/other-set";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let (own, of_bucket) = (format!("{path}?tagging"), format!("{bucket}?tagging"));
    let one = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    Request::new("PUT", &of_bucket).document(one).sign().send().expect(204);
    for document in [
        "<Tagging><Other/></Tagging>",
        "<Tagging><Tagset/></Tagging>",
        "<Tagging><Tag><Key>c</Key><Value>d</Value></Tag></Tagging>",
        "<Tagging><TagSet/><TagSet/></Tagging>",
        "<Tagging>text</Tagging>",
        "<Tagging><TagSet>text</TagSet></Tagging>",
    ] {
        for target in [&own, &of_bucket] {
            let response = Request::new("PUT", target).document(document).sign().send();
            table.refused(&format!("{target} {document}"), &response, &MALFORMED_XML);
        }
    }
    for target in [&own, &of_bucket] {
        let found = Request::new("GET", target).sign().send();
        table.check(&format!("{target}: {}", found.text()), found.elements("Tag").len() == 1);
    }
    for document in
        ["<Tagging><TagSet/></Tagging>", "<Tagging><TagSet></TagSet></Tagging>", "<Tagging> </Tagging>"]
    {
        table.status(document, &Request::new("PUT", &own).document(document).sign().send(), 200);
        table.status(document, &Request::new("PUT", &of_bucket).document(document).sign().send(), 204);
    }
}

/// Inferred: what the schema has once stands once; which of two would count is not to be guessed, so nothing is done.
#[test]
fn elements_that_stand_twice() {
    let mut table = Table::default();
    let bucket = "/stand-twice";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let (one, two) = (format!("{bucket}/one"), format!("{bucket}/two"));
    for path in [&one, &two] {
        Request::new("PUT", path).header("x-amz-tagging", "kept=1").body("kept").sign().send().expect(200);
    }
    let tag = |body: &str| {
        format!("\"{}\"", Md5::digest(body).iter().map(|b| format!("{b:02x}")).collect::<String>())
    };
    let (first, other) = (tag("first"), tag("other"));
    let day = "<Expiration><Days>1</Days></Expiration>";
    let rule = |inner: &str| format!("<LifecycleConfiguration><Rule>{inner}</Rule></LifecycleConfiguration>");
    let tags = |inner: &str| format!("<Tagging><TagSet><Tag>{inner}</Tag></TagSet></Tagging>");
    let parts =
        |inner: &str| format!("<CompleteMultipartUpload><Part>{inner}</Part></CompleteMultipartUpload>");
    let status = "<Status>Enabled</Status><Status>Suspended</Status>";
    for (method, query, document) in [
        ("POST", "?delete", "<Delete><Object><Key>one</Key><Key>two</Key></Object></Delete>".to_owned()),
        ("POST", "?delete", "<Delete><Object><Key>one</Key><VersionId>null</VersionId><VersionId>x</VersionId></Object></Delete>".to_owned()),
        ("PUT", "/one?tagging", tags("<Key>a</Key><Key>b</Key><Value>c</Value>")),
        ("PUT", "/one?tagging", tags("<Key>a</Key><Value>b</Value><Value>c</Value>")),
        ("PUT", "?tagging", tags("<Key>a</Key><Key>b</Key><Value>c</Value>")),
        ("PUT", "?versioning", format!("<VersioningConfiguration>{status}</VersioningConfiguration>")),
        ("PUT", "?lifecycle", rule(&format!("<Filter/><Status>Enabled</Status>{day}{day}"))),
        ("PUT", "?lifecycle", rule(&format!("<Filter><Prefix>a</Prefix></Filter><Filter><Prefix>b</Prefix></Filter><Status>Enabled</Status>{day}"))),
        ("PUT", "?lifecycle", rule(&format!("<Filter/><Status>Disabled</Status><Status>Enabled</Status>{day}"))),
        ("POST", "/one?uploadId=ID", parts(&format!("<PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>{first}</ETag>"))),
        ("POST", "/one?uploadId=ID", parts(&format!("<PartNumber>1</PartNumber><ETag>{first}</ETag><ETag>{other}</ETag>"))),
    ] {
        // An upload of its own, so that no case is a repetition of another.
        let id = create(&one);
        for (number, body, etag) in [(1, b"first", &first), (2, b"other", &other)] {
            assert_eq!(part(&one, &id, number, body), *etag);
        }
        let target = format!("{bucket}{}", query.replace("ID", &id));
        let response = Request::new(method, &target).document(&document).sign().send();
        table.refused(&format!("{target} {document}"), &response, &MALFORMED_XML);
        for path in [&one, &two] {
            let found = Request::new("GET", path).sign().send();
            let same = found.body == b"kept" && found.header("x-amz-tagging-count") == Some("1");
            table.check(&format!("{target} {document}: {path} is not as it was"), same);
            if !same {
                Request::new("PUT", path).header("x-amz-tagging", "kept=1").body("kept").sign().send().expect(200);
            }
        }
    }
    for query in ["tagging", "lifecycle"] {
        let found = Request::new("GET", &format!("{bucket}?{query}")).sign().send();
        table.status(&format!("{query} was set"), &found, 404);
    }
    let found = Request::new("GET", &format!("{bucket}?versioning")).sign().send();
    table.check("versioning was set", found.element("Status").is_none());
}
