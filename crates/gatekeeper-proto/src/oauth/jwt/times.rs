//! `exp` and `iat` of a token, read without a buffer for the whole of it.
#![allow(clippy::indexing_slicing, reason = "arrays are indexed by constants below their lengths")]

use super::{TokenShapeError, base64url_parts, numeric_date};
use crate::class::find_near;

/// The two times of a token that bear on its lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Times {
    /// `exp` in seconds since the epoch.
    pub expires_at: Option<u64>,
    /// `iat` in seconds since the epoch.
    pub issued_at: Option<u64>,
}

impl Times {
    /// Reads `exp` and `iat`, decoding a part of the token at a time. What is no JWT has no times.
    pub fn read(token: &str) -> Self {
        Self::checked(token.trim()).unwrap_or_default()
    }

    /// As [`Shape::Base64Url`](super::Shape::Base64Url) checks a token, and its times, in one go.
    ///
    /// # Errors
    ///
    /// [`TokenShapeError`] as the check has it.
    pub fn checked(token: &str) -> Result<Self, TokenShapeError> {
        let Some([_, payload, _]) = base64url_parts(token.as_bytes()) else {
            return Err(TokenShapeError::of(token.as_bytes()));
        };
        // One character beyond whole quads encodes nothing (RFC 4648 section 5).
        if payload.len() % 4 == 1 {
            return Ok(Self::default());
        }
        let mut scan = Scan::default();
        let mut bytes = [0; DECODED + SPARE];
        for chars in payload.chunks(DECODED / 3 * 4) {
            decode(chars, &mut bytes);
            scan.read(bytes.get(..chars.len() * 3 / 4).unwrap_or_default());
        }
        Ok(if scan.depth == 0 && !scan.in_string { scan.found } else { Self::default() })
    }

    /// How long the token says it lives at most, in seconds, if it says when it was made and when it expires.
    pub fn lifetime(&self) -> Option<u64> {
        Some(self.expires_at?.saturating_sub(self.issued_at?))
    }
}

/// Characters decoded in one go.
const BLOCK: usize = 64;

/// Bytes decoded before they are looked at: whole blocks, and little enough for a small stack.
const DECODED: usize = 4 * BLOCK / 4 * 3;

/// Room for the two bytes that each group of eight characters writes too many.
const SPARE: usize = 8;

/// Decodes base64url without padding (RFC 7515 section 2), `chars` being nothing else.
///
/// The base64 crate takes twice as many instructions for it, which would be most of the work of reading a token's times.
/// Characters become values without branches, so that the compiler makes vector instructions of it.
fn decode(chars: &[u8], out: &mut [u8; DECODED + SPARE]) {
    for (n, chars) in chars.chunks(BLOCK).enumerate() {
        let mut block = [b'A'; BLOCK];
        if let Some(begin) = block.get_mut(..chars.len()) {
            begin.copy_from_slice(chars);
        }
        if let Some(out) = out.get_mut(n * BLOCK / 4 * 3..).and_then(<[u8]>::first_chunk_mut) {
            decode_block(&block, out);
        }
    }
}

fn decode_block(chars: &[u8; BLOCK], out: &mut [u8; BLOCK / 4 * 3 + SPARE]) {
    let mut values = *chars;
    for v in &mut values {
        *v = value(*v);
    }
    for n in 0..BLOCK / 8 {
        let mut group = [0; 8];
        group.copy_from_slice(&values[8 * n..8 * n + 8]);
        out[6 * n..6 * n + 8].copy_from_slice(&packed(u64::from_le_bytes(group)));
    }
}

/// What a character of the base64url alphabet (RFC 4648 section 5) stands for, by what is added to it.
#[inline(always)]
fn value(c: u8) -> u8 {
    let when = |yes: bool, add: u8| u8::from(yes).wrapping_neg() & add;
    // Digits come first; letters, small letters, underscore and hyphen each add the difference to what has been added.
    c.wrapping_add(4)
        .wrapping_sub(when((c as i8) > 0x40, 69))
        .wrapping_sub(when((c as i8) > 0x60, 6))
        .wrapping_add(when(c == b'_', 33))
        .wrapping_add(when(c == b'-', 13))
}

/// Eight values of six bits as six bytes, and two zeros.
#[inline(always)]
const fn packed(values: u64) -> [u8; 8] {
    const SIX: u64 = 0x003F_003F_003F_003F;
    const TWELVE: u64 = 0x0000_0FFF_0000_0FFF;
    let twelve = ((values & SIX) << 6) | ((values >> 8) & SIX);
    let halves = ((twelve & TWELVE) << 12) | ((twelve >> 16) & TWELVE);
    (((halves & 0xFF_FFFF) << 24 | halves >> 32) << 16).to_be_bytes()
}

/// Finds `exp` and `iat` among the top-level members of a JSON object that passes in pieces. It follows strings and
/// nesting and trusts the rest: a claim can only shorten a deadline, so a broken text does no harm.
#[derive(Default)]
struct Scan {
    found: Times,
    depth: u32,
    in_string: bool,
    /// Whether the piece before ended inside a string and in the middle of an escape.
    escaped: bool,
    /// Whether the next string is a name at the top level, or the one that has begun is.
    name: bool,
    /// The beginning of the last such name; its length counts on.
    letters: [u8; 3],
    letters_len: usize,
    /// The digits of the value at hand.
    number: [u8; 24],
    number_len: usize,
}

impl Scan {
    fn read(&mut self, bytes: &[u8]) {
        let mut i = if self.in_string { self.string(bytes, 0) } else { 0 };
        while let Some(&b) = bytes.get(i) {
            i += 1;
            if b == b'"' {
                i = self.string(bytes, i);
            } else if self.depth == 1 {
                self.top_level(b);
            } else if matches!(b, b'{' | b'[') {
                self.depth = self.depth.saturating_add(1);
                self.name = self.depth == 1 && b == b'{';
            } else if matches!(b, b'}' | b']') {
                self.depth = self.depth.saturating_sub(1);
            }
        }
    }

    /// Goes on inside a string, where most bytes of most tokens are. Returns where it ends, or the end of the piece.
    #[inline]
    fn string(&mut self, bytes: &[u8], begin: usize) -> usize {
        let end = find_near(bytes, begin, b'"');
        match end {
            // Nearly every string: whole, and without an escape before its quote.
            Some(end) if !self.in_string && bytes.get(end.wrapping_sub(1)) != Some(&b'\\') => {
                if self.name {
                    self.letters_len = 0;
                    self.letters(bytes.get(begin..end).unwrap_or_default());
                    self.name = false;
                }
                end + 1
            }
            _ => self.any_string(bytes, begin),
        }
    }

    #[inline(never)]
    fn any_string(&mut self, bytes: &[u8], begin: usize) -> usize {
        if !self.in_string {
            self.in_string = true;
            self.escaped = false;
            self.letters_len = 0;
        }
        for (n, &b) in bytes.iter().enumerate().skip(begin) {
            if self.escaped {
                self.escaped = false;
            } else if b == b'"' {
                self.in_string = false;
                self.name = false;
                return n + 1;
            } else {
                self.escaped = b == b'\\';
            }
            // A name with an escape is none of the two.
            if self.name {
                self.letters(&[b]);
            }
        }
        bytes.len()
    }

    fn letters(&mut self, letters: &[u8]) {
        for (to, from) in self.letters.iter_mut().skip(self.letters_len).zip(letters) {
            *to = *from;
        }
        self.letters_len += letters.len();
    }

    fn top_level(&mut self, b: u8) {
        match b {
            b'{' | b'[' => {
                self.depth = 2;
                self.name = false;
            }
            b',' | b'}' | b']' => {
                self.end_member();
                self.name = b == b',';
                self.depth = u32::from(b == b',');
            }
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' => {
                if let Some(slot) = self.number.get_mut(self.number_len) {
                    *slot = b;
                }
                self.number_len = self.number_len.saturating_add(1);
            }
            _ => {}
        }
    }

    fn end_member(&mut self) {
        let claim = match (&self.letters, self.letters_len) {
            (b"exp", 3) => Some(&mut self.found.expires_at),
            (b"iat", 3) => Some(&mut self.found.issued_at),
            _ => None,
        };
        if let Some(claim) = claim {
            let number = self.number.get(..self.number_len).unwrap_or_default();
            *claim = numeric_date(number).or(*claim);
        }
        self.number_len = 0;
        self.letters_len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn decoding_agrees_with_the_base64_crate() {
        for len in 0..=DECODED {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 37 + len) as u8).collect();
            let chars = URL_SAFE_NO_PAD.encode(&bytes);
            let mut out = [0; DECODED + SPARE];
            decode(chars.as_bytes(), &mut out);
            assert_eq!(out[..chars.len() * 3 / 4], bytes);
        }
    }
}
