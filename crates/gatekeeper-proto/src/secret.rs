//! A borrowed secret that no formatter can print.

use core::fmt;

/// A secret the caller lends: a client secret, a password, a token.
///
/// It has no `Display`, its `Debug` prints `[redacted]`, and the text is reached only by [`expose`](Self::expose), so
/// every place that handles the plain text can be found by that name. It borrows: the owner of the memory wipes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    /// Marks `text` as secret.
    #[inline]
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The plain text. Do not log it.
    #[inline]
    pub const fn expose(self) -> &'a str {
        self.0
    }

    /// Whether there is no text at all.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a str> for Secret<'a> {
    fn from(text: &'a str) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Secret<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "[redacted]");
    }
}
