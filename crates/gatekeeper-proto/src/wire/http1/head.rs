//! The head of a response: its end found in pieces, its fields parsed by `httparse` with more strictness around it.

use super::ErrorKind;
use crate::value::is_token_byte;
use crate::wire::chunked::is_text;
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

/// What the first line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusLine {
    pub(super) status: u16,
    pub(super) version: Version,
}

/// The header fields of a checked head, in their order.
#[derive(Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The fields of a head that has been checked: everything behind its first line.
    pub(super) fn of_head(head: &'a [u8]) -> Self {
        let first = head.iter().position(|&b| b == b'\n').map_or(head.len(), |at| at + 1);
        Self { rest: head.get(first..).unwrap_or_default() }
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

/// Parses a head that may be complete. `Ok(None)` if it is not.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<(StatusLine, usize)>, ErrorKind> {
    if bytes.first() != Some(&b'H') {
        return Err(ErrorKind::StatusLine);
    }
    let mut slots = [httparse::EMPTY_HEADER; SLOTS];
    let mut response = httparse::Response::new(&mut slots);
    let result = response.parse(bytes);
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return if matches!(result, Ok(httparse::Status::Partial)) { Ok(None) } else { Err(ErrorKind::StatusLine) };
    };
    let len = match result {
        Ok(httparse::Status::Complete(len)) => {
            check_line_ends(bytes, response.headers)?;
            len
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            let mut from = check_line_ends(bytes, response.headers)?;
            loop {
                let rest = bytes.get(from..).unwrap_or_default();
                let mut slots = [httparse::EMPTY_HEADER; SLOTS];
                match httparse::parse_headers(rest, &mut slots) {
                    Ok(httparse::Status::Complete((len, headers))) => {
                        check_line_ends(bytes, headers)?;
                        break from + len;
                    }
                    Ok(httparse::Status::Partial) => return Ok(None),
                    Err(httparse::Error::TooManyHeaders) => from = check_line_ends(bytes, &slots)?,
                    Err(_) => return Err(ErrorKind::Header),
                }
            }
        }
        Err(_) => return Err(ErrorKind::Header),
    };
    if !bytes.get(..len).is_some_and(|head| head.ends_with(b"\r\n\r\n")) {
        return Err(ErrorKind::Header);
    }
    let version = if version == 0 { Version::Http10 } else { Version::Http11 };
    Ok(Some((StatusLine { status, version }, len)))
}

/// Checks that the line before each field ends in CRLF, where `httparse` is content with LF. Returns where the line
/// behind the last field begins.
fn check_line_ends(bytes: &[u8], headers: &[httparse::Header<'_>]) -> Result<usize, ErrorKind> {
    let mut last = 0;
    for header in headers {
        let at = (header.name.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
        if !bytes.get(..at).is_some_and(|before| before.ends_with(b"\r\n")) {
            return Err(ErrorKind::Header);
        }
        last = at;
    }
    let line = bytes.get(last..).unwrap_or_default();
    Ok(last + line.iter().position(|&b| b == b'\n').map_or(line.len(), |at| at + 1))
}

/// Finds the end of a head that arrives in pieces, and refuses it at the first byte with which it can no longer become
/// one. It lets through exactly what [`parse_head`] lets through, and replaces obs-fold by spaces (RFC 9112 section
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
                (Scan::Reason, _) if is_text(b) => Scan::Reason,
                (Scan::Reason, _) => return Err((ErrorKind::StatusLine, self.at)),
                (Scan::LineLf { first }, b'\n') => Scan::FieldOrEnd { first },
                (Scan::FieldOrEnd { .. }, b'\r') => Scan::EndLf,
                (Scan::FieldOrEnd { first: false }, b' ' | b'\t') => {
                    if let Some(fold) = self.at.checked_sub(2).and_then(|from| bytes.get_mut(from..=self.at)) {
                        fold.fill(b' ');
                    }
                    Scan::Value
                }
                (Scan::FieldOrEnd { .. } | Scan::Name, _) if is_token_byte(b) => Scan::Name,
                (Scan::Name, b':') => Scan::Value,
                (Scan::Value, b'\r') => Scan::LineLf { first: false },
                (Scan::Value, _) if is_text(b) => Scan::Value,
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
