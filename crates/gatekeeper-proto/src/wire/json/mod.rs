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

use self::scan::{Broken, StringEnd, find_string_end, skip_nested, skip_number, skip_space, skip_word, unescape};
use crate::class::Class;
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
    Number(Text<'a>),
    /// An object, whose text has been checked.
    Object(Nested<'a>),
    /// A string, without its escapes.
    String(Text<'a>),
}

/// A string's text, or a number's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// UTF-8: ASCII if `visible`, checked when it was read if not.
    bytes: &'a [u8],
    visible: bool,
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

    /// The next member's name, which is UTF-8, and its value. `None` says that the object ended and nothing but space
    /// follows, so only then has the whole text been found good.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is wrong and where. Members already returned were well-formed themselves.
    #[allow(clippy::should_implement_trait, reason = "the items borrow from the text and errors end the walk")]
    pub fn next(&mut self) -> Result<Option<(&'a [u8], Value<'a>)>, Error> {
        if self.next == Next::Finished {
            return Ok(None);
        }
        match self.member() {
            Ok(Some(found)) => self.take(&found).map(Some),
            Ok(None) => Ok(None),
            Err((kind, at)) => Err(Error { kind, offset: self.offset().saturating_add(at) }),
        }
    }

    /// Finds the next member in the rest of the text and what follows it.
    #[inline]
    fn member(&mut self) -> Result<Option<Found>, Broken> {
        let b: &[u8] = self.rest;
        let quote = skip_space(b, 0);
        match b.get(quote) {
            Some(b'"') => {}
            Some(b'}') if self.next == Next::MemberOrEnd => {
                self.next = Next::Finished;
                return nothing_after(b, quote + 1).map(|()| None);
            }
            other => return Err(unexpected(other, quote)),
        }
        let name = find_string_end(b, quote + 1)?;
        let colon = skip_space(b, name.end + 1);
        if b.get(colon) != Some(&b':') {
            return Err(unexpected(b.get(colon), colon));
        }
        let value_at = skip_space(b, colon + 1);
        let mut string = StringEnd { end: 0, escaped: false, visible: true };
        let first = b.get(value_at).copied().unwrap_or_default();
        let value_end = match first {
            b'"' => {
                string = find_string_end(b, value_at + 1)?;
                string.end + 1
            }
            b'{' | b'[' => skip_nested(b, value_at)?,
            b't' | b'f' | b'n' => skip_word(b, value_at)?,
            _ => skip_number(b, value_at)?,
        };
        let after = skip_space(b, value_end);
        match b.get(after) {
            Some(b',') => self.next = Next::Member,
            Some(b'}') => {
                nothing_after(b, after + 1)?;
                self.next = Next::Finished;
            }
            other => return Err(unexpected(other, after)),
        }
        Ok(Some(Found { quote, name, value_at, first, string, value_end, end: after + 1 }))
    }

    /// Cuts a member out of the rest of the text.
    #[inline]
    fn take(&mut self, found: &Found) -> Result<(&'a [u8], Value<'a>), Error> {
        let begin = self.offset();
        let (member, tail) = mem::take(&mut self.rest).split_at_mut_checked(found.end).unwrap_or_default();
        self.rest = tail;
        let (name, value) = member.split_at_mut_checked(found.value_at).unwrap_or_default();
        let name = name.get_mut(found.quote + 1..found.name.end).unwrap_or_default();
        let name = resolved(name, &found.name, begin + found.quote + 1)?.bytes;
        let text = value.get_mut(..found.value_end - found.value_at).unwrap_or_default();
        let value = match found.first {
            b'"' => {
                let text = text.get_mut(1..found.string.end - found.value_at).unwrap_or_default();
                Value::String(resolved(text, &found.string, begin + found.value_at + 1)?)
            }
            b'{' => Value::Object(Nested(text)),
            b'[' => Value::Array(Array(text)),
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'n' => Value::Null,
            _ => Value::Number(Text { bytes: text, visible: true }),
        };
        Ok((name, value))
    }

    fn offset(&self) -> usize {
        self.total.saturating_sub(self.rest.len())
    }
}

/// A member and where its pieces stand in the text.
struct Found {
    quote: usize,
    name: StringEnd,
    value_at: usize,
    /// The value's first byte, which tells what it is.
    first: u8,
    /// The value, if it is a string.
    string: StringEnd,
    value_end: usize,
    /// Behind the comma or brace that follows.
    end: usize,
}

/// The text of a string, its escapes resolved in place.
#[inline]
fn resolved<'a>(bytes: &'a mut [u8], string: &StringEnd, offset: usize) -> Result<Text<'a>, Error> {
    if string.visible {
        return Ok(Text { bytes, visible: true });
    }
    let len = if string.escaped { unescape(bytes) } else { bytes.len() };
    let bytes: &'a [u8] = bytes;
    let bytes = bytes.get(..len).unwrap_or_default();
    match core::str::from_utf8(bytes) {
        Ok(_) => Ok(Text { bytes, visible: false }),
        Err(e) => Err(Error { kind: ErrorKind::InvalidUtf8, offset: offset.saturating_add(e.valid_up_to()) }),
    }
}

fn nothing_after(b: &[u8], i: usize) -> Result<(), Broken> {
    let end = skip_space(b, i);
    if end == b.len() { Ok(()) } else { Err((ErrorKind::TrailingData, end)) }
}

fn unexpected(byte: Option<&u8>, at: usize) -> Broken {
    (if byte.is_some() { ErrorKind::UnexpectedByte } else { ErrorKind::UnexpectedEnd }, at)
}

impl<'a> Text<'a> {
    /// The text.
    pub fn as_str(&self) -> &'a str {
        core::str::from_utf8(self.bytes).unwrap_or_default()
    }

    /// Whether there is no text.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The text's bytes, without any cost.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it is known to consist of `%x21-7E` alone, so that it can stand in a header. Nearly every token does; one
    /// with an escape may without this knowing.
    pub(crate) const fn is_visible(&self) -> bool {
        self.visible
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

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.bytes.len())
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
pub fn whole_number(text: &[u8]) -> Option<Whole> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (whole, rest) = text.split_at_checked(Class::DIGIT.run_end(text, 0))?;
    if whole.is_empty() {
        return None;
    }
    // So many digits always fit, and a plain number has no more.
    if rest.is_empty() && whole.len() < 20 {
        let value = whole.iter().fold(0u64, |n, b| n.wrapping_mul(10).wrapping_add(u64::from(b - b'0')));
        return Some(Whole { value: if negative { 0 } else { value }, fraction: false });
    }
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => {
            rest.split_at_checked(Class::DIGIT.run_end(rest, 0)).filter(|(digits, _)| !digits.is_empty())?
        }
        _ => (&[][..], rest),
    };
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', digits @ ..] => core::str::from_utf8(digits).ok()?.parse::<i32>().ok()?,
        _ => return None,
    };
    // The decimal point moves by the exponent: so many digits stand before it.
    let point = i64::try_from(whole.len()).ok()?.saturating_add(i64::from(exponent));
    let mut value: u64 = 0;
    let mut rest = false;
    let mut place = 0;
    for &b in whole.iter().chain(fraction) {
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
