//! The head of a response: its end found in pieces, its fields parsed by `httparse` with more strictness around it.

use super::ErrorKind;
use super::framing::{Body, Fields, Framing};
use crate::class::Class;
use core::fmt;

/// Headers `httparse` is given room for at a time; more are read in further rounds.
const SLOTS: usize = 16;

/// The version of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// What matters of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) version: Version,
    pub(super) framing: Framing,
    /// Its length in bytes.
    pub(super) len: usize,
    /// Where its first field begins.
    pub(super) fields_at: usize,
    pub(super) content_type: Span,
    pub(super) retry_after: Span,
    pub(super) date: Span,
}

/// Where a value stands in the head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

/// The header fields of a checked head, in their order.
#[derive(Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The fields of a head that has been checked.
    pub(super) fn of(head: &Head, bytes: &'a [u8]) -> Self {
        let rest = if head.fields_at == 0 { &[] } else { bytes.get(head.fields_at..).unwrap_or_default() };
        Self { rest }
    }

    /// The values of every field of this name, which is compared without regard to case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.clone().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.rest.iter().position(|&b| b == b'\n')?;
        let (line, rest) = self.rest.split_at_checked(end + 1)?;
        let colon = line.iter().position(|&b| b == b':')?;
        self.rest = rest;
        let name = core::str::from_utf8(line.get(..colon)?).ok()?;
        Some((name, line.get(colon + 1..)?.trim_ascii()))
    }
}

impl fmt::Debug for Headers<'_> {
    /// Names alone: values may be cookies or echo a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|(name, _)| name)).finish()
    }
}

impl Head {
    /// No head yet.
    pub(super) const NONE: Self = Self {
        status: 0,
        version: Version::Http11,
        framing: Framing { body: Body::None, persistent: false },
        len: 0,
        fields_at: 0,
        content_type: Span::NONE,
        retry_after: Span::NONE,
        date: Span::NONE,
    };

    /// Parses a head that may be complete. `Ok(None)` if it is not.
    pub(super) fn parse(bytes: &[u8], answers_head: bool) -> Result<Option<Self>, ErrorKind> {
        if bytes.first() != Some(&b'H') {
            return Err(ErrorKind::StatusLine);
        }
        let mut slots = [httparse::EMPTY_HEADER; SLOTS];
        let mut response = httparse::Response::new(&mut slots);
        let result = response.parse(bytes);
        let (Some(status), Some(version)) = (response.code, response.version) else {
            let partial = matches!(result, Ok(httparse::Status::Partial));
            return if partial { Ok(None) } else { Err(ErrorKind::StatusLine) };
        };
        let version = if version == 0 { Version::Http10 } else { Version::Http11 };
        let mut head = Self { status, version, ..Self::NONE };
        let mut fields = Fields::new(status, answers_head);
        let len = match result {
            Ok(httparse::Status::Complete(len)) => {
                head.take(bytes, response.headers, &mut fields)?;
                len
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                let mut from = next_line(bytes, head.take(bytes, response.headers, &mut fields)?);
                loop {
                    let mut slots = [httparse::EMPTY_HEADER; SLOTS];
                    match httparse::parse_headers(bytes.get(from..).unwrap_or_default(), &mut slots) {
                        Ok(httparse::Status::Complete((len, headers))) => {
                            head.take(bytes, headers, &mut fields)?;
                            break from + len;
                        }
                        Ok(httparse::Status::Partial) => return Ok(None),
                        Err(httparse::Error::TooManyHeaders) => {
                            from = next_line(bytes, head.take(bytes, &slots, &mut fields)?);
                        }
                        Err(_) => return Err(ErrorKind::Header),
                    }
                }
            }
            Err(_) => return Err(ErrorKind::Header),
        };
        if !bytes.get(..len).is_some_and(|head| head.ends_with(b"\r\n\r\n")) {
            return Err(ErrorKind::Header);
        }
        head.len = len;
        head.framing = fields.decide(version)?;
        Ok(Some(head))
    }

    /// Takes over the fields that matter, and checks that the line before each field ends in CRLF, where `httparse` is
    /// content with LF. Returns where the last field begins.
    fn take(
        &mut self,
        bytes: &[u8],
        headers: &[httparse::Header<'_>],
        fields: &mut Fields,
    ) -> Result<usize, ErrorKind> {
        let mut last = 0;
        for header in headers {
            let name = header.name.as_bytes();
            last = offset(bytes, name);
            if !matches!(bytes.get(last.wrapping_sub(2)..last), Some(b"\r\n")) {
                return Err(ErrorKind::Header);
            }
            if self.fields_at == 0 {
                self.fields_at = last;
            }
            let span = || Span { start: offset(bytes, header.value) as u32, len: header.value.len() as u32 };
            // The length tells nearly all names apart, so that most fields cost no comparison.
            match name.len() {
                4 if is(name, b"date") => self.date.set(span()),
                10 if is(name, b"connection") => fields.connection(header.value),
                11 if is(name, b"retry-after") => self.retry_after.set(span()),
                12 if is(name, b"content-type") => self.content_type.set(span()),
                14 if is(name, b"content-length") => fields.content_length(header.value)?,
                17 if is(name, b"transfer-encoding") => fields.transfer_encoding(header.value)?,
                _ => {}
            }
        }
        Ok(last)
    }
}

/// Whether a field's name is this one, written in lower case. Setting one bit makes letters lower and leaves the hyphen;
/// no other byte of a name becomes one of them.
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    name.first_chunk::<N>()
        .is_some_and(|name| name.iter().zip(lower).fold(true, |same, (a, b)| same & (a | 0x20 == *b)))
}

/// Where the line behind the field at `at` begins.
fn next_line(bytes: &[u8], at: usize) -> usize {
    let line = bytes.get(at..).unwrap_or_default();
    at + line.iter().position(|&b| b == b'\n').map_or(line.len(), |end| end + 1)
}

impl Span {
    const NONE: Self = Self { start: 0, len: 0 };

    /// The first field of a name counts.
    fn set(&mut self, span: Self) {
        if self.start == 0 {
            *self = span;
        }
    }

    /// The value; no value stands at the beginning of a head.
    pub(super) fn of(self, head: &[u8]) -> Option<&[u8]> {
        if self.start == 0 {
            return None;
        }
        head.get(self.start as usize..).and_then(|rest| rest.get(..self.len as usize))
    }
}

/// Where `part` stands in `bytes`, of which it is a part.
fn offset(bytes: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize)
}

/// Finds the end of a head that arrives in pieces, and refuses it at the first byte with which it can no longer become
/// one. It lets through exactly what [`Head::parse`] lets through, and replaces obs-fold by spaces (RFC 9112 section
/// 5.2), each byte being looked at once.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    pub(super) at: usize,
    state: Scan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    StatusLine(u8),
    Reason,
    /// Behind the CR of a line; `first` if it is the status line, which cannot be folded.
    LineLf {
        first: bool,
    },
    FieldOrEnd {
        first: bool,
    },
    Name,
    Value,
    EndLf,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self { at: 0, state: Scan::StatusLine(0) }
    }

    /// Looks at the bytes that are new. `Some` is the length of the head.
    pub(super) fn scan(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, (ErrorKind, usize)> {
        while let Some(&b) = bytes.get(self.at) {
            self.state = match (self.state, b) {
                (Scan::StatusLine(i), _) => status_line(i, b).ok_or((ErrorKind::StatusLine, self.at))?,
                (Scan::Reason, b'\r') => Scan::LineLf { first: true },
                (Scan::Reason, _) if Class::TEXT.has(b) => Scan::Reason,
                (Scan::Reason, _) => return Err((ErrorKind::StatusLine, self.at)),
                (Scan::LineLf { first }, b'\n') => Scan::FieldOrEnd { first },
                (Scan::FieldOrEnd { .. }, b'\r') => Scan::EndLf,
                (Scan::FieldOrEnd { first: false }, b' ' | b'\t') => {
                    if let Some(fold) = self.at.checked_sub(2).and_then(|from| bytes.get_mut(from..=self.at)) {
                        fold.fill(b' ');
                    }
                    Scan::Value
                }
                (Scan::FieldOrEnd { .. } | Scan::Name, _) if Class::TOKEN.has(b) => Scan::Name,
                (Scan::Name, b':') => Scan::Value,
                (Scan::Value, b'\r') => Scan::LineLf { first: false },
                (Scan::Value, _) if Class::TEXT.has(b) => Scan::Value,
                (Scan::EndLf, b'\n') => return Ok(Some(self.at + 1)),
                _ => return Err((ErrorKind::Header, self.at)),
            };
            self.at += 1;
        }
        Ok(None)
    }
}

/// `HTTP/1.x` and three digits, byte by byte (RFC 9112 sections 2.3 and 4). The space and the reason may be missing.
fn status_line(i: u8, b: u8) -> Option<Scan> {
    let good = match i {
        0..=6 => b"HTTP/1.".get(usize::from(i)) == Some(&b),
        7 => b == b'0' || b == b'1',
        8 => b == b' ',
        9..=11 => b.is_ascii_digit(),
        _ => match b {
            b' ' => return Some(Scan::Reason),
            b'\r' => return Some(Scan::LineLf { first: true }),
            _ => false,
        },
    };
    good.then_some(Scan::StatusLine(i + 1))
}
