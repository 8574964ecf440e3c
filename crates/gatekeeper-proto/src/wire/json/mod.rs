//! One flat JSON object (RFC 8259), read in place.
//!
//! An OAuth answer is one object whose members are strings and numbers. This reader walks its members once, in order.
//! Strings are unescaped inside the caller's buffer and lent from there. Nested arrays and objects are checked to the
//! letter and skipped. There is no recursion and no allocation; time is linear in the input, and state is a few words.
//!
//! Whatever it accepts, `serde_json` accepts with the same meaning (tests and a fuzz target hold it to that). It is
//! stricter in three points: the text must be UTF-8 everywhere, a surrogate must be half of a pair also where the
//! string is skipped, and nesting deeper than [`MAX_DEPTH`] is refused.

mod scan;

use self::scan::{Broken, find_string_end, skip_nested, skip_number, skip_space, skip_word, unescape};
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

    fn checked(&self, skip: impl Fn(&[u8], usize) -> Result<usize, Broken>) -> Result<usize, Error> {
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

fn text(bytes: &mut [u8], offset: usize) -> Result<&str, Error> {
    core::str::from_utf8(bytes)
        .map_err(|e| Error { kind: ErrorKind::InvalidUtf8, offset: offset.saturating_add(e.valid_up_to()) })
}
