//! An answer that got lost: what succeeded is answered alike when it is asked for again.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::check::{Table, assert_stored, exists, given, refusal};
use crate::harness::{ACCESS_KEY, SECRET_KEY, folder, unique};
use crate::multipart::{complete, create, part};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request, Response};

fn element(number: u32, etag: &str) -> String {
    format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", etag.replace('"', "&quot;"))
}

/// What an answer says of the object.
fn made(response: &Response) -> Vec<Option<String>> {
    let elements = ["Location", "Bucket", "Key", "ETag", "ChecksumCRC64NVME", "ChecksumType"];
    let version = response.header("x-amz-version-id").map(str::to_owned);
    elements.iter().map(|name| response.element(name)).chain([version]).collect()
}

/// Measured: adobe/S3Mock#2586, minio/minio#13318; boto3's own integration tests abort what they completed. The time
/// for which AWS remembers is not known: a day, decided.
#[test]
fn a_completion_can_be_repeated() {
    let mut table = Table::default();
    let path = unique("again");
    let id = create(&path);
    let etags = [part(&path, &id, 1, &vec![b'a'; 5 * 1024 * 1024]), part(&path, &id, 2, b"the end")];
    let parts = element(1, &etags[0]) + &element(2, &etags[1]);
    let first = complete(&path, &id, &parts).expect(200);
    for _ in 0..2 {
        let again = complete(&path, &id, &parts);
        table.status("again", &again, 200);
        table.check("the same answer", made(&again) == made(&first));
    }
    // The object is another by now, and stays.
    given(&path, "overwritten");
    let again = complete(&path, &id, &parts);
    table.check("the same answer after an overwrite", made(&again) == made(&first));
    assert_stored(&path, "overwritten");
    // Measured: getmoto/moto#9209, ministack#1435.
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let repeat = Request::new("POST", &format!("{path}?uploadId={id}")).header("If-None-Match", "*");
    table.status("with a condition", &repeat.body(document).sign().send(), 200);
    let abort = Request::new("DELETE", &format!("{path}?uploadId={id}")).sign().send();
    table.status("an abort of what has ended", &abort, 204);
    assert_stored(&path, "overwritten");
}

/// Recorded of ListParts: test_multipart_and_list_parts; under another key, of an upload that is open:
/// test_multipart_key_validation. Of UploadPart and other lists of parts inferred.
#[test]
fn all_else_of_a_completed_upload_is_gone() {
    let mut table = Table::default();
    let path = unique("ended");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"the whole");
    complete(&path, &id, &element(1, &etag)).expect(200);
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    let elements = [("UploadId", id.as_str())];
    let gone = refusal(404, "NoSuchUpload", message, &elements);
    let target = format!("{path}?uploadId={id}");
    table.refused("its parts", &Request::new("GET", &target).sign().send(), &gone);
    let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}")).body("x").sign();
    table.refused("a part", &put.send(), &gone);
    let other = complete(&path, &id, &element(1, "\"00000000000000000000000000000000\""));
    table.refused("other parts", &other, &gone);
    let more = complete(&path, &id, &(element(1, &etag) + &element(2, &etag)));
    table.refused("more parts", &more, &gone);
    let elsewhere = unique("elsewhere");
    table.refused("under another key", &complete(&elsewhere, &id, &element(1, &etag)), &gone);
    let abort = Request::new("DELETE", &format!("{elsewhere}?uploadId={id}")).sign();
    table.refused("an abort under another key", &abort.send(), &gone);
    table.check("nothing is there", !exists(&elsewhere));
    assert_stored(&path, "the whole");
}

/// The version that was made is named again, whatever is current.
#[test]
fn a_repetition_names_its_version() {
    let mut table = Table::default();
    let bucket = "/repeated-versions";
    Request::new("PUT", bucket).body("").sign().send().expect(200);
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    Request::new("PUT", &format!("{bucket}?versioning")).body(enable).sign().send().expect(200);
    let path = format!("{bucket}/k");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"version");
    let first = complete(&path, &id, &element(1, &etag)).expect(200);
    given(&path, "newer");
    let again = complete(&path, &id, &element(1, &etag));
    table.check("the version", again.header("x-amz-version-id").is_some() && made(&again) == made(&first));
    let list = Request::new("GET", &format!("{bucket}?versions")).sign().send();
    table.check("no third version", list.elements("Version").len() == 2);
}

/// The list is the same however it is written: with or without quotes, white space, a declaration or a namespace, and
/// whichever way the request is signed.
#[test]
fn the_same_parts_in_other_words() {
    let mut table = Table::default();
    let path = unique("reworded");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"the whole");
    let first = complete(&path, &id, &element(1, &etag)).expect(200);
    let bare = etag.trim_matches('"');
    for document in [
        format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{bare}</ETag></Part></CompleteMultipartUpload>"
        ),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n <Part>\n <ETag>{etag}</ETag>\n <PartNumber>1</PartNumber>\n </Part>\n</CompleteMultipartUpload>\n"
        ),
    ] {
        let request = Request::new("POST", &format!("{path}?uploadId={id}"));
        for again in [request.clone().body(&document).sign(), request.presign().body(&document)] {
            let again = again.send();
            table.status(&document, &again, 200);
            table.check(&format!("{document}: the same answer"), made(&again) == made(&first));
        }
    }
    let target = format!("{path}?uploadId={id}");
    for document in ["", "<CompleteMultipartUpload/>", "<CompleteMultipartUpload>", "<Other/>"] {
        let response = Request::new("POST", &target).body(document).sign().send();
        table.check(&format!("{document:?}: {}", response.status), [400, 404].contains(&response.status));
    }
    assert_stored(&path, "the whole");
}

/// Measured with `If-None-Match`: getmoto/moto#9209, ministack#1435; with `If-Match` inferred. The condition was decided
/// the first time; by now it does not hold, just because the first request succeeded.
#[test]
fn the_same_condition_is_not_decided_again() {
    let mut table = Table::default();
    let path = unique("conditional");
    given(&path, "before");
    let tag = Request::new("HEAD", &path).sign().send().header("etag").expect("a tag").to_owned();
    // Dates are kept to the millisecond, and what was written during an upload is a conflict.
    std::thread::sleep(std::time::Duration::from_millis(10));
    let absent = unique("conditional");
    for (path, name, value) in [(&path, "If-Match", tag.as_str()), (&absent, "If-None-Match", "*")] {
        let id = create(path);
        let etag = part(path, &id, 1, b"completed");
        let document = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", element(1, &etag));
        let request = Request::new("POST", &format!("{path}?uploadId={id}")).header(name, value);
        let request = request.body(&document).sign();
        let first = request.send().expect(200);
        let again = request.send();
        table.status(&format!("{name} again"), &again, 200);
        table.check(&format!("{name}: the same answer"), made(&again) == made(&first));
        // Both at once are refused before anything is looked up.
        let both = Request::new("POST", &format!("{path}?uploadId={id}"));
        let both = both.headers(&[("If-Match", &tag), ("If-None-Match", "*")]).body(&document).sign();
        table.status(&format!("{name}: both"), &both.send(), 501);
    }
}

/// Inferred: what was made may be gone by now, which is no reason to make it again.
#[test]
fn a_repetition_makes_nothing() {
    let mut table = Table::default();
    let path = unique("removed");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"the whole");
    let first = complete(&path, &id, &element(1, &etag)).expect(200);
    Request::new("DELETE", &path).sign().send().expect(204);
    let again = complete(&path, &id, &element(1, &etag));
    table.status("again", &again, 200);
    table.check("the same answer", made(&again) == made(&first));
    table.check("nothing was made", !exists(&path));
    let abort = || Request::new("DELETE", &format!("{path}?uploadId={id}")).sign().send();
    table.status("an abort", &abort(), 204);
    table.status("another abort", &abort(), 204);
    table.status("after the aborts", &complete(&path, &id, &element(1, &etag)), 200);
    let uploads = Request::new("GET", "/bucket1?uploads").add_query(&format!("prefix={}", &path[9..]));
    table.check("no upload is listed", uploads.sign().send().elements("Upload").is_empty());
    let source = unique("removed-source");
    given(&source, "source");
    let copy = Request::new("PUT", &format!("{path}?partNumber=2&uploadId={id}"));
    table.status("a part", &copy.header("x-amz-copy-source", &source).sign().send(), 404);
    // An abort of what was aborted is no repetition that is remembered.
    let id = create(&path);
    let abort = || Request::new("DELETE", &format!("{path}?uploadId={id}")).sign().send();
    table.status("an abort", &abort(), 204);
    table.status("a completion after it", &complete(&path, &id, &element(1, &etag)), 404);
}

/// Inferred: the bucket of a name that was removed and made again is another.
#[test]
fn another_bucket_of_the_same_name() {
    let mut table = Table::default();
    let bucket = "/repeated-bucket";
    let make = || Request::new("PUT", bucket).body("").sign().send().expect(200);
    make();
    let path = format!("{bucket}/k");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"the whole");
    complete(&path, &id, &element(1, &etag)).expect(200);
    Request::new("DELETE", &path).sign().send().expect(204);
    Request::new("DELETE", bucket).sign().send().expect(204);
    table.status("no bucket", &complete(&path, &id, &element(1, &etag)), 404);
    make();
    table.status("another bucket", &complete(&path, &id, &element(1, &etag)), 404);
    table.status("its abort", &Request::new("DELETE", &format!("{path}?uploadId={id}")).sign().send(), 404);
    table.check("nothing is there", !exists(&path));
}

/// A retry often comes while the first request is still carried out: all get the same answer, and one version is made.
#[test]
fn repetitions_at_once() {
    let mut table = Table::default();
    let bucket = "/repeated-at-once";
    crate::versions::versioned(bucket);
    let path = format!("{bucket}/k");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"the whole");
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let run = || complete(&path, &id, &element(1, &etag));
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    for answer in &answers {
        table.status("one of eight", answer, 200);
        table.check("the same answer", made(answer) == made(&answers[0]));
    }
    let list = Request::new("GET", &format!("{bucket}?versions")).sign().send();
    table.check("one version", list.elements("Version").len() == 1);
}

/// A server that is ended at once when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a server on a store, and gives its address.
fn run(base: &Path, name: &str) -> (Running, std::net::SocketAddr) {
    let ready = base.join(name);
    let child = Command::new(env!("CARGO_BIN_EXE_presigned"))
        .arg("serve")
        .arg(base.join("data"))
        .args(["--listen", "127.0.0.1:0", "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
        .args(["--bucket", "kept", "--ready-file"])
        .arg(&ready)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a server");
    let running = Running(child);
    for _ in 0..2000 {
        if let Ok(urls) = fs::read_to_string(&ready) {
            let url = urls.lines().next().and_then(|url| url.strip_prefix("http://"));
            let address = url.expect("plain HTTP").parse().expect("an address");
            return (running, address);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the server did not start");
}

/// The answer is also lost when the server dies behind the completion: it is remembered by the next one.
#[test]
fn completions_are_remembered_by_the_store() {
    let base = folder("repeats");
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(&base).expect("a directory");
    let (running, address) = run(&base, "first");
    let send = |address, method: &str, target: &str, body: &str| {
        Request::to(address, method, target).body(body).sign().send()
    };
    let created = send(address, "POST", "/kept/k?uploads", "").expect(200);
    let target = format!("/kept/k?uploadId={}", created.element("UploadId").expect("an id"));
    let put = send(address, "PUT", &format!("{target}&partNumber=1"), "the whole").expect(200);
    let parts = element(1, put.header("etag").expect("a tag"));
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    // The client is gone before the answer comes, and so is the server when the object is there.
    let request = Request::to(address, "POST", &target).body(&document).sign();
    let mut connection = Connection::open(address);
    connection.write(&[request.head(), request.body.clone()].concat());
    connection.response("POST").expect(200);
    drop(running);
    let (running, address) = run(&base, "second");
    let again = send(address, "POST", &target, &document).expect(200);
    assert!(again.element("ETag").is_some_and(|tag| tag.ends_with("-1\"")), "{}", again.text());
    send(address, "DELETE", &target, "").expect(204);
    send(address, "GET", &target, "").expect(404);
    drop(running);
    let _ = fs::remove_dir_all(&base);
}
