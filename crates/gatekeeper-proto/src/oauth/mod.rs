//! OAuth 2.0 as RFC 6749 and its relatives have it: what is sent to a token endpoint and what comes back.

pub mod client_auth;
pub mod deviation;
pub mod endpoint;
pub mod error_code;
pub mod grant;
pub mod jwt;
pub mod profile;
pub mod reply;
pub mod request;
pub mod scope;
pub mod untrusted;
