//! Documents: what is read, and what the writer makes of it.

use presigned::s3::xml::{DEPTH_MAX, ELEMENTS_MAX, Element, Writer};

pub fn check(data: &[u8]) {
    let Some(root) = root_name(data) else { return };
    let Ok(element) = Element::parse(data, root) else { return };
    assert_eq!(element.name(), root);
    let (depth, elements) = measure(&element);
    assert!(depth <= DEPTH_MAX && elements <= ELEMENTS_MAX, "{depth} levels, {elements} elements");
    let mut writer = Writer::plain();
    if write(&mut writer, &element).is_some() {
        let written = writer.finish();
        let again = Element::parse(written.as_bytes(), root).expect("what was written");
        assert!(is_same(&element, &again), "{written}");
    }
}

/// The name that the first element seems to have, without its prefix.
fn root_name(data: &[u8]) -> Option<&str> {
    let mut tags = data.split(|byte| *byte == b'<').skip(1);
    let tag = tags.find(|tag| !matches!(tag.first(), None | Some(b'?' | b'!')))?;
    let name = tag.split(|byte| b" \t\r\n/>".contains(byte)).next()?;
    let name = std::str::from_utf8(name).ok()?;
    Some(name.split_once(':').map_or(name, |(_, name)| name))
}

/// How deep a tree is, and how many elements it has; where a text stands among children nobody sees those.
fn measure(element: &Element) -> (usize, usize) {
    let children = element.children().unwrap_or_default().iter().map(measure);
    children.fold((1, 1), |(depth, count), (below, more)| (depth.max(below + 1), count + more))
}

/// `None` for a tree that cannot be written: with a text among children.
fn write(writer: &mut Writer, element: &Element) -> Option<()> {
    let name = element.name();
    match (element.text(), element.children()) {
        (Ok(text), _) => {
            writer.element(name, text);
        }
        (_, Ok(children)) => {
            writer.open(name);
            children.iter().try_for_each(|child| write(writer, child))?;
            writer.close(name);
        }
        _ => return None,
    }
    Some(())
}

/// White space between children is not written.
fn is_same(one: &Element, other: &Element) -> bool {
    if one.name() != other.name() {
        return false;
    }
    match (one.text(), one.children(), other.children()) {
        (Ok(text), ..) => other.text() == Ok(text),
        (_, Ok(ours), Ok(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(one, other)| is_same(one, other))
        }
        _ => false,
    }
}
