//! Why there is no token, sorted by who can do something about it.

use crate::config::ConfigError;
use crate::secret::SecretError;
use gatekeeper_proto::{BasicEncoding, ErrorCode, Failure, InvalidValue, ReplyError, Wait};
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no token. Cloning it copies a pointer, since everybody who waited for the same request gets it.
///
/// It holds no token, no secret and no body. [`fmt::Display`] says what happened, [`advice`](Self::advice) what to do.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    advice: Option<String>,
    code: Option<ErrorCode>,
    status: Option<u16>,
    retry_in: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Who can do something about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller: a value that may not be sent.
    Configuration,
    /// The network: no connection, or a broken one.
    Network,
    /// The operator: the server understood the request and refused it.
    Refused,
    /// The operator: a secret cannot be read.
    Secret,
    /// The server: it is in trouble, or does not speak OAuth.
    Server,
    /// Nobody: the answer did not come in time.
    TimedOut,
    /// The operator: the server's certificate is not trusted.
    Tls,
    /// Nobody: the source waits before it asks again, longer than the caller would.
    Waiting,
}

/// How a transport failed, for drivers to report.
#[derive(Debug)]
pub struct TransportError {
    /// [`ErrorKind::Network`], [`ErrorKind::TimedOut`] or [`ErrorKind::Tls`].
    pub kind: ErrorKind,
    /// Whether the request may have reached the server.
    pub may_have_arrived: bool,
    /// What happened, without anything secret.
    pub message: String,
    /// The transport's own error.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Who can do something about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do next, if there is anything to say.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// The OAuth error code, if the server gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        self.0.code
    }

    /// The HTTP status of the token endpoint's answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How long the source waits before it asks the server again, if it does by itself.
    pub fn retry_in(&self) -> Option<Duration> {
        self.0.retry_in
    }

    /// An error of a driver's own.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            advice: None,
            code: None,
            status: None,
            retry_in: None,
            source: None,
        }))
    }

    /// The caller's own deadline passed while somebody was fetching.
    pub fn timed_out() -> Self {
        Self::new(ErrorKind::TimedOut, "no token came before the caller's deadline")
    }

    pub(crate) fn of_reply(error: &ReplyError<'_>, encoding: Option<(BasicEncoding, bool)>) -> Self {
        let refusal = error.refusal();
        let kind = if error.is_retryable() || matches!(error, ReplyError::Malformed(_)) {
            ErrorKind::Server
        } else {
            ErrorKind::Refused
        };
        Self(Arc::new(Inner {
            kind,
            message: error.to_string(),
            advice: advice(error, refusal, encoding),
            code: refusal.or(match error {
                ReplyError::Refused(refused) => Some(refused.code),
                _ => None,
            }),
            status: error.status(),
            retry_in: error.retry_after(),
            source: None,
        }))
    }

    pub(crate) fn of_transport(error: TransportError) -> Self {
        let advice = match error.kind {
            ErrorKind::Tls => {
                Some("check the host name, the clock, and whether a private CA has to be trusted (--ca-file)")
            }
            ErrorKind::Network => Some("check the URL, the network, name resolution and proxies"),
            ErrorKind::TimedOut => Some("check the network, or allow more time"),
            _ => None,
        };
        Self(Arc::new(Inner {
            kind: error.kind,
            message: error.message,
            advice: advice.map(str::to_owned),
            code: None,
            status: None,
            retry_in: None,
            source: error.source,
        }))
    }

    /// The source waits, because of `why` and of what happened before.
    pub(crate) fn waiting(why: Wait, retry_in: Duration, cause: Option<&Error>) -> Self {
        let because = match why {
            Wait::Backoff => "after a failure",
            Wait::Budget => "because the request budget is used up",
            Wait::InFlight => "for a request in flight",
            Wait::MinInterval => "between two requests",
            Wait::NoProgress => "because the server gave no token that can be used",
            Wait::Rejected => "because the API rejected one new token after the other",
            Wait::RetryAfter => "because the server asked for it",
        };
        let mut message = format!("no token for the next {}, {because}", seconds(retry_in));
        if let Some(cause) = cause {
            message = format!("{message}; last: {cause}");
        }
        Self(Arc::new(Inner {
            kind: cause.map_or(ErrorKind::Waiting, |cause| cause.kind()),
            message,
            advice: cause.and_then(|cause| cause.advice().map(str::to_owned)),
            code: cause.and_then(Self::code),
            status: cause.and_then(Self::status),
            retry_in: Some(retry_in),
            source: cause.map(|cause| Box::new(cause.clone()) as Box<dyn StdError + Send + Sync>),
        }))
    }

    /// The same error, with the time after which the server is asked again.
    pub(crate) fn with_retry_in(&self, retry_in: Option<Duration>) -> Self {
        Self(Arc::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            advice: self.0.advice.clone(),
            code: self.0.code,
            status: self.0.status,
            retry_in,
            source: Some(Box::new(self.clone())),
        }))
    }
}

impl From<ConfigError> for Error {
    fn from(e: ConfigError) -> Self {
        match e {
            ConfigError::Secret(e) => e.into(),
            e => Self::new(ErrorKind::Configuration, e.to_string()),
        }
    }
}

impl From<InvalidValue> for Error {
    fn from(e: InvalidValue) -> Self {
        Self::new(ErrorKind::Configuration, e.to_string())
    }
}

impl From<SecretError> for Error {
    fn from(e: SecretError) -> Self {
        Self::new(ErrorKind::Secret, e.to_string())
    }
}

impl From<TransportError> for Error {
    fn from(e: TransportError) -> Self {
        Self::of_transport(e)
    }
}

impl TransportError {
    /// What it means for the next attempt.
    pub(crate) fn failure(&self) -> Failure {
        if self.may_have_arrived { Failure::AMBIGUOUS } else { Failure::TRANSIENT }
    }
}

/// What to do about a reply, in words for a person.
fn advice(error: &ReplyError<'_>, code: Option<ErrorCode>, encoding: Option<(BasicEncoding, bool)>) -> Option<String> {
    let text = match (error, code) {
        (ReplyError::Refused(_) | ReplyError::Status(_), Some(code)) if code.is_about_credentials() => {
            let text = "check client id and secret";
            return Some(match other_encoding(encoding) {
                Some(note) => format!("{text}; {note}"),
                None => text.to_owned(),
            });
        }
        (_, Some(ErrorCode::InvalidGrant)) => {
            "check user name and password, or the refresh token; with AWS Cognito, whether the grant is enabled for the app client"
        }
        (_, Some(ErrorCode::InvalidScope)) => "check the scope, and whether it is enabled for this client",
        (_, Some(ErrorCode::InvalidTarget)) => "check the resource or audience",
        (_, Some(ErrorCode::UnsupportedGrantType)) => "this server does not know the grant type: check --grant",
        (_, Some(ErrorCode::InvalidRequest)) => {
            if let Some(note) = other_encoding(encoding) {
                return Some(format!("check the profile and extra parameters; if it is about id and secret: {note}"));
            }
            "a parameter is missing or not known here: check the profile and extra parameters"
        }
        (ReplyError::Shape(_), _) => "the token is not a JWT: use another profile if this server gives opaque tokens",
        (ReplyError::UnsupportedTokenType, _) => "only Bearer tokens can be used",
        (ReplyError::Refused(_), None) if error.is_retryable() => "the server is in trouble: try again later",
        (ReplyError::Malformed(_), _) => "check that the token URL is the token endpoint and not a page",
        (ReplyError::Status(status), _) => match status.status {
            300..=399 => "redirects are not followed with credentials: use the URL it leads to",
            404 | 405 | 406 | 410 => "check the token URL",
            408 | 429 | 500.. => "try again later",
            _ => "check the token URL and the credentials",
        },
        _ => return None,
    };
    Some(text.to_owned())
}

/// That id or secret reads differently under the other `Basic` encoding, if it does.
fn other_encoding(encoding: Option<(BasicEncoding, bool)>) -> Option<String> {
    let (used, true) = encoding? else { return None };
    let (now, other) = match used {
        BasicEncoding::Raw => ("as they are", "form-urlencoded (form)"),
        BasicEncoding::Form | BasicEncoding::FormPlus => ("form-urlencoded", "as they are (raw)"),
    };
    Some(format!(
        "they hold characters that read differently under the two Basic encodings: they were sent {now}, and this server \
         may want them {other}"
    ))
}

fn seconds(d: Duration) -> String {
    if d < Duration::from_secs(10) { format!("{:.1} s", d.as_secs_f64()) } else { format!("{} s", d.as_secs()) }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("code", &self.0.code)
            .field("status", &self.0.status)
            .field("retry_in", &self.0.retry_in)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}
