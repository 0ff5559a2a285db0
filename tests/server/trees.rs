//! Buckets as trees of files: exported while they are served, imported into another store, served again.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{ACCESS_KEY, SECRET_KEY, Server, folder, start, start_in};
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

const KEYS: [&str; 4] = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY];
/// Paths of objects as they stand in a URL, and sizes.
const OBJECTS: [(&str, usize); 9] = [
    ("plain.txt", 5),
    ("a", 100_000),
    ("a/b", 10),
    ("a/", 0),
    ("a//", 30_000),
    ("../up", 17_000),
    ("//", 1),
    ("a%20b%2B%25", 20_000),
    ("%E6%97%A5%01", 3),
];

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

/// Runs a command to its end.
fn run(arguments: &[&str], paths: &[&Path], more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_presigned"));
    command.args(arguments).args(paths).args(more).output().expect("it runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn put(server: &Server, path: &str, size: usize) {
    let headers = [
        ("Content-Type", "text/x-test"),
        ("Cache-Control", "no-cache"),
        ("x-amz-meta-size", &size.to_string()),
        ("x-amz-tagging", "kind=odd&a%20b="),
    ];
    let put = Request::to(server.address, "PUT", &format!("/tree/{path}")).headers(&headers);
    put.body(body(size)).sign().send().expect(200);
}

fn get(server: &Server, target: &str) -> Response {
    Request::to(server.address, "GET", &format!("/tree/{target}")).sign().send()
}

#[test]
fn a_bucket_goes_through_files_into_another_store() {
    let server = start("tree-from", &[&KEYS[..], &["--bucket", "tree"]].concat());
    for (path, size) in OBJECTS {
        put(&server, path, size);
    }
    let long = "k".repeat(300);
    put(&server, &long, 7);
    let base = folder("tree-to");
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(&base).expect("a directory");
    let (tree, data) = (base.join("tree"), base.join("data"));
    // Served all the while.
    let exported = run(&["export", "tree"], &[&tree, Path::new("--dir"), &server.data], &[]);
    assert_eq!(exported.status.code(), Some(1), "{}", text(&exported));
    assert!(text(&exported).contains(&format!("refused: {long}: ")), "{}", text(&exported));
    assert!(text(&exported).contains("9 files of 167019 bytes were made"), "{}", text(&exported));
    get(&server, "a").expect(200);
    Request::to(server.address, "DELETE", &format!("/tree/{long}")).sign().send().expect(204);
    let exported = run(&["export", "tree"], &[&tree, Path::new("--dir"), &server.data], &["--copy"]);
    assert!(exported.status.success(), "{}", text(&exported));
    assert_eq!(fs::read(tree.join("a%00")).expect("a file"), body(100_000));
    assert_eq!(fs::read(tree.join("%2E%2E/up")).expect("a file"), body(17_000));
    let busy = run(&["import"], &[&tree], &["tree", "--dir", server.data.to_str().expect("UTF-8")]);
    assert!(text(&busy).contains("is in use by process"), "{}", text(&busy));
    let import = || run(&["import"], &[&tree], &["tree", "--dir", data.to_str().expect("UTF-8")]);
    let imported = import();
    assert!(imported.status.success(), "{}", text(&imported));
    assert!(text(&imported).starts_with("9 files of 167019 bytes were taken in, 0 were there already"));
    assert!(text(&import()).starts_with("0 files of 0 bytes were taken in, 9 were there already"));
    let other = start_in(&base, "tree-to", &KEYS);
    for (path, size) in OBJECTS {
        let (old, new) = (get(&server, path).expect(200), get(&other, path).expect(200));
        assert!(old.body == body(size) && new.body == old.body, "{path}");
        for header in ["etag", "content-type", "cache-control", "x-amz-meta-size", "x-amz-tagging-count"] {
            assert!(old.header(header).is_some(), "{path}: {header}");
            assert_eq!(new.header(header), old.header(header), "{path}: {header}");
        }
        let tags = |server| get(server, &format!("{path}?tagging=")).expect(200).text();
        assert_eq!(tags(&other), tags(&server), "{path}");
    }
    let keys = |server| {
        let listing = get(server, "?list-type=2").expect(200).text();
        let keys = listing.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        keys.collect::<Vec<String>>()
    };
    assert_eq!(keys(&server).len(), OBJECTS.len());
    assert_eq!(keys(&other), keys(&server));
}
