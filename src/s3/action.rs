//! What IAM calls the things that a request does: the words in which a policy permits and denies them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use std::fmt;

/// An action, spelled as policies spell it: `s3:GetObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Action(&'static str);

impl Action {
    /// Reading an object's current version, its head or its body.
    pub const GET_OBJECT: Self = Self("s3:GetObject");
    /// The same of a version that is named.
    pub const GET_OBJECT_VERSION: Self = Self("s3:GetObjectVersion");
    /// Deleting the current version.
    pub const DELETE_OBJECT: Self = Self("s3:DeleteObject");
    /// Removing a version that is named.
    pub const DELETE_OBJECT_VERSION: Self = Self("s3:DeleteObjectVersion");
    /// Reading the tags of an object's current version.
    pub const GET_OBJECT_TAGGING: Self = Self("s3:GetObjectTagging");
    /// The same of a version that is named.
    pub const GET_OBJECT_VERSION_TAGGING: Self = Self("s3:GetObjectVersionTagging");
    /// Giving an object tags.
    pub const PUT_OBJECT_TAGGING: Self = Self("s3:PutObjectTagging");
    /// Giving an object an ACL.
    pub const PUT_OBJECT_ACL: Self = Self("s3:PutObjectAcl");
    /// Locking an object until a date.
    pub const PUT_OBJECT_RETENTION: Self = Self("s3:PutObjectRetention");
    /// Locking an object until further notice.
    pub const PUT_OBJECT_LEGAL_HOLD: Self = Self("s3:PutObjectLegalHold");
    /// Giving a bucket tags.
    pub const TAG_RESOURCE: Self = Self("s3:TagResource");
    /// Giving a bucket an ACL.
    pub const PUT_BUCKET_ACL: Self = Self("s3:PutBucketAcl");
    /// Saying who owns the objects of a bucket.
    pub const PUT_BUCKET_OWNERSHIP: Self = Self("s3:PutBucketOwnershipControls");

    /// The main action of an operation, on an object's current version.
    pub(super) const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The word.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The action that takes the place of this one if a version is `named`.
    #[must_use]
    pub fn of_version_if(self, named: bool) -> Self {
        if named { self.of_version() } else { self }
    }

    fn of_version(self) -> Self {
        match self.0 {
            "s3:GetObject" => Self::GET_OBJECT_VERSION,
            "s3:GetObjectAttributes" => Self("s3:GetObjectVersionAttributes"),
            "s3:GetObjectAcl" => Self("s3:GetObjectVersionAcl"),
            "s3:PutObjectAcl" => Self("s3:PutObjectVersionAcl"),
            "s3:GetObjectTagging" => Self::GET_OBJECT_VERSION_TAGGING,
            "s3:PutObjectTagging" => Self("s3:PutObjectVersionTagging"),
            "s3:DeleteObjectTagging" => Self("s3:DeleteObjectVersionTagging"),
            "s3:DeleteObject" => Self::DELETE_OBJECT_VERSION,
            _ => self,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
