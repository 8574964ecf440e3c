//! The four systems: their paths, defaults and peculiarities.

pub mod gatekeeper;
pub mod generic;
pub mod oauth_v2;
pub mod rator;

use std::fmt;
use std::time::Duration;

use crate::settings::{
    ApiKeyError, BasicEncoding, Challenge, Client, ExpiresIn, Refresh, Settings, TokenErrors, TokenKind, UnknownScope,
};

/// A system that the server plays. The module of the same name has its default credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum System {
    /// The Bespot Gatekeeper API with its AWS Cognito authorization server.
    Gatekeeper,
    /// An API with opaque tokens from `/oauth/v2/token`.
    OauthV2,
    /// The Rator REST API, on Spring Security OAuth2 2.x.
    Rator,
    /// A server that follows RFC 6749 and RFC 6750 to the letter.
    Generic,
}

impl System {
    /// Every system.
    pub const ALL: [Self; 4] = [Self::Gatekeeper, Self::OauthV2, Self::Rator, Self::Generic];

    /// The name of gatekeeper's profile for it: `gatekeeper`, `oauth-v2`, `rator` or `generic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gatekeeper => "gatekeeper",
            Self::OauthV2 => "oauth-v2",
            Self::Rator => "rator",
            Self::Generic => "generic",
        }
    }

    /// The path of the token endpoint, without a context path.
    pub fn token_path(self) -> &'static str {
        match self {
            Self::Gatekeeper => "/oauth2/token",
            Self::OauthV2 => "/oauth/v2/token",
            Self::Rator => "/oauth/token",
            Self::Generic => "/token",
        }
    }

    /// How the system behaves by default.
    pub fn settings(self) -> Settings {
        match self {
            Self::Gatekeeper => gatekeeper::settings(),
            Self::OauthV2 => oauth_v2::settings(),
            Self::Rator => rator::settings(),
            Self::Generic => generic::settings(),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the systems have in common, for each to change.
fn base(client: Client) -> Settings {
    Settings {
        context_path: String::new(),
        clients: vec![client],
        basic: Some(BasicEncoding::Raw),
        client_auth_in_body: true,
        grants: vec!["client_credentials".to_owned()],
        users: Vec::new(),
        operators: Vec::new(),
        operator_required: false,
        brand_key: None,
        brand_header: None,
        api_key: None,
        scopes: Vec::new(),
        unknown_scope: UnknownScope::Refuse,
        scope_in_answer: false,
        lifetime: Duration::from_secs(3_600),
        expires_in: ExpiresIn::Remaining,
        token_kind: TokenKind::Opaque,
        token_type: Some("Bearer".to_owned()),
        same_token: false,
        refresh: Refresh::None,
        refresh_grants: vec!["password".to_owned(), "operator_password".to_owned()],
        refresh_lifetime: Duration::from_secs(30 * 86_400),
        refresh_revokes_access: true,
        token_errors: TokenErrors::Rfc6749,
        challenge: Challenge::Rfc6750,
        api_key_error: ApiKeyError::Named,
        cors_origins: Vec::new(),
        date_skew_seconds: 0,
        send_date: true,
        seen_limit: 10_000,
    }
}
