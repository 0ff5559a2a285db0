//! Conditional requests, decided in the order of RFC 9110 13.2.2 from an entity tag and a date.

use http::HeaderName;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use super::name::ETag;
use super::request::Request;
use crate::clock::Timestamp;

/// The conditions of a request, parsed. Dates that cannot be read are ignored, as RFC 9110 13.1.3 asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

/// What a condition on tags names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    /// Tags that cannot be ours are dropped: they match nothing.
    Of(Vec<ETag>),
}

impl Tags {
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
    Proceed,
    /// 304 for GET and HEAD.
    NotModified,
    /// 412, with the condition that failed.
    Failed(&'static str),
}

/// The headers conditions are read from.
struct Names {
    if_match: HeaderName,
    if_none_match: HeaderName,
    if_modified_since: HeaderName,
    if_unmodified_since: HeaderName,
}

impl Conditions {
    /// The four conditions of a GET or HEAD, and the two of a PUT.
    pub fn of_request(request: &Request) -> Self {
        Self::read(
            request,
            &Names {
                if_match: IF_MATCH,
                if_none_match: IF_NONE_MATCH,
                if_modified_since: IF_MODIFIED_SINCE,
                if_unmodified_since: IF_UNMODIFIED_SINCE,
            },
        )
    }

    /// The conditions a copy puts on its source.
    pub fn of_copy_source(request: &Request) -> Self {
        Self::read(
            request,
            &Names {
                if_match: HeaderName::from_static("x-amz-copy-source-if-match"),
                if_none_match: HeaderName::from_static("x-amz-copy-source-if-none-match"),
                if_modified_since: HeaderName::from_static("x-amz-copy-source-if-modified-since"),
                if_unmodified_since: HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
            },
        )
    }

    fn read(request: &Request, names: &Names) -> Self {
        let tags = |name| request.condition(name).map(Tags::parse);
        let date = |name| request.condition(name).and_then(Timestamp::parse_http_date);
        Self {
            if_match: tags(&names.if_match),
            if_none_match: tags(&names.if_none_match),
            if_modified_since: date(&names.if_modified_since),
            if_unmodified_since: date(&names.if_unmodified_since),
        }
    }

    /// Decides for reading an object with this tag and date.
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

    /// The conditions of a write.
    pub fn for_write(&self) -> WriteCondition {
        match (&self.if_none_match, &self.if_match) {
            (Some(Tags::Any), _) => WriteCondition::Absent,
            (Some(Tags::Of(_)), _) => WriteCondition::Unsupported,
            (None, Some(tags)) => WriteCondition::of_match(tags.clone()),
            (None, None) => WriteCondition::None,
        }
    }
}

/// What must hold of the object that a write replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: *`.
    Present,
    /// `If-Match` with tags.
    Tagged(Vec<ETag>),
    /// `If-None-Match` with tags, which S3 does not take on writes.
    Unsupported,
}

impl WriteCondition {
    /// What `If-Match` with this value asks for.
    pub fn matching(text: &str) -> Self {
        Self::of_match(Tags::parse(text))
    }

    fn of_match(tags: Tags) -> Self {
        match tags {
            Tags::Any => Self::Present,
            Tags::Of(tags) => Self::Tagged(tags),
        }
    }
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
        let of = |tag: ETag| Some(Tags::Of(vec![tag]));
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
            Conditions { if_match: Some(Tags::Any), if_none_match: of(etag()), ..Default::default() };
        assert_eq!(decide(&conditions), Decision::NotModified);
    }
}
