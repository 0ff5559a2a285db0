//! The key pair a store is given when no one named one: made once, kept next to the data, readable by its owner.

use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::config::{Config, KeyPair, User};
use crate::private;

/// The key pair as flags.
#[derive(Debug, clap::Args)]
pub(super) struct KeyFlags {
    /// Access key
    #[arg(long, value_name = "K", env = "PRESIGNED_ACCESS_KEY")]
    pub access_key: Option<String>,
    /// Its secret key
    #[arg(long, value_name = "S", env = "PRESIGNED_SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<String>,
}

impl KeyFlags {
    /// The pair, if it was given.
    pub(super) fn pair(&self) -> Option<KeyPair> {
        let (access_key, secret_key) = self.given();
        Some(KeyPair { access_key: access_key?, secret_key: secret_key? })
    }

    /// What an environment has and leaves empty is not given.
    fn given(&self) -> (Option<String>, Option<String>) {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        (given(&self.access_key), given(&self.secret_key))
    }

    /// The pair, where half of one is a mistake.
    ///
    /// # Errors
    /// That only half was given.
    pub(super) fn whole_pair(&self) -> Result<Option<KeyPair>, Failure> {
        match self.given() {
            (Some(_), None) | (None, Some(_)) => {
                Err("--access-key and --secret-key are given together or not at all".into())
            }
            _ => Ok(self.pair()),
        }
    }
}

/// The file in the directory of the store: a configuration that holds nothing but users.
const FILE: &str = "credentials.toml";

/// Where a directory keeps its key pair.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The kept users of a directory, if it has any.
///
/// # Errors
/// That the file cannot be read.
pub(super) fn kept(directory: &Path) -> Result<Option<Vec<User>>, Failure> {
    match std::fs::metadata(path(directory)).map_err(|error| error.kind()) {
        Ok(_) => Ok(Some(Config::read(&path(directory))?.users)),
        // What the directory is instead is for the store to say.
        Err(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(kind) => {
            let file = path(directory);
            Err(format!("cannot read {}: {}", file.display(), io::Error::from(kind)).into())
        }
    }
}

/// Makes a pair and keeps it.
///
/// # Errors
/// That the file cannot be written.
pub(super) fn make(directory: &Path) -> Result<User, Failure> {
    let key =
        KeyPair { access_key: format!("PS{}", random_text(18, true)?), secret_key: random_text(40, false)? };
    let user = User { id: "main".to_owned(), display_name: Some("Main".to_owned()), keys: vec![key] };
    let text = toml::to_string(&std::collections::BTreeMap::from([("users", [&user])]))?;
    private::replace(&path(directory), text.as_bytes())?;
    Ok(user)
}

/// Random letters and digits, each equally likely.
fn random_text(length: usize, upper_case: bool) -> io::Result<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz";
    let letters = LETTERS.get(..if upper_case { 36 } else { 62 }).unwrap_or(LETTERS);
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        // A byte beyond the letters is dropped, not folded: folding would favour some.
        let drawn = bytes.iter().filter_map(|byte| letters.get(usize::from(byte & 63)));
        text.extend(drawn.map(|&letter| char::from(letter)).take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_letters_and_digits() {
        let text = random_text(40, false).expect("random");
        assert_eq!(text.len(), 40);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert!(random_text(18, true).expect("random").bytes().all(|b| !b.is_ascii_lowercase()));
    }
}
