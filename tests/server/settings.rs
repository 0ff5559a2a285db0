//! A server with other settings: any region, a cap on lifetimes, domains of its own, several users.

use std::sync::OnceLock;

use crate::check::Table;
use crate::harness::{Server, start};
use crate::sign::{Sign as _, Signer};
use crate::wire::Request;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let config = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("settings-{}.toml", std::process::id()));
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
        std::fs::write(&config, text).expect("a file");
        let started = start("settings", &["--config", config.to_str().expect("UTF-8")]);
        let _ = std::fs::remove_file(&config);
        started
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
