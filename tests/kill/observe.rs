//! What is there, asked of the server as any client would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::client::{Client, element, elements, path, request};
use crate::model::{BucketView, Headers, Shown, ShownPart, View};
use crate::sign::escape;
use crate::wire::{Request, Response};

/// Keys, and below uploads, of one page: small, so that listings have several.
const PAGE_KEYS: usize = 7;

/// The names of all buckets.
pub fn buckets(client: &mut Client) -> BTreeSet<String> {
    let text = client.send("GET", "/").expect(200).text();
    elements(&text, "Name").into_iter().map(str::to_owned).collect()
}

/// The keys of a bucket under a prefix, with tag and size.
pub fn keys(client: &mut Client, bucket: &str, prefix: &str) -> BTreeMap<String, (String, usize)> {
    let mut found = BTreeMap::new();
    let mut token = String::new();
    loop {
        let target = format!("/{bucket}?list-type=2&max-keys={PAGE_KEYS}&prefix={}{token}", escape(prefix));
        let text = client.send("GET", &target).expect(200).text();
        for entry in elements(&text, "Contents") {
            let field = |name| element(entry, name).expect("a complete entry");
            let size = field("Size").parse().expect("a size");
            let twice = found.insert(field("Key"), (field("ETag"), size));
            assert!(twice.is_none(), "{} is listed twice", field("Key"));
        }
        match element(&text, "NextContinuationToken") {
            Some(next) => token = format!("&continuation-token={}", escape(&next)),
            None => return found,
        }
    }
}

/// The unfinished uploads of a bucket under a prefix: key by id.
pub fn uploads(client: &mut Client, bucket: &str, prefix: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut markers = String::new();
    loop {
        let target = format!("/{bucket}?uploads=&max-uploads={PAGE_KEYS}&prefix={}{markers}", escape(prefix));
        let text = client.send("GET", &target).expect(200).text();
        for entry in elements(&text, "Upload") {
            let field = |name| element(entry, name).expect("a complete entry");
            assert!(found.insert(field("UploadId"), field("Key")).is_none(), "listed twice");
        }
        if element(&text, "IsTruncated").as_deref() != Some("true") {
            return found;
        }
        let marker = |name| escape(&element(&text, name).expect("a marker"));
        markers = format!(
            "&key-marker={}&upload-id-marker={}",
            marker("NextKeyMarker"),
            marker("NextUploadIdMarker")
        );
    }
}

/// Asks for an object and its checksum. The SDK's signer leaves the header out of a URL, so it is a parameter.
pub fn get_object(bucket: &str, key: &str) -> Request {
    request("GET", &format!("{}?x-amz-checksum-mode=ENABLED", path(bucket, key)))
}

/// What an answer shows of an object.
pub fn shown(response: Response) -> Shown {
    let is_shown = |name: &str| {
        name == "content-type" || name.starts_with("x-amz-meta-") || name.starts_with("x-amz-checksum-")
    };
    let headers: Headers = response.headers.iter().filter(|(name, _)| is_shown(name)).cloned().collect();
    let etag = response.header("etag").unwrap_or_default().to_owned();
    Shown { etag, headers, bytes: Arc::new(response.body) }
}

/// Everything in these buckets and under their prefixes; of `absent`, what is not listed must not be readable.
pub fn view(client: &mut Client, places: &[(String, String)], absent: &[String]) -> View {
    let existing = buckets(client);
    let mut view = View::new();
    for (bucket, prefix) in places {
        if existing.contains(bucket) {
            view.insert(bucket.clone(), bucket_view(client, bucket, prefix, absent));
        } else {
            let list = client.send("GET", &format!("/{bucket}?list-type=2"));
            assert_eq!(list.status, 404, "{bucket} is not listed, and yet there");
        }
    }
    view
}

fn bucket_view(client: &mut Client, bucket: &str, prefix: &str, absent: &[String]) -> BucketView {
    let mut view = BucketView::default();
    let listed = keys(client, bucket, prefix);
    for (key, (etag, size)) in &listed {
        let object = client
            .try_send(&get_object(bucket, key))
            .unwrap_or_else(|| panic!("{bucket}/{key} cannot be read to its end"));
        assert_eq!(object.status, 200, "{bucket}/{key} is listed, and not readable: {}", object.text());
        let object = shown(object);
        assert_eq!((&object.etag, object.bytes.len()), (etag, *size), "{bucket}/{key} is listed otherwise");
        view.objects.insert(key.clone(), object);
    }
    for key in absent.iter().map(|key| format!("{prefix}{key}")).filter(|key| !listed.contains_key(key)) {
        let head = client.send("HEAD", &path(bucket, &key));
        assert_eq!(head.status, 404, "{bucket}/{key} is not listed, and yet there");
    }
    for (id, key) in uploads(client, bucket, prefix) {
        let target = format!("{}?uploadId={id}", path(bucket, &key));
        let text = client.send("GET", &target).expect(200).text();
        let parts = elements(&text, "Part").into_iter().map(part).collect();
        view.uploads.insert(id, (key, parts));
    }
    view
}

fn part(entry: &str) -> (u16, ShownPart) {
    let field = |name| element(entry, name).expect("a complete entry");
    let number = field("PartNumber").parse().expect("a number");
    let size = field("Size").parse().expect("a size");
    (number, ShownPart { etag: field("ETag"), size, checksum: field("ChecksumCRC64NVME") })
}
