//! Multipart uploads: completed, aborted, listed.

use super::*;
use crate::auth::BodyProof;
use crate::s3::checksum::ChecksumType;

on_every_engine! {
    multipart_uploads_become_objects
    aborted_uploads_and_removed_buckets_leave_nothing
    uploads_are_listed_page_by_page
}

async fn multipart_uploads_become_objects(place: Place) {
    let store = place.store();
    create(store).await;
    put(store, "k", &body(9, MIB)).await;
    let id = start_upload(store, "k", 1).await;
    let one = put_part(store, "k", id, 1, &body(1, 5 * MIB)).await;
    let replaced = put_part(store, "k", id, 2, &body(2, 5 * MIB)).await;
    let two = put_part(store, "k", id, 2, &body(3, 10)).await;
    let unused = put_part(store, "k", id, 3, &body(4, 10)).await;
    assert!(matches!(complete(store, "k", id, &[&two, &one]).await, Err(Error::InvalidPartOrder)));
    assert!(matches!(complete(store, "k", id, &[&one, &replaced]).await, Err(Error::InvalidPart { .. })));
    assert!(matches!(complete(store, "k", id, &[&two, &unused]).await, Err(Error::PartTooSmall { .. })));
    assert_eq!(read(store, "k").await, Some(body(9, MIB)));
    let written = complete(store, "k", id, &[&one, &two]).await.expect("completed");
    assert_eq!(written.etag.parts(), Some(2));
    let whole: Bytes = [body(1, 5 * MIB), body(3, 10)].concat().into();
    assert_eq!(read(store, "k").await, Some(whole.clone()));
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    digester.update(&whole);
    let checksum = written.checksum.expect("one");
    assert_eq!(
        (checksum.kind, Some(&checksum.value)),
        (ChecksumType::FullObject, digester.finish().checksum())
    );
    place.settle(2).await;
    // A repetition is answered like the first, but changes nothing.
    assert_eq!(complete(store, "k", id, &[&one, &two]).await.expect("repeated"), written);
    assert!(matches!(complete(store, "k", id, &[&one]).await, Err(Error::NoSuchUpload)));
    store.abort_upload(named("k", id), now()).await.expect("it has ended");
    let later = now().plus_seconds(25 * 60 * 60);
    assert!(matches!(store.abort_upload(named("k", id), later).await, Err(Error::NoSuchUpload)));
    let parts = store.object(&object_name("k")).await.expect("there").parts;
    assert_eq!(parts.iter().map(|part| part.size).collect::<Vec<_>>(), [5 * MIB as u64, 10]);
}

async fn aborted_uploads_and_removed_buckets_leave_nothing(place: Place) {
    let store = place.store();
    create(store).await;
    let id = start_upload(store, "k", 1).await;
    put_part(store, "k", id, 1, &body(1, 10)).await;
    store.abort_upload(named("k", id), now()).await.expect("aborted");
    place.settle(0).await;
    let id = start_upload(store, "k", 2).await;
    put_part(store, "k", id, 1, &body(1, 10)).await;
    put(store, "o", &body(1, 10)).await;
    assert!(matches!(store.delete_bucket(bucket()).await, Err(Error::BucketNotEmpty)));
    delete(store, &["o"]).await;
    store.delete_bucket(bucket()).await.expect("removed");
    place.settle(0).await;
    assert!(matches!(store.upload(named("k", id)).await, Err(Error::NoSuchBucket)));
    create(store).await;
    assert!(matches!(store.upload(named("k", id)).await, Err(Error::NoSuchUpload)));
}

async fn uploads_are_listed_page_by_page(place: Place) {
    let store = place.store();
    create(store).await;
    let mut expected = Vec::new();
    for (name, ids) in [("a", 1..4), ("a/b", 4..6), ("b", 6..9)] {
        for id in ids {
            expected.push((name.to_owned(), start_upload(store, name, id).await));
        }
    }
    for limit in 1..=expected.len() {
        let mut listed = Vec::new();
        let mut marker: Option<(String, UploadId)> = None;
        loop {
            let after = marker.clone();
            let selection = Selection {
                limit,
                after: after.as_ref().map(|(key, _)| key.clone()),
                ..Selection::default()
            };
            let page =
                store.uploads(&bucket(), selection.clone(), after.map(|(_, id)| id)).await.expect("a page");
            listed.extend(page.entries.iter().map(|(key, upload)| (key.clone(), upload.id)));
            match page.next {
                Some(_) => marker = listed.last().cloned(),
                None => break,
            }
        }
        assert_eq!(listed, expected, "{limit}");
    }
    let selection = Selection { limit: 10, after: Some("a".into()), ..Selection::default() };
    let page = store.uploads(&bucket(), selection.clone(), None).await.expect("a page");
    assert_eq!(page.entries.first().map(|(key, _)| key.as_str()), Some("a/b"));
}
