//! OAuth error codes.

/// What a token endpoint's `error` says.
///
/// The Gatekeeper proxy writes the same codes with hyphens in `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ErrorCode {
    /// `access_denied` (RFC 6749 section 4.1.2.1; Auth0 for a wrong secret).
    AccessDenied,
    /// `insufficient_scope` (RFC 6750 section 3.1).
    InsufficientScope,
    /// `invalid_client`: who asks is not believed.
    InvalidClient,
    /// `invalid_grant`: password, refresh token or assertion is wrong or has expired.
    InvalidGrant,
    /// `invalid_request`: a parameter is missing, repeated or unknown.
    InvalidRequest,
    /// `invalid_scope`.
    InvalidScope,
    /// `invalid_target` (RFC 8707 section 2).
    InvalidTarget,
    /// `invalid_token` (RFC 6750 section 3.1; Spring for a refresh token that has expired).
    InvalidToken,
    /// A code without a name here.
    Other,
    /// `server_error`.
    ServerError,
    /// `slow_down` (RFC 8628 section 3.5) and its likes, such as Auth0's `too_many_requests`.
    SlowDown,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// `unauthorized_client`: this client may not use this grant; with Keycloak, a wrong secret.
    UnauthorizedClient,
    /// `unauthorized` (Spring), and an answer 401 without any code.
    Unauthorized,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// No code of the server's: it granted a token that the rules do not let through.
    UnusableToken,
}

impl ErrorCode {
    /// The code that `text` names, hyphens being as good as underscores.
    pub(crate) fn of(text: &str) -> Self {
        CODES.iter().find(|(name, _)| same(name, text)).map_or(Self::Other, |(_, code)| *code)
    }

    /// The code's name, as RFC 6749 writes it.
    pub fn name(self) -> &'static str {
        CODES.iter().find(|(_, code)| *code == self).map_or("other", |(name, _)| name)
    }

    /// Whether the server says that it might grant the same request later.
    pub(crate) const fn is_transient(self) -> bool {
        matches!(self, Self::ServerError | Self::SlowDown | Self::TemporarilyUnavailable)
    }

    /// Whether the client's own credentials are at fault, so that a newer secret would help.
    pub const fn is_about_credentials(self) -> bool {
        matches!(self, Self::AccessDenied | Self::InvalidClient | Self::Unauthorized | Self::UnauthorizedClient)
    }
}

/// The first name of each code is the one it is shown by.
const CODES: [(&str, ErrorCode); 16] = [
    ("access_denied", ErrorCode::AccessDenied),
    ("insufficient_scope", ErrorCode::InsufficientScope),
    ("invalid_client", ErrorCode::InvalidClient),
    ("invalid_grant", ErrorCode::InvalidGrant),
    ("invalid_request", ErrorCode::InvalidRequest),
    ("invalid_scope", ErrorCode::InvalidScope),
    ("invalid_target", ErrorCode::InvalidTarget),
    ("invalid_token", ErrorCode::InvalidToken),
    ("server_error", ErrorCode::ServerError),
    ("slow_down", ErrorCode::SlowDown),
    ("too_many_requests", ErrorCode::SlowDown),
    ("temporarily_unavailable", ErrorCode::TemporarilyUnavailable),
    ("unauthorized_client", ErrorCode::UnauthorizedClient),
    ("unauthorized", ErrorCode::Unauthorized),
    ("unsupported_grant_type", ErrorCode::UnsupportedGrantType),
    ("unusable_token", ErrorCode::UnusableToken),
];

fn same(name: &str, text: &str) -> bool {
    name.len() == text.len() && name.bytes().zip(text.bytes()).all(|(n, t)| n == if t == b'-' { b'_' } else { t })
}
