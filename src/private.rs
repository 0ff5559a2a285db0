//! Files and directories that no one but their owner can read, whatever the umask, and that are never written through a
//! link which someone else has put in their place.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a directory, and those above it, unless it is there.
///
/// # Errors
/// The file system's.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file in place of what has this name.
///
/// # Errors
/// The file system's.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    create_with(path, 0o600)
}

/// Opens a file to write to it, and makes it if it is not there.
///
/// # Errors
/// The file system's; also that it is a link.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// Gives a file this content, durably: anyone who reads it finds the old or the new one.
///
/// # Errors
/// The file system's.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, content, 0o600)
}

/// The same, of a file that everyone may read.
///
/// # Errors
/// The file system's.
pub(crate) fn replace_readable(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, content, 0o644)
}

fn replace_with(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut file = create_with(&aside, mode)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(aside, path)
}

fn create_with(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Fails where someone has put another in its place meanwhile; a link is not one that could be followed.
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn nothing_is_written_through_a_link() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("private");
        directory(&folder).expect("made");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let victim = folder.join("victim");
        fs::write(&victim, "kept").expect("written");
        for name in ["a", "a.new"] {
            symlink(&victim, folder.join(name)).expect("a link");
        }
        let path = folder.join("a");
        assert!(open(&path).is_err());
        replace(&path, b"new").expect("written");
        assert_eq!((fs::read(&path).expect("there"), mode(&path)), (b"new".to_vec(), 0o600));
        symlink(&victim, folder.join("b")).expect("a link");
        create(&folder.join("b")).expect("made").write_all(b"x").expect("written");
        assert_eq!(fs::read(&victim).expect("there"), b"kept");
    }
}
