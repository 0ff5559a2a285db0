//! Versions in listings, in deletions of many at once, as sources of copies, and as what parts make.

use crate::check::{Table, assert_stored, given, refusal};
use crate::sign::Sign as _;
use crate::versions::{UNKNOWN, bucket, id_of, mark_deleted, of, put, set_versioning, versioned};
use crate::wire::{Request, Response};

const NO_SUCH_VERSION: &str = "The specified version does not exist.";
const NAMED_MARKER: &str =
    "The source of a copy request may not specifically refer to a delete marker by version id.";

/// An entry of a listing: element, key, version, and whether it is the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry(String, String, String, bool);

impl PartialEq<(&str, &str, &str, bool)> for Entry {
    fn eq(&self, other: &(&str, &str, &str, bool)) -> bool {
        (self.0.as_str(), self.1.as_str(), self.2.as_str(), self.3) == *other
    }
}

impl PartialEq<(&str, &str, &String, bool)> for Entry {
    fn eq(&self, other: &(&str, &str, &String, bool)) -> bool {
        *self == (other.0, other.1, other.2.as_str(), other.3)
    }
}

/// The entries of a listing of versions, in its order.
#[track_caller]
pub fn listed(response: &Response) -> Vec<Entry> {
    assert_eq!(response.status, 200, "{}", response.text());
    let text = response.text();
    let mut entries = Vec::new();
    let mut rest = text.as_str();
    let begin = |rest: &str, element: &str| rest.find(&format!("<{element}>")).map(|at| (at, element.len()));
    while let Some((at, length)) =
        ["Version", "DeleteMarker"].iter().filter_map(|element| begin(rest, element)).min()
    {
        let element = &rest[at + 1..at + 1 + length];
        let (inner, after) = rest[at..].split_once(&format!("</{element}>")).expect("the end of an entry");
        let entry = Response { body: inner.as_bytes().to_vec(), ..response.clone() };
        let field = |name: &str| entry.element(name).unwrap_or_else(|| panic!("{name} in {inner}"));
        entries.push(Entry(
            element.to_owned(),
            field("Key"),
            field("VersionId"),
            field("IsLatest").parse().expect("true or false"),
        ));
        rest = after;
    }
    entries
}

fn list(bucket: &str, query: &str) -> Response {
    Request::new("GET", &format!("{bucket}?versions=&{query}")).sign().send()
}

fn delete(bucket: &str, inner: &str) -> Response {
    let document = format!("<Delete>{inner}</Delete>");
    Request::new("POST", &format!("{bucket}?delete=")).document(document).sign().send()
}

/// Three keys, one of them deleted: the entries as they are to be listed.
fn fill(name: &str) -> Vec<Entry> {
    versioned(name);
    let path = |key: &str| format!("{name}/{key}");
    let a = [put(&path("a"), "1"), put(&path("a"), "2"), put(&path("a"), "3")];
    let nested = [put(&path("b/x"), "4"), mark_deleted(&path("b/x"))];
    let ab = put(&path("a.b"), "5");
    let entry = |element: &str, key: &str, version: &str, latest: bool| {
        Entry(element.to_owned(), key.to_owned(), version.to_owned(), latest)
    };
    vec![
        entry("Version", "a", &a[2], true),
        entry("Version", "a", &a[1], false),
        entry("Version", "a", &a[0], false),
        entry("Version", "a.b", &ab, true),
        entry("DeleteMarker", "b/x", &nested[1], true),
        entry("Version", "b/x", &nested[0], false),
    ]
}

#[test]
fn versions_are_listed_by_key_and_age() {
    let mut table = Table::default();
    let name = "/version-lists";
    let entries = fill(name);
    let response = list(name, "");
    table.check(&format!("all: {}", response.text()), listed(&response) == entries);
    for (element, value) in [
        ("Name", "version-lists"),
        ("Prefix", ""),
        ("KeyMarker", ""),
        ("VersionIdMarker", ""),
        ("MaxKeys", "1000"),
        ("IsTruncated", "false"),
        ("Size", "1"),
        ("ETag", "\"eccbc87e4b5ce2fe28308fd9f2a7baf3\""),
        ("StorageClass", "STANDARD"),
    ] {
        let found = response.element(element);
        table.check(&format!("{element}: {found:?}"), found.as_deref() == Some(value));
    }
    for element in ["NextKeyMarker", "NextVersionIdMarker", "Delimiter", "EncodingType", "CommonPrefixes"] {
        table.check(element, response.element(element).is_none());
    }
    table.check("owners", response.elements("Owner").len() == entries.len());
    let marker = response.elements("DeleteMarker").concat();
    table.check(&format!("a marker: {marker}"), !marker.contains("<Size>") && !marker.contains("<ETag>"));
    table.check("a marker: its date", marker.contains("<LastModified>"));
    let prefix = list(name, "prefix=a.");
    table.check("a prefix", listed(&prefix) == entries[3..4]);
    table.check("a prefix is shown", prefix.element("Prefix").as_deref() == Some("a."));
    let rolled = list(name, "delimiter=/");
    table.check("a delimiter", listed(&rolled) == entries[..4]);
    table.check("a common prefix", rolled.elements("CommonPrefixes") == ["<Prefix>b/</Prefix>"]);
    let none = list(name, "max-keys=0");
    table.check("no keys", listed(&none).is_empty());
    table.check("no keys: not truncated", none.element("IsTruncated").as_deref() == Some("false"));
    put(&format!("{name}/c%20d%2B"), "6");
    let encoded = list(name, "encoding-type=url&prefix=c");
    table.check("encoded", encoded.element("Key").as_deref() == Some("c+d%2B"));
    table.check("encoded is shown", encoded.element("EncodingType").as_deref() == Some("url"));
    bucket("/version-lists-plain");
    given("/version-lists-plain/key", "x");
    let plain = listed(&list("/version-lists-plain", ""));
    table.check("without versioning", plain == [("Version", "key", "null", true)]);
}

#[test]
fn pages_of_versions_join() {
    let mut table = Table::default();
    let name = "/version-pages";
    let entries = fill(name);
    for limit in 1..=6 {
        let mut found = Vec::new();
        let mut query = format!("max-keys={limit}");
        loop {
            let page = list(name, &query);
            let entries = listed(&page);
            table.check(&format!("{query}: {}", entries.len()), (1..=limit).contains(&entries.len()));
            found.extend(entries);
            if page.element("IsTruncated").as_deref() == Some("false") || found.len() > 10 {
                break;
            }
            let key = page.element("NextKeyMarker").expect("a key");
            let version = page.element("NextVersionIdMarker").expect("a version");
            let last = found.last().expect("an entry");
            table.check(&format!("{query}: next"), (&last.1, &last.2) == (&key, &version));
            query = format!("max-keys={limit}&key-marker={key}&version-id-marker={version}");
            let shown = list(name, &query);
            table.check("KeyMarker", shown.element("KeyMarker") == Some(key));
            table.check("VersionIdMarker", shown.element("VersionIdMarker") == Some(version));
        }
        table.check(&format!("pages of {limit}: {found:?}"), found == entries);
    }
    table.check("behind a key", listed(&list(name, "key-marker=a")) == entries[3..]);
    table.check("behind no key", listed(&list(name, "key-marker=a.a")) == entries[3..]);
    let behind = |entry: &Entry| listed(&list(name, &format!("key-marker=a&version-id-marker={}", entry.2)));
    table.check("behind the current one", behind(&entries[0]) == entries[1..]);
    Request::new("DELETE", &of(&format!("{name}/a"), &entries[1].2)).sign().send().expect(204);
    table.check("behind one that is gone", behind(&entries[1]) == entries[2..]);
    let rolled = list(name, "delimiter=/&max-keys=1&key-marker=a.b");
    table.check("a page of a prefix", rolled.elements("CommonPrefixes") == ["<Prefix>b/</Prefix>"]);
    table.check("and no more", rolled.element("IsTruncated").as_deref() == Some("false"));
}

#[test]
fn pages_join_while_what_they_show_is_deleted() {
    let mut table = Table::default();
    for limit in 1..=5 {
        let name = format!("/version-emptied-{limit}");
        let mut expected = fill(&name);
        let path = format!("{name}/z");
        let null = Entry("Version".to_owned(), "z".to_owned(), "null".to_owned(), false);
        let ids = [put(&path, "old"), put(&path, "new")];
        set_versioning(&name, "Suspended");
        given(&path, "null");
        set_versioning(&name, "Enabled");
        expected.push(Entry("Version".to_owned(), "z".to_owned(), put(&path, "newest"), true));
        expected.push(null);
        let old = |id: &String| Entry("Version".to_owned(), "z".to_owned(), id.clone(), false);
        expected.extend(ids.iter().rev().map(old));
        let mut found = Vec::new();
        let mut markers = String::new();
        loop {
            let page = list(&name, &format!("max-keys={limit}{markers}"));
            let entries = listed(&page);
            for Entry(_, key, version, _) in &entries {
                let target = of(&format!("{name}/{key}"), version);
                Request::new("DELETE", &target).sign().send().expect(204);
            }
            found.extend(entries);
            if page.element("IsTruncated").as_deref() == Some("false") || found.len() > 20 {
                break;
            }
            let key = page.element("NextKeyMarker").expect("a key");
            let version = page.element("NextVersionIdMarker").expect("a version");
            markers = format!("&key-marker={key}&version-id-marker={version}");
        }
        let named = |entries: &[Entry]| -> Vec<(String, String)> {
            entries.iter().map(|entry| (entry.1.clone(), entry.2.clone())).collect()
        };
        table.check(&format!("pages of {limit}: {found:?}"), named(&found) == named(&expected));
        let removed = Request::new("DELETE", &name).sign().send();
        table.status(&format!("pages of {limit}: the bucket"), &removed, 204);
    }
}

#[test]
fn markers_that_cannot_be() {
    let mut table = Table::default();
    let name = "/version-markers";
    versioned(name);
    for (query, value, message) in [
        (
            format!("version-id-marker={UNKNOWN}"),
            UNKNOWN,
            "A version-id marker cannot be specified without a key marker.",
        ),
        ("key-marker=a&version-id-marker=".to_owned(), "", "A version-id marker cannot be empty."),
        ("key-marker=a&version-id-marker=junk".to_owned(), "junk", "Invalid version id specified"),
    ] {
        let elements = [("ArgumentName", "version-id-marker"), ("ArgumentValue", value)];
        table.refused(&query, &list(name, &query), &refusal(400, "InvalidArgument", message, &elements));
    }
    let unknown = list(name, &format!("key-marker=a&version-id-marker={UNKNOWN}"));
    table.check("one that is not there", listed(&unknown).is_empty());
}

#[test]
fn many_versions_are_deleted_at_once() {
    let mut table = Table::default();
    let name = "/version-many";
    versioned(name);
    let path = |key: &str| format!("{name}/{key}");
    let (old, new) = (put(&path("a"), "1"), put(&path("a"), "2"));
    let marker = mark_deleted(&path("b"));
    let object = |key: &str, inner: &str| format!("<Object><Key>{key}</Key>{inner}</Object>");
    let version = |id: &str| format!("<VersionId>{id}</VersionId>");
    let inner = [
        object("a", &version(&new)),
        object("a", ""),
        object("b", &version(&marker)),
        object("c", &version(UNKNOWN)),
        object("d", &version("junk")),
    ];
    let response = delete(name, &inner.concat()).expect(200);
    let deleted = response.elements("Deleted");
    let made = response.element("DeleteMarkerVersionId").expect("a marker");
    let of_marker = |id: &str| {
        format!("<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{id}</DeleteMarkerVersionId>")
    };
    let expected = [
        format!("<Key>a</Key>{}", version(&new)),
        format!("<Key>a</Key>{}", of_marker(&made)),
        format!("<Key>b</Key>{}{}", version(&marker), of_marker(&marker)),
        format!("<Key>c</Key>{}", version(UNKNOWN)),
    ];
    table.check(&format!("deleted: {deleted:?}"), deleted == expected);
    let error = format!(
        "<Key>d</Key>{}<Code>NoSuchVersion</Code><Message>{NO_SUCH_VERSION}</Message>",
        version("junk")
    );
    let errors = response.elements("Error");
    table.check(&format!("errors: {errors:?}"), errors == [error]);
    let left = listed(&list(name, ""));
    let expected = [("DeleteMarker", "a", &made, true), ("Version", "a", &old, false)];
    table.check(&format!("left: {left:?}"), left == expected);
    let quiet = delete(name, &format!("<Quiet>true</Quiet>{}", object("a", &version(&made)))).expect(200);
    table.check("quiet", quiet.elements("Deleted").is_empty() && quiet.elements("Error").is_empty());
    assert_stored(&path("a"), "1");
}

#[test]
fn many_are_deleted_if_they_are_unchanged() {
    let mut table = Table::default();
    let name = "/version-etags";
    versioned(name);
    let path = |key: &str| format!("{name}/{key}");
    put(&path("same"), "1");
    put(&path("other"), "2");
    let inner = ["same", "other", "missing"].map(|key| {
        format!("<Object><Key>{key}</Key><ETag>\"c4ca4238a0b923820dcc509a6f75849b\"</ETag></Object>")
    });
    let response = delete(name, &inner.concat()).expect(200);
    let deleted = response.elements("Deleted").concat();
    table.check(&format!("deleted: {deleted}"), deleted.starts_with("<Key>same</Key><DeleteMarker>true<"));
    let expected = [
        "<Key>other</Key><Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold</Message>",
        "<Key>missing</Key><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>",
    ];
    let errors = response.elements("Error");
    table.check(&format!("errors: {errors:?}"), errors == expected);
    table.status("same", &Request::new("HEAD", &path("same")).sign().send(), 404);
    assert_stored(&path("other"), "2");
}

#[test]
fn copies_name_versions() {
    let mut table = Table::default();
    let name = "/version-copies";
    versioned(name);
    bucket("/version-copies-plain");
    let (path, plain) = ("/version-copies/key", "/version-copies-plain/key");
    let copy = |target: &str, source: &str| {
        Request::new("PUT", target).header("x-amz-copy-source", source).sign().send()
    };
    let source = |response: &Response| response.header("x-amz-copy-source-version-id").map(str::to_owned);
    let ids = [put(path, "one"), put(path, "two")];
    let made = copy("/version-copies/copy", path).expect(200);
    table.check("of the current one", source(&made).as_ref() == Some(&ids[1]));
    table.check("a version of its own", !ids.contains(&id_of(&made)));
    assert_stored("/version-copies/copy", "two");
    let made = copy(plain, &of(path, &ids[0])).expect(200);
    table.check("of an old one", source(&made).as_ref() == Some(&ids[0]));
    table.check("to where there are none", made.header("x-amz-version-id").is_none());
    assert_stored(plain, "one");
    let made = copy("/version-copies/copy", plain).expect(200);
    table.check("from where there are none", source(&made).is_none() && id_of(&made).len() == 32);
    let restored = copy(path, &of(path, &ids[0])).expect(200);
    table.check("onto itself", source(&restored).as_ref() == Some(&ids[0]));
    assert_stored(path, "one");
    table.check("all are kept", listed(&list(name, "prefix=key")).len() == 3);
    let marker = mark_deleted(path);
    let missing = refusal(404, "NoSuchKey", "The specified key does not exist.", &[("Key", "key")]);
    let elements = [("Key", "key"), ("VersionId", UNKNOWN)];
    let unknown = refusal(404, "NoSuchVersion", NO_SUCH_VERSION, &elements);
    let named = refusal(400, "InvalidRequest", NAMED_MARKER, &[]);
    let id = crate::multipart::create("/version-copies/parts");
    let part = format!("/version-copies/parts?partNumber=1&uploadId={id}");
    for target in [plain, part.as_str()] {
        let response = copy(target, path);
        table.refused(&format!("deleted, to {target}"), &response, &missing);
        table.check("the marker", response.header("x-amz-delete-marker") == Some("true"));
        table.check("its version", response.header("x-amz-version-id") == Some(&marker));
        table.refused(&format!("a marker, to {target}"), &copy(target, &of(path, &marker)), &named);
        table.refused(&format!("unknown, to {target}"), &copy(target, &of(path, UNKNOWN)), &unknown);
        for (version, message) in
            [("junk", "Invalid version id specified"), ("", "Version id cannot be the empty string")]
        {
            let response = copy(target, &of(path, version));
            table.status(version, &response, 400);
            table.check(version, response.element("Code").as_deref() == Some("InvalidArgument"));
            table.check(version, response.element("Message").as_deref() == Some(message));
        }
    }
    assert_stored(plain, "one");
    let copied = copy(&part, &of(path, &ids[1])).expect(200);
    table.check("a part of an old one", source(&copied).as_ref() == Some(&ids[1]));
}

#[test]
fn an_upload_makes_a_version() {
    let mut table = Table::default();
    versioned("/version-uploads");
    let path = "/version-uploads/key";
    let before = put(path, "before");
    let id = crate::multipart::create(path);
    let etag = crate::multipart::part(path, &id, 1, b"in parts");
    let parts = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    let done = crate::multipart::complete(path, &id, &parts).expect(200);
    let made = id_of(&done);
    assert_stored(path, "in parts");
    let entries = listed(&list("/version-uploads", ""));
    let expected = [("Version", "key", &made, true), ("Version", "key", &before, false)];
    table.check(&format!("two versions: {entries:?}"), entries == expected);
    let part = Request::new("GET", &of(path, &made)).add_query("partNumber=1").sign().send();
    table.check("a part of it", part.status == 206 && part.body == b"in parts");
    let old = Request::new("GET", &of(path, &before)).sign().send().expect(200);
    table.check("the one before", old.body == b"before");
}
