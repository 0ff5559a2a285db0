//! Who, where and when in answers: owners, accounts, ARNs, regions, times.

use std::sync::OnceLock;
use std::time::Duration;

use crate::check::{ACCESS_DENIED, Table, given, refusal};
use crate::harness::{Server, unique};
use crate::multipart::{create, part};
use crate::settings::configured;
use crate::sign::{Sign as _, Signer, http_date, sha256_hex, time_at};
use crate::versions::{bucket, mark_deleted, put, versioned};
use crate::wire::{Request, Response};

/// The account id of the user `main`: the first 12 digits of the SHA-256 of that name as a decimal number.
const ACCOUNT: &str = "607486520657";
const EXPECTED: &str = "x-amz-expected-bucket-owner";

fn get(target: &str) -> Response {
    Request::new("GET", target).sign().send()
}

/// Recorded in 2026-02: test_list_objects_next_marker, test_list_objects_versions_markers, test_list_parts_pagination,
/// test_list_multiparts_next_marker, test_list_buckets_with_max_buckets.
#[test]
fn owners_have_no_name() {
    let mut table = Table::default();
    let name = "/answers-owners";
    versioned(name);
    given(&format!("{name}/key"), "x");
    mark_deleted(&format!("{name}/key"));
    given(&format!("{name}/other"), "x");
    let path = format!("{name}/upload");
    let id = create(&path);
    part(&path, &id, 1, b"x");
    let (owner, initiator) = ("<ID>main</ID>", "<ID>main</ID><DisplayName>Main</DisplayName>");
    for (target, owners, initiators) in [
        ("/".to_owned(), 1, 0),
        (name.to_owned(), 1, 0),
        (format!("{name}?list-type=2&fetch-owner=true"), 1, 0),
        (format!("{name}?list-type=2"), 0, 0),
        (format!("{name}?versions="), 3, 0),
        (format!("{name}?uploads="), 1, 1),
        (format!("{path}?uploadId={id}"), 1, 1),
    ] {
        let found = get(&target).expect(200);
        let (of, by) = (found.elements("Owner"), found.elements("Initiator"));
        table.check(&format!("{target}: {of:?}"), of == vec![owner; owners]);
        table.check(&format!("{target}: {by:?}"), by == vec![initiator; initiators]);
    }
}

/// Recorded: test_create_bucket_head_bucket (with the filtered headers), test_list_buckets_with_max_buckets,
/// test_list_buckets_by_prefix_with_case_sensitivity.
#[test]
fn buckets_have_arns() {
    let mut table = Table::default();
    let name = "answers-arns";
    let arn = "arn:aws:s3:::answers-arns";
    let path = format!("/{name}");
    let made = Request::new("PUT", &path).sign().send();
    table.status("made", &made, 200);
    table.check("its ARN", made.header("x-amz-bucket-arn") == Some(arn));
    table.check("its location", made.header("location") == Some(path.as_str()));
    let head = Request::new("HEAD", &path).sign().send();
    for (header, value) in [
        ("content-type", "application/xml"),
        ("x-amz-access-point-alias", "false"),
        ("x-amz-bucket-arn", arn),
        ("x-amz-bucket-region", "us-east-1"),
    ] {
        table.check(&format!("{header}: {:?}", head.headers), head.header(header) == Some(value));
    }
    let entry = |response: &Response| {
        let named = format!("<Name>{name}</Name>");
        response.elements("Bucket").into_iter().find(|entry| entry.contains(&named)).expect("the bucket")
    };
    let (listed, region) =
        (format!("<BucketArn>{arn}</BucketArn>"), "<BucketRegion>us-east-1</BucketRegion>");
    for (query, regions) in [
        ("", false),
        ("?prefix=answers-arns", true),
        ("?max-buckets=10000", true),
        ("?bucket-region=us-east-1", true),
        ("?bucket-region=us-east-1&prefix=answers-arns&max-buckets=1", true),
        ("?continuation-token=&max-buckets=10000", true),
    ] {
        let found = entry(&get(&format!("/{query}")).expect(200));
        table.check(&format!("{query}: {found}"), found.contains(&listed));
        table.check(&format!("{query}, the region: {found}"), found.contains(region) == regions);
    }
    let elsewhere = get("/?bucket-region=us-west-1&prefix=answers-arns");
    table.check("in another region", elsewhere.status == 200 && elsewhere.elements("Bucket").is_empty());
}

/// Recorded: test_create_bucket_aws_global, test_different_location_constraint; the bytes are of `answers.md`.
#[test]
fn the_first_region_has_no_name() {
    let mut table = Table::default();
    bucket("/answers-location");
    let found = get("/answers-location?location=").text();
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";
    table.check(&found, found == expected);
}

/// The server that takes any region.
fn anywhere() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let text = r#"
            region = "any"
            [[users]]
            id = "main"
            keys = [{ access_key = "AKIDEXAMPLE", secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }]
            [[users]]
            id = "012345678901"
            display_name = "Digits"
            keys = [{ access_key = "AKIDDIGITS", secret_key = "digits" }]
        "#;
        configured("answers-anywhere", text)
    })
}

/// Recorded for regional endpoints: test_different_location_constraint, test_create_bucket_with_eu_location_constraint
/// (`EU` is kept; that its region is eu-west-1 is documented). Inferred: a server for any region is all of them.
#[test]
fn a_region_that_was_asked_for_is_kept() {
    let mut table = Table::default();
    let send = |method: &str, target: &str, region: &'static str| {
        let request = Request::to(anywhere().address, method, target);
        request.sign_with(&Signer { region, ..Signer::default() }).send()
    };
    for (name, constraint, region) in [
        ("kept-west", "us-west-2", "us-west-2"),
        ("kept-frankfurt", "eu-central-1", "eu-central-1"),
        ("kept-eu", "EU", "eu-west-1"),
        ("kept-none", "", "us-east-1"),
    ] {
        let document = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{constraint}</LocationConstraint></CreateBucketConfiguration>"
        );
        let request = Request::to(anywhere().address, "PUT", &format!("/{name}"));
        let request = if constraint.is_empty() { request } else { request.body(document) };
        table.status(
            name,
            &request.sign_with(&Signer { region: "us-west-2", ..Signer::default() }).send(),
            200,
        );
        for signed in ["us-east-1", "us-west-2"] {
            let located = send("GET", &format!("/{name}?location="), signed);
            let shown = located.text();
            let right = match constraint {
                "" => shown.ends_with("\"/>"),
                constraint => shown.ends_with(&format!("\">{constraint}</LocationConstraint>")),
            };
            table.check(&format!("{name}: {shown}"), located.status == 200 && right);
            let head = send("HEAD", &format!("/{name}"), signed);
            let found = head.header("x-amz-bucket-region");
            table.check(&format!("{name}: HEAD {found:?}"), found == Some(region));
        }
        let listed = send("GET", &format!("/?prefix={name}"), "us-east-1");
        let found = listed.element("BucketRegion");
        table.check(&format!("{name}: listed {found:?}"), found.as_deref() == Some(region));
        let filtered = send("GET", &format!("/?prefix={name}&bucket-region={region}"), "us-east-1");
        table.check(&format!("{name}: filtered"), filtered.elements("Bucket").len() == 1);
        let filtered = send("GET", &format!("/?prefix={name}&bucket-region=ap-south-1"), "us-east-1");
        table.check(&format!("{name}: filtered out"), filtered.elements("Bucket").is_empty());
    }
}

/// Recorded: test_get_bucket_policy_invalid_account_id, test_put_bucket_policy_invalid_account_id,
/// test_delete_bucket_policy_expected_bucket_owner (the order: digits first, then whose they are).
///
/// Inferred: every operation has the same check, and x-amz-source-expected-bucket-owner, too.
#[test]
fn expected_owners_are_accounts() {
    let mut table = Table::default();
    let path = unique("expected");
    given(&path, "x");
    let of = |method: &str, target: &str, value: &str| {
        Request::new(method, target).header(EXPECTED, value).sign().send()
    };
    let invalid = [
        "0000",
        "0000000000020",
        "abcd",
        "aa000000000$",
        "invalid",
        "main",
        "60748652065",
        "-07486520657",
        "+07486520657",
        "6074 8652065",
    ];
    for value in invalid {
        let message = format!(
            "The value of the expected bucket owner parameter must be an AWS Account ID... [{value}]"
        );
        let expected = refusal(400, "InvalidBucketOwnerAWSAccountID", &message, &[]);
        for target in
            [path.as_str(), "/bucket1", "/bucket1?list-type=2", "/bucket1?location=", "/bucket1?uploads="]
        {
            table.refused(&format!("GET {target} {value}"), &of("GET", target, value), &expected);
        }
        table.status(&format!("HEAD {value}"), &of("HEAD", &path, value), 400);
        let write = Request::new("PUT", &format!("{path}-new")).header(EXPECTED, value).body("x").sign();
        table.refused_write(&format!("PUT {value}"), &write, &expected);
        table.refused(&format!("DELETE {value}"), &of("DELETE", &path, value), &expected);
        let copy = Request::new("PUT", &format!("{path}-copy"))
            .header("x-amz-copy-source", &path)
            .header("x-amz-source-expected-bucket-owner", value);
        table.refused_write(&format!("source {value}"), &copy.sign(), &expected);
    }
    for value in ["000000000000", "607486520658", "123456789012"] {
        table.refused(&format!("GET {value}"), &of("GET", &path, value), &ACCESS_DENIED);
        table.refused(&format!("DELETE {value}"), &of("DELETE", &path, value), &ACCESS_DENIED);
        table.status(&format!("HEAD {value}"), &of("HEAD", "/bucket1", value), 403);
    }
    for target in [path.as_str(), "/bucket1", "/bucket1?location="] {
        table.status(target, &of("GET", target, ACCOUNT), 200);
    }
    let copy = Request::new("PUT", &format!("{path}-copy")).headers(&[
        ("x-amz-copy-source", &path),
        ("x-amz-source-expected-bucket-owner", ACCOUNT),
        (EXPECTED, ACCOUNT),
    ]);
    table.status("a copy", &copy.sign().send(), 200);
    table.status("the object", &of("DELETE", &path, ACCOUNT), 204);
}

/// Decided: an id of 12 digits is an account id; another has one made of it. Inferred from the recorded listings: who
/// started an upload has a name, also in a bucket of somebody else, whose owner has none.
#[test]
fn an_id_of_digits_is_an_account() {
    let mut table = Table::default();
    let digits = Signer { access_key: "AKIDDIGITS", secret_key: "digits", ..Signer::default() };
    let to = |method: &str, target: &str| Request::to(anywhere().address, method, target);
    for (name, signer, account) in
        [("of-digits", &digits, "012345678901"), ("of-main", &Signer::default(), ACCOUNT)]
    {
        let path = format!("/{name}");
        table.status(name, &to("PUT", &path).sign_with(signer).send(), 200);
        for value in ["012345678901", ACCOUNT] {
            let response = to("GET", &path).header(EXPECTED, value).sign_with(signer).send();
            table.status(&format!("{name} {value}"), &response, if value == account { 200 } else { 403 });
        }
    }
    let created = to("POST", "/of-main/key?uploads=").body("").sign_with(&digits).send();
    let list = to("GET", "/of-main?uploads=").sign_with(&digits).send();
    table.status("an upload", &created, 200);
    let (owner, initiator) = (list.elements("Owner"), list.elements("Initiator"));
    table.check(&format!("its owner {owner:?}"), owner == ["<ID>main</ID>"]);
    let expected = ["<ID>012345678901</ID><DisplayName>Digits</DisplayName>"];
    table.check(&format!("its initiator {initiator:?}"), initiator == expected);
}

/// Inferred: Java's parsers take `UTC` as they take `GMT`; `EST`, `Z` and `+0200` are taken already.
#[test]
fn dates_in_utc() {
    let mut table = Table::default();
    let now = time_at(0);
    let date = http_date(now).replace("GMT", "UTC");
    let path = unique("utc");
    for (header, line) in [("Date", date.as_str()), ("x-amz-date", "")] {
        let resource = match line {
            "" => format!("PUT\n\n\n\nx-amz-date:{date}\n{path}"),
            line => format!("PUT\n\n\n{line}\n{path}"),
        };
        let put = Request::new("PUT", &path).header(header, &date).body("x").sign_v2(&resource);
        table.status(&format!("V2, {header}"), &put.send(), 200);
    }
    let hash = sha256_hex(b"x");
    let put =
        Request::new("PUT", &path).header("Date", &date).header("x-amz-content-sha256", &hash).body("x");
    let host = put.value("host").to_owned();
    let lines = [("date", date.as_str()), ("host", host.as_str()), ("x-amz-content-sha256", hash.as_str())];
    table.status("V4, Date", &put.sign_by_hand(now, &lines, &hash).send(), 200);
}

/// `2026-11-26T10:39:42.000Z` of `Thu, 26 Nov 2026 10:39:42 GMT`.
fn in_xml(http_date: &str) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = http_date.split(' ').collect();
    let month = months.iter().position(|month| *month == words[2]).expect("a month") + 1;
    format!("{}-{month:02}-{}T{}.000Z", words[3], words[1], words[4])
}

/// Recorded: test_s3_timestamp_precision, test_s3_list_objects_timestamp_precision, and those for versions, uploads
/// and parts; measured: versitygw#2178, #2156, #1399.
#[test]
fn times_are_whole_seconds() {
    let mut table = Table::default();
    let name = "/answers-times";
    versioned(name);
    for number in 0..9 {
        // Nine tenths of a second apart from the last: some would be rounded up.
        std::thread::sleep(Duration::from_millis(110));
        let path = format!("{name}/{number}");
        let stored = Request::new("PUT", &path).body("x").sign().send().expect(200);
        let now = in_xml(stored.header("date").expect("a date"));
        let head = Request::new("HEAD", &path).sign().send();
        let modified = in_xml(head.header("last-modified").expect("a date"));
        table.check(&format!("{modified} is after {now}"), modified <= now);
        for listing in ["", "list-type=2&", "versions=&"] {
            let listed = get(&format!("{name}?{listing}prefix={number}"));
            let found = listed.element("LastModified").unwrap_or_default();
            table.check(&format!("{listing}: {found} of {modified}"), found == modified);
        }
        let copy = Request::new("PUT", &format!("{name}-copy")).header("x-amz-copy-source", &path);
        let copied = copy.edit(&format!("{name}-copy"), &format!("{name}/copy")).sign().send().expect(200);
        let head = Request::new("HEAD", &format!("{name}/copy")).sign().send();
        let found = copied.element("LastModified").unwrap_or_default();
        let modified = in_xml(head.header("last-modified").expect("a date"));
        table.check(&format!("the copy: {found} of {modified}"), found == modified);
    }
    put(&format!("{name}/marker"), "x");
    mark_deleted(&format!("{name}/marker"));
    let path = format!("{name}/upload");
    let id = create(&path);
    part(&path, &id, 1, b"x");
    let target = format!("{path}?partNumber=2&uploadId={id}");
    let copied = Request::new("PUT", &target).header("x-amz-copy-source", &format!("{name}/0")).sign().send();
    for (case, response, element, least) in [
        ("buckets", get("/"), "CreationDate", 1),
        ("markers", get(&format!("{name}?versions=&prefix=marker")), "LastModified", 2),
        ("uploads", get(&format!("{name}?uploads=")), "Initiated", 1),
        ("parts", get(&format!("{path}?uploadId={id}")), "LastModified", 2),
        ("a copied part", copied, "LastModified", 1),
    ] {
        let found = response.elements(element);
        let whole = found.iter().all(|time| time.len() == 24 && time.ends_with(".000Z"));
        table.check(&format!("{case}: {found:?}"), whole && found.len() >= least);
    }
}

/// Seen: boto3 compares `list[...]["LastModified"]` with `head["LastModified"]`, and conditions take what was shown.
#[test]
fn a_time_that_was_shown_is_the_time() {
    let mut table = Table::default();
    let path = unique("shown");
    given(&path, "x");
    let head = Request::new("HEAD", &path).sign().send();
    let modified = head.header("last-modified").expect("a date");
    for (header, status) in [("If-Modified-Since", 304), ("If-Unmodified-Since", 200)] {
        table.status(header, &Request::new("GET", &path).header(header, modified).sign().send(), status);
    }
    for (header, status) in [("modified", 412), ("unmodified", 200)] {
        let header = format!("x-amz-copy-source-if-{header}-since");
        let copy = Request::new("PUT", &format!("{path}-copy")).header("x-amz-copy-source", &path);
        table.status(&header, &copy.header(&header, modified).sign().send(), status);
    }
}
