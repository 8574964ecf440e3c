//! What a token endpoint answers (RFC 6749 sections 5.1 and 5.2), read to a grant or a typed error.
//!
//! This and its parts are the only files of the core that name status codes and members of token responses. It accepts what real
//! servers send where the meaning is beyond doubt, and lists each such point as a [`Deviation`].

mod error;
mod members;

pub use self::error::{BodyKind, Malformed, Refused, ReplyError, Status};

use self::members::{Members, MembersError, Unusable};
use super::deviation::{Deviation, Deviations};
use super::jwt::Shape;
use super::request::TokenRequest;
use super::scope::Scope;
use super::untrusted::Untrusted;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::retry_after::HttpDate;
use crate::wire::{http1, retry_after};
use core::fmt;

/// A token endpoint's answer, reduced to what has a meaning here.
///
/// Drivers with an HTTP client of their own make it from status and body and hand it every header;
/// [`Exchange::response`](crate::Exchange::response) converts into it.
pub struct Reply<'a> {
    status: u16,
    content_type: Option<&'a [u8]>,
    retry_after: Option<&'a [u8]>,
    date: Option<&'a [u8]>,
    body: &'a mut [u8],
}

/// How strictly an answer is read, and what is known about the question.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The shape an access token must have.
    pub shape: Shape,
    /// Deviations that are errors.
    pub fatal: Deviations,
    /// Values of `token_type` that mean `Bearer`, beside `bearer` in any case.
    pub bearer_aliases: &'a [&'a str],
    /// The request that was answered. With it, a narrower scope is noticed, and text that echoes one of the request's
    /// secrets is withheld.
    pub request: Option<&'a TokenRequest<'a>>,
    /// The local wall clock, for a `Retry-After` date in an answer without `Date`.
    pub now: Option<UnixTime>,
}

/// A successful answer (RFC 6749 section 5.1).
#[derive(Clone, Copy)]
pub struct TokenResponse<'a> {
    /// The token: one or more characters of `%x21-7E`.
    pub access_token: Secret<'a>,
    /// Its type as the server wrote it; `Bearer` where the server left it out.
    pub token_type: &'a str,
    /// Seconds from the moment the answer was made, fractions cut off. Zero and below mean that the token has expired,
    /// never that it lasts; `None` means that the server did not say.
    pub expires_in: Option<u64>,
    /// For the next request with grant `refresh_token`; `None` keeps the old one (RFC 6749 section 6).
    pub refresh_token: Option<Secret<'a>>,
    /// What was granted. `None` means what was asked for.
    pub scope: Option<Scope<'a>>,
    /// In what the answer differs from the specification.
    pub deviations: Deviations,
    /// The server's clock, from its `Date` header.
    pub date: Option<HttpDate<'a>>,
}

impl<'a> Reply<'a> {
    /// An answer with this status and body. The body may be changed: escapes are resolved in place.
    pub const fn new(status: u16, body: &'a mut [u8]) -> Self {
        Self { status, content_type: None, retry_after: None, date: None, body }
    }

    /// Takes over a header field if it is one that matters; names are compared without regard to case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &'a [u8]) -> Self {
        let slot = if name.eq_ignore_ascii_case("content-type") {
            &mut self.content_type
        } else if name.eq_ignore_ascii_case("retry-after") {
            &mut self.retry_after
        } else if name.eq_ignore_ascii_case("date") {
            &mut self.date
        } else {
            return self;
        };
        slot.get_or_insert(value);
        self
    }
}

impl<'a> From<http1::Response<'a>> for Reply<'a> {
    fn from(response: http1::Response<'a>) -> Self {
        let http1::Response { status, content_type, retry_after, date, body, .. } = response;
        Self { status, content_type, retry_after, date, body }
    }
}

impl Default for Rules<'_> {
    /// Any token; every deviation is let through but a missing `token_type`, which could be one that is no bearer
    /// token (RFC 6749 section 7.1).
    fn default() -> Self {
        Self {
            shape: Shape::Any,
            fatal: Deviations::none().with(Deviation::TokenTypeMissing),
            bearer_aliases: &[],
            request: None,
            now: None,
        }
    }
}

/// Reads a token endpoint's answer.
///
/// A code in `error` decides, whatever the status and even beside a token; without one, only a 2xx can be a success.
///
/// ```
/// use gatekeeper_proto::{Reply, ReplyError, Rules, read_reply};
///
/// let mut body = *br#"{"access_token":"NgXCXRKc","token_type":"bearer","expires_in":"3600"}"#;
/// let reply = Reply::new(200, &mut body).header("content-type", b"application/json");
/// let token = read_reply(reply, &Rules::default()).unwrap();
/// assert_eq!(token.expires_in, Some(3600));
/// assert_eq!(token.deviations.to_string(), "expires_in was a string");
///
/// let mut body = *br#"{"error":"invalid_client"}"#;
/// let error = read_reply(Reply::new(400, &mut body), &Rules::default()).unwrap_err();
/// assert!(matches!(error, ReplyError::Refused(_)) && !error.is_retryable());
/// ```
///
/// # Errors
///
/// [`ReplyError`] says who refused what. It holds no token and no secret.
pub fn read_reply<'a>(reply: Reply<'a>, rules: &Rules<'_>) -> Result<TokenResponse<'a>, ReplyError<'a>> {
    let date = reply.date.map(HttpDate::new);
    let wait = reply.retry_after.and_then(|value| {
        let server_now = date.and_then(|date| date.time(rules.now.unwrap_or_default()));
        retry_after::parse(value, server_now.or(rules.now))
    });
    let status = reply.status;
    let content_type = reply.content_type;
    let start = Start::of(reply.body);
    let mut deviations = Deviations::none();
    let mut members = Members::default();
    let read = members.read(strip_byte_order_mark(reply.body, &mut deviations));

    if let (Ok(()), Some((code, code_text))) = (&read, members.code()) {
        let clean = |text: Option<&'a str>| {
            let text = text.filter(|t| !rules.request.is_some_and(|r| r.is_echoed_in(t)));
            text.map(Untrusted::new)
        };
        return Err(ReplyError::Refused(Refused {
            status,
            code,
            code_text: Untrusted::new(code_text),
            description: clean(members.description()),
            uri: clean(members.error_uri()),
            retry_after: wait,
        }));
    }
    if !matches!(status, 200..=299) {
        let spring_boot = read.is_ok() && members.is_spring_boot();
        let body = if spring_boot { BodyKind::SpringBoot } else { start.kind(content_type) };
        return Err(ReplyError::Status(Status { status, body, retry_after: wait }));
    }
    if let Err(e) = read {
        return Err(ReplyError::Malformed(match (e, start.kind(content_type)) {
            (MembersError::Duplicate, _) => Malformed::Duplicate,
            (MembersError::Json(_), kind @ (BodyKind::Empty | BodyKind::Html)) => Malformed::Body(kind),
            (MembersError::Json(e), _) => Malformed::Json(e),
        }));
    }
    if status != 200 {
        deviations.insert(Deviation::StatusNotOk);
    }
    match content_type {
        None => deviations.insert(Deviation::ContentTypeMissing),
        Some(value) if !is_json(value) => deviations.insert(Deviation::ContentType),
        Some(_) => {}
    }
    let response = members.token_response(rules, deviations, date).map_err(|e| match e {
        Unusable::Malformed(what) => ReplyError::Malformed(what),
        Unusable::TokenType => ReplyError::UnsupportedTokenType,
    })?;
    if let Some(deviation) = response.deviations.and(rules.fatal).iter().next() {
        return Err(ReplyError::Deviation(deviation));
    }
    if rules.shape != Shape::Any {
        rules.shape.check_bytes(response.access_token.expose_bytes()).map_err(ReplyError::Shape)?;
    }
    Ok(response)
}

fn strip_byte_order_mark<'a>(body: &'a mut [u8], deviations: &mut Deviations) -> &'a mut [u8] {
    if body.starts_with(b"\xEF\xBB\xBF") {
        deviations.insert(Deviation::ByteOrderMark);
        return body.get_mut(3..).unwrap_or_default();
    }
    body
}

/// The beginning of a body, kept to say what kind it was once it has been read.
struct Start([u8; 6]);

impl Start {
    fn of(body: &[u8]) -> Self {
        let mut start = [0; 6];
        let body = body.trim_ascii_start();
        for (to, from) in start.iter_mut().zip(body) {
            *to = *from;
        }
        Self(start)
    }

    fn kind(&self, content_type: Option<&[u8]>) -> BodyKind {
        let is = |media_type: &str| content_type.is_some_and(|value| is_media_type(value, media_type.as_bytes()));
        let html = self.0.starts_with(b"<!") || self.0.get(..5).is_some_and(|b| b.eq_ignore_ascii_case(b"<html"));
        match self.0.first() {
            // No text begins with NUL, which stands for the end here.
            None | Some(0) => BodyKind::Empty,
            _ if is("application/problem+json") => BodyKind::Problem,
            _ if is("text/html") || html => BodyKind::Html,
            Some(b'{') => BodyKind::Json,
            _ => BodyKind::Other,
        }
    }
}

fn is_json(content_type: &[u8]) -> bool {
    is_media_type(content_type, b"application/json") || {
        let media_type = content_type.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        media_type.len() > 5 && media_type.iter().rev().zip(b"nosj+").all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

/// Whether a `Content-Type` is of this media type, whatever its parameters.
fn is_media_type(content_type: &[u8], media_type: &[u8]) -> bool {
    let (is, after) = content_type.split_at_checked(media_type.len()).unwrap_or_default();
    (is == media_type || is.eq_ignore_ascii_case(media_type))
        && matches!(after.trim_ascii_start().first(), None | Some(b';'))
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("deviations", &self.deviations)
            .finish_non_exhaustive()
    }
}
