//! The authorization grants a program can present (RFC 6749 section 1.3).
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use crate::secret::Secret;
use crate::value::{Field, InvalidValue, Problem, check_some_text};

/// What the token is asked for with: `grant_type` and the parameters that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a>(pub(crate) Kind<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    ClientCredentials { operator: Option<&'a str> },
    Password { username: &'a str, password: Secret<'a> },
    OperatorPassword { username: &'a str, password: Secret<'a> },
    RefreshToken { refresh_token: Secret<'a> },
    Extension { grant_type: &'a str, user: Option<(&'a str, Secret<'a>)> },
}

impl<'a> Grant<'a> {
    /// `client_credentials` (RFC 6749 section 4.4).
    pub const fn client_credentials() -> Self {
        Self(Kind::ClientCredentials { operator: None })
    }

    /// `client_credentials` on behalf of a Rator operator: newer versions want `operator` beside it.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty name or a control character in it.
    pub const fn client_credentials_for(operator: &'a str) -> Result<Self, InvalidValue> {
        match check_some_text(Field::Operator, operator) {
            Ok(()) => Ok(Self(Kind::ClientCredentials { operator: Some(operator) })),
            Err(e) => Err(e),
        }
    }

    /// `password` (RFC 6749 section 4.3).
    ///
    /// RFC 9700 section 2.4 forbids this grant to new systems, because it hands the user's password to the client. It
    /// is here because the Rator REST API has no other way for an end user.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty name, or a control character other than TAB in either.
    pub const fn password(username: &'a str, password: Secret<'a>) -> Result<Self, InvalidValue> {
        match check_user(username, password) {
            Ok(()) => Ok(Self(Kind::Password { username, password })),
            Err(e) => Err(e),
        }
    }

    /// `operator_password`, the Rator REST API's password grant for its operators.
    ///
    /// # Errors
    ///
    /// As [`password`](Self::password).
    pub const fn operator_password(username: &'a str, password: Secret<'a>) -> Result<Self, InvalidValue> {
        match check_user(username, password) {
            Ok(()) => Ok(Self(Kind::OperatorPassword { username, password })),
            Err(e) => Err(e),
        }
    }

    /// `refresh_token` (RFC 6749 section 6).
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty token or a control character in it.
    pub const fn refresh_token(refresh_token: Secret<'a>) -> Result<Self, InvalidValue> {
        match check_some_text(Field::RefreshToken, refresh_token.expose()) {
            Ok(()) => Ok(Self(Kind::RefreshToken { refresh_token })),
            Err(e) => Err(e),
        }
    }

    /// An extension grant (RFC 6749 section 4.5), usually named by an absolute URI. Its parameters are the request's
    /// extra parameters.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for a name with characters that neither a URI nor a grant name (RFC 6749 appendix A.10) has.
    pub const fn extension(grant_type: &'a str) -> Result<Self, InvalidValue> {
        let b = grant_type.as_bytes();
        if b.is_empty() {
            return Err(InvalidValue::new(Field::GrantType, Problem::Empty));
        }
        let mut i = 0;
        while i < b.len() {
            if !matches!(b[i], b'!' | b'#'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~') {
                return Err(InvalidValue::new(Field::GrantType, Problem::IllegalCharacter));
            }
            i += 1;
        }
        Ok(Self(Kind::Extension { grant_type, user: None }))
    }

    /// An extension grant that takes `username` and `password`, as `operator_password` does.
    ///
    /// # Errors
    ///
    /// As [`extension`](Self::extension) and [`password`](Self::password).
    pub const fn extension_for(
        grant_type: &'a str,
        username: &'a str,
        password: Secret<'a>,
    ) -> Result<Self, InvalidValue> {
        if let Err(e) = Self::extension(grant_type) {
            return Err(e);
        }
        match check_user(username, password) {
            Ok(()) => Ok(Self(Kind::Extension { grant_type, user: Some((username, password)) })),
            Err(e) => Err(e),
        }
    }

    /// The value of `grant_type`.
    pub const fn grant_type(&self) -> &'a str {
        match self.0 {
            Kind::ClientCredentials { .. } => "client_credentials",
            Kind::Password { .. } => "password",
            Kind::OperatorPassword { .. } => "operator_password",
            Kind::RefreshToken { .. } => "refresh_token",
            Kind::Extension { grant_type, .. } => grant_type,
        }
    }

    /// Whether a refresh token in the answer is worth keeping.
    ///
    /// Not with client credentials: the same request can be made again at any time, and RFC 6749 section 4.4.3 says
    /// that no refresh token should come.
    pub const fn uses_refresh_token(&self) -> bool {
        !matches!(self.0, Kind::ClientCredentials { .. })
    }
}

const fn check_user(username: &str, password: Secret<'_>) -> Result<(), InvalidValue> {
    match check_some_text(Field::Username, username) {
        Ok(()) => crate::value::check_text(Field::Password, password.expose()),
        Err(e) => Err(e),
    }
}
