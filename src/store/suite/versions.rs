//! Versions: what is kept, in which order, and what becomes current.

use super::*;
use crate::s3::name::VersionId;
use crate::store::model::{ListedVersion, Versioning};

on_every_engine! {
    what_is_replaced_is_kept_and_comes_back
    suspended_there_is_one_null
    keys_beside_each_other_keep_to_themselves
    quotas_count_everything_a_bucket_holds
    quotas_count_what_is_no_body
}

async fn versioned(place: Place, versioning: Versioning) -> Place {
    create(place.store()).await;
    place.store().set_versioning(bucket(), versioning).await.expect("set");
    place
}

/// All versions, found page by page: key, `null` or not, latest or not, size unless it is a marker.
async fn listed(store: &Store, limit: usize) -> Vec<(String, bool, bool, Option<u64>)> {
    let mut selection = Selection { limit, ..Selection::default() };
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let page = store.versions(&bucket(), selection.clone(), after).await.expect("a page");
        assert!(page.entries.len() <= limit);
        after = page.entries.last().map(|(_, entry)| entry.version);
        all.extend(page.entries.into_iter().map(|(key, entry)| {
            let null = entry.version == VersionId::NULL;
            (key, null, entry.is_latest, entry.object.map(|object| object.size))
        }));
        match page.next {
            Some(next) => selection.after = Some(next),
            None => return all,
        }
    }
}

async fn of_key(store: &Store, name: &str) -> Vec<ListedVersion> {
    let selection = Selection { limit: 1000, ..Selection::default() };
    let page = store.versions(&bucket(), selection.clone(), None).await.expect("a page");
    page.entries.into_iter().filter(|(key, _)| key == name).map(|(_, entry)| entry).collect()
}

async fn delete_version(store: &Store, name: &str, version: VersionId) {
    let deletion = Deletion { key: key(name), version: Some(version), condition: WriteCondition::None };
    store.delete_object(bucket(), deletion, now()).await.expect("deleted");
}

async fn what_is_replaced_is_kept_and_comes_back(mut place: Place) {
    create(place.store()).await;
    put(place.store(), "k", &body(1, 30_000)).await;
    place.store().set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    let second = put(place.store(), "k", &body(2, 40_000)).await;
    put(place.store(), "k", &body(3, 30)).await;
    delete(place.store(), &["k"]).await;
    let row = |null, latest, size| ("k".to_owned(), null, latest, size);
    let expected = [
        row(false, true, None),
        row(false, false, Some(30)),
        row(false, false, Some(40_000)),
        row(true, false, Some(30_000)),
    ];
    for limit in 1..=5 {
        assert_eq!(listed(place.store(), limit).await, expected, "{limit}");
    }
    assert!(
        place
            .store()
            .list(&bucket(), Selection { limit: 9, ..Selection::default() })
            .await
            .expect("a page")
            .entries
            .is_empty()
    );
    let named = ObjectName { version: second.version, ..object_name("k") };
    let object = place.store().object(&named).await.expect("there");
    assert_eq!(read_body(place.store(), &object).await, body(2, 40_000));
    assert!(matches!(
        place.store().object(&object_name("k")).await,
        Err(Error::DeleteMarker { named: false, .. })
    ));
    assert_eq!(place.problems(), []);

    // Without the marker the newest object is the current one again.
    let versions = of_key(place.store(), "k").await;
    delete_version(place.store(), "k", versions[0].version).await;
    assert_eq!(read(place.store(), "k").await, Some(body(3, 30)));
    delete_version(place.store(), "k", versions[1].version).await;
    delete_version(place.store(), "k", versions[2].version).await;
    assert_eq!(read(place.store(), "k").await, Some(body(1, 30_000)));
    assert_eq!(listed(place.store(), 10).await, [row(true, true, Some(30_000))]);
    place.settle(1).await;
    delete_version(place.store(), "k", VersionId::NULL).await;
    place.settle(0).await;
    assert_eq!(listed(place.store(), 10).await, []);
    assert_eq!(place.problems(), []);
}

async fn suspended_there_is_one_null(place: Place) {
    let mut place = versioned(place, Versioning::Enabled).await;
    put(place.store(), "k", &body(1, 20_000)).await;
    place.store().set_versioning(bucket(), Versioning::Suspended).await.expect("set");
    put(place.store(), "k", &body(2, 20_001)).await;
    put(place.store(), "k", &body(3, 20_002)).await;
    let row = |null, latest, size| ("k".to_owned(), null, latest, size);
    assert_eq!(
        listed(place.store(), 1).await,
        [row(true, true, Some(20_002)), row(false, false, Some(20_000))]
    );
    delete(place.store(), &["k"]).await;
    delete(place.store(), &["k"]).await;
    assert_eq!(listed(place.store(), 1).await, [row(true, true, None), row(false, false, Some(20_000))]);
    place.settle(1).await;
    // Switched on again, the marker is kept as a version like others.
    place.store().set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    put(place.store(), "k", &body(4, 5)).await;
    let expected = [row(false, true, Some(5)), row(true, false, None), row(false, false, Some(20_000))];
    assert_eq!(listed(place.store(), 2).await, expected);
    assert_eq!(place.problems(), []);
    // And suspended once more, it gives way wherever it is.
    place.store().set_versioning(bucket(), Versioning::Suspended).await.expect("set");
    put(place.store(), "k", &body(5, 6)).await;
    let expected = [row(true, true, Some(6)), row(false, false, Some(5)), row(false, false, Some(20_000))];
    assert_eq!(listed(place.store(), 2).await, expected);
    assert_eq!(place.problems(), []);
    assert!(matches!(place.store().delete_bucket(bucket()).await, Err(Error::BucketNotEmpty)));
}

async fn keys_beside_each_other_keep_to_themselves(place: Place) {
    let place = versioned(place, Versioning::Enabled).await;
    let store = place.store();
    for name in ["a", "a/b", "a\u{1}", "ab"] {
        put(store, name, &body(1, 1)).await;
        put(store, name, &body(2, 2)).await;
    }
    delete(store, &["a", "ab"]).await;
    let mut expected = Vec::new();
    for name in ["a", "a\u{1}", "a/b", "ab"] {
        let deleted = matches!(name, "a" | "ab");
        expected.extend(deleted.then(|| (name.to_owned(), false, true, None)));
        expected.push((name.to_owned(), false, !deleted, Some(2)));
        expected.push((name.to_owned(), false, false, Some(1)));
    }
    for limit in 1..=expected.len() {
        assert_eq!(listed(store, limit).await, expected, "{limit}");
    }
    let selection = Selection { delimiter: "/".into(), limit: 100, ..Selection::default() };
    let page = store.versions(&bucket(), selection.clone(), None).await.expect("a page");
    assert_eq!(page.prefixes, ["a/"]);
    assert_eq!(page.entries.len(), expected.len() - 2);
    let selection = Selection { limit: 100, ..Selection::default() };
    let page = store.list(&bucket(), selection.clone()).await.expect("a page");
    let keys: Vec<&str> = page.entries.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a\u{1}", "a/b"]);
}

async fn quotas_count_everything_a_bucket_holds(place: Place) {
    create(place.store()).await;
    // What a record takes up whose key has one letter.
    const RECORD: u64 = 128 + 4 + 1;
    let quota = 50_000 + 2 * RECORD;
    let mut place = place.with_quota(quota);
    create(place.store()).await;
    let store = place.store();
    put(store, "k", &body(1, 40_000)).await;
    assert!(matches!(
        put_if(store, "l", &body(1, 10_001), WriteCondition::None).await,
        Err(Error::QuotaExceeded { quota: found }) if found == quota
    ));
    // What it replaces does not count, unless it is kept.
    put(store, "k", &body(2, 50_000)).await;
    put(store, "k", &body(2, 30_000)).await;
    let id = start_upload(store, "u", 1).await;
    put_part(store, "u", id, 1, &body(1, 15_000)).await;
    // In its own place there is room for as much again.
    put_part(store, "u", id, 1, &body(2, 15_000)).await;
    assert!(put_if(store, "l", &body(1, 5_001), WriteCondition::None).await.is_err());
    store.abort_upload(named("u", id), now()).await.expect("aborted");
    store.set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    assert!(put_if(store, "k", &body(1, 30_000), WriteCondition::None).await.is_err());
    put(store, "k", &body(1, 20_000)).await;
    let usage = store.usage(&bucket()).await.expect("counted");
    assert_eq!((usage.versions, usage.bytes, usage.record_bytes), (2, 50_000, 2 * RECORD));
    // Of the version `null` there is one, wherever it stands.
    store.set_versioning(bucket(), Versioning::Suspended).await.expect("set");
    put(store, "k", &body(1, 30_000)).await;
    assert!(put_if(store, "k", &body(1, 30_001), WriteCondition::None).await.is_err());
    assert_eq!(place.problems(), []);
}

/// Metadata of uploads, delete markers, and bodies that are still to come were not counted.
async fn quotas_count_what_is_no_body(place: Place) {
    create(place.store()).await;
    let mut place = place.with_quota(100_000);
    create(place.store()).await;
    let store = place.store();
    let start = |id: u8| {
        let value = "x".repeat(28_000);
        let upload = Upload {
            metadata: Metadata::from_stored(vec![("cache-control".to_owned(), value)]),
            ..upload("u", id)
        };
        store.create_upload(bucket(), upload)
    };
    for id in 1..=3 {
        start(id).await.expect("started");
    }
    assert!(matches!(start(4).await, Err(Error::QuotaExceeded { .. })));
    // A body that is under way counts, until it comes no more.
    let under_way = tokio::spawn({
        let store = store.clone();
        async move { store.put_object(new_object("k"), waiting(10_000), now()).await }
    });
    tokio::task::yield_now().await;
    assert!(put_if(store, "k", &body(1, 10_000), WriteCondition::None).await.is_err());
    under_way.abort();
    assert!(under_way.await.is_err());
    put(store, "k", &body(1, 10_000)).await;
    delete(store, &["k"]).await;
    store.set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    let before = store.usage(&bucket()).await.expect("counted").record_bytes;
    delete(store, &["k"]).await;
    assert_eq!(store.usage(&bucket()).await.expect("counted").record_bytes, before + 133);
    assert_eq!(place.problems(), []);
}
