//! What gatekeeper drivers on an operating system share: clocks, secrets, configuration, the published token.
//!
//! Programs use a driver, `gatekeeper-ureq` or `gatekeeper-tokio`, which re-exports what it needs from here. The types
//! for writing another driver are [`Engine`], [`Step`], [`Attempt`] and [`Outcome`].

mod api;
mod clock;
mod config;
mod engine;
mod error;
mod explain;
mod secret;
#[cfg(feature = "toml")]
pub mod settings;
mod token;

pub use crate::api::{ApiConfig, ApiConfigBuilder, ApiHeader, ApiResponse};
pub use crate::clock::{Clock, SystemClock};
pub use crate::config::{Client, Config, ConfigBuilder, ConfigError, GrantConfig};
pub use crate::engine::{Attempt, Engine, Event, HttpAnswer, HttpRequest, Observer, Outcome, Reader, Step};
pub use crate::error::{Error, ErrorKind, TransportError};
pub use crate::explain::{Explain, LastFailure, State};
pub use crate::secret::{SecretError, SecretSource, SecretString};
pub use crate::token::Token;
pub use gatekeeper_proto as proto;
