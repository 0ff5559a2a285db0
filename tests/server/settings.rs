//! Servers with other settings: any region, a cap on lifetimes, domains of its own, several users; quotas.

use std::sync::OnceLock;

use crate::check::{Refusal, Table, refusal};
use crate::harness::{Server, start};
use crate::sign::{Sign as _, Signer};
use crate::wire::{Connection, Request, Response};

/// Starts a server with this file of settings.
pub fn configured(name: &str, text: &str) -> Server {
    let config =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.toml", std::process::id()));
    std::fs::write(&config, text).expect("a file");
    let started = start(name, &["--config", config.to_str().expect("UTF-8")]);
    let _ = std::fs::remove_file(&config);
    started
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let text = r#"
            region = "any"
            expires_max = "30d"
            domains = ["s3.example.org"]
            buckets = ["bucket1"]
            metrics_token = "measure"
            [[users]]
            id = "main"
            keys = [
                { access_key = "AKIDEXAMPLE", secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
                { access_key = "key/with/slash", secret_key = "s" },
            ]
            [[users]]
            id = "other"
            display_name = "Other"
            keys = [{ access_key = "AKIDOTHER", secret_key = "other" }]
        "#;
        configured("settings", text)
    })
}

fn to(method: &str, target: &str) -> Request {
    Request::to(server().address, method, target)
}

#[test]
fn any_region_any_user() {
    let mut table = Table::default();
    for region in ["us-east-1", "eu-central-1", "local", "auto"] {
        let signer = Signer { region, ..Signer::default() };
        let put = to("PUT", "/bucket1/region").presign_with(&signer).body("x");
        table.status(region, &put.send(), 200);
        table.status(region, &to("GET", "/bucket1/region").sign_with(&signer).send(), 200);
    }
    for (access_key, secret_key) in [("key/with/slash", "s"), ("AKIDOTHER", "other")] {
        let signer = Signer { access_key, secret_key, ..Signer::default() };
        table.status(access_key, &to("GET", "/bucket1").sign_with(&signer).send(), 200);
        table.status(access_key, &to("GET", "/bucket1").presign_with(&signer).send(), 200);
    }
    // Only in the first region may one's own bucket be made again.
    for (bucket, first, again) in [("/made-first", "", 200), ("/made-abroad", "eu-west-1", 409)] {
        let make = |region: &str| {
            let place = format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            );
            to("PUT", bucket).body(place).sign_with(&Signer { region: "auto", ..Signer::default() }).send()
        };
        table.status(bucket, &make(first), 200);
        table.status("again", &make(first), again);
        table.status("elsewhere", &make("ap-south-1"), 409);
    }
    let mixed = Signer { access_key: "AKIDOTHER", ..Signer::default() };
    table.status("the secret of another", &to("GET", "/bucket1").sign_with(&mixed).send(), 403);
}

#[test]
fn lifetimes_are_capped() {
    let mut table = Table::default();
    let month = 30 * 86_400;
    let within = Signer { expires: month, ..Signer::at(-8 * 86_400) };
    table.status("30 days", &to("GET", "/bucket1").presign_with(&within).send(), 200);
    let beyond = Signer { expires: month + 1, ..Signer::default() };
    let response = to("GET", "/bucket1").presign_with(&beyond).send();
    table.status("and a second", &response, 400);
    let code = response.element("Code");
    table.check("its code", code.as_deref() == Some("AuthorizationQueryParametersError"));
    let v2 = |seconds| to("GET", "/bucket1").presign_v2("GET\n\n\n{}\n/bucket1", seconds).send();
    table.status("V2 within", &v2(29 * 86_400), 200);
    let response = v2(31 * 86_400);
    table.status("V2 beyond", &response, 403);
    table.check("its code", response.element("Code").as_deref() == Some("AccessDenied"));
}

#[test]
fn domains_of_its_own() {
    let mut table = Table::default();
    let put = to("PUT", "/domain").set("Host", "bucket1.s3.example.org").presign().body("x");
    table.status("in the host", &put.send(), 200);
    let get = to("GET", "/bucket1/domain").set("Host", "s3.example.org").presign();
    table.status("by path", &get.send(), 200);
    let get = to("GET", "/bucket1/domain").set("Host", "other.example.org").presign();
    table.status("a host that is none of them", &get.send(), 200);
    let put = to("PUT", "/_presigned/health").set("Host", "bucket1.s3.example.org").presign().body("mine");
    table.status("a key like any other", &put.send(), 200);
    let get = to("GET", "/bucket1/_presigned/health").presign().send();
    table.check("its body", get.body == b"mine");
}

#[test]
fn metrics_are_for_who_knows_the_token() {
    let mut table = Table::default();
    table.status(
        "a request to count",
        &to("PUT", "/bucket1/counted").presign().body("twelve bytes").send(),
        200,
    );
    let metrics = || to("GET", "/_presigned/metrics");
    table.status("no token", &metrics().send(), 401);
    table.status("another token", &metrics().header("Authorization", "Bearer measured").send(), 401);
    table.status("a PUT", &to("PUT", "/_presigned/metrics").send(), 405);
    let response = metrics().header("Authorization", "Bearer measure").send();
    table.status("the token", &response, 200);
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let value = |sample: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
    };
    for (sample, least) in [
        ("presigned_requests_total{operation=\"PutObject\",status=\"2xx\"}", 1.0),
        ("presigned_request_seconds_count{operation=\"PutObject\"}", 1.0),
        ("presigned_received_bytes_total{operation=\"PutObject\"}", 12.0),
        ("presigned_commits_total", 2.0),
        ("presigned_damaged_blobs", 0.0),
        ("presigned_bucket_bytes{bucket=\"bucket1\"}", 12.0),
        ("presigned_bucket_versions{bucket=\"bucket1\"}", 1.0),
    ] {
        let found = value(sample);
        table.check(&format!("{sample}: {found:?}"), found.is_some_and(|found| found >= least));
    }
    let unset = Request::new("GET", "/_presigned/metrics").header("Authorization", "Bearer ").send();
    table.status("without a token in the configuration", &unset, 404);
}

/// The server whose buckets have quotas, one for each test.
fn limited() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let text = r#"
            buckets = ["objects", "versions", "uploads", "records", "free"]
            [quotas]
            # A record whose key has one letter takes up 133, and 31 more for the content type of an object.
            objects = "10328"
            versions = "10461"
            uploads = "12MiB"
            records = "2000"
            [[users]]
            id = "main"
            keys = [{ access_key = "AKIDEXAMPLE", secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }]
        "#;
        configured("quotas", text)
    })
}

fn exceeded<'a>(elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(403, "QuotaExceeded", "The bucket's quota does not allow an object of this size.", elements)
}

fn send(method: &str, target: &str) -> Response {
    Request::to(limited().address, method, target).sign().send()
}

fn store(target: &str, bytes: usize) -> Response {
    Request::to(limited().address, "PUT", target).body(vec![b'x'; bytes]).sign().send()
}

fn copy(target: &str, source: &str) -> Response {
    Request::to(limited().address, "PUT", target).header("x-amz-copy-source", source).sign().send()
}

#[test]
fn a_quota_limits_what_a_bucket_holds() {
    let mut table = Table::default();
    let elements = [("BucketName", "objects"), ("QuotaBytes", "10328")];
    let full = exceeded(&elements);
    table.status("6,000 bytes", &store("/objects/a", 6000), 200);
    table.refused("6,000 more", &store("/objects/b", 6000), &full);
    table.status("nothing is stored", &send("HEAD", "/objects/b"), 404);
    table.status("in another's place", &store("/objects/a", 8000), 200);
    table.status("up to the last byte", &store("/objects/b", 2000), 200);
    table.refused("one more", &store("/objects/c", 1), &full);
    table.refused("a record without a body", &store("/objects/c", 0), &full);
    table.refused("a copy", &copy("/objects/d", "/objects/b"), &full);
    table.status("a copy in another's place", &copy("/objects/a", "/objects/b"), 200);
    table.refused("6,000 and another record", &store("/objects/d", 6000), &full);
    table.status("5,800 now", &store("/objects/d", 5800), 200);
    table.status("deleted", &send("DELETE", "/objects/d"), 204);
    table.status("5,800 again", &store("/objects/d", 5800), 200);
    table.status("another bucket", &store("/free/a", 100_000), 200);
    table.refused("a copy from there", &copy("/objects/a", "/free/a"), &full);
    let large = Request::to(limited().address, "PUT", "/objects/e")
        .header("Expect", "100-continue")
        .sign_with(&Signer::payload("UNSIGNED-PAYLOAD"))
        .header("Content-Length", "10001");
    let mut connection = Connection::open(limited().address);
    connection.write(&large.head());
    table.refused("before the body is sent", &connection.response("PUT"), &full);
    // A body that does not end holds its room.
    table.status("deleted once more", &send("DELETE", "/objects/d"), 204);
    let begun = Request::to(limited().address, "PUT", "/objects/e")
        .sign_with(&Signer::payload("UNSIGNED-PAYLOAD"))
        .header("Content-Length", "5000");
    let mut connection = Connection::open(limited().address);
    connection.write(&[begun.head(), vec![b'x'; 10]].concat());
    let silent = connection.is_silent(std::time::Duration::from_millis(500));
    assert!(silent, "{}", connection.response("PUT").text());
    table.refused("beside it", &store("/objects/f", 2000), &full);
    drop(connection);
    let began = std::time::Instant::now();
    while store("/objects/f", 2000).status != 200 && began.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    table.status("when it is gone", &store("/objects/f", 2000), 200);
}

#[test]
fn a_quota_counts_versions() {
    let mut table = Table::default();
    let elements = [("BucketName", "versions"), ("QuotaBytes", "10461")];
    let full = exceeded(&elements);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let request = Request::to(limited().address, "PUT", "/versions?versioning=").document(enabled);
    table.status("versioning", &request.sign().send(), 200);
    table.status("6,000 bytes", &store("/versions/a", 6000), 200);
    table.refused("6,000 in their place", &store("/versions/a", 6000), &full);
    let small = store("/versions/a", 4000);
    table.status("4,000 in their place", &small, 200);
    let small = small.header("x-amz-version-id").expect("a version").to_owned();
    let marker = send("DELETE", "/versions/a");
    table.check("a marker", marker.status == 204 && marker.header("x-amz-delete-marker").is_some());
    table.refused("a marker frees nothing", &store("/versions/b", 1), &full);
    let gone = send("DELETE", &format!("/versions/a?versionId={small}"));
    table.status("a version is removed", &gone, 204);
    table.status("4,000 in another place", &store("/versions/b", 4000), 200);
}

/// Tags, and markers that hide nothing, are records like any other; 18 MB of them went into a bucket of 400 KB.
#[test]
fn a_quota_counts_what_has_no_body() {
    let mut table = Table::default();
    let elements = [("BucketName", "records"), ("QuotaBytes", "2000")];
    let full = exceeded(&elements);
    let document =
        |target: &str, text: &str| Request::to(limited().address, "PUT", target).document(text).sign().send();
    table.status("an object", &store("/records/a", 1400), 200);
    let tags = |length| {
        format!(
            "<Tagging><TagSet><Tag><Key>k</Key><Value>{}</Value></Tag></TagSet></Tagging>",
            "v".repeat(length)
        )
    };
    let stored = document("/records/a?tagging=", &tags(100));
    table.status("a few tags", &stored, 200);
    table.status("a record more", &store("/records/b", 100), 200);
    table.refused("too many tags", &document("/records/a?tagging=", &tags(256)), &full);
    table.status("fewer tags", &document("/records/a?tagging=", &tags(50)), 200);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    table.status("versioning", &document("/records?versioning=", enabled), 200);
    table.status("a marker before an object", &send("DELETE", "/records/a"), 204);
    let second = send("DELETE", "/records/a");
    let elements = [("BucketName", "records"), ("QuotaBytes", "2000")];
    table.refused("a marker before a marker", &second, &exceeded(&elements));
    table.refused("a marker before nothing", &send("DELETE", "/records/c"), &exceeded(&elements));
}

#[test]
fn a_quota_counts_parts() {
    let mut table = Table::default();
    let elements = [("BucketName", "uploads"), ("QuotaBytes", "12582912")];
    let full = exceeded(&elements);
    let create = || {
        let created = send("POST", "/uploads/key?uploads=").expect(200);
        created.element("UploadId").expect("an id")
    };
    let part = |id: &str, number: u32| {
        store(&format!("/uploads/key?partNumber={number}&uploadId={id}"), 5 * 1024 * 1024)
    };
    let (first, second) = (create(), create());
    let etags = [1, 2].map(|number| {
        let stored = part(&first, number).expect(200);
        stored.header("etag").expect("a tag").to_owned()
    });
    table.refused("a part too many", &part(&second, 1), &full);
    table.refused("an object beside them", &store("/uploads/other", 3 * 1024 * 1024), &full);
    let named = |(number, etag): (usize, &String)| {
        format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", number + 1)
    };
    let parts: String = etags.iter().enumerate().map(named).collect();
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let target = format!("/uploads/key?uploadId={first}");
    let complete = Request::to(limited().address, "POST", &target).body(document).sign();
    table.status("completed", &complete.send(), 200);
    table.refused("still too many", &part(&second, 1), &full);
    table.status("the object is removed", &send("DELETE", "/uploads/key"), 204);
    for number in [1, 2] {
        table.status("a part", &part(&second, number), 200);
    }
    table.status("aborted", &send("DELETE", &format!("/uploads/key?uploadId={second}")), 204);
    table.status("room again", &store("/uploads/other", 3 * 1024 * 1024), 200);
}
