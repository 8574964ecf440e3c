//! Finding where the pieces of a JSON text end, and resolving escapes. An error is its kind and where it is.

use super::{ErrorKind, MAX_DEPTH};

/// What is wrong and where, in bytes from the beginning of the slice.
pub(super) type Broken = (ErrorKind, usize);

#[inline]
pub(super) fn skip_space(b: &[u8], mut i: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = b.get(i) {
        i += 1;
    }
    i
}

pub(super) struct StringEnd {
    /// Where the closing quote stands.
    pub(super) end: usize,
    pub(super) escaped: bool,
}

/// Finds the end of the string whose first character stands at `i`, checking characters and escapes on the way.
pub(super) fn find_string_end(b: &[u8], mut i: usize) -> Result<StringEnd, Broken> {
    let mut escaped = false;
    loop {
        i += plain_run(b.get(i..).unwrap_or_default());
        match b.get(i) {
            Some(b'"') => return Ok(StringEnd { end: i, escaped }),
            Some(b'\\') => {
                escaped = true;
                i += escape_len(b.get(i..).unwrap_or_default()).map_err(|kind| (kind, i))?;
            }
            Some(_) => return Err((ErrorKind::ControlCharacter, i)),
            None => return Err((ErrorKind::UnexpectedEnd, i)),
        }
    }
}

/// How many bytes from the beginning stand for themselves in a string.
fn plain_run(b: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let stops = |c: u8| c < 0x20 || c == b'"' || c == b'\\';
    let mut n = 0;
    // Names and short values end within the first bytes; only long ones are worth whole blocks, which the compiler
    // turns into vector instructions because nothing leaves the inner loop early.
    for &c in b.iter().take(BLOCK) {
        if stops(c) {
            return n;
        }
        n += 1;
    }
    for block in b.get(n..).unwrap_or_default().chunks_exact(BLOCK) {
        if block.iter().fold(false, |stop, &c| stop | stops(c)) {
            break;
        }
        n += BLOCK;
    }
    let tail = b.get(n..).unwrap_or_default();
    n + tail.iter().position(|&c| stops(c)).unwrap_or(tail.len())
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
pub(super) fn skip_number(b: &[u8], mut i: usize) -> Result<usize, Broken> {
    if b.get(i) == Some(&b'-') {
        i += 1;
    }
    i = match b.get(i) {
        Some(b'0') => i + 1,
        _ => digits(b, i)?,
    };
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
    let run = b.get(i..).unwrap_or_default();
    match run.iter().position(|c| !c.is_ascii_digit()).unwrap_or(run.len()) {
        0 if run.is_empty() => Err((ErrorKind::UnexpectedEnd, i)),
        0 => Err((ErrorKind::UnexpectedByte, i)),
        n => Ok(i + n),
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
    match core::str::from_utf8(b.get(i + 1..found.end).unwrap_or_default()) {
        Ok(_) => Ok(found.end + 1),
        Err(e) => Err((ErrorKind::InvalidUtf8, i + 1 + e.valid_up_to())),
    }
}
