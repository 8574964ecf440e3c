//! OAuth 2.0 access tokens for blocking programs.
//!
//! A [`TokenSource`] fetches a token when one is needed, shares it among all threads and renews it before it expires. An
//! [`ApiClient`] calls an API with it and recovers from a token that the API rejects. Decisions are made by the core,
//! `gatekeeper-proto`; this crate lends it a clock and `ureq`.

mod client;
mod source;
mod transport;

pub use crate::client::{ApiCall, ApiClient};
pub use crate::source::{Renewal, TokenSource, TokenSourceBuilder};
pub use crate::transport::{Transport, TransportBuilder};
pub use gatekeeper_std::proto::{self, ApiFailure, BasicEncoding, BrandKeyPlace, Policy, Profile, Shape};
pub use gatekeeper_std::{
    ApiConfig, ApiConfigBuilder, ApiResponse, Client, Clock, Config, ConfigBuilder, ConfigError, Error, ErrorKind,
    Event, Explain, GrantConfig, Observer, SecretError, SecretSource, SecretString, SystemClock, Token,
};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
