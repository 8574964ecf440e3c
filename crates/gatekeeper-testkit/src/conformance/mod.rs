//! One suite that every driver passes, whatever its transport and its way to wait.
//!
//! A driver under test implements [`Driver`] and [`Source`], both blocking: an async driver blocks on its runtime, a
//! driver of a device ticks until the time is over. [`crate::conformance_tests!`] then makes a test
//! of every case. Sources get their time from a [`TestClock`] that runs with the machine's and is
//! moved on by the cases, the server's time with it.
//!
//! ```no_run
//! use gatekeeper_testkit::conformance::{Driver, Failed, Got, Setup, Source};
//! # type MySource = Box<dyn Source>;
//! # fn source_from(setup: Setup) -> MySource { panic!("no source from {setup:?}") }
//!
//! struct MyDriver;
//!
//! impl Driver for MyDriver {
//!     fn source(&self, setup: Setup) -> Box<dyn Source> {
//!         // `MySource` implements `Source` for a source of this driver.
//!         source_from(setup)
//!     }
//! }
//!
//! gatekeeper_testkit::conformance_tests!(MyDriver);
//! ```

mod cases;

use crate::systems::System;
use crate::{Builder, Server, TestClock};
use gatekeeper_proto::{Now, Policy, Profile, UnixTime};
use std::fmt;
use std::time::Duration;

pub use cases::CASES;

/// A driver under test.
pub trait Driver: Sync {
    /// Makes a token source that asks the server that `setup` describes.
    fn source(&self, setup: Setup) -> Box<dyn Source>;
}

/// A token source of the driver under test, used by many threads at once.
pub trait Source: Send + Sync {
    /// The token, waiting at most so long.
    fn token(&self, wait: Duration) -> Result<Got, Failed>;

    /// Says that the API rejected this token.
    fn invalidate(&self, got: &Got);

    /// Calls the API with `GET`, and with everything the driver does for its users: header set, one repetition after a
    /// rejected token. The answer's status.
    fn call(&self, url: &str, wait: Duration) -> Result<u16, Failed>;
}

/// A token that a source has given.
#[derive(Clone, PartialEq, Eq)]
pub struct Got {
    /// The access token.
    pub token: String,
    /// Its generation's number.
    pub generation: u32,
}

/// Why a source has given none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whose business it is.
    pub kind: FailedKind,
    /// Everything that can be printed about it, `Display` and `Debug` of the whole chain: it is searched for secrets.
    pub text: String,
}

/// Whose business a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedKind {
    /// No connection, or a broken one.
    Network,
    /// The server understood and refused.
    Refused,
    /// The server is in trouble, or its answer cannot be used.
    Server,
    /// The caller's time was over.
    TimedOut,
    /// The server's certificate is not trusted.
    Tls,
    /// The source waits longer than the caller would.
    Waiting,
    /// Anything else.
    Other,
}

/// What a source is made from.
#[derive(Clone)]
#[non_exhaustive]
pub struct Setup {
    /// The system.
    pub profile: Profile,
    /// The token endpoint.
    pub token_url: String,
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// User name and password of the grant `password`; client credentials without.
    pub user: Option<(String, String)>,
    /// The brand key, for name and place as the profile has them.
    pub brand_key: Option<String>,
    /// The API's base URL: the origin that the header set is for.
    pub api_url: String,
    /// The API key.
    pub api_key: Option<String>,
    /// The policy to use.
    pub policy: Policy,
    /// The CA to trust, as PEM, for a server with TLS.
    pub ca_pem: Option<String>,
    /// The time, for the source and the server alike.
    pub clock: TestClock,
}

/// A case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Runs it; a panic says what is wrong.
    pub run: fn(&dyn Driver),
}

impl Setup {
    /// A source for this server as it is, client credentials, with a policy quick enough for tests.
    pub fn new(server: &Server) -> Self {
        let profile = match server.system() {
            System::Gatekeeper => Profile::GATEKEEPER,
            System::OauthV2 => Profile::OAUTH_V2,
            System::Rator => Profile::RATOR,
            System::Generic => Profile::GENERIC,
        };
        let mut policy = Policy::for_profile(&profile);
        policy.attempt_timeout = Duration::from_secs(20);
        policy.min_interval = Duration::from_millis(20);
        policy.max_backoff = Duration::from_millis(400);
        Self {
            profile,
            token_url: server.token_url(),
            client_id: server.client_id(),
            client_secret: server.client_secret(),
            user: None,
            brand_key: server.brand_key().map(|key| key.value),
            api_url: server.base_url(),
            api_key: server.api_key(),
            policy,
            ca_pem: server.ca().map(|ca| ca.pem().to_owned()),
            clock: server.clock().clone(),
        }
    }

    /// The same with the grant `password` for the server's end user.
    #[must_use]
    pub fn with_user(mut self, server: &Server) -> Self {
        self.user = server.user().map(|user| (user.username, user.password));
        self
    }

    /// One reading of both clocks.
    pub fn now(&self) -> Now {
        now(&self.clock)
    }
}

/// One reading of both of a test clock's clocks, as the core wants it.
pub fn now(clock: &TestClock) -> Now {
    // An hour after the origin, as no machine's clock begins with the program.
    let instant = gatekeeper_proto::Instant::from_millis(clock.now_millis().saturating_add(3_600_000));
    Now::new(instant, UnixTime::from_millis(clock.unix_millis()))
}

/// A server whose time is a test clock that runs with the machine's.
fn server(system: System) -> Builder {
    Server::builder(system).clock(&TestClock::real())
}

impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Got").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("profile", &self.profile.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Makes a test of every case of the conformance suite for a driver, given as an expression.
#[macro_export]
macro_rules! conformance_tests {
    ($driver:expr) => {
        $crate::conformance_tests!($driver;
            cold_start many_callers_make_one_request renewal_behind_use failed_renewal_keeps_the_token
            unavailable_then_success retry_after_holds_everyone invalid_client_is_remembered clock_jumps
            every_answer_is_401 a_revoked_token_is_replaced late_rejections_of_an_old_token
            rejected_refresh_token_falls_back refresh_tokens_rotate a_caller_gives_up reset_connections
            the_same_token_again expired_on_arrival oversize_answer redirects_are_not_followed
            answers_that_no_token_cures another_origin_gets_nothing every_system tls_with_a_private_ca
            an_unknown_ca_is_refused
        );
        #[test]
        fn every_case_of_the_suite_is_a_test() {
            assert_eq!($crate::conformance::CASES.len(), 24);
        }
    };
    ($driver:expr; $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                let case = $crate::conformance::CASES.iter().find(|case| case.name == stringify!($name));
                (case.expect("a case of this name").run)(&$driver);
            }
        )+
    };
}
