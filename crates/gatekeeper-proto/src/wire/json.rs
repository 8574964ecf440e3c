//! One flat JSON object (RFC 8259), read in place.
//!
//! An OAuth answer is one object whose members are strings and numbers. This reader walks its members once, in order.
//! Strings are unescaped inside the caller's buffer and lent from there. Nested arrays and objects are checked to the
//! letter and skipped. There is no recursion and no allocation; time is linear in the input, and state is a few words.
//!
//! Whatever it accepts, `serde_json` accepts with the same meaning (tests and a fuzz target hold it to that). It is
//! stricter in three points: the text must be UTF-8 everywhere, a surrogate must be half of a pair also where the
//! string is skipped, and nesting deeper than [`MAX_DEPTH`] is refused.

use crate::out::Writer;
use core::fmt;
use core::mem;

/// How deep arrays and objects inside the object may nest.
pub const MAX_DEPTH: u32 = 64;

/// The members of one object, from first to last.
#[derive(Debug)]
pub struct Object<'a> {
    rest: &'a mut [u8],
    total: usize,
    next: Next,
}

/// A member's value.
#[derive(Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An array, whose text has been checked.
    Array(Array<'a>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// A number, as it is written.
    Number(&'a str),
    /// An object, whose text has been checked.
    Object(Nested<'a>),
    /// A string, without its escapes.
    String(&'a str),
}

/// The text of an array, brackets included.
#[derive(PartialEq, Eq)]
pub struct Array<'a>(&'a mut [u8]);

/// The text of an object inside the object, braces included.
#[derive(PartialEq, Eq)]
pub struct Nested<'a>(&'a mut [u8]);

/// The whole part of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The value without its fraction.
    pub value: u64,
    /// Whether there was a fraction that is not zero.
    pub fraction: bool,
}

/// The text is not the JSON of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where, in bytes from the beginning of the text.
    pub offset: usize,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorKind {
    /// A control character inside a string (RFC 8259 section 7).
    ControlCharacter,
    /// A backslash followed by what is no escape, or half of a surrogate pair.
    InvalidEscape,
    /// Bytes that are not UTF-8 (RFC 8259 section 8.1).
    InvalidUtf8,
    /// The text is a JSON value or something else, but no object.
    NotAnObject,
    /// Deeper than [`MAX_DEPTH`] (RFC 8259 section 9 allows limits).
    TooDeep,
    /// Something behind the object (RFC 8259 section 2).
    TrailingData,
    /// The text ends too early.
    UnexpectedEnd,
    /// A byte that cannot stand where it stands.
    UnexpectedByte,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    MemberOrEnd,
    Member,
    Finished,
}

impl<'a> Object<'a> {
    /// Starts on `text`, which must hold one object and nothing else.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAnObject`] if it does not begin with one.
    pub fn open(text: &'a mut [u8]) -> Result<Self, Error> {
        let total = text.len();
        let start = skip_space(text, 0);
        match text.get(start) {
            Some(b'{') => {}
            None => return Err(Error { kind: ErrorKind::UnexpectedEnd, offset: start }),
            Some(_) => return Err(Error { kind: ErrorKind::NotAnObject, offset: start }),
        }
        let rest = text.get_mut(start + 1..).unwrap_or_default();
        Ok(Self { rest, total, next: Next::MemberOrEnd })
    }

    /// The next member's name and value. `None` says that the object ended and nothing but space follows, so only then
    /// has the whole text been found good.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is wrong and where. Members already returned were well-formed themselves.
    #[allow(clippy::should_implement_trait, reason = "the items borrow from the text and errors end the walk")]
    pub fn next(&mut self) -> Result<Option<(&'a str, Value<'a>)>, Error> {
        if self.next == Next::Finished {
            return Ok(None);
        }
        self.skip_space();
        match self.rest.first() {
            Some(b'"') => {}
            Some(b'}') if self.next == Next::MemberOrEnd => return self.finish(),
            other => return Err(self.unexpected(other.copied(), 0)),
        }
        let name = self.string()?;
        self.skip_space();
        self.expect(b':')?;
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        match self.rest.first() {
            Some(b',') => {
                self.advance(1);
                self.next = Next::Member;
            }
            Some(b'}') => {
                self.finish()?;
            }
            other => return Err(self.unexpected(other.copied(), 0)),
        }
        Ok(Some((name, value)))
    }

    fn finish(&mut self) -> Result<Option<(&'a str, Value<'a>)>, Error> {
        self.advance(1);
        self.skip_space();
        if !self.rest.is_empty() {
            return Err(self.error(ErrorKind::TrailingData, 0));
        }
        self.next = Next::Finished;
        Ok(None)
    }

    fn value(&mut self) -> Result<Value<'a>, Error> {
        match self.rest.first() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => {
                let len = self.checked(skip_nested)?;
                Ok(Value::Object(Nested(self.take(len))))
            }
            Some(b'[') => {
                let len = self.checked(skip_nested)?;
                Ok(Value::Array(Array(self.take(len))))
            }
            Some(b't' | b'f' | b'n') => {
                let len = self.checked(skip_word)?;
                let word = self.take(len).first().copied();
                Ok(match word {
                    Some(b't') => Value::Bool(true),
                    Some(b'f') => Value::Bool(false),
                    _ => Value::Null,
                })
            }
            _ => {
                let len = self.checked(skip_number)?;
                Ok(Value::Number(text(self.take(len), 0)?))
            }
        }
    }

    /// Reads the string whose opening quote is the next byte.
    fn string(&mut self) -> Result<&'a str, Error> {
        let found = match find_string_end(self.rest, 1) {
            Ok(found) => found,
            Err((kind, at)) => return Err(self.error(kind, at)),
        };
        let start = self.offset();
        let body = self.take(found.end + 1).get_mut(1..found.end).unwrap_or_default();
        let len = if found.escaped { unescape(body) } else { body.len() };
        text(body.get_mut(..len).unwrap_or_default(), start + 1)
    }

    fn checked(&self, skip: impl Fn(&[u8], usize) -> Result<usize, (ErrorKind, usize)>) -> Result<usize, Error> {
        skip(self.rest, 0).map_err(|(kind, at)| self.error(kind, at))
    }

    fn skip_space(&mut self) {
        let n = skip_space(self.rest, 0);
        self.advance(n);
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        match self.rest.first() {
            Some(&b) if b == byte => {
                self.advance(1);
                Ok(())
            }
            other => Err(self.unexpected(other.copied(), 0)),
        }
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        if n > 0 {
            self.take(n);
        }
    }

    #[inline]
    fn take(&mut self, n: usize) -> &'a mut [u8] {
        let rest = mem::take(&mut self.rest);
        let (head, tail) = rest.split_at_mut_checked(n).unwrap_or_default();
        self.rest = tail;
        head
    }

    fn offset(&self) -> usize {
        self.total.saturating_sub(self.rest.len())
    }

    fn error(&self, kind: ErrorKind, at: usize) -> Error {
        Error { kind, offset: self.offset().saturating_add(at) }
    }

    fn unexpected(&self, byte: Option<u8>, at: usize) -> Error {
        let kind = if byte.is_some() { ErrorKind::UnexpectedByte } else { ErrorKind::UnexpectedEnd };
        self.error(kind, at)
    }
}

impl<'a> Array<'a> {
    /// The strings of an array of strings, each unescaped, joined by one space, written over the array's own text.
    /// `None` if an element is anything else, is empty or has a space of its own.
    pub fn join_strings(self) -> Option<&'a str> {
        let Self(text) = self;
        let mut read = 1;
        let mut written = 0;
        loop {
            read = skip_space(text, read);
            match text.get(read)? {
                b']' => break,
                b',' => read += 1,
                b'"' => {
                    let found = find_string_end(text, read + 1).ok()?;
                    if written > 0 {
                        *text.get_mut(written)? = b' ';
                        written += 1;
                    }
                    let item = text.get_mut(read + 1..found.end)?;
                    let len = if found.escaped { unescape(item) } else { item.len() };
                    if len == 0 || item.get(..len)?.contains(&b' ') {
                        return None;
                    }
                    text.copy_within(read + 1..read + 1 + len, written);
                    written += len;
                    read = found.end + 1;
                }
                _ => return None,
            }
        }
        let joined: &'a [u8] = text;
        core::str::from_utf8(joined.get(..written)?).ok()
    }
}

impl<'a> Nested<'a> {
    /// The members of this object. Offsets of errors count from its own beginning; there will be none, as the text has
    /// been checked.
    ///
    /// # Errors
    ///
    /// As [`Object::open`].
    pub fn open(self) -> Result<Object<'a>, Error> {
        Object::open(self.0)
    }
}

impl fmt::Debug for Nested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nested({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} bytes)", self.0.len())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::ControlCharacter => "a control character inside a string",
            ErrorKind::InvalidEscape => "an invalid escape",
            ErrorKind::InvalidUtf8 => "bytes that are not UTF-8",
            ErrorKind::NotAnObject => "something other than a JSON object",
            ErrorKind::TooDeep => "too many nested values",
            ErrorKind::TrailingData => "more data after the JSON object",
            ErrorKind::UnexpectedEnd => "the end of the text too early",
            ErrorKind::UnexpectedByte => "an unexpected character",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl core::error::Error for Error {}

/// The whole part of a decimal number: below zero is zero, too large is the largest. It may be written with a fraction,
/// an exponent or leading zeros; nothing here uses floating point. `None` if it is no number.
pub fn whole_number(text: &str) -> Option<Whole> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // The decimal point moves by the exponent: so many digits stand before it.
    let point = i64::try_from(whole.len()).ok()?.saturating_add(i64::from(exponent));
    let mut value: u64 = 0;
    let mut rest = false;
    let mut place = 0;
    for b in whole.bytes().chain(fraction.bytes()) {
        if place < point {
            value = value.saturating_mul(10).saturating_add(u64::from(b - b'0'));
        } else {
            rest |= b != b'0';
        }
        place += 1;
    }
    while place < point && value != 0 && value != u64::MAX {
        value = value.saturating_mul(10);
        place += 1;
    }
    Some(Whole { value: if negative { 0 } else { value }, fraction: rest })
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(text: &str, out: &mut Writer<'_>) {
    out.push_byte(b'"');
    for &b in text.as_bytes() {
        match b {
            b'"' | b'\\' => out.push(&[b'\\', b]),
            0..=0x1F => {
                let hex = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
                out.push(b"\\u00");
                out.push(&[hex(b >> 4), hex(b & 15)]);
            }
            _ => out.push_byte(b),
        }
    }
    out.push_byte(b'"');
}

/// The text of the first array that is the value of a member with one of these names, at any depth of `text`. Names
/// with escapes are not recognised. The text is trusted to be JSON; what is no JSON has no such array.
pub fn find_array<'a>(text: &'a [u8], names: &[&str]) -> Option<&'a [u8]> {
    let mut at = 0;
    while let Some(quote) = text.get(at..)?.iter().position(|&b| b == b'"').map(|n| at + n) {
        let end = find_string_end(text, quote + 1).ok()?.end;
        let name = text.get(quote + 1..end)?;
        at = end + 1;
        let colon = skip_space(text, at);
        let value = skip_space(text, colon + 1);
        let is_array = text.get(colon) == Some(&b':') && text.get(value) == Some(&b'[');
        if is_array && names.iter().any(|n| n.as_bytes() == name) {
            return text.get(value..skip_nested(text, value).ok()?);
        }
    }
    None
}

#[inline]
fn skip_space(b: &[u8], mut i: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = b.get(i) {
        i += 1;
    }
    i
}

struct StringEnd {
    /// Where the closing quote stands.
    end: usize,
    escaped: bool,
}

/// Finds the end of the string whose first character stands at `i`, checking characters and escapes on the way.
fn find_string_end(b: &[u8], mut i: usize) -> Result<StringEnd, (ErrorKind, usize)> {
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
fn unescape(s: &mut [u8]) -> usize {
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

fn text(bytes: &mut [u8], offset: usize) -> Result<&str, Error> {
    core::str::from_utf8(bytes)
        .map_err(|e| Error { kind: ErrorKind::InvalidUtf8, offset: offset.saturating_add(e.valid_up_to()) })
}

/// Where the word `true`, `false` or `null` at `i` ends.
fn skip_word(b: &[u8], i: usize) -> Result<usize, (ErrorKind, usize)> {
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
fn skip_number(b: &[u8], mut i: usize) -> Result<usize, (ErrorKind, usize)> {
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
fn digits(b: &[u8], i: usize) -> Result<usize, (ErrorKind, usize)> {
    let run = b.get(i..).unwrap_or_default();
    match run.iter().position(|c| !c.is_ascii_digit()).unwrap_or(run.len()) {
        0 if run.is_empty() => Err((ErrorKind::UnexpectedEnd, i)),
        0 => Err((ErrorKind::UnexpectedByte, i)),
        n => Ok(i + n),
    }
}

/// Where the array or object that begins at `i` ends. What is open is one bit a level: 1 for an object.
fn skip_nested(b: &[u8], mut i: usize) -> Result<usize, (ErrorKind, usize)> {
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
fn skip_name(b: &[u8], i: usize) -> Result<usize, (ErrorKind, usize)> {
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
fn skip_string(b: &[u8], i: usize) -> Result<usize, (ErrorKind, usize)> {
    let found = find_string_end(b, i + 1)?;
    match core::str::from_utf8(b.get(i + 1..found.end).unwrap_or_default()) {
        Ok(_) => Ok(found.end + 1),
        Err(e) => Err((ErrorKind::InvalidUtf8, i + 1 + e.valid_up_to())),
    }
}
