//! An answer that got lost: what succeeded is answered alike when it is asked for again.

use crate::check::{Table, assert_stored, exists, given, refusal};
use crate::harness::unique;
use crate::multipart::{complete, create, part};
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

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

/// Recorded: test_multipart_and_list_parts: all else of an upload that was completed is gone.
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
