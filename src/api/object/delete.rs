//! Deleting objects, one or many.

use http::HeaderValue;

use crate::api::call::{BucketCall, ObjectCall};
use crate::api::error::from_store;
use crate::api::intake::{Intake, receive_document};
use crate::api::reply::{Reply, no_content, xml};
use crate::api::show::add_version;
use crate::auth::BodyKind;
use crate::policy::{Actions, Ask, Resource};
use crate::s3::action::Action;
use crate::s3::condition::WriteCondition;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{KeyError, ObjectKey, VersionId};
use crate::s3::target::key_too_long;
use crate::s3::xml::{Element, Writer};
use crate::store::model::{Deleted, Deletion, ObjectName};

/// Most keys of one DeleteObjects.
const DELETE_KEYS_MAX: usize = 1000;

/// Most bytes of its document: keys of 1,024 bytes, each byte written as a reference.
const DELETE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
pub(in crate::api) async fn delete(call: &ObjectCall<'_>) -> Result<Reply, Error> {
    let ObjectName { bucket, key, version } = call.name()?;
    let deletion = Deletion { key, version, condition: WriteCondition::from_request(call.request())? };
    let deleted = call.store().delete_object(bucket, deletion, call.now).await;
    let deleted = deleted.map_err(|error| from_store(error, call.request()))?;
    let mut reply = no_content();
    add_version(reply.headers_mut(), deleted.version);
    if deleted.marker {
        reply.headers_mut().insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    }
    Ok(reply)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(in crate::api) async fn delete_many(call: &BucketCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document =
        receive_document(call, body, BodyKind::Document { digest_required: true }, DELETE_BYTES_MAX).await?;
    let request = Element::parse(&document, "Delete")?;
    let quiet = request.child("Quiet")?.is_some_and(|quiet| quiet.trim() == "true");
    let named = request.children()?.iter().filter(|child| child.name() != "Quiet");
    let named: Vec<Entry<'_>> = named.map(Entry::read).collect::<Result<_, _>>()?;
    if named.is_empty() || named.len() > DELETE_KEYS_MAX {
        return Err(ErrorCode::MalformedXML.error());
    }
    let mut deletions = Vec::with_capacity(named.len());
    let mut wanted = Vec::with_capacity(named.len());
    for entry in named {
        let deletion = match entry.deletion() {
            Ok(deletion) => permitted(call, deletion).await,
            refused => refused,
        };
        wanted.push((entry.key, entry.version, deletion.as_ref().err().cloned()));
        deletions.extend(deletion.ok());
    }
    let deleted = call.store().delete_objects(call.bucket().clone(), deletions, call.now).await;
    let mut deleted = deleted.map_err(|error| from_store(error, call.request()))?.into_iter();
    let mut writer = Writer::answer("DeleteResult");
    for (key, version, refused) in wanted {
        // Those that were not refused before have been carried out, in this order.
        let result = match refused {
            Some(error) => Err(error),
            None => match deleted.next() {
                Some(result) => result.map_err(|error| from_store(error, call.request())),
                None => Err(ErrorCode::InternalError.error()),
            },
        };
        match result {
            Ok(_) if quiet => {}
            Ok(deleted) => write_deleted(&mut writer, key, version, deleted),
            Err(error) => {
                writer.open("Error").element("Key", key).optional("VersionId", version);
                writer
                    .element("Code", error.code().name())
                    .element("Message", error.message())
                    .close("Error");
            }
        }
    }
    writer.close("DeleteResult");
    Ok(xml(writer.finish()))
}

/// A deletion that the request may carry out.
async fn permitted(call: &BucketCall<'_>, deletion: Deletion) -> Result<Deletion, Error> {
    let named = |action: Action| action.of_version_if(deletion.version.is_some());
    let mut actions = Actions::one(named(Action::DELETE_OBJECT));
    if deletion.condition != WriteCondition::None {
        // Who tests an ETag could guess at a body.
        actions = actions.and(named(Action::GET_OBJECT));
    }
    let resource = Resource::Object(call.bucket(), &deletion.key);
    call.ask(Ask { actions, resource }, deletion.version).await?;
    Ok(deletion)
}

fn write_deleted(writer: &mut Writer, key: &str, version: Option<&str>, deleted: Deleted) {
    writer.open("Deleted").element("Key", key).optional("VersionId", version);
    if deleted.marker {
        writer.element("DeleteMarker", true).optional("DeleteMarkerVersionId", deleted.version);
    }
    writer.close("Deleted");
}

/// One entry of a DeleteObjects.
struct Entry<'d> {
    key: &'d str,
    version: Option<&'d str>,
    etag: Option<&'d str>,
    /// Whether it has conditions that S3 takes of directory buckets only.
    of_directory: bool,
}

impl<'d> Entry<'d> {
    /// Reads it; what is not known may be meant to restrict what goes.
    fn read(element: &'d Element) -> Result<Self, Error> {
        let malformed = || ErrorCode::MalformedXML.error();
        let known = ["Key", "VersionId", "ETag", "LastModifiedTime", "Size"];
        let is_known = |child: &Element| known.contains(&child.name());
        if element.name() != "Object" || !element.children()?.iter().all(is_known) {
            return Err(malformed());
        }
        Ok(Self {
            key: element.child("Key")?.ok_or_else(malformed)?,
            version: element.child("VersionId")?,
            etag: element.child("ETag")?,
            of_directory: element.child("LastModifiedTime")?.is_some() || element.child("Size")?.is_some(),
        })
    }

    /// What it asks for, unless that cannot be done.
    fn deletion(&self) -> Result<Deletion, Error> {
        let version = self.version.map(VersionId::parse);
        if version == Some(None) {
            return Err(ErrorCode::NoSuchVersion.error());
        }
        if self.of_directory {
            return Err(Error::not_implemented("LastModifiedTime and Size are for directory buckets"));
        }
        let key = ObjectKey::parse(self.key).map_err(|error| match error {
            KeyError::TooLong(size) => key_too_long(size),
            KeyError::Empty | KeyError::Nul => {
                Error::invalid_argument("User key must have a length greater than 0.", "key", "")
            }
        })?;
        let condition = self.etag.map_or(WriteCondition::None, WriteCondition::matching);
        Ok(Deletion { key, version: version.flatten(), condition })
    }
}
