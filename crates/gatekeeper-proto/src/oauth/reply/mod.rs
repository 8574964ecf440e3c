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
    pub date: Option<UnixTime>,
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

    fn media_type(&self) -> Option<&'a [u8]> {
        Some(self.content_type?.split(|&b| b == b';').next().unwrap_or_default().trim_ascii())
    }
}

impl<'a> From<http1::Response<'a>> for Reply<'a> {
    fn from(response: http1::Response<'a>) -> Self {
        response
            .headers
            .fold(Self::new(response.status, response.body), |reply, (name, value)| reply.header(name, value))
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
    let date = reply.date.and_then(|value| retry_after::date(value, rules.now.unwrap_or_default()));
    let wait = reply.retry_after.and_then(|value| retry_after::parse(value, date.or(rules.now)));
    let status = reply.status;
    let media_type = reply.media_type();
    let kind = body_kind(reply.body, media_type);
    let mut deviations = Deviations::none();
    let members = Members::read(strip_byte_order_mark(reply.body, &mut deviations));

    if let Ok(members) = &members {
        if let Some((code, code_text)) = members.code() {
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
    }
    if !matches!(status, 200..=299) {
        let body = match &members {
            Ok(members) if members.is_spring_boot() => BodyKind::SpringBoot,
            _ => kind,
        };
        return Err(ReplyError::Status(Status { status, body, retry_after: wait }));
    }
    let members = members.map_err(|e| {
        ReplyError::Malformed(match (e, kind) {
            (MembersError::Duplicate, _) => Malformed::Duplicate,
            (MembersError::Json(_), BodyKind::Empty | BodyKind::Html) => Malformed::Body(kind),
            (MembersError::Json(e), _) => Malformed::Json(e),
        })
    })?;
    if status != 200 {
        deviations.insert(Deviation::StatusNotOk);
    }
    match media_type {
        None => deviations.insert(Deviation::ContentTypeMissing),
        Some(media_type) if !is_json(media_type) => deviations.insert(Deviation::ContentType),
        Some(_) => {}
    }
    let response = members.token_response(rules, deviations, date).map_err(|e| match e {
        Unusable::Malformed(what) => ReplyError::Malformed(what),
        Unusable::TokenType => ReplyError::UnsupportedTokenType,
    })?;
    if let Some(deviation) = response.deviations.iter().find(|d| rules.fatal.contains(*d)) {
        return Err(ReplyError::Deviation(deviation));
    }
    rules.shape.check(response.access_token.expose()).map_err(ReplyError::Shape)?;
    Ok(response)
}

fn strip_byte_order_mark<'a>(body: &'a mut [u8], deviations: &mut Deviations) -> &'a mut [u8] {
    if body.starts_with(b"\xEF\xBB\xBF") {
        deviations.insert(Deviation::ByteOrderMark);
        return body.get_mut(3..).unwrap_or_default();
    }
    body
}

fn is_json(media_type: &[u8]) -> bool {
    media_type.eq_ignore_ascii_case(b"application/json") || ends_with(media_type, b"+json")
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len().checked_sub(end.len()).and_then(|at| text.get(at..)).is_some_and(|t| t.eq_ignore_ascii_case(end))
}

fn body_kind(body: &[u8], media_type: Option<&[u8]>) -> BodyKind {
    let body = body.trim_ascii_start();
    match media_type {
        _ if body.is_empty() => BodyKind::Empty,
        Some(t) if t.eq_ignore_ascii_case(b"application/problem+json") => BodyKind::Problem,
        Some(t) if t.eq_ignore_ascii_case(b"text/html") => BodyKind::Html,
        _ if body.starts_with(b"{") => BodyKind::Json,
        _ if body.starts_with(b"<!") || body.get(..5).is_some_and(|b| b.eq_ignore_ascii_case(b"<html")) => {
            BodyKind::Html
        }
        _ => BodyKind::Other,
    }
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
