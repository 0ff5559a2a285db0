//! Backups and scrubs, as another process makes them: with the store closed here, since one process opens an index once.

use super::*;
use crate::store::model::Versioning;

/// Where backups go, which goes with the test.
struct Target(PathBuf);

impl Target {
    fn of(place: &Place) -> Self {
        Self(place.folder.with_extension("backup"))
    }

    fn store(&self) -> Store {
        Store::open(Settings::new(self.0.clone())).expect("opens")
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn backup(place: &mut Place, target: &Target) -> Result<Backup, BackupError> {
    place.close();
    let done = Snapshot::open(&place.folder).expect("opens").backup(&target.0, &mut |_| {});
    place.reopen();
    done
}

/// Scrubs a store that is closed: bodies, bytes, and what is damaged.
fn scrub(place: &Place) -> (u64, u64, Vec<String>) {
    let snapshot = Snapshot::open(&place.folder).expect("opens");
    let (mut scrub, mut names) = (Scrub::default(), Vec::new());
    loop {
        let page = snapshot.scrub(&mut scrub, &mut |_| {}).expect("scrubbed");
        names.extend(page.damaged);
        if page.is_done {
            return (scrub.bodies, scrub.bytes, names);
        }
    }
}

#[tokio::test]
async fn a_backup_is_a_store_and_is_brought_up_to_date() {
    let mut place = Place::new();
    let target = Target::of(&place);
    create(place.store()).await;
    place.store().set_versioning(bucket(), Versioning::Enabled).await.expect("set");
    for (name, length) in [("small", 10), ("large", 300_000), ("large", 200_000), ("other", 100_000)] {
        put(place.store(), name, &body(1, length)).await;
    }
    let first = backup(&mut place, &target).expect("made");
    assert_eq!((first.blobs, first.copied, first.copied_bytes, first.removed), (3, 3, 600_000, 0));
    // The second copies what is new, and removes what is gone.
    let name = ObjectName { version: None, ..object_name("other") };
    let version = place.store().object(&name).expect("there").version;
    let deletion = Deletion { key: key("other"), version: Some(version), condition: WriteCondition::None };
    place.store().delete_object(bucket(), deletion, now()).await.expect("deleted");
    put(place.store(), "new", &body(2, 50_000)).await;
    let second = backup(&mut place, &target).expect("made");
    assert_eq!((second.blobs, second.copied, second.copied_bytes, second.removed), (3, 1, 50_000, 1));
    let report = Store::fsck(&Settings::new(target.0.clone()), false).expect("opens");
    assert_eq!((report.problems, report.blobs), (Vec::new(), 3));
    let copy = target.store();
    assert_eq!(read(&copy, "large"), Some(body(1, 200_000)));
    assert_eq!(read(&copy, "small"), Some(body(1, 10)));
    assert_eq!(read(&copy, "new"), Some(body(2, 50_000)));
    assert_eq!(read(&copy, "other"), None);
    drop(copy);
    // Served, it is a store of its own.
    assert!(matches!(backup(&mut place, &target), Err(BackupError::Open(OpenError::NotABackup(_)))));
}

/// One blob that was lost kept everything else from being copied, and what a scrub had found was copied without a word.
#[tokio::test]
async fn a_backup_takes_what_is_whole_and_names_the_rest() {
    let mut place = Place::new();
    let target = Target::of(&place);
    create(place.store()).await;
    for name in ["one", "two", "three"] {
        put(place.store(), name, &body(1, 50_000)).await;
    }
    assert_eq!(backup(&mut place, &target).expect("made").damaged, [""; 0]);
    let kept = place.files();
    put(place.store(), "late", &body(1, 50_000)).await;
    place.close();
    for path in place.files() {
        fs::remove_file(&path).expect("removed");
        fs::write(&path, body(9, 50_000)).expect("changed");
    }
    assert_eq!(scrub(&place).2.len(), 4);
    let late = place.files().difference(&kept).next().expect("a blob").clone();
    fs::remove_file(kept.first().expect("a blob")).expect("removed");
    let again = backup(&mut place, &target).expect("made");
    assert!(matches!(&again.damaged[..], [one] if one.starts_with("s3://bucket/late: blobs/")), "{again:?}");
    let copy = target.store();
    for name in ["one", "two", "three"] {
        assert_eq!(read(&copy, name), Some(body(1, 50_000)), "{name}");
    }
    assert!(matches!(copy.object(&object_name("late")), Err(Error::Damaged)));
    drop(copy);
    let report = Store::fsck(&Settings::new(target.0.clone()), false).expect("opens");
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    // A first backup of it has what is left.
    let _ = fs::remove_dir_all(&target.0);
    fs::OpenOptions::new().write(true).open(&late).and_then(|file| file.set_len(10)).expect("cut");
    let first = backup(&mut place, &target).expect("made");
    assert_eq!((first.damaged.len(), first.copied), (4, 2), "{first:?}");
}

/// What is not served is named, wherever it is; and a store is whole, or no one serves it.
#[tokio::test]
async fn damage_in_the_index_is_found() {
    let mut place = Place::new();
    create(place.store()).await;
    put(place.store(), "small", &Bytes::from_static(b"a body that stands in the index")).await;
    put(place.store(), "large", &body(1, 50_000)).await;
    place.close();
    let index = place.folder.join("index/data.mdb");
    let mut bytes = fs::read(&index).expect("read");
    let wanted = b"a body that stands";
    for at in 0..bytes.len() - wanted.len() {
        if bytes[at..].starts_with(wanted) {
            bytes[at] = b'A';
        }
    }
    fs::write(&index, bytes).expect("written");
    let report = Store::fsck(&Settings::new(place.folder.clone()), true).expect("opens");
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert!(matches!(&problems[..], [one] if one.contains("s3://bucket/small version null")), "{problems:?}");
    fs::remove_file(&index).expect("removed");
    let refused = Store::open(Settings::new(place.folder.clone())).expect_err("there is no index");
    assert!(refused.to_string().contains("put it back from a backup"), "{refused}");
}

#[tokio::test]
async fn an_unfinished_backup_is_no_store_and_a_store_is_no_backup() {
    let mut place = Place::new();
    create(place.store()).await;
    put(place.store(), "k", &body(1, 50_000)).await;
    let other = Place::new();
    create(other.store()).await;
    put(other.store(), "mine", &body(3, 50_000)).await;
    let refused = {
        place.close();
        Snapshot::open(&place.folder).expect("opens").backup(&other.folder, &mut |_| {})
    };
    assert!(matches!(refused, Err(BackupError::Open(OpenError::NotABackup(_)))));
    assert_eq!(read(other.store(), "mine"), Some(body(3, 50_000)));
    // As a first backup is while it is made.
    let target = Target::of(&place);
    drop(Layout::open_for_backup(&target.0).expect("opens"));
    fs::create_dir(target.0.join("index.new")).expect("made");
    assert!(matches!(Snapshot::open(&target.0), Err(OpenError::UnfinishedBackup(_))));
    assert!(matches!(Store::open(Settings::new(target.0.clone())), Err(OpenError::UnfinishedBackup(_))));
    assert_eq!(backup(&mut place, &target).expect("gone on with").copied, 1);
    assert_eq!(read(&target.store(), "k"), Some(body(1, 50_000)));
}

#[tokio::test]
async fn a_scrub_finds_what_is_damaged_and_it_is_not_served() {
    let mut place = Place::new();
    create(place.store()).await;
    for (name, length) in [("small", 10), ("one", 50_000), ("two", 60_000)] {
        put(place.store(), name, &body(1, length)).await;
    }
    place.close();
    let damaged =
        place.files().into_iter().find(|path| path.metadata().is_ok_and(|file| file.len() == 60_000));
    let damaged = damaged.expect("a blob");
    let whole = fs::read(&damaged).expect("readable");
    let mut bytes = whole.clone();
    bytes[1234] ^= 1;
    let replace = |bytes: &[u8]| {
        fs::remove_file(&damaged).expect("removed");
        fs::write(&damaged, bytes).expect("written");
    };
    replace(&bytes);
    let file = damaged.strip_prefix(&place.folder).expect("below the store").display().to_string();
    assert_eq!(scrub(&place), (3, 110_010, vec![format!("s3://bucket/two: {file}")]));
    // An examination knows of it.
    let report = Store::fsck(&Settings::new(place.folder.clone()), true).expect("examined");
    let texts: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [format!("{file} does not hold what was stored; damaged: s3://bucket/two")]);
    place.reopen();
    assert!(matches!(place.store().object(&object_name("two")), Err(Error::Damaged)));
    assert_eq!(read(place.store(), "one"), Some(body(1, 50_000)));
    assert_eq!(place.store().state().expect("counted").damaged, 1);
    // Put back, it is served again.
    place.close();
    replace(&whole);
    assert_eq!(scrub(&place).2, Vec::<String>::new());
    assert!(Store::fsck(&Settings::new(place.folder.clone()), false).expect("examined").problems.is_empty());
    place.reopen();
    assert_eq!(read(place.store(), "two"), Some(body(1, 60_000)));
}
