//! The actions that a request needs of what it addresses.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use std::fmt;

use crate::s3::action::Action;
use crate::s3::operation::Operation;
use crate::s3::request::Request;

/// The headers that give what is made an ACL.
const ACL_HEADERS: [&str; 6] = [
    "x-amz-acl",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
];

/// What else a write of an object needs, by the header that asks for it.
const OBJECT_HEADERS: [(&str, Action); 4] = [
    ("x-amz-tagging", Action::PUT_OBJECT_TAGGING),
    ("x-amz-object-lock-mode", Action::PUT_OBJECT_RETENTION),
    ("x-amz-object-lock-retain-until-date", Action::PUT_OBJECT_RETENTION),
    ("x-amz-object-lock-legal-hold", Action::PUT_OBJECT_LEGAL_HOLD),
];

/// Most actions that one request needs of one resource.
const ACTIONS_MAX: usize = 6;

/// Actions on one resource, all of which must be permitted; the main one is the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    actions: [Option<Action>; ACTIONS_MAX],
}

impl Actions {
    /// A single action.
    pub fn one(action: Action) -> Self {
        let mut actions = [None; ACTIONS_MAX];
        actions[0] = Some(action);
        Self { actions }
    }

    /// With one more action.
    #[must_use]
    pub fn and(mut self, action: Action) -> Self {
        if let Some(free) = self.actions.iter_mut().find(|known| known.is_none_or(|known| known == action)) {
            *free = Some(action);
        }
        self
    }

    /// The actions, the main one first.
    pub fn iter(&self) -> impl Iterator<Item = Action> {
        self.actions.iter().map_while(|action| *action)
    }

    /// What a request needs of what it addresses. The source of a copy and the keys of a DeleteObjects are resources of
    /// their own, and asked about by themselves; what a document asks for is known when it has come.
    pub fn of(request: &Request) -> Self {
        let operation = request.operation();
        let named = request.query().contains("versionId");
        let plain = |action: Action| action.of_version_if(named);
        let main = plain(operation.action());
        if operation == Operation::GetObjectAttributes {
            // Its page and the service authorization reference differ: both are needed.
            return Self::one(plain(Action::GET_OBJECT)).and(main);
        }
        let reads = || request.anywhere("if-match").is_some_and(|etag| etag.trim() != "*");
        let asks = |header: &str| request.amz(header).is_some();
        let asks_for_acl = || ACL_HEADERS.into_iter().any(asks);
        let of_object = || {
            let with_acl = Self::one(main).when(asks_for_acl(), Action::PUT_OBJECT_ACL);
            OBJECT_HEADERS
                .iter()
                .fold(with_acl, |actions, (header, action)| actions.when(asks(header), *action))
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every other operation needs its own action and no more"
        )]
        match operation {
            Operation::PutObject | Operation::CopyObject => of_object().when(reads(), Action::GET_OBJECT),
            Operation::CreateMultipartUpload => of_object(),
            // What tests an ETag could guess at a body.
            Operation::CompleteMultipartUpload | Operation::DeleteObject => {
                Self::one(main).when(reads(), plain(Action::GET_OBJECT))
            }
            Operation::CreateBucket => Self::one(main)
                .when(asks_for_acl(), Action::PUT_BUCKET_ACL)
                .when(asks("x-amz-object-ownership"), Action::PUT_BUCKET_OWNERSHIP),
            _ => Self::one(main),
        }
    }

    fn when(self, needed: bool, action: Action) -> Self {
        if needed { self.and(action) } else { self }
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Action::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::Request as Head;

    use super::*;
    use crate::s3::arrival::{Arrival, Scheme};
    use crate::s3::target::Domains;

    /// The actions of a request. Those of each operation are in its page of the API reference.
    fn needed(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<&'static str> {
        let head = Head::builder().method(method).uri(target).header("host", "localhost");
        let head = headers.iter().fold(head, |head, (name, value)| head.header(*name, *value));
        let (head, ()) = head.body(()).expect("a head").into_parts();
        let arrival = Arrival::of(&head, [127, 0, 0, 1].into(), Scheme::Http).expect("a host");
        let request = Request::parse(head, arrival, &Domains::default()).expect("a request");
        Actions::of(&request).iter().map(Action::name).collect()
    }

    #[test]
    fn a_named_version_needs_an_action_of_its_own() {
        assert_eq!(needed("GET", "/bkt/key", &[]), ["s3:GetObject"]);
        assert_eq!(needed("HEAD", "/bkt/key?versionId=null", &[]), ["s3:GetObjectVersion"]);
        assert_eq!(needed("DELETE", "/bkt/key?versionId=a", &[]), ["s3:DeleteObjectVersion"]);
        assert_eq!(needed("PUT", "/bkt/key?tagging&versionId=a", &[]), ["s3:PutObjectVersionTagging"]);
        let attributes = ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"];
        assert_eq!(needed("GET", "/bkt/key?attributes&versionId=a", &[]), attributes);
        // There is no such action for these.
        assert_eq!(needed("GET", "/bkt/key?retention&versionId=a", &[]), ["s3:GetObjectRetention"]);
    }

    #[test]
    fn headers_and_parameters_ask_for_more() {
        let both = ["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"];
        let headers = [("x-amz-acl", "private"), ("x-amz-grant-read", "id=1"), ("x-amz-tagging", "a=b")];
        assert_eq!(needed("PUT", "/bkt/key", &headers), both);
        assert_eq!(needed("POST", "/bkt/key?uploads&X-Amz-Tagging=a%3Db", &[]), [both[0], both[2]]);
        // Tags and ACL of an upload were asked for when it was started.
        assert_eq!(needed("PUT", "/bkt/key?partNumber=1&uploadId=a", &headers), ["s3:PutObject"]);
        let matched = [("if-match", "\"etag\"")];
        assert_eq!(needed("DELETE", "/bkt/key", &matched), ["s3:DeleteObject", "s3:GetObject"]);
        assert_eq!(needed("DELETE", "/bkt/key", &[("if-match", "*")]), ["s3:DeleteObject"]);
        let owned = [("x-amz-object-ownership", "ObjectWriter")];
        assert_eq!(needed("PUT", "/bkt", &owned), ["s3:CreateBucket", "s3:PutBucketOwnershipControls"]);
    }
}
