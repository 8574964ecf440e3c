//! What can go wrong on the way, as data.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::answer::Answer;
use crate::clock::http_date;

/// One departure from a healthy answer to one request.
///
/// A fault has three sides, each with a default that changes nothing: *what* is said, how it is
/// *framed* as HTTP/1.1, and how it is *delivered*. Constructors choose the first, the other
/// methods add to it, so that faults combine:
///
/// ```
/// use gatekeeper_testkit::{At, Ending, Fault, Framing};
/// use std::time::Duration;
///
/// // The true answer in chunks of 7 bytes, one byte every 20 ms.
/// let slow = Fault::none().framed(Framing::Chunked { size: 7 }).drip(1, Duration::from_millis(20));
/// // 503 after a second, cut off by a TCP reset inside the body.
/// let rude = Fault::status(503).delay(Duration::from_secs(1)).cut(At::MidBody, Ending::Reset);
/// # let _ = (slow, rude);
/// ```
///
/// **Effects.** If the fault keeps the true answer (made from [`Fault::none`]), the request is
/// carried out: a token is issued, a refresh token is used up, even if the client never gets to see
/// the answer. If the fault says something else, the request is read and recorded, but not carried
/// out.
#[derive(Clone, Default)]
pub struct Fault {
    pub(crate) says: Says,
    pub(crate) gate: Option<Gate>,
    pub(crate) delay: Option<Duration>,
    pub(crate) head_filler: usize,
    pub(crate) more_fields: usize,
    pub(crate) body_filler: usize,
    pub(crate) framing: Framing,
    pub(crate) drip: Option<(usize, Duration)>,
    pub(crate) stop: Option<(At, Stop)>,
    pub(crate) half_close: bool,
}

#[derive(Clone, Default)]
pub(crate) enum Says {
    /// What a healthy server says.
    #[default]
    Truth,
    /// The system's usual body for this status.
    Status(u16, Option<RetryAfter>),
    /// What the API says to a token it does not accept.
    Unauthorized,
    Answer(Answer),
    Raw(Vec<u8>),
    Endless(Endless),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    Cut(Ending),
    Stall,
}

/// How the body is delimited, or fails to be (RFC 9112, sections 6 and 7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// A right `Content-Length`.
    #[default]
    Length,
    /// A `Content-Length` this much more than is sent; the connection is then closed, unless the
    /// fault [stalls](Fault::stall).
    LengthTooLong(usize),
    /// A `Content-Length` this much less than is sent (at least 0); the connection stays open.
    LengthTooShort(usize),
    /// Two fields `Content-Length` that differ by one.
    TwoLengths,
    /// A `Content-Length` with this value, for instance `-1` or `12, 13`; then closed.
    BadLength(String),
    /// Both `Content-Length` and `Transfer-Encoding: chunked`; the body is chunked.
    LengthAndChunked,
    /// Chunks of that many bytes (at least 1).
    Chunked {
        /// Bytes in each but the last chunk.
        size: usize,
    },
    /// As `Chunked`, with chunk extensions, a quoted one with a CR LF look-alike among them.
    ChunkedExtensions {
        /// Bytes in each but the last chunk.
        size: usize,
    },
    /// As `Chunked`, with a trailer section that pretends to change length and challenge.
    ChunkedTrailers {
        /// Bytes in each but the last chunk.
        size: usize,
    },
    /// Chunks that are wrong; then closed.
    BadChunks(BadChunk),
    /// Neither length nor chunks: the end of the connection ends the body.
    UntilClose,
    /// An answer in HTTP/1.0, without length, ended by the end of the connection.
    Http10,
    /// A right answer whose lines end with a bare LF, which readers may accept
    /// (RFC 9112, section 2.2).
    BareLf,
}

/// What is wrong with chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadChunk {
    /// A size that is no hexadecimal number.
    NotHex,
    /// A size of 2^64 and more.
    Overflow,
    /// A size with a sign.
    Negative,
    /// No CR LF after the data of a chunk.
    NoLineEnd,
    /// No last chunk: closed after the data.
    NoLastChunk,
}

impl BadChunk {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::NotHex, Self::Overflow, Self::Negative, Self::NoLineEnd, Self::NoLastChunk];
}

/// What never ends. It is sent, at some megabytes a second, until the client closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endless {
    /// Interim responses (103), never a final one.
    Informational,
    /// Header fields.
    Fields,
    /// One header field.
    Field,
    /// A chunk size line, through an extension.
    ChunkExtension,
    /// The data of one chunk of nearly 2^60 bytes.
    Chunk,
    /// Chunks.
    Chunks,
    /// A body that the end of the connection would end.
    Body,
    /// Trailer fields.
    Trailers,
}

impl Endless {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Informational,
        Self::Fields,
        Self::Field,
        Self::ChunkExtension,
        Self::Chunk,
        Self::Chunks,
        Self::Body,
        Self::Trailers,
    ];
}

/// A place in the bytes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum At {
    /// Before its first byte.
    Start,
    /// After that many bytes, or after the last one if there are fewer. Under TLS, bytes of
    /// HTTP count.
    Byte(usize),
    /// In the middle of the head.
    MidHead,
    /// Between the head and the body.
    AfterHead,
    /// In the middle of the bytes that follow the head.
    MidBody,
    /// After its last byte.
    End,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// In order: TLS `close_notify`, if it is TLS, then a TCP FIN.
    Close,
    /// A TCP FIN without `close_notify`, as in a truncation attack; the same as `Close` on a plain
    /// connection.
    Abrupt,
    /// A TCP RST, which fails the client's next read or write with "connection reset".
    Reset,
}

/// The two forms of the `Retry-After` header (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// Seconds to wait.
    Seconds(u64),
    /// An HTTP-date that many seconds from the server's wall time (before it, if negative).
    DateIn(i64),
    /// This text, right or wrong.
    Text(String),
}

impl RetryAfter {
    pub(crate) fn value(&self, unix_seconds: u64) -> String {
        match self {
            Self::Seconds(n) => n.to_string(),
            Self::DateIn(n) => http_date(unix_seconds.saturating_add_signed(*n)),
            Self::Text(text) => text.clone(),
        }
    }
}

/// What is to be refused for its size is held in memory here.
const MAX_FILLER: usize = 256 * 1024 * 1024;

/// Faults by what is said.
impl Fault {
    /// The true answer, in order. The start for faults of framing and delivery.
    pub fn none() -> Self {
        Self::default()
    }

    fn saying(says: Says) -> Self {
        Self { says, ..Self::default() }
    }

    /// That status with the body that this system usually gives with it.
    pub fn status(status: u16) -> Self {
        Self::saying(Says::Status(status, None))
    }

    /// 429 Too Many Requests (RFC 6585).
    pub fn too_many_requests(after: RetryAfter) -> Self {
        Self::saying(Says::Status(429, Some(after)))
    }

    /// 503 Service Unavailable with `Retry-After`.
    pub fn unavailable(after: RetryAfter) -> Self {
        Self::saying(Says::Status(503, Some(after)))
    }

    /// What the API says to a token it does not accept, in the system's shape: held, it is a storm
    /// of 401s.
    pub fn unauthorized() -> Self {
        Self::saying(Says::Unauthorized)
    }

    /// An answer of the test's making.
    pub fn answer(answer: Answer) -> Self {
        Self::saying(Says::Answer(answer))
    }

    /// A page of HTML, as load balancers and captive portals give.
    pub fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html>\n<html><head><title>Service</title></head>\
            <body><h1>Service</h1><p>This is a page for people.</p></body></html>\n";
        Self::answer(Answer::new(status).header("Content-Type", "text/html; charset=utf-8").body(page))
    }

    /// No body, with that status.
    pub fn empty(status: u16) -> Self {
        Self::answer(Answer::new(status))
    }

    /// A redirect, for instance 302, 307 or 308, to that URL.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::answer(Answer::new(status).header("Location", location))
    }

    /// These bytes instead of any HTTP; then closed, unless the fault stalls or cuts.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::saying(Says::Raw(bytes.into()))
    }

    /// Bytes without end.
    pub fn endless(what: Endless) -> Self {
        Self::saying(Says::Endless(what))
    }

    /// The true answer with a header field of that many bytes (at most 256 MiB) added.
    pub fn oversize_head(bytes: usize) -> Self {
        Self { head_filler: bytes.min(MAX_FILLER), ..Self::default() }
    }

    /// The true answer with that many (at most 1,000,000) short header fields added.
    pub fn many_fields(count: usize) -> Self {
        Self { more_fields: count.min(1_000_000), ..Self::default() }
    }

    /// The true answer with that many bytes (at most 256 MiB) of blanks after its body, which JSON
    /// allows.
    pub fn oversize_body(bytes: usize) -> Self {
        Self { body_filler: bytes.min(MAX_FILLER), ..Self::default() }
    }
}

/// Framing and delivery.
impl Fault {
    /// Frames the body in this way.
    #[must_use]
    pub fn framed(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Waits that long before the first byte, in real time.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Waits before the first byte until the gate is [opened](Gate::open).
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Sends that many bytes (at least 1) at a time, with a pause between them, in real time.
    #[must_use]
    pub fn drip(mut self, bytes: usize, pause: Duration) -> Self {
        self.drip = Some((bytes.max(1), pause));
        self
    }

    /// Ends the connection at that place.
    #[must_use]
    pub fn cut(mut self, at: At, ending: Ending) -> Self {
        self.stop = Some((at, Stop::Cut(ending)));
        self
    }

    /// Falls silent at that place, with the connection open, until the client closes it.
    #[must_use]
    pub fn stall(mut self, at: At) -> Self {
        self.stop = Some((at, Stop::Stall));
        self
    }

    /// Closes the server's sending side after the answer, without having announced it, and keeps
    /// the receiving side open.
    #[must_use]
    pub fn half_close(mut self) -> Self {
        self.half_close = true;
        self
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("says", &self.says)
            .field("framing", &self.framing)
            .field("delay", &self.delay)
            .field("drip", &self.drip)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth => f.write_str("Truth"),
            Self::Status(status, after) => write!(f, "Status({status}, {after:?})"),
            Self::Unauthorized => f.write_str("Unauthorized"),
            Self::Answer(answer) => answer.fmt(f),
            Self::Raw(bytes) => write!(f, "Raw({} bytes)", bytes.len()),
            Self::Endless(what) => write!(f, "Endless({what:?})"),
        }
    }
}

/// A fault of a whole connection, played before the server knows what is asked.
///
/// Bytes count as they arrive, so under TLS they are those of the handshake first.
#[derive(Clone)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// Reads that many bytes and then falls silent until the client closes; with 0, the
    /// connection is accepted and nothing more.
    Stall {
        /// Bytes read before.
        after: usize,
    },
    /// Reads that many bytes and then ends the connection. With 0 and [`Ending::Reset`] the reset
    /// comes with the client's first byte.
    Cut {
        /// Bytes read before.
        after: usize,
        /// How it ends.
        ending: Ending,
    },
    /// Says these bytes at once, for instance something that is not TLS, and closes.
    Says(Vec<u8>),
}

impl fmt::Debug for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stall { after } => write!(f, "Stall {{ after: {after} }}"),
            Self::Cut { after, ending } => write!(f, "Cut {{ after: {after}, {ending:?} }}"),
            Self::Says(bytes) => write!(f, "Says({} bytes)", bytes.len()),
        }
    }
}

/// Holds answers back until a test lets them go, so that no test has to guess a delay.
///
/// ```no_run
/// # use gatekeeper_testkit::{Endpoint, Fault, Gate, Server, System};
/// # use std::time::Duration;
/// # let server = Server::start(System::Rator).unwrap();
/// let gate = Gate::new();
/// server.script().next(Endpoint::Token, Fault::none().behind(&gate));
/// // ... start callers ...
/// server.wait_for(|c| c.token_requests == 1, Duration::from_secs(5)).unwrap();
/// gate.open();
/// ```
#[derive(Clone, Default)]
pub struct Gate {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.1.notify_all();
    }

    /// Waits at most that long; says whether the gate is open.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let guard = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) =
            self.inner.1.wait_timeout_while(guard, at_most, |open| !*open).unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
