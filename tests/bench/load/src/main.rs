//! The load generator of `tests/bench/run`: one kind of work against one endpoint, measured, as JSON.
//!
//! `load WORK [--FLAG VALUE]...`; the works and their flags are in `main` below. Requests are signed before the timed
//! section, by the `aws-sigv4` crate. One thread drives all connections.

mod drive;
mod machine;
mod sign;

use std::collections::HashMap;
use std::env::args;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use drive::{Body, Noise, Outcome, Pace, run};
use sign::{Draft, Signer, escape};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TAG_BYTES: usize = 16;
/// From here on, a body comes out of a memory file.
const LARGE_BYTES: usize = 64 << 10;
/// The noise that large bodies are cut from, each from another offset.
const NOISE_BYTES: usize = 256 << 20;
/// Folders in a bucket that is to be listed, whatever its size: with a delimiter, a page is one line for each.
const FOLDERS: usize = 1000;
/// Walks over all keys in an order that no read-ahead guesses: a prime that divides no count.
const STRIDE: usize = 7919;

fn main() -> Result<()> {
    let mut arguments = args().skip(1);
    let work = arguments.next().ok_or("no work is named")?;
    let mut flags = Flags(HashMap::new());
    while let Some(flag) = arguments.next() {
        flags
            .0
            .insert(flag.trim_start_matches('-').to_owned(), arguments.next().ok_or("a flag without value")?);
    }
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files })?;

    let time = Duration::from_secs_f64(flags.number("seconds", 3600.0)?);
    let outcome = match work.as_str() {
        "fdatasync" => machine::fdatasync(Path::new(flags.text("dir")?), time)?,
        "files" => machine::files(Path::new(flags.text("dir")?), flags.number("connections", 1)?, time)?,
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(Load::new(flags, time)?.run(&work))?,
    };
    report(outcome);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "it is what the driver reads")]
fn report(mut outcome: Outcome) {
    outcome.micros.sort_unstable();
    let quantile = |part: f64| {
        let at = (outcome.micros.len() as f64 * part) as usize;
        outcome.micros.get(at).copied().unwrap_or_default()
    };
    let answer = json!({
        "operations": outcome.operations, "errors": outcome.errors, "first_error": outcome.first_error,
        "bytes": outcome.bytes, "seconds": outcome.seconds, "p50_micros": quantile(0.5),
        "p99_micros": quantile(0.99), "own_cpu_seconds": outcome.own_cpu_seconds,
    });
    println!("{answer}");
}

/// `--FLAG VALUE` pairs.
struct Flags(HashMap<String, String>);

impl Flags {
    fn text(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).ok_or_else(|| format!("--{name} is missing").into())
    }

    fn number<T: FromStr<Err: Error + 'static>>(&self, name: &str, default: T) -> Result<T> {
        self.0.get(name).map_or(Ok(default), |text| Ok(text.parse()?))
    }
}

/// One endpoint and what to do there.
struct Load {
    flags: Flags,
    signer: Signer,
    address: SocketAddr,
    bucket: String,
    /// The first key is `{key}{from:09}`, or in a tree.
    key: String,
    from: usize,
    count: usize,
    size: usize,
    pace: Pace,
}

impl Load {
    fn new(flags: Flags, limit: Duration) -> Result<Self> {
        let host = flags.text("endpoint")?.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let address = host.parse().map_err(|_| "the endpoint is to be http://ADDRESS:PORT")?;
        let signer = Signer {
            host,
            access_key: flags.text("access-key")?.to_owned(),
            secret_key: flags.text("secret-key")?.to_owned(),
            region: flags.text("region")?.to_owned(),
        };
        let pace = Pace { connections: flags.number("connections", 1)?, limit, keep: false };
        Ok(Self {
            signer,
            address,
            bucket: flags.text("bucket")?.to_owned(),
            key: flags.text("key").unwrap_or_default().to_owned(),
            from: flags.number("from", 0)?,
            count: flags.number("count", 1)?,
            size: flags.number("size", 0)?,
            pace,
            flags,
        })
    }

    async fn run(self, work: &str) -> Result<Outcome> {
        let all = self.from..self.from + self.count;
        let of = self.flags.number("of", self.count)?.max(1);
        let scattered = (0..self.count).map(|at| at * STRIDE % of);
        let drafts: Vec<_> = match work {
            // PUT Bucket.
            "bucket" => vec![Draft::new("PUT", format!("/{}", self.bucket))],
            // PUT of `count` objects of `size` bytes, from the key `from`; with --tree 1, into folders.
            "put" => all.map(|at| self.put(at)).collect(),
            // GET of `count` objects out of the first `of`.
            "get" => scattered.map(|at| Draft::new("GET", self.target(&self.key, at))).collect(),
            "delete" => all.map(|at| Draft::new("DELETE", self.target(&self.key, at))).collect(),
            // CopyObject to `key`, out of the first `of` of `source`.
            "copy" => {
                let source = self.flags.text("source")?;
                let draft = |at| {
                    let header = Some(("x-amz-copy-source", self.target(source, at % of)));
                    Draft { header, ..Draft::new("PUT", self.target(&self.key, at)) }
                };
                all.map(draft).collect()
            }
            // ListObjectsV2 after keys anywhere among the `of` of a tree; with --delimiter 1, its folders.
            "list" => scattered.map(|at| Draft::new("GET", self.page(at))).collect(),
            // One upload of `size` bytes in parts of `part`, over all connections.
            "multipart" => return self.multipart().await,
            // `count` downloads of the first object, at `rate` bytes a second each.
            "slow" => {
                let drafts: Vec<_> =
                    (0..self.count).map(|_| Draft::new("GET", self.target(&self.key, 0))).collect();
                let requests = self.signer.presign(&drafts);
                return Ok(drive::slow(
                    self.address,
                    requests,
                    self.flags.number("rate", 4096)?,
                    self.pace.limit,
                )
                .await?);
            }
            _ => return Err(format!("no such work: {work}").into()),
        };
        let noise = Rc::new(Noise::new(if self.size >= LARGE_BYTES { NOISE_BYTES } else { 0 })?);
        Ok(run(self.address, self.signer.presign(&drafts), noise, self.pace).await?)
    }

    fn target(&self, key: &str, at: usize) -> String {
        match self.flags.0.contains_key("tree") {
            true => format!("/{}/{key}d{:03}/{:09}", self.bucket, at % FOLDERS, at / FOLDERS),
            false => format!("/{}/{key}{at:09}", self.bucket),
        }
    }

    fn put(&self, at: usize) -> Draft {
        let draft = Draft::new("PUT", self.target(&self.key, at));
        if self.size >= LARGE_BYTES {
            // Blocks of two bodies never coincide, or a peer that keeps equal blocks once would win by it.
            let offset = at as u64 * 1_000_003 % NOISE_BYTES as u64;
            return Draft { body: Body::Large { offset, length: self.size }, ..draft };
        }
        let mut tag = format!("{at:0width$}", width = TAG_BYTES).into_bytes();
        tag.truncate(self.size);
        Draft { body: Body::Small(self.size - tag.len()), tag, ..draft }
    }

    fn page(&self, at: usize) -> String {
        let query = match self.flags.0.contains_key("delimiter") {
            true => "delimiter=%2F".to_owned(),
            false => {
                // Not among the last tenth of the folders, so that there is a whole page behind it.
                let after = self.target(&self.key, at - at % FOLDERS + at % FOLDERS * 9 / 10);
                format!("start-after={}", escape(after.trim_start_matches(&format!("/{}/", self.bucket))))
            }
        };
        format!("/{}?list-type=2&max-keys=1000&{query}", self.bucket)
    }

    /// Only the parts and the completion are timed: what they are signed with, the upload's id, must be known before.
    async fn multipart(self) -> Result<Outcome> {
        let part = self.flags.number("part", 16 << 20)?;
        let target = self.target(&self.key, 0);
        let noise = Rc::new(Noise::new(NOISE_BYTES)?);
        let alone = Pace { connections: 1, keep: true, ..self.pace };
        let begin = self.signer.presign(&[Draft::new("POST", format!("{target}?uploads="))]);
        let begun = run(self.address, begin, Rc::clone(&noise), alone).await?;
        let Some((_, answer)) = begun.answers.first() else { return Ok(begun) };
        let text = String::from_utf8_lossy(&answer.text).into_owned();
        let id = between(&text, "<UploadId>", "</UploadId>").ok_or("no upload id")?;

        let drafts: Vec<_> = (0..self.size.div_ceil(part))
            .map(|at| {
                let length = part.min(self.size - at * part);
                let offset = at as u64 * 17_000_023 % NOISE_BYTES as u64;
                let target = format!("{target}?partNumber={}&uploadId={}", at + 1, escape(id));
                Draft { body: Body::Large { offset, length }, ..Draft::new("PUT", target) }
            })
            .collect();
        let requests = self.signer.presign(&drafts);
        let mut parts =
            run(self.address, requests, Rc::clone(&noise), Pace { keep: true, ..self.pace }).await?;
        parts.answers.sort_by_key(|(at, _)| *at);
        let mut xml = "<CompleteMultipartUpload>".to_owned();
        for (at, answer) in &parts.answers {
            let etag = &answer.etag;
            xml.push_str(&format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", at + 1));
        }
        xml.push_str("</CompleteMultipartUpload>");
        let target = format!("{target}?uploadId={}", escape(id));
        let draft = Draft { body: Body::Text(xml.into_bytes()), ..Draft::new("POST", target) };
        let began = Instant::now();
        let end = run(self.address, self.signer.presign(&[draft]), noise, alone).await?;
        let complete = end.answers.first().is_some_and(|(_, answer)| {
            // A 200 that holds an error is one.
            between(&String::from_utf8_lossy(&answer.text), "<ETag>", "</ETag>").is_some()
        });
        Ok(Outcome {
            operations: usize::from(complete),
            errors: parts.errors + usize::from(!complete),
            first_error: parts.first_error + &end.first_error,
            seconds: parts.seconds + began.elapsed().as_secs_f64(),
            micros: vec![(began.elapsed().as_micros()) as u32],
            own_cpu_seconds: parts.own_cpu_seconds,
            ..Outcome::default()
        })
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(inner, _)| inner)
}
