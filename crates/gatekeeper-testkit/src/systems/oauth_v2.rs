//! An API whose tokens are opaque: default credentials.
//!
//! Id and secret hold characters that Basic authentication must carry as they are: encoded as forms
//! they would not be recognized.

use super::base;
use crate::settings::{Client, Settings};

/// The id of the default client.
pub const CLIENT_ID: &str = "billing@example.com/prod +1";
/// The secret of the default client.
pub const CLIENT_SECRET: &str = "k7:9%2Fq+Zr=~ 4";

pub(super) fn settings() -> Settings {
    base(Client::new(CLIENT_ID, CLIENT_SECRET))
}
