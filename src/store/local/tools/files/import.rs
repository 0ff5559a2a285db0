//! Takes a tree of files into a bucket.
//!
//! Every file goes the way of an upload: its body is durable before the commit that makes it an object, and several
//! are under way at once, so that one commit serves many. Files are read to the end in any case, for their digests.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{FileType, fstat};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use super::folder::{kind, open_file};
use super::manifest::Row;
use super::walk::{Entry, Item, Tree};
use super::{TreeError, check_apart, modified, size};
use crate::auth::BodyProof;
use crate::clock::Clock;
use crate::s3::checksum::Algorithm;
use crate::s3::condition::WriteCondition;
use crate::s3::metadata::{CONTENT_TYPE_DEFAULT, Metadata};
use crate::s3::name::{BucketName, ETag, ObjectKey};
use crate::s3::tagging::Tags;
use crate::size;
use crate::store::Error;
use crate::store::local::Store;
use crate::store::local::blobs::blob::{Received, Writer};
use crate::store::local::blobs::medium::Adoption;
use crate::store::model::COMPLETED_BYTES_MAX;
use crate::store::model::{NewBucket, NewObject, ObjectName};

/// Most files that are being taken in at a time.
const FILES_MAX: usize = 32;
/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;

/// A file of the tree and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The path of the file.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is an object now; holds its size in bytes.
    Taken(u64),
    /// It was one already; holds its size in bytes.
    Kept(u64),
    /// It is not a file; holds what it is.
    Skipped(&'static str),
    /// It cannot be an object, or cannot be read; holds why.
    Refused(String),
}

/// What the files of one import have in common.
#[derive(Debug)]
struct Import {
    store: Store,
    tree: Arc<Tree>,
    bucket: BucketName,
    /// Blobs are to be other names of the files.
    link: bool,
    clock: Clock,
}

/// Why a file did not become an object.
enum Stop {
    Kept(u64),
    Refused(String),
    /// No other will.
    Failed(TreeError),
}

impl Store {
    /// Takes the files of a tree into a bucket, which is made for `owner` if it is not there, and tells of each.
    ///
    /// With `link` a blob is another name of its file where that can be had: the file must not be changed ever after.
    ///
    /// # Errors
    /// [`TreeError`], where going on makes no sense.
    pub async fn import(
        &self,
        tree: Arc<Tree>,
        (bucket, owner): (BucketName, String),
        link: bool,
        clock: Clock,
        tell: &mut dyn FnMut(Imported),
    ) -> Result<(), TreeError> {
        check_apart(&tree.path(), self.engine.layout.root())?;
        match self.create_bucket(NewBucket::new(bucket.clone(), owner), clock.now()).await {
            Ok(()) | Err(Error::BucketExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let import = Arc::new(Import { store: self.clone(), tree: Arc::clone(&tree), bucket, link, clock });
        let (sender, mut items) = mpsc::channel(FILES_MAX);
        let walk = spawn_blocking(move || tree.walk(&mut |item| sender.blocking_send(item).is_ok()));
        let mut files: JoinSet<Result<Imported, TreeError>> = JoinSet::new();
        while let Some(item) = items.recv().await {
            if files.len() >= FILES_MAX
                && let Some(done) = files.join_next().await
            {
                tell(done.map_err(panicked)??);
            }
            match item {
                Item::File(entry) => {
                    files.spawn(Arc::clone(&import).take(entry));
                }
                Item::Skipped(path, what) => tell(Imported { path, outcome: Outcome::Skipped(what) }),
                Item::Refused(path, why) => tell(Imported { path, outcome: Outcome::Refused(why) }),
            }
        }
        while let Some(done) = files.join_next().await {
            tell(done.map_err(panicked)??);
        }
        walk.await.map_err(panicked)
    }
}

fn panicked(error: tokio::task::JoinError) -> TreeError {
    io::Error::other(error).into()
}

impl Import {
    async fn take(self: Arc<Self>, entry: Entry) -> Result<Imported, TreeError> {
        let path = entry.path.clone();
        let import = Arc::clone(&self);
        let outcome = match spawn_blocking(move || import.read(&entry)).await.map_err(panicked)? {
            Ok((new, body)) => {
                let written = self.store.publish_object(new, body, self.clock.now()).await?;
                Outcome::Taken(written.size)
            }
            Err(Stop::Kept(bytes)) => Outcome::Kept(bytes),
            Err(Stop::Refused(why)) => Outcome::Refused(why),
            Err(Stop::Failed(error)) => return Err(error),
        };
        Ok(Imported { path, outcome })
    }

    /// Reads a file, and makes its body durable in the store.
    fn read(&self, entry: &Entry) -> Result<(NewObject, Received), Stop> {
        let key = ObjectKey::parse(&entry.key)
            .ok()
            .ok_or_else(|| Stop::Refused(format!("a key of {} bytes is too long", entry.key.len())))?;
        let mut file = open_file(&entry.folder, &entry.name).map_err(|error| refused(error.into()))?;
        let before = fstat(&file).map_err(|error| refused(error.into()))?;
        let (length, at) = (size(&before), modified(&before));
        if kind(&before) != FileType::RegularFile {
            return Err(Stop::Refused("it is no file any longer".to_owned()));
        }
        if length > COMPLETED_BYTES_MAX {
            return Err(Stop::Refused(format!("{length} bytes are too many for an object")));
        }
        let row = self.tree.row(entry).map_err(Stop::Failed)?;
        if self.has(&key, length, row.as_ref().filter(|row| row.is_of(length, at)), &mut file)? {
            return Err(Stop::Kept(length));
        }
        let (metadata, tags) = described(row.as_ref(), &key)?;
        let (writer, is_there) = self.writer(&file, length)?;
        let (writer, proof) = digest(&mut file, writer, is_there)?;
        let after = fstat(&file).map_err(|error| refused(error.into()))?;
        if proof.size() != length || (size(&after), modified(&after)) != (length, at) {
            return Err(Stop::Refused("it changed while it was read".to_owned()));
        }
        if let Some(row) = row.filter(|row| row.is_of(length, at))
            && row.md5().is_some_and(|md5| md5 != *proof.md5())
        {
            return Err(Stop::Refused("its bytes are not those that were exported".to_owned()));
        }
        let body = writer.finish(proof).map_err(failed)?;
        let condition = WriteCondition::None;
        Ok((NewObject { bucket: self.bucket.clone(), key, metadata, tags, condition }, body))
    }

    /// Whether the object of a file is there already: its ETag says so, compared with the manifest's if that knows the
    /// file as it is, and against the bytes if not.
    fn has(&self, key: &ObjectKey, length: u64, row: Option<&Row>, file: &mut File) -> Result<bool, Stop> {
        let name = ObjectName { bucket: self.bucket.clone(), key: key.clone(), version: None };
        let object = match self.store.object(&name) {
            Ok(object) if object.size == length => object,
            Err(error) if error.is_failure() => return Err(failed(error)),
            // Also if what is there is damaged: then this is how it is mended.
            Ok(_) | Err(_) => return Ok(false),
        };
        if let Some(row) = row {
            match row.md5() {
                Some(md5) => return Ok(object.etag == ETag::single(md5)),
                None if ETag::parse(&row.etag) == Some(object.etag) => return Ok(true),
                None => {}
            }
        }
        let md5 = md5_of(file).map_err(refused)?;
        Ok(object.etag == ETag::single(md5))
    }

    /// A writer of a file's body, and whether the body is in it already.
    fn writer(&self, file: &File, length: u64) -> Result<(Writer, bool), Stop> {
        if let Some(writer) = self.store.inline_writer(length) {
            return Ok((writer, false));
        }
        let ways = [Adoption::Link, Adoption::Clone];
        for way in ways.into_iter().filter(|way| self.link || *way == Adoption::Clone) {
            if let Some(writer) = self.store.adopting_writer(file, length, way).map_err(failed)? {
                return Ok((writer, true));
            }
        }
        Ok((self.store.blob_writer().map_err(failed)?, false))
    }
}

/// The MD5 of a file, which is then at its start again.
fn md5_of(file: &mut File) -> io::Result<[u8; 16]> {
    let mut digest = fast_md5::Md5::new();
    let mut piece = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            file.rewind()?;
            return Ok(digest.finalize());
        }
        digest.update(piece.get(..read).unwrap_or_default());
    }
}

/// Reads a file to its end; what is not there already is written.
fn digest(file: &mut File, mut writer: Writer, is_there: bool) -> Result<(Writer, BodyProof), Stop> {
    let mut digester = BodyProof::digester(Algorithm::Crc64Nvme);
    loop {
        let mut piece = Vec::with_capacity(READ_BYTES);
        file.by_ref().take(size::bytes(READ_BYTES)).read_to_end(&mut piece).map_err(refused)?;
        if piece.is_empty() {
            return Ok((writer, digester.finish()));
        }
        digester.update(&piece);
        if !is_there {
            writer.write(&[Bytes::from(piece)]).map_err(failed)?;
            if let Some(flush) = writer.flush().map_err(failed)? {
                flush.wait().map_err(failed)?;
            }
        }
    }
}

/// Metadata and tags of an object: what the manifest says, or what can be told from its name.
fn described(row: Option<&Row>, key: &ObjectKey) -> Result<(Metadata, Tags), Stop> {
    let Some(row) = row else {
        let guess = mime_guess::from_path(key.as_str()).first_raw().unwrap_or(CONTENT_TYPE_DEFAULT);
        let metadata = Metadata::parse_entries(vec![("content-type".to_owned(), guess.to_owned())]);
        return Ok((metadata.unwrap_or_default(), Tags::default()));
    };
    let metadata = Metadata::parse_entries(row.metadata.0.clone())
        .ok_or_else(|| Stop::Refused("the manifest gives it metadata that no object can have".to_owned()))?;
    let tags = Tags::parse_entries(row.tags.0.clone())
        .ok()
        .ok_or_else(|| Stop::Refused("the manifest gives it tags that no object can have".to_owned()))?;
    Ok((metadata, tags))
}

fn refused(error: io::Error) -> Stop {
    Stop::Refused(error.to_string())
}

fn failed(error: Error) -> Stop {
    Stop::Failed(error.into())
}
