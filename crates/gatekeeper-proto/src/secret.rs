//! A borrowed secret that no formatter can print.

use core::fmt;

/// A secret the caller lends: a client secret, a password, a token.
///
/// It has no `Display`, its `Debug` prints `[redacted]`, and the text is reached only by [`expose`](Self::expose), so
/// every place that handles the plain text can be found by that name. It borrows: the owner of the memory wipes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a> {
    /// UTF-8. Kept as bytes because most secrets are only ever copied, and a check of a long token is not free.
    bytes: &'a [u8],
}

impl<'a> Secret<'a> {
    /// Marks `text` as secret.
    #[inline]
    pub const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes() }
    }

    /// Marks a text as secret that is known to be ASCII.
    pub(crate) const fn of_ascii(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The plain text. Do not log it.
    #[inline]
    pub const fn expose(self) -> &'a str {
        match core::str::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(_) => "",
        }
    }

    /// The plain text's bytes, without any cost. Do not log them.
    #[inline]
    pub const fn expose_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is no text at all.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'a> From<&'a str> for Secret<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(text)
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
