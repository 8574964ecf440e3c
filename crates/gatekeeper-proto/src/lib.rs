//! The core of gatekeeper: gets, judges, keeps, renews and presents OAuth 2.0 access tokens.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod api;
mod exchange;
pub mod oauth;
mod out;
pub mod policy;
mod secret;
mod session;
mod time;
mod value;
pub mod wire;

pub use crate::api::access::{ApiAccess, Header};
pub use crate::api::answer::{Checked, Registered, check_definitions};
pub use crate::api::config::{InvalidSdkConfiguration, RuntimeConfig};
pub use crate::api::failure::ApiFailure;
pub use crate::api::request::{ApiParts, ApiRequest, CheckItem};
pub use crate::api::sdk;
pub use crate::exchange::Exchange;
pub use crate::oauth::client_auth::{BasicEncoding, ClientAuth};
pub use crate::oauth::deviation::{Deviation, Deviations};
pub use crate::oauth::endpoint::Endpoint;
pub use crate::oauth::error_code::ErrorCode;
pub use crate::oauth::grant::Grant;
pub use crate::oauth::jwt::{Claims, ClaimsError, Shape, Times, TokenShapeError};
pub use crate::oauth::profile::Profile;
pub use crate::oauth::reply::{
    BodyKind, Malformed, Refused, Reply, ReplyError, Rules, Status as ReplyStatus, TokenResponse, read_reply,
};
pub use crate::oauth::request::{BrandKey, BrandKeyPlace, Parts, TokenRequest};
pub use crate::oauth::scope::Scope;
pub use crate::oauth::untrusted::Untrusted;
pub use crate::out::BufferTooSmall;
pub use crate::policy::{Budget, Failure, FailureKind, Policy, Schedule};
pub use crate::secret::Secret;
pub use crate::session::{Counters, Due, Generation, Granted, Output, Session, Settled, Status, Stopped, Ticket, Wait};
pub use crate::time::{Deadline, Instant, Now, UnixTime};
pub use crate::value::{Field, InvalidValue, Problem};
pub use crate::wire::http1;
