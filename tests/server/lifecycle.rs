//! Lifecycle rules: what is accepted, what is shown, and that objects go.

use std::time::{Duration, Instant};

use crate::check::Table;
use crate::harness::Server;
use crate::settings::configured;
use crate::sign::Sign as _;
use crate::versions::bucket;
use crate::wire::{Request, Response};

fn rule(inner: &str) -> String {
    format!("<Rule><Status>Enabled</Status>{inner}</Rule>")
}

fn put(path: &str, rules: &str) -> Response {
    let document = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    Request::new("PUT", &format!("{path}?lifecycle=")).document(document).sign().send()
}

#[test]
fn rules_are_kept_shown_and_removed() {
    let mut table = Table::default();
    let path = "/lifecycle-rules";
    bucket(path);
    let get = || Request::new("GET", &format!("{path}?lifecycle=")).sign().send();
    let none = get();
    table.status("before", &none, 404);
    table.check("its code", none.element("Code").as_deref() == Some("NoSuchLifecycleConfiguration"));
    table.check("its bucket", none.element("BucketName").is_some());
    let filter = "<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan></And></Filter>";
    let inner = format!("<ID>old</ID>{filter}<Expiration><Days>3</Days></Expiration>");
    table.status("put", &put(path, &rule(&inner)), 200);
    let shown = String::from_utf8_lossy(&get().body).into_owned();
    let expected = format!(
        "<Rule><ID>old</ID>{filter}<Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>"
    );
    table.check(&shown, shown.contains(&expected));
    // Objects that the rule is about say when they go; others say nothing.
    let store = |name: &str, tags: &str| {
        let request = Request::new("PUT", &format!("{path}/{name}")).header("x-amz-tagging", tags);
        request.body("ten bytes!").sign().send()
    };
    let told = store("a/b", "k=v");
    let expires = told.header("x-amz-expiration").unwrap_or_default().to_owned();
    let right =
        expires.starts_with("expiry-date=\"") && expires.ends_with(" 00:00:00 GMT\", rule-id=\"old\"");
    table.check(&format!("expiration {expires:?}"), right);
    let read = Request::new("GET", &format!("{path}/a/b")).sign().send();
    table.check("the same on a GET", read.header("x-amz-expiration") == Some(expires.as_str()));
    table.check("another prefix", store("b", "k=v").header("x-amz-expiration").is_none());
    table.check("another tag", store("a/c", "k=w").header("x-amz-expiration").is_none());
    let delete = Request::new("DELETE", &format!("{path}?lifecycle=")).sign().send();
    table.status("delete", &delete, 204);
    table.status("after", &get(), 404);
}

#[test]
fn rules_that_cannot_be() {
    let mut table = Table::default();
    let path = "/lifecycle-refused";
    bucket(path);
    let days = "<Filter/><Expiration><Days>1</Days></Expiration>";
    for (rules, status, code) in [
        (String::new(), 400, "MalformedXML"),
        (rule("<Filter/>"), 400, "InvalidRequest"),
        (rule("<Filter/><Expiration><Days>0</Days></Expiration>"), 400, "InvalidArgument"),
        (rule("<Filter/><Expiration><Date>2020-01-01T00:00:01Z</Date></Expiration>"), 400, "InvalidArgument"),
        (rule(&format!("<ID>a</ID>{days}")).repeat(2), 400, "InvalidArgument"),
        (format!("<Rule><Status>enabled</Status>{days}</Rule>"), 400, "MalformedXML"),
        (
            rule("<Filter/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
            501,
            "NotImplemented",
        ),
    ] {
        let response = put(path, &rules);
        table.status(&rules, &response, status);
        table.check(&format!("{rules}: {code}"), response.element("Code").as_deref() == Some(code));
    }
    let unsigned = Request::new("PUT", &format!("{path}?lifecycle=")).body("<a/>").sign().send();
    table.check("without a digest", unsigned.element("Code").as_deref() == Some("InvalidRequest"));
    let get = Request::new("GET", &format!("{path}?lifecycle=")).sign().send();
    table.status("nothing was kept", &get, 404);
}

#[test]
fn what_has_expired_goes() {
    let mut table = Table::default();
    let text = r#"
        buckets = ["lives"]
        lifecycle_interval = "1s"
        [[users]]
        id = "main"
        keys = [{ access_key = "AKIDEXAMPLE", secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }]
    "#;
    let server: Server = configured("lifecycle", text);
    let to = |method: &str, target: &str| Request::to(server.address, method, target);
    for name in ["old/one", "old/two", "new/one"] {
        let put = to("PUT", &format!("/lives/{name}")).body("x").sign().send();
        table.status(name, &put, 200);
    }
    let inner =
        "<Filter><Prefix>old/</Prefix></Filter><Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration>";
    let document = format!("<LifecycleConfiguration>{}</LifecycleConfiguration>", rule(inner));
    let put = to("PUT", "/lives?lifecycle=").document(document).sign().send();
    table.status("rules", &put, 200);
    let started = Instant::now();
    let exists = |name: &str| to("HEAD", &format!("/lives/{name}")).sign().send().status == 200;
    while (exists("old/one") || exists("old/two")) && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    table.check("what has expired is gone", !exists("old/one") && !exists("old/two"));
    table.check("what has not is there", exists("new/one"));
}
