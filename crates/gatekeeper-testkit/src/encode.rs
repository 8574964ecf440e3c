//! From an answer and a fault to bytes.

use crate::answer::{Answer, reason};
use crate::fault::{At, BadChunk, Endless, Fault, Framing};

/// What the encoding depends on besides answer and fault.
pub(crate) struct Context {
    pub(crate) keep_alive: bool,
    pub(crate) is_head: bool,
    pub(crate) date: Option<String>,
}

/// The bytes of a response, and what follows them.
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head_len: usize,
    pub(crate) keep_alive: bool,
    /// Sent again and again after `bytes`.
    pub(crate) forever: Vec<u8>,
}

impl Encoded {
    /// The number of bytes before that place.
    pub(crate) fn position(&self, at: At) -> usize {
        let len = self.bytes.len();
        match at {
            At::Start => 0,
            At::Byte(n) => n.min(len),
            At::MidHead => self.head_len / 2,
            At::AfterHead => self.head_len,
            At::MidBody => self.head_len + (len - self.head_len) / 2,
            At::End => len,
        }
    }
}

pub(crate) fn raw(bytes: Vec<u8>) -> Encoded {
    let end_of_head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    Encoded { head_len: end_of_head.map_or(bytes.len(), |at| at + 4), bytes, keep_alive: false, forever: Vec::new() }
}

pub(crate) fn answer(answer: &Answer, fault: &Fault, context: &Context) -> Encoded {
    let mut body = answer.body.clone();
    body.resize(body.len() + fault.body_filler, b' ');
    let bodiless = context.is_head || matches!(answer.status, 100..=199 | 204 | 304);
    let framing = if bodiless { &Framing::Length } else { &fault.framing };
    let framed = frame(framing, body);
    let keep_alive = context.keep_alive && framed.keep_alive;

    let version = match framing {
        Framing::Http10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let mut head = format!("{version} {} {}\r\n", answer.status, reason(answer.status));
    let mut field = |name: &str, value: &str| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    };
    if let Some(date) = &context.date {
        field("Date", date);
    }
    for (name, value) in &answer.headers {
        field(name, value);
    }
    for n in 0..fault.more_fields {
        field(&format!("X-Filler-{n}"), "filler");
    }
    if fault.head_filler > 0 {
        field("X-Filler", &"a".repeat(fault.head_filler));
    }
    // RFC 9110, section 8.6: no length with 1xx and 204.
    if !matches!(answer.status, 100..=199 | 204) {
        for (name, value) in &framed.fields {
            field(name, value);
        }
    }
    if !keep_alive && *framing != Framing::Http10 {
        field("Connection", "close");
    }
    head.push_str("\r\n");
    if *framing == Framing::BareLf {
        head = head.replace("\r\n", "\n");
    }

    let head_len = head.len();
    let mut bytes = head.into_bytes();
    if !bodiless {
        bytes.extend(framed.bytes);
    }
    Encoded { bytes, head_len, keep_alive, forever: Vec::new() }
}

struct Framed {
    fields: Vec<(&'static str, String)>,
    bytes: Vec<u8>,
    keep_alive: bool,
}

fn frame(framing: &Framing, body: Vec<u8>) -> Framed {
    const LENGTH: &str = "Content-Length";
    let len = body.len();
    let chunked = || ("Transfer-Encoding", "chunked".to_owned());
    let (fields, bytes, keep_alive) = match framing {
        Framing::Length | Framing::BareLf => (vec![(LENGTH, len.to_string())], body, true),
        Framing::LengthTooLong(by) => {
            let claimed = len.saturating_add(*by).to_string();
            (vec![(LENGTH, claimed)], body, false)
        }
        Framing::LengthTooShort(by) => {
            let claimed = len.saturating_sub(*by).to_string();
            (vec![(LENGTH, claimed)], body, true)
        }
        Framing::TwoLengths => {
            let fields = vec![(LENGTH, len.to_string()), (LENGTH, (len + 1).to_string())];
            (fields, body, true)
        }
        Framing::BadLength(text) => (vec![(LENGTH, text.clone())], body, false),
        Framing::LengthAndChunked => {
            let fields = vec![(LENGTH, len.to_string()), chunked()];
            (fields, chunks(&body, len, "", ""), true)
        }
        Framing::Chunked { size } => (vec![chunked()], chunks(&body, *size, "", ""), true),
        Framing::ChunkedExtensions { size } => {
            let extension = ";name=value;quoted=\"a;b \\\" 0\\r\\n\";flag";
            (vec![chunked()], chunks(&body, *size, extension, ""), true)
        }
        Framing::ChunkedTrailers { size } => {
            let trailers = "X-Checksum: 1\r\nContent-Length: 1\r\n\
                WWW-Authenticate: Bearer error=\"invalid_token\"\r\n";
            let fields = vec![chunked(), ("Trailer", "X-Checksum".to_owned())];
            (fields, chunks(&body, *size, "", trailers), true)
        }
        Framing::BadChunks(what) => (vec![chunked()], bad_chunks(&body, *what), false),
        Framing::UntilClose | Framing::Http10 => (Vec::new(), body, false),
    };
    Framed { fields, bytes, keep_alive }
}

fn chunks(body: &[u8], size: usize, extension: &str, trailers: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size.max(1)) {
        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("0{extension}\r\n{trailers}\r\n").into_bytes());
    bytes
}

fn bad_chunks(body: &[u8], what: BadChunk) -> Vec<u8> {
    let (size, after) = match what {
        BadChunk::NotHex => (format!("{:x}g", body.len()), "\r\n0\r\n\r\n"),
        BadChunk::Overflow => (format!("1{:016x}", body.len()), "\r\n0\r\n\r\n"),
        BadChunk::Negative => (format!("-{:x}", body.len()), "\r\n0\r\n\r\n"),
        BadChunk::NoLineEnd => (format!("{:x}", body.len()), "0\r\n\r\n"),
        BadChunk::NoLastChunk => (format!("{:x}", body.len()), "\r\n"),
    };
    [size.as_bytes(), b"\r\n", body, after.as_bytes()].concat()
}

pub(crate) fn endless(what: Endless, context: &Context) -> Encoded {
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n".to_owned();
    if let Some(date) = &context.date {
        head.push_str(&format!("Date: {date}\r\n"));
    }
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let blanks = " ".repeat(64);
    let (after, forever) = match what {
        Endless::Informational => {
            head.clear();
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
            (String::new(), interim.to_owned())
        }
        Endless::Fields => (String::new(), "X-Filler: filler\r\n".to_owned()),
        Endless::Field => ("X-Filler: ".to_owned(), "a".repeat(64)),
        Endless::ChunkExtension => (format!("{chunked}2;filler="), "a".repeat(64)),
        Endless::Chunk => (format!("{chunked}fffffffffffffff\r\n"), blanks),
        Endless::Chunks => (chunked.to_owned(), format!("40\r\n{blanks}\r\n")),
        Endless::Body => ("Connection: close\r\n\r\n".to_owned(), blanks),
        Endless::Trailers => (format!("{chunked}2\r\n{{}}\r\n0\r\n"), "X-Filler: filler\r\n".to_owned()),
    };
    let mut encoded = raw([head, after].concat().into_bytes());
    encoded.forever = forever.into_bytes();
    encoded
}
