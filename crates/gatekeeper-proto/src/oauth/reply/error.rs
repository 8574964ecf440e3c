//! Why a token endpoint's answer grants nothing, sorted by who can do something about it.

use crate::oauth::deviation::Deviation;
use crate::oauth::error_code::ErrorCode;
use crate::oauth::jwt::TokenShapeError;
use crate::oauth::untrusted::Untrusted;
use crate::wire::json;
use core::fmt;
use core::time::Duration;

/// Why an answer grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError<'a> {
    /// A deviation that the rules make fatal.
    Deviation(Deviation),
    /// A 2xx that is no token response.
    Malformed(Malformed),
    /// The server said no, with a code.
    Refused(Refused<'a>),
    /// The token does not have the shape that the rules ask for.
    Shape(TokenShapeError),
    /// The answer is not a success and carries no OAuth error code.
    Status(Status),
    /// A token of a type the client cannot use (RFC 6749 section 7.1).
    UnsupportedTokenType,
}

/// An OAuth error answer (RFC 6749 section 5.2), whatever its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What the code means.
    pub code: ErrorCode,
    /// The code as the server wrote it.
    pub code_text: Untrusted<'a>,
    /// The server's explanation, withheld if it echoes a secret of the request.
    pub description: Option<Untrusted<'a>>,
    /// A page about the error.
    pub uri: Option<Untrusted<'a>>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// An answer that is neither a success nor an OAuth error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// The HTTP status.
    pub status: u16,
    /// What kind of body came with it.
    pub body: BodyKind,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// The kind of a body that holds neither token nor error code: often the best hint at who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BodyKind {
    /// No bytes.
    Empty,
    /// A page: usually a proxy, a firewall or a login form.
    Html,
    /// JSON without an error code.
    Json,
    /// Problem details (RFC 9457).
    Problem,
    /// Spring Boot's error attributes, whose `error` is a reason phrase.
    SpringBoot,
    /// Something else.
    Other,
}

/// What makes a 2xx unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Malformed {
    /// `access_token` is missing, empty or no string.
    AccessToken,
    /// `access_token` has characters that cannot stand in a header.
    AccessTokenCharacters,
    /// The body is of this kind.
    Body(BodyKind),
    /// A member that matters came twice.
    Duplicate,
    /// `error` is there and is no code.
    ErrorMember,
    /// `expires_in` is no number of seconds.
    ExpiresIn,
    /// The body is no JSON object.
    Json(json::Error),
    /// `refresh_token` is no string or has characters that no token has.
    RefreshToken,
    /// `scope` is neither a string nor an array of strings.
    Scope,
    /// `token_type` is no string.
    TokenType,
}

impl ReplyError<'_> {
    /// Whether the same request can succeed later without anybody changing anything.
    ///
    /// 408, 425, 429, 502, 503 and 504 say so themselves, whatever code they carry: gateways put `invalid_request` into
    /// a 429. Other 5xx are trouble at the server unless the code says that it understood and refused. What is broken
    /// rather than refused is retryable.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(refused) => match refused.status {
                408 | 425 | 429 | 502..=504 => true,
                status => refused.code.is_transient() || (status >= 500 && refused.code == ErrorCode::Other),
            },
            Self::Status(status) => matches!(status.status, 408 | 425 | 429 | 500..),
            Self::Malformed(_) => true,
            Self::Deviation(_) | Self::Shape(_) | Self::UnsupportedTokenType => false,
        }
    }

    /// How long the server asks to wait. It is honoured on any status.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refused) => refused.retry_after,
            Self::Status(status) => status.retry_after,
            Self::Deviation(_) | Self::Malformed(_) | Self::Shape(_) | Self::UnsupportedTokenType => None,
        }
    }

    /// The HTTP status, where it is part of the reason.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refused) => Some(refused.status),
            Self::Status(status) => Some(status.status),
            Self::Deviation(_) | Self::Malformed(_) | Self::Shape(_) | Self::UnsupportedTokenType => None,
        }
    }

    /// The code of a refusal that stands until somebody changes something; `None` for trouble that may pass.
    ///
    /// Only what is positively known is a refusal: a code the server gave, a token that cannot be used, and a bare 401,
    /// which is what token endpoints without OAuth errors answer to wrong credentials (profile `oauth-v2`). A page from
    /// a firewall is none, whatever its status.
    pub fn refusal(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refused) if !self.is_retryable() => Some(refused.code),
            Self::Status(Status { status: 401, .. }) => Some(ErrorCode::Unauthorized),
            Self::Deviation(_) | Self::Shape(_) | Self::UnsupportedTokenType => Some(ErrorCode::UnusableToken),
            Self::Refused(_) | Self::Status(_) | Self::Malformed(_) => None,
        }
    }
}

impl BodyKind {
    /// What it is, in a word or two.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "an empty body",
            Self::Html => "an HTML page",
            Self::Json => "JSON without an OAuth error code",
            Self::Problem => "problem details",
            Self::SpringBoot => "a Spring Boot error body",
            Self::Other => "a body that is not JSON",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessToken => "access_token is missing or not a string",
            Self::AccessTokenCharacters => "access_token has characters that no token has",
            Self::Body(kind) => kind.text(),
            Self::Duplicate => "a member came twice",
            Self::ErrorMember => "an error member that is no code",
            Self::ExpiresIn => "expires_in is not a number of seconds",
            Self::Json(e) => return write!(f, "not a JSON object: {e}"),
            Self::RefreshToken => "refresh_token is not a token",
            Self::Scope => "scope is not a list of scopes",
            Self::TokenType => "token_type is not a string",
        })
    }
}

impl fmt::Display for ReplyError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deviation(deviation) => write!(f, "the token response is not accepted: {}", deviation.text()),
            Self::Malformed(what) => write!(f, "the success answer is no token response: {what}"),
            Self::Refused(refused) => {
                write!(f, "the token endpoint refused: {} (HTTP {})", refused.code_text, refused.status)?;
                match &refused.description {
                    Some(description) => write!(f, ": {description}"),
                    None => Ok(()),
                }
            }
            Self::Shape(e) => write!(f, "the access token is not accepted: {e}"),
            Self::Status(status) => {
                write!(f, "the token endpoint answered HTTP {} with {}", status.status, status.body.text())
            }
            Self::UnsupportedTokenType => f.write_str("the token is of a type other than Bearer"),
        }
    }
}

impl core::error::Error for ReplyError<'_> {}
