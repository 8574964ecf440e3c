//! What an API's answer means, in the words of the Gatekeeper Web SDK's error reference.
//!
//! Beside the token endpoint's reply, this is the only file of the core that names status codes.

use core::fmt;

/// Why an API call failed. Only [`AuthenticationFailed`](Self::AuthenticationFailed) is cured by a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ApiFailure {
    /// 401: the token has expired or is not valid. Fetch a new one and repeat the call once.
    AuthenticationFailed,
    /// 403: the token is good and does not allow this. A new one will not either.
    AuthorizationFailed,
    /// The API key is missing or wrong. No token helps.
    InvalidApiKey,
    /// A success without the members it must have.
    InvalidResponseError,
    /// The call did not reach the API, or its answer did not arrive.
    NetworkError,
    /// The register answer named no checks, so `check` has nothing to do.
    NoCheckFound,
    /// 5xx.
    ServerError,
    /// Any other answer that is no success.
    UnknownError,
}

impl ApiFailure {
    /// What the answer of an API means; `None` is success.
    ///
    /// 401 and 403 are about the API key if their body mentions one.
    ///
    /// ```
    /// use gatekeeper_proto::ApiFailure;
    ///
    /// assert_eq!(ApiFailure::of(204, b""), None);
    /// assert_eq!(ApiFailure::of(401, b""), Some(ApiFailure::AuthenticationFailed));
    /// assert_eq!(ApiFailure::of(403, br#"{"message":"Forbidden"}"#), Some(ApiFailure::AuthorizationFailed));
    /// assert_eq!(ApiFailure::of(403, br#"{"message":"Invalid API key"}"#), Some(ApiFailure::InvalidApiKey));
    /// ```
    pub fn of(status: u16, body: &[u8]) -> Option<Self> {
        match status {
            200..=299 => None,
            401 | 403 if mentions_api_key(body) => Some(Self::InvalidApiKey),
            401 => Some(Self::AuthenticationFailed),
            403 => Some(Self::AuthorizationFailed),
            500.. => Some(Self::ServerError),
            _ => Some(Self::UnknownError),
        }
    }

    /// Whether an answer with this status can be told apart by its head alone; if not, [`of`](Self::of) wants to see
    /// the beginning of the body.
    pub const fn needs_body(status: u16) -> bool {
        matches!(status, 401 | 403)
    }

    /// Whether a new token cures it.
    pub const fn wants_new_token(self) -> bool {
        matches!(self, Self::AuthenticationFailed)
    }

    /// The Web SDK's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::AuthorizationFailed => "AuthorizationFailed",
            Self::InvalidApiKey => "InvalidApiKey",
            Self::InvalidResponseError => "InvalidResponseError",
            Self::NetworkError => "NetworkError",
            Self::NoCheckFound => "NoCheckFound",
            Self::ServerError => "ServerError",
            Self::UnknownError => "UnknownError",
        }
    }
}

/// Whether the text speaks of an API key, in any case and however the two words are joined.
fn mentions_api_key(body: &[u8]) -> bool {
    body.windows(6).enumerate().any(|(at, window)| {
        let Some((api, rest)) = window.split_at_checked(3) else { return false };
        if !api.eq_ignore_ascii_case(b"api") {
            return false;
        }
        let joined = rest.eq_ignore_ascii_case(b"key");
        let apart = body.get(at + 3).is_some_and(|b| matches!(b, b' ' | b'-' | b'_'))
            && body.get(at + 4..at + 7).is_some_and(|key| key.eq_ignore_ascii_case(b"key"));
        joined || apart
    })
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for ApiFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (status, want) in [
            (200, None),
            (299, None),
            (302, Some(ApiFailure::UnknownError)),
            (400, Some(ApiFailure::UnknownError)),
            (401, Some(ApiFailure::AuthenticationFailed)),
            (403, Some(ApiFailure::AuthorizationFailed)),
            (404, Some(ApiFailure::UnknownError)),
            (429, Some(ApiFailure::UnknownError)),
            (500, Some(ApiFailure::ServerError)),
            (599, Some(ApiFailure::ServerError)),
            (999, Some(ApiFailure::ServerError)),
        ] {
            assert_eq!(ApiFailure::of(status, b""), want, "{status}");
        }
    }

    #[test]
    fn api_keys_are_recognised_in_every_spelling() {
        for body in ["apikey", "api key", "API-Key", "x-api-key", "\"api_key\"", "Missing ApiKey!"] {
            for status in [401, 403] {
                assert_eq!(ApiFailure::of(status, body.as_bytes()), Some(ApiFailure::InvalidApiKey), "{body}");
            }
            assert_eq!(ApiFailure::of(400, body.as_bytes()), Some(ApiFailure::UnknownError));
        }
        for body in ["api", "apike", "api  key", "api token, key", "monkey"] {
            assert_eq!(ApiFailure::of(403, body.as_bytes()), Some(ApiFailure::AuthorizationFailed), "{body}");
        }
    }
}
