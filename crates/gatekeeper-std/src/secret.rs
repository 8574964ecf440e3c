//! Secrets that are owned, and the places they are read from.

use gatekeeper_proto::Secret;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::{env, fmt, fs, io};
use zeroize::Zeroizing;

/// A secret that is wiped from memory when it is dropped and that no formatter prints.
#[derive(Clone, Default)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes over a secret. The text it is made from is moved, not copied.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The plain text. Do not log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret, lent to the core.
    pub fn as_secret(&self) -> Secret<'_> {
        Secret::new(&self.0)
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq for SecretString {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SecretString {}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where a secret is read from, again for every token request, so that it can be rotated while the program runs.
#[derive(Clone)]
pub struct SecretSource(Source);

#[derive(Clone)]
enum Source {
    Value(SecretString),
    File(PathBuf),
    Env(String),
    Call(Arc<dyn Fn() -> Result<SecretString, SecretError> + Send + Sync>),
}

/// Why a secret could not be read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SecretError {
    /// The environment variable is not set, or not Unicode.
    Env {
        /// The variable's name.
        name: String,
    },
    /// The file could not be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: Arc<io::Error>,
    },
    /// There is a file or a variable, and nothing in it.
    Empty {
        /// Which.
        place: String,
    },
    /// The caller's own source failed, with this text.
    Other(String),
}

impl SecretSource {
    /// A secret that never changes.
    pub fn value(secret: impl Into<SecretString>) -> Self {
        Self(Source::Value(secret.into()))
    }

    /// A file that holds the secret and nothing else. A line break at its end is not removed but refused with a clear
    /// error when the secret is used: a secret may end in one.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// An environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Source::Env(name.into()))
    }

    /// A function of the caller's own, such as one that asks a vault. It is called on the thread or in the task that
    /// makes the token request, which it may block; a panic in it is that request's failure and goes no further.
    pub fn call(read: impl Fn() -> Result<SecretString, SecretError> + Send + Sync + 'static) -> Self {
        Self(Source::Call(Arc::new(read)))
    }

    /// Reads the secret now.
    ///
    /// # Errors
    ///
    /// [`SecretError`] says which place could not be read, or is empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let (secret, place) = match &self.0 {
            Source::Value(secret) => return Ok(secret.clone()),
            Source::Call(read) => {
                return catch_unwind(AssertUnwindSafe(|| read()))
                    .unwrap_or_else(|_| Err(SecretError::Other("the function that reads the secret panicked".into())));
            }
            Source::File(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|e| SecretError::File { path: path.clone(), error: Arc::new(e) })?;
                (SecretString::new(text), format!("the file {}", path.display()))
            }
            Source::Env(name) => {
                let text = env::var(name).map_err(|_| SecretError::Env { name: name.clone() })?;
                (SecretString::new(text), format!("the environment variable {name}"))
            }
        };
        if secret.expose().trim().is_empty() { Err(SecretError::Empty { place }) } else { Ok(secret) }
    }

    /// Tells sources apart without showing a secret: two are the same if they always give the same secret.
    pub(crate) fn identity(&self) -> String {
        match &self.0 {
            Source::Value(secret) => format!("value {:x}", fingerprint(secret.expose())),
            Source::File(path) => format!("file {}", path.display()),
            Source::Env(name) => format!("env {name}"),
            Source::Call(read) => format!("function {:p}", Arc::as_ptr(read)),
        }
    }

    /// Whether reading it again could bring something else.
    pub(crate) fn can_change(&self) -> bool {
        !matches!(self.0, Source::Value(_))
    }
}

impl From<SecretString> for SecretSource {
    fn from(secret: SecretString) -> Self {
        Self::value(secret)
    }
}

impl From<&str> for SecretSource {
    fn from(secret: &str) -> Self {
        Self::value(secret)
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Value(_) => f.write_str("value"),
            Source::File(path) => write!(f, "file {}", path.display()),
            Source::Env(name) => write!(f, "environment variable {name}"),
            Source::Call(_) => f.write_str("function"),
        }
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name } => write!(f, "the environment variable {name} is not set"),
            Self::File { path, error } => write!(f, "the file {} cannot be read: {error}", path.display()),
            Self::Empty { place } => write!(f, "{place} is empty"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for SecretError {}

/// A number that tells secret texts apart without showing them, in this process alone.
pub(crate) fn fingerprint(text: &str) -> u64 {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    STATE.get_or_init(RandomState::new).hash_one(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_each_time() {
        let path = env::temp_dir().join(format!("gatekeeper-secret-{}", std::process::id()));
        let source = SecretSource::file(&path);
        assert!(matches!(source.read(), Err(SecretError::File { .. })));
        fs::write(&path, "one").unwrap();
        assert_eq!(source.read().unwrap().expose(), "one");
        fs::write(&path, "two").unwrap();
        assert_eq!(source.read().unwrap().expose(), "two");
        fs::write(&path, " \n").unwrap();
        assert!(matches!(source.read(), Err(SecretError::Empty { .. })));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_panic_is_an_error() {
        let source = SecretSource::call(|| panic!("of the caller's own"));
        assert!(matches!(source.read(), Err(SecretError::Other(text)) if text.contains("panicked")));
    }

    #[test]
    fn nothing_prints_the_text() {
        let secret = SecretString::new("hunter2");
        let source = SecretSource::value(secret.clone());
        assert!(!format!("{secret:?} {source:?} {:?}", secret.as_secret()).contains("hunter2"));
    }
}
