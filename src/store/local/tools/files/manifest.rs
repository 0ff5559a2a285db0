//! The manifest of an export: what the files cannot say of their objects, one JSON object a line, in the order of the
//! keys.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TreeError;
use crate::clock::Timestamp;
use crate::s3::name::ETag;
use crate::size;

/// Its name in the root of the tree.
pub(super) const NAME: &str = ".presigned-manifest.jsonl";
/// Its name while it is written.
pub(super) const UNFINISHED: &str = ".presigned-manifest.jsonl.new";
/// Of how many rows the place of one is kept in memory.
const STRIDE_ROWS: usize = 64;

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub key: String,
    /// Where its file is; `None` if it was refused.
    pub path: Option<String>,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub last_modified: String,
    /// The headers it is stored with.
    pub metadata: Pairs,
    pub tags: Pairs,
    pub version: String,
}

impl Row {
    /// Whether a file has the size and the time that its object had.
    pub(super) fn is_of(&self, size: u64, modified: Timestamp) -> bool {
        self.size == size && Timestamp::parse_iso(&self.last_modified) == Some(modified)
    }

    /// The MD5 of the body, which the ETag of an object that was uploaded in parts does not tell.
    pub(super) fn md5(&self) -> Option<[u8; 16]> {
        ETag::parse(&self.etag).filter(|etag| etag.parts().is_none()).map(|etag| *etag.md5())
    }
}

/// Names and values; an object in JSON, whose order is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs(pub Vec<(String, String)>);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads a manifest from its begin to its end.
#[derive(Debug)]
pub(super) struct Rows {
    file: BufReader<File>,
    line: u64,
    text: String,
}

impl Rows {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufReader::new(file), line: 0, text: String::new() }
    }

    pub(super) fn next(&mut self) -> Result<Option<Row>, TreeError> {
        self.text.clear();
        self.line += 1;
        let broken = |why: String| TreeError::Manifest { line: self.line, why };
        match self.file.read_line(&mut self.text).map_err(|error| broken(error.to_string()))? {
            0 => Ok(None),
            _ => serde_json::from_str(&self.text).map(Some).map_err(|error| broken(error.to_string())),
        }
    }
}

/// A manifest in which rows are looked up, of which little is kept in memory.
#[derive(Debug)]
pub(super) struct Manifest {
    file: File,
    /// Keys and places of every so many rows.
    places: Vec<(String, u64)>,
    end: u64,
    /// Rows of objects that have no file.
    pub without_file: u64,
}

impl Manifest {
    /// Reads a manifest once, and checks it.
    ///
    /// # Errors
    /// [`TreeError::Manifest`], also if the rows are not in the order of their keys.
    pub(super) fn read(file: File) -> Result<Self, TreeError> {
        let mut rows = Rows::new(file.try_clone()?);
        let (mut places, mut without_file, mut number) = (Vec::new(), 0, 0_usize);
        let (mut place, mut last) = (0, String::new());
        while let Some(row) = rows.next()? {
            if number > 0 && last >= row.key {
                let why = "its key is not behind that of the line before".to_owned();
                return Err(TreeError::Manifest { line: rows.line, why });
            }
            if number.is_multiple_of(STRIDE_ROWS) {
                places.push((row.key.clone(), place));
            }
            without_file += u64::from(row.path.is_none());
            place += size::bytes(rows.text.len());
            number += 1;
            last = row.key;
        }
        Ok(Self { file, places, end: place, without_file })
    }

    /// The row of a key.
    pub(super) fn find(&self, key: &str) -> Result<Option<Row>, TreeError> {
        let behind = self.places.partition_point(|(first, _)| first.as_str() <= key);
        let Some((_, begin)) = behind.checked_sub(1).and_then(|at| self.places.get(at)) else {
            return Ok(None);
        };
        let end = self.places.get(behind).map_or(self.end, |(_, place)| *place);
        let mut text = vec![0; usize::try_from(end - begin).unwrap_or_default()];
        self.file.read_exact_at(&mut text, *begin)?;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let row: Row = serde_json::from_slice(line)
                .map_err(|error| TreeError::Manifest { line: 0, why: error.to_string() })?;
            if row.key == key {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn row(key: &str) -> Row {
        let pair = |name: &str| (name.to_owned(), "caf\u{e9} \"\n".to_owned());
        Row {
            key: key.to_owned(),
            path: Some(key.to_owned()),
            size: 3,
            etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            last_modified: "2024-01-02T03:04:05.678Z".to_owned(),
            metadata: Pairs(vec![pair("content-type"), pair("a"), pair("b")]),
            tags: Pairs(vec![pair("z"), pair("a")]),
            version: "null".to_owned(),
        }
    }

    fn file(rows: &[Row]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        for row in rows {
            writeln!(file, "{}", serde_json::to_string(row).expect("JSON")).expect("written");
        }
        file.rewind().expect("rewound");
        file
    }

    #[test]
    fn rows_are_found_whatever_their_number() {
        for number in [0, 1, 63, 64, 65, 1000] {
            let keys: Vec<String> = (0..number).map(|key| format!("{key:04}\u{e9}\n")).collect();
            let rows: Vec<Row> = keys.iter().map(|key| row(key)).collect();
            let manifest = Manifest::read(file(&rows)).expect("a manifest");
            for row in &rows {
                assert_eq!(manifest.find(&row.key).expect("read").as_ref(), Some(row));
            }
            for missing in ["", "0000", "0063\u{e9}", "0500\u{e9}\nx", "zzz"] {
                assert_eq!(manifest.find(missing).expect("read"), None, "{missing}");
            }
        }
    }

    #[test]
    fn rows_out_of_order_and_broken_ones_are_refused() {
        let refused = |rows: &[Row]| match Manifest::read(file(rows)) {
            Err(TreeError::Manifest { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(&[row("a"), row("c"), row("b")]), 3);
        assert_eq!(refused(&[row("a"), row("a")]), 2);
    }

    #[test]
    fn files_are_held_against_rows() {
        let row = row("a");
        let at = Timestamp::from_unix_millis(1_704_164_645_678);
        assert!(row.is_of(3, at) && !row.is_of(4, at) && !row.is_of(3, at.plus_seconds(1)));
        assert!(row.md5().is_some());
        assert!(Row { etag: format!("{}-2", row.etag), ..row }.md5().is_none());
    }
}
