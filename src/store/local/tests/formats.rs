//! Stores that earlier versions wrote.

use super::*;
use crate::store::model::Versioning;

fn problems(place: &mut Place) -> Vec<Problem> {
    place.close();
    let report = Store::fsck(&Settings::new(place.folder.clone()), false).expect("opens");
    place.reopen();
    report.problems
}

#[tokio::test]
async fn stores_of_former_formats_are_brought_up_to_date() {
    let mut place = Place::new();
    create(place.store()).await;
    put(place.store(), "k", &body(1, 40_000)).await;
    place.store().set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    delete(place.store(), &["k"]).await;
    let id = start_upload(place.store(), "u", 1).await;
    put_part(place.store(), "u", id, 1, &body(1, 15_000)).await;
    let usage = place.store().usage(&bucket()).expect("counted");
    assert_eq!((usage.versions, usage.bytes), (1, 55_000));
    for format in 1..=4 {
        // The fourth format counted what is counted today.
        if format < 4 {
            let index = place.store().index();
            let mut transaction = index.write().expect("a transaction");
            index.usage.clear(&mut transaction.raw).expect("cleared");
            transaction.raw.commit().expect("committed");
        }
        place.close();
        let file = place.folder.join("format");
        fs::write(&file, format!("presigned store {format}\n")).expect("written");
        place.reopen();
        assert_eq!(fs::read_to_string(&file).expect("readable"), "presigned store 5\n");
        assert_eq!(place.store().usage(&bucket()).expect("counted"), usage);
        assert_eq!(problems(&mut place), []);
    }
}

/// The fourth format said of a bucket only whether it has lifecycle rules.
#[tokio::test]
async fn buckets_of_the_fourth_format_keep_their_rules() {
    let mut place = Place::new();
    create(place.store()).await;
    for has_lifecycle in [0, 1] {
        {
            let index = place.store().index();
            let mut transaction = index.write().expect("a transaction");
            let record = [4, 1, 0, 1, b'o', 0, has_lifecycle, 0];
            index.buckets.put(&mut transaction.raw, b"bucket", &record).expect("put");
            transaction.raw.commit().expect("committed");
        }
        place.close();
        fs::write(place.folder.join("format"), "presigned store 4\n").expect("written");
        place.reopen();
        let revision = place.store().bucket(&bucket()).expect("there").revision;
        assert_eq!(revision.is_first(), has_lifecycle == 0);
        let document = Some("<a/>".to_owned());
        place.store().set_setting(bucket(), Setting::Lifecycle, document).await.expect("set");
        let later = place.store().bucket(&bucket()).expect("there").revision;
        assert!(later != revision && !later.is_first());
    }
    assert_eq!(problems(&mut place), []);
}
