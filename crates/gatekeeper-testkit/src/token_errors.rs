//! How the token endpoint says no.

use crate::answer::{Answer, JsonObject, reason};
use crate::settings::TokenErrors;

/// Why a token request is refused.
pub(crate) enum Refusal {
    Method,
    ContentType,
    NotAcceptable,
    InvalidRequest(String),
    /// No client authentication at all.
    NoCredentials,
    InvalidClient {
        by_header: bool,
    },
    UnauthorizedClient,
    UnsupportedGrant(String),
    InvalidGrant(String),
    InvalidScope,
    /// A refresh token whose time is over.
    RefreshExpired(String),
}

impl Refusal {
    pub(crate) fn request(why: impl Into<String>) -> Self {
        Self::InvalidRequest(why.into())
    }

    pub(crate) fn render(&self, shape: TokenErrors) -> Answer {
        let answer = match shape {
            TokenErrors::Cognito => self.cognito(),
            TokenErrors::GatekeeperProxy => self.proxy(),
            TokenErrors::Rfc6749 => self.rfc6749(),
            TokenErrors::Spring => self.spring(),
        };
        answer.header("Cache-Control", "no-store").header("Pragma", "no-cache")
    }

    /// The code of RFC 6749, section 5.2.
    fn code(&self) -> &'static str {
        match self {
            Self::Method | Self::ContentType | Self::NotAcceptable | Self::InvalidRequest(_) => "invalid_request",
            Self::NoCredentials | Self::InvalidClient { .. } => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrant(_) => "unsupported_grant_type",
            Self::InvalidGrant(_) | Self::RefreshExpired(_) => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
        }
    }

    fn description(&self) -> String {
        match self {
            Self::Method => "the token endpoint takes POST only".into(),
            Self::ContentType => "the body must be a form".into(),
            Self::NotAcceptable => "only JSON is on offer".into(),
            Self::InvalidRequest(why) | Self::InvalidGrant(why) => why.clone(),
            Self::NoCredentials => "client authentication is missing".into(),
            Self::InvalidClient { .. } => "client authentication failed".into(),
            Self::UnauthorizedClient => "this client may not use this grant".into(),
            Self::UnsupportedGrant(_) => "this grant is not known here".into(),
            Self::InvalidScope => "a scope is not known here".into(),
            Self::RefreshExpired(_) => "the refresh token has expired".into(),
        }
    }

    fn cognito(&self) -> Answer {
        match self {
            Self::Method | Self::ContentType => Answer::new(405),
            _ => {
                let body = JsonObject::new().string("error", self.code()).end();
                Answer::json(400, body)
            }
        }
    }

    fn proxy(&self) -> Answer {
        let (status, code) = match self {
            Self::Method => (405, "invalid-request"),
            Self::ContentType => (415, "invalid-request"),
            Self::NotAcceptable | Self::InvalidRequest(_) | Self::InvalidScope => (400, "invalid-request"),
            Self::NoCredentials | Self::InvalidClient { .. } => (401, "invalid-client"),
            Self::UnauthorizedClient => (401, "unauthorized-client"),
            Self::UnsupportedGrant(_) => (400, "unsupported-grant-type"),
            Self::InvalidGrant(_) | Self::RefreshExpired(_) => (401, "invalid-grant"),
        };
        proxy_error(status, code, &self.description())
    }

    fn rfc6749(&self) -> Answer {
        let status = match self {
            Self::Method => 405,
            Self::ContentType => 415,
            Self::NotAcceptable => 406,
            Self::NoCredentials | Self::InvalidClient { .. } => 401,
            _ => 400,
        };
        let answer = oauth_error(status, self.code(), &self.description());
        match self {
            Self::Method => answer.header("Allow", "POST"),
            // The MUST of section 5.2 is about clients that used the Authorization header; one that
            // sent nothing needs to be told as well.
            Self::NoCredentials | Self::InvalidClient { by_header: true } => {
                answer.header("WWW-Authenticate", "Basic realm=\"token\", charset=\"UTF-8\"")
            }
            _ => answer,
        }
    }

    fn spring(&self) -> Answer {
        const CHALLENGE: &str = "Basic realm=\"oauth2/client\"";
        match self {
            Self::Method => {
                let why = "Request method 'GET' not supported";
                oauth_error(405, "method_not_allowed", why).header("Allow", "POST")
            }
            Self::NotAcceptable => Answer::new(406),
            Self::NoCredentials => {
                let why = "Full authentication is required to access this resource";
                oauth_error(401, "unauthorized", why).header("WWW-Authenticate", CHALLENGE)
            }
            Self::InvalidClient { .. } => {
                oauth_error(401, "invalid_client", "Bad client credentials").header("WWW-Authenticate", CHALLENGE)
            }
            Self::UnauthorizedClient => oauth_error(401, "unauthorized_client", "Unauthorized grant type"),
            Self::UnsupportedGrant(name) => {
                let why = format!("Unsupported grant type: {name}");
                oauth_error(400, "unsupported_grant_type", &why)
            }
            // Not `invalid_grant`: Spring treats it as a token that is no longer valid, and repeats
            // the token in its description.
            Self::RefreshExpired(token) => {
                let why = format!("Invalid refresh token (expired): {token}");
                oauth_error(401, "invalid_token", &why)
            }
            _ => oauth_error(400, self.code(), &self.description()),
        }
    }
}

/// The body that a system's token endpoint or API gives with a status of its own trouble.
pub(crate) fn failure(shape: TokenErrors, status: u16, path: &str, unix_millis: u64) -> Answer {
    let body = match shape {
        TokenErrors::GatekeeperProxy => {
            let code = if status == 502 { "invalid-response" } else { "unknown" };
            return proxy_error(status, code, "the request could not be carried out");
        }
        // Spring Boot's error page, whose `error` is a phrase and no OAuth code.
        TokenErrors::Spring => JsonObject::new()
            .raw("timestamp", &unix_millis.to_string())
            .raw("status", &status.to_string())
            .string("error", reason(status))
            .string("message", "No message available")
            .string("path", path),
        // Amazon API Gateway's.
        TokenErrors::Cognito => {
            let message = match status {
                429 => "Too Many Requests",
                500 => "Internal server error",
                503 => "Service Unavailable",
                504 => "Endpoint request timed out",
                other => reason(other),
            };
            JsonObject::new().string("message", message)
        }
        TokenErrors::Rfc6749 => {
            JsonObject::new().string("error", "server_error").string("error_description", reason(status))
        }
    };
    Answer::json(status, body.end())
}

fn oauth_error(status: u16, code: &str, description: &str) -> Answer {
    let body = JsonObject::new().string("error", code).string("error_description", description).end();
    Answer::new(status).header("Content-Type", "application/json;charset=UTF-8").body(body)
}

fn proxy_error(status: u16, code: &str, description: &str) -> Answer {
    let body = JsonObject::new().string("error_code", code).string("description", description).end();
    Answer::json(status, body)
}
