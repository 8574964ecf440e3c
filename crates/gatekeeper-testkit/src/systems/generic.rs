//! A server that follows RFC 6749 and RFC 6750 to the letter: default credentials.
//!
//! Id and secret must be form-urlencoded for Basic authentication (RFC 6749, section 2.3.1);
//! refresh tokens rotate, and using an old one again revokes its family.

use super::base;
use crate::settings::{BasicEncoding, Client, Refresh, Settings, User};

/// The id of the default client.
pub const CLIENT_ID: &str = "generic client: 1";
/// The secret of the default client.
pub const CLIENT_SECRET: &str = "a:b+c%d&e=f";
/// The name of the default end user.
pub const USERNAME: &str = "bob";
/// The password of the default end user.
pub const PASSWORD: &str = "correct horse";
/// The scopes that the server knows.
pub const SCOPES: [&str; 2] = ["read", "write"];

pub(super) fn settings() -> Settings {
    Settings {
        basic: Some(BasicEncoding::Form),
        grants: ["client_credentials", "password", "refresh_token"].map(str::to_owned).to_vec(),
        users: vec![User::new(USERNAME, PASSWORD)],
        scopes: SCOPES.map(str::to_owned).to_vec(),
        scope_in_answer: true,
        refresh: Refresh::RotateWithReuseDetection,
        ..base(Client::new(CLIENT_ID, CLIENT_SECRET))
    }
}
