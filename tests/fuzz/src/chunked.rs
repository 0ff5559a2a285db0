//! Bodies in aws-chunked. The first line of the input says how it is framed, how long its head says that it is, and
//! which checksum the head announces, if any: `signed-trailer 11 crc32`. The rest is the body, in which two things stand
//! for others, so that small changes lead on: an `@` where a signature goes, and a byte 0xff for 4,096 bytes.

use bytes::Bytes;
use presigned::auth::{BodyKind, Verified};
use presigned::s3::Error;
use presigned::s3::checksum::{Algorithm, Checksum};
use sha2::{Digest as _, Sha256};

use super::head::{Head, cut};
use super::signing::{DATE, SCOPE, Scheme, Signed, hex, sign, v4_signature};

const CHUNK_SIGNATURE: &[u8] = b"chunk-signature=@\r\n";
const TRAILER_SIGNATURE: &[u8] = b"x-amz-trailer-signature:@\r\n";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// Longest body.
const BODY_BYTES_MAX: usize = 100_000;
/// Bodies up to this length are cut in two everywhere.
const HALVED_BYTES_MAX: usize = 100;
/// And up to this one into single bytes.
const SINGLE_BYTES_MAX: usize = 20_000;

pub fn check(data: &[u8]) {
    let Some((line, body)) = cut(data, b'\n') else { return };
    let Some(signed) = std::str::from_utf8(line).ok().and_then(signed) else { return };
    let body = body.iter().flat_map(|byte| if *byte == 0xff { vec![b'x'; 4096] } else { vec![*byte] });
    let body = sealed(&body.take(BODY_BYTES_MAX).collect::<Vec<_>>(), signed.signature);
    let verified = signed.verified;

    let whole = read(&verified, &[&body]);
    let mut cuts: Vec<Vec<&[u8]>> = vec![body.chunks(2).collect(), body.chunks(7).collect(), uneven(&body)];
    if body.len() <= HALVED_BYTES_MAX {
        cuts.extend((0..=body.len()).map(|at| body.split_at(at)).map(|(one, two)| vec![one, two]));
    }
    if body.len() <= SINGLE_BYTES_MAX {
        cuts.push(body.chunks(1).collect());
    }
    for pieces in cuts {
        assert_eq!(read(&verified, &pieces), whole, "in {} pieces", pieces.len());
    }
    if let Ok(proof) = &whole.1 {
        let length = verified.request().amz("x-amz-decoded-content-length");
        assert_eq!(length.and_then(|length| length.trim().parse().ok()), Some(proof.0));
        assert_eq!(usize::try_from(proof.0), Ok(whole.0.len()));
    }
}

/// The head of a body.
fn signed(line: &str) -> Option<Signed> {
    let mut words = line.split(' ');
    let (mode, length, checksum) = (words.next()?, words.next()?, words.next());
    let literal = match mode {
        "signed" => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "signed-trailer" => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "unsigned-trailer" => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        _ => return None,
    };
    let mut head = format!(
        "PUT /bucket/key\nhost: localhost\nx-amz-content-sha256: {literal}\nx-amz-date: {DATE}\nx-amz-decoded-content-length: {length}"
    );
    if let Some(checksum) = checksum {
        head.push_str(&format!("\nx-amz-trailer: x-amz-checksum-{checksum}"));
    }
    let head = Head::parse(head.as_bytes())?;
    let names: Vec<String> = head.names().collect();
    sign(Scheme::V4Header, &Scheme::V4Header.claim(&head, &names))
}

type Proof = (u64, [u8; 16], Option<Checksum>);

/// The bytes that a body gives in these pieces, up to its end or an error.
fn read(verified: &Verified, pieces: &[&[u8]]) -> (Vec<u8>, Result<Proof, Error>) {
    let mut out = Vec::new();
    let proof = (|| {
        let mut body = verified.check_body(BodyKind::Object { checksum: Algorithm::Crc64Nvme })?;
        for piece in pieces {
            body.framer.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        out.iter().for_each(|data| body.digester.update(data));
        let proof = body.digester.finish(body.framer.finish()?)?;
        Ok((proof.size(), *proof.md5(), proof.checksum().copied()))
    })();
    (out.concat(), proof)
}

/// Pieces of sizes that follow from the bytes, and that are often small.
fn uneven(mut body: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut seed = body.iter().fold(1, |seed: u32, byte| seed.wrapping_mul(31).wrapping_add((*byte).into()));
    while !body.is_empty() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = usize::try_from(seed >> 29).unwrap_or(1).pow(3).min(body.len());
        let (piece, rest) = body.split_at(size);
        pieces.push(piece);
        body = rest;
    }
    pieces
}

/// The body with signatures for the `@` that stand where one goes.
fn sealed(body: &[u8], mut previous: String) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(body.len() + 1024);
    let mut sign = |kind: &str, hashes: &str| {
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{DATE}\n{SCOPE}\n{previous}\n{hashes}");
        previous = v4_signature(&text);
        format!("{previous}\r\n").into_bytes()
    };
    let (mut rest, mut trailer) = (body, String::new());
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        if let Some(start) = line.strip_suffix(CHUNK_SIGNATURE) {
            let size = cut(start, b';').and_then(|(size, _)| std::str::from_utf8(size).ok());
            let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).unwrap_or(0);
            let (data, after) = rest.split_at(size.min(rest.len()));
            sealed.extend_from_slice(line.strip_suffix(b"@\r\n").unwrap_or(line));
            sealed.extend(sign("PAYLOAD", &format!("{EMPTY_SHA256}\n{}", hex(&Sha256::digest(data)))));
            sealed.extend_from_slice(data);
            (rest, trailer) = (after, String::new());
        } else if line.ends_with(TRAILER_SIGNATURE) {
            sealed.extend_from_slice(line.strip_suffix(b"@\r\n").unwrap_or(line));
            sealed.extend(sign("TRAILER", &hex(&Sha256::digest(&trailer))));
        } else {
            if let Some((name, value)) = String::from_utf8_lossy(line).split_once(':') {
                trailer.push_str(&format!("{}:{}\n", name.trim().to_ascii_lowercase(), value.trim()));
            }
            sealed.extend_from_slice(line);
        }
    }
    sealed.extend_from_slice(rest);
    sealed
}
