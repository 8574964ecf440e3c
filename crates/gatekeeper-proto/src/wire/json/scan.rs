//! Finding where the pieces of a JSON text end, and resolving escapes. An error is its kind and where it is.

use super::{ErrorKind, MAX_DEPTH};
use crate::class::{Class, unescaped_run_end, visible_run_end};

/// What is wrong and where, in bytes from the beginning of the slice.
pub(super) type Broken = (ErrorKind, usize);

#[inline(always)]
pub(super) fn skip_space(b: &[u8], i: usize) -> usize {
    // Servers write no space, and the byte looked at here is looked at next anyway.
    match b.get(i) {
        Some(&first) if first > b' ' => i,
        _ => skip_some_space(b, i),
    }
}

#[inline(never)]
fn skip_some_space(b: &[u8], i: usize) -> usize {
    Class::SPACE.run_end(b, i)
}

pub(super) struct StringEnd {
    /// Where the closing quote stands.
    pub(super) end: usize,
    pub(super) escaped: bool,
    /// Whether it is made of [`Class::SCOPE`] alone.
    pub(super) visible: bool,
}

/// Finds the end of the string whose first character stands at `i`, checking characters and escapes on the way.
#[inline(always)]
pub(super) fn find_string_end(b: &[u8], i: usize) -> Result<StringEnd, Broken> {
    let at = visible_run_end(b, i);
    if b.get(at) == Some(&b'"') {
        return Ok(StringEnd { end: at, escaped: false, visible: true });
    }
    find_end_of_any_string(b, at)
}

/// As [`find_string_end`], for strings that have something else than visible characters at `at`.
fn find_end_of_any_string(b: &[u8], mut at: usize) -> Result<StringEnd, Broken> {
    let mut escaped = false;
    loop {
        at = unescaped_run_end(b, at);
        match b.get(at) {
            Some(b'"') => return Ok(StringEnd { end: at, escaped, visible: false }),
            Some(b'\\') => {
                escaped = true;
                at += escape_len(b.get(at..).unwrap_or_default()).map_err(|kind| (kind, at))?;
            }
            Some(_) => return Err((ErrorKind::ControlCharacter, at)),
            None => return Err((ErrorKind::UnexpectedEnd, at)),
        }
    }
}

/// The length of the escape that begins here; both halves of a surrogate pair are one (RFC 8259 section 7).
fn escape_len(b: &[u8]) -> Result<usize, ErrorKind> {
    match b.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match code_unit(b, 2)? {
            0xD800..=0xDBFF => match (b.get(6), b.get(7)) {
                (Some(b'\\'), Some(b'u')) => match code_unit(b, 8)? {
                    0xDC00..=0xDFFF => Ok(12),
                    _ => Err(ErrorKind::InvalidEscape),
                },
                (None, _) | (Some(b'\\'), None) => Err(ErrorKind::UnexpectedEnd),
                _ => Err(ErrorKind::InvalidEscape),
            },
            0xDC00..=0xDFFF => Err(ErrorKind::InvalidEscape),
            _ => Ok(6),
        },
        Some(_) => Err(ErrorKind::InvalidEscape),
        None => Err(ErrorKind::UnexpectedEnd),
    }
}

/// Four hexadecimal digits.
fn code_unit(b: &[u8], at: usize) -> Result<u32, ErrorKind> {
    let mut n = 0;
    for i in at..at + 4 {
        let digit = match b.get(i) {
            None => return Err(ErrorKind::UnexpectedEnd),
            Some(&c) => (c as char).to_digit(16).ok_or(ErrorKind::InvalidEscape)?,
        };
        n = n * 16 + digit;
    }
    Ok(n)
}

/// Replaces the escapes of a checked string by what they stand for and returns the new length.
pub(super) fn unescape(s: &mut [u8]) -> usize {
    let (mut read, mut written) = (0, 0);
    while let Some(&b) = s.get(read) {
        if b != b'\\' {
            if let Some(w) = s.get_mut(written) {
                *w = b;
            }
            read += 1;
            written += 1;
            continue;
        }
        let escape = s.get(read..).unwrap_or_default();
        let len = escape_len(escape).unwrap_or(2);
        let c = match escape.get(1) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = code_unit(escape, 2).unwrap_or(0);
                let low = if len == 12 { code_unit(escape, 8).unwrap_or(0) } else { 0 };
                let code = if len == 12 { 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF) } else { high };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some(&c) => c as char,
            None => break,
        };
        // No character is longer in UTF-8 than its escape.
        let mut utf8 = [0; 4];
        let utf8 = c.encode_utf8(&mut utf8).as_bytes();
        if let Some(w) = s.get_mut(written..written + utf8.len()) {
            w.copy_from_slice(utf8);
        }
        read += len;
        written += utf8.len();
    }
    written
}

/// Where the word `true`, `false` or `null` at `i` ends.
pub(super) fn skip_word(b: &[u8], i: usize) -> Result<usize, Broken> {
    let word: &[u8] = match b.get(i) {
        Some(b't') => b"true",
        Some(b'f') => b"false",
        _ => b"null",
    };
    for (k, want) in word.iter().enumerate() {
        match b.get(i + k) {
            Some(c) if c == want => {}
            Some(_) => return Err((ErrorKind::UnexpectedByte, i + k)),
            None => return Err((ErrorKind::UnexpectedEnd, i + k)),
        }
    }
    Ok(i + word.len())
}

/// Where the number at `i` ends (RFC 8259 section 6).
#[inline]
pub(super) fn skip_number(b: &[u8], i: usize) -> Result<usize, Broken> {
    // Nearly every number in a token response is a whole number of seconds.
    if let Some(b'1'..=b'9') = b.get(i) {
        let end = Class::DIGIT.run_end(b, i);
        if !matches!(b.get(end), Some(b'.' | b'e' | b'E')) {
            return Ok(end);
        }
    }
    skip_any_number(b, i)
}

fn skip_any_number(b: &[u8], mut i: usize) -> Result<usize, Broken> {
    if b.get(i) == Some(&b'-') {
        i += 1;
    }
    i = if b.get(i) == Some(&b'0') { i + 1 } else { digits(b, i)? };
    if b.get(i) == Some(&b'.') {
        i = digits(b, i + 1)?;
    }
    if let Some(b'e' | b'E') = b.get(i) {
        i += 1;
        if let Some(b'+' | b'-') = b.get(i) {
            i += 1;
        }
        i = digits(b, i)?;
    }
    Ok(i)
}

/// Where the one or more digits at `i` end.
fn digits(b: &[u8], i: usize) -> Result<usize, Broken> {
    let end = Class::DIGIT.run_end(b, i);
    match b.get(i) {
        _ if end > i => Ok(end),
        Some(_) => Err((ErrorKind::UnexpectedByte, i)),
        None => Err((ErrorKind::UnexpectedEnd, i)),
    }
}

/// Where the array or object that begins at `i` ends. What is open is one bit a level: 1 for an object.
pub(super) fn skip_nested(b: &[u8], mut i: usize) -> Result<usize, Broken> {
    let mut objects: u64 = 0;
    let mut depth: u32 = 0;
    loop {
        // A value begins here.
        i = skip_space(b, i);
        match b.get(i) {
            Some(&open @ (b'{' | b'[')) => {
                if depth == MAX_DEPTH {
                    return Err((ErrorKind::TooDeep, i));
                }
                depth += 1;
                objects = objects << 1 | u64::from(open == b'{');
                i = skip_space(b, i + 1);
                let empty = if open == b'{' { b'}' } else { b']' };
                if b.get(i) != Some(&empty) {
                    if open == b'{' {
                        i = skip_name(b, i)?;
                    }
                    continue;
                }
            }
            Some(b'"') => i = skip_string(b, i)?,
            Some(b't' | b'f' | b'n') => i = skip_word(b, i)?,
            _ => i = skip_number(b, i)?,
        }
        // A value has ended here, or the array or object at hand is empty.
        loop {
            i = skip_space(b, i);
            let object = objects & 1 == 1;
            match b.get(i) {
                Some(b',') => {
                    i += 1;
                    if object {
                        i = skip_name(b, skip_space(b, i))?;
                    }
                    break;
                }
                Some(&close) if close == if object { b'}' } else { b']' } => {
                    i += 1;
                    depth -= 1;
                    objects >>= 1;
                    if depth == 0 {
                        return Ok(i);
                    }
                }
                Some(_) => return Err((ErrorKind::UnexpectedByte, i)),
                None => return Err((ErrorKind::UnexpectedEnd, i)),
            }
        }
    }
}

/// Where the member's name at `i` and its colon end.
fn skip_name(b: &[u8], i: usize) -> Result<usize, Broken> {
    let i = match b.get(i) {
        Some(b'"') => skip_space(b, skip_string(b, i)?),
        Some(_) => return Err((ErrorKind::UnexpectedByte, i)),
        None => return Err((ErrorKind::UnexpectedEnd, i)),
    };
    match b.get(i) {
        Some(b':') => Ok(i + 1),
        Some(_) => Err((ErrorKind::UnexpectedByte, i)),
        None => Err((ErrorKind::UnexpectedEnd, i)),
    }
}

/// Where the string whose opening quote stands at `i` ends; its bytes must be UTF-8 although nobody reads them.
fn skip_string(b: &[u8], i: usize) -> Result<usize, Broken> {
    let found = find_string_end(b, i + 1)?;
    if found.visible {
        return Ok(found.end + 1);
    }
    match core::str::from_utf8(b.get(i + 1..found.end).unwrap_or_default()) {
        Ok(_) => Ok(found.end + 1),
        Err(e) => Err((ErrorKind::InvalidUtf8, i + 1 + e.valid_up_to())),
    }
}
