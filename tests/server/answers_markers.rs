//! Markers of uploads, of parts, and of the versions that copies come from: which are always there, which are
//! checked, and which are not mentioned.

use crate::check::{Table, assert_stored, given, refusal};
use crate::multipart::{complete, create, part};
use crate::sign::Sign as _;
use crate::versions::{bucket, id_of, of, put, set_versioning, versioned};
use crate::wire::{Request, Response};

const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

fn list(bucket: &str, query: &str) -> Response {
    Request::new("GET", &format!("{bucket}?uploads=&{query}")).sign().send()
}

fn parts(path: &str, id: &str, query: &str) -> Response {
    Request::new("GET", &format!("{path}?uploadId={id}&{query}")).sign().send()
}

/// Whether an element is there with this text, which may be none.
fn is(response: &Response, element: &str, value: &str) -> bool {
    let empty = value.is_empty() && response.text().contains(&format!("<{element}/>"));
    empty || response.element(element).as_deref() == Some(value)
}

/// Checks elements of an answer.
fn all(table: &mut Table, case: &str, response: &Response, elements: &[(&str, &str)]) {
    table.status(case, response, 200);
    for (element, value) in elements {
        let found = response.element(element);
        table.check(&format!("{case}: {element} is {found:?}, not {value:?}"), is(response, element, value));
    }
}

/// The uploads of the recording: of test_c, test_b, and three of test_a, in the order they were started.
fn started(name: &str) -> Vec<String> {
    bucket(name);
    ["test_c", "test_b", "test_a", "test_a", "test_a"]
        .into_iter()
        .map(|key| {
            let id = create(&format!("{name}/{key}"));
            // They are listed by the time that they were started at.
            std::thread::sleep(std::time::Duration::from_millis(2));
            id
        })
        .collect()
}

/// Recorded: test_list_multiparts_next_marker; measured: versitygw#2144.
#[test]
fn uploads_have_their_next_markers() {
    let mut table = Table::default();
    let name = "/answers-upload-markers";
    bucket("/answers-upload-none");
    let none = [("KeyMarker", ""), ("UploadIdMarker", ""), ("NextKeyMarker", ""), ("NextUploadIdMarker", "")];
    all(&mut table, "no uploads", &list("/answers-upload-none", ""), &none);
    let ids = started(name);
    let [c, b, a, a2, a3] = [0, 1, 2, 3, 4].map(|at: usize| ids[at].as_str());
    let whole = list(name, "");
    let order = whole.elements("UploadId");
    table.check(&format!("the order {order:?} of {ids:?}"), order == [a, a2, a3, b, c]);
    all(
        &mut table,
        "all",
        &whole,
        &[("IsTruncated", "false"), ("NextKeyMarker", "test_c"), ("NextUploadIdMarker", c)],
    );
    for (query, key, id, next_key, next_id, truncated) in [
        ("max-uploads=1".to_owned(), "", "", "test_a", a, "true"),
        ("max-uploads=1&key-marker=test_a".to_owned(), "test_a", "", "test_b", b, "true"),
        ("max-uploads=1&key-marker=test_c".to_owned(), "test_c", "", "", "", "false"),
        (format!("max-uploads=1&upload-id-marker={a}"), "", "", "test_a", a, "true"),
        (format!("max-uploads=1&key-marker=test_a&upload-id-marker={a}"), "test_a", a, "test_a", a2, "true"),
        (format!("max-uploads=1&key-marker=test_a&upload-id-marker={a3}"), "test_a", a3, "test_b", b, "true"),
        (format!("max-uploads=1&key-marker=test_b&upload-id-marker={b}"), "test_b", b, "test_c", c, "false"),
        ("max-uploads=1&key-marker=".to_owned(), "", "", "test_a", a, "true"),
        (format!("key-marker=&upload-id-marker={a}"), "", "", "test_c", c, "false"),
        ("upload-id-marker=junk".to_owned(), "", "", "test_c", c, "false"),
        ("key-marker=test_a&upload-id-marker=".to_owned(), "test_a", "", "test_c", c, "false"),
    ] {
        all(
            &mut table,
            &query,
            &list(name, &query),
            &[
                ("KeyMarker", key),
                ("UploadIdMarker", id),
                ("NextKeyMarker", next_key),
                ("NextUploadIdMarker", next_id),
                ("IsTruncated", truncated),
            ],
        );
    }
}

/// Recorded: test_list_multiparts_next_marker (`wrong-id-for-key`). Inferred: an id that is none, and a key without
/// uploads.
#[test]
fn upload_markers_that_are_not_of_the_key() {
    let mut table = Table::default();
    let name = "/answers-upload-marker-wrong";
    let ids = started(name);
    for (key, marker) in [
        ("test_c", ids[1].as_str()),
        ("test_a", ids[0].as_str()),
        ("test_a", "junk"),
        ("test", &ids[2]),
        ("test_", "%20"),
    ] {
        let decoded = marker.replace("%20", " ");
        let elements = [("ArgumentName", "upload-id-marker"), ("ArgumentValue", decoded.as_str())];
        let expected = refusal(400, "InvalidArgument", "Invalid uploadId marker", &elements);
        for limit in ["", "&max-uploads=1"] {
            let found = list(name, &format!("key-marker={key}&upload-id-marker={marker}{limit}"));
            table.refused(&format!("{marker} of {key}"), &found, &expected);
        }
    }
}

/// Inferred: scripts that clean up abort what a page shows and ask for the next with its markers, which works on S3.
///
/// Decided: so an id that has the form of one and belongs to no upload any more is no wrong marker.
#[test]
fn pages_join_while_their_uploads_are_aborted() {
    let mut table = Table::default();
    for limit in [1, 2, 3] {
        let name = format!("/answers-upload-aborted-{limit}");
        let ids = started(&name);
        let mut found = Vec::new();
        let mut markers = String::new();
        while found.len() <= ids.len() {
            let page = list(&name, &format!("max-uploads={limit}{markers}"));
            table.status(&format!("pages of {limit}{markers}"), &page, 200);
            for (key, id) in page.elements("Key").iter().zip(page.elements("UploadId")) {
                Request::new("DELETE", &format!("{name}/{key}?uploadId={id}")).sign().send().expect(204);
                found.push(id);
            }
            if page.element("IsTruncated").as_deref() != Some("true") {
                break;
            }
            let [key, id] =
                ["NextKeyMarker", "NextUploadIdMarker"].map(|name| page.element(name).expect("a marker"));
            markers = format!("&key-marker={key}&upload-id-marker={id}");
        }
        let all = found.len() == ids.len() && ids.iter().all(|id| found.contains(id));
        table.check(&format!("pages of {limit}: {found:?}"), all);
    }
}

/// Recorded: test_list_multiparts_with_prefix_and_delimiter (nothing but prefixes: both are empty).
///
/// Decided: where a page ends with a prefix S3 gives empty markers, too (recorded:
/// test_list_multipart_uploads_marker_common_prefixes), and its own test says that nobody can go on from there. Here
/// such a page may name the prefix; what is asked for is that the markers are there, and that the prefix can be gone
/// on from by hand, as recorded.
#[test]
fn upload_markers_beside_prefixes() {
    let mut table = Table::default();
    let name = "/answers-upload-prefixes";
    bucket(name);
    let keys = ["folder/aSubfolder/subFile1", "folder/aSubfolder/subFile2", "folder/file1", "folder/file2"];
    let ids = keys.map(|key| create(&format!("{name}/{key}")));
    let only = list(name, "prefix=folder/a&delimiter=/");
    all(
        &mut table,
        "nothing but a prefix",
        &only,
        &[("IsTruncated", "false"), ("NextKeyMarker", ""), ("NextUploadIdMarker", "")],
    );
    let rolled = "prefix=folder/&delimiter=/&max-uploads=1";
    let first = list(name, rolled);
    all(&mut table, "a prefix first", &first, &[("IsTruncated", "true"), ("NextUploadIdMarker", "")]);
    let next = first.element("NextKeyMarker").unwrap_or_default();
    let known = ["", "folder/aSubfolder/"].contains(&next.as_str());
    table.check(&format!("a prefix first: {next}"), known && first.text().contains("<NextKeyMarker"));
    for marker in ["folder/aSubfolder/", "folder/aSubfolder/subFile1"] {
        all(
            &mut table,
            marker,
            &list(name, &format!("{rolled}&key-marker={marker}")),
            &[
                ("IsTruncated", "true"),
                ("KeyMarker", marker),
                ("UploadIdMarker", ""),
                ("NextKeyMarker", "folder/file1"),
                ("NextUploadIdMarker", &ids[2]),
            ],
        );
    }
    let last = list(name, "prefix=folder/&delimiter=/");
    all(
        &mut table,
        "a prefix and two",
        &last,
        &[("IsTruncated", "false"), ("NextKeyMarker", "folder/file2"), ("NextUploadIdMarker", &ids[3])],
    );
}

/// Recorded: test_list_parts_pagination, test_multipart_and_list_parts; measured: versitygw#2150.
#[test]
fn parts_have_their_next_marker() {
    let mut table = Table::default();
    let name = "/answers-part-markers";
    bucket(name);
    let path = format!("{name}/key");
    let id = create(&path);
    for query in ["", "part-number-marker=10", "max-parts=1", "max-parts=0"] {
        let found = parts(&path, &id, query);
        let marker = if query.starts_with("part") { "10" } else { "0" };
        all(
            &mut table,
            &format!("no parts, {query}"),
            &found,
            &[("PartNumberMarker", marker), ("NextPartNumberMarker", "0"), ("IsTruncated", "false")],
        );
    }
    for number in [1, 2] {
        part(&path, &id, number, b"data");
    }
    for (query, marker, next, truncated) in [
        ("", "0", "2", "false"),
        ("max-parts=1", "0", "1", "true"),
        ("max-parts=1&part-number-marker=1", "1", "2", "false"),
        ("max-parts=1&part-number-marker=10", "10", "0", "false"),
        ("part-number-marker=2", "2", "0", "false"),
        ("part-number-marker=10000", "10000", "0", "false"),
        ("part-number-marker=70000", "70000", "0", "false"),
    ] {
        all(
            &mut table,
            query,
            &parts(&path, &id, query),
            &[("PartNumberMarker", marker), ("NextPartNumberMarker", next), ("IsTruncated", truncated)],
        );
    }
}

/// Recorded: test_list_parts_via_object_attrs_pagination.
#[test]
fn attributes_have_their_next_marker() {
    let mut table = Table::default();
    let name = "/answers-attribute-markers";
    bucket(name);
    let path = format!("{name}/key");
    let headers = [("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "COMPOSITE")];
    let request = Request::new("POST", &format!("{path}?uploads=")).headers(&headers).body("");
    let id = request.sign().send().expect(200).element("UploadId").expect("an id");
    let body = vec![b'a'; PART_BYTES_MIN + 1];
    let mut named = String::new();
    for number in [1, 2] {
        let target = format!("{path}?partNumber={number}&uploadId={id}");
        // The CRC32 of this body as AWS recorded it.
        let put = Request::new("PUT", &target).header("x-amz-checksum-crc32", "NRU+Sw==").body(&body);
        put.presign().send().expect(200);
        named.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>c4c753e69bb853187f5854c46cf801c6</ETag><ChecksumCRC32>NRU+Sw==</ChecksumCRC32></Part>"
        ));
    }
    complete(&path, &id, &named).expect(200);
    for (max, marker, next, truncated, shown) in [
        ("1000", "0", "2", "false", 2),
        ("1", "0", "1", "true", 1),
        ("1", "1", "2", "false", 1),
        ("1", "10", "0", "false", 0),
        ("1000", "2", "0", "false", 0),
        ("1", "70000", "0", "false", 0),
    ] {
        let asked = Request::new("GET", &format!("{path}?attributes=")).headers(&[
            ("x-amz-object-attributes", "ObjectParts"),
            ("x-amz-max-parts", max),
            ("x-amz-part-number-marker", marker),
        ]);
        let found = asked.sign().send();
        all(
            &mut table,
            &format!("{max} behind {marker}"),
            &found,
            &[
                ("MaxParts", max),
                ("PartNumberMarker", marker),
                ("NextPartNumberMarker", next),
                ("IsTruncated", truncated),
                ("PartsCount", "2"),
            ],
        );
        table.check(&format!("{max} behind {marker}: parts"), found.elements("Part").len() == shown);
    }
}

/// Recorded: test_s3_copy_object_in_place_versioned (`re-enabled`), test_s3_copy_object_in_place_suspended_only (two).
/// Inferred: UploadPartCopy, and a copy to another key or another bucket.
#[test]
fn copies_of_null_versions_name_none() {
    let mut table = Table::default();
    let name = "/answers-null-copies";
    bucket(name);
    bucket("/answers-null-plain");
    let path = format!("{name}/key");
    given(&path, "null");
    let copy = |target: &str, source: &str| {
        let directive = ("x-amz-metadata-directive", "REPLACE");
        let headers = [("x-amz-copy-source", source), directive];
        let headers = if target.contains("uploadId") { &headers[..1] } else { &headers[..] };
        Request::new("PUT", target).headers(headers).sign().send()
    };
    let id = create("/answers-null-plain/parts");
    let part = format!("/answers-null-plain/parts?partNumber=1&uploadId={id}");
    let mut none = |case: &str, target: &str| {
        let made = copy(target, &path);
        table.status(case, &made, 200);
        let found = made.header("x-amz-copy-source-version-id");
        table.check(&format!("{case}: {found:?}"), found.is_none());
        made
    };
    none("no versioning", &path);
    set_versioning(name, "Suspended");
    let made = none("suspended", &path);
    let again = none("suspended, twice", &path);
    none("suspended, elsewhere", "/answers-null-plain/key");
    none("suspended, a part", &part);
    set_versioning(name, "Enabled");
    none("enabled, a part", &part);
    none("enabled, elsewhere", "/answers-null-plain/key");
    none("enabled, another key", &format!("{name}/other"));
    let last = none("enabled, onto itself", &path);
    for made in [&made, &again] {
        table.check("it makes a null version", id_of(made) == "null");
    }
    table.check("it makes a version", id_of(&last).len() == 32);
    assert_stored("/answers-null-plain/key", "null");
}

/// Recorded: test_s3_copy_object_in_place_versioned, test_s3_copy_object_src_not_exists: a version that has an id is
/// named, also while versioning is suspended.
#[test]
fn copies_of_versions_name_them() {
    let mut table = Table::default();
    let name = "/answers-version-copies";
    versioned(name);
    let path = format!("{name}/key");
    let ids = [put(&path, "one"), put(&path, "two")];
    let copy = |target: &str, source: &str| {
        Request::new("PUT", target).header("x-amz-copy-source", source).sign().send().expect(200)
    };
    for status in ["Enabled", "Suspended"] {
        set_versioning(name, status);
        for (source, version) in [(path.clone(), &ids[1]), (of(&path, &ids[0]), &ids[0])] {
            let made = copy(&format!("{name}/copy"), &source);
            let found = made.header("x-amz-copy-source-version-id");
            table.check(&format!("{status}, {source}: {found:?}"), found == Some(version));
        }
    }
}
