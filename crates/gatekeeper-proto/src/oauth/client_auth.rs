//! How the client proves to the token endpoint who it is (RFC 6749 section 2.3).
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use crate::class::Class;
use crate::out::Writer;
use crate::secret::Secret;
use crate::value::{Field, InvalidValue, Problem, check_some_text, check_text};
use crate::wire::basic;
use crate::wire::form::Space;

/// What happens to id and secret before they are joined for `Basic` authentication.
///
/// The two documents disagree and so do servers. With letters and digits alone there is no difference, so a wrong
/// choice stays hidden until a secret holds `+`, `/`, `=`, `%` or a blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum BasicEncoding {
    /// Nothing: RFC 7617 alone. AWS Cognito, Spring Security OAuth 2.x and most others expect this.
    Raw,
    /// Form-urlencoded, a space as `%20`: RFC 6749 section 2.3.1 in the form that also those servers understand which
    /// decode percent signs but not `+`.
    Form,
    /// Form-urlencoded to the letter of RFC 6749 appendix B, a space as `+`.
    FormPlus,
}

/// The client's credentials and the way they are presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAuth<'a>(Method<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method<'a> {
    Basic { id: &'a str, secret: Secret<'a>, encoding: BasicEncoding },
    Post { id: &'a str, secret: Secret<'a> },
    Public { id: &'a str },
    None,
}

impl<'a> ClientAuth<'a> {
    /// `client_secret_basic`: an `Authorization: Basic` header.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty id, a control character in either, or a colon in an id that is sent raw.
    pub const fn basic(id: &'a str, secret: Secret<'a>, encoding: BasicEncoding) -> Result<Self, InvalidValue> {
        if let Err(e) = check_credentials(id, secret) {
            return Err(e);
        }
        if matches!(encoding, BasicEncoding::Raw) && has_colon(id) {
            return Err(InvalidValue::new(Field::ClientId, Problem::ColonInRawBasicId));
        }
        Ok(Self(Method::Basic { id, secret, encoding }))
    }

    /// `client_secret_post`: `client_id` and `client_secret` as form parameters.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty id or a control character in either.
    pub const fn post(id: &'a str, secret: Secret<'a>) -> Result<Self, InvalidValue> {
        match check_credentials(id, secret) {
            Ok(()) => Ok(Self(Method::Post { id, secret })),
            Err(e) => Err(e),
        }
    }

    /// A public client, which has an id and no secret: `client_id` as a form parameter (RFC 6749 section 3.2.1).
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty id or a control character in it.
    pub const fn public(id: &'a str) -> Result<Self, InvalidValue> {
        match check_some_text(Field::ClientId, id) {
            Ok(()) => Ok(Self(Method::Public { id })),
            Err(e) => Err(e),
        }
    }

    /// No client authentication at all: the transport or the grant identifies the client.
    pub const fn none() -> Self {
        Self(Method::None)
    }

    /// The client id, where there is one.
    pub const fn client_id(&self) -> Option<&'a str> {
        match self.0 {
            Method::Basic { id, .. } | Method::Post { id, .. } | Method::Public { id } => Some(id),
            Method::None => None,
        }
    }

    /// The client secret, where there is one.
    pub const fn secret(&self) -> Option<Secret<'a>> {
        match self.0 {
            Method::Basic { secret, .. } | Method::Post { secret, .. } => Some(secret),
            Method::Public { .. } | Method::None => None,
        }
    }

    /// The encoding in use and whether this id or secret reads differently under the other one.
    ///
    /// When a server answers `invalid_client`, `Some((_, true))` says that the encoding is a likely reason. It is told
    /// and never probed: each wrong guess is a failed login.
    pub fn encoding_matters(&self) -> Option<(BasicEncoding, bool)> {
        match self.0 {
            Method::Basic { id, secret, encoding } => {
                let plain = |text: &str| text.bytes().all(|b| Class::FORM.has(b));
                Some((encoding, !(plain(id) && plain(secret.expose()))))
            }
            Method::Post { .. } | Method::Public { .. } | Method::None => None,
        }
    }

    /// Appends the value of the `Authorization` header, if this method has one.
    pub(crate) fn write_header(&self, out: &mut Writer<'_>) -> bool {
        let Method::Basic { id, secret, encoding } = self.0 else {
            return false;
        };
        let form = match encoding {
            BasicEncoding::Raw => None,
            BasicEncoding::Form => Some(Space::Percent),
            BasicEncoding::FormPlus => Some(Space::Plus),
        };
        basic::write(id, secret.expose(), form, out);
        true
    }

    /// The form parameters of this method.
    pub(crate) fn parameters(&self) -> (Option<&'a str>, Option<Secret<'a>>) {
        match self.0 {
            Method::Post { id, secret } => (Some(id), Some(secret)),
            Method::Public { id } => (Some(id), None),
            Method::Basic { .. } | Method::None => (None, None),
        }
    }
}

const fn check_credentials(id: &str, secret: Secret<'_>) -> Result<(), InvalidValue> {
    match check_some_text(Field::ClientId, id) {
        Ok(()) => check_text(Field::ClientSecret, secret.expose()),
        Err(e) => Err(e),
    }
}

const fn has_colon(id: &str) -> bool {
    let b = id.as_bytes();
    let mut i = 0;
    while i < b.len() {
        if b[i] == b':' {
            return true;
        }
        i += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_in_the_id_is_refused_only_where_it_would_cut_the_id_short() {
        let secret = Secret::new("s:e:c");
        let e = ClientAuth::basic("urn:client:1", secret, BasicEncoding::Raw).unwrap_err();
        assert_eq!(e.problem, Problem::ColonInRawBasicId);
        assert!(ClientAuth::basic("urn:client:1", secret, BasicEncoding::Form).is_ok());
        assert!(ClientAuth::post("urn:client:1", secret).is_ok());
        assert!(ClientAuth::basic("client", secret, BasicEncoding::Raw).is_ok());
    }

    #[test]
    fn encoding_matters_exactly_when_something_would_be_escaped() {
        for (secret, matters) in [("abcdef01234567890", false), ("a-b_c.d*e", false), ("a+b", true), ("a~b", true)] {
            for encoding in [BasicEncoding::Raw, BasicEncoding::Form] {
                let auth = ClientAuth::basic("id", Secret::new(secret), encoding).unwrap();
                assert_eq!(auth.encoding_matters(), Some((encoding, matters)), "{secret}");
            }
        }
        assert_eq!(ClientAuth::post("id", Secret::new("a+b")).unwrap().encoding_matters(), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let auth = ClientAuth::basic("id", Secret::new("hunter2"), BasicEncoding::Raw).unwrap();
        assert!(!format!("{auth:?}").contains("hunter2"));
    }
}
