//! Buckets as trees of files: laid out, brought up to date, and taken in again.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::clock::Clock;
use crate::store::local::tools::{Exported, Refused, TreeError};
use crate::store::model::Object;

const MANIFEST: &str = ".presigned-manifest.jsonl";
/// Keys that are no paths, in the order of their bytes.
const AWKWARD: [&str; 20] = [
    "\u{1}\n",
    "%00",
    "%2E",
    "..",
    "../x",
    ".presigned-manifest.jsonl",
    "/",
    "//",
    "/etc/passwd",
    "a",
    "a b+%",
    "a!",
    "a%00",
    "a/",
    "a//c",
    "a/b",
    "a/b/..",
    "a/b/../../../../../../x",
    "plain.txt",
    "\u{65e5}\u{672c}/\u{e9}",
];

/// A store and a tree next to it.
struct Trees {
    place: Place,
    tree: PathBuf,
}

impl Trees {
    async fn new() -> Self {
        let place = Place::new();
        create(place.store()).await;
        let tree = place.folder.with_extension("tree");
        Self { place, tree }
    }

    fn store(&self) -> &Store {
        self.place.store()
    }

    /// Exports; the store is closed for that, since a process opens an index once.
    fn export(&mut self, copy: bool) -> (Exported, Vec<Refused>) {
        self.place.close();
        let snapshot = Snapshot::open(&self.place.folder).expect("visited");
        let mut export = snapshot.export(&bucket(), &self.tree, copy).expect("begun");
        let (mut all, mut bytes) = (Vec::new(), 0);
        while let Some(refused) = export.page(&mut |step| bytes += step).expect("laid out") {
            all.extend(refused);
        }
        let exported = export.finish().expect("finished");
        assert!(bytes <= snapshot.object_bytes(&bucket()).expect("counted"));
        drop(snapshot);
        self.place.reopen();
        (exported, all)
    }

    async fn import(&self, link: bool) -> BTreeMap<String, Outcome> {
        import(self.store(), &self.tree, &self.place.folder, link).await
    }

    fn path(&self, path: &str) -> PathBuf {
        self.tree.join(path)
    }

    fn bytes(&self, path: &str) -> Option<Bytes> {
        fs::read(self.path(path)).ok().map(Bytes::from)
    }

    /// Every file below the tree, but for the exporter's own.
    fn paths(&self) -> BTreeSet<String> {
        let (mut found, mut folders) = (BTreeSet::new(), vec![self.tree.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.symlink_metadata().expect("there").is_dir() {
                    true => folders.push(path),
                    false => {
                        let below = path.strip_prefix(&self.tree).expect("below");
                        found.insert(below.to_str().expect("text").to_owned());
                    }
                }
            }
        }
        found.remove(MANIFEST);
        found.remove(".presigned-bucket");
        found
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.tree);
    }
}

async fn import(store: &Store, tree: &Path, folder: &Path, link: bool) -> BTreeMap<String, Outcome> {
    let mut all = BTreeMap::new();
    let tree = Arc::new(Tree::open(tree, folder).expect("a tree"));
    let mut tell = |imported: Imported| {
        assert!(all.insert(imported.path, imported.outcome).is_none());
    };
    let import = store.import(tree, (bucket(), "main".into()), link, Clock::System, &mut tell);
    import.await.expect("imported");
    all
}

async fn put_described(store: &Store, name: &str, data: &Bytes) {
    let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let new = NewObject {
        metadata: Metadata::from_stored(vec![
            entry("cache-control", "no-store"),
            entry("content-type", "text/x-odd; a=\"b\""),
            entry("x-amz-storage-class", "GLACIER_IR"),
            entry("x-amz-meta-a", "caf\u{e9}"),
        ]),
        tags: Tags::from_stored(vec![entry("z", "1"), entry("a b", "")]),
        ..new_object(name)
    };
    let writer = store.inline_writer(data.len() as u64);
    let body = received(writer.map_or_else(|| store.blob_writer(), Ok).expect("a writer"), data);
    store.publish_object(new, body, now()).await.expect("put");
}

fn object(store: &Store, name: &str) -> Object {
    store.object(&object_name(name)).expect("there")
}

/// Short and long bodies in turn.
fn length(position: usize) -> usize {
    if position.is_multiple_of(2) { 100 + position } else { 40_000 + position }
}

#[tokio::test]
async fn every_key_comes_back_with_all_that_belongs_to_it() {
    let mut from = Trees::new().await;
    for (position, name) in AWKWARD.iter().enumerate() {
        put_described(from.store(), name, &body(position as u64, length(position))).await;
    }
    let id = start_upload(from.store(), "parts", 1).await;
    let parts = [
        put_part(from.store(), "parts", id, 1, &body(90, 5 * MIB)).await,
        put_part(from.store(), "parts", id, 2, &body(91, 777)).await,
    ];
    complete(from.store(), "parts", id, &parts.each_ref()).await.expect("completed");
    let (exported, refused) = from.export(false);
    assert_eq!((exported.made, exported.kept, exported.removed), (21, 0, 0));
    assert_eq!(refused, []);
    for path in ["a%00", "a!", "a/b%00", "a/b/%2E%2E%00", "%00/etc/passwd", "%2Epresigned-manifest.jsonl"] {
        assert!(from.paths().contains(path), "{path}");
    }
    for link in [false, true] {
        let to = Trees::new().await;
        let all = import(to.store(), &from.tree, &to.place.folder, link).await;
        assert_eq!(all.len(), 21);
        for (path, outcome) in all {
            assert!(matches!(outcome, Outcome::Taken(_)), "{path}: {outcome:?}");
        }
        for (position, name) in AWKWARD.iter().enumerate() {
            let (old, new) = (object(from.store(), name), object(to.store(), name));
            assert_eq!(
                (new.size, new.etag, new.metadata, new.tags),
                (old.size, old.etag, old.metadata, old.tags)
            );
            assert_eq!(new.checksum, old.checksum);
            assert_eq!(read(to.store(), name), Some(body(position as u64, length(position))), "{name:?}");
        }
        let whole = Bytes::from([body(90, 5 * MIB), body(91, 777)].concat());
        assert_eq!(read(to.store(), "parts"), Some(whole));
        assert_eq!(object(to.store(), "parts").etag.parts(), None);
        let again = import(to.store(), &from.tree, &to.place.folder, link).await;
        assert!(again.values().all(|outcome| matches!(outcome, Outcome::Kept(_))), "{again:?}");
        let mut to = to;
        to.place.close();
        let report = Store::fsck(&Settings::new(to.place.folder.clone()), false).expect("examined");
        assert_eq!((report.objects, report.problems.len()), (21, 0));
    }
}

#[tokio::test]
async fn an_export_is_brought_up_to_date() {
    let mut trees = Trees::new().await;
    for (seed, name) in ["a", "b/c", "b/d", "e", "f/g/h"].iter().enumerate() {
        put(trees.store(), name, &body(seed as u64, length(seed))).await;
    }
    assert_eq!(trees.export(true).0.made, 5);
    let (again, _) = trees.export(true);
    assert_eq!((again.made, again.kept, again.removed), (0, 5, 0));
    // One is replaced, one goes and leaves its folders empty, a file becomes a folder, a folder a file.
    fs::write(trees.path("b/own"), "left alone").expect("written");
    fs::write(trees.path("e"), "changed").expect("written");
    delete(trees.store(), &["f/g/h", "b/c", "b/d", "e"]).await;
    put(trees.store(), "a/x", &body(10, 20_000)).await;
    put(trees.store(), "f", &body(11, 20)).await;
    put(trees.store(), "g", &body(12, 20)).await;
    let (exported, refused) = trees.export(true);
    assert_eq!(refused, []);
    assert_eq!((exported.made, exported.kept), (4, 0));
    let expected = ["a%00", "a/x", "b/own", "e", "f", "g"].map(str::to_owned);
    assert_eq!(trees.paths(), BTreeSet::from(expected));
    assert_eq!(trees.bytes("e").as_deref(), Some(&b"changed"[..]));
    assert_eq!(trees.bytes("a%00"), Some(body(0, length(0))));
    // Four of the manifest before: a, b/c, b/d, f/g/h.
    assert_eq!(exported.removed, 4);
    // What was damaged or changed is made anew.
    fs::write(trees.path("g"), "short").expect("written");
    assert_eq!(trees.export(true).0.made, 1);
    assert_eq!(trees.bytes("g"), Some(body(12, 20)));
}

#[tokio::test]
async fn files_are_links_where_nothing_else_refers_to_the_blob_and_copies_on_request() {
    let mut trees = Trees::new().await;
    put(trees.store(), "alone", &body(1, 50_000)).await;
    put(trees.store(), "copied", &body(2, 50_000)).await;
    let copy = Copy {
        source: object_name("copied"),
        source_conditions: Conditions::default(),
        target: new_object("copy"),
        keep_metadata: true,
        keep_tags: true,
        tags_permitted: true,
        judged: None,
        digests: None,
    };
    let later = now().plus_seconds(5);
    trees.store().copy_object(copy, later).await.expect("copied");
    trees.export(false);
    let file = |trees: &Trees, path: &str| fs::metadata(trees.path(path)).expect("a file");
    assert_eq!(file(&trees, "alone").mtime(), now().unix_seconds());
    assert_eq!(file(&trees, "copied").mtime(), now().unix_seconds());
    // Two objects of one blob have two times, and a file has one.
    assert_eq!(file(&trees, "copy").mtime(), later.unix_seconds());
    assert_ne!(file(&trees, "copy").ino(), file(&trees, "copied").ino());
    let is_link = file(&trees, "alone").nlink() == 2;
    assert!(
        is_link || trees.place.files().iter().all(|blob| fs::metadata(blob).expect("a file").nlink() == 1)
    );
    if is_link {
        assert_eq!(file(&trees, "alone").permissions().mode() & 0o777, 0o400);
        assert_eq!(trees.export(true).0.made, 1);
    }
    assert_eq!(trees.export(true).0.kept, 3);
    assert_eq!(file(&trees, "alone").nlink(), 1);
    assert_eq!(trees.bytes("alone"), Some(body(1, 50_000)));
    fs::write(trees.path("alone"), "changed").expect("written");
    assert_eq!(read(trees.store(), "alone"), Some(body(1, 50_000)));
}

#[tokio::test]
async fn a_link_gets_the_time_of_an_object_that_was_copied_onto_itself() {
    let mut trees = Trees::new().await;
    put(trees.store(), "k", &body(1, 50_000)).await;
    trees.export(false);
    let later = now().plus_seconds(7);
    let copy = Copy {
        source: object_name("k"),
        source_conditions: Conditions::default(),
        target: new_object("k"),
        keep_metadata: false,
        keep_tags: false,
        tags_permitted: false,
        judged: None,
        digests: None,
    };
    trees.store().copy_object(copy, later).await.expect("copied");
    assert_eq!(trees.export(false).0.made, 1);
    assert_eq!(fs::metadata(trees.path("k")).expect("a file").mtime(), later.unix_seconds());
    assert_eq!(trees.paths(), BTreeSet::from(["k".to_owned()]));
    assert_eq!(trees.export(false).0.kept, 1);
}

#[tokio::test]
async fn nothing_leaves_the_tree_and_the_rest_is_exported() {
    let mut trees = Trees::new().await;
    let long = "k".repeat(300);
    for name in ["good", &long, "linked/file", "link", "folder", "file/below"] {
        put(trees.store(), name, &body(1, 30_000)).await;
    }
    let outside = trees.tree.with_extension("outside");
    fs::create_dir_all(&outside).expect("made");
    // A tree that holds other things is no place for an export, unless it is one already.
    fs::create_dir_all(trees.path("folder/own")).expect("made");
    trees.place.close();
    let snapshot = Snapshot::open(&trees.place.folder).expect("opens");
    let refused = snapshot.export(&bucket(), &trees.tree, false).expect_err("not its own");
    assert!(matches!(refused, TreeError::Foreign(_)), "{refused}");
    fs::write(trees.path(".presigned-bucket"), "another\n").expect("written");
    let refused = snapshot.export(&bucket(), &trees.tree, false).expect_err("another's");
    assert!(matches!(refused, TreeError::Foreign(_)), "{refused}");
    drop(snapshot);
    trees.place.reopen();
    fs::write(trees.path(".presigned-bucket"), "bucket\n").expect("written");
    fs::write(outside.join("target"), "outside").expect("written");
    fs::write(trees.path("file"), "a file").expect("written");
    symlink(&outside, trees.path("linked")).expect("linked");
    symlink(outside.join("target"), trees.path("link")).expect("linked");
    let (exported, refused) = trees.export(false);
    assert_eq!((exported.made, exported.refused), (1, 5));
    let reasons: BTreeMap<&str, &str> =
        refused.iter().map(|refused| (refused.key.as_str(), refused.why.as_str())).collect();
    assert_eq!(reasons["linked/file"], "a symbolic link named \"linked\" is in the way");
    assert_eq!(reasons["link"], "a symbolic link named \"link\" is in the way");
    assert_eq!(reasons["folder"], "a folder named \"folder\" is in the way");
    assert_eq!(reasons["file/below"], "a file named \"file\" is in the way");
    assert!(reasons[long.as_str()].contains("300 bytes is too long"));
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 1);
    assert_eq!(fs::read(outside.join("target")).expect("read"), b"outside");
    let manifest = fs::read_to_string(trees.path(MANIFEST)).expect("a manifest");
    assert_eq!(manifest.lines().count(), 6);
    assert_eq!(manifest.matches("\"path\":null").count(), 5);
    // Neither does a manifest lead out of it.
    fs::write(trees.path(MANIFEST), manifest.replace("\"path\":null", "\"path\":\"../outside/target\""))
        .expect("written");
    delete(trees.store(), &["linked/file", "link", "folder", "file/below", &long]).await;
    assert_eq!(trees.export(false).0.removed, 0);
    assert_eq!(fs::read(outside.join("target")).expect("read"), b"outside");
    fs::remove_dir_all(outside).expect("removed");
}

#[tokio::test]
async fn trees_and_stores_stay_apart_and_damage_is_refused() {
    let mut trees = Trees::new().await;
    put(trees.store(), "format", &body(1, 10)).await;
    put(trees.store(), "long", &body(1, 30_000)).await;
    let folder = trees.place.folder.clone();
    assert!(matches!(Tree::open(&folder, &folder), Err(TreeError::Overlap(..))));
    trees.place.close();
    {
        let snapshot = Snapshot::open(&folder).expect("visited");
        for tree in [&folder, &folder.join("below"), &std::env::temp_dir()] {
            let export = snapshot.export(&bucket(), tree, false);
            assert!(matches!(export, Err(TreeError::Overlap(..))), "{}", tree.display());
        }
        assert!(!folder.join("below").exists());
        let other = BucketName::parse("other").expect("valid");
        assert!(matches!(snapshot.export(&other, &trees.tree, false), Err(TreeError::NoSuchBucket(_))));
        let _first = snapshot.export(&bucket(), &trees.tree, false).expect("begun");
        assert!(matches!(snapshot.export(&bucket(), &trees.tree, false), Err(TreeError::Busy(_))));
    }
    let blob = trees.place.files().pop_first().expect("a blob");
    fs::remove_file(&blob).expect("removed");
    let (exported, refused) = trees.export(false);
    assert_eq!((exported.made, refused.len()), (1, 1));
    assert!(!trees.path("long").exists());
}

#[tokio::test]
async fn a_tree_that_was_not_exported_is_taken_in() {
    let trees = Trees::new().await;
    fs::create_dir_all(trees.path("docs/100%")).expect("made");
    fs::create_dir_all(trees.path("empty")).expect("made");
    for (path, content) in [
        ("index.html", "<p>"),
        ("docs/100%/a%20b.png", "png"),
        ("docs/50%", "first"),
        ("docs/50%25", "second"),
        ("noextension", ""),
    ] {
        fs::write(trees.path(path), content).expect("written");
    }
    fs::write(trees.path("large.bin"), body(3, MIB)).expect("written");
    symlink("index.html", trees.path("symlink")).expect("linked");
    symlink(".", trees.path("loop")).expect("linked");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        trees.path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("made");
    let all = trees.import(true).await;
    for path in ["symlink", "loop"] {
        assert_eq!(all[path], Outcome::Skipped("a symbolic link"));
    }
    assert_eq!(all["fifo"], Outcome::Skipped("neither file nor folder"));
    assert!(matches!(&all["docs/50%"], Outcome::Refused(why) if why.contains("stands for the same key")));
    assert_eq!(all["large.bin"], Outcome::Taken(MIB as u64));
    let typed = |name: &str| object(trees.store(), name).metadata.entries().to_vec();
    for (key, content, kind) in [
        ("index.html", "<p>", "text/html"),
        ("docs/100%/a%20b.png", "png", "image/png"),
        ("docs/50%", "second", "binary/octet-stream"),
        ("noextension", "", "binary/octet-stream"),
    ] {
        assert_eq!(read(trees.store(), key), Some(Bytes::from(content)), "{key}");
        assert_eq!(typed(key), [("content-type".to_owned(), kind.to_owned())], "{key}");
    }
    assert_eq!(read(trees.store(), "large.bin"), Some(body(3, MIB)));
    let large = fs::metadata(trees.path("large.bin")).expect("a file");
    assert_eq!((large.nlink(), large.permissions().mode() & 0o222), (2, 0));
    assert!(fs::read_dir(trees.place.folder.join("incoming")).expect("a folder").next().is_none());
    // Again: only what changed is taken in.
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(trees.path("index.html"), "<b>").expect("written");
    let again = trees.import(true).await;
    let taken: Vec<&str> = again
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Taken(_)))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(taken, ["index.html"]);
    assert_eq!(read(trees.store(), "index.html"), Some(Bytes::from("<b>")));
}

#[tokio::test]
async fn what_is_not_what_was_exported_is_refused() {
    let mut from = Trees::new().await;
    for name in ["changed", "edited", "kept", "odd"] {
        put(from.store(), name, &body(1, 1000)).await;
    }
    from.export(true);
    // The same size and time, but other bytes.
    let time = fs::metadata(from.path("changed")).expect("there").modified().expect("a time");
    fs::write(from.path("changed"), body(2, 1000)).expect("written");
    let file = File::options().write(true).open(from.path("changed")).expect("a file");
    file.set_modified(time).expect("set");
    fs::write(from.path("edited"), body(3, 1000)).expect("written");
    let manifest = fs::read_to_string(from.path(MANIFEST)).expect("a manifest");
    let (rest, odd) = manifest.split_at(manifest.find("{\"key\":\"odd\"").expect("there"));
    let odd = odd.replace("\"metadata\":{}", "\"metadata\":{\"host\":\"evil\"}");
    fs::write(from.path(MANIFEST), format!("{rest}{odd}")).expect("written");
    let to = Trees::new().await;
    let all = import(to.store(), &from.tree, &to.place.folder, false).await;
    assert!(matches!(&all["changed"], Outcome::Refused(why) if why.contains("not those that were exported")));
    assert!(matches!(&all["odd"], Outcome::Refused(why) if why.contains("metadata")));
    assert_eq!((&all["edited"], &all["kept"]), (&Outcome::Taken(1000), &Outcome::Taken(1000)));
    assert_eq!(read(to.store(), "edited"), Some(body(3, 1000)));
    assert_eq!(read(to.store(), "changed"), None);
    fs::write(from.path(MANIFEST), format!("{manifest}broken\n")).expect("written");
    let refused = Tree::open(&from.tree, &to.place.folder).expect_err("broken");
    assert!(refused.to_string().starts_with("line 5 of .presigned-manifest.jsonl is broken"), "{refused}");
}
