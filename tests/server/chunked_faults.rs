//! Every fault that a body framed in aws-chunked can have, each by itself.

use crate::check::{MISMATCH_V4, Refusal, Table, exists, refusal};
use crate::chunked::{CRC32, Framer, MODES, Mode, hello, upload, upload_with};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::{Connection, Request};

const TERMINATED: Refusal<'static> = Refusal {
    status: 400,
    code: "IncompleteBody",
    message: "The request body terminated unexpectedly",
    elements: &[],
};
const MALFORMED_TRAILER: Refusal<'static> = Refusal {
    status: 400,
    code: "MalformedTrailerError",
    message: "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    elements: &[],
};

fn start(name: &str, mode: Mode) -> Framer {
    upload(&unique(name), mode, 11)
}

#[test]
fn signed_chunks_have_a_least_size() {
    let mut table = Table::default();
    let message = "Only the last chunk is allowed to have a size less than 8192 bytes";
    for mode in [Mode::Signed, Mode::SignedTrailer] {
        for (sizes, chunk, size) in [
            (&[5, 6][..], "2", "5"),
            (&[8191, 1], "2", "8191"),
            (&[8192, 1, 8192], "3", "1"),
            (&[8192, 8192, 100, 1], "4", "100"),
        ] {
            let mut framed = upload(&unique("small"), mode, sizes.iter().sum());
            for size in sizes {
                framed = framed.chunk(vec![b'a'; *size]);
            }
            framed = framed.last();
            if mode.has_trailer() {
                framed = framed.trailer("x-amz-checksum-crc32", "AAAAAA==");
            }
            let elements = [("Chunk", chunk), ("BadChunkSize", size)];
            let expected = refusal(403, "InvalidChunkSizeError", message, &elements);
            table.refused_write(&format!("{mode:?} {sizes:?}"), &framed.end().request(), &expected);
        }
    }
}

#[test]
fn chunk_signatures_that_do_not_match() {
    let mut table = Table::default();
    for mode in [Mode::Signed, Mode::SignedTrailer] {
        let zeros = "0".repeat(64);
        for wrong in ["invalid", zeros.as_str(), "\"\"", "zz"] {
            let line = format!("{{size}};chunk-signature={wrong}");
            let first =
                start("wrong", mode).chunk_as(&line, "hello world").last().hello_trailer().end().request();
            table.refused_write(&format!("{mode:?} first {wrong}"), &first, &MISMATCH_V4);
            let text = first.send().element("StringToSign").unwrap_or_default();
            let right = text.starts_with("AWS4-HMAC-SHA256-PAYLOAD\n") && text.contains(first.signature());
            table.check(&format!("{mode:?} first {wrong}: {text}"), right);
            let last = start("wrong", mode).chunk("hello world").chunk_as(&line, "").hello_trailer().end();
            table.refused_write(&format!("{mode:?} last {wrong}"), &last.request(), &MISMATCH_V4);
        }
        let other = start("other", mode).chunk("hello world");
        let mut body = other.bytes().to_vec();
        let at = body.windows(5).position(|window| window == b"world").expect("the data");
        body[at] = b'W';
        let changed = start("changed", mode);
        let request = other.last().hello_trailer().end().request();
        let tail = request.body[body.len()..].to_vec();
        table.refused_write(
            &format!("{mode:?} data changed"),
            &request.clone().body([body, tail].concat()),
            &MISMATCH_V4,
        );
        let line = "{size};other=1;chunk-signature={signature}";
        let before = changed.chunk_as(line, "hello world").last().hello_trailer().end().request();
        table.refused_write(&format!("{mode:?} a parameter before"), &before, &MISMATCH_V4);
        let line = "{size};chunk-signature={signature};other=1";
        let after = start("after", mode).chunk_as(line, "hello world").last().hello_trailer().end().request();
        table.refused_write(&format!("{mode:?} a parameter behind"), &after, &TERMINATED);
        // Each link of the chain holds the one before: chunks cannot change places.
        let (a, b) = (vec![b'a'; 8192], vec![b'b'; 8192]);
        let path = unique("swapped");
        let framed = upload(&path, mode, 16_384).chunk(&a).chunk(&b).last();
        let framed =
            if mode.has_trailer() { framed.trailer("x-amz-checksum-crc32", "AAAAAA==") } else { framed };
        let request = framed.end().request();
        let size = 8192 + "2000;chunk-signature=".len() + 64 + 4;
        let swapped =
            [&request.body[size..2 * size], &request.body[..size], &request.body[2 * size..]].concat();
        table.refused_write(&format!("{mode:?} swapped"), &request.body(swapped), &MISMATCH_V4);
    }
}

#[test]
fn chunk_signatures_that_are_missing() {
    let mut table = Table::default();
    for mode in [Mode::Signed, Mode::SignedTrailer] {
        for line in [
            "{size};chunk-signature=",
            "{size}",
            "{size};",
            "{size};chunk-signature",
            "{size};chunk-signature= ",
        ] {
            let first =
                start("blank", mode).chunk_as(line, "hello world").last().hello_trailer().end().request();
            table.refused_write(&format!("{mode:?} first {line}"), &first, &TERMINATED);
            let last =
                start("blank", mode).chunk("hello world").chunk_as(line, "").hello_trailer().end().request();
            table.refused_write(&format!("{mode:?} last {line}"), &last, &TERMINATED);
        }
    }
}

#[test]
fn bodies_that_end_early() {
    let mut table = Table::default();
    for mode in MODES {
        let whole = hello(&unique("cut"), mode).body;
        // What may be missing is the empty line at the end; where trailers are unsigned, nothing else.
        let last_line = whole.len() - 2;
        for cut in 0..whole.len() {
            if cut == last_line {
                continue;
            }
            let mut request = hello(&unique("cut"), mode);
            request.body.truncate(cut);
            let body = request.body.clone();
            let path = request.target.clone();
            let response = request.body(body).send();
            let code = response.element("Code").unwrap_or_default();
            // Behind the last chunk's line it is the trailer that is missing.
            let right = response.status == 400
                && ["IncompleteBody", "MalformedTrailerError"].contains(&code.as_str());
            table.check(
                &format!("{mode:?} cut at {cut}: {} {code}", response.status),
                right && !exists(&path),
            );
        }
        let no_last = start("no-last", mode).chunk("hello world").request();
        table.refused_write(&format!("{mode:?} no last chunk"), &no_last, &TERMINATED);
        let empty = start("empty", mode).request();
        table.refused_write(&format!("{mode:?} nothing"), &empty, &TERMINATED);
        let half = start("half", mode).chunk("hello world").last().hello_trailer().raw("\r");
        table.refused_write(&format!("{mode:?} half a line end"), &half.request(), &TERMINATED);
    }
}

#[test]
fn lines_that_are_broken() {
    let mut table = Table::default();
    for (case, body) in [
        ("bare LF", "b\nhello world\n0\n\n"),
        ("bare LF behind the size", "b\nhello world\r\n0\r\n\r\n"),
        ("bare LF behind the data", "b\r\nhello world\n0\r\n\r\n"),
        ("bare CR behind the size", "b\rhello world\r\n0\r\n\r\n"),
        ("bare CR behind the data", "b\r\nhello world\r0\r\n\r\n"),
        ("nothing behind the data", "b\r\nhello world0\r\n\r\n"),
        ("a negative size", "-b\r\nhello world\r\n0\r\n\r\n"),
        ("a size that is none", "x\r\nhello world\r\n0\r\n\r\n"),
        ("a size in C", "0xb\r\nhello world\r\n0\r\n\r\n"),
        ("no size", "\r\nhello world\r\n0\r\n\r\n"),
        ("a long size", "00000000000000000000b\r\nhello world\r\n0\r\n\r\n"),
        ("data too long", "b\r\nhello world!\r\n0\r\n\r\n"),
        ("no framing", "hello world"),
    ] {
        let request = upload_with(Request::new("PUT", &unique("line")), Mode::UnsignedTrailer, 11).raw(body);
        table.refused_write(case, &request.request(), &TERMINATED);
    }
    let endless = format!("b;{}", "a".repeat(100_000));
    let request = upload_with(Request::new("PUT", &unique("line")), Mode::UnsignedTrailer, 11).raw(endless);
    table.refused_write("an endless line", &request.request(), &TERMINATED);
}

#[test]
fn lengths_that_differ() {
    let mut table = Table::default();
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    for mode in MODES {
        for declared in ["0", "1", "10", "12", "1000"] {
            let length: usize = declared.parse().expect("a number");
            let framed =
                upload(&unique("length"), mode, length).chunk("hello world").last().hello_trailer().end();
            let elements = [("NumberBytesExpected", declared), ("NumberBytesProvided", "11")];
            let expected = refusal(400, "IncompleteBody", message, &elements);
            table.refused_write(&format!("{mode:?} declared {declared}"), &framed.request(), &expected);
        }
        let huge = upload(&unique("huge"), mode, 11)
            .raw(format!("ffffffffffffffff;chunk-signature={}\r\nhello world\r\n0\r\n\r\n", "0".repeat(64)));
        let response = huge.request().send();
        table.check(&format!("{mode:?} a huge chunk: {}", response.text()), response.status == 400);
        let too_large = upload(&unique("huge"), mode, 5_368_709_121).request().send();
        let right = too_large.element("Code").as_deref() == Some("EntityTooLarge")
            && too_large.element("ProposedSize").as_deref() == Some("5368709121")
            && too_large.element("MaxSizeAllowed").as_deref() == Some("5368709120");
        table.check(&format!("{mode:?} over 5 GiB: {}", too_large.text()), right);
    }
}

#[test]
fn trailers_that_are_malformed() {
    let mut table = Table::default();
    for mode in [Mode::SignedTrailer, Mode::UnsignedTrailer] {
        let data = |framed: Framer| framed.chunk("hello world").last();
        let announced = |name: &str| data(start(name, mode));
        let silent = |name: &str| data(upload_with(Request::new("PUT", &unique(name)), mode, 11));
        for (case, framed) in [
            ("declared, not sent", announced("t").end()),
            ("sent, not declared", silent("t").hello_trailer().end()),
            ("another name", announced("t").trailer("x-amz-checksum-crc32c", "yZRlqg==").end()),
            ("an unknown name", announced("t").trailer("x-amz-meta-a", "b").end()),
            ("a blank line first", announced("t").end().hello_trailer().end()),
            ("an extra line", announced("t").raw("x-extra:1\r\n").hello_trailer().end()),
            ("no colon", announced("t").raw("x-amz-checksum-crc32\r\n").end()),
        ] {
            table.refused_write(&format!("{mode:?} {case}"), &framed.request(), &MALFORMED_TRAILER);
        }
    }
    let request = Request::new("PUT", &unique("t")).header("x-amz-trailer", "x-amz-checksum-crc32");
    let framed = upload_with(request, Mode::Signed, 11).chunk("hello world").last().end();
    table.refused_write("declared without a trailer mode", &framed.request(), &MALFORMED_TRAILER);
    let plain =
        Request::new("PUT", &unique("t")).header("x-amz-trailer", "x-amz-checksum-crc32").body("x").sign();
    table.refused_write("declared without framing", &plain, &MALFORMED_TRAILER);
    let sent = start("t", Mode::Signed).chunk("hello world").last();
    let sent = sent.raw(format!("x-amz-checksum-crc32:{CRC32}\r\n\r\n"));
    table.refused_write("sent without a trailer mode", &sent.request(), &MALFORMED_TRAILER);
    let mut many = start("t", Mode::UnsignedTrailer).chunk("hello world").last();
    for _ in 0..1000 {
        many = many.raw(format!("x-amz-checksum-crc32:{CRC32}\r\n"));
    }
    let response = many.end().request().send();
    table.check(&format!("a thousand lines: {}", response.status), [200, 400].contains(&response.status));
}

#[test]
fn trailers_that_are_not_supported_or_wrong() {
    let mut table = Table::default();
    let unsupported = "The value specified in the x-amz-trailer header is not supported";
    let invalid = "Value for x-amz-checksum-crc32 trailing header is invalid.";
    let different = "The CRC32 you specified did not match the calculated checksum.";
    for mode in [Mode::SignedTrailer, Mode::UnsignedTrailer] {
        for name in ["other", ",x-amz-checksum-crc32", "x-amz-checksum-crc31", "x-amz-checksum-algorithm"] {
            let request = Request::new("PUT", &unique("t")).header("x-amz-trailer", name);
            let framed = upload_with(request, mode, 11).chunk("hello world").last().hello_trailer().end();
            let expected = refusal(400, "InvalidRequest", unsupported, &[]);
            table.refused_write(&format!("{mode:?} x-amz-trailer: {name}"), &framed.request(), &expected);
        }
        for value in ["junk", "DUoRhQ", "DUoRhQ==DUoRhQ==", "jSnVw/bqjr4=", ""] {
            let framed =
                start("t", mode).chunk("hello world").last().trailer("x-amz-checksum-crc32", value).end();
            let expected = refusal(400, "InvalidRequest", invalid, &[]);
            table.refused_write(&format!("{mode:?} value {value:?}"), &framed.request(), &expected);
        }
        let framed =
            start("t", mode).chunk("hello world").last().trailer("x-amz-checksum-crc32", "AAAAAA==").end();
        table.refused_write(
            &format!("{mode:?} another checksum"),
            &framed.request(),
            &refusal(400, "BadDigest", different, &[]),
        );
        let twice = start("t", mode).chunk("hello world").last();
        let twice = twice.raw(format!("x-amz-checksum-crc32:{CRC32}\r\n"));
        if mode == Mode::UnsignedTrailer {
            let twice = twice.trailer("x-amz-checksum-crc32", "AAAAAA==").end().request();
            table.refused_write("the last of two counts", &twice, &refusal(400, "BadDigest", different, &[]));
        }
        let request = Request::new("PUT", &unique("t"))
            .headers(&[("x-amz-trailer", "x-amz-checksum-crc32"), ("x-amz-checksum-crc32", CRC32)]);
        let framed = upload_with(request, mode, 11).chunk("hello world").last().hello_trailer().end();
        let expected = refusal(400, "InvalidRequest", "Expecting a single x-amz-checksum- header", &[]);
        table.refused_write(&format!("{mode:?} header and trailer"), &framed.request(), &expected);
    }
}

#[test]
fn trailer_signatures() {
    let mut table = Table::default();
    let base = || start("t", Mode::SignedTrailer).chunk("hello world").last();
    let line = format!("x-amz-checksum-crc32:{CRC32}\r\n");
    for wrong in ["invalid", "0".repeat(64).as_str()] {
        let framed = base().raw(&line).raw(format!("x-amz-trailer-signature:{wrong}\r\n\r\n")).request();
        table.refused_write(wrong, &framed, &MISMATCH_V4);
        let text = framed.send().element("StringToSign").unwrap_or_default();
        table.check(&format!("{wrong}: {text}"), text.starts_with("AWS4-HMAC-SHA256-TRAILER\n"));
    }
    table.refused_write("absent", &base().raw(&line).end().request(), &TERMINATED);
    let mut other = base();
    let signature = other.trailer_signature("x-amz-checksum-crc32:AAAAAA==\n");
    let other = other.raw(&line).raw(format!("x-amz-trailer-signature:{signature}\r\n\r\n"));
    table.refused_write("of another value", &other.request(), &MISMATCH_V4);
}

#[test]
fn a_broken_chunk_ends_the_upload_at_once() {
    let path = unique("early");
    let framed =
        upload(&path, Mode::Signed, 50_000_000).chunk_as("{size};chunk-signature=0", vec![b'a'; 10_000]);
    let request = framed.clone().request();
    let mut connection = Connection::open(request.address);
    connection.write(&request.set("Content-Length", "50030000").head());
    connection.write(framed.bytes());
    // The rest never comes; the answer does.
    connection.response("PUT").refused(&MISMATCH_V4);
    assert!(!exists(&path));
}
