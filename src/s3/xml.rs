//! XML as S3 writes and reads it: a writer that escapes, and a reader that bounds what it accepts.

use std::fmt::{Display, Write as _};

use quick_xml::Reader;
use quick_xml::events::Event;

use super::error::{Error, ErrorCode};

/// The namespace of every answer that is not an error.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Deepest nesting of elements in a request.
pub const DEPTH_MAX: usize = 10;
/// Most elements in a request: 10,000 parts with all their children.
pub const ELEMENTS_MAX: usize = 100_000;

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

/// An element of a request, with its text and its children.
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
        parse(document).filter(|element| element.name == root).ok_or_else(|| ErrorCode::MalformedXML.error())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of this element, without that of its children.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn children(&self) -> &[Element] {
        &self.children
    }

    /// The first child of this name.
    pub fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name.
    pub fn child(&self, name: &str) -> Option<&str> {
        self.find(name).map(|child| child.text.as_str())
    }
}

fn parse(document: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(document).ok().filter(|text| text.chars().all(is_character))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements += 1;
                if root.is_some() || open.len() >= DEPTH_MAX || elements > ELEMENTS_MAX {
                    return None;
                }
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
            Event::Text(text) => append(&mut open, &text.xml10_content().ok()?)?,
            Event::CData(text) => append(&mut open, &text.xml10_content().ok()?)?,
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().ok()? {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_xml_entity(&reference.decode().ok()?)?.to_owned(),
                };
                if !resolved.chars().all(is_character) {
                    return None;
                }
                append(&mut open, &resolved)?;
            }
            Event::Eof => return root.filter(|_| open.is_empty()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) | Event::Empty(_) => return None,
        }
    }
}

/// Whether XML 1.0 has this character, plain or by reference (`Char` in its grammar).
fn is_character(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Adds text to the innermost element; only white space may stand outside the root.
fn append(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None => return text.trim().is_empty().then_some(()),
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
    fn reads_what_clients_send() {
        let document = b"<?xml version=\"1.0\"?><Delete xmlns=\"urn:x\"><Object><Key>a &amp; &#98;<![CDATA[<c>]]></Key></Object><Quiet/></Delete>";
        let element = Element::parse(document, "Delete").expect("well-formed");
        assert_eq!(element.children()[0].child("Key"), Some("a & b<c>"));
        assert_eq!(element.child("Quiet"), Some(""));
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
