//! Lifecycle rules against a store: what goes, and what has changed meanwhile and stays.

use super::*;
use crate::s3::lifecycle::Lifecycle;
use crate::store::Walk;
use crate::store::model::{Expired, Setting};

on_every_engine! {
    objects_go_when_their_time_has_come
    versions_and_markers_go_in_their_turn
    what_changed_meanwhile_stays
    pages_between_which_much_is_removed_keep_what_is_to_be_kept
    what_became_current_meanwhile_stays
}

fn rules(text: &str) -> Lifecycle {
    let document = format!("<LifecycleConfiguration>{text}</LifecycleConfiguration>");
    Lifecycle::parse(document.as_bytes()).expect("valid")
}

fn rule(inner: &str) -> String {
    format!("<Rule><Status>Enabled</Status>{inner}</Rule>")
}

/// Everything that has expired, found page by page.
async fn expired(store: &Store, rules: &Lifecycle, days: i64) -> Vec<Expired> {
    let now = now().plus_seconds(days * 86_400);
    let mut all = Vec::new();
    for prefix in rules.prefixes() {
        let mut walk = Some(Walk::below(prefix));
        while let Some(at) = walk.take() {
            let (found, next) = store.expired(&bucket(), rules, at, now).await.expect("found");
            all.extend(found);
            walk = next;
        }
    }
    all
}

async fn apply(store: &Store, rules: &Lifecycle, days: i64) -> usize {
    let found = expired(store, rules, days).await;
    remove(store, rules, found, days).await.expect("the rules hold")
}

/// Removes what was found, by rules that are the bucket's.
async fn remove(store: &Store, rules: &Lifecycle, found: Vec<Expired>, days: i64) -> Option<usize> {
    let document = rules.document();
    store.set_setting(bucket(), Setting::Lifecycle, Some(document)).await.expect("set");
    let revision = store.bucket(&bucket()).await.expect("there").revision;
    let now = now().plus_seconds(days * 86_400);
    store.remove_expired(bucket(), found, revision, now).await.expect("carried out")
}

async fn left(store: &Store) -> Vec<(String, Option<u64>)> {
    let selection = Selection { limit: 10_000, ..Selection::default() };
    let page = store.versions(&bucket(), selection.clone(), None).await.expect("a page");
    page.entries.into_iter().map(|(key, entry)| (key, entry.object.map(|object| object.size))).collect()
}

async fn objects_go_when_their_time_has_come(place: Place) {
    let store = place.store();
    create(store).await;
    let tagged = NewObject { tags: Tags::parse_header("keep=no").expect("valid"), ..new_object("b/tagged") };
    taken(store.put_object(tagged, checked(&body(1, 5)), now()).await).expect("put");
    for name in ["a/small", "b/plain", "c"] {
        put(store, name, &body(1, 5)).await;
    }
    put(store, "a/large", &body(1, 50)).await;
    let rules = rules(
        &(rule(
            "<Filter><And><Prefix>a/</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Expiration><Days>1</Days></Expiration>",
        ) + &rule(
            "<Filter><Tag><Key>keep</Key><Value>no</Value></Tag></Filter><Expiration><Days>2</Days></Expiration>",
        )),
    );
    assert_eq!(apply(store, &rules, 1).await, 0);
    assert_eq!(apply(store, &rules, 2).await, 1);
    assert_eq!(apply(store, &rules, 3).await, 1);
    assert_eq!(apply(store, &rules, 300).await, 0);
    let sizes = ["a/small", "b/plain", "c"].map(|name| (name.to_owned(), Some(5)));
    assert_eq!(left(store).await, sizes);
}

async fn versions_and_markers_go_in_their_turn(place: Place) {
    let store = place.store();
    create(store).await;
    store.set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    // More than two pages.
    for size in 1..=5 {
        put(store, "k", &body(1, size)).await;
    }
    for number in 0..2100 {
        put(store, &format!("l{number}"), &body(1, 1)).await;
    }
    let rules = rules(&rule(
        "<Filter><Prefix/></Filter><Expiration><Days>10</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
    ));
    assert_eq!(apply(store, &rules, 1).await, 0);
    assert_eq!(apply(store, &rules, 2).await, 2);
    let of_k = async |store: &Store| -> Vec<Option<u64>> {
        left(store).await.into_iter().filter(|(key, _)| key == "k").map(|(_, size)| size).collect()
    };
    assert_eq!(of_k(store).await, [Some(5), Some(4), Some(3)]);
    // Current objects go after a marker; two newer ones are still kept of each key.
    assert_eq!(apply(store, &rules, 11).await, 2101);
    assert_eq!(of_k(store).await, [None, Some(5), Some(4), Some(3)]);
    assert_eq!(apply(store, &rules, 13).await, 1);
    assert_eq!(of_k(store).await, [None, Some(5), Some(4)]);
    assert_eq!(left(store).await.len(), 2 * 2100 + 3);
}

async fn what_changed_meanwhile_stays(place: Place) {
    let store = place.store();
    create(store).await;
    put(store, "k", &body(1, 5)).await;
    let rules = rules(&rule("<Filter/><Expiration><Days>1</Days></Expiration>"));
    let found = expired(store, &rules, 2).await;
    assert_eq!(found.len(), 1);
    let later = now().plus_seconds(60);
    taken(store.put_object(new_object("k"), checked(&body(1, 6)), later).await).expect("put");
    assert_eq!(remove(store, &rules, found.clone(), 2).await, Some(0));
    // The rules that found it are others by now.
    let former = store.bucket(&bucket()).await.expect("there").revision;
    store.set_setting(bucket(), Setting::Lifecycle, None).await.expect("set");
    assert_eq!(store.remove_expired(bucket(), found, former, later).await.expect("carried out"), None);
    assert_eq!(read(store, "k").await, Some(body(1, 6)));
    // A marker with nothing after it goes; one with a version after it does not.
    store.set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    delete(store, &["k", "never"]).await;
    let lone = self::rules(&rule(
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
    ));
    assert_eq!(apply(store, &lone, 0).await, 1);
    assert_eq!(left(store).await, [("k".to_owned(), None), ("k".to_owned(), Some(6))]);
}

async fn pages_between_which_much_is_removed_keep_what_is_to_be_kept(place: Place) {
    let store = place.store();
    create(store).await;
    // The first page ends with the version `null` of "k", which is removed before the second.
    put(store, "k", &body(1, 1)).await;
    store.set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    for size in 2..=5 {
        put(store, "k", &body(1, size)).await;
    }
    for number in 0..995 {
        put(store, &format!("a{number:04}"), &body(1, 1)).await;
    }
    put(store, "z", &body(1, 1)).await;
    let rules = rules(&rule(
        "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
    ));
    let (mut walk, mut removed) = (Some(Walk::below("")), 0);
    while let Some(at) = walk.take() {
        let (found, next) =
            store.expired(&bucket(), &rules, at, now().plus_seconds(10 * 86_400)).await.expect("found");
        removed += remove(store, &rules, found, 10).await.expect("the rules hold");
        walk = next;
    }
    assert_eq!(removed, 1);
    let of_k: Vec<_> =
        left(store).await.into_iter().filter(|(key, _)| key == "k").map(|(_, size)| size).collect();
    assert_eq!(of_k, [Some(5), Some(4), Some(3), Some(2)]);
}

async fn what_became_current_meanwhile_stays(place: Place) {
    let store = place.store();
    create(store).await;
    store.set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    put(store, "k", &body(1, 5)).await;
    delete(store, &["k"]).await;
    let selection = Selection { limit: 1, ..Selection::default() };
    let page = store.versions(&bucket(), selection.clone(), None).await.expect("a page");
    let version = page.entries.first().map(|(_, entry)| entry.version);
    let rules = rules(&rule(
        "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
    ));
    let found = expired(store, &rules, 10).await;
    assert_eq!(found.len(), 1);
    let undelete = Deletion { key: key("k"), version, condition: WriteCondition::None };
    store.delete_object(bucket(), undelete, now()).await.expect("undeleted");
    assert_eq!(remove(store, &rules, found, 10).await, Some(0));
    assert_eq!(read(store, "k").await, Some(body(1, 5)));
}
