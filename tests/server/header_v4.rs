//! V4 in the `Authorization` header: its components, dates, payload hash, and one mechanism only.

use std::time::Duration;

use crate::check::{ANY, Case, MISMATCH_V4, NO_LENGTH, Refusal, Table, given, not_signed, refusal};
use crate::harness::{ACCESS_KEY, unique};
use crate::sign::{Sign as _, Signer, http_date, iso_basic, sha256_hex, time_at};
use crate::wire::Request;

const BODY: &str = "hello world";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn malformed<'a>(message: &'a str, elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(400, "AuthorizationHeaderMalformed", message, elements)
}

#[test]
fn the_scheme() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("scheme")).body(BODY).sign();
    let space = "Authorization header is invalid -- one and only one ' ' (space) required.";
    let unsupported = "Unsupported Authorization Type";
    let glued = put.value("authorization").replace(' ', "");
    for (value, message) in [
        ("AWS4-HMAC-SHA256", space),
        (glued.as_str(), space),
        ("AWS-HMAC-SHA25 Credential=a", unsupported),
        ("Bearer abc", unsupported),
        ("Basic dXNlcjpwYXNz", unsupported),
        ("AWS4-HMAC-SHA1 Credential=a", unsupported),
    ] {
        let elements = [("ArgumentName", "Authorization"), ("ArgumentValue", value)];
        let expected = refusal(400, "InvalidArgument", message, &elements);
        table.refused_write(value, &put.clone().set("Authorization", value), &expected);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_components() {
    const PREFIX: &str = "The authorization header is malformed; ";
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("components")).body(BODY).sign();
    let date = put.value("x-amz-date")[..8].to_owned();
    let (signature, scope) = (put.signature().to_owned(), format!("{date}/us-east-1/s3/aws4_request"));
    let list = "host;x-amz-content-sha256;x-amz-date";
    let three =
        "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
    let expecting =
        "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
    let with =
        |credential: &str| format!("Credential={credential},SignedHeaders={list},Signature={signature}");
    let region = &[("Region", "us-east-1")][..];
    let cases: Vec<Case<'_>> = vec![
        (format!("Credential={ACCESS_KEY}/{scope},SignedHeaders={list}"), three, &[]),
        (format!("Credential={ACCESS_KEY}/{scope}"), three, &[]),
        (format!("{},More=1", with(&format!("{ACCESS_KEY}/{scope}"))), three, &[]),
        (with(""), "the authorization component \"Credential=\" is malformed.", &[]),
        (
            format!("Credential,SignedHeaders={list},Signature={signature}"),
            "the authorization component \"Credential\" is malformed.",
            &[],
        ),
        (
            format!("Credentials=a/{scope},SignedHeaders={list},Signature={signature}"),
            "missing Credential.",
            &[],
        ),
        (format!("Credential=a/{scope},Headers={list},Signature={signature}"), "missing SignedHeaders.", &[]),
        (format!("Credential=a/{scope},SignedHeaders={list},Sign={signature}"), "missing Signature.", &[]),
        (with(ACCESS_KEY), expecting, &[]),
        (with(&format!("{date}/us-east-1/s3/aws4_request")), expecting, &[]),
        (
            with(&format!("/{scope}")),
            "a non-empty Access Key (AKID) must be provided in the credential.",
            &[],
        ),
        (
            with(&format!("{ACCESS_KEY}/x/us-east-1/s3/aws4_request")),
            "incorrect date format \"x\". This date in the credential must be in the format \"yyyyMMdd\".",
            &[],
        ),
        (
            with(&format!("{ACCESS_KEY}/{date}/eu-west-1/s3/aws4_request")),
            "the region 'eu-west-1' is wrong; expecting 'us-east-1'",
            region,
        ),
        (
            with(&format!("{ACCESS_KEY}/{date}/us-east-1/s2/aws4_request")),
            "incorrect service \"s2\". This endpoint belongs to \"s3\".",
            &[],
        ),
        (
            with(&format!("{ACCESS_KEY}/{date}/us-east-1/s3/x")),
            "incorrect terminal \"x\". This endpoint uses \"aws4_request\".",
            &[],
        ),
        (
            with(&format!("{ACCESS_KEY}/20060102/us-east-1/s3/aws4_request")),
            "Invalid credential date. Date is not the same as X-Amz-Date.",
            &[],
        ),
    ];
    for (value, message, elements) in cases {
        let message = format!("{PREFIX}{message}");
        let request = put.clone().set("Authorization", &format!("AWS4-HMAC-SHA256 {value}"));
        table.refused_write(&value, &request, &malformed(&message, elements));
    }
    let request = put
        .set("Authorization", &format!("AWS4-HMAC-SHA256 {}", with(&format!("a/{date}/eu/s3/aws4_request"))));
    table.check(
        "the region is in a header",
        request.send().header("x-amz-bucket-region") == Some("us-east-1"),
    );
}

#[test]
fn components_in_any_order_and_spacing() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("order")).body(BODY).sign();
    let value = put.value("authorization").trim_start_matches("AWS4-HMAC-SHA256 ").to_owned();
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        for separator in [",", ", ", " ,  "] {
            let value = order.map(|part| parts[part]).join(separator);
            let request = put.clone().set("Authorization", &format!("AWS4-HMAC-SHA256 {value}"));
            table.status(&value, &request.send(), 200);
        }
    }
}

#[test]
fn signatures_keys_and_headers() {
    let mut table = Table::default();
    let path = unique("signature");
    let put = Request::new("PUT", &path).header("x-amz-meta-a", "b").body(BODY).sign();
    table.refused_write("x-amz-meta-a absent", &put.clone().without("x-amz-meta-a"), &MISMATCH_V4);
    table.refused_write("x-amz-meta-a different", &put.clone().set("x-amz-meta-a", "c"), &MISMATCH_V4);
    let zeros = put.value("authorization").replace(put.signature(), &"0".repeat(64));
    table.refused_write("zeros", &put.clone().set("Authorization", &zeros), &MISMATCH_V4);
    let unsigned = not_signed(&[("HeadersNotSigned", "x-amz-acl")]);
    table.refused_write("a header not signed", &put.clone().header("x-amz-acl", "private"), &unsigned);
    let both = put.clone().set("Authorization", &zeros).header("x-amz-acl", "private");
    table.refused_write("that beats a mismatch", &both, &unsigned);
    let signer = Signer { access_key: "AKIDOTHER", ..Signer::default() };
    let elements = [("AWSAccessKeyId", "AKIDOTHER")];
    let message = "The AWS Access Key Id you provided does not exist in our records.";
    let unknown = Request::new("PUT", &path).body(BODY).sign_with(&signer);
    table.refused_write("unknown key", &unknown, &refusal(403, "InvalidAccessKeyId", message, &elements));
    let expected = refusal(403, "InvalidAccessKeyId", message, &elements);
    table.refused_write("and a header not signed", &unknown.header("x-amz-acl", "private"), &expected);
    let mut other = Request::new("PUT", &path).body(BODY).sign();
    other.target.push('2');
    table.refused_write("another path", &other, &MISMATCH_V4);
    table.refused_write("another query", &put.add_query("a=b"), &MISMATCH_V4);
}

#[test]
fn dates_that_are_none() {
    let mut table = Table::default();
    let message = "AWS authentication requires a valid Date or x-amz-date header";
    let expected = refusal(403, "AccessDenied", message, &[]);
    let put = Request::new("PUT", &unique("date")).body(BODY).sign();
    table.refused_write("no date", &put.clone().without("x-amz-date"), &expected);
    for value in ["", "tomorrow", "2024-01-02T03:04:05Z", "1704164645", "20241301T000000Z"] {
        table.refused_write(value, &put.clone().set("x-amz-date", value), &expected);
        table.refused_write(value, &put.clone().without("x-amz-date").header("Date", value), &expected);
    }
    let old = put.value("authorization").replace(&put.value("x-amz-date")[..8], "19691231");
    let old = put.clone().set("x-amz-date", "19691231T235959Z").set("Authorization", &old);
    table.refused_write("before 1970", &old, &expected);
}

#[test]
fn dates_near_and_far() {
    let mut table = Table::default();
    let path = unique("skew");
    let message = "The difference between the request time and the current time is too large.";
    for seconds in [-16 * 60, 16 * 60, -86_400 * 400, 86_400] {
        let put = Request::new("PUT", &path).body(BODY).sign_with(&Signer::at(seconds));
        let elements = [
            ("RequestTime", put.value("x-amz-date")),
            ("ServerTime", ANY),
            ("MaxAllowedSkewMilliseconds", "900000"),
        ];
        let expected = refusal(403, "RequestTimeTooSkewed", message, &elements);
        table.refused_write(&format!("{seconds} s"), &put, &expected);
        let time = put.send().element("ServerTime").unwrap_or_default();
        table.check(&format!("the server's time {time:?}"), time.len() == 20 && time.ends_with('Z'));
    }
    for seconds in [-14 * 60, 14 * 60] {
        let put = Request::new("PUT", &path).body(BODY).sign_with(&Signer::at(seconds));
        table.status(&format!("{seconds} s"), &put.send(), 200);
    }
}

#[test]
fn dated_by_date_alone() {
    let mut table = Table::default();
    let now = time_at(0);
    let offset = time::OffsetDateTime::from(now);
    let rfc850 = time::macros::format_description!(
        "[weekday], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] GMT"
    );
    let asctime = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    let format = |date: Result<String, _>| date.map_err(|_: time::error::Format| "a date").expect("a date");
    for date in
        [http_date(now), format(offset.format(rfc850)), format(offset.format(asctime)), iso_basic(now)]
    {
        let hash = sha256_hex(BODY.as_bytes());
        let path = unique("date-alone");
        let put = Request::new("PUT", &path).body(BODY);
        let host = put.value("host").to_owned();
        let folded = date.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines =
            [("date", folded.as_str()), ("host", host.as_str()), ("x-amz-content-sha256", hash.as_str())];
        let put = put.header("Date", &date).header("x-amz-content-sha256", &hash);
        let signed = put.clone().sign_by_hand(now, &lines, &hash);
        table.status(&date, &signed.send(), 200);
        // A date that nobody signed is a date all the same.
        let unsigned = put.sign_by_hand(now, &lines[1..], &hash);
        table.status(&format!("{date}, not signed"), &unsigned.send(), 200);
    }
    let late = now - Duration::from_secs(1000);
    let get = Request::new("GET", "/bucket1");
    let host = get.value("host").to_owned();
    let lines = [("host", host.as_str()), ("x-amz-content-sha256", EMPTY_SHA256)];
    let late_date = http_date(late);
    let get = get.header("Date", &late_date).header("x-amz-content-sha256", EMPTY_SHA256);
    let elements =
        [("RequestTime", late_date.as_str()), ("ServerTime", ANY), ("MaxAllowedSkewMilliseconds", "900000")];
    let message = "The difference between the request time and the current time is too large.";
    let expected = refusal(403, "RequestTimeTooSkewed", message, &elements);
    table.refused("late", &get.sign_by_hand(late, &lines, EMPTY_SHA256).send(), &expected);
    let put = Request::new("PUT", &unique("both-dates")).body(BODY).sign();
    table.status("x-amz-date beats Date", &put.header("Date", "Tue, 02 Jan 2001 03:04:05 GMT").send(), 200);
}

#[test]
fn payload_literals() {
    let mut table = Table::default();
    let hash = sha256_hex(BODY.as_bytes());
    for literal in ["UNSIGNED-PAYLOAD", &hash, &hash.to_uppercase()] {
        let put = Request::new("PUT", &unique("literal")).body(BODY).sign_with(&Signer::payload(literal));
        table.status(literal, &put.send(), 200);
    }
    let other = sha256_hex(b"other");
    let put = Request::new("PUT", &unique("literal")).body(BODY).sign_with(&Signer::payload(&other));
    let elements =
        [("ClientComputedContentSHA256", other.as_str()), ("S3ComputedContentSHA256", hash.as_str())];
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    table.refused_write("another hash", &put, &refusal(400, "XAmzContentSHA256Mismatch", message, &elements));
    let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
    for literal in ["invalid", "unsigned-payload", &hash[..63], "STREAMING-AWS4-HMAC-SHA256", &"g".repeat(64)]
    {
        let put = Request::new("PUT", &unique("literal")).body(BODY).sign_with(&Signer::payload(literal));
        let elements = [("ArgumentName", "x-amz-content-sha256"), ("ArgumentValue", literal)];
        table.refused_write(literal, &put, &refusal(400, "InvalidArgument", message, &elements));
    }
    for literal in
        ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"]
    {
        let put = Request::new("PUT", &unique("literal")).body(BODY).sign_with(&Signer::payload(literal));
        let response = put.send();
        table.status(literal, &response, 501);
        table.check(literal, response.element("Code").as_deref() == Some("NotImplemented"));
    }
}

#[test]
fn a_missing_payload_hash() {
    let mut table = Table::default();
    let message = "Missing required header for this request: x-amz-content-sha256";
    let expected = refusal(400, "InvalidRequest", message, &[]);
    let signer = Signer { payload_header: false, ..Signer::default() };
    let path = unique("missing");
    let put = Request::new("PUT", &path).body(BODY).sign_with(&signer);
    table.refused_write("PUT", &put, &expected);
    given(&path, BODY);
    for method in ["GET", "DELETE"] {
        let request = Request::new(method, &path).sign_with(&signer);
        table.refused(method, &request.send(), &expected);
    }
    table.refused("list", &Request::new("GET", "/").sign_with(&signer).send(), &expected);
}

#[test]
fn streaming_is_for_uploads() {
    let mut table = Table::default();
    let expected =
        refusal(400, "InvalidRequest", "The value of x-amz-content-sha256 header is invalid.", &[]);
    let path = unique("streaming");
    given(&path, BODY);
    for literal in [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ] {
        for (method, target) in [
            ("GET", path.clone()),
            ("DELETE", path.clone()),
            ("GET", "/".to_owned()),
            ("PUT", format!("{path}?acl=")),
            ("POST", "/bucket1?delete=".to_owned()),
        ] {
            let request = Request::new(method, &target).sign_with(&Signer::payload(literal));
            table.refused(&format!("{method} {target} {literal}"), &request.send(), &expected);
        }
        if literal.starts_with("STREAMING-AWS4-") {
            let message = "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.";
            let path = unique("anonymous");
            let put = Request::new("PUT", &path).header("x-amz-content-sha256", literal).body(BODY);
            let expected = refusal(400, "InvalidRequest", message, &[]);
            table.refused_write(&format!("anonymous {literal}"), &put, &expected);
        }
        for decoded in [None, Some("eleven"), Some("-1"), Some("1.0"), Some("")] {
            let mut put = Request::new("PUT", &unique("decoded"));
            if let Some(decoded) = decoded {
                put = put.header("x-amz-decoded-content-length", decoded);
            }
            let put = put.sign_with(&Signer::payload(literal)).body(BODY);
            table.refused_write(&format!("{literal} {decoded:?}"), &put, &NO_LENGTH);
        }
    }
}

#[test]
fn lengths_and_what_beats_them() {
    let mut table = Table::default();
    let none = Request::new("PUT", &unique("length")).sign();
    table.refused_write("no length", &none, &NO_LENGTH);
    let digest = Request::new("PUT", &unique("length")).header("Content-MD5", "junk").sign();
    table.refused_write("no length beats a bad digest", &digest, &NO_LENGTH);
    let junk = Request::new("PUT", &unique("length")).sign_with(&Signer::payload("junk")).send();
    table.check("junk beats no length", junk.element("ArgumentValue").as_deref() == Some("junk"));
    let signer = Signer { payload_header: false, ..Signer::default() };
    let missing = Request::new("PUT", &unique("length")).sign_with(&signer).send();
    table.check("so does no hash", missing.element("Code").as_deref() == Some("InvalidRequest"));
    let chunked = Request::new("PUT", &unique("length"))
        .sign_with(&Signer::payload("UNSIGNED-PAYLOAD"))
        .header("Transfer-Encoding", "chunked")
        .raw_body("b\r\nhello world\r\n0\r\n\r\n");
    let message = "A header you provided implies functionality that is not implemented";
    let expected = refusal(501, "NotImplemented", message, &[("Header", "Transfer-Encoding")]);
    table.refused_write("chunked by HTTP", &chunked, &expected);
}

#[test]
fn one_mechanism_only() {
    let mut table = Table::default();
    let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified";
    let put = Request::new("PUT", &unique("two")).body(BODY);
    let v2 = put.clone().presign_v2("PUT\n\n\n{}\n/", 600);
    for (case, request) in [
        ("V4 header and V4 query", put.clone().presign().sign()),
        ("V4 header and V2 query", v2.clone().sign()),
        ("V2 header and V4 query", put.clone().presign().sign_v2("x")),
        ("V2 header and V2 query", v2.clone().sign_v2("x")),
        ("Basic and V4 query", put.clone().presign().header("Authorization", "Basic dXNlcjpwYXNz")),
        ("Bearer and V2 query", v2.clone().header("Authorization", "Bearer abc")),
        (
            "V4 header and only X-Amz-Algorithm",
            put.clone().add_query("X-Amz-Algorithm=AWS4-HMAC-SHA256").sign(),
        ),
        ("V4 header and only Signature", put.clone().add_query("Signature=abc").sign()),
        ("both queries", v2.presign()),
    ] {
        let value = request.value("authorization").to_owned();
        let elements = [("ArgumentName", "Authorization"), ("ArgumentValue", value.as_str())];
        table.refused_write(case, &request, &refusal(400, "InvalidArgument", message, &elements));
    }
}
