//! The Rator REST API: default credentials.
//!
//! Same token with the remaining seconds, lower-case `bearer`, UUIDs, errors and challenges of
//! Spring Security OAuth2 2.x, refresh tokens for the password grants.

use std::time::Duration;

use super::base;
use crate::settings::{BrandKey, Challenge, Client, Place, Refresh, Settings, TokenErrors, TokenKind, User};

/// The id of the default client.
pub const CLIENT_ID: &str = "rator-client";
/// The secret of the default client.
pub const CLIENT_SECRET: &str = "rator+secret/42=";
/// The value of the brand key. Its parameter is `brand_key`, accepted in query and form.
pub const BRAND_KEY: &str = "DEMO&BRAND";
/// The header that API calls must carry the brand key in.
pub const BRAND_HEADER: &str = "X-RATOR-brand-key";
/// The name of the default end user.
pub const USERNAME: &str = "alice@example.com";
/// The password of the default end user.
pub const PASSWORD: &str = "pa ss+w%rd&=\u{e4}";
/// The name of the default operator.
pub const OPERATOR: &str = "operator-7";
/// The password of the default operator.
pub const OPERATOR_PASSWORD: &str = "0p&rator=";

pub(super) fn settings() -> Settings {
    Settings {
        grants: ["client_credentials", "password", "operator_password", "refresh_token"].map(str::to_owned).to_vec(),
        users: vec![User::new(USERNAME, PASSWORD)],
        operators: vec![User::new(OPERATOR, OPERATOR_PASSWORD)],
        brand_key: Some(BrandKey::new("brand_key", BRAND_KEY, Place::Either)),
        brand_header: Some(BRAND_HEADER.to_owned()),
        lifetime: Duration::from_secs(43_200),
        token_kind: TokenKind::Uuid,
        token_type: Some("bearer".to_owned()),
        same_token: true,
        refresh: Refresh::Reuse,
        token_errors: TokenErrors::Spring,
        challenge: Challenge::Spring,
        ..base(Client::new(CLIENT_ID, CLIENT_SECRET))
    }
}
