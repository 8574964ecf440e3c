//! A token endpoint and the API behind it, in the test's own process: four systems, and everything
//! that can go wrong with them.
//!
//! A [`Server`] listens on a loopback port, plain or with TLS, and plays one [`System`]: it checks
//! clients, grants, brand and API keys as the real one does, issues tokens that expire, can be
//! revoked and refreshed, and says no in the real one's words. It runs on threads of the standard
//! library, so blocking, async and embedded clients can all be tested against it.
//!
//! ```
//! use gatekeeper_testkit::{Server, System, systems::gatekeeper};
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Server::start(System::Gatekeeper)?;
//!
//! // Any client will do; here is a bare one.
//! let mut stream = TcpStream::connect(server.addr())?;
//! stream.write_all(
//!     b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
//!       Authorization: Basic ZGpjOTh1M2ppZWRtaTI4M2V1OTI4OmFiY2RlZjAxMjM0NTY3ODkw\r\n\
//!       Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\n\
//!       grant_type=client_credentials",
//! )?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//!
//! assert_eq!(server.counts().token_issued, 1);
//! let seen = &server.seen()[0];
//! let (id, secret) = seen.basic().unwrap();
//! assert_eq!((id.as_str(), secret.as_str()), (gatekeeper::CLIENT_ID, gatekeeper::CLIENT_SECRET));
//! # Ok(())
//! # }
//! ```
//!
//! # What a test can do
//!
//! | | |
//! |---|---|
//! | choose how the server behaves | [`Builder`], [`Settings`], [`Server::change`] |
//! | make things go wrong | [`Server::script`], [`Fault`], [`ConnectionFault`], [`Gate`] |
//! | take the server down, rotate secrets, revoke tokens, show a bad certificate | [`Server::go_down`], [`Server::set_client_secrets`], [`Server::revoke_all`], [`Server::present`] |
//! | look at what it saw | [`Server::counts`], [`Server::wait_for`], [`Server::seen`] |
//! | move its time | [`TestClock`] |
//!
//! [`vectors`] runs files of recorded inputs and outcomes instead; it needs no server.
//!
//! # What the API answers
//!
//! Every system, below its context path:
//!
//! | path | answer |
//! |---|---|
//! | `/api/whoami` | whose token it was: `system`, `client_id`, `grant_type`, `username`, `scope`, `expires_in_millis` |
//! | `/api/echo` | what arrived: `method`, `path`, lower-case names of the `headers`, `body_len` |
//! | `/api/admin` | 403: the token's permissions do not suffice |
//!
//! and the calls of [`systems::gatekeeper`]. A call without a valid token is answered with 401, one
//! without the right API key with 403 (where the system has one), one without the brand header with
//! 400 (likewise).
//!
//! # Not for production
//!
//! Nothing here is a secure server: tokens are not drawn from a random source made for secrets,
//! secrets are compared in plain ways, and requests are kept with the secrets in them.

mod answer;
mod api;
mod clock;
pub mod conformance;
mod connection;
mod encode;
mod fault;
mod listener;
mod log;
mod request;
mod script;
mod server;
mod settings;
mod socket;
mod state;
pub mod systems;
mod tls;
mod token;
mod token_errors;
mod tokens;
pub mod vectors;

pub use answer::Answer;
pub use clock::{TestClock, http_date};
pub use fault::{At, BadChunk, ConnectionFault, Ending, Endless, Fault, Framing, Gate, RetryAfter};
pub use log::{Counts, TimedOut};
pub use request::SeenRequest;
pub use script::{Endpoint, Held, Script};
pub use server::{Builder, Server};
pub use settings::{
    ApiKeyError, BasicEncoding, BrandKey, Challenge, Client, ExpiresIn, Place, Refresh, Settings, TokenErrors,
    TokenKind, UnknownScope, User,
};
pub use systems::System;
pub use tls::{Leaf, LeafKind, TestCa, TlsVersions};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
