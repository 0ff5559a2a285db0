//! Listings: how names are encoded in them, which numbers they take, and what is there but empty.

use crate::check::{Refusal, Table, given, refusal};
use crate::sign::{Sign as _, escape};
use crate::versions::{bucket, mark_deleted, put, versioned};
use crate::wire::{Request, Response};

/// Keys, and how `encoding-type=url` shows them: as java.net.URLEncoder does, but with `/` left alone.
///
/// Measured were the blank, `+`, `(` and `)`; `*` and `~` are decided after URLEncoder, whose form the others have.
const ENCODED: [(&str, &str); 16] = [
    ("(a)", "%28a%29"),
    ("*", "*"),
    ("-_.", "-_."),
    ("a b.txt", "a+b.txt"),
    ("a%20b", "a%2520b"),
    ("a%b", "a%25b"),
    ("a+b", "a%2Bb"),
    ("a/b c/", "a/b+c/"),
    ("a=b&c", "a%3Db%26c"),
    ("b'!$,:;@[]", "b%27%21%24%2C%3A%3B%40%5B%5D"),
    ("b?#\"<>", "b%3F%23%22%3C%3E"),
    ("b\\^`{|}", "b%5C%5E%60%7B%7C%7D"),
    ("c\u{e9}\u{fc}", "c%C3%A9%C3%BC"),
    ("d\u{1f600}", "d%F0%9F%98%80"),
    ("~", "%7E"),
    ("~ /~", "%7E+/%7E"),
];

const NO_METHOD: &str = "Invalid Encoding Method specified in Request";
const WRONG_TOKEN: &str = "The continuation token provided is incorrect";

/// Measured: amazonka#376, versitygw.
#[test]
fn parameters_of_the_other_version() {
    let mut table = Table::default();
    for (query, name, message) in [
        ("start-after=a", "start-after", "startAfter only supported in REST.GET.BUCKET with list-type=2"),
        (
            "continuation-token=a",
            "continuation-token",
            "continuation-token only supported in REST.GET.BUCKET with list-type=2",
        ),
        ("list-type=2&marker=a", "marker", "Marker unsupported with REST.GET.BUCKET in list-type=2"),
    ] {
        let response = Request::new("GET", &format!("/bucket1?{query}")).sign().send();
        let elements = [("ArgumentName", name)];
        table.refused(query, &response, &refusal(400, "InvalidArgument", message, &elements));
    }
}

/// The four listings of a bucket.
const LISTINGS: [&str; 4] = ["", "list-type=2", "versions=", "uploads="];

fn get(target: &str) -> Response {
    Request::new("GET", target).sign().send()
}

fn list(bucket: &str, listing: &str, query: &str) -> Response {
    let pieces: Vec<&str> = [listing, query].into_iter().filter(|piece| !piece.is_empty()).collect();
    get(&format!("{bucket}?{}", pieces.join("&")))
}

/// A path with its key escaped.
fn path(bucket: &str, key: &str) -> String {
    format!("{bucket}/{}", escape(key).replace("%2F", "/"))
}

fn invalid<'a>(message: &'a str, elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(400, "InvalidArgument", message, elements)
}

fn is(response: &Response, element: &str, value: &str) -> bool {
    response.element(element).as_deref() == Some(value)
}

/// Measured: backlot#178, versitygw#2156. Inferred: `*` and `~`.
#[test]
fn keys_are_encoded_as_in_forms() {
    let mut table = Table::default();
    let name = "/answers-encoded";
    versioned(name);
    for (key, _) in ENCODED {
        put(&path(name, key), "x");
        mark_deleted(&path(name, key));
        put(&path(name, key), "y");
        crate::multipart::create(&path(name, key));
    }
    let mut expected: Vec<&str> = ENCODED.iter().map(|(_, shown)| *shown).collect();
    for listing in LISTINGS {
        let found = list(name, listing, "encoding-type=url");
        table.status(listing, &found, 200);
        let mut keys = found.elements("Key");
        keys.dedup();
        table.check(&format!("{listing}: {keys:?}"), keys == expected);
        table.check(listing, is(&found, "EncodingType", "url"));
        let plain = list(name, listing, "");
        let mut keys = plain.elements("Key").iter().map(|key| crate::wire::unescape(key)).collect::<Vec<_>>();
        keys.dedup();
        table.check(&format!("{listing}, plain"), keys == ENCODED.map(|(key, _)| key));
    }
    expected.truncate(2);
    let page = list(name, "list-type=2", "encoding-type=url&max-keys=2");
    table.check("a page", page.elements("Key") == expected);
}

/// Measured: versitygw#2156 (Prefix, markers). Recorded: test_list_objects_with_prefix[%2F] (Delimiter `%252F`),
/// test_list_objects_v2_continuation_token_safe_chars (StartAfter).
#[test]
fn what_was_asked_is_encoded_likewise() {
    let mut table = Table::default();
    let name = "/answers-asked";
    versioned(name);
    for key in ["p ~*/a b", "p ~*/a b/c", "p ~*/d e", "p ~*/d e/f", "p ~*/g"] {
        put(&path(name, key), "x");
        crate::multipart::create(&path(name, key));
    }
    let url = "encoding-type=url&max-keys=1&max-uploads=1";
    let (prefix, shown) = ("p%20~%2A%2F", "p+%7E*/");
    for listing in LISTINGS {
        let (asked, echoed) = match listing {
            "" => ("marker", "Marker"),
            "list-type=2" => ("start-after", "StartAfter"),
            _ => ("key-marker", "KeyMarker"),
        };
        let page = list(name, listing, &format!("{url}&prefix={prefix}&{asked}={prefix}a%20b"));
        table.status(listing, &page, 200);
        for (element, value) in [("Prefix", shown), (echoed, "p+%7E*/a+b"), ("Key", "p+%7E*/a+b/c")] {
            table.check(
                &format!("{listing}: {element} {:?}", page.element(element)),
                is(&page, element, value),
            );
        }
        let next = match listing {
            "" | "list-type=2" => None,
            _ => Some("p+%7E*/a+b/c"),
        };
        table.check(&format!("{listing}: NextKeyMarker"), page.element("NextKeyMarker").as_deref() == next);
        for (delimiter, shown, common) in
            [("%20", "+", "p+"), ("~", "%7E", "p+%7E"), ("%2A", "*", "p+%7E*"), ("%2F", "/", "p+%7E*/")]
        {
            let page = list(name, listing, &format!("encoding-type=url&delimiter={delimiter}"));
            let case = format!("{listing}, delimiter {shown}: {}", page.text());
            table.check(&case, is(&page, "Delimiter", shown));
            table.check(&case, page.elements("CommonPrefixes") == [format!("<Prefix>{common}</Prefix>")]);
        }
    }
    let page = list(name, "", &format!("{url}&delimiter=%2F&prefix={prefix}"));
    table.check("NextMarker", is(&page, "NextMarker", "p+%7E*/a+b"));
    let marked = list(name, "", &format!("{url}&delimiter=%2F&prefix={prefix}&marker={prefix}a%20b"));
    table.check("NextMarker of a prefix", is(&marked, "NextMarker", "p+%7E*/a+b/"));
}

/// Recorded: test_list_ops_encoding_type_validation, all four.
#[test]
fn encoding_types_that_are_none() {
    let mut table = Table::default();
    let name = "/answers-encoding-types";
    versioned(name);
    for listing in LISTINGS {
        for value in ["", "value", "URL", "url%20", "xml"] {
            let decoded = value.replace("%20", " ");
            let elements = [("ArgumentName", "encoding-type"), ("ArgumentValue", decoded.as_str())];
            let found = list(name, listing, &format!("encoding-type={value}"));
            table.refused(&format!("{listing} {value:?}"), &found, &invalid(NO_METHOD, &elements));
        }
    }
}

/// Measured: floci#3510 and backlot (max-keys, V1 and V2). Inferred: versions. Decided: `max-uploads` and `max-parts`
/// keep their own names in the text for negative numbers, which nobody has measured: only the code is looked at.
#[test]
fn numbers_beyond_32_bits() {
    let mut table = Table::default();
    let name = "/answers-numbers";
    versioned(name);
    given(&format!("{name}/key"), "x");
    let id = crate::multipart::create(&format!("{name}/upload"));
    for listing in ["", "list-type=2", "versions="] {
        for value in ["-1", "-2", "-2147483648"] {
            let elements = [("ArgumentName", "maxKeys"), ("ArgumentValue", value)];
            let message = "Argument maxKeys must be an integer between 0 and 2147483647";
            let found = list(name, listing, &format!("max-keys={value}"));
            table.refused(&format!("{listing} {value}"), &found, &invalid(message, &elements));
        }
        let all = list(name, listing, "max-keys=2147483647");
        table.check(&format!("{listing}: the largest"), all.status == 200 && is(&all, "MaxKeys", "1000"));
        let none = list(name, listing, "max-keys=0");
        table.check(&format!("{listing}: none"), none.status == 200 && is(&none, "IsTruncated", "false"));
    }
    let parts = format!("{name}/upload?uploadId={id}");
    for (target, argument) in [
        (format!("{name}?"), "max-keys"),
        (format!("{name}?list-type=2"), "max-keys"),
        (format!("{name}?versions="), "max-keys"),
        (format!("{name}?uploads="), "max-uploads"),
        (parts.clone(), "max-parts"),
        (parts.clone(), "part-number-marker"),
    ] {
        let ask = |value: &str| get(&format!("{target}&{argument}={value}").replace("?&", "?"));
        let message = format!("Provided {argument} not an integer or within integer range");
        for value in ["2147483648", "-2147483649", "99999999999999999999", "a", "1.5", "0x1", "1e3"] {
            let elements = [("ArgumentName", argument), ("ArgumentValue", value)];
            table.refused(&format!("{target} {argument}"), &ask(value), &invalid(&message, &elements));
        }
        let negative = ask("-1");
        table.status(&format!("{target} {argument}=-1"), &negative, 400);
        table.check(&format!("{target} {argument}=-1"), is(&negative, "Code", "InvalidArgument"));
        table.status(&format!("{target} {argument}: the largest"), &ask("2147483647"), 200);
    }
    let beyond = get(&format!("{parts}&part-number-marker=2147483647"));
    table.check("echoed", is(&beyond, "PartNumberMarker", "2147483647"));
}

/// Recorded: test_list_parts_empty_part_number_marker (`S3 does not care about empty strings for integers`).
/// Inferred: max-keys, max-uploads.
#[test]
fn numbers_that_are_empty() {
    let mut table = Table::default();
    let name = "/answers-empty-numbers";
    versioned(name);
    let upload = format!("{name}/upload");
    let id = crate::multipart::create(&upload);
    crate::multipart::part(&upload, &id, 1, b"data");
    for query in ["part-number-marker=", "max-parts=", "part-number-marker", "max-parts=&part-number-marker="]
    {
        let found = get(&format!("{upload}?uploadId={id}&{query}"));
        table.status(query, &found, 200);
        for (element, value) in [
            ("PartNumberMarker", "0"),
            ("NextPartNumberMarker", "1"),
            ("MaxParts", "1000"),
            ("IsTruncated", "false"),
            ("PartNumber", "1"),
        ] {
            table.check(&format!("{query}: {element}"), is(&found, element, value));
        }
    }
    for (listing, limit, element) in [
        ("", "max-keys=", "MaxKeys"),
        ("list-type=2", "max-keys=", "MaxKeys"),
        ("versions=", "max-keys=", "MaxKeys"),
        ("uploads=", "max-uploads=", "MaxUploads"),
    ] {
        let found = list(name, listing, limit);
        table.check(&format!("{listing} {limit}"), found.status == 200 && is(&found, element, "1000"));
    }
}

/// Recorded: test_list_objects_v2_continuation_start_after, test_list_objects_v2_continuation_token_safe_chars
/// (StartAfter without, and not with a token; an empty token is refused, and its value not repeated);
/// test_list_buckets_when_continuation_token_is_empty (there it is as if absent), test_s3_list_objects_empty_marker.
#[test]
fn tokens_and_what_goes_before_them() {
    let mut table = Table::default();
    let name = "/answers-tokens";
    bucket(name);
    for number in 0..12 {
        given(&format!("{name}/test_{number}"), "content 123");
    }
    let page = list(name, "list-type=2", "max-keys=5");
    let token = escape(&page.element("NextContinuationToken").expect("a token"));
    let after = list(name, "list-type=2", "start-after=test_7&max-keys=2");
    table.check("alone", is(&after, "StartAfter", "test_7") && after.elements("Key") == ["test_8", "test_9"]);
    for query in [
        format!("start-after=test_7&continuation-token={token}"),
        format!("continuation-token={token}&start-after=a"),
    ] {
        let both = list(name, "list-type=2", &query);
        let keys = both.elements("Key");
        table.check(&format!("both: {keys:?}"), keys.len() == 7 && keys[0] == "test_3");
        table.check(&format!("both: {}", both.text()), both.element("StartAfter").is_none());
        table.check(
            "the token",
            is(
                &both,
                "ContinuationToken",
                &token.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"),
            ),
        );
    }
    let elements = [("ArgumentName", "continuation-token")];
    for query in ["continuation-token=", "continuation-token=&start-after=a"] {
        let empty = list(name, "list-type=2", query);
        table.refused(query, &empty, &invalid(WRONG_TOKEN, &elements));
    }
    let empty = list(name, "list-type=2", "start-after=&prefix=&delimiter=");
    table.check("empty texts", empty.status == 200 && empty.elements("Key").len() == 12);
    table.check(
        "Prefix is there",
        empty.text().contains("<Prefix></Prefix>") || empty.text().contains("<Prefix/>"),
    );
    let marker = list(name, "", "marker=");
    table.check(
        "Marker is there",
        marker.text().contains("<Marker></Marker>") || marker.text().contains("<Marker/>"),
    );
    let buckets = get("/?continuation-token=&max-buckets=1");
    table.status("buckets", &buckets, 200);
    table.check("one bucket", buckets.elements("Bucket").len() == 1);
    table.check("and more", buckets.element("ContinuationToken").is_some_and(|token| !token.is_empty()));
}
