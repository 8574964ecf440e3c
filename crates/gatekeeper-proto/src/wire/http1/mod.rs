//! One HTTP/1.x response, received in pieces of any size into one buffer (RFC 9112).
//!
//! The head is parsed by `httparse`, and this file adds what that parser leaves open: line ends must be CRLF, framing
//! must be unambiguous, and bytes that can never become a response are refused at the byte that shows it. The body is
//! decoded in place, behind the head. However the bytes are cut, the outcome is the same.
//!
//! Where RFC 9112 lets a recipient choose between repairing and refusing, this one refuses, because a doubtful answer
//! to a token request is worth nothing: bare LF, bare CR, both lengths, codings other than `chunked`. Only what a user
//! agent MUST accept is accepted, obs-fold included (section 5.2).

mod framing;
mod head;

pub use self::head::{Headers, Version};

use self::framing::Body;
use self::head::{Head, Scanner};
use super::chunked::Decoder;
use core::fmt;

/// The most 1xx answers before the final one.
const MAX_INFORMATIONAL: u8 = 100;

/// Reads one response. It holds no bytes itself: every call is given the same buffer.
#[derive(Clone, Debug)]
pub struct Receiver {
    state: State,
    answers_head: bool,
    informational: u8,
    scanner: Scanner,
    head: Head,
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

/// A complete response, lent from the buffer.
pub struct Response<'a> {
    /// The status code, 100 to 999 as the grammar has it; above 599 is to be treated as 5xx (RFC 9110 section 15).
    pub status: u16,
    /// The version.
    pub version: Version,
    /// The header fields.
    pub headers: Headers<'a>,
    /// The first `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// The first `Retry-After`.
    pub retry_after: Option<&'a [u8]>,
    /// The first `Date`.
    pub date: Option<&'a [u8]>,
    /// The body without its transfer coding. The caller may change it, to unescape in place.
    pub body: &'a mut [u8],
}

#[derive(Clone, Debug)]
enum State {
    Head,
    /// The body ends so far from the beginning of the buffer.
    Length(usize),
    Chunked(Decoder),
    UntilClose,
    Complete,
    Failed(Error),
}

impl Receiver {
    /// A receiver of the answer to a request; an answer to `HEAD` has no body whatever it says (RFC 9112 section 6.3).
    pub const fn new(answers_head: bool) -> Self {
        Self {
            state: State::Head,
            answers_head,
            informational: 0,
            scanner: Scanner::new(),
            head: Head::NONE,
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
            State::Head | State::Length(_) | State::Chunked(_) => {
                let e = Error { kind: ErrorKind::Closed, offset: self.consumed };
                self.state = State::Failed(e);
                Err(e)
            }
        }
    }

    /// The response, once it is complete.
    pub fn response<'b>(&self, buf: &'b mut [u8]) -> Option<Response<'b>> {
        if !self.is_complete() {
            return None;
        }
        let (head, body) = buf.get_mut(..self.filled)?.split_at_mut_checked(self.head.len)?;
        let head: &'b [u8] = head;
        Some(Response {
            status: self.head.status,
            version: self.head.version,
            headers: Headers::of(&self.head, head),
            content_type: self.head.content_type.of(head),
            retry_after: self.head.retry_after.of(head),
            date: self.head.date.of(head),
            body,
        })
    }

    /// How many of the received bytes belong to this answer, 1xx answers included.
    pub const fn consumed(&self) -> usize {
        self.consumed
    }

    /// Whether the connection may carry another request after this response (RFC 9112 section 9.3). It must not if
    /// [`has_surplus`](Self::has_surplus).
    pub fn is_reusable(&self) -> bool {
        self.is_complete() && self.head.framing.persistent
    }

    /// Whether bytes came behind the response. They belong to no answer (RFC 9112 section 6.3): nothing may be read
    /// from this connection any more.
    pub const fn has_surplus(&self) -> bool {
        self.surplus
    }

    fn advance(&mut self, buf: &mut [u8], mut end: usize) -> Result<Progress, Error> {
        while let State::Head = self.state {
            let Some(head) = self.read_head(buf.get_mut(..end).unwrap_or_default())? else {
                self.filled = end;
                break;
            };
            self.consumed += head.len;
            if matches!(head.status, 100..=199) {
                self.count_informational(head.status)?;
                buf.copy_within(head.len..end, 0);
                end -= head.len;
                self.filled = 0;
                continue;
            }
            self.head = head;
            self.filled = head.len;
            self.state = match head.framing.body {
                Body::None => State::Length(head.len),
                Body::Length(length) => State::Length(head.len.saturating_add(length)),
                Body::Chunked => State::Chunked(Decoder::new()),
                Body::UntilClose => State::UntilClose,
            };
        }
        match self.state {
            State::Head | State::Complete => {}
            State::Length(body_end) => self.take_length(buf, end, body_end)?,
            State::Chunked(_) => self.take_chunks(buf, end)?,
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

    fn take_length(&mut self, buf: &[u8], end: usize, body_end: usize) -> Result<(), Error> {
        if body_end > buf.len() {
            return Err(self.error(ErrorKind::TooLarge { needed: body_end }, 0));
        }
        let taken = end.min(body_end);
        self.consumed += taken - self.filled;
        self.filled = taken;
        if taken == body_end {
            self.state = State::Complete;
            self.surplus = end > taken;
        }
        Ok(())
    }

    fn take_chunks(&mut self, buf: &mut [u8], end: usize) -> Result<(), Error> {
        let State::Chunked(decoder) = &mut self.state else { return Ok(()) };
        let bytes = buf.get_mut(self.filled..end).unwrap_or_default();
        let available = bytes.len();
        let decoded = decoder.decode(bytes);
        let announced = usize::try_from(decoder.announced()).unwrap_or(usize::MAX);
        let finished = decoder.is_finished();
        let done = decoded.map_err(|broken| {
            let more = ErrorKind::TooLarge { needed: buf.len().saturating_add(1) };
            self.error(if broken.too_long { more } else { ErrorKind::Chunk }, broken.at)
        })?;
        self.consumed += done.read;
        self.filled += done.written;
        if finished {
            self.state = State::Complete;
            self.surplus = done.read < available;
        }
        let needed = self.filled.saturating_add(announced);
        if needed > buf.len() {
            return Err(self.error(ErrorKind::TooLarge { needed: needed.saturating_add(1) }, 0));
        }
        Ok(())
    }

    /// What to say while the response is or is not complete: without a byte of room it never will be.
    fn more(&self, buf: &[u8]) -> Result<Progress, Error> {
        if self.is_complete() {
            return Ok(Progress::Complete);
        }
        if self.filled >= buf.len() {
            return Err(self.error(ErrorKind::TooLarge { needed: buf.len().saturating_add(1) }, 0));
        }
        Ok(Progress::NeedMore)
    }

    fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    fn error(&self, kind: ErrorKind, at: usize) -> Error {
        Error { kind, offset: self.consumed.saturating_add(at) }
    }

    /// Reads the head at the beginning of `bytes`, or `None` if it is not all there yet.
    fn read_head(&mut self, bytes: &mut [u8]) -> Result<Option<Head>, Error> {
        // A head that comes in one piece, as most do, needs no scan.
        if self.scanner.at == 0 {
            if let Ok(Some(head)) = Head::parse(bytes, self.answers_head) {
                return Ok(Some(head));
            }
        }
        match self.scanner.scan(bytes) {
            Ok(None) => Ok(None),
            Ok(Some(len)) => match Head::parse(bytes.get(..len).unwrap_or_default(), self.answers_head) {
                Ok(Some(head)) => Ok(Some(head)),
                Ok(None) => Err(self.error(ErrorKind::Header, len)),
                Err(kind) => Err(self.error(kind, len)),
            },
            Err((kind, at)) => Err(self.error(kind, at)),
        }
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
