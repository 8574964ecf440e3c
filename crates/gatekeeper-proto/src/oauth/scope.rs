//! `scope` values (RFC 6749 section 3.3).
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use crate::class::Class;
use crate::out::{BufferTooSmall, Writer};
use crate::value::{Field, InvalidValue, Problem};

/// A list of scope tokens: `scope-token *( SP scope-token )`.
///
/// Order has no meaning and case has (RFC 6749 section 3.3); a comma is a character like any other.
///
/// ```
/// use gatekeeper_proto::Scope;
///
/// let asked = Scope::parse("read write")?;
/// assert!(asked.covers(&Scope::parse("write")?));
/// assert!(Scope::parse("read\twrite").is_err());
/// # Ok::<(), gatekeeper_proto::InvalidValue>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scope<'a>(&'a str);

impl<'a> Scope<'a> {
    /// Checks a scope list by the grammar, to the letter: no empty list, single spaces between tokens, and in them
    /// only `%x21 / %x23-5B / %x5D-7E`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with [`Field::Scope`].
    pub const fn parse(text: &'a str) -> Result<Self, InvalidValue> {
        let b = text.as_bytes();
        if b.is_empty() {
            return Err(InvalidValue::new(Field::Scope, Problem::Empty));
        }
        let mut i = 0;
        loop {
            let end = Class::SCOPE.run_end(b, i);
            let problem = if end < b.len() && b[end] != b' ' {
                illegal(b, end)
            } else if end == i {
                Problem::MalformedScope
            } else if end == b.len() {
                return Ok(Self(text));
            } else {
                i = end + 1;
                continue;
            };
            return Err(InvalidValue::new(Field::Scope, problem));
        }
    }

    /// A list as a server sent it, which may break the grammar: tokens are what stands between spaces.
    pub(crate) const fn as_received(text: &'a str) -> Self {
        Self(text)
    }

    /// Joins tokens into a list, written to `buf`.
    ///
    /// # Errors
    ///
    /// The inner error if there is no token or one is not a scope token, the outer one if `buf` is too small.
    pub fn join<'b>(tokens: &[&str], buf: &'b mut [u8]) -> Result<Result<Scope<'b>, InvalidValue>, BufferTooSmall> {
        let mut w = Writer::new(buf);
        for (i, token) in tokens.iter().enumerate() {
            if token.contains(' ') || token.is_empty() {
                return Ok(Err(InvalidValue::new(Field::Scope, Problem::MalformedScope)));
            }
            if i > 0 {
                w.push_byte(b' ');
            }
            w.push_str(token);
        }
        let n = w.finish()?;
        let text = buf.get(..n).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or_default();
        Ok(Scope::parse(text))
    }

    /// The list as it is sent.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// The tokens in their order.
    pub fn tokens(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.split(' ').filter(|t| !t.is_empty())
    }

    /// Whether every token of `other` is one of this list.
    pub fn covers(&self, other: &Scope<'_>) -> bool {
        other.tokens().all(|o| self.tokens().any(|t| t == o))
    }
}

impl PartialEq for Scope<'_> {
    /// Equality of sets.
    fn eq(&self, other: &Self) -> bool {
        self.covers(other) && other.covers(self)
    }
}

impl Eq for Scope<'_> {}

/// What is wrong with a byte that is neither of a scope token nor a space.
const fn illegal(b: &[u8], i: usize) -> Problem {
    match b[i] {
        b'"' | b'\\' => Problem::IllegalCharacter,
        b'\n' if i + 1 == b.len() && i > 0 => Problem::TrailingNewline,
        0x80.. => Problem::NotAscii,
        _ => Problem::ControlCharacter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let a = Scope::parse("a b c").unwrap();
        assert_eq!(a, Scope::parse("c a b").unwrap());
        assert_ne!(a, Scope::parse("a b").unwrap());
        assert_ne!(a, Scope::parse("a b C").unwrap());
        assert!(a.covers(&Scope::as_received("  b ")));
    }

    #[test]
    fn joining() {
        let mut buf = [0; 10];
        assert_eq!(Scope::join(&["read", "write"], &mut buf).unwrap().unwrap().as_str(), "read write");
        assert_eq!(Scope::join(&["read", "writes"], &mut buf).unwrap_err(), BufferTooSmall { needed: 11 });
        for bad in [&["a b"][..], &["a", ""], &[], &["a\\b"]] {
            assert!(Scope::join(bad, &mut buf).unwrap().is_err(), "{bad:?}");
        }
    }
}
