//! What holders of one URL could take of the server. The evidence is what an attacker did.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::check::Table;
use crate::harness::{ACCESS_KEY, SECRET_KEY, Server, start, start_with_files};
use crate::http2::{begin, connect, get, wait_for, window_update};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request};

const ARGUMENTS: [&str; 6] = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--bucket", "bucket"];
const MIB: usize = 1024 * 1024;

fn put(server: &Server, path: &str, bytes: usize) {
    Request::to(server.address, "PUT", path).body(vec![7; bytes]).sign().send().expect(200);
}

/// A URL for a GET over HTTP/2, whose authority is `localhost`.
fn url(server: &Server, path: &str) -> String {
    Request::to(server.address, "GET", path).set("Host", "localhost").presign().target
}

/// The files of a store's bodies.
fn blobs(server: &Server) -> Vec<PathBuf> {
    let entries = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    };
    entries(&server.data.join("blobs")).iter().flat_map(|folder| entries(folder)).collect()
}

fn log(server: &Server) -> String {
    std::fs::read_to_string(&server.log).expect("a log")
}

/// Waits until the log has a line of this kind.
fn wait_for_line(server: &Server, text: &str) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if log(server).contains(text) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// A body that shrinks while it is sent ended the process, where its bytes were touched on their way.
#[test]
fn a_file_that_is_cut_short_ends_its_request_only() {
    let server = start("shrinking", &ARGUMENTS);
    put(&server, "/bucket/large", 24 * MIB);
    let mut connection = begin(server.address, 65_535);
    connection.write_all(&get(1, &url(&server, "/bucket/large"), &[])).expect("sent");
    wait_for(&mut connection, 1, &[0]).expect("some of the body");
    for blob in blobs(&server) {
        let mut permissions = std::fs::metadata(&blob).expect("a file").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(&blob, permissions).expect("changed");
        OpenOptions::new().write(true).open(&blob).expect("a file").set_len(100_000).expect("cut");
    }
    for stream in [0, 1] {
        connection.write_all(&window_update(stream, 64 * MIB as u32)).expect("sent");
    }
    wait_for(&mut connection, 1, &[3]).expect("the stream is reset");
    Request::to(server.address, "GET", "/_presigned/health").send().expect(200);
    assert!(wait_for_line(&server, "reading a body failed"), "{}", log(&server));
    // A copy reads it from the beginning.
    let copy = Request::to(server.address, "PUT", "/bucket/copy")
        .headers(&[("x-amz-copy-source", "/bucket/large"), ("x-amz-checksum-algorithm", "SHA256")]);
    copy.body("").sign().send().expect(500);
}

/// A file that somebody writes to, its length kept, ends the download, and a copy gives it no checksum that holds.
#[test]
fn a_file_that_is_changed_ends_its_request() {
    let server = start("changing", &ARGUMENTS);
    put(&server, "/bucket/large", 40 * MIB);
    let mut stream = connect(server.address);
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    stream.write_all(&Request::to(server.address, "GET", "/bucket/large").presign().head()).expect("sent");
    let mut buffer = vec![0; MIB];
    let mut received = stream.read(&mut buffer).expect("some of the body");
    for blob in blobs(&server) {
        let mut permissions = std::fs::metadata(&blob).expect("a file").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(&blob, permissions).expect("changed");
        let file = OpenOptions::new().write(true).open(&blob).expect("a file");
        std::os::unix::fs::FileExt::write_all_at(&file, b"changed", 39 * MIB as u64).expect("written");
    }
    while let Ok(more @ 1..) = stream.read(&mut buffer) {
        received += more;
    }
    assert!(received < 40 * MIB, "{received}");
    assert!(wait_for_line(&server, "was changed"), "{}", log(&server));
    let copy = Request::to(server.address, "PUT", "/bucket/copy")
        .headers(&[("x-amz-copy-source", "/bucket/large"), ("x-amz-checksum-algorithm", "SHA256")]);
    copy.body("").sign().send().expect(500);
}

/// 600 copies of parts by one URL, whose connections were closed at once, took all threads for 14 seconds.
#[test]
fn work_ends_with_its_client() {
    let server = start("leaving", &ARGUMENTS);
    put(&server, "/bucket/source", 24 * MIB);
    let created = Request::to(server.address, "POST", "/bucket/target?uploads=").body("").sign().send();
    let id = created.expect(200).element("UploadId").expect("an id");
    let target = format!("/bucket/target?partNumber=1&uploadId={id}");
    let copy = Request::to(server.address, "PUT", &target).header("x-amz-copy-source", "/bucket/source");
    let copy = copy.header("Content-Length", "0").sign();
    for _ in 0..40 {
        Connection::open(server.address).write(&copy.head());
    }
    assert!(wait_for_line(&server, "check=\"client gone\""), "{}", log(&server));
    copy.send().expect(200);
    let left = Request::to(server.address, "GET", &target.replace("partNumber=1&", "")).sign().send();
    assert!(left.expect(200).text().contains("<PartNumber>1</PartNumber>"));
}

/// Three connections with the URL of one large object held all descriptors.
#[test]
fn open_bodies_are_bounded() {
    let server = start_with_files("descriptors", 256, &ARGUMENTS);
    put(&server, "/bucket/large", 2 * MIB);
    put(&server, "/bucket/small", 100);
    let url = url(&server, "/bucket/large");
    let held: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = begin(server.address, 0);
            for number in 0..100 {
                connection.write_all(&get(number * 2 + 1, &url, &[])).expect("sent");
            }
            connection
        })
        .collect();
    let read = |path: &str| Request::to(server.address, "GET", path).sign().send();
    let until = |status| {
        let began = Instant::now();
        while read("/bucket/large").status != status && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until(503);
    let mut table = Table::default();
    table.status("health", &Request::to(server.address, "GET", "/_presigned/health").send(), 200);
    table.status("a small body", &read("/bucket/small"), 200);
    let refused = read("/bucket/large");
    table.status("a large one", &refused, 503);
    table.check("its code", refused.element("Code").as_deref() == Some("SlowDown"));
    drop(held);
    until(200);
    table.status("when they are gone", &read("/bucket/large"), 200);
}

/// Documents that do not end took 8 to 10 MB of memory each, without a bound on all.
#[test]
fn documents_are_bounded() {
    let server = start("documents", &ARGUMENTS);
    put(&server, "/bucket/key", 1);
    let created = Request::to(server.address, "POST", "/bucket/upload?uploads=").body("").sign().send();
    let id = created.expect(200).element("UploadId").expect("an id");
    // Signed for any body, and not sent to its end.
    let begun = |method: &str, target: &str, bytes: usize| {
        let request = Request::to(server.address, method, target)
            .headers(&[("Content-Length", &bytes.to_string()), ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")])
            .presign();
        let mut connection = Connection::open(server.address);
        connection.write(&[request.head(), vec![b' '; bytes.min(1000)]].concat());
        connection
    };
    let completion = format!("/bucket/upload?uploadId={id}");
    let mut table = Table::default();
    // Before the body has come, and whatever it would be.
    for (what, method, target, bytes, status) in [
        ("an upload that is not there", "POST", "/bucket/none?uploadId=abc", 100_000, 404),
        ("tags of a key that is not there", "PUT", "/bucket/none?tagging=", 100_000, 404),
        ("a completion", "POST", completion.as_str(), 3 * MIB + 1, 400),
        ("tags", "PUT", "/bucket/key?tagging=", 128 * 1024 + 1, 400),
        ("tags of a bucket", "PUT", "/bucket?tagging=", 128 * 1024 + 1, 400),
        ("versioning", "PUT", "/bucket?versioning=", 4097, 400),
        ("rules", "PUT", "/bucket?lifecycle=", 2 * MIB + 1, 400),
        ("a bucket", "PUT", "/bucket2", 128 * 1024 + 1, 400),
        ("deletions", "POST", "/bucket?delete=", 8 * MIB + 1, 400),
    ] {
        let answer = begun(method, target, bytes).response(method);
        table.status(what, &answer, status);
        let code = answer.element("Code");
        table.check(
            &format!("{what}: {code:?}"),
            status == 404 || code.as_deref() == Some("MaxMessageLengthExceeded"),
        );
    }
    let held: Vec<_> = (0..16).map(|_| begun("POST", &completion, 3 * MIB)).collect();
    assert!(wait_for_held(&begun, &completion), "{}", log(&server));
    let small = Request::to(server.address, "PUT", "/bucket?versioning=")
        .body("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
    table.status("a small one", &small.sign().send(), 200);
    drop(held);
}

/// Waits until one more document is refused.
fn wait_for_held(begun: &impl Fn(&str, &str, usize) -> Connection, target: &str) -> bool {
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut more = begun("POST", target, 3 * MIB);
        if !more.is_silent(Duration::from_millis(300)) {
            let answer = more.response("POST");
            return answer.status == 503 && answer.element("Code").as_deref() == Some("SlowDown");
        }
        held.push(more);
    }
    false
}
