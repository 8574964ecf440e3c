//! The core of gatekeeper: gets, judges, keeps, renews and presents OAuth 2.0 access tokens, without doing any I/O.
//!
//! It builds token requests, reads answers, decides when a token is renewed and what a failure means, and writes the
//! headers that open an API. It has no clock, no socket, no heap and no source of randomness: a driver lends it the time
//! and moves the bytes. The same code runs under a blocking program, an async service and a microcontroller, so
//! behaviour is the same everywhere.
//!
//! Most programs use a driver: `gatekeeper-ureq`, `gatekeeper-tokio` or `gatekeeper-embedded`.
//!
//! # The two machines
//!
//! [`Session`] knows who may fetch a token and when, and which token is current. [`Exchange`] carries one HTTP/1.1
//! request and its response through one buffer. They do not know each other; a driver stands between them:
//!
//! ```
//! use gatekeeper_proto::http1::Progress;
//! use gatekeeper_proto::*;
//! # use std::io::{Read, Write};
//!
//! // What is asked for, and of whom. All of it borrows, and all of it is checked here.
//! let request = TokenRequest::new(
//!     Endpoint::parse("https://auth.example.com/oauth2/token")?,
//!     ClientAuth::basic("my-client", Secret::new("my-secret"), BasicEncoding::Raw)?,
//!     Grant::client_credentials(),
//! )?;
//! let profile = Profile::GATEKEEPER;
//! let mut session: Session<String> = Session::new(Policy::for_profile(&profile), 42);
//!
//! // The driver's whole job: ask the session, and if it hands out a ticket, make one exchange.
//! let now = Now::new(Instant::from_millis(5_000), UnixTime::from_secs(1_700_000_000));
//! # let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 72\r\n\r\n\
//! #     {\"access_token\":\"e30.e30.c2ln\",\"expires_in\":86400,\"token_type\":\"Bearer\"}";
//! # let mut stream = Stream(answer);
//! if let Output::Fetch(ticket) | Output::Refresh(_, _, ticket) = session.poll(now) {
//!     let mut buf = [0; 2048];
//!     let len = request.write_http1(&mut buf)?;
//!     let mut exchange = Exchange::new(&mut buf, len);
//!     while !exchange.transmit().is_empty() {
//!         let n = stream.write(exchange.transmit())?;
//!         exchange.sent(n);
//!     }
//!     while {
//!         let n = stream.read(exchange.space())?;
//!         let progress = if n == 0 { exchange.closed()? } else { exchange.received(n)? };
//!         progress == Progress::NeedMore
//!     } {}
//!     let response = exchange.response().ok_or("no response")?;
//!     let result = match read_reply(response.into(), &profile.rules(&request, now.wall)) {
//!         Ok(granted) => {
//!             let times = Times::read(granted.access_token.expose());
//!             let lifetime = policy::lifetime(&granted, times, ticket.started());
//!             Ok(Granted::new(granted.access_token.expose().to_owned(), lifetime))
//!         }
//!         Err(error) => Err(Failure::of_reply(&error, ticket.is_renewal())),
//!     };
//!     session.settle(ticket, now, result);
//! }
//! assert!(matches!(session.poll(now), Output::Token(_, token) if token == "e30.e30.c2ln"));
//! # struct Stream(&'static [u8]);
//! # impl std::io::Write for Stream {
//! #     fn write(&mut self, b: &[u8]) -> std::io::Result<usize> { Ok(b.len().min(7)) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # impl std::io::Read for Stream {
//! #     fn read(&mut self, b: &mut [u8]) -> std::io::Result<usize> {
//! #         let n = b.len().min(7);
//! #         self.0.read(&mut b[..n])
//! #     }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A driver with an HTTP client of its own leaves [`Exchange`] out: it takes the request as
//! [parts](TokenRequest::write_parts), makes a [`Reply`] from status, headers and body, and ends in the same
//! [`read_reply`].
//!
//! # What it does and does not
//!
//! It does: client credentials, password, operator password, refresh token and extension grants; client authentication
//! by Basic (raw and form-urlencoded), by body and none; every shape of answer that real servers give; JWT shape and
//! unverified claims; API headers bound to one origin; the rules of the Gatekeeper Web SDK.
//!
//! It does not verify tokens (that is the resource server's business), follow redirects, speak TLS, or keep a clock.
//!
//! # Promises
//!
//! No input panics. Time and space are bounded by the caller's buffers. No error, `Debug` or `Display` holds a secret, a
//! token or a body. Features add trait implementations and never change behaviour.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod api;
mod class;
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
