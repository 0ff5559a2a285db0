//! From keys to paths and back.
//!
//! A key is split at `/`, and each piece is the name of a folder or a file, but for those that cannot be: `%` becomes
//! `%25`, the empty piece `%00`, `.` and `..` become `%2E` and `%2E%2E`, and the `.` of a name that the exporter uses
//! itself becomes `%2E`. The file of an object whose key is a folder of others is named with `%00` after it. No key
//! holds NUL, so no two keys have the same path.

use std::borrow::Cow;
use std::fmt;

/// Begin of the names that the exporter itself uses.
const OWN_PREFIX: &str = ".presigned-";
/// After the name of a file whose key is a folder as well; alone, the name of an empty piece.
const NUL: &str = "%00";
/// Longest name that file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A piece of a key is too long for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameTooLong(usize);

impl fmt::Display for NameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a file name of {} bytes is too long: no more than {NAME_BYTES_MAX} go", self.0)
    }
}

/// The path of a key; `is_folder` if other keys are below it.
pub(super) fn path_of(key: &str, is_folder: bool) -> Result<String, NameTooLong> {
    let mut path = String::with_capacity(key.len());
    for (position, piece) in key.split('/').enumerate() {
        if position > 0 {
            check_name(&path)?;
            path.push('/');
        }
        path.push_str(&escape(piece));
    }
    if is_folder {
        path.push_str(NUL);
    }
    check_name(&path)?;
    Ok(path)
}

/// Whether the last name of a path is short enough.
fn check_name(path: &str) -> Result<(), NameTooLong> {
    match split(path).1.len() {
        length if length > NAME_BYTES_MAX => Err(NameTooLong(length)),
        _ => Ok(()),
    }
}

/// The folder of a path, empty for the root, and the name in it.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The name of a piece.
fn escape(piece: &str) -> Cow<'_, str> {
    match piece {
        "" => NUL.into(),
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        _ => {
            let name = if piece.contains('%') { Cow::Owned(piece.replace('%', "%25")) } else { piece.into() };
            match name.strip_prefix(OWN_PREFIX) {
                Some(rest) => format!("%2E{}{rest}", OWN_PREFIX.trim_start_matches('.')).into(),
                None => name,
            }
        }
    }
}

/// The piece that has exactly this name; `None` if none has.
fn unescape(name: &str) -> Option<String> {
    let mut pieces = name.split('%');
    let mut piece = pieces.next()?.to_owned();
    for escaped in pieces {
        let (code, rest) = escaped.split_at_checked(2)?;
        match code {
            "25" => piece.push('%'),
            "2E" => piece.push('.'),
            "00" => {}
            _ => return None,
        }
        piece.push_str(rest);
    }
    (escape(&piece) == name).then_some(piece)
}

/// The piece of a key that a file or folder stands for. A name that no piece has, as trees that were not exported may
/// hold, stands for itself.
pub(super) fn piece_of(name: &str, is_folder: bool) -> String {
    let beside_folder = || unescape(name.strip_suffix(NUL).filter(|_| !is_folder)?);
    unescape(name).or_else(beside_folder).unwrap_or_else(|| name.to_owned())
}

/// The names that stand for the same piece and have the better claim to it.
pub(super) fn better_names(name: &str, is_folder: bool) -> Vec<String> {
    let piece = piece_of(name, is_folder);
    let plain = escape(&piece).into_owned();
    let beside_folder = format!("{plain}{NUL}");
    match name {
        name if name == plain => Vec::new(),
        name if name == beside_folder || is_folder => vec![plain],
        _ => vec![plain, beside_folder],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The key that a path stands for.
    fn key_of(path: &str) -> String {
        let (folder, name) = split(path);
        let mut key = String::new();
        if !folder.is_empty() {
            folder.split('/').for_each(|name| key.extend([&piece_of(name, true), "/"]));
        }
        key + &piece_of(name, false)
    }

    #[test]
    fn names_are_as_documented() {
        for (key, path) in [
            ("a", "a"),
            ("a/b", "a/b"),
            ("a/", "a/%00"),
            ("/", "%00/%00"),
            ("//", "%00/%00/%00"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("../x", "%2E%2E/x"),
            ("...", "..."),
            ("a b+%", "a b+%25"),
            ("%00", "%2500"),
            ("%2E%2E/%25", "%252E%252E/%2525"),
            (".presigned-manifest.jsonl", "%2Epresigned-manifest.jsonl"),
            ("a/.presigned-%", "a/%2Epresigned-%25"),
            ("\u{65e5}\u{672c}\n", "\u{65e5}\u{672c}\n"),
        ] {
            assert_eq!(path_of(key, false).as_deref(), Ok(path));
            assert_eq!(key_of(path), key);
        }
        assert_eq!(path_of("a", true).as_deref(), Ok("a%00"));
        assert_eq!(path_of("a/", true).as_deref(), Ok("a/%00%00"));
    }

    #[test]
    fn every_key_has_a_path_of_its_own() {
        let pieces = [
            "",
            ".",
            "..",
            "...",
            "a",
            "a b+%",
            "%",
            "%%",
            "%0",
            "%00",
            "%25",
            "%2E",
            "%2e",
            "a%00",
            "%00%00",
            "\u{1}",
            "\u{7f}\n",
            "\u{65e5}\u{672c}",
            "\u{e9}",
            "e\u{301}",
            ".presigned-",
            ".presigned-new",
            "%2Epresigned-new",
            "-",
            " ",
            "~",
            "\\",
            "con:",
        ];
        let mut keys: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        for first in pieces {
            for second in pieces {
                keys.push(format!("{first}/{second}"));
                keys.extend(pieces.map(|third| format!("{first}/{second}/{third}")));
            }
        }
        let mut seen = HashSet::new();
        for key in keys {
            for is_folder in [false, true] {
                let path = path_of(&key, is_folder).expect("short");
                assert_eq!(key_of(&path), key, "{path}");
                for name in path.split('/') {
                    assert!(!["", ".", ".."].contains(&name) && !name.contains('\0'), "{path}");
                    assert!(!name.starts_with(OWN_PREFIX), "{path}");
                }
                assert!(seen.insert(path.clone()), "{path}");
            }
        }
    }

    #[test]
    fn long_names_are_refused() {
        assert_eq!(path_of(&"k".repeat(255), false).map(|path| path.len()), Ok(255));
        assert_eq!(path_of(&"k".repeat(300), false), Err(NameTooLong(300)));
        assert_eq!(path_of(&"k".repeat(255), true), Err(NameTooLong(258)));
        assert_eq!(path_of(&format!("{}/b", "%".repeat(100)), false), Err(NameTooLong(300)));
        assert_eq!(path_of(&"k/".repeat(500), false).map(|path| path.len()), Ok(1003));
    }

    #[test]
    fn names_that_no_piece_has_stand_for_themselves() {
        for name in ["100%", "a%20b", "%", "%2", "%2e", "a%2E", "%41", "%\u{e9}", ".presigned-x"] {
            assert_eq!(piece_of(name, false), name);
        }
        assert_eq!(piece_of("a%00", true), "a%00");
        assert_eq!(better_names("a", false), [""; 0]);
        assert_eq!(better_names("100%", false), ["100%25", "100%25%00"]);
        assert_eq!(better_names("100%", true), ["100%25"]);
        assert_eq!(better_names("a%00", false), ["a"]);
        assert_eq!(better_names("%00%00", false), ["%00"]);
    }
}
