//! The token that a driver hands out.

use crate::secret::SecretString;
use gatekeeper_proto::{Deviations, Generation, TokenResponse, UnixTime};
use std::fmt;
use std::sync::Arc;

/// An access token, ready to be used. Cloning it copies a pointer.
#[derive(Clone)]
pub struct Token {
    data: Arc<TokenData>,
    generation: Generation,
}

/// What a token endpoint granted. Two of them are equal if the access token is the same.
pub(crate) struct TokenData {
    /// `Bearer ` and the token: the value of an `Authorization` header.
    header: Arc<SecretString>,
    #[cfg(feature = "http")]
    authorization: http::HeaderValue,
    token_type: String,
    scope: Option<String>,
    pub(crate) refresh_token: Option<SecretString>,
    expires_in: Option<u64>,
    expires_at: Option<UnixTime>,
    deviations: Deviations,
}

const BEARER: &str = "Bearer ";

impl Token {
    pub(crate) fn new(data: Arc<TokenData>, generation: Generation) -> Self {
        Self { data, generation }
    }

    /// The access token. Do not log it.
    pub fn expose(&self) -> &str {
        self.data.header.expose().get(BEARER.len()..).unwrap_or_default()
    }

    /// The value of the `Authorization` header: `Bearer` and the token. It is a secret.
    pub fn header_value(&self) -> &str {
        self.data.header.expose()
    }

    /// The value of the `Authorization` header, ready and marked sensitive. Cloning it copies a pointer; the text is
    /// wiped when the last clone is dropped.
    #[cfg(feature = "http")]
    pub fn authorization(&self) -> &http::HeaderValue {
        &self.data.authorization
    }

    /// Which of its source's tokens this is. Give it to `invalidate` when the API rejects the token.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// `token_type` as the server wrote it.
    pub fn token_type(&self) -> &str {
        &self.data.token_type
    }

    /// The scope that was granted, where the server said so.
    pub fn scope(&self) -> Option<&str> {
        self.data.scope.as_deref()
    }

    /// `expires_in` as the server answered it, in seconds.
    pub fn expires_in(&self) -> Option<u64> {
        self.data.expires_in
    }

    /// When the token expires on the wall clock, as far as the server and the token say.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.data.expires_at
    }

    /// The refresh token that came with it. Sources use it themselves; it is here for programs that store it.
    pub fn refresh_token(&self) -> Option<&SecretString> {
        self.data.refresh_token.as_ref()
    }

    /// In what the server's answer differed from the specification.
    pub fn deviations(&self) -> Deviations {
        self.data.deviations
    }
}

impl TokenData {
    pub(crate) fn new(response: &TokenResponse<'_>, expires_at: Option<UnixTime>, keeps_refresh_token: bool) -> Self {
        let token = response.access_token.expose();
        // Made in one piece, so that no shorter copy is left behind in freed memory.
        let mut header = String::with_capacity(BEARER.len() + token.len());
        header.push_str(BEARER);
        header.push_str(token);
        let header = Arc::new(SecretString::new(header));
        Self {
            #[cfg(feature = "http")]
            authorization: header_value(&header),
            header,
            token_type: response.token_type.to_owned(),
            scope: response.scope.map(|s| s.as_str().to_owned()),
            refresh_token: response
                .refresh_token
                .filter(|_| keeps_refresh_token)
                .map(|t| SecretString::new(t.expose())),
            expires_in: response.expires_in,
            expires_at,
            deviations: response.deviations,
        }
    }
}

/// A header value that shares the text instead of copying it.
#[cfg(feature = "http")]
fn header_value(text: &Arc<SecretString>) -> http::HeaderValue {
    struct Shared(Arc<SecretString>);

    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            self.0.expose().as_bytes()
        }
    }

    let bytes = bytes::Bytes::from_owner(Shared(Arc::clone(text)));
    // The core lets no token through that cannot stand in a header.
    let value = http::HeaderValue::from_maybe_shared(bytes);
    let mut value = value.unwrap_or_else(|_| http::HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    value
}

impl PartialEq for TokenData {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("generation", &self.generation)
            .field("scope", &self.data.scope)
            .field("expires_at", &self.data.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenData").finish_non_exhaustive()
    }
}
