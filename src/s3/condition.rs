//! Conditional requests, decided in the order of RFC 9110 13.2.2 from an ETag and a date.

use http::Method;

use super::check::Check;
use super::error::Error;
use super::name::ETag;
use super::request::Request;
use crate::clock::Timestamp;

/// The conditions of a request, parsed. Dates that cannot be read are ignored, as RFC 9110 13.1.3 asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

/// What a condition on tags names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum EntityTags {
    Any,
    /// EntityTags that cannot be ours are dropped: they match nothing.
    Of(Vec<ETag>),
}

impl EntityTags {
    fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        let tags = text.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        Self::Of(tags.filter_map(ETag::parse).collect())
    }

    fn matches(&self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Of(tags) => tags.contains(etag),
        }
    }
}

/// What the conditions say of the object as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The conditions hold.
    Proceed,
    /// 304 for GET and HEAD.
    NotModified,
    /// 412, with the condition that failed.
    Failed(&'static str),
}

impl Conditions {
    /// The four conditions of a GET or HEAD.
    pub fn from_request(request: &Request, now: Timestamp) -> Self {
        Self::read(request, ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"], now)
    }

    /// The conditions a copy puts on its source.
    pub fn of_copy_source(request: &Request, now: Timestamp) -> Self {
        let names = [
            "x-amz-copy-source-if-match",
            "x-amz-copy-source-if-none-match",
            "x-amz-copy-source-if-modified-since",
            "x-amz-copy-source-if-unmodified-since",
        ];
        Self::read(request, names, now)
    }

    /// Reads the conditions of these names: two on tags and two on dates, the positive one first.
    fn read(request: &Request, [matches, none, modified, unmodified]: [&str; 4], now: Timestamp) -> Self {
        let tags = |name| request.anywhere(name).map(|text| EntityTags::parse(&text));
        let date = |name| request.anywhere(name).and_then(|text| Timestamp::parse_http_date(&text));
        // RFC 9110 13.1.3: a date later than now is of a clock that is wrong, and no condition.
        let is_past = |date: &Timestamp| date.unix_seconds() <= now.unix_seconds();
        Self {
            if_match: tags(matches),
            if_none_match: tags(none),
            if_modified_since: date(modified).filter(is_past),
            if_unmodified_since: date(unmodified),
        }
    }

    /// Decides for reading an object with this ETag and date.
    pub fn for_read(&self, etag: &ETag, modified: Timestamp) -> Decision {
        let seconds = modified.unix_seconds();
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.matches(etag) => return Decision::Failed("If-Match"),
            (None, Some(since)) if seconds > since.unix_seconds() => {
                return Decision::Failed("If-Unmodified-Since");
            }
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.matches(etag) => Decision::NotModified,
            (None, Some(since)) if seconds <= since.unix_seconds() => Decision::NotModified,
            _ => Decision::Proceed,
        }
    }

    /// Decides for the source of a copy, where nothing is a 304.
    pub fn for_copy_source(&self, etag: &ETag, modified: Timestamp) -> Decision {
        match self.for_read(etag, modified) {
            Decision::NotModified if self.if_none_match.is_some() => {
                Decision::Failed("x-amz-copy-source-If-None-Match")
            }
            Decision::NotModified => Decision::Failed("x-amz-copy-source-If-Modified-Since"),
            Decision::Failed("If-Match") => Decision::Failed("x-amz-copy-source-If-Match"),
            Decision::Failed(_) => Decision::Failed("x-amz-copy-source-If-Unmodified-Since"),
            Decision::Proceed => Decision::Proceed,
        }
    }
}

/// What must hold of the object that a write replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    /// There is none.
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: *`.
    Present,
    /// `If-Match` with an ETag; `None` for a text that is not an ETag of ours, and so matches nothing.
    Tagged(Option<ETag>),
}

impl WriteCondition {
    /// The condition of a request that writes or deletes. It is one condition with one value, not a list as on reads:
    /// S3 carries nothing out under a condition that it cannot decide.
    ///
    /// # Errors
    /// `NotImplemented` for both conditions at once, and for a value that the request does not take.
    pub fn from_request(request: &Request) -> Result<Self, Error> {
        let refuse = |name: &str| Err(not_accepted(name));
        let deletes = request.method() == Method::DELETE;
        match (request.anywhere("if-match"), request.anywhere("if-none-match")) {
            (None, None) => Ok(Self::None),
            (Some(_), Some(_)) => {
                let why = "Multiple conditional request headers present in the request";
                Err(Error::not_implemented_header("If-Match,If-None-Match", Some(why))
                    .check(Check::Condition))
            }
            (None, Some(text)) if text.trim() == "*" && !deletes => Ok(Self::Absent),
            (None, Some(_)) => refuse("If-None-Match"),
            (Some(text), None) => match Self::matching(&text) {
                Self::Present if !deletes => refuse("If-Match"),
                condition @ (Self::None | Self::Absent | Self::Present | Self::Tagged(_)) => Ok(condition),
            },
        }
    }

    /// Refuses any condition of a request that takes none.
    ///
    /// # Errors
    /// `NotImplemented`.
    pub fn refuse(request: &Request) -> Result<(), Error> {
        match (request.anywhere("if-match"), request.anywhere("if-none-match")) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(not_accepted("If-Match")),
            (None, Some(_)) => Err(not_accepted("If-None-Match")),
        }
    }

    /// What `If-Match` with this value asks for.
    pub fn matching(text: &str) -> Self {
        match text.trim() {
            "*" => Self::Present,
            text => Self::Tagged(ETag::parse(text)),
        }
    }
}

fn not_accepted(name: &str) -> Error {
    let why = format!("We don't accept the provided value of {name} header for this API");
    Error::not_implemented_header(name, Some(&why)).check(Check::Condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etag() -> ETag {
        ETag::single([7; 16])
    }

    fn other() -> ETag {
        ETag::single([8; 16])
    }

    #[test]
    fn precedence_of_rfc_9110() {
        let at = Timestamp::from_unix_seconds(1000);
        let of = |tag: ETag| Some(EntityTags::Of(vec![tag]));
        let early = Some(Timestamp::from_unix_seconds(999));
        let late = Some(Timestamp::from_unix_seconds(1000));
        let decide = |conditions: &Conditions| conditions.for_read(&etag(), at);

        // A matching If-Match makes If-Unmodified-Since count for nothing.
        let conditions =
            Conditions { if_match: of(etag()), if_unmodified_since: early, ..Default::default() };
        assert_eq!(decide(&conditions), Decision::Proceed);
        let conditions = Conditions { if_unmodified_since: early, ..Default::default() };
        assert_eq!(decide(&conditions), Decision::Failed("If-Unmodified-Since"));
        // A differing If-None-Match makes If-Modified-Since count for nothing.
        let conditions =
            Conditions { if_none_match: of(other()), if_modified_since: late, ..Default::default() };
        assert_eq!(decide(&conditions), Decision::Proceed);
        let conditions = Conditions { if_modified_since: late, ..Default::default() };
        assert_eq!(decide(&conditions), Decision::NotModified);
        let conditions =
            Conditions { if_match: of(other()), if_none_match: of(etag()), ..Default::default() };
        assert_eq!(decide(&conditions), Decision::Failed("If-Match"));
        let conditions =
            Conditions { if_match: Some(EntityTags::Any), if_none_match: of(etag()), ..Default::default() };
        assert_eq!(decide(&conditions), Decision::NotModified);
    }
}
