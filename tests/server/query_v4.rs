//! Presigned V4 URLs: parameters, credential, lifetime, time, and whose key.

use crate::check::{ACCESS_DENIED, ANY, Case, MISMATCH_V4, Refusal, Table, given, not_signed, refusal};
use crate::harness::{ACCESS_KEY, unique};
use crate::sign::{Sign as _, Signer, escape, iso, iso_basic, string_to_sign, time_at, unix_millis};
use crate::wire::Request;

const SIX: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];
const REQUIRES: Refusal<'static> = Refusal {
    status: 400,
    code: "AuthorizationQueryParametersError",
    message: "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    elements: &[],
};

fn aqpe<'a>(message: &'a str, elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(400, "AuthorizationQueryParametersError", message, elements)
}

#[test]
fn a_url_works_for_each_method() {
    let path = unique("works");
    Request::new("PUT", &path).presign().body("hello").send().expect(200);
    assert_eq!(Request::new("GET", &path).presign().send().expect(200).body, b"hello");
    let head = Request::new("HEAD", &path).presign().send().expect(200);
    assert_eq!(head.header("content-length"), Some("5"));
    // A body that comes with a GET is not looked at.
    assert_eq!(Request::new("GET", &path).presign().body("ignored").send().expect(200).body, b"hello");
    let deleted = Request::new("DELETE", &path).presign().send().expect(204);
    assert_eq!((deleted.header("content-type"), deleted.header("content-length")), (None, None));
    let gone = Request::new("GET", &path).presign().send();
    let key = path.trim_start_matches("/bucket1/");
    gone.refused(&refusal(404, "NoSuchKey", "The specified key does not exist.", &[("Key", key)]));
}

#[test]
fn parameters_are_all_required_once() {
    let mut table = Table::default();
    let path = unique("parameters");
    let put = Request::new("PUT", &path).presign().body("x");
    for name in SIX {
        table.refused_write(&format!("without {name}"), &put.clone().drop_parameter(name), &REQUIRES);
        let value = put.parameter(name).to_owned();
        let only = Request::new("PUT", &path).add_query(&format!("{name}={value}")).body("x");
        table.refused_write(&format!("only {name}"), &only, &REQUIRES);
        let twice = put.clone().add_query(&format!("{name}={value}"));
        table.refused_write(&format!("{name} twice"), &twice, &REQUIRES);
        let lower = put.clone().edit(name, &name.to_lowercase());
        table.refused_write(&format!("{name} in lower case"), &lower, &REQUIRES);
    }
    let mut lower = put.clone();
    for name in SIX {
        lower = lower.edit(name, &name.to_lowercase());
    }
    table.refused_write("all in lower case: anonymous", &lower, &ACCESS_DENIED);
    let empty = put.clone().set_parameter("X-Amz-SignedHeaders", "");
    table.refused_write("empty X-Amz-SignedHeaders", &empty, &not_signed(&[("HeadersNotSigned", "host")]));
}

#[test]
fn credentials_with_one_fault() {
    const PREFIX: &str = "Error parsing the X-Amz-Credential parameter; ";
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("credential")).presign().body("x");
    let date = put.parameter("X-Amz-Date")[..8].to_owned();
    let expecting =
        "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
    let region = &[("Region", "us-east-1")][..];
    let wrong_region = "the region 'eu-central-1' is wrong; expecting 'us-east-1'";
    let wrong_service = "incorrect service \"sns\". This endpoint belongs to \"s3\".";
    let wrong_date = "incorrect date format \"2024-01-02\". This date in the credential must be in the format \"yyyyMMdd\".";
    let cases: [Case<'_>; 13] = [
        (format!("{ACCESS_KEY}/{date}/us-east-1/s3"), expecting, &[]),
        (ACCESS_KEY.to_owned(), expecting, &[]),
        (String::new(), expecting, &[]),
        (format!("{ACCESS_KEY}%2F{date}%2Fus-east-1%2Fs3%2Faws4_request"), expecting, &[]),
        (
            format!("/{date}/us-east-1/s3/aws4_request"),
            "a non-empty Access Key (AKID) must be provided in the credential.",
            &[],
        ),
        (format!("{ACCESS_KEY}/2024-01-02/us-east-1/s3/aws4_request"), wrong_date, &[]),
        (
            format!("{ACCESS_KEY}/20241301/us-east-1/s3/aws4_request"),
            "incorrect date format \"20241301\". This date in the credential must be in the format \"yyyyMMdd\".",
            &[],
        ),
        (format!("{ACCESS_KEY}/{date}/eu-central-1/s3/aws4_request"), wrong_region, region),
        (format!("{ACCESS_KEY}/{date}/us-east-1/sns/aws4_request"), wrong_service, &[]),
        (
            format!("{ACCESS_KEY}/{date}/us-east-1/s3/aws3_request"),
            "incorrect terminal \"aws3_request\". This endpoint uses \"aws4_request\".",
            &[],
        ),
        // With two faults the one further left is named.
        (format!("{ACCESS_KEY}/2024-01-02/eu-central-1/s3/aws4_request"), wrong_date, &[]),
        (format!("{ACCESS_KEY}/{date}/eu-central-1/sns/aws4_request"), wrong_region, region),
        (format!("{ACCESS_KEY}/{date}/us-east-1/sns/aws3_request"), wrong_service, &[]),
    ];
    for (credential, message, elements) in cases {
        let request = put.clone().set_parameter("X-Amz-Credential", &escape(&credential));
        let message = format!("{PREFIX}{message}");
        table.refused_write(&credential, &request, &aqpe(&message, elements));
    }
    let request = put
        .clone()
        .set_parameter("X-Amz-Credential", &escape(&format!("{ACCESS_KEY}/{date}/eu/s3/aws4_request")));
    table.check(
        "the region is in a header",
        request.send().header("x-amz-bucket-region") == Some("us-east-1"),
    );
    let other = put.set_parameter(
        "X-Amz-Credential",
        &escape(&format!("{ACCESS_KEY}/20060102/us-east-1/s3/aws4_request")),
    );
    let message =
        format!("Invalid credential date \"20060102\". This date is not the same as X-Amz-Date: \"{date}\".");
    table.refused_write("another date in the scope", &other, &aqpe(&message, &[]));
}

#[test]
fn algorithm_and_date() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("algorithm")).presign().body("x");
    for algorithm in ["AWS4-HMAC-SHA1", "aws4-hmac-sha256", ""] {
        let request = put.clone().set_parameter("X-Amz-Algorithm", algorithm);
        let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"";
        table.refused_write(&format!("algorithm {algorithm:?}"), &request, &aqpe(message, &[]));
    }
    let request = put.clone().set_parameter("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256");
    table.status("SigV4a", &request.send(), 501);
    table
        .check("SigV4a: NotImplemented", request.send().element("Code").as_deref() == Some("NotImplemented"));
    let date = put.parameter("X-Amz-Date").to_owned();
    for bad in ["", &date[..8], &date[..15], "2024-01-02T03:04:05Z", &date.replace('T', "t"), "1704164645"] {
        let request = put.clone().set_parameter("X-Amz-Date", bad);
        let message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
        table.refused_write(&format!("date {bad:?}"), &request, &aqpe(message, &[]));
    }
}

#[test]
fn a_raw_slash_in_the_credential_is_the_same() {
    let path = unique("slash");
    let put = Request::new("PUT", &path).presign().body("x");
    let raw = put.parameter("X-Amz-Credential").replace("%2F", "/");
    assert!(raw.contains('/'));
    put.set_parameter("X-Amz-Credential", &raw).send().expect(200);
}

#[test]
fn lifetimes() {
    let mut table = Table::default();
    let path = unique("lifetime");
    let put = Request::new("PUT", &path).presign().body("x");
    let number = "X-Amz-Expires should be a number";
    let week = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds";
    for (value, message) in [
        ("abc", number),
        ("", number),
        ("9223372036854775808", number),
        ("1.0", number),
        ("%2B5", number),
        ("%205", number),
        ("+5", number),
        ("5s", number),
        ("-1", "X-Amz-Expires must be non-negative"),
        ("-604801", "X-Amz-Expires must be non-negative"),
        ("604801", week),
        ("9223372036854775807", week),
    ] {
        let request = put.clone().set_parameter("X-Amz-Expires", value);
        table.refused_write(&format!("expires {value:?}"), &request, &aqpe(message, &[]));
    }
    drop(table);
    let week = Signer { expires: 604_800, ..Signer::at(-3 * 86_400) };
    Request::new("PUT", &path).presign_with(&week).body("x").send().expect(200);
}

#[test]
fn time_has_two_ends() {
    let mut table = Table::default();
    let path = unique("time");
    for (expires, ago) in [(600, 601), (0, 2), (1, 86_400), (604_800, 604_801)] {
        let signer = Signer { expires, ..Signer::at(-ago) };
        let request = Request::new("PUT", &path).presign_with(&signer).body("x");
        let date = request.parameter("X-Amz-Date").to_owned();
        let end = (-3..=3)
            .map(|s| time_at(expires as i64 - ago + s))
            .find(|end| iso_basic(*end - std::time::Duration::from_secs(expires)) == date);
        let (seconds, end) = (expires.to_string(), iso(end.expect("near the planned time")));
        let elements = [("X-Amz-Expires", seconds.as_str()), ("Expires", end.as_str()), ("ServerTime", ANY)];
        let expected = refusal(403, "AccessDenied", "Request has expired", &elements);
        table.refused_write(&format!("{expires} s, signed {ago} s ago"), &request, &expected);
        let time = request.send().element("ServerTime").unwrap_or_default();
        let near = (-20..=2).any(|s| iso(time_at(s)) == time);
        table.check(&format!("the server's time {time:?}"), near);
    }
    let request = Request::new("PUT", &path).presign_with(&Signer::at(16 * 60)).body("x");
    let date = request.parameter("X-Amz-Date").to_owned();
    let start = (-3..=3).map(|s| time_at(16 * 60 + s)).find(|time| iso_basic(*time) == date).expect("near");
    let (millis, end) = (unix_millis(start), iso(start + std::time::Duration::from_secs(600)));
    let elements = [("X-Amz-Date", millis.as_str()), ("Expires", end.as_str()), ("ServerTime", ANY)];
    let expected = refusal(403, "AccessDenied", "Request is not yet valid", &elements);
    table.refused_write("16 minutes ahead", &request, &expected);
    let ahead = Request::new("PUT", &path).presign_with(&Signer::at(14 * 60)).body("x").send();
    table.status("14 minutes ahead", &ahead, 200);
}

#[test]
fn an_unknown_key() {
    let path = unique("unknown");
    let signer = Signer { access_key: "AKIDOTHER", ..Signer::default() };
    let request = Request::new("PUT", &path).presign_with(&signer).body("x");
    let message = "The AWS Access Key Id you provided does not exist in our records.";
    let expected = refusal(403, "InvalidAccessKeyId", message, &[("AWSAccessKeyId", "AKIDOTHER")]);
    let mut table = Table::default();
    table.refused_write("unknown", &request, &expected);
    table.refused_write(
        "and a header not signed",
        &request.clone().header("x-amz-acl", "private"),
        &expected,
    );
    let late = Request::new("PUT", &path).presign_with(&Signer { seconds: -700, ..signer }).body("x").send();
    table.check("expiry beats the key", late.element("Message").as_deref() == Some("Request has expired"));
    let signer = Signer { access_key: "key/with/slash", ..Signer::default() };
    let request = Request::new("PUT", &path).presign_with(&signer).body("x");
    let expected = refusal(403, "InvalidAccessKeyId", message, &[("AWSAccessKeyId", "key/with/slash")]);
    table.refused_write("a slash in the key", &request, &expected);
}

#[test]
fn a_token_for_a_lasting_key() {
    let signer = Signer { token: Some("not-a-token"), ..Signer::default() };
    let request = Request::new("PUT", &unique("token")).presign_with(&signer).body("x");
    let message = "The provided token is malformed or otherwise invalid.";
    let expected = refusal(400, "InvalidToken", message, &[("Token-0", "not-a-token")]);
    Table::default().refused_write("presigned", &request, &expected);
    let request = Request::new("PUT", &unique("token")).body("x").sign_with(&signer);
    Table::default().refused_write("in the header", &request, &expected);
}

#[test]
fn the_mismatch_shows_what_was_signed() {
    let path = unique("mismatch<&>'")
        .replace('<', "%3C")
        .replace('>', "%3E")
        .replace('&', "%26")
        .replace('\'', "%27");
    let request = Request::new("PUT", &path).presign();
    let signature = request.parameter("X-Amz-Signature").to_owned();
    let last = if signature.ends_with('0') { "1" } else { "0" };
    let wrong = format!("{}{last}", &signature[..63]);
    let request = request.set_parameter("X-Amz-Signature", &wrong).body("x");
    let (_, query) = request.target.split_once('?').expect("a query");
    let query = query.split("&X-Amz-Signature").next().expect("the other parameters");
    let canonical = format!("PUT\n{path}\n{query}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", request.value("host"));
    let date = request.parameter("X-Amz-Date").to_owned();
    let signed_at = (-20..=2).map(time_at).find(|time| iso_basic(*time) == date).expect("a moment ago");
    let text = string_to_sign(signed_at, &canonical);
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
    let (text_hex, canonical_hex) = (hex(&text), hex(&canonical));
    let elements = [
        ("AWSAccessKeyId", ACCESS_KEY),
        ("StringToSign", text.as_str()),
        ("SignatureProvided", wrong.as_str()),
        ("StringToSignBytes", text_hex.as_str()),
        ("CanonicalRequest", canonical.as_str()),
        ("CanonicalRequestBytes", canonical_hex.as_str()),
    ];
    Table::default().refused_write("last digit", &request, &Refusal { elements: &elements, ..MISMATCH_V4 });
}

#[test]
fn what_is_tampered_with_does_not_match() {
    let mut table = Table::default();
    let path = unique("tampered");
    let put = Request::new("PUT", &path).presign().body("x");
    let signature = put.parameter("X-Amz-Signature").to_owned();
    let upper = put.clone().set_parameter("X-Amz-Signature", &signature.to_uppercase());
    if upper.target != put.target {
        table.refused_write("upper-case hex", &upper, &MISMATCH_V4);
    }
    for value in ["", "0", &signature[..63], &format!("{signature}0"), "%C3%A9", "zz"] {
        let request = put.clone().set_parameter("X-Amz-Signature", value);
        table.refused_write(&format!("signature {value:?}"), &request, &MISMATCH_V4);
    }
    let other = put.clone().edit(&path, &format!("{path}2"));
    table.refused_write("another path", &other, &MISMATCH_V4);
    let longer = put.clone().set_parameter("X-Amz-Expires", "601");
    table.refused_write("a longer life", &longer, &MISMATCH_V4);
    let host = put.clone().set("Host", "elsewhere.example.org");
    table.refused("another host", &host.send(), &MISMATCH_V4);
    let wrong = Signer { secret_key: "another", ..Signer::default() };
    let wrong = Request::new("PUT", &path).presign_with(&wrong).body("x");
    table.refused_write("another secret", &wrong, &MISMATCH_V4);
    given(&path, "x");
    let mut method = Request::new("HEAD", &path).presign();
    method.method = "GET".to_owned();
    table.refused("the URL of a HEAD for a GET", &method.send(), &MISMATCH_V4);
    let mut method = Request::new("GET", &path).presign();
    method.method = "DELETE".to_owned();
    table.refused("the URL of a GET for a DELETE", &method.send(), &MISMATCH_V4);
    method.method = "HEAD".to_owned();
    let head = method.send();
    table.status("the URL of a GET for a HEAD", &head, 403);
    let late = Request::new("GET", &path).presign_with(&Signer::at(-601)).add_query("a=b").send();
    table.check("expiry beats a mismatch", late.element("Message").as_deref() == Some("Request has expired"));
}
