//! Lifecycle documents: they come back as they were put, and the first rule that matches is the one that is named.

use crate::check::{MALFORMED_XML, Table, refusal};
use crate::sign::Sign as _;
use crate::versions::{bucket, of, put as store, versioned};
use crate::wire::{Request, Response};

const SIZE: &str = "x-amz-transition-default-minimum-object-size";
const DAYS: &str = "<Expiration><Days>7</Days></Expiration>";

fn rule(id: &str, inner: &str) -> String {
    format!("<Rule><ID>{id}</ID>{inner}<Status>Enabled</Status></Rule>")
}

fn put(path: &str, rules: &str, headers: &[(&str, &str)]) -> Response {
    let document = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    let request = Request::new("PUT", &format!("{path}?lifecycle=")).headers(headers);
    request.document(document).sign().send()
}

fn get(path: &str) -> Response {
    Request::new("GET", &format!("{path}?lifecycle=")).sign().send()
}

/// The rule that an answer says an object goes by.
fn rule_of(response: &Response) -> Option<&str> {
    let (_, id) = response.header("x-amz-expiration")?.split_once("rule-id=\"")?;
    id.strip_suffix('"')
}

/// Recorded: test_s3_transition_default_minimum_object_size, and the GET of every other lifecycle test.
#[test]
fn a_minimum_size_is_kept() {
    let mut table = Table::default();
    let path = "/answers-lifecycle-size";
    bucket(path);
    let rules = rule("wholebucket", &format!("<Filter><Prefix></Prefix></Filter>{DAYS}"));
    let message = "Invalid TransitionDefaultMinimumObjectSize found: value";
    let refused = put(path, &rules, &[(SIZE, "value")]);
    table.refused("at first", &refused, &refusal(400, "InvalidRequest", message, &[]));
    let none = get(path);
    table.status("nothing was kept", &none, 404);
    table.check("nothing to say", none.header(SIZE).is_none());
    let all = "all_storage_classes_128K";
    for (sent, kept) in [
        (None, all),
        (Some("varies_by_storage_class"), "varies_by_storage_class"),
        (None, all),
        (Some(all), all),
    ] {
        let headers: Vec<_> = sent.map(|sent| (SIZE, sent)).into_iter().collect();
        let stored = put(path, &rules, &headers);
        table.status(&format!("{sent:?}"), &stored, 200);
        for (case, response) in [("PUT", &stored), ("GET", &get(path))] {
            let found = response.header(SIZE);
            table.check(&format!("{case} after {sent:?}: {found:?}"), found == Some(kept));
        }
    }
    table.status("varies", &put(path, &rules, &[(SIZE, "varies_by_storage_class")]), 200);
    for value in ["value", "ALL_STORAGE_CLASSES_128K", "all_storage_classes_128k", "128K"] {
        let message = format!("Invalid TransitionDefaultMinimumObjectSize found: {value}");
        let refused = put(path, &rules, &[(SIZE, value)]);
        table.refused(value, &refused, &refusal(400, "InvalidRequest", &message, &[]));
    }
    table.check("it stays", get(path).header(SIZE) == Some("varies_by_storage_class"));
    Request::new("DELETE", &format!("{path}?lifecycle=")).sign().send().expect(204);
    table.status("after its end", &put(path, &rules, &[]), 200);
    table.check("it is forgotten", get(path).header(SIZE) == Some(all));
}

/// Recorded: test_bucket_lifecycle_multiple_rules. Inferred: names in other orders, and sizes and tags.
#[test]
fn the_first_rule_is_named() {
    let mut table = Table::default();
    let path = "/answers-lifecycle-first";
    bucket(path);
    let prefix =
        |id: &str, prefix: &str| rule(id, &format!("<Filter><Prefix>{prefix}</Prefix></Filter>{DAYS}"));
    let ask = |key: &str| {
        let stored = Request::new("PUT", &format!("{path}/{key}")).header("x-amz-tagging", "k=v");
        let stored = stored.body("test").sign().send().expect(200);
        let [head, read] = ["HEAD", "GET"]
            .map(|method| Request::new(method, &format!("{path}/{key}")).sign().send().expect(200));
        [stored, head, read].map(|response| rule_of(&response).map(str::to_owned))
    };
    let recorded = [prefix("rule_one", "testobject"), prefix("rule_two", "test"), prefix("rule_three", "t")];
    let whole = |id: &str| rule(id, &format!("<Filter/>{DAYS}"));
    let tag = |id: &str| rule(id, &format!("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>{DAYS}"));
    let small =
        |id: &str| rule(id, &format!("<Filter><ObjectSizeLessThan>10</ObjectSizeLessThan></Filter>{DAYS}"));
    for (rules, key, expected) in [
        (recorded.concat(), "testobject-expiry", Some("rule_one")),
        (recorded.concat(), "test-one-rule", Some("rule_two")),
        (recorded.concat(), "t", Some("rule_three")),
        (recorded.concat(), "no-rules", None),
        (whole("z") + &whole("a"), "key", Some("z")),
        (whole("a") + &whole("z"), "key", Some("a")),
        (tag("z") + &prefix("m", "k") + &small("a"), "key", Some("z")),
        (small("m") + &tag("z") + &prefix("a", "k"), "key", Some("m")),
        (prefix("b", "other") + &small("z") + &whole("a"), "key", Some("z")),
        (whole("10") + &whole("9"), "key", Some("10")),
    ] {
        table.status(&rules, &put(path, &rules, &[]), 200);
        for found in ask(key) {
            table.check(
                &format!("{key}: {found:?}, not {expected:?} of {rules}"),
                found.as_deref() == expected,
            );
        }
    }
}

/// Documented: of two expirations the earlier one holds, wherever it stands. Recorded:
/// test_lifecycle_expired_object_delete_marker (a rule for markers says nothing of an object).
#[test]
fn an_earlier_end_goes_first() {
    let mut table = Table::default();
    let path = "/answers-lifecycle-earlier";
    bucket(path);
    let days =
        |id: &str, days: u32| rule(id, &format!("<Filter/><Expiration><Days>{days}</Days></Expiration>"));
    let marker = rule(
        "marker",
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
    );
    for (rules, expected) in [
        (days("late", 9) + &days("early", 3), Some("early")),
        (days("early", 3) + &days("late", 9), Some("early")),
        (marker.clone() + &days("late", 9), Some("late")),
        (marker, None),
    ] {
        table.status(&rules, &put(path, &rules, &[]), 200);
        let stored = Request::new("PUT", &format!("{path}/key")).body("x").sign().send();
        let found = rule_of(&stored);
        table.check(&format!("{found:?} of {rules}"), found == expected);
    }
}

/// Recorded: test_bucket_lifecycle_configuration_object_expiry_versioned: an answer about a version that was named
/// says nothing of an end, not even of the current one's.
#[test]
fn named_versions_say_nothing() {
    let mut table = Table::default();
    let name = "/answers-lifecycle-versions";
    versioned(name);
    let noncurrent =
        "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    let rules = rule("rule2", &format!("<Filter/>{DAYS}{noncurrent}"));
    table.status("put", &put(name, &rules, &[]), 200);
    let path = format!("{name}/key");
    let ids = [store(&path, "old"), store(&path, "new")];
    for method in ["HEAD", "GET"] {
        let send = |target: &str| Request::new(method, target).sign().send().expect(200);
        table.check(&format!("{method}, current"), rule_of(&send(&path)) == Some("rule2"));
        for id in &ids {
            let found = send(&of(&path, id));
            table.check(&format!("{method} {id}: {:?}", rule_of(&found)), rule_of(&found).is_none());
        }
    }
}

/// Recorded: test_bucket_lifecycle_configuration_date and five more (`<Filter/>`), test_delete_bucket_lifecycle_configuration
/// (an empty prefix), test_bucket_lifecycle_tag_rules, test_bucket_lifecycle_object_size_rules. Inferred: the rest.
#[test]
fn documents_come_back() {
    let mut table = Table::default();
    let path = "/answers-lifecycle-documents";
    bucket(path);
    let tag = "<Tag><Key>testlifecycle</Key><Value>positive</Value></Tag>";
    let other = "<Tag><Key>a</Key><Value></Value></Tag>";
    for filter in [
        "<Filter/>".to_owned(),
        "<Filter><Prefix></Prefix></Filter>".to_owned(),
        "<Filter><Prefix>a/b c</Prefix></Filter>".to_owned(),
        format!("<Filter>{tag}</Filter>"),
        "<Filter><ObjectSizeGreaterThan>20</ObjectSizeGreaterThan></Filter>".to_owned(),
        "<Filter><ObjectSizeLessThan>10</ObjectSizeLessThan></Filter>".to_owned(),
        format!("<Filter><And>{tag}{other}</And></Filter>"),
        format!("<Filter><And><Prefix></Prefix>{other}{tag}</And></Filter>"),
        format!(
            "<Filter><And><Prefix>p</Prefix>{tag}<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>"
        ),
        "<Prefix></Prefix>".to_owned(),
        "<Prefix>old</Prefix>".to_owned(),
    ] {
        let rules = rule("second", &format!("{filter}{DAYS}")) + &rule("first", &format!("{filter}{DAYS}"));
        table.status(&filter, &put(path, &rules, &[]), 200);
        let found = get(path).expect(200);
        let shown = found.elements("Rule");
        // An empty element has two spellings.
        let spelled = [filter.clone(), filter.replace("<Prefix></Prefix>", "<Prefix/>")];
        for (rule, id) in shown.iter().zip(["second", "first"]) {
            let right = spelled.iter().any(|filter| rule.contains(filter))
                && (filter.contains("Prefix") || !rule.contains("Prefix"))
                && [format!("<ID>{id}</ID>").as_str(), DAYS, "<Status>Enabled</Status>"]
                    .iter()
                    .all(|part| rule.contains(*part));
            table.check(&format!("{filter}: {rule}"), right);
        }
        table.check(&format!("{filter}: two rules"), shown.len() == 2);
    }
}

/// Recorded: test_put_bucket_lifecycle_conf_exc.
#[test]
fn rules_that_are_refused() {
    let mut table = Table::default();
    let path = "/answers-lifecycle-refused";
    bucket(path);
    let tags = |first: &str, second: &str| {
        let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let tags = tag(first, "positive") + &tag(second, "positive-two");
        rule("tags", &format!("<Filter><And>{tags}</And></Filter>{DAYS}"))
    };
    let twice = refusal(400, "InvalidRequest", "Duplicate Tag Keys are not allowed.", &[]);
    table.refused("a tag twice", &put(path, &tags("testlifecycle", "testlifecycle"), &[]), &twice);
    table.refused(
        "in the second rule",
        &put(path, &(tags("a", "b").replace("tags", "other") + &tags("k", "k")), &[]),
        &twice,
    );
    table.status("two tags", &put(path, &tags("k", "K"), &[]), 200);
    for (case, inner) in [
        ("no filter", DAYS.to_owned()),
        ("nothing for old versions", format!("<Filter/>{DAYS}<NoncurrentVersionExpiration/>")),
        ("two filters", format!("<Filter><And><Prefix>test</Prefix></And><Prefix></Prefix></Filter>{DAYS}")),
        (
            "a size and a prefix",
            format!("<Filter><ObjectSizeGreaterThan>500</ObjectSizeGreaterThan><Prefix></Prefix></Filter>{DAYS}"),
        ),
        (
            "days and markers",
            "<Filter/><Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>".to_owned(),
        ),
    ] {
        table.refused(case, &put(path, &rule("id", &inner), &[]), &MALFORMED_XML);
    }
    let date = rule("id", "<Filter/><Expiration><Date>2023-01-01T02:02:00Z</Date></Expiration>");
    let response = put(path, &date, &[]);
    let right = response.status == 400
        && response.element("Code").as_deref() == Some("InvalidArgument")
        && response.element("Message").as_deref() == Some("'Date' must be at midnight GMT")
        && response.element("ArgumentName").as_deref() == Some("Date")
        && response.element("ArgumentValue").is_some();
    table.check(&format!("not at midnight: {}", response.text()), right);
}
