//! Checks of the values a caller sets, made when they are set.
//!
//! What may land in a header, a URL or a form is decided here once, so nothing later on the way to the wire has to look
//! again. The functions are `const`, so a device can have its configuration checked by the compiler.
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use crate::class::Class;
use core::fmt;

/// A value the caller set is not one that may be sent.
///
/// Holds the names of the field and of the problem, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidValue {
    /// Which value.
    pub field: Field,
    /// What is wrong with it.
    pub problem: Problem,
}

/// The values a caller can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Field {
    /// An access token set by hand.
    AccessToken,
    /// The base URL of the API.
    ApiUrl,
    /// The API key (`x-api-key`).
    ApiKey,
    /// `applicationId` of the Web SDK's configuration.
    ApplicationId,
    /// `applicationVersion` of the Web SDK's configuration.
    ApplicationVersion,
    /// The `audience` parameter.
    Audience,
    /// The brand key.
    BrandKey,
    /// The name of the parameter that carries the brand key.
    BrandKeyName,
    /// `client_id` (RFC 6749 section 2.2).
    ClientId,
    /// `client_secret` (RFC 6749 section 2.3.1).
    ClientSecret,
    /// `X-DeviceId`.
    DeviceId,
    /// The `grant_type` of an extension grant (RFC 6749 section 4.5).
    GrantType,
    /// The name of a header of the caller's own.
    HeaderName,
    /// The value of a header of the caller's own.
    HeaderValue,
    /// The `operator` parameter of the Rator API.
    Operator,
    /// The name of an extra parameter.
    ParameterName,
    /// The value of an extra parameter.
    ParameterValue,
    /// `password` (RFC 6749 section 4.3.2).
    Password,
    /// `refresh_token` (RFC 6749 section 6).
    RefreshToken,
    /// A `resource` parameter (RFC 8707 section 2).
    Resource,
    /// The `scope` parameter (RFC 6749 section 3.3).
    Scope,
    /// The token endpoint.
    TokenUrl,
    /// `X-UserId`.
    UserId,
    /// `username` (RFC 6749 section 4.3.2).
    Username,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Problem {
    /// A colon in a client id that is sent by Basic without encoding: the first colon ends the id (RFC 7617 section 2).
    ColonInRawBasicId,
    /// A control character (CR, LF, NUL and the like).
    ControlCharacter,
    /// No text at all.
    Empty,
    /// A fragment (`#`), which neither a token endpoint (RFC 6749 section 3.2) nor a resource (RFC 8707) may have.
    Fragment,
    /// Not one of the characters the grammar of this field allows.
    IllegalCharacter,
    /// A host that is empty or has characters no host has.
    InvalidHost,
    /// A port that is not a number from 1 to 65535.
    InvalidPort,
    /// Scope tokens not separated by exactly one space each.
    MalformedScope,
    /// A character outside ASCII where only ASCII can be sent.
    NotAscii,
    /// Not an absolute URI.
    NotAbsolute,
    /// `http` to a host that is not this machine: secrets would cross the network in the clear.
    PlainHttp,
    /// The same parameter twice (RFC 6749 section 3.2 forbids it).
    Repeated,
    /// A name that the request itself uses.
    Reserved,
    /// A secret in the URL's query, where servers and proxies log it.
    SecretInUrl,
    /// A space or tab at the beginning or the end.
    SurroundingSpace,
    /// A line break at the end, as editors leave it in a secret's file.
    TrailingNewline,
    /// A user name or password inside the URL.
    UserInfo,
    /// A scheme other than `https` or `http`.
    UnsupportedScheme,
}

impl Field {
    /// The field's name as its configuration knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access token",
            Self::ApiUrl => "API URL",
            Self::ApiKey => "API key",
            Self::ApplicationId => "applicationId",
            Self::ApplicationVersion => "applicationVersion",
            Self::Audience => "audience",
            Self::BrandKey => "brand key",
            Self::BrandKeyName => "brand key name",
            Self::ClientId => "client id",
            Self::ClientSecret => "client secret",
            Self::DeviceId => "device id",
            Self::GrantType => "grant type",
            Self::HeaderName => "header name",
            Self::HeaderValue => "header value",
            Self::Operator => "operator",
            Self::ParameterName => "parameter name",
            Self::ParameterValue => "parameter value",
            Self::Password => "password",
            Self::RefreshToken => "refresh token",
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::TokenUrl => "token URL",
            Self::UserId => "user id",
            Self::Username => "user name",
        }
    }
}

impl Problem {
    /// What is wrong, as the end of a sentence that begins with the field's name.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ColonInRawBasicId => {
                "contains a colon, which ends the id in raw Basic authentication: use form encoding or send it in the body"
            }
            Self::ControlCharacter => "contains a control character (such as CR, LF or NUL)",
            Self::Empty => "is empty",
            Self::Fragment => "has a fragment (#...), which is not allowed",
            Self::IllegalCharacter => "contains a character that is not allowed in it",
            Self::InvalidHost => "has no valid host",
            Self::InvalidPort => "has no valid port (1 to 65535)",
            Self::MalformedScope => "is not a list of scopes separated by single spaces",
            Self::NotAscii => "contains characters outside ASCII",
            Self::NotAbsolute => "is not an absolute URL (https://...)",
            Self::PlainHttp => {
                "uses http to a host that is not this machine, which would send secrets in the clear: use https"
            }
            Self::Repeated => "is given more than once",
            Self::Reserved => "is one that the request sets itself: use the option made for it",
            Self::SecretInUrl => "carries a secret in its query, where it would be logged: give it as its own option",
            Self::SurroundingSpace => "begins or ends with white space",
            Self::TrailingNewline => "ends with a line break, as editors leave it in a file: remove it",
            Self::UserInfo => "contains a user name or password",
            Self::UnsupportedScheme => "has a scheme other than https or http",
        }
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}", self.field.name(), self.problem.text())
    }
}

impl core::error::Error for InvalidValue {}

impl InvalidValue {
    pub(crate) const fn new(field: Field, problem: Problem) -> Self {
        Self { field, problem }
    }
}

/// Text that is encoded before it is sent: anything but control characters, TAB being allowed where RFC 6749 appendix
/// A allows it (`UNICODECHARNOCRLF` of `username` and `password`).
pub(crate) const fn check_text(field: Field, text: &str) -> Result<(), InvalidValue> {
    let bytes = text.as_bytes();
    let tab = matches!(field, Field::Username | Field::Password | Field::ParameterValue);
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if !Class::TEXT.has(b) || (b == b'\t' && !tab) {
            let problem =
                if only_a_line_break(bytes, i) { Problem::TrailingNewline } else { Problem::ControlCharacter };
            return Err(InvalidValue::new(field, problem));
        }
        i += 1;
    }
    Ok(())
}

/// As [`check_text`], and not empty.
pub(crate) const fn check_some_text(field: Field, text: &str) -> Result<(), InvalidValue> {
    if text.is_empty() {
        return Err(InvalidValue::new(field, Problem::Empty));
    }
    check_text(field, text)
}

/// A value that stands in a header as it is: visible ASCII and inner blanks (RFC 9110 section 5.5), not empty.
pub(crate) const fn check_header_value(field: Field, text: &str) -> Result<(), InvalidValue> {
    if let Err(e) = check_some_text(field, text) {
        return Err(e);
    }
    let bytes = text.as_bytes();
    if bytes[0] == b' ' || bytes[bytes.len() - 1] == b' ' {
        return Err(InvalidValue::new(field, Problem::SurroundingSpace));
    }
    let mut i = 0;
    while i < bytes.len() {
        if !bytes[i].is_ascii() {
            return Err(InvalidValue::new(field, Problem::NotAscii));
        }
        i += 1;
    }
    Ok(())
}

/// A token that travels in a header: `1*(%x21-7E)`, the visible part of `VSCHAR` (RFC 6749 appendix A.12).
pub(crate) const fn check_visible(field: Field, text: &str) -> Result<(), InvalidValue> {
    if let Err(e) = check_header_value(field, text) {
        return Err(e);
    }
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b' ' {
            return Err(InvalidValue::new(field, Problem::IllegalCharacter));
        }
        i += 1;
    }
    Ok(())
}

/// A header name: `token` of RFC 9110 section 5.6.2.
pub(crate) const fn check_header_name(field: Field, text: &str) -> Result<(), InvalidValue> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Err(InvalidValue::new(field, Problem::Empty));
    }
    if Class::TOKEN.run_end(bytes, 0) < bytes.len() {
        return Err(InvalidValue::new(field, Problem::IllegalCharacter));
    }
    Ok(())
}

/// Whether the rest of `bytes` from `i` on is one line break and something stands before it.
const fn only_a_line_break(bytes: &[u8], i: usize) -> bool {
    let rest = bytes.len() - i;
    i > 0 && ((rest == 1 && bytes[i] == b'\n') || (rest == 2 && bytes[i] == b'\r' && bytes[i + 1] == b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(r: Result<(), InvalidValue>) -> Option<Problem> {
        r.err().map(|e| e.problem)
    }

    #[test]
    fn a_trailing_line_break_is_told_from_other_control_characters() {
        let f = Field::ClientSecret;
        for (text, want) in [
            ("s3cret", None),
            ("s3cret\n", Some(Problem::TrailingNewline)),
            ("s3cret\r\n", Some(Problem::TrailingNewline)),
            ("s3\ncret", Some(Problem::ControlCharacter)),
            ("\n", Some(Problem::ControlCharacter)),
            ("s3cret\n\n", Some(Problem::ControlCharacter)),
            ("a\tb", Some(Problem::ControlCharacter)),
            ("a\u{7f}", Some(Problem::ControlCharacter)),
            ("пароль", None),
        ] {
            assert_eq!(problem(check_text(f, text)), want, "{text:?}");
        }
        assert_eq!(problem(check_text(Field::Password, "a\tb")), None);
    }

    #[test]
    fn header_values() {
        let f = Field::ApiKey;
        for (text, want) in [
            ("key with inner blank", None),
            ("", Some(Problem::Empty)),
            (" key", Some(Problem::SurroundingSpace)),
            ("key ", Some(Problem::SurroundingSpace)),
            ("k\u{e9}y", Some(Problem::NotAscii)),
            ("key\r\nX-Evil: 1", Some(Problem::ControlCharacter)),
        ] {
            assert_eq!(problem(check_header_value(f, text)), want, "{text:?}");
        }
        assert_eq!(problem(check_visible(f, "a b")), Some(Problem::IllegalCharacter));
        assert_eq!(problem(check_header_name(f, "X-RATOR-brand-key")), None);
        assert_eq!(problem(check_header_name(f, "X RATOR")), Some(Problem::IllegalCharacter));
    }

    #[test]
    fn messages_name_the_field_and_not_the_value() {
        let e = check_text(Field::ClientSecret, "hunter2\n").unwrap_err();
        assert_eq!(e.to_string(), "the client secret ends with a line break, as editors leave it in a file: remove it");
    }
}
