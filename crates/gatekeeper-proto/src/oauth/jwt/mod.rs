//! The outside of a JWT, and its claims for display.
//!
//! Nothing here verifies anything: signature, issuer, audience and time are the resource server's business (RFC 8725).
//! Claims are what the token says about itself. They may shorten a deadline and never prolong one.

mod times;

pub use self::times::Times;

use crate::class::{base64url_run_end, find};
use crate::time::UnixTime;
use crate::wire::json::{self, Object, Value};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use core::fmt;

/// The shape an access token must have before it is used.
///
/// Only the Gatekeeper systems promise JWTs. Elsewhere a token is opaque and [`Any`](Self::Any) is the only right
/// choice: a JWE has five parts, and opaque tokens may have dots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Shape {
    /// Any text that can stand in a header.
    #[default]
    Any,
    /// The Gatekeeper Web SDK's rule: trimmed, three parts between dots, none of them empty.
    ThreeParts,
    /// Three non-empty parts of base64url characters, nothing around them (RFC 7515 sections 2 and 7.1).
    Base64Url,
}

/// The Gatekeeper Web SDK's two names for a token that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TokenShapeError {
    /// Empty, or nothing but white space.
    InvalidAccessToken,
    /// Not three non-empty parts.
    InvalidAccessTokenFormat,
}

/// What an unverified token says about itself. For display, and to shorten a deadline.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Claims<'a> {
    /// `exp`: when the token says it expires.
    pub expires_at: Option<UnixTime>,
    /// `iat`: when the token says it was made.
    pub issued_at: Option<UnixTime>,
    /// `iss`
    pub issuer: Option<&'a str>,
    /// `scope`
    pub scope: Option<&'a str>,
    /// `client_id`
    pub client_id: Option<&'a str>,
    /// `token_use`, which AWS Cognito sets to `access` or `id`.
    pub token_use: Option<&'a str>,
}

/// Why no claims can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ClaimsError {
    /// The token is not three base64url parts, or its second part is no JSON object.
    NotAJwt,
    /// The scratch buffer is smaller than the second part decoded.
    TooSmall {
        /// A size that is enough.
        needed: usize,
    },
}

impl Shape {
    /// Checks a token's shape.
    ///
    /// ```
    /// use gatekeeper_proto::{Shape, TokenShapeError};
    ///
    /// assert_eq!(Shape::Base64Url.check("eyJhbGciOiJub25lIn0.e30."), Err(TokenShapeError::InvalidAccessTokenFormat));
    /// assert_eq!(Shape::ThreeParts.check(" \n"), Err(TokenShapeError::InvalidAccessToken));
    /// assert_eq!(Shape::Any.check("NgXCXRKc...Mz0Yjw="), Ok(()));
    /// ```
    ///
    /// # Errors
    ///
    /// [`TokenShapeError`] with the Web SDK's name for what is wrong.
    pub fn check(self, token: &str) -> Result<(), TokenShapeError> {
        self.check_bytes(token.as_bytes())
    }

    pub(crate) fn check_bytes(self, token: &[u8]) -> Result<(), TokenShapeError> {
        let good = match self {
            Self::Any => !is_blank(token),
            Self::ThreeParts => parts(trimmed(token)).is_some(),
            Self::Base64Url => base64url_parts(token).is_some(),
        };
        if good { Ok(()) } else { Err(TokenShapeError::of(token)) }
    }
}

impl TokenShapeError {
    /// What is wrong with a token that is not of the shape.
    fn of(token: &[u8]) -> Self {
        if is_blank(token) { Self::InvalidAccessToken } else { Self::InvalidAccessTokenFormat }
    }
}

impl<'a> Claims<'a> {
    /// Decodes the token's second part into `scratch` and reads the claims that are shown to people. A claim of an
    /// unexpected type is left out.
    ///
    /// # Errors
    ///
    /// [`ClaimsError`]; three quarters of the token's length are always enough for `scratch`.
    pub fn read(token: &str, scratch: &'a mut [u8]) -> Result<Self, ClaimsError> {
        let [_, payload, _] = parts(token.trim().as_bytes()).ok_or(ClaimsError::NotAJwt)?;
        let needed = payload.len() / 4 * 3 + 3;
        let len = BASE64URL.decode_slice(payload, scratch).map_err(|e| match e {
            base64::DecodeSliceError::OutputSliceTooSmall => ClaimsError::TooSmall { needed },
            base64::DecodeSliceError::DecodeError(_) => ClaimsError::NotAJwt,
        })?;
        let mut claims = Self::default();
        let mut object = Object::open(scratch.get_mut(..len).unwrap_or_default()).map_err(|_| ClaimsError::NotAJwt)?;
        while let Some((name, value)) = object.next().map_err(|_| ClaimsError::NotAJwt)? {
            match (name, value) {
                (b"exp", Value::Number(n)) => claims.expires_at = numeric_date(n.as_bytes()).map(UnixTime::from_secs),
                (b"iat", Value::Number(n)) => claims.issued_at = numeric_date(n.as_bytes()).map(UnixTime::from_secs),
                (b"iss", Value::String(s)) => claims.issuer = Some(s.as_str()),
                (b"scope", Value::String(s)) => claims.scope = Some(s.as_str()),
                (b"client_id", Value::String(s)) => claims.client_id = Some(s.as_str()),
                (b"token_use", Value::String(s)) => claims.token_use = Some(s.as_str()),
                _ => {}
            }
        }
        Ok(claims)
    }
}

/// base64url as JWTs have it: no padding; bits that encode nothing are not looked at (RFC 4648 section 3.5).
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The three parts, if there are exactly three and none is empty.
fn parts(token: &[u8]) -> Option<[&[u8]; 3]> {
    let first = find(token, 0, b'.')?;
    let second = find(token, first + 1, b'.')?;
    let parts = [token.get(..first)?, token.get(first + 1..second)?, token.get(second + 1..)?];
    (parts.iter().all(|part| !part.is_empty()) && find(token, second + 1, b'.').is_none()).then_some(parts)
}

/// White space as the Web SDK trims it is Unicode's, so it is looked for in the text and not in its bytes.
fn trimmed(token: &[u8]) -> &[u8] {
    core::str::from_utf8(token).map_or(token, |text| text.trim().as_bytes())
}

fn is_blank(token: &[u8]) -> bool {
    trimmed(token).is_empty()
}

/// The three parts, if there are exactly three and each is one or more base64url characters.
fn base64url_parts(token: &[u8]) -> Option<[&[u8]; 3]> {
    let mut parts = [&[][..]; 3];
    let mut begin = 0;
    for (n, part) in parts.iter_mut().enumerate() {
        let end = base64url_run_end(token, begin);
        let follows = if n < 2 { token.get(end) == Some(&b'.') } else { end == token.len() };
        if end == begin || !follows {
            return None;
        }
        *part = token.get(begin..end)?;
        begin = end + 1;
    }
    Some(parts)
}

/// `NumericDate` (RFC 7519 section 2) in whole seconds; before 1970 is 1970.
fn numeric_date(text: &[u8]) -> Option<u64> {
    json::whole_number(text).map(|seconds| seconds.value)
}

impl fmt::Display for TokenShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidAccessToken => "InvalidAccessToken: it is empty",
            Self::InvalidAccessTokenFormat => "InvalidAccessTokenFormat: it is not a JWT (three parts between dots)",
        })
    }
}

impl core::error::Error for TokenShapeError {}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAJwt => f.write_str("the token is not a JWT, so it has no claims to show"),
            Self::TooSmall { needed } => write!(f, "the scratch buffer is too small: {needed} bytes are enough"),
        }
    }
}

impl core::error::Error for ClaimsError {}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("expires_at", &self.expires_at)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64URL.encode(payload))
    }

    #[test]
    fn both_readers_find_the_same_times() {
        let filler = format!("\"cognito:groups\":[{}\"z\"],", "\"a,\\\"exp\\\":1\",".repeat(60));
        for (payload, expires_at, issued_at) in [
            (r#"{"exp":1300819380,"iat":1300815780}"#, Some(1300819380), Some(1300815780)),
            (r#"{ "iat" : 7 , "nested" : {"exp":5,"iat":[6]} , "exp" : 9.99e2 }"#, Some(999), Some(7)),
            (r#"{"exp":"1300819380"}"#, None, None),
            (r#"{"exp":-1}"#, Some(0), None),
            (r#"{"expx":1,"ex":2,"xexp":3}"#, None, None),
            (r#"{"a":"exp","exp":null,"iat":true}"#, None, None),
            (r#"{}"#, None, None),
            (&format!("{{{filler}\"exp\":42}}"), Some(42), None),
        ] {
            let token = token(payload);
            let mut scratch = vec![0; token.len()];
            let claims = Claims::read(&token, &mut scratch).unwrap();
            let seconds = |t: Option<UnixTime>| t.map(UnixTime::as_secs);
            assert_eq!((seconds(claims.expires_at), seconds(claims.issued_at)), (expires_at, issued_at), "{payload}");
            assert_eq!(Times::read(&token), Times { expires_at, issued_at }, "{payload}");
        }
    }

    #[test]
    fn claims_for_display() {
        let token = token(r#"{"iss":"https:\/\/as","scope":"a b","client_id":"c","token_use":"access","jti":1}"#);
        let mut scratch = [0; 128];
        let claims = Claims::read(&token, &mut scratch).unwrap();
        assert_eq!(
            (claims.issuer, claims.scope, claims.client_id, claims.token_use),
            (Some("https://as"), Some("a b"), Some("c"), Some("access"))
        );
        let ClaimsError::TooSmall { needed } = Claims::read(&token, &mut [0; 8]).unwrap_err() else { panic!() };
        assert!(Claims::read(&token, &mut vec![0; needed]).is_ok());
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for text in ["", "opaque", "a.b", "a.b.c.d", "e30..x", "e30.bm8.x", "e30.%%%.x", "e30.e30=.x"] {
            assert_eq!(Claims::read(text, &mut [0; 64]), Err(ClaimsError::NotAJwt), "{text}");
            assert_eq!(Times::read(text), Times::default(), "{text}");
        }
    }
}
