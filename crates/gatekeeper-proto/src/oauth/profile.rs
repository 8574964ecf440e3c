//! The systems gatekeeper knows by name, as plain data.

use super::client_auth::BasicEncoding;
use super::deviation::{Deviation, Deviations};
use super::jwt::Shape;
use super::reply::Rules;
use super::request::{BrandKeyPlace, TokenRequest};
use crate::time::UnixTime;

/// What is particular about one system. Every field can be overridden; there is no behaviour behind the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The name, as configuration has it.
    pub name: &'static str,
    /// The token endpoint's path below the server's base URL.
    pub token_path: &'static str,
    /// How `Basic` authentication treats id and secret.
    pub basic: BasicEncoding,
    /// The shape an access token must have.
    pub shape: Shape,
    /// Deviations from the specification that are errors.
    pub fatal: Deviations,
    /// Values of `token_type` beside `bearer` that mean it.
    pub bearer_aliases: &'static [&'static str],
    /// Name and place of the brand key in a token request, if the system has brand keys.
    pub brand_key: Option<(&'static str, BrandKeyPlace)>,
    /// The header that carries the brand key in an API request.
    pub brand_header: Option<&'static str>,
    /// The header that carries the API key in an API request, where the caller has one.
    pub api_key_header: &'static str,
    /// Whether the server answers with the same token until it has expired, as Spring does, so that asking before
    /// that is of no use.
    pub repeats_tokens: bool,
    /// Whether using a refresh token ends the access token that came with it, as Spring and many others do (RFC 6749
    /// section 6 leaves it open).
    pub renewal_ends_token: bool,
}

impl Profile {
    /// Bespot Gatekeeper: AWS Cognito or the Gatekeeper proxy before it, JWTs, `x-api-key`.
    pub const GATEKEEPER: Self = Self {
        name: "gatekeeper",
        token_path: "/oauth2/token",
        basic: BasicEncoding::Raw,
        shape: Shape::Base64Url,
        ..Self::GENERIC
    };

    /// An OAuth v2 API with opaque tokens. Servers of this kind leave `token_type` out.
    pub const OAUTH_V2: Self = Self {
        name: "oauth-v2",
        token_path: "/oauth/v2/token",
        basic: BasicEncoding::Raw,
        fatal: Deviations::none(),
        ..Self::GENERIC
    };

    /// The Rator REST API: Spring Security OAuth 2.x with brand keys.
    pub const RATOR: Self = Self {
        name: "rator",
        token_path: "/oauth/token",
        basic: BasicEncoding::Raw,
        brand_key: Some(("brand_key", BrandKeyPlace::Query)),
        brand_header: Some("X-RATOR-brand-key"),
        repeats_tokens: true,
        ..Self::GENERIC
    };

    /// Any server that follows RFC 6749.
    pub const GENERIC: Self = Self {
        name: "generic",
        token_path: "/token",
        basic: BasicEncoding::Form,
        shape: Shape::Any,
        fatal: Deviations::none().with(Deviation::TokenTypeMissing),
        bearer_aliases: &[],
        brand_key: None,
        brand_header: None,
        api_key_header: "x-api-key",
        repeats_tokens: false,
        renewal_ends_token: true,
    };

    /// All of them.
    pub const ALL: [Self; 4] = [Self::GATEKEEPER, Self::OAUTH_V2, Self::RATOR, Self::GENERIC];

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// The rules for reading an answer to `request`.
    pub fn rules<'a>(&self, request: &'a TokenRequest<'a>, now: Option<UnixTime>) -> Rules<'a> {
        Rules { shape: self.shape, fatal: self.fatal, bearer_aliases: self.bearer_aliases, request: Some(request), now }
    }
}
