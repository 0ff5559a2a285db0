//! May they? Decides on what was verified, and gives a permit without which no handler runs.
//!
//! A decision is about an [`Ask`], some actions on one resource, under [`Circumstances`]. A request asks for what it
//! addresses; for the source of a copy, and for each key of a DeleteObjects, it asks again. Where a rule depends on the
//! object itself, the decision [`Needs`] its facts first, and is made again with them.
//!
//! Today's rule is one line: anyone who holds a configured key may do everything, no one else anything.

mod actions;

pub use actions::Actions;

use crate::auth::{Identity, Verified};
use crate::clock::Timestamp;
use crate::s3::arrival::Arrival;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::{BucketName, ObjectKey};
use crate::s3::tagging::Tags;

/// What someone wants to do, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// All of these.
    pub actions: Actions,
    /// To this.
    pub resource: Resource<'a>,
}

/// What actions are done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The service itself: its list of buckets.
    Service,
    /// A bucket, which may be yet to be made.
    Bucket(&'a BucketName),
    /// An object, which may be yet to be made.
    Object(&'a BucketName, &'a ObjectKey),
}

/// What a decision may depend on besides who asks for what.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// How the request came.
    pub arrival: &'a Arrival,
    /// When it is judged.
    pub now: Timestamp,
    /// The object that is asked for, once a decision needed it.
    pub facts: Option<Facts<'a>>,
}

/// What a decision may need to know of an object. They are those of the version that will be acted on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its tags; `None` if there is no such object.
    pub tags: Option<&'a Tags>,
}

/// That a verified request may do what it asked for. Holds the question, so that what was permitted and what is carried
/// out are the same value; and is spent, so that one question is not two deeds.
///
/// ```compile_fail,E0451
/// use presigned::{auth::Verified, policy::{Ask, Permit}};
/// fn forge<'v>(verified: &'v Verified, ask: Ask<'v>) -> Permit<'v> {
///     Permit { verified, ask }
/// }
/// ```
#[derive(Debug)]
pub struct Permit<'v> {
    verified: &'v Verified,
    ask: Ask<'v>,
}

impl<'v> Permit<'v> {
    /// The request.
    pub fn verified(&self) -> &'v Verified {
        self.verified
    }

    /// What is permitted.
    pub fn ask(&self) -> Ask<'v> {
        self.ask
    }
}

/// What is decided of an ask.
#[derive(Debug)]
pub enum Decision<'v> {
    /// It may be done.
    Permitted(Permit<'v>),
    /// It depends on the object, whose facts are to be given with the same ask.
    Needs,
}

/// The rules.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rule: Rule,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, Default)]
enum Rule {
    /// Every holder of a key may do everything.
    #[default]
    Holders,
    /// Everyone may do everything to objects with tags.
    #[cfg(test)]
    Tagged,
}

impl Policy {
    /// Decides on an ask of a request.
    ///
    /// # Errors
    /// Returns `AccessDenied` if it may not be done.
    pub fn authorize<'v>(
        &self,
        verified: &'v Verified,
        ask: Ask<'v>,
        circumstances: &Circumstances<'_>,
    ) -> Result<Decision<'v>, Error> {
        match (self.rule, verified.identity(), circumstances.facts) {
            (_, Identity::User { .. }, _) => Ok(Decision::Permitted(Permit { verified, ask })),
            #[cfg(test)]
            (Rule::Tagged, Identity::Anonymous, None) => Ok(Decision::Needs),
            #[cfg(test)]
            (Rule::Tagged, Identity::Anonymous, Some(Facts { tags: Some(tags) })) if !tags.is_empty() => {
                Ok(Decision::Permitted(Permit { verified, ask }))
            }
            (_, Identity::Anonymous, _) => Err(ErrorCode::AccessDenied.error().check(Check::Policy)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Keyring, Settings, authenticate};
    use crate::s3::arrival::Scheme;
    use crate::s3::request::Request;
    use crate::s3::target::Domains;

    /// No one's request for an object.
    fn anonymous() -> Verified {
        let head = http::Request::get("/bkt/key").header("host", "localhost").body(()).expect("a head");
        let (head, ()) = head.into_parts();
        let arrival = Arrival::of(&head, [127, 0, 0, 1].into(), Scheme::Http).expect("a host");
        let request = Request::parse(head, arrival, &Domains::default()).expect("a request");
        let now = Timestamp::from_unix_seconds(0);
        authenticate(request, &Keyring::new([]), &Settings::default(), now).expect("nothing to verify")
    }

    fn decide(policy: &Policy, facts: Option<Facts<'_>>) -> Result<bool, ErrorCode> {
        let verified = anonymous();
        let request = verified.request();
        let (bucket, key) = request.target().bucket().zip(request.target().key()).expect("an object");
        let ask = Ask { actions: Actions::of(request), resource: Resource::Object(bucket, key) };
        let circumstances =
            Circumstances { arrival: request.arrival(), now: Timestamp::from_unix_seconds(0), facts };
        match policy.authorize(&verified, ask, &circumstances) {
            Ok(Decision::Permitted(permit)) => Ok(permit.ask() == ask),
            Ok(Decision::Needs) => Ok(false),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn nobody_may_do_anything() {
        assert_eq!(decide(&Policy::default(), None), Err(ErrorCode::AccessDenied));
    }

    #[test]
    fn a_rule_on_objects_needs_their_facts() {
        let policy = Policy { rule: Rule::Tagged };
        assert_eq!(decide(&policy, None), Ok(false));
        let tags = Tags::parse_header("a=b").expect("tags");
        assert_eq!(decide(&policy, Some(Facts { tags: Some(&tags) })), Ok(true));
        let none = Tags::default();
        assert_eq!(decide(&policy, Some(Facts { tags: Some(&none) })), Err(ErrorCode::AccessDenied));
        assert_eq!(decide(&policy, Some(Facts { tags: None })), Err(ErrorCode::AccessDenied));
    }
}
