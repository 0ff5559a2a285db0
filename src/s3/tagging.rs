//! Tags of objects and buckets, from the header, which is a query string, and from the document.

use super::check::Check;
use super::error::{Error, ErrorCode};
use super::uri::decode;
use super::xml::{Element, Writer};

/// Most tags of an object.
pub const OBJECT_TAGS_MAX: usize = 10;
/// Most tags of a bucket.
pub const BUCKET_TAGS_MAX: usize = 50;
/// Longest key and value, in UTF-16 code units, as S3 counts.
const KEY_UNITS_MAX: usize = 128;
const VALUE_UNITS_MAX: usize = 256;

/// Keys and values, each key once, in the order they were given.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Parses the value of `x-amz-tagging`.
    ///
    /// # Errors
    /// `InvalidArgument` for what is not a query string, names a key twice or has a tag that cannot be, `BadRequest`
    /// for more than [`OBJECT_TAGS_MAX`].
    pub fn parse_header(text: &str) -> Result<Self, Error> {
        let refuse = || {
            let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.";
            Error::invalid_argument(message, "x-amz-tagging", text).check(Check::Tagging)
        };
        let mut tags: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A form's plus is a space here, unlike in a URL.
            let text = |raw: &str| decode(&raw.replace('+', "%20")).map(|text| text.into_owned());
            let (Ok(key), Ok(value)) = (text(key), text(value)) else {
                return Err(refuse());
            };
            if key.is_empty() || tags.iter().any(|(known, _)| *known == key) {
                return Err(refuse());
            }
            tags.push((key, value));
        }
        // To S3 an unencoded comma makes the header no query string, whatever the tags would be.
        Self::checked(tags, OBJECT_TAGS_MAX)
            .map_err(|error| if error.code() == ErrorCode::InvalidTag { refuse() } else { error })
    }

    /// Parses a `Tagging` document.
    ///
    /// # Errors
    /// `MalformedXML`, `InvalidTag`, and `BadRequest` for more than `tags_max`.
    pub fn parse_document(document: &[u8], tags_max: usize) -> Result<Self, Error> {
        let malformed = || ErrorCode::MalformedXML.error();
        let root = Element::parse(document, "Tagging")?;
        // SDKs leave the set out when it is empty.
        match root.children()? {
            [] => Ok(Self::default()),
            [set] if set.name() == "TagSet" => Self::checked(elements(set)?, tags_max),
            _ => Err(malformed()),
        }
    }

    /// Parses the `Tags` of a bucket that is to be made.
    ///
    /// # Errors
    /// As [`Tags::parse_document`].
    pub fn parse_new_bucket(set: &Element) -> Result<Self, Error> {
        let tags = elements(set)?;
        if tags.iter().any(|(key, _)| is_reserved(key)) {
            let message = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \"aws:\" from your tag keys and try again.";
            return Err(ErrorCode::InvalidTag.with_message(message).check(Check::Tagging));
        }
        Self::checked(tags, BUCKET_TAGS_MAX)
    }

    /// Tags of an object that someone kept.
    ///
    /// # Errors
    /// `InvalidTag`, `BadRequest` for more than [`OBJECT_TAGS_MAX`].
    pub fn parse_entries(entries: Vec<(String, String)>) -> Result<Self, Error> {
        Self::checked(entries, OBJECT_TAGS_MAX)
    }

    /// Tags as they were stored.
    pub fn from_stored(entries: Vec<(String, String)>) -> Self {
        Self(entries)
    }

    /// Keys and values.
    pub fn entries(&self) -> &[(String, String)] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `others` are among these.
    pub fn contain(&self, others: &Self) -> bool {
        others.0.iter().all(|tag| self.0.contains(tag))
    }

    /// The document that shows them.
    pub fn document(&self) -> String {
        let mut writer = Writer::answer("Tagging");
        writer.open("TagSet");
        for (key, value) in &self.0 {
            writer.open("Tag").element("Key", key).element("Value", value).close("Tag");
        }
        writer.close("TagSet").close("Tagging");
        writer.finish()
    }

    pub(super) fn checked(tags: Vec<(String, String)>, tags_max: usize) -> Result<Self, Error> {
        let invalid = |message: &'static str, key: &str| {
            ErrorCode::InvalidTag.with_message(message).with("TagKey", key).check(Check::Tagging)
        };
        if tags.len() > tags_max {
            let of = if tags_max == OBJECT_TAGS_MAX { "Object" } else { "Bucket" };
            return Err(ErrorCode::BadRequest
                .with_message(format!("{of} tags cannot be greater than {tags_max}"))
                .check(Check::Tagging));
        }
        for (position, (key, value)) in tags.iter().enumerate() {
            if key.is_empty() || !is_allowed(key, KEY_UNITS_MAX) {
                return Err(invalid("The TagKey you have provided is invalid", key));
            }
            if is_reserved(key) {
                let message = match tags_max {
                    OBJECT_TAGS_MAX => "Your TagKey cannot be prefixed with aws:",
                    _ => "System tags cannot be added/updated by requester",
                };
                return Err(invalid(message, key));
            }
            if !is_allowed(value, VALUE_UNITS_MAX) {
                let error = invalid("The TagValue you have provided is invalid", key);
                return Err(error.with("TagValue", value));
            }
            if tags.iter().take(position).any(|(known, _)| known == key) {
                return Err(invalid("Cannot provide multiple Tags with the same key", key));
            }
        }
        Ok(Self(tags))
    }
}

/// The `Tag` elements of a set.
fn elements(set: &Element) -> Result<Vec<(String, String)>, Error> {
    let tag =
        |tag: &Element| match (tag.only(&["Key", "Value"])?.name(), tag.child("Key")?, tag.child("Value")?) {
            ("Tag", Some(key), Some(value)) => Ok((key.to_owned(), value.to_owned())),
            _ => Err(ErrorCode::MalformedXML.error()),
        };
    set.children()?.iter().map(tag).collect()
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// Letters, digits, white space and a few signs.
fn is_allowed(text: &str, units_max: usize) -> bool {
    let allowed =
        |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    text.encode_utf16().count() <= units_max && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_query_strings() {
        let tags = Tags::parse_header("a%20b=c%2Bd&e+f=g=h&k").expect("valid");
        let expected = [("a b", "c+d"), ("e f", "g=h"), ("k", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(tags.entries(), expected);
        for (text, code) in [
            ("a=1&a=2", ErrorCode::InvalidArgument),
            ("=1", ErrorCode::InvalidArgument),
            ("a=%FF", ErrorCode::InvalidArgument),
            ("a,b=1", ErrorCode::InvalidArgument),
            ("aws:x=1", ErrorCode::InvalidArgument),
            ("1&2&3&4&5&6&7&8&9&10&11", ErrorCode::BadRequest),
        ] {
            assert_eq!(Tags::parse_header(text).map_err(|error| error.code()), Err(code), "{text}");
        }
        assert!(Tags::parse_header("").expect("none").is_empty());
    }

    #[test]
    fn documents_round_trip() {
        let tags = Tags::parse_header("a=1&b=%C3%BC").expect("valid");
        let document = tags.document();
        assert_eq!(Tags::parse_document(document.as_bytes(), OBJECT_TAGS_MAX), Ok(tags));
        for document in [
            "<Tagging><Tag/></Tagging>",
            "<Tags><TagSet/></Tags>",
            "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        ] {
            let error = Tags::parse_document(document.as_bytes(), OBJECT_TAGS_MAX).expect_err("refused");
            assert_eq!(error.code(), ErrorCode::MalformedXML, "{document}");
        }
        let twice = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>";
        let error = Tags::parse_document(twice.as_bytes(), OBJECT_TAGS_MAX).expect_err("refused");
        assert_eq!(error.message(), "Cannot provide multiple Tags with the same key");
    }
}
