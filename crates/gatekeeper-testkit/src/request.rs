//! Reading requests, strictly (RFC 9112), and what tests see of them.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::script::Endpoint;

/// Longest request line with header fields that is read.
const MAX_HEAD: usize = 64 * 1024;
/// Most header fields of a request.
const MAX_FIELDS: usize = 100;
/// Longest body that is read, after chunks are joined.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Longest line that frames a chunk, and longest trailer section.
const MAX_CHUNK_LINE: usize = 8 * 1024;

/// A request as the server read it.
///
/// It holds the secrets that the client sent, for tests to check; its `Debug` form shows none of
/// them: method, path, header names, the length of the body, and the answer's status.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRequest {
    /// Which part of the server it went to.
    pub endpoint: Endpoint,
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// The client's end of that connection.
    pub peer: SocketAddr,
    /// When its head had been read, on the server's [clock](crate::Server::clock).
    pub at_millis: u64,
    /// For instance `POST`.
    pub method: String,
    /// The request target byte for byte, query included.
    pub target: String,
    /// Header fields in their order, names as sent. Bytes of a value that are not UTF-8 are
    /// replaced by U+FFFD.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// The status of the answer; `None` as long as there is no answer, and where a fault says
    /// something that is none.
    pub status: Option<u16>,
    /// Whether the request was HTTP/1.0.
    pub(crate) http10: bool,
}

impl SeenRequest {
    /// The path of the target, without scheme, authority and query.
    pub fn path(&self) -> &str {
        let target = origin_form(&self.target);
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The parameters of the query, decoded, in their order.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The parameters of a form in the body, decoded, in their order, whatever the content type.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The first value of a form parameter in the body.
    pub fn form_value(&self, name: &str) -> Option<String> {
        let found = self.form().into_iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value)
    }

    /// The value of the first header field of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let found = fields.find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The values of all header fields of that name, in any case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The user-id and password of `Authorization: Basic` (RFC 7617), split at the first colon and
    /// not form-decoded; `None` if there is no such header or it is malformed.
    pub fn basic(&self) -> Option<(String, String)> {
        let decoded = STANDARD.decode(self.credentials("Basic")?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some((id.to_owned(), secret.to_owned()))
    }

    /// The token of `Authorization: Bearer` (RFC 6750, section 2.1).
    pub fn bearer(&self) -> Option<&str> {
        self.credentials("Bearer")
    }

    fn credentials(&self, scheme: &str) -> Option<&str> {
        let (name, rest) = self.header("authorization")?.split_once(' ')?;
        let rest = rest.trim_start_matches(' ');
        (name.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
    }

    /// Whether a comma-separated header field has that element, in any case.
    pub(crate) fn lists(&self, name: &str, element: &str) -> bool {
        self.header_values(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(element))
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        !self.http10 && !self.lists("connection", "close")
    }
}

impl fmt::Debug for SeenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("SeenRequest")
            .field("endpoint", &self.endpoint)
            .field("connection", &self.connection)
            .field("at_millis", &self.at_millis)
            .field("method", &self.method)
            .field("path", &self.path())
            .field("headers", &names)
            .field("body_len", &self.body.len())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A target in absolute-form (RFC 9112, section 3.2.2), which clients send to proxies and servers
/// must accept, reduced to origin-form.
fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else {
        return target;
    };
    if target.starts_with('/') {
        return target;
    }
    rest.find(['/', '?']).map_or("/", |at| &rest[at..])
}

/// Why no request was read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection ended between requests.
    Closed,
    /// The connection ended or failed inside a request.
    Broken,
    /// The request breaks the protocol; answered with that status.
    Bad { status: u16, why: &'static str },
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

fn bad(status: u16, why: &'static str) -> ReadError {
    ReadError::Bad { status, why }
}

/// Reads the requests of one connection; keeps bytes that were sent ahead.
pub(crate) struct RequestReader {
    connection: u64,
    peer: SocketAddr,
    buffer: Vec<u8>,
}

impl RequestReader {
    pub(crate) fn new(connection: u64, peer: SocketAddr) -> Self {
        Self { connection, peer, buffer: Vec::new() }
    }

    /// Reads the next request. The endpoint and the time are left for the caller to fill in.
    pub(crate) fn read<S: Read + Write>(&mut self, stream: &mut S) -> Result<SeenRequest, ReadError> {
        let head = self.read_head(stream)?;
        let mut request = parse_head(&head)?;
        request.connection = self.connection;
        request.peer = self.peer;
        let framing = body_framing(&request)?;
        if request.lists("expect", "100-continue") && self.buffer.is_empty() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            stream.flush()?;
        }
        request.body = match framing {
            BodyFraming::Length(n) => self.read_exactly(stream, n)?,
            BodyFraming::Chunked => self.read_chunks(stream)?,
        };
        Ok(request)
    }

    fn read_head<S: Read>(&mut self, stream: &mut S) -> Result<Vec<u8>, ReadError> {
        // RFC 9112, section 2.2: empty lines before the request line are ignored.
        let mut searched = 0;
        loop {
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.drain(..2);
                searched = 0;
            }
            let from = searched.min(self.buffer.len());
            if let Some(at) = find(&self.buffer[from..], b"\r\n\r\n") {
                let rest = self.buffer.split_off(from + at + 4);
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(bad(431, "request head too large"));
            }
            searched = self.buffer.len().saturating_sub(3);
            match self.fill(stream) {
                Ok(0) | Err(_) if self.buffer.is_empty() => return Err(ReadError::Closed),
                Ok(0) => return Err(ReadError::Broken),
                Ok(_) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn read_exactly<S: Read>(&mut self, stream: &mut S, n: usize) -> Result<Vec<u8>, ReadError> {
        while self.buffer.len() < n {
            self.fill_some(stream)?;
        }
        let rest = self.buffer.split_off(n);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn read_line<S: Read>(&mut self, stream: &mut S) -> Result<Vec<u8>, ReadError> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = self.read_exactly(stream, at + 2)?;
                return Ok(line[..at].to_vec());
            }
            if self.buffer.len() > MAX_CHUNK_LINE {
                return Err(bad(400, "chunk line too long"));
            }
            self.fill_some(stream)?;
        }
    }

    fn read_chunks<S: Read>(&mut self, stream: &mut S) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let mut line = self.read_line(stream)?;
            line.extend_from_slice(b"\r\n");
            let size = match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, size))) => size,
                _ => return Err(bad(400, "bad chunk size")),
            };
            if size == 0 {
                break;
            }
            let size = usize::try_from(size)
                .ok()
                .filter(|&size| size <= MAX_BODY - body.len())
                .ok_or(bad(413, "body too large"))?;
            body.extend(self.read_exactly(stream, size)?);
            if self.read_exactly(stream, 2)? != b"\r\n" {
                return Err(bad(400, "chunk does not end with CRLF"));
            }
        }
        let mut trailers = 0;
        loop {
            let line = self.read_line(stream)?;
            trailers += line.len();
            if line.is_empty() {
                return Ok(body);
            }
            if trailers > MAX_CHUNK_LINE {
                return Err(bad(431, "trailers too large"));
            }
        }
    }

    fn fill_some<S: Read>(&mut self, stream: &mut S) -> Result<(), ReadError> {
        match self.fill(stream)? {
            0 => Err(ReadError::Broken),
            _ => Ok(()),
        }
    }

    fn fill<S: Read>(&mut self, stream: &mut S) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(n) => {
                    self.buffer.extend_from_slice(&chunk[..n]);
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

enum BodyFraming {
    Length(usize),
    Chunked,
}

fn parse_head(head: &[u8]) -> Result<SeenRequest, ReadError> {
    // httparse lets a line end with a bare LF, which RFC 9112, section 2.2, leaves to the reader.
    let bare_lf = head.iter().enumerate().any(|(at, &b)| b == b'\n' && (at == 0 || head[at - 1] != b'\r'));
    if bare_lf {
        return Err(bad(400, "line ends without CR"));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(bad(400, "malformed head")),
        Err(httparse::Error::TooManyHeaders) => return Err(bad(431, "too many header fields")),
        Err(httparse::Error::Version) => return Err(bad(505, "HTTP version not supported")),
        Err(_) => return Err(bad(400, "malformed head")),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(bad(400, "malformed head"));
    };
    let headers = parsed
        .headers
        .iter()
        .map(|h| {
            let value = String::from_utf8_lossy(h.value).into_owned();
            (h.name.to_owned(), value)
        })
        .collect();
    let request = SeenRequest {
        endpoint: Endpoint::Api,
        connection: 0,
        peer: SocketAddr::from(([127, 0, 0, 1], 0)),
        at_millis: 0,
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Vec::new(),
        status: None,
        http10: version == 0,
    };
    // RFC 9112, section 3.2: exactly one Host in HTTP/1.1.
    match (request.header_values("host").count(), request.http10) {
        (1, _) | (0, true) => {}
        _ => return Err(bad(400, "not exactly one Host field")),
    }
    if target.contains('#') {
        return Err(bad(400, "fragment in the request target"));
    }
    Ok(request)
}

fn body_framing(request: &SeenRequest) -> Result<BodyFraming, ReadError> {
    let mut codings = request.header_values("transfer-encoding");
    let lengths: Vec<&str> = request.header_values("content-length").collect();
    match (codings.next(), codings.next()) {
        (Some(_), _) if request.http10 => Err(bad(400, "transfer coding in HTTP/1.0")),
        (Some(_), _) if !lengths.is_empty() => Err(bad(400, "both length and transfer coding")),
        (Some(coding), None) if coding.trim().eq_ignore_ascii_case("chunked") => Ok(BodyFraming::Chunked),
        (Some(_), _) => Err(bad(501, "unknown transfer coding")),
        (None, _) => match lengths[..] {
            [] => Ok(BodyFraming::Length(0)),
            [length] if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => length
                .parse()
                .ok()
                .filter(|&n| n <= MAX_BODY)
                .map(BodyFraming::Length)
                .ok_or(bad(413, "body too large")),
            _ => Err(bad(400, "bad Content-Length")),
        },
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the bytes `step` at a time and swallows what is written.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(into.len()).min(self.0.len());
            let (now, later) = self.0.split_at(n);
            into[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    impl Write for Drip<'_> {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            Ok(from.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read_all(bytes: &str, step: usize) -> (Vec<SeenRequest>, ReadError) {
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut reader = RequestReader::new(1, peer);
        let mut stream = Drip(bytes.as_bytes(), step);
        let mut requests = Vec::new();
        loop {
            match reader.read(&mut stream) {
                Ok(request) => requests.push(request),
                Err(e) => return (requests, e),
            }
        }
    }

    #[test]
    fn pipelined_requests_at_any_cut() {
        let bytes = "\r\nPOST /a?b=c%20d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b\
            POST http://x:1/d?e HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
            2;x=\"y\"\r\nhi\r\n3\r\n ho\r\n0\r\nTrailer: t\r\n\r\n\
            GET / HTTP/1.0\r\n\r\n";
        for step in 1..bytes.len() {
            let (requests, end) = read_all(bytes, step);
            assert!(matches!(end, ReadError::Closed), "{end:?}");
            let [first, second, third] = &requests[..] else {
                panic!("{requests:?}");
            };
            assert_eq!(first.path(), "/a");
            assert_eq!(first.query(), [("b".into(), "c d".into())]);
            assert_eq!(first.form_value("a").as_deref(), Some("b"));
            assert_eq!(second.path(), "/d");
            assert_eq!(second.body, b"hi ho");
            assert!(second.keeps_alive());
            assert!(!third.keeps_alive());
        }
    }

    #[test]
    fn refuses_what_is_doubtful() {
        for (head, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
            ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        ] {
            match read_all(head, 7) {
                (requests, ReadError::Bad { status: got, .. }) if requests.is_empty() => {
                    assert_eq!(got, status, "{head:?}");
                }
                other => panic!("{head:?}: {other:?}"),
            }
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD));
        assert!(matches!(read_all(&long, 4096).1, ReadError::Bad { status: 431, .. }));
    }

    #[test]
    fn debug_shows_no_secret() {
        let (requests, _) = read_all(
            "POST /t?key=canary1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer canary2\r\n\
            X-Api-Key: canary3\r\nContent-Length: 16\r\n\r\npassword=canary4",
            64,
        );
        let shown = format!("{requests:?} {requests:#?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!(requests[0].bearer(), Some("canary2"));
    }
}
