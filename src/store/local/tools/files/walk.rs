//! A tree of files that is to be imported.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use super::folder::{Folder, Root, kind, look, open_file};
use super::manifest::{self, Manifest, Row};
use super::path::{better_names, piece_of};
use super::{TreeError, body, check_apart, export, size};

/// A directory whose files are to be objects.
#[derive(Debug)]
pub struct Tree {
    root: Root,
    manifest: Option<Manifest>,
}

/// What is found in a tree.
#[derive(Debug)]
pub(super) enum Item {
    File(Entry),
    /// Neither file nor folder; path and reason.
    Skipped(String, &'static str),
    /// What cannot be an object, or cannot be read.
    Refused(String, String),
}

/// A file.
#[derive(Debug)]
pub(super) struct Entry {
    pub folder: Arc<Folder>,
    pub name: String,
    pub path: String,
    pub key: String,
}

/// A folder that is still to be looked at: its path, and how the keys below it begin.
struct Pending {
    path: String,
    prefix: String,
}

impl Tree {
    /// Opens a directory that is to be imported into the store in `store`, and reads its manifest if it has one.
    ///
    /// # Errors
    /// [`TreeError::Overlap`], [`TreeError::Folder`], [`TreeError::Manifest`].
    pub fn open(path: &Path, store: &Path) -> Result<Self, TreeError> {
        check_apart(path, store)?;
        let fail = |error| TreeError::Folder(path.to_owned(), error);
        let root = Root::open(path).map_err(fail)?;
        let manifest = match open_file(&root.folder, manifest::NAME) {
            Ok(file) => Some(Manifest::read(file)?),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(fail(error.into())),
        };
        Ok(Self { root, manifest })
    }

    /// How many bytes the files have. Looks at every one.
    pub fn bytes(&self) -> u64 {
        let mut bytes: u64 = 0;
        self.walk(&mut |item| {
            if let Item::File(entry) = item
                && let Ok(Some(there)) = look(&entry.folder, &entry.name)
            {
                bytes = bytes.saturating_add(size(&there));
            }
            true
        });
        bytes
    }

    /// How many objects the manifest names that have no file.
    pub fn without_file(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.without_file)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.root.path.clone()
    }

    /// What the manifest says of the object of a file.
    pub(super) fn row(&self, entry: &Entry) -> Result<Option<Row>, TreeError> {
        let found = self.manifest.as_ref().map(|manifest| manifest.find(&entry.key)).transpose()?;
        Ok(found.flatten().filter(|row| row.path.as_deref() == Some(&entry.path)))
    }

    /// Goes through the tree for as long as `each` wants more.
    pub(super) fn walk(&self, each: &mut dyn FnMut(Item) -> bool) {
        let mut pending = vec![Pending { path: String::new(), prefix: String::new() }];
        while let Some(next) = pending.pop() {
            let opened = self.root.folder(&next.path);
            let listed = opened.and_then(|folder| Ok((Dir::read_from(&folder)?, Arc::new(folder))));
            let (mut names, folder) = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    if !each(Item::Refused(next.path, error.to_string())) {
                        return;
                    }
                    continue;
                }
            };
            while let Some(name) = names.read() {
                let item = match name {
                    Ok(name) => next.item(&folder, name.file_name().to_bytes(), &mut pending),
                    Err(error) => Some(Item::Refused(next.path.clone(), error.to_string())),
                };
                if item.is_some_and(|item| !each(item)) {
                    return;
                }
            }
        }
    }
}

impl Pending {
    /// What is under a name of this folder; other folders are noted.
    fn item(&self, folder: &Arc<Folder>, name: &[u8], pending: &mut Vec<Self>) -> Option<Item> {
        let Ok(name) = std::str::from_utf8(name) else {
            let path = self.below(&String::from_utf8_lossy(name));
            return Some(Item::Refused(path, "its name is not UTF-8".to_owned()));
        };
        let own = [export::OWNER, manifest::NAME, manifest::UNFINISHED, body::UNFINISHED];
        if matches!(name, "." | "..") || (self.path.is_empty() && own.contains(&name)) {
            return None;
        }
        let path = self.below(name);
        let found = match look(folder, name) {
            Ok(found) => kind(&found?),
            Err(error) => return Some(Item::Refused(path, error.to_string())),
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "there are few other kinds, none of which is read"
        )]
        let is_folder = match found {
            FileType::Directory => true,
            FileType::RegularFile => false,
            FileType::Symlink => return Some(Item::Skipped(path, "a symbolic link")),
            _ => return Some(Item::Skipped(path, "neither file nor folder")),
        };
        for better in better_names(name, is_folder) {
            if look(folder, &better).ok().flatten().is_some_and(|other| kind(&other) == found) {
                let why = format!("{:?} stands for the same key", self.below(&better));
                return Some(Item::Refused(path, why));
            }
        }
        let key = format!("{}{}", self.prefix, piece_of(name, is_folder));
        if is_folder {
            pending.push(Self { path, prefix: format!("{key}/") });
            return None;
        }
        Some(Item::File(Entry { folder: Arc::clone(folder), name: name.to_owned(), path, key }))
    }

    fn below(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        }
    }
}
