//! Text from a peer, made harmless for people and logs.

use core::fmt;

/// The most characters of a peer's text that are shown.
const MAX_SHOWN: usize = 200;

/// Text that a server put into an error. `Display` and `Debug` show at most 200 characters of it, replace everything
/// but printable ASCII, and mask what looks like a token, because servers echo tokens in explanations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Untrusted<'a>(&'a str);

impl<'a> Untrusted<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The text as it came, for comparing. It may hold anything, tokens and line breaks included: do not log it.
    pub const fn as_received(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for word in self.0.split_inclusive(|c| !is_token_char(c)) {
            let token = word.trim_end_matches(|c| !is_token_char(c));
            if looks_like_a_token(token) {
                f.write_str("[...]")?;
                shown += 5;
            }
            let rest = if looks_like_a_token(token) { word.get(token.len()..).unwrap_or_default() } else { word };
            for c in rest.chars() {
                if shown >= MAX_SHOWN {
                    return f.write_str("...");
                }
                shown += 1;
                let c = if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Untrusted<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "[{} bytes]", self.0.len());
    }
}

/// Characters of tokens in all their encodings.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=' | '%')
}

/// Long enough to be one and not a word of a language: it has a digit, or both cases and no end.
fn looks_like_a_token(word: &str) -> bool {
    let has = |class: fn(&u8) -> bool| word.as_bytes().iter().any(class);
    let digit = has(u8::is_ascii_digit);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    (word.len() >= 16 && digit) || (word.len() >= 20 && mixed) || word.len() >= 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        for (text, want) in [
            ("Full authentication is required", "Full authentication is required"),
            (
                "Invalid refresh token (expired): 2acda61f-cf4f-42be-8561-563b5db7840f",
                "Invalid refresh token (expired): [...]",
            ),
            ("a\r\nSet-Cookie: x\u{1b}[31m", "a??Set-Cookie: x?[31m"),
            ("got Basic ZGpjOTh1M2ppZWRtaTI4M2V1OTI4, sorry", "got Basic [...], sorry"),
            ("caf\u{e9}", "caf?"),
        ] {
            assert_eq!(Untrusted::new(text).to_string(), want);
        }
        let long = "ab ".repeat(1000);
        assert_eq!(Untrusted::new(&long).to_string().len(), MAX_SHOWN + 3);
    }
}
