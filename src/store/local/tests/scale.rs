//! Stores of many objects: pages are full wherever they begin. How long they take is printed, and judged by anyone who
//! reads it.
//!
//! `PRESIGNED_SCALE_DIR=DIR PRESIGNED_SCALE_KEYS=10000,10000000 cargo test --release --lib scale` makes `DIR/<keys>` for
//! each number, unless it is there, and leaves them to be served. `PRESIGNED_SCALE_DELETED` is how many keys are deleted
//! in front of a page.

use std::io::Write as _;
use std::time::Instant;

use super::*;
use crate::store::local::index::record::{Head, ObjectRecord, StoredBody};
use crate::store::local::index::tables::{Transaction, object_key};

/// Keys of one transaction while a store is filled.
const FILL_KEYS: u64 = 50_000;
/// Keys below one common prefix.
const PREFIX_KEYS: u64 = 10;
const TURNS: u64 = 200;

fn name_of(number: u64) -> String {
    format!("folder-{:08}/object-{:02}", number / PREFIX_KEYS, number % PREFIX_KEYS)
}

/// Puts objects of one inline byte under the first `keys` keys.
fn fill(store: &Store, keys: u64) {
    for first in (0..keys).step_by(FILL_KEYS as usize) {
        let change = move |transaction: &mut Transaction<'_>| {
            let record = transaction.bucket(&bucket())?;
            for number in first..(first + FILL_KEYS).min(keys) {
                let head = Head::new(now(), 1, ETag::single([7; 16]), None, &Metadata::default());
                let metadata = vec![("content-type".to_owned(), "text/plain".to_owned())];
                let object = ObjectRecord {
                    head,
                    metadata,
                    parts: Vec::new(),
                    body: StoredBody::Inline,
                    tags: Vec::new(),
                };
                let key = object_key(record.id, &key(&name_of(number)));
                transaction.write_version(&record, &key, object, b"x")?;
            }
            Ok(())
        };
        store.committer().commit_blocking(change).expect("filled");
    }
}

/// Median time of a page of a thousand that begins anywhere, in microseconds.
fn page_micros(store: &Store, keys: u64, delimiter: &str, deleted: u64) -> u64 {
    let mut times = Vec::new();
    for turn in 0..TURNS {
        // Where a full page still follows, or, if keys were deleted, at the very begin.
        let start = keys.saturating_sub(1000 * PREFIX_KEYS) * turn / TURNS;
        let after = (deleted == 0).then(|| name_of(start));
        let selection =
            Selection { delimiter: delimiter.to_owned(), after, limit: 1000, ..Selection::default() };
        let started = Instant::now();
        let page = store.list(&bucket(), &selection).expect("a page");
        times.push(started.elapsed().as_micros() as u64);
        assert!(page.entries.len() + page.prefixes.len() >= 900);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn pages_at_scale() {
    let mut place = Place::new();
    place.close();
    let folder = std::env::var_os("PRESIGNED_SCALE_DIR").map_or(place.folder.clone(), PathBuf::from);
    let sizes = std::env::var("PRESIGNED_SCALE_KEYS").unwrap_or_else(|_| "10000,30000".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let say = |text: String| writeln!(std::io::stderr(), "{text}").expect("written");
    for keys in sizes.split(',').map(|text| text.trim().parse::<u64>().expect("a number")) {
        let directory = folder.join(keys.to_string());
        let fresh = !directory.exists();
        let started = Instant::now();
        let store = Store::open(Settings::new(directory)).expect("opens");
        say(format!("{keys} keys: opened in {} us", started.elapsed().as_micros()));
        if fresh {
            let started = Instant::now();
            runtime.block_on(create(&store));
            fill(&store, keys);
            say(format!("{keys} keys: filled in {} s", started.elapsed().as_secs()));
        }
        for delimiter in ["", "/"] {
            let micros = page_micros(&store, keys, delimiter, 0);
            say(format!("{keys} keys: a page, delimiter {delimiter:?}: {micros} us"));
        }
    }
}

#[test]
fn pages_behind_deleted_keys() {
    let place = Place::new();
    let store = place.store();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(create(store));
    let deleted =
        std::env::var("PRESIGNED_SCALE_DELETED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let keys = deleted + 1000 * PREFIX_KEYS;
    fill(store, keys);
    for first in (0..deleted).step_by(FILL_KEYS as usize) {
        let change = move |transaction: &mut Transaction<'_>| {
            let record = transaction.bucket(&bucket())?;
            for number in first..(first + FILL_KEYS).min(deleted) {
                transaction.delete_current(&record, &object_key(record.id, &key(&name_of(number))), now())?;
            }
            Ok(())
        };
        store.committer().commit_blocking(change).expect("deleted");
    }
    for delimiter in ["", "/"] {
        let micros = page_micros(store, keys, delimiter, deleted);
        let text = format!("first page behind {deleted} deleted keys, delimiter {delimiter:?}: {micros} us");
        writeln!(std::io::stderr(), "{text}").expect("written");
    }
}
