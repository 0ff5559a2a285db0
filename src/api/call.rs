//! What all handlers share: the context they work in, and the call they answer, typed by what it addresses.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

use super::asked::{named_tags, named_version, upload_id};
use super::bounds::Bounds;
use super::bucket_rules::RulesCache;
use super::error::from_store;
use super::journal::Journal;
use crate::auth::{self, Identity, Keyring, User, Verified};
use crate::clock::{Clock, Timestamp};
use crate::peer::Peer;
use crate::policy::{Ask, Circumstances, Decision, Facts, Permit, Policy, Resource};
use crate::s3::check::Check;
use crate::s3::condition::WriteCondition;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::metadata::Metadata;
use crate::s3::name::{BucketName, ObjectKey, VersionId};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::target::{Domains, Target};
use crate::store::model::{Bucket, NewObject, Object, ObjectName, Setting, Upload, UploadName};
use crate::store::{self, Store};

/// How requests are answered, for as long as the server runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a body may stand still before the request is given up.
    pub body_stall_max: Duration,
}

/// What a configuration says of who may do what, and may say anew while the server runs. A request takes it once, and keeps
/// it to its end.
#[derive(Debug)]
pub struct Rules {
    /// The keys that requests are signed with.
    pub keyring: Keyring,
    /// Everyone who has keys.
    pub users: Vec<Arc<User>>,
    /// How strict signatures are checked.
    pub auth: auth::Settings,
    /// Who may do what.
    pub policy: Policy,
    /// The domains whose subdomains are buckets.
    pub domains: Domains,
    /// The region that buckets are said to be in.
    pub region: String,
}

impl Rules {
    /// The name of the user with this id, for answers that show an owner.
    pub(super) fn display_name<'r>(&'r self, id: &'r str) -> &'r str {
        self.users.iter().find(|user| user.id == id).map_or(id, |user| &user.display_name)
    }
}

/// What every request is answered with, for as long as the server runs.
#[derive(Debug)]
pub struct Context {
    /// Where objects live.
    pub store: Store,
    /// What the configuration says now.
    pub rules: ArcSwap<Rules>,
    /// What is kept of requests.
    pub journal: Arc<Journal>,
    /// Where "now" comes from.
    pub clock: Clock,
    /// The rest of the configuration.
    pub settings: Settings,
    /// The parsed configuration of buckets.
    pub bucket_rules: RulesCache,
    /// What all requests together may take.
    pub bounds: Bounds,
    /// What goes on after its request was answered.
    pub tasks: TaskTracker,
}

/// A permitted request on its way through a handler.
pub(super) struct Call<'c> {
    pub context: &'c Arc<Context>,
    pub rules: &'c Rules,
    pub permit: Permit<'c>,
    pub peer: &'c Peer,
    /// Whether windows of files are handed to the kernel as they are.
    pub sends_files: bool,
    pub now: Timestamp,
}

impl<'c> Call<'c> {
    pub(super) fn verified(&self) -> &'c Verified {
        self.permit.verified()
    }

    pub(super) fn request(&self) -> &'c Request {
        self.verified().request()
    }

    pub(super) fn store(&self) -> &'c Store {
        &self.context.store
    }

    /// The canonical id of the caller.
    pub(super) fn caller(&self) -> &'c str {
        match self.verified().identity() {
            Identity::User { user, .. } => &user.id,
            Identity::Anonymous => ANONYMOUS,
        }
    }

    /// Whether the request may do something more, or to another resource than the one it addresses; to this version, if
    /// that is an object.
    ///
    /// # Errors
    /// Returns `AccessDenied` if it may not.
    pub(super) async fn ask<'a>(
        &self,
        ask: Ask<'a>,
        version: Option<VersionId>,
    ) -> Result<(Permit<'a>, Judged), Error>
    where
        'c: 'a,
    {
        let find = async || match ask.resource {
            Resource::Object(bucket, key) => {
                let name = ObjectName { bucket: bucket.clone(), key: key.clone(), version };
                self.store().object(&name).await
            }
            Resource::Service | Resource::Bucket(_) => Err(store::Error::NoSuchKey),
        };
        permit(self.rules, self.verified(), ask, self.now, find).await
    }
}

/// The canonical id of those who sign nothing, as S3 has it in the ACLs of what they make.
const ANONYMOUS: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

/// An object that was looked at to decide on a request; `None` if no rule wanted to know. It is the one that is served.
pub(super) type Judged = Option<Result<Object, store::Error>>;

/// The object of this name: the one that was judged, if one was.
pub(super) async fn found(judged: &Judged, store: &Store, name: &ObjectName) -> Result<Object, store::Error> {
    match judged {
        Some(judged) => judged.clone(),
        None => store.object(name).await,
    }
}

/// Decides on an ask. `find` finds the object, if a rule depends on it.
///
/// # Errors
/// Returns `AccessDenied` if it may not be done.
pub(super) async fn permit<'a>(
    rules: &Rules,
    verified: &'a Verified,
    ask: Ask<'a>,
    now: Timestamp,
    find: impl AsyncFnOnce() -> Result<Object, store::Error>,
) -> Result<(Permit<'a>, Judged), Error> {
    let mut circumstances = Circumstances { arrival: verified.request().arrival(), now, facts: None };
    if let Decision::Permitted(permit) = rules.policy.authorize(verified, ask, &circumstances)? {
        return Ok((permit, None));
    }
    let judged = find().await;
    circumstances.facts = Some(Facts { tags: judged.as_ref().ok().map(|object| &object.tags) });
    match rules.policy.authorize(verified, ask, &circumstances)? {
        Decision::Permitted(permit) => Ok((permit, Some(judged))),
        Decision::Needs => Err(ErrorCode::AccessDenied.error().check(Check::Policy)),
    }
}

/// What a request addresses, with the bucket that there is.
pub(super) enum Addressed<'r> {
    Service,
    /// A bucket that is to be made.
    NewBucket(&'r BucketName),
    Bucket(Bucket),
    /// An object, which need not be there.
    Object(Bucket, &'r ObjectKey),
}

impl<'r> Addressed<'r> {
    /// Finds it.
    ///
    /// # Errors
    /// Returns `InvalidBucketName` for a name that no bucket can have, and `NoSuchBucket`. Whether a bucket exists is
    /// told to everyone, before any permission: so S3 does.
    pub(super) async fn find(request: &'r Request, store: &Store) -> Result<Self, Error> {
        let owned = async |name| store.bucket(name).await.map_err(|error| from_store(error, request));
        request.target().check_name()?;
        match (request.target(), request.operation()) {
            (Target::Service | Target::Unnameable { .. }, _) => Ok(Self::Service),
            (Target::Bucket(name), Operation::CreateBucket) => Ok(Self::NewBucket(name)),
            (Target::Bucket(name), _) => Ok(Self::Bucket(owned(name).await?)),
            (Target::Object(name, key), _) => Ok(Self::Object(owned(name).await?, key)),
        }
    }

    /// The same, as rules name it.
    pub(super) fn resource(&self) -> Resource<'_> {
        match self {
            Self::Service => Resource::Service,
            Self::NewBucket(name) => Resource::Bucket(name),
            Self::Bucket(bucket) => Resource::Bucket(&bucket.name),
            Self::Object(bucket, key) => Resource::Object(&bucket.name, key),
        }
    }

    /// The object that is addressed, for rules that depend on it.
    pub(super) async fn object(&self, request: &Request, store: &Store) -> Result<Object, store::Error> {
        let Self::Object(bucket, key) = self else {
            return Err(store::Error::NoSuchKey);
        };
        // An id that cannot be is refused by the handler.
        let version = named_version(request).ok().ok_or(store::Error::NoSuchVersion)?;
        store.object(&ObjectName { bucket: bucket.name.clone(), key: (*key).clone(), version }).await
    }

    /// The bucket that is there.
    pub(super) fn bucket(&self) -> Option<&Bucket> {
        match self {
            Self::Service | Self::NewBucket(_) => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }
}

/// A call to make a bucket.
pub(super) struct NewBucketCall<'c> {
    pub call: &'c Call<'c>,
    pub name: &'c BucketName,
}

/// A call about a bucket, which exists.
pub(super) struct BucketCall<'c> {
    pub call: &'c Call<'c>,
    pub owned: &'c Bucket,
}

/// A call about an object, which need not exist, in a bucket that does.
pub(super) struct ObjectCall<'c> {
    pub within: BucketCall<'c>,
    pub key: &'c ObjectKey,
    /// The object that was judged.
    pub judged: &'c Judged,
}

impl<'c> Deref for NewBucketCall<'c> {
    type Target = Call<'c>;

    fn deref(&self) -> &Call<'c> {
        self.call
    }
}

impl<'c> Deref for BucketCall<'c> {
    type Target = Call<'c>;

    fn deref(&self) -> &Call<'c> {
        self.call
    }
}

impl<'c> Deref for ObjectCall<'c> {
    type Target = BucketCall<'c>;

    fn deref(&self) -> &BucketCall<'c> {
        &self.within
    }
}

impl<'c> BucketCall<'c> {
    pub(super) fn bucket(&self) -> &'c BucketName {
        &self.owned.name
    }

    /// The canonical id of the owner of the bucket, who owns everything in it.
    pub(super) fn bucket_owner(&self) -> &'c str {
        &self.owned.owner
    }

    /// Whether versioning was ever switched on in the bucket.
    pub(super) fn has_versions(&self) -> bool {
        self.owned.has_versions()
    }

    /// The document that configures the bucket, if there is one.
    ///
    /// # Errors
    /// Returns what [`Store::setting`] refuses.
    pub(super) async fn setting(&self, setting: Setting) -> Result<Option<String>, Error> {
        let stored = self.store().setting(self.bucket(), setting).await;
        stored.map_err(|error| from_store(error, self.request()))
    }

    /// Puts a document in its place, or removes it.
    ///
    /// # Errors
    /// Returns what [`Store::set_setting`] refuses.
    pub(super) async fn set_setting(&self, setting: Setting, document: Option<String>) -> Result<(), Error> {
        let set = self.store().set_setting(self.bucket().clone(), setting, document).await;
        set.map_err(|error| from_store(error, self.request()))
    }
}

impl<'c> ObjectCall<'c> {
    pub(super) fn key(&self) -> &'c ObjectKey {
        self.key
    }

    /// The name of the object.
    ///
    /// # Errors
    /// Returns `InvalidArgument` for a version that cannot be.
    pub(super) fn name(&self) -> Result<ObjectName, Error> {
        let version = named_version(self.request())?;
        Ok(ObjectName { bucket: self.bucket().clone(), key: self.key.clone(), version })
    }

    /// What a PUT or a copy says of its object; the token `aws-chunked` is not an encoding if `framed`.
    ///
    /// # Errors
    /// Returns what is wrong with its metadata, tags or condition.
    pub(super) fn new_object(&self, framed: bool) -> Result<NewObject, Error> {
        Ok(NewObject {
            bucket: self.bucket().clone(),
            key: self.key.clone(),
            metadata: Metadata::from_request(self.request(), framed)?,
            tags: named_tags(self.request())?,
            condition: WriteCondition::from_request(self.request())?,
        })
    }

    /// The object: the one that was judged, if one was.
    ///
    /// # Errors
    /// Returns what [`Store::object`] refuses.
    pub(super) async fn object(&self, name: &ObjectName) -> Result<Object, Error> {
        found(self.judged, self.store(), name).await.map_err(|error| from_store(error, self.request()))
    }

    /// The name of the upload that the request is about.
    ///
    /// # Errors
    /// Returns `NoSuchUpload` for what cannot be an id.
    pub(super) fn upload_name(&self) -> Result<UploadName, Error> {
        let id = upload_id(self.request())?;
        Ok(UploadName { bucket: self.bucket().clone(), key: self.key.clone(), id })
    }

    /// The upload that the request is about.
    ///
    /// # Errors
    /// Returns `NoSuchBucket`, `NoSuchUpload`.
    pub(super) async fn upload(&self) -> Result<Upload, Error> {
        self.store().upload(self.upload_name()?).await.map_err(|error| from_store(error, self.request()))
    }
}
