//! A page of a listing: the roll-up of a sorted sequence of keys by prefix and delimiter.
//!
//! A common prefix costs one seek, however many keys it stands for, so a page costs the same in every bucket.

/// Most entries of one page.
pub const PAGE_KEYS_MAX: usize = 1000;

/// Where a sorted sequence is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek<'k> {
    /// At the first entry whose key is not less than these bytes, in byte order.
    At(&'k [u8]),
    /// After all that belongs to this key.
    After(&'k str),
}

/// A sorted sequence that can be entered anywhere.
pub trait Sorted {
    /// What stands next to a key.
    type Item;
    /// Why reading failed.
    type Error;

    /// Enters it, and gives the first entry there.
    ///
    /// # Errors
    /// Whatever reading may fail with.
    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, Self::Item)>, Self::Error>;

    /// The entry after the last one returned.
    ///
    /// # Errors
    /// Whatever reading may fail with.
    fn next(&mut self) -> Result<Option<(String, Self::Item)>, Self::Error>;
}

/// What a page is to contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only keys that begin with it.
    pub prefix: String,
    /// Keys that contain it after the prefix are rolled up; empty for none.
    pub delimiter: String,
    /// Only keys, and common prefixes, after this one.
    pub after: Option<String>,
    /// Most keys and common prefixes together.
    pub limit: usize,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Keys and what stands next to them, in order.
    pub entries: Vec<(String, T)>,
    /// Common prefixes, in order.
    pub prefixes: Vec<String>,
    /// The last key or common prefix of the page, if there is more after it.
    pub next: Option<String>,
}

/// Collects one page.
///
/// # Errors
/// What `sorted` fails with.
pub fn page<S: Sorted>(sorted: &mut S, selection: &Selection) -> Result<Page<S::Item>, S::Error> {
    let mut page = Page { entries: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = None;
    let mut found = match start(selection) {
        Start::At(bytes) => sorted.seek(Seek::At(&bytes))?,
        Start::After(key) => sorted.seek(Seek::After(key))?,
    };
    while let Some((key, item)) = found {
        if !key.starts_with(&selection.prefix) {
            break;
        }
        let full = page.entries.len() + page.prefixes.len() >= selection.limit;
        match common_prefix(&key, selection) {
            Some(prefix) => {
                let behind = successor(prefix.as_bytes());
                // A page that resumes after a common prefix must not show it again.
                if selection.after.as_deref().is_none_or(|after| prefix > after) {
                    if full {
                        page.next = last;
                        break;
                    }
                    last = Some(prefix.to_owned());
                    page.prefixes.push(prefix.to_owned());
                }
                found = match behind {
                    Some(behind) => sorted.seek(Seek::At(&behind))?,
                    None => None,
                };
            }
            None => {
                if full {
                    page.next = last;
                    break;
                }
                last = Some(key.clone());
                page.entries.push((key, item));
                found = sorted.next()?;
            }
        }
    }
    Ok(page)
}

/// Where a page starts.
enum Start<'s> {
    At(Vec<u8>),
    After(&'s str),
}

/// Where the page starts: after `after`, and not before the prefix.
fn start(selection: &Selection) -> Start<'_> {
    let prefix = selection.prefix.as_bytes();
    let Some(after) = selection.after.as_deref().filter(|after| after.as_bytes() >= prefix) else {
        return Start::At(prefix.to_vec());
    };
    // A common prefix is skipped whole, if that is where the last page ended.
    let is_prefix = common_prefix(after, selection) == Some(after);
    match is_prefix.then(|| successor(after.as_bytes())).flatten() {
        Some(behind) => Start::At(behind),
        None => Start::After(after),
    }
}

fn common_prefix<'a>(key: &'a str, selection: &Selection) -> Option<&'a str> {
    if selection.delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(&selection.prefix)?;
    let at = rest.find(&selection.delimiter)?;
    key.get(..selection.prefix.len() + at + selection.delimiter.len())
}

/// The smallest sequence of bytes after everything that begins with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use super::*;

    struct Set {
        keys: BTreeSet<String>,
        at: Option<String>,
        seeks: usize,
    }

    impl Sorted for Set {
        type Item = ();
        type Error = Infallible;

        fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, ())>, Infallible> {
            self.seeks += 1;
            let is_there = |key: &&String| match from {
                Seek::At(bytes) => key.as_bytes() >= bytes,
                Seek::After(after) => key.as_str() > after,
            };
            self.at = self.keys.iter().find(is_there).cloned();
            Ok(self.at.clone().map(|key| (key, ())))
        }

        fn next(&mut self) -> Result<Option<(String, ())>, Infallible> {
            let at = self.at.take().unwrap_or_default();
            self.at = self.keys.iter().find(|key| **key > at).cloned();
            Ok(self.at.clone().map(|key| (key, ())))
        }
    }

    fn set(keys: &[&str]) -> Set {
        Set { keys: keys.iter().map(|&key| key.to_owned()).collect(), at: None, seeks: 0 }
    }

    /// All pages of `limit`, as text.
    fn pages(keys: &[&str], prefix: &str, delimiter: &str, limit: usize) -> Vec<Vec<String>> {
        let mut selection =
            Selection { prefix: prefix.into(), delimiter: delimiter.into(), after: None, limit };
        let mut all = Vec::new();
        loop {
            let page = page(&mut set(keys), &selection).unwrap_or_else(|never| match never {});
            let entries = page.entries.into_iter().map(|(key, ())| key);
            let mut shown: Vec<String> = entries.chain(page.prefixes).collect();
            shown.sort();
            all.push(shown);
            match page.next {
                Some(next) => selection.after = Some(next),
                None => return all,
            }
        }
    }

    #[test]
    fn rolls_up() {
        let keys = ["a", "a/1", "a/2", "b", "b/1/x", "c/", "d"];
        assert_eq!(pages(&keys, "", "/", 100), [vec!["a", "a/", "b", "b/", "c/", "d"]]);
        assert_eq!(pages(&keys, "a/", "/", 100), [vec!["a/1", "a/2"]]);
        assert_eq!(pages(&keys, "b/", "/", 100), [vec!["b/1/"]]);
        assert_eq!(pages(&keys, "", "", 100), [keys.to_vec()]);
        assert_eq!(pages(&keys, "zz", "/", 100), [Vec::<String>::new()]);
    }

    #[test]
    fn pages_of_every_size_are_the_same_listing() {
        let keys = ["a", "a/1", "a/2", "a0", "b/", "b/1/x", "c//d", "\u{10ffff}x", "\u{10ffff}/y"];
        for (prefix, delimiter) in [("", ""), ("", "/"), ("a", "/"), ("b/", "/"), ("", "//"), ("c/", "/")] {
            let whole = pages(&keys, prefix, delimiter, 100).concat();
            for limit in 1..=keys.len() {
                let pages = pages(&keys, prefix, delimiter, limit);
                assert_eq!(pages.concat(), whole, "{prefix:?} {delimiter:?} {limit}");
                assert!(pages.iter().all(|page| page.len() <= limit));
                // The last page is never empty, unless it is the only one.
                assert!(pages.len() == 1 || pages.last().is_some_and(|page| !page.is_empty()));
            }
        }
    }

    #[test]
    fn a_page_of_nothing_is_empty_and_the_last() {
        assert_eq!(pages(&["a", "b/c"], "", "", 0), [Vec::<String>::new()]);
        assert_eq!(pages(&["b/c", "d"], "", "/", 0), [Vec::<String>::new()]);
    }

    #[test]
    fn a_common_prefix_costs_one_seek() {
        let keys: Vec<String> = (0..500).map(|n| format!("{}/{n:03}", n % 5)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut sorted = set(&keys);
        let selection = Selection { delimiter: "/".into(), limit: 1000, ..Selection::default() };
        let page = page(&mut sorted, &selection).unwrap_or_else(|never| match never {});
        assert_eq!(page.prefixes.len(), 5);
        assert_eq!(sorted.seeks, 6);
    }

    #[test]
    fn start_after_inside_a_common_prefix_leaves_it_behind() {
        let selection =
            Selection { delimiter: "/".into(), after: Some("a/1".into()), limit: 10, ..Selection::default() };
        let page = page(&mut set(&["a/1", "a/2", "b"]), &selection).unwrap_or_else(|never| match never {});
        assert_eq!(page.prefixes, Vec::<String>::new());
        assert_eq!(page.entries.len(), 1);
    }
}
