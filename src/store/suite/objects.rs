//! Objects: bodies, conditions, copies.

use super::*;
use crate::s3::condition::Conditions;
use crate::store::model::Copy;

on_every_engine! {
    bodies_of_every_size_come_back
    any_key_goes
    what_is_replaced_or_deleted_leaves_no_file
    a_reader_sees_its_object_whole_whatever_happens
    conditions_are_decided_with_the_write
    copies_share_blobs_and_count_them
    copies_are_of_what_was_decided_of
}

async fn bodies_of_every_size_come_back(place: Place) {
    let store = place.store();
    create(store).await;
    let sizes = [0, 1, 16 * 1024, 16 * 1024 + 1, 128 * 1024, 128 * 1024 + 1, MIB, MIB + 1, 9 * MIB + 4097];
    for size in sizes {
        let written = put(store, &format!("k{size}"), &body(size as u64, size)).await;
        assert_eq!(written.size, size as u64);
    }
    for size in sizes {
        assert_eq!(read(store, &format!("k{size}")).await, Some(body(size as u64, size)), "{size}");
    }
}

async fn any_key_goes(place: Place) {
    create(place.store()).await;
    let long = "k".repeat(1024);
    let names = ["a", "a/b", "a/", "//", "..", "../x", "/", "a b+%", "\u{65e5}\u{672c}", "\u{1}", &long];
    for (seed, name) in names.iter().enumerate() {
        put(place.store(), name, &body(seed as u64, 20_000)).await;
    }
    for (seed, name) in names.iter().enumerate() {
        assert_eq!(read(place.store(), name).await, Some(body(seed as u64, 20_000)), "{name}");
    }
    let selection = Selection { limit: 1000, ..Selection::default() };
    let page = place.store().list(&bucket(), selection.clone()).await.expect("a page");
    let listed: Vec<String> = page.entries.into_iter().map(|(key, _)| key).collect();
    let mut expected: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    expected.sort();
    assert_eq!(listed, expected);
}

async fn conditions_are_decided_with_the_write(place: Place) {
    let store = place.store();
    create(store).await;
    let absent = || WriteCondition::Absent;
    let first = put_if(store, "k", &body(1, MIB), absent()).await.expect("first");
    assert!(matches!(
        put_if(store, "k", &body(2, MIB), absent()).await,
        Err(Error::Precondition("If-None-Match"))
    ));
    let tagged = |etag| WriteCondition::Tagged(Some(etag));
    let other = ETag::single([1; 16]);
    assert!(matches!(
        put_if(store, "k", &body(2, 5), tagged(other)).await,
        Err(Error::Precondition("If-Match"))
    ));
    assert!(matches!(put_if(store, "l", &body(2, 5), tagged(other)).await, Err(Error::NothingToMatch)));
    assert_eq!(read(store, "k").await, Some(body(1, MIB)));
    place.settle(1).await;
    put_if(store, "k", &body(3, 5), tagged(first.etag)).await.expect("matched");
    // Of many at once exactly one wins.
    let racers = (0..32).map(|seed| {
        let store = store.clone();
        tokio::spawn(async move { put_if(&store, "race", &body(seed, 20_000), WriteCondition::Absent).await })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += usize::from(racer.await.expect("ran").is_ok());
    }
    assert_eq!(won, 1);
    place.settle(1).await;
}

async fn a_reader_sees_its_object_whole_whatever_happens(place: Place) {
    let store = place.store();
    create(store).await;
    put(store, "k", &body(1, 20 * MIB)).await;
    let object = store.object(&object_name("k")).await.expect("there");
    delete(store, &["k"]).await;
    // Longer than the reclaimer waits: the pin must keep the file.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    place.settle(1).await;
    assert_eq!(read_body(store, &object).await, body(1, 20 * MIB));
    drop(object);
    place.settle(0).await;
}

async fn what_is_replaced_or_deleted_leaves_no_file(place: Place) {
    let store = place.store();
    create(store).await;
    put(store, "k", &body(1, MIB)).await;
    put(store, "k", &body(2, MIB)).await;
    place.settle(1).await;
    put(store, "k", &body(3, 10)).await;
    place.settle(0).await;
    put(store, "k", &body(4, MIB)).await;
    delete(store, &["k", "missing"]).await;
    place.settle(0).await;
    assert_eq!(read(store, "k").await, None);
}

async fn copies_share_blobs_and_count_them(place: Place) {
    let store = place.store();
    create(store).await;
    put(store, "big", &body(1, MIB)).await;
    put(store, "small", &body(2, 10)).await;
    let copy = async |from: &str, to: &str| {
        let copy = Copy {
            source: object_name(from),
            source_conditions: Conditions::default(),
            target: new_object(to),
            keep_metadata: true,
            keep_tags: true,
            tags_permitted: true,
            judged: None,
            digests: None,
        };
        store.copy_object(copy, now()).await
    };
    for (from, to) in [("big", "big2"), ("big2", "big3"), ("small", "small2"), ("big3", "big3")] {
        copy(from, to).await.expect("copied");
    }
    place.settle(1).await;
    delete(store, &["big", "big2"]).await;
    assert_eq!(read(store, "big3").await, Some(body(1, MIB)));
    assert_eq!(read(store, "small2").await, Some(body(2, 10)));
    assert!(matches!(copy("big", "x").await, Err(Error::NoSuchKey)));
    delete(store, &["big3"]).await;
    place.settle(0).await;
}

async fn copies_are_of_what_was_decided_of(place: Place) {
    let store = place.store();
    create(store).await;
    let written = put(store, "k", &body(1, 10)).await;
    let copy = |tags_permitted, judged| Copy {
        source: object_name("k"),
        source_conditions: Conditions::default(),
        target: new_object("l"),
        keep_metadata: true,
        keep_tags: true,
        tags_permitted,
        judged,
        digests: None,
    };
    let judged = Some((written.etag, written.modified));
    store.copy_object(copy(false, judged), now()).await.expect("copied");
    // Another body, and then tags, came in between.
    let other = Some((ETag::single([1; 16]), written.modified));
    assert!(matches!(store.copy_object(copy(false, other), now()).await, Err(Error::Conflict)));
    store.tag_object(object_name("k"), Tags::parse_header("a=b").expect("tags")).await.expect("tagged");
    assert!(matches!(store.copy_object(copy(false, judged), now()).await, Err(Error::Conflict)));
    store.copy_object(copy(true, judged), now()).await.expect("copied");
}
