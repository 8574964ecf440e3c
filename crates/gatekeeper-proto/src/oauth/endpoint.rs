//! A URL, split and checked once.
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use crate::class::Class;
use crate::value::{Field, InvalidValue, Problem};
use core::fmt;

/// An absolute `https` URL (or `http` to this very machine) to which secrets may be sent.
///
/// It keeps the text it was made from byte for byte, the query included (RFC 6749 section 3.2: the query "MUST be
/// retained when adding additional query parameters"). Refused are: other schemes, `http` to another machine, a
/// fragment, a user name or password, and characters that no URI has.
///
/// ```
/// use gatekeeper_proto::Endpoint;
///
/// const TOKEN: Endpoint<'static> = match Endpoint::parse("https://auth.example.com/oauth2/token?tenant=a%26b") {
///     Ok(endpoint) => endpoint,
///     Err(_) => panic!("not a URL"),
/// };
/// assert_eq!(TOKEN.host(), "auth.example.com");
/// assert_eq!(TOKEN.port(), 443);
/// assert_eq!(TOKEN.query(), Some("tenant=a%26b"));
/// assert!(Endpoint::parse("http://auth.example.com/oauth2/token").is_err());
/// assert!(Endpoint::parse("http://127.0.0.1:8080/oauth2/token").is_ok());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Endpoint<'a> {
    url: &'a str,
    secure: bool,
    port: u16,
    authority: usize,
    host_end: usize,
    authority_end: usize,
    query: Option<usize>,
}

impl<'a> Endpoint<'a> {
    /// Checks and splits a token URL.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with [`Field::TokenUrl`] and what is wrong.
    pub const fn parse(url: &'a str) -> Result<Self, InvalidValue> {
        parse(Field::TokenUrl, url, false)
    }

    /// As [`parse`](Self::parse), and `http` to any host is let through.
    ///
    /// Everyone on the network path can then read and replace secrets and tokens (RFC 6749 section 3.2, RFC 6750
    /// section 5.3). For test set-ups only.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with [`Field::TokenUrl`] and what is wrong.
    pub const fn dangerously_allow_plain_http(url: &'a str) -> Result<Self, InvalidValue> {
        parse(Field::TokenUrl, url, true)
    }

    /// Checks and splits a URL of the API; `plain_http` lets `http` to any host through.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with [`Field::ApiUrl`] and what is wrong.
    pub const fn parse_api(url: &'a str, plain_http: bool) -> Result<Self, InvalidValue> {
        parse(Field::ApiUrl, url, plain_http)
    }

    /// The URL as it was given.
    pub const fn as_str(&self) -> &'a str {
        self.url
    }

    /// Whether the scheme is `https`.
    pub const fn is_https(&self) -> bool {
        self.secure
    }

    /// The host, an IPv6 address in its brackets.
    pub fn host(&self) -> &'a str {
        self.slice(self.authority, self.host_end)
    }

    /// The port, also where the URL leaves it to the scheme.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the URL has them: the value of the `Host` header (RFC 9110 section 7.2).
    pub fn authority(&self) -> &'a str {
        self.slice(self.authority, self.authority_end)
    }

    /// The path, empty if the URL has none.
    pub fn path(&self) -> &'a str {
        self.slice(self.authority_end, self.query.unwrap_or(self.url.len()))
    }

    /// The query without its question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.query.map(|at| self.slice(at + 1, self.url.len()))
    }

    /// Whether scheme, host and port are the same (RFC 6454 section 5).
    pub fn same_origin(&self, other: &Endpoint<'_>) -> bool {
        self.secure == other.secure && self.port == other.port && self.host().eq_ignore_ascii_case(other.host())
    }

    /// Whether the query has a parameter of this name, which must consist of characters that need no encoding.
    pub(crate) const fn query_names(&self, name: &str) -> bool {
        let (url, name) = (self.url.as_bytes(), name.as_bytes());
        // Each round begins at the question mark or an ampersand, behind which a parameter's name stands.
        let mut separator = match self.query {
            Some(at) => at,
            None => return false,
        };
        while separator < url.len() {
            let begin = separator + 1;
            let end = find(url, begin, b"=&");
            let mut same = 0;
            while begin + same < end && same < name.len() && url[begin + same] == name[same] {
                same += 1;
            }
            if begin + same == end && same == name.len() {
                return true;
            }
            separator = find(url, end, b"&");
        }
        false
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.url.get(from..to).unwrap_or_default()
    }
}

impl fmt::Debug for Endpoint<'_> {
    /// The URL without its query, which may hold what is not for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.slice(0, self.authority_end), self.path())?;
        if self.query.is_some() { f.write_str("?...") } else { Ok(()) }
    }
}

#[cfg(feature = "url")]
impl<'a> TryFrom<&'a url::Url> for Endpoint<'a> {
    type Error = InvalidValue;

    fn try_from(url: &'a url::Url) -> Result<Self, InvalidValue> {
        Self::parse(url.as_str())
    }
}

const fn parse(field: Field, url: &str, plain_http: bool) -> Result<Endpoint<'_>, InvalidValue> {
    let b = url.as_bytes();
    if b.is_empty() {
        return Err(InvalidValue::new(field, Problem::Empty));
    }
    if let Some(problem) = illegal_byte(b) {
        return Err(InvalidValue::new(field, problem));
    }
    let secure = starts_with(b, b"https://");
    let authority = match (secure, starts_with(b, b"http://")) {
        (true, _) => 8,
        (_, true) => 7,
        _ => {
            let problem = if has_scheme(b) { Problem::UnsupportedScheme } else { Problem::NotAbsolute };
            return Err(InvalidValue::new(field, problem));
        }
    };
    let authority_end = find(b, authority, b"/?");
    if find(b, authority, b"@/?") < authority_end {
        return Err(InvalidValue::new(field, Problem::UserInfo));
    }
    let host_end = match host_end(b, authority, authority_end) {
        Some(end) => end,
        None => return Err(InvalidValue::new(field, Problem::InvalidHost)),
    };
    let port = match port(b, host_end, authority_end, secure) {
        Some(port) => port,
        None => return Err(InvalidValue::new(field, Problem::InvalidPort)),
    };
    if !secure && !plain_http && !is_loopback(b, authority, host_end) {
        return Err(InvalidValue::new(field, Problem::PlainHttp));
    }
    let query = find(b, authority_end, b"?");
    let query = if query < b.len() { Some(query) } else { None };
    Ok(Endpoint { url, secure, port, authority, host_end, authority_end, query })
}

/// What is wrong with the first byte that is no URI character (RFC 3986 section 2); a fragment is named as such.
const fn illegal_byte(b: &[u8]) -> Option<Problem> {
    let i = Class::URI.run_end(b, 0);
    if i == b.len() {
        return None;
    }
    Some(match b[i] {
        b'#' => Problem::Fragment,
        b'\n' if i + 1 == b.len() => Problem::TrailingNewline,
        0..=0x1F | 0x7F => Problem::ControlCharacter,
        0x80.. => Problem::NotAscii,
        b' ' if i == 0 || i + 1 == b.len() => Problem::SurroundingSpace,
        _ => Problem::IllegalCharacter,
    })
}

const fn has_scheme(b: &[u8]) -> bool {
    let colon = find(b, 0, b":");
    colon > 0 && colon + 2 < b.len() && b[colon + 1] == b'/' && b[colon + 2] == b'/'
}

const fn starts_with(b: &[u8], prefix: &[u8]) -> bool {
    let mut i = 0;
    while i < prefix.len() {
        if i >= b.len() || !b[i].eq_ignore_ascii_case(&prefix[i]) {
            return false;
        }
        i += 1;
    }
    true
}

/// Where from `i` on one of `any` stands first, or the end.
const fn find(b: &[u8], mut i: usize, any: &[u8]) -> usize {
    while i < b.len() {
        let mut k = 0;
        while k < any.len() {
            if b[i] == any[k] {
                return i;
            }
            k += 1;
        }
        i += 1;
    }
    i
}

/// Where the host that begins at `start` ends, if it is one: a name, an IPv4 address, or an IPv6 address in brackets.
const fn host_end(b: &[u8], start: usize, end: usize) -> Option<usize> {
    let mut i = start;
    if i < end && b[i] == b'[' {
        i += 1;
        while i < end && (b[i].is_ascii_hexdigit() || b[i] == b':' || b[i] == b'.') {
            i += 1;
        }
        return if i > start + 2 && i < end && b[i] == b']' { Some(i + 1) } else { None };
    }
    while i < end && (b[i].is_ascii_alphanumeric() || matches!(b[i], b'-' | b'.' | b'_')) {
        i += 1;
    }
    if i > start && (i == end || b[i] == b':') { Some(i) } else { None }
}

const fn port(b: &[u8], host_end: usize, end: usize, secure: bool) -> Option<u16> {
    if host_end == end {
        return Some(if secure { 443 } else { 80 });
    }
    if b[host_end] != b':' || end - host_end > 6 {
        return None;
    }
    let mut i = host_end + 1;
    let mut n: u32 = 0;
    while i < end {
        if !b[i].is_ascii_digit() {
            return None;
        }
        n = n * 10 + (b[i] - b'0') as u32;
        i += 1;
    }
    if n == 0 || n > 65_535 { None } else { Some(n as u16) }
}

/// `localhost`, 127.0.0.0/8 and `[::1]`: the hosts that are this machine whatever a name server says.
const fn is_loopback(b: &[u8], start: usize, end: usize) -> bool {
    let len = end - start;
    (len == 9 && starts_with_at(b, start, b"localhost"))
        || (len == 5 && starts_with_at(b, start, b"[::1]"))
        || is_ipv4_loopback(b, start, end)
}

const fn starts_with_at(b: &[u8], at: usize, text: &[u8]) -> bool {
    let mut i = 0;
    while i < text.len() {
        if !b[at + i].eq_ignore_ascii_case(&text[i]) {
            return false;
        }
        i += 1;
    }
    true
}

const fn is_ipv4_loopback(b: &[u8], start: usize, end: usize) -> bool {
    let mut parts = 0;
    let mut i = start;
    while i < end {
        let mut n: u32 = 0;
        let from = i;
        while i < end && b[i] != b'.' {
            if !b[i].is_ascii_digit() || i - from > 2 {
                return false;
            }
            n = n * 10 + (b[i] - b'0') as u32;
            i += 1;
        }
        if i == from || n > 255 || (parts == 0 && n != 127) {
            return false;
        }
        parts += 1;
        if i < end {
            i += 1;
            if i == end {
                return false;
            }
        }
    }
    parts == 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> Option<Problem> {
        Endpoint::parse(url).err().map(|e| e.problem)
    }

    #[test]
    fn parts_are_those_of_the_text() {
        let e = Endpoint::parse("HTTPS://Auth.Example.com:8443/a/b?x=1&y=a%26b").unwrap();
        assert_eq!(
            (e.is_https(), e.host(), e.port(), e.authority(), e.path(), e.query()),
            (true, "Auth.Example.com", 8443, "Auth.Example.com:8443", "/a/b", Some("x=1&y=a%26b"))
        );
        assert!(e.query_names("y") && !e.query_names("z") && !e.query_names("1"));
        for (query, name, named) in [
            ("password=x", "password", true),
            ("a=1&password", "password", true),
            ("a&&password=", "password", true),
            ("a=password", "password", false),
            ("Password=x", "password", false),
            ("passwords=x&passwor=y", "password", false),
            ("a=b=password&", "password", false),
            ("", "password", false),
        ] {
            let url = format!("https://h/token?{query}");
            assert_eq!(Endpoint::parse(&url).unwrap().query_names(name), named, "{query}");
        }
        let e = Endpoint::parse("http://[::1]:80").unwrap();
        assert_eq!((e.host(), e.port(), e.path(), e.query()), ("[::1]", 80, "", None));
        let e = Endpoint::parse("https://h?").unwrap();
        assert_eq!((e.path(), e.query()), ("", Some("")));
    }

    #[test]
    fn what_is_refused_and_why() {
        for (url, want) in [
            ("", Problem::Empty),
            ("auth.example.com/token", Problem::NotAbsolute),
            ("/token", Problem::NotAbsolute),
            ("ftp://auth.example.com/", Problem::UnsupportedScheme),
            ("http://auth.example.com/token", Problem::PlainHttp),
            ("http://127.0.0.1.example.com/", Problem::PlainHttp),
            ("http://128.0.0.1/", Problem::PlainHttp),
            ("http://127.0.0/", Problem::PlainHttp),
            ("http://127.0.0.256/", Problem::PlainHttp),
            ("http://localhost.example.com/", Problem::PlainHttp),
            ("https://user:pass@auth.example.com/", Problem::UserInfo),
            ("https:///token", Problem::InvalidHost),
            ("https://h:0/", Problem::InvalidPort),
            ("https://h:65536/", Problem::InvalidPort),
            ("https://h:/", Problem::InvalidPort),
            ("https://h:80a/", Problem::InvalidPort),
            ("https://[::1/", Problem::InvalidHost),
            ("https://[]/", Problem::InvalidHost),
            ("https://h/token#x", Problem::Fragment),
            ("https://h/to ken", Problem::IllegalCharacter),
            (" https://h/token", Problem::SurroundingSpace),
            ("https://h/token\n", Problem::TrailingNewline),
            ("https://h/\r\nHost: evil", Problem::ControlCharacter),
            ("https://{AUTH_SERVER_URL}/oauth2/token", Problem::IllegalCharacter),
            ("https://b\u{fc}cher.example/", Problem::NotAscii),
        ] {
            assert_eq!(problem(url), Some(want), "{url}");
        }
        for url in ["http://localhost/t", "http://LOCALHOST:1/t", "http://127.8.9.10:99/t", "http://[::1]/t"] {
            assert_eq!(problem(url), None, "{url}");
        }
        assert!(Endpoint::dangerously_allow_plain_http("http://auth.example.com/token").is_ok());
    }

    #[test]
    fn origins_compare_case_insensitively_and_with_default_ports() {
        let a = Endpoint::parse("https://API.example.com/x").unwrap();
        for (url, same) in [
            ("https://api.example.com:443/y?z", true),
            ("https://api.example.com:444/", false),
            ("https://api.example.com.evil.org/", false),
            ("http://localhost/", false),
        ] {
            assert_eq!(a.same_origin(&Endpoint::parse(url).unwrap()), same, "{url}");
        }
    }

    #[test]
    fn debug_leaves_the_query_out() {
        let e = Endpoint::parse("https://h/token?brand_key=b").unwrap();
        assert_eq!(format!("{e:?}"), "https://h/token?...");
    }
}
