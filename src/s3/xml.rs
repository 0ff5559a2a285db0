//! XML as S3 writes and reads it: a writer that escapes, and a reader that bounds what it accepts.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::error::{Error, ErrorCode};

/// The namespace of every answer that is not an error.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Deepest nesting of elements in a request.
pub const DEPTH_MAX: usize = 10;
/// Most elements in a request: 10,000 parts with all their children.
pub const ELEMENTS_MAX: usize = 100_000;
/// Most attributes of an element in a request: they are compared with each other, and S3 reads none of them.
const ATTRIBUTES_MAX: usize = 16;

/// A document being written.
pub struct Writer(String);

impl Writer {
    /// A document whose root is in the S3 namespace.
    pub fn answer(root: &'static str) -> Self {
        let mut writer = Self::plain();
        let _ = write!(writer.0, "<{root} xmlns=\"{NAMESPACE}\">");
        writer
    }

    /// A document with nothing but its declaration.
    pub fn plain() -> Self {
        Self(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
    }

    /// Opens an element; `name` is never data.
    pub fn open(&mut self, name: &str) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// Closes it.
    pub fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// An element without content; `name` may have attributes, and is never data.
    pub fn empty(&mut self, name: &str) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push_str("/>");
        self
    }

    /// An element with this text.
    pub fn element(&mut self, name: &str, text: impl Display) -> &mut Self {
        self.open(name);
        let _ = write!(Escaping(&mut self.0), "{text}");
        self.close(name)
    }

    /// An element whose text takes up so many bytes at most, as it is written; what was cut says so, and how long it was.
    pub fn element_within(&mut self, name: &str, text: &str, bytes_max: usize) -> &mut Self {
        let mut left = bytes_max;
        let cut = text.char_indices().find(|(_, c)| match left.checked_sub(written_length(*c)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        match cut {
            None => self.element(name, text),
            Some((at, _)) => {
                let kept = text.get(..at).unwrap_or_default();
                self.element(name, format_args!("{kept}... (cut: {} bytes in all)", text.len()))
            }
        }
    }

    /// Text of the element that is open.
    pub fn text(&mut self, text: impl Display) -> &mut Self {
        let _ = write!(Escaping(&mut self.0), "{text}");
        self
    }

    /// An element, if there is a text for it.
    pub fn optional(&mut self, name: &str, text: Option<impl Display>) -> &mut Self {
        match text {
            Some(text) => self.element(name, text),
            None => self,
        }
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }
}

/// How many bytes a character of a text takes up, at most, when it is written.
fn written_length(c: char) -> usize {
    match c {
        '&' | '<' | '>' | '"' | '\u{7f}' | ..' ' => "&quot;".len(),
        c => c.len_utf8(),
    }
}

/// Escapes what passes through. Control characters become references, as S3 writes them.
struct Escaping<'a>(&'a mut String);

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let special = |byte: &u8| matches!(byte, b'&' | b'<' | b'>' | b'"' | 0x7f) || *byte < b' ';
        let mut rest = text;
        // All that is special is ASCII, so the cuts are at characters.
        while let Some((plain, behind)) =
            rest.bytes().position(|byte| special(&byte)).map(|at| rest.split_at(at))
        {
            self.0.push_str(plain);
            let mut characters = behind.chars();
            match characters.next() {
                Some('&') => self.0.push_str("&amp;"),
                Some('<') => self.0.push_str("&lt;"),
                Some('>') => self.0.push_str("&gt;"),
                Some('"') => self.0.push_str("&quot;"),
                Some(white @ ('\t' | '\n')) => self.0.push(white),
                Some(control) => write!(self.0, "&#x{:x};", u32::from(control))?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.push_str(rest);
        Ok(())
    }
}

/// An element of a request: a text, or children. S3 has no element with both, and which of two children that should be
/// one would count is not to be guessed: anyone who asks for what the document has otherwise gets `MalformedXML`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Parses a whole document, whose root must have this name; namespaces and prefixes are not looked at.
    ///
    /// # Errors
    /// `MalformedXML` for anything but well-formed XML within [`DEPTH_MAX`] and [`ELEMENTS_MAX`]; a document
    /// type is refused, so that no entity but the five of XML exists.
    pub fn parse(document: &[u8], root: &str) -> Result<Self, Error> {
        parse(document).filter(|element| element.name == root).ok_or_else(malformed)
    }

    /// The name, without a namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    ///
    /// # Errors
    /// `MalformedXML` if it has children.
    pub fn text(&self) -> Result<&str, Error> {
        if self.children.is_empty() { Ok(&self.text) } else { Err(malformed()) }
    }

    /// Its children.
    ///
    /// # Errors
    /// `MalformedXML` if it has a text.
    pub fn children(&self) -> Result<&[Element], Error> {
        if self.text.trim_matches(WHITE_SPACE).is_empty() { Ok(&self.children) } else { Err(malformed()) }
    }

    /// The one child of this name, if it is there.
    ///
    /// # Errors
    /// `MalformedXML` for two of them, or if it has a text.
    pub fn find(&self, name: &str) -> Result<Option<&Element>, Error> {
        let mut found = self.children()?.iter().filter(|child| child.name == name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(malformed()),
            (found, None) => Ok(found),
        }
    }

    /// The same element, if it has no other children than these: what is not known may be meant to restrict what is
    /// asked for.
    ///
    /// # Errors
    /// `MalformedXML`.
    pub fn only(&self, names: &[&str]) -> Result<&Self, Error> {
        match self.children()?.iter().all(|child| names.contains(&child.name())) {
            true => Ok(self),
            false => Err(malformed()),
        }
    }

    /// The text of the one child of this name, if it is there.
    ///
    /// # Errors
    /// As [`Element::find`] and [`Element::text`].
    pub fn child(&self, name: &str) -> Result<Option<&str>, Error> {
        self.find(name)?.map(Element::text).transpose()
    }
}

/// White space in XML 1.0.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn malformed() -> Error {
    ErrorCode::MalformedXML.error()
}

fn parse(document: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(document).ok().filter(|text| text.chars().all(is_character))?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_comments = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let (mut events, mut elements) = (0, 0);
    loop {
        let event = reader.read_event().ok()?;
        events += 1;
        match event {
            Event::Start(start) => {
                elements += 1;
                if root.is_some() || open.len() >= DEPTH_MAX || elements > ELEMENTS_MAX {
                    return None;
                }
                check_tag(&start)?;
                let name = std::str::from_utf8(start.local_name().into_inner()).ok()?.to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let closed = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(closed),
                    None => root = Some(closed),
                }
            }
            Event::Text(text) => {
                let text = text.xml10_content().ok().filter(|text| !text.contains("]]>"))?;
                append(&mut open, &text)?;
            }
            Event::CData(text) => append(&mut open, &text.xml10_content().ok()?)?,
            Event::GeneralRef(reference) => append(&mut open, &resolved(&reference.decode().ok()?)?)?,
            Event::Eof => return root.filter(|_| open.is_empty()),
            // Bytes are read as UTF-8; to read another encoding like that would name other keys.
            Event::Decl(declaration) if events == 1 => {
                let encoding = declaration.encoding().transpose().ok()?;
                let is_utf8 = |name: &[u8]| {
                    name.eq_ignore_ascii_case(b"utf-8") || name.eq_ignore_ascii_case(b"us-ascii")
                };
                if !encoding.is_none_or(|name| is_utf8(&name)) {
                    return None;
                }
            }
            Event::PI(instruction) => {
                let target =
                    std::str::from_utf8(instruction.target()).ok().filter(|target| is_name(target))?;
                if target.eq_ignore_ascii_case("xml") {
                    return None;
                }
            }
            Event::Comment(_) => {}
            Event::Decl(_) | Event::DocType(_) | Event::Empty(_) => return None,
        }
    }
}

/// Checks the name and the attributes of an element, of which nothing is read.
fn check_tag(start: &BytesStart<'_>) -> Option<()> {
    is_qualified(std::str::from_utf8(start.name().into_inner()).ok()?).then_some(())?;
    for (index, attribute) in start.attributes().enumerate() {
        let attribute = attribute.ok().filter(|_| index < ATTRIBUTES_MAX)?;
        is_qualified(std::str::from_utf8(attribute.key.into_inner()).ok()?).then_some(())?;
        let value = std::str::from_utf8(&attribute.value).ok().filter(|value| !value.contains('<'))?;
        let mut references = value.split('&').skip(1);
        references.try_for_each(|text| resolved(text.split_once(';')?.0).map(drop))?;
    }
    Some(())
}

/// What a reference stands for, given what is between `&` and `;`: one of the five entities of XML, or a character by
/// its number.
fn resolved(reference: &str) -> Option<Cow<'static, str>> {
    let Some(number) = reference.strip_prefix('#') else {
        return quick_xml::escape::resolve_xml_entity(reference).map(Cow::Borrowed);
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    // Rust takes a sign before a number.
    let number = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
    let character = char::from_u32(u32::from_str_radix(number, radix).ok()?).filter(|&c| is_character(c))?;
    Some(Cow::Owned(character.to_string()))
}

/// Whether it is a name, with a prefix of its own before it or not (`QName` in Namespaces in XML 1.0).
fn is_qualified(text: &str) -> bool {
    let (prefix, name) = text.split_once(':').unwrap_or(("_", text));
    is_name(prefix) && is_name(name) && !name.contains(':')
}

/// Whether XML 1.0 has this name (`Name` in its grammar).
fn is_name(text: &str) -> bool {
    let starts = |c: char| {
        matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}'
            | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |c: char| {
        starts(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
    };
    text.starts_with(starts) && text.chars().all(goes_on)
}

/// Whether XML 1.0 has this character, plain or by reference (`Char` in its grammar).
fn is_character(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Adds text to the innermost element; only white space may stand outside the root.
fn append(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None => return text.trim_matches(WHITE_SPACE).is_empty().then_some(()),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_escapes() {
        let mut writer = Writer::answer("A");
        writer.element("B", "<&>\"\u{1}\r").optional("C", None::<&str>).element("D", 1).close("A");
        assert_eq!(
            writer.finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><B>&lt;&amp;&gt;&quot;&#x1;&#xd;</B><D>1</D></A>"
        );
    }

    #[test]
    fn what_is_cut_says_so() {
        let within = |text: &str, bytes_max| {
            let mut writer = Writer(String::new());
            writer.element_within("A", text, bytes_max);
            writer.finish()
        };
        assert_eq!(within("abc", 3), "<A>abc</A>");
        assert_eq!(within("\"\"\u{e9}", 13), "<A>&quot;&quot;... (cut: 4 bytes in all)</A>");
        assert!(within(&"\"".repeat(1000), 600).len() < 700);
    }

    #[test]
    fn reads_what_clients_send() {
        let document = b"<?xml version=\"1.0\"?><Delete xmlns=\"urn:x\"><Object><Key>a &amp; &#98;<![CDATA[<c>]]></Key></Object><Quiet/></Delete>";
        let element = Element::parse(document, "Delete").expect("well-formed");
        let object = element.find("Object").expect("one").expect("it is there");
        assert_eq!(object.child("Key"), Ok(Some("a & b<c>")));
        assert_eq!(element.child("Quiet"), Ok(Some("")));
        assert_eq!(element.child("Other"), Ok(None));
    }

    #[test]
    fn an_element_is_a_text_or_children() {
        let element = Element::parse(b"<a>t<b/></a>", "a").expect("well-formed");
        assert!(element.children().is_err() && element.text().is_err() && element.find("b").is_err());
        let element = Element::parse(b"<a><b/> <b/><c><d/></c></a>", "a").expect("well-formed");
        assert!(element.find("b").is_err() && element.child("c").is_err());
        assert_eq!(element.children().map(<[Element]>::len), Ok(3));
    }

    #[test]
    fn refuses_what_is_broken_or_hostile() {
        let deep = "<a>".repeat(11) + &"</a>".repeat(11);
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX));
        let entity = "<!DOCTYPE a [<!ENTITY e \"eeee\">]><a>&e;</a>";
        for text in [
            "",
            "<a>",
            "<a></b>",
            "text",
            "<a/><a/>",
            "<a>&e;</a>",
            "x<a/>",
            "<a>\u{10}</a>",
            "<a>&#x10;</a>",
            "<a b=\"\u{1}\"/>",
            "<a b=\"&#x10;\"/>",
            "<a b=\"&#+65;\"/>",
            "<a b=\"<\"/>",
            "<a b=\"1\" b=\"1\"/>",
            "<a b/>",
            "<a><1/></a>",
            "<a><b\u{b7}/><\u{b7}b/></a>",
            "<a><:b/></a>",
            "<a><b:/></a>",
            "<a><b:c:d/></a>",
            "<a><b:1/></a>",
            "<a :b=\"1\"/>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            "<a/><?xml version=\"1.0\"?>",
            "<a/><?XML?>",
            "\u{a0}<a/>",
            entity,
            &deep,
            &wide,
        ] {
            assert!(Element::parse(text.as_bytes(), "a").is_err(), "{}", text.get(..40).unwrap_or(text));
        }
        assert!(Element::parse(b"<a>\xff</a>", "a").is_err());
        assert!(Element::parse(b"<b/>", "a").is_err());
    }
}
