//! Classes of bytes, one bit each in one table, and runs of them.
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

/// A set of bytes that a grammar names.
#[derive(Clone, Copy)]
pub(crate) struct Class(u8);

impl Class {
    /// `tchar` of RFC 9110 section 5.6.2.
    pub(crate) const TOKEN: Self = Self(1);
    /// What `application/x-www-form-urlencoded` leaves as it is.
    pub(crate) const FORM: Self = Self(1 << 1);
    /// What a URI may hold (RFC 3986 section 2), `#` left out.
    pub(crate) const URI: Self = Self(1 << 2);
    /// Scope tokens: `%x21 / %x23-5B / %x5D-7E` (RFC 6749 section 3.3). In JSON these stand for themselves, and a token
    /// made of them can stand in a header.
    pub(crate) const SCOPE: Self = Self(1 << 3);
    /// `HTAB / SP / VCHAR / obs-text`: what a field value may hold (RFC 9110 section 5.5).
    pub(crate) const TEXT: Self = Self(1 << 4);
    /// White space of JSON (RFC 8259 section 2).
    pub(crate) const SPACE: Self = Self(1 << 5);
    /// Decimal digits.
    pub(crate) const DIGIT: Self = Self(1 << 7);
    /// What stands for itself in a JSON string (RFC 8259 section 7).
    pub(crate) const UNESCAPED: Self = Self(1 << 6);

    /// Whether the byte is in the class.
    #[inline(always)]
    pub(crate) const fn has(self, b: u8) -> bool {
        TABLE[b as usize] & self.0 != 0
    }

    /// Where the first byte outside the class is, from `i` on, or the end.
    #[inline]
    pub(crate) const fn run_end(self, b: &[u8], mut i: usize) -> usize {
        while i < b.len() && self.has(b[i]) {
            i += 1;
        }
        i
    }
}

/// Bytes looked at in one go. Nothing leaves the loop over a block, so the compiler makes vector instructions of it.
const BLOCK: usize = 64;

/// Where the first byte outside [`Class::SCOPE`] is, from `i` on, or the end. Short texts are looked at word by word,
/// long ones in blocks.
#[inline]
pub(crate) fn visible_run_end(b: &[u8], i: usize) -> usize {
    match visible_words_end(b, i, SHORT) {
        Ok(end) => end,
        Err(at) => long_visible_run_end(b, at),
    }
}

/// After so many words a text is taken for a long one.
const SHORT: u32 = 5;

/// The end of a run that is found within so many words, or how far they have come.
#[inline(always)]
fn visible_words_end(b: &[u8], mut i: usize, mut words: u32) -> Result<usize, usize> {
    while words > 0 {
        let Some(word) = b.get(i..).and_then(<[u8]>::first_chunk) else { return Ok(Class::SCOPE.run_end(b, i)) };
        let outside = outside_visible(usize::from_le_bytes(*word));
        if outside != 0 {
            i += outside.trailing_zeros() as usize / 8;
            return if b.get(i) == Some(&b'!') { Err(i + 1) } else { Ok(i) };
        }
        i += WORD;
        words -= 1;
    }
    Err(i)
}

#[inline(never)]
fn long_visible_run_end(b: &[u8], mut i: usize) -> usize {
    loop {
        // What ends the blocks is found by words: the end, `!`, or too little room for a block.
        match visible_words_end(b, skip_visible_blocks(b, i), 2 * (BLOCK / WORD) as u32) {
            Ok(end) => return end,
            Err(at) => i = at,
        }
    }
}

/// Where the first byte outside [`Class::UNESCAPED`] is, from `i` on, or the end. For texts with spaces or beyond ASCII.
#[inline]
pub(crate) fn unescaped_run_end(b: &[u8], mut i: usize) -> usize {
    while let Some(word) = b.get(i..).and_then(<[u8]>::first_chunk) {
        let outside = outside_unescaped(usize::from_le_bytes(*word));
        if outside != 0 {
            return i + outside.trailing_zeros() as usize / 8;
        }
        i += WORD;
    }
    Class::UNESCAPED.run_end(b, i)
}

/// Where `byte` stands first, from `i` on; found in blocks, for long texts.
#[inline(never)]
pub(crate) fn find(b: &[u8], mut i: usize, byte: u8) -> Option<usize> {
    for block in b.get(i..)?.chunks_exact(BLOCK) {
        if block.iter().fold(false, |found, &c| found | (c == byte)) {
            break;
        }
        i += BLOCK;
    }
    find_near(b, i, byte)
}

/// Where `byte` stands first, from `i` on; found word by word, for short texts.
#[inline(always)]
pub(crate) fn find_near(b: &[u8], mut i: usize, byte: u8) -> Option<usize> {
    while let Some(word) = b.get(i..).and_then(<[u8]>::first_chunk) {
        let found = zero_bytes(usize::from_le_bytes(*word) ^ (ONES * byte as usize)) & HIGH;
        if found != 0 {
            return Some(i + found.trailing_zeros() as usize / 8);
        }
        i += WORD;
    }
    while i < b.len() {
        if b[i] == byte {
            return Some(i);
        }
        i += 1;
    }
    None
}

const WORD: usize = size_of::<usize>();
const ONES: usize = usize::MAX / 255;
const HIGH: usize = ONES << 7;

/// The high bit of the first byte that is outside [`Class::SCOPE`] or is `!`; bytes above that one may be marked wrongly.
#[inline(always)]
const fn outside_visible(x: usize) -> usize {
    let outside = x | x.wrapping_add(ONES) | x.wrapping_sub(ONES * 0x23) | zero_bytes(x ^ (ONES * b'\\' as usize));
    outside & HIGH
}

/// The high bit of the first byte that is outside [`Class::UNESCAPED`]; bytes above that one may be marked wrongly.
#[inline(always)]
const fn outside_unescaped(x: usize) -> usize {
    let control = x.wrapping_sub(ONES * 0x20) & !x;
    let outside = control | zero_bytes(x ^ (ONES * b'"' as usize)) | zero_bytes(x ^ (ONES * b'\\' as usize));
    outside & HIGH
}

/// Marks the first byte that is zero by its high bit.
#[inline(always)]
const fn zero_bytes(x: usize) -> usize {
    x.wrapping_sub(ONES) & !x
}

#[inline(always)]
fn skip_visible_blocks(b: &[u8], mut i: usize) -> usize {
    for block in b.get(i..).unwrap_or_default().chunks_exact(BLOCK) {
        // Leaving `!` out of the class saves a comparison, and hardly any token has one.
        let outside = |c: u8| c.wrapping_sub(0x23) > 0x7E - 0x23 || c == b'\\';
        if block.iter().fold(false, |found, &c| found | outside(c)) {
            break;
        }
        i += BLOCK;
    }
    i
}

/// Where the first byte outside base64url (RFC 4648 section 5) is, from `i` on, or the end; found in blocks.
pub(crate) fn base64url_run_end(b: &[u8], i: usize) -> usize {
    let mut i = skip_base64url::<BLOCK>(b, i);
    i = skip_base64url::<{ BLOCK / 4 }>(b, i);
    while b.get(i).is_some_and(|&c| is_base64url(c)) {
        i += 1;
    }
    i
}

#[inline(always)]
fn skip_base64url<const N: usize>(b: &[u8], mut i: usize) -> usize {
    for block in b.get(i..).unwrap_or_default().chunks_exact(N) {
        if !block.iter().fold(true, |all, &c| all & is_base64url(c)) {
            break;
        }
        i += N;
    }
    i
}

/// Without branches, so that blocks of it become vector instructions.
#[inline(always)]
const fn is_base64url(c: u8) -> bool {
    let letter = (c | 0x20).wrapping_sub(b'a') < 26;
    let digit = c.wrapping_sub(b'0') < 10;
    letter | digit | (c == b'-') | (c == b'_')
}

const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = classes_of(i as u8);
        i += 1;
    }
    table
};

const fn classes_of(b: u8) -> u8 {
    let alphanumeric = b.is_ascii_alphanumeric();
    let mut classes = 0;
    let members = [
        (
            Class::TOKEN,
            alphanumeric || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'),
        ),
        (Class::FORM, alphanumeric || matches!(b, b'*' | b'-' | b'.' | b'_')),
        (
            Class::URI,
            alphanumeric
                || matches!(b, b'!' | b'$'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'[' | b']' | b'_' | b'~'),
        ),
        (Class::SCOPE, matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
        (Class::TEXT, b == b'\t' || (b >= 0x20 && b != 0x7F)),
        (Class::SPACE, matches!(b, b' ' | b'\t' | b'\n' | b'\r')),
        (Class::UNESCAPED, b >= 0x20 && b != b'"' && b != b'\\'),
        (Class::DIGIT, b.is_ascii_digit()),
    ];
    let mut i = 0;
    while i < members.len() {
        if members[i].1 {
            classes |= members[i].0.0;
        }
        i += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_in_blocks_end_where_runs_by_bytes_do() {
        for len in [0, 1, 63, 64, 65, 127, 128, 200] {
            let good = vec![b'a'; len];
            assert_eq!(visible_run_end(&good, 0), len);
            assert_eq!(base64url_run_end(&good, 0), len);
            for at in 0..len {
                for b in 0..=255 {
                    let mut text = good.clone();
                    text[at] = b;
                    let end = |class: Class| if class.has(b) { len } else { at };
                    assert_eq!(visible_run_end(&text, 0), end(Class::SCOPE), "{b:#x} at {at} of {len}");
                    assert_eq!(unescaped_run_end(&text, 0), end(Class::UNESCAPED), "{b:#x} at {at} of {len}");
                    let base64url = b.is_ascii_alphanumeric() || b"-_".contains(&b);
                    let end = if base64url { len } else { at };
                    assert_eq!(base64url_run_end(&text, 0), end, "{b:#x} at {at} of {len}");
                    assert_eq!(find(&text, 0, b), (len > 0).then_some(if b == b'a' { 0 } else { at }));
                }
            }
        }
    }

    #[test]
    fn classes_are_what_their_documents_say() {
        let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let uri = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&b);
        for b in 0..=255u8 {
            assert_eq!(Class::TOKEN.has(b), tchar(b), "{b:#x}");
            assert_eq!(Class::URI.has(b), uri(b), "{b:#x}");
            assert_eq!(Class::FORM.has(b), b.is_ascii_alphanumeric() || b"*-._".contains(&b), "{b:#x}");
            assert_eq!(Class::SPACE.has(b), b" \t\r\n".contains(&b), "{b:#x}");
        }
    }
}
