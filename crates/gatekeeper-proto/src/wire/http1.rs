//! One HTTP/1.x response, received in pieces of any size into one buffer (RFC 9112).
//!
//! The head is parsed by `httparse`, and this file adds what that parser leaves open: line ends must be CRLF, framing
//! must be unambiguous, and bytes that can never become a response are refused at the byte that shows it. The body is
//! decoded in place, behind the head. However the bytes are cut, the outcome is the same.
//!
//! Where RFC 9112 lets a recipient choose between repairing and refusing, this one refuses, because a doubtful answer
//! to a token request is worth nothing: bare LF, bare CR, both lengths, codings other than `chunked`. Only what a user
//! agent MUST accept is accepted, obs-fold included (section 5.2).

use super::chunked::{Decoder, is_text};
use crate::value::is_token_byte;
use core::fmt;

/// The most 1xx answers before the final one.
const MAX_INFORMATIONAL: u8 = 100;

/// Headers `httparse` is given room for at a time; more are read in further rounds.
const SLOTS: usize = 16;

/// Reads one response. It holds no bytes itself: every call is given the same buffer.
#[derive(Clone, Debug)]
pub struct Receiver {
    state: State,
    answers_head: bool,
    informational: u8,
    scanner: Scanner,
    head: Head,
    /// Where the head ends and the body begins.
    head_end: usize,
    /// Where the received head bytes, later the decoded body, end.
    filled: usize,
    /// Bytes that belong to this answer, 1xx included.
    consumed: usize,
    surplus: bool,
}

/// What the peer sent is no HTTP/1.x response, or not one that can be trusted, or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where, in bytes from the beginning of what was received.
    pub offset: usize,
}

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorKind {
    /// A chunk that breaks the grammar (RFC 9112 section 7.1).
    Chunk,
    /// The connection was closed before the response was complete (section 8).
    Closed,
    /// A `Content-Length` that is not one number (section 6.3 item 5).
    ContentLength,
    /// A header field that breaks the grammar (section 5).
    Header,
    /// Both `Content-Length` and `Transfer-Encoding`, or the latter in HTTP/1.0 (sections 6.1 and 6.3).
    Framing,
    /// A first line that breaks the grammar (section 4), or a version other than 1.0 and 1.1.
    StatusLine,
    /// Too many 1xx answers.
    TooManyInformational,
    /// The buffer is too small for this response.
    TooLarge {
        /// At least this many bytes are needed; exactly this many where the peer announced a length.
        needed: usize,
    },
    /// A transfer coding other than `chunked`, which nobody asked for (section 6.1).
    TransferEncoding,
    /// 101, although no upgrade was asked for (RFC 9110 section 15.2.2).
    Upgrade,
}

/// How far the exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Progress {
    /// The response is complete.
    Complete,
    /// Nothing is wrong; more bytes are needed.
    NeedMore,
}

/// The version of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A complete response, lent from the buffer.
pub struct Response<'a> {
    /// The status code, 100 to 999 as the grammar has it; above 599 is to be treated as 5xx (RFC 9110 section 15).
    pub status: u16,
    /// The version.
    pub version: Version,
    /// The header fields.
    pub headers: Headers<'a>,
    /// The body without its transfer coding. The caller may change it, to unescape in place.
    pub body: &'a mut [u8],
}

/// The header fields of a checked head, in their order.
#[derive(Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length,
    Chunked,
    UntilClose,
    Complete,
    Failed(Error),
}

#[derive(Clone, Debug)]
struct Head {
    status: u16,
    version: Version,
    /// Whether the connection may be used again as far as the head says.
    persistent: bool,
    /// Length of the body, for `State::Length`.
    length: usize,
    decoder: Decoder,
}

impl Receiver {
    /// A receiver of the answer to a request; an answer to `HEAD` has no body whatever it says (RFC 9112 section 6.3).
    pub const fn new(answers_head: bool) -> Self {
        Self {
            state: State::Head,
            answers_head,
            informational: 0,
            scanner: Scanner::new(),
            head: Head { status: 0, version: Version::Http11, persistent: true, length: 0, decoder: Decoder::new() },
            head_end: 0,
            filled: 0,
            consumed: 0,
            surplus: false,
        }
    }

    /// Where the next bytes are to be put. Empty once the response is complete or has failed.
    pub fn space<'b>(&self, buf: &'b mut [u8]) -> &'b mut [u8] {
        match self.state {
            State::Complete | State::Failed(_) => &mut [],
            _ => buf.get_mut(self.filled..).unwrap_or_default(),
        }
    }

    /// Takes note of `n` bytes that were put into [`space`](Self::space).
    ///
    /// # Errors
    ///
    /// [`Error`], and the same again at every later call.
    pub fn received(&mut self, buf: &mut [u8], n: usize) -> Result<Progress, Error> {
        let end = self.filled.saturating_add(n).min(buf.len());
        self.advance(buf, end).inspect_err(|e| self.state = State::Failed(*e))
    }

    /// Takes note that the peer has closed its side.
    ///
    /// Over TLS this means a `close_notify`; without it the response may have been cut short by anybody, and the
    /// exchange has failed (RFC 9112 section 9.8).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the response is not complete.
    pub fn closed(&mut self) -> Result<Progress, Error> {
        match self.state {
            State::Complete => Ok(Progress::Complete),
            State::UntilClose => {
                self.state = State::Complete;
                Ok(Progress::Complete)
            }
            State::Failed(e) => Err(e),
            State::Head | State::Length | State::Chunked => {
                let e = Error { kind: ErrorKind::Closed, offset: self.consumed };
                self.state = State::Failed(e);
                Err(e)
            }
        }
    }

    /// The response, once it is complete.
    pub fn response<'b>(&self, buf: &'b mut [u8]) -> Option<Response<'b>> {
        if self.state != State::Complete {
            return None;
        }
        let (head, body) = buf.get_mut(..self.filled)?.split_at_mut_checked(self.head_end)?;
        Some(Response { status: self.head.status, version: self.head.version, headers: Headers::of_head(head), body })
    }

    /// How many of the received bytes belong to this answer, 1xx answers included.
    pub const fn consumed(&self) -> usize {
        self.consumed
    }

    /// Whether the connection may carry another request after this response (RFC 9112 section 9.3). It must not if
    /// [`has_surplus`](Self::has_surplus).
    pub fn is_reusable(&self) -> bool {
        self.state == State::Complete && self.head.persistent
    }

    /// Whether bytes came behind the response. They belong to no answer (RFC 9112 section 6.3): nothing may be read
    /// from this connection any more.
    pub const fn has_surplus(&self) -> bool {
        self.surplus
    }

    fn advance(&mut self, buf: &mut [u8], mut end: usize) -> Result<Progress, Error> {
        while self.state == State::Head {
            let Some((head, len)) = self.read_head(buf.get_mut(..end).unwrap_or_default())? else {
                self.filled = end;
                break;
            };
            self.consumed += len;
            if matches!(head.status, 100..=199) {
                self.count_informational(head.status)?;
                buf.copy_within(len..end, 0);
                end -= len;
                self.filled = 0;
                continue;
            }
            self.head = head;
            self.head_end = len;
            self.filled = len;
            self.state = self.framing(buf.get(..len).unwrap_or_default())?;
            if self.state == State::Complete {
                self.surplus = end > len;
            }
        }
        match self.state {
            State::Head | State::Complete => {}
            State::Length => self.take_length(buf, end)?,
            State::Chunked => self.take_chunks(buf, end)?,
            State::UntilClose => {
                self.consumed += end - self.filled;
                self.filled = end;
            }
            State::Failed(e) => return Err(e),
        }
        self.more(buf)
    }

    /// A 1xx is not the answer; any number of them may come before it (RFC 9110 section 15.2), up to a bound.
    fn count_informational(&mut self, status: u16) -> Result<(), Error> {
        if status == 101 {
            return Err(self.error(ErrorKind::Upgrade, 0));
        }
        if self.informational == MAX_INFORMATIONAL {
            return Err(self.error(ErrorKind::TooManyInformational, 0));
        }
        self.informational += 1;
        self.scanner = Scanner::new();
        Ok(())
    }

    fn take_length(&mut self, buf: &[u8], end: usize) -> Result<(), Error> {
        let needed = self.head_end.saturating_add(self.head.length);
        if needed > buf.len() {
            return Err(self.error(ErrorKind::TooLarge { needed }, 0));
        }
        let taken = end.min(needed);
        self.consumed += taken - self.filled;
        self.filled = taken;
        if taken == needed {
            self.state = State::Complete;
            self.surplus = end > taken;
        }
        Ok(())
    }

    fn take_chunks(&mut self, buf: &mut [u8], end: usize) -> Result<(), Error> {
        let bytes = buf.get_mut(self.filled..end).unwrap_or_default();
        let available = bytes.len();
        let done = match self.head.decoder.decode(bytes) {
            Ok(done) => done,
            Err(broken) if broken.too_long => {
                return Err(self.error(ErrorKind::TooLarge { needed: buf.len().saturating_add(1) }, broken.at));
            }
            Err(broken) => return Err(self.error(ErrorKind::Chunk, broken.at)),
        };
        self.consumed += done.read;
        self.filled += done.written;
        if self.head.decoder.is_finished() {
            self.state = State::Complete;
            self.surplus = done.read < available;
        }
        let announced = usize::try_from(self.head.decoder.announced()).unwrap_or(usize::MAX);
        let needed = self.filled.saturating_add(announced);
        if needed > buf.len() {
            return Err(self.error(ErrorKind::TooLarge { needed: needed.saturating_add(1) }, 0));
        }
        Ok(())
    }

    /// What to say while the response is or is not complete: without a byte of room it never will be.
    fn more(&self, buf: &[u8]) -> Result<Progress, Error> {
        if self.state == State::Complete {
            return Ok(Progress::Complete);
        }
        if self.filled >= buf.len() {
            return Err(self.error(ErrorKind::TooLarge { needed: buf.len().saturating_add(1) }, 0));
        }
        Ok(Progress::NeedMore)
    }

    fn error(&self, kind: ErrorKind, at: usize) -> Error {
        Error { kind, offset: self.consumed.saturating_add(at) }
    }

    /// Reads the head at the beginning of `bytes`: itself and its length, or `None` if it is not all there yet.
    fn read_head(&mut self, bytes: &mut [u8]) -> Result<Option<(Head, usize)>, Error> {
        // A head that comes in one piece, as most do, needs no scan.
        if self.scanner.at == 0 {
            if let Ok(Some(found)) = parse_head(bytes) {
                return Ok(Some(found));
            }
        }
        match self.scanner.scan(bytes) {
            Ok(None) => Ok(None),
            Ok(Some(len)) => match parse_head(bytes.get(..len).unwrap_or_default()) {
                Ok(Some(found)) => Ok(Some(found)),
                Ok(None) => Err(self.error(ErrorKind::Header, len)),
                Err(kind) => Err(self.error(kind, len)),
            },
            Err((kind, at)) => Err(self.error(kind, at)),
        }
    }

    /// How the body's end is found (RFC 9112 section 6.3).
    fn framing(&mut self, head: &[u8]) -> Result<State, Error> {
        let mut length = None;
        let mut coded = false;
        let mut chunked = false;
        let mut close = false;
        let mut keep_alive = false;
        for (name, value) in Headers::of_head(head) {
            if name.eq_ignore_ascii_case("content-length") {
                for number in list(value) {
                    let number = content_length(number).ok_or(self.error(ErrorKind::ContentLength, 0))?;
                    if length.is_some_and(|other| other != number) {
                        return Err(self.error(ErrorKind::ContentLength, 0));
                    }
                    length = Some(number);
                }
                if length.is_none() {
                    return Err(self.error(ErrorKind::ContentLength, 0));
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                coded = true;
                for coding in list(value).filter(|c| !c.is_empty()) {
                    if chunked || !coding.eq_ignore_ascii_case(b"chunked") {
                        return Err(self.error(ErrorKind::TransferEncoding, 0));
                    }
                    chunked = true;
                }
            } else if name.eq_ignore_ascii_case("connection") {
                close |= list(value).any(|option| option.eq_ignore_ascii_case(b"close"));
                keep_alive |= list(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
            }
        }
        self.head.persistent = !close && (self.head.version == Version::Http11 || keep_alive);
        if self.answers_head || matches!(self.head.status, 204 | 304) {
            return Ok(State::Complete);
        }
        if coded && (length.is_some() || self.head.version == Version::Http10) {
            return Err(self.error(ErrorKind::Framing, 0));
        }
        match (chunked, length) {
            (true, _) => Ok(State::Chunked),
            (false, _) if coded => Err(self.error(ErrorKind::TransferEncoding, 0)),
            (false, Some(length)) => {
                self.head.length = length;
                Ok(State::Length)
            }
            (false, None) => {
                self.head.persistent = false;
                Ok(State::UntilClose)
            }
        }
    }
}

impl<'a> Headers<'a> {
    /// The fields of a head that has been checked: everything behind its first line.
    fn of_head(head: &'a [u8]) -> Self {
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

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::Chunk => "a broken chunk",
            ErrorKind::Closed => "the connection was closed before the response was complete",
            ErrorKind::ContentLength => "an invalid Content-Length",
            ErrorKind::Header => "a broken header field",
            ErrorKind::Framing => "contradicting lengths",
            ErrorKind::StatusLine => "no HTTP/1.x status line",
            ErrorKind::TooManyInformational => "too many 1xx responses",
            ErrorKind::TooLarge { needed } => {
                return write!(f, "the response is too large: at least {needed} bytes of room are needed");
            }
            ErrorKind::TransferEncoding => "an unknown transfer coding",
            ErrorKind::Upgrade => "a change of protocol nobody asked for",
        };
        write!(f, "{what} (at byte {})", self.offset)
    }
}

impl core::error::Error for Error {}

/// Parses a head that may be complete. `Ok(None)` if it is not.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, ErrorKind> {
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
    Ok(Some((Head { status, version, persistent: false, length: 0, decoder: Decoder::new() }, len)))
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

/// The elements of a comma-separated list, without the blanks around them.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii)
}

fn content_length(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    let mut n: usize = 0;
    for &b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(usize::from(b - b'0'))?;
    }
    Some(n)
}

/// Finds the end of a head that arrives in pieces, and refuses it at the first byte with which it can no longer become
/// one. It lets through exactly what [`parse_head`] lets through, and replaces obs-fold by spaces (RFC 9112 section
/// 5.2), each byte being looked at once.
#[derive(Clone, Debug)]
struct Scanner {
    at: usize,
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
    const fn new() -> Self {
        Self { at: 0, state: Scan::StatusLine(0) }
    }

    /// Looks at the bytes that are new. `Some` is the length of the head.
    fn scan(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, (ErrorKind, usize)> {
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
