//! Queries: names and values, their order and their duplicates.

use presigned::s3::uri::{Query, Slash, decode, encode};

pub fn check(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    let expected = pairs(raw);
    let Ok(query) = Query::parse(raw) else {
        assert!(expected.is_none(), "refused: {raw:?}");
        return;
    };
    let expected = expected.expect("each half can be decoded");
    assert_eq!(owned(&query), expected);
    assert_eq!((query.len(), query.is_empty()), (expected.len(), expected.is_empty()));
    for (name, _) in &expected {
        let same = || expected.iter().filter(|(other, _)| other == name);
        let any_case = expected.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        assert_eq!(query.value(name), same().next().map(|(_, value)| value.as_str()));
        assert_eq!(query.value_any_case(name), any_case.map(|(_, value)| value.as_str()));
        assert_eq!(query.count(name), same().count());
        assert!(query.contains(name));
    }
    let printed: Vec<String> = (expected.iter())
        .map(|(name, value)| format!("{}={}", encode(name, Slash::Escape), encode(value, Slash::Escape)))
        .collect();
    let again = Query::parse(&printed.join("&")).expect("what was printed");
    assert_eq!(owned(&again), expected);
}

/// The parameters as a reader would find them who takes the text apart piece by piece.
fn pairs(raw: &str) -> Option<Vec<(String, String)>> {
    let pieces = raw.split('&').filter(|piece| !piece.is_empty());
    let halves = pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")));
    halves
        .map(|(name, value)| Some((decode(name).ok()?.into_owned(), decode(value).ok()?.into_owned())))
        .collect()
}

fn owned(query: &Query) -> Vec<(String, String)> {
    query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
