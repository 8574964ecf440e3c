//! The cases, each a sentence about what a driver does.

use super::{Case, Driver, FailedKind, Got, Setup, Source, server};
use crate::systems::System;
use crate::{
    Answer, At, Challenge, Counts, Ending, Endpoint, ExpiresIn, Fault, Gate, LeafKind, Refresh, RetryAfter, Server,
    TestCa,
};
use std::time::{Duration, Instant};

macro_rules! cases {
    ($($name:ident)+) => {
        /// Every case of the suite.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($name), run: $name }),+];
    };
}

cases! {
    cold_start
    many_callers_make_one_request
    renewal_behind_use
    failed_renewal_keeps_the_token
    unavailable_then_success
    retry_after_holds_everyone
    invalid_client_is_remembered
    clock_jumps
    every_answer_is_401
    a_revoked_token_is_replaced
    late_rejections_of_an_old_token
    rejected_refresh_token_falls_back
    refresh_tokens_rotate
    a_caller_gives_up
    reset_connections
    the_same_token_again
    expired_on_arrival
    oversize_answer
    redirects_are_not_followed
    answers_that_no_token_cures
    another_origin_gets_nothing
    every_system
    tls_with_a_private_ca
    an_unknown_ca_is_refused
}

/// Long enough for anything that is meant to succeed, on a machine that is busy with something else.
const AMPLE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

fn start(builder: crate::Builder) -> Server {
    builder.start().expect("a server on loopback")
}

fn wait_until(server: &Server, what: &str, wanted: impl Fn(&Counts) -> bool) -> Counts {
    match server.wait_for(wanted, AMPLE) {
        Ok(counts) => counts,
        Err(e) => panic!("{what}: {e}"),
    }
}

fn token(source: &dyn Source) -> Got {
    source.token(AMPLE).unwrap_or_else(|e| panic!("no token: {e:?}"))
}

/// Asks until the token is another one; every answer on the way is a token.
fn token_after(source: &dyn Source, old: &Got) -> Got {
    let begin = Instant::now();
    loop {
        let now = token(source);
        if now.token != old.token {
            return now;
        }
        assert!(begin.elapsed() < AMPLE, "the token is never renewed");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn cold_start(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper));
    let source = driver.source(Setup::new(&server));
    assert_eq!(server.counts().token_requests, 0, "nothing is asked for before anybody wants a token");
    let first = token(&*source);
    let again = token(&*source);
    assert_eq!(first, again);
    assert_eq!(server.counts().token_requests, 1);
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200));
    assert_eq!(server.counts().token_requests, 1);
}

fn many_callers_make_one_request(driver: &dyn Driver) {
    let server = start(server(System::OauthV2));
    let gate = Gate::new();
    server.script().next(Endpoint::Token, Fault::none().behind(&gate));
    let source = driver.source(Setup::new(&server));
    let tokens: Vec<Got> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..32).map(|_| scope.spawn(|| token(&*source))).collect();
        wait_until(&server, "a request arrives", |c| c.tokens_in_flight == 1);
        // Time for the others to find one in flight.
        std::thread::sleep(Duration::from_millis(100));
        gate.open();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).collect()
    });
    assert!(tokens.iter().all(|got| *got == tokens[0]), "everybody gets the same token");
    assert_eq!(server.counts().token_requests, 1);
}

fn renewal_behind_use(driver: &dyn Driver) {
    let server = start(server(System::OauthV2).lifetime(HOUR));
    let setup = Setup::new(&server);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    let first = token(&*source);
    clock.advance(HOUR * 70 / 100);
    assert_eq!(token(&*source), first);
    assert_eq!(server.counts().token_requests, 1, "not asked for before its time");
    clock.advance(HOUR * 18 / 100);
    let second = token_after(&*source, &first);
    assert!(second.generation > first.generation);
    assert_eq!(server.counts().token_requests, 2);
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200));
    assert_eq!(server.counts().api_unauthorized, 0);
}

fn failed_renewal_keeps_the_token(driver: &dyn Driver) {
    let server = start(server(System::OauthV2).lifetime(HOUR));
    let mut setup = Setup::new(&server);
    setup.policy.max_backoff = Duration::from_secs(600);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    let first = token(&*source);
    let outage = server.script().hold(Endpoint::Token, Fault::status(503));
    clock.advance(HOUR * 90 / 100);
    for _ in 0..50 {
        assert_eq!(token(&*source), first, "a valid token is served whatever the renewal does");
        std::thread::sleep(Duration::from_millis(2));
    }
    wait_until(&server, "a renewal is tried", |c| c.token_requests >= 2);
    assert!(server.counts().token_requests <= 3, "tried with restraint: {:?}", server.counts().token_requests);
    drop(outage);
    clock.advance(HOUR * 9 / 100);
    let second = token_after(&*source, &first);
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200));
    assert!(second.generation > first.generation);
}

fn unavailable_then_success(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper));
    server.script().next_n(Endpoint::Token, 2, Fault::status(503));
    let source = driver.source(Setup::new(&server));
    token(&*source);
    assert_eq!(server.counts().token_requests, 3);
    assert_eq!(server.counts().token_faulted, 2);
}

fn retry_after_holds_everyone(driver: &dyn Driver) {
    for after in [RetryAfter::Seconds(120), RetryAfter::DateIn(120)] {
        let server = start(server(System::OauthV2));
        server.script().next(Endpoint::Token, Fault::too_many_requests(after.clone()));
        let setup = Setup::new(&server);
        let clock = setup.clock.clone();
        let source = driver.source(setup);
        for _ in 0..5 {
            let begin = Instant::now();
            let failed = source.token(Duration::from_secs(60)).expect_err("nobody passes the gate");
            assert!(matches!(failed.kind, FailedKind::Server | FailedKind::Waiting), "{failed:?}");
            assert!(begin.elapsed() < AMPLE, "said at once, not after the wait");
        }
        assert_eq!(server.counts().token_requests, 1, "{after:?}");
        clock.advance(Duration::from_secs(125));
        token(&*source);
        assert_eq!(server.counts().token_requests, 2);
    }
}

fn invalid_client_is_remembered(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper));
    let mut setup = Setup::new(&server);
    let clock = setup.clock.clone();
    let memory = setup.policy.refusal_memory;
    setup.client_secret = "wr0ng-s3cret-with-enough-bytes".to_owned();
    let source = driver.source(setup.clone());
    for _ in 0..5 {
        let failed = source.token(AMPLE).expect_err("the secret is wrong");
        assert_eq!(failed.kind, FailedKind::Refused, "{failed:?}");
        assert!(!failed.text.contains(&setup.client_secret[..8]), "{}", failed.text);
    }
    assert_eq!(server.counts().token_requests, 1, "a wrong secret is not tried over and over");
    server.set_client_secrets([setup.client_secret.as_str()]);
    clock.advance(memory + Duration::from_secs(1));
    token(&*source);
    assert_eq!(server.counts().token_requests, 2, "and not given up for ever");
}

fn clock_jumps(driver: &dyn Driver) {
    let server = start(server(System::OauthV2).lifetime(HOUR));
    let setup = Setup::new(&server);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    let first = token(&*source);
    clock.set_wall_offset_millis(-86_400_000);
    assert_eq!(token(&*source), first, "a wall clock set back neither ends nor prolongs a token");
    clock.set_wall_offset_millis(0);
    // As after a suspend: the wall clock went on for a day, the monotonic one stood still.
    clock.set_wall_offset_millis(86_400_000);
    let second = token_after(&*source, &first);
    assert_eq!(server.counts().token_requests, 2);
    assert!(second.generation > first.generation);
}

fn every_answer_is_401(driver: &dyn Driver) {
    let server = start(server(System::OauthV2));
    let _storm = server.script().hold(Endpoint::Api, Fault::unauthorized());
    let mut setup = Setup::new(&server);
    setup.policy.max_backoff = Duration::from_secs(60);
    setup.policy.min_interval = Duration::from_millis(200);
    let source = driver.source(setup);
    let mut answered = 0;
    for _ in 0..20 {
        match source.call(&server.api_url("/api/whoami"), Duration::from_secs(5)) {
            Ok(status) => {
                assert_eq!(status, 401, "the API's answer comes back as itself");
                answered += 1;
            }
            Err(failed) => assert!(matches!(failed.kind, FailedKind::Waiting | FailedKind::Server), "{failed:?}"),
        }
    }
    assert!(answered >= 1);
    let requests = server.counts().token_requests;
    assert!(requests <= 10, "a new token is no cure, so {requests} requests are too many");
}

fn a_revoked_token_is_replaced(driver: &dyn Driver) {
    for challenge in [Challenge::Rfc6750, Challenge::ApiGateway, Challenge::Spring, Challenge::None] {
        let server = start(server(System::Gatekeeper).with(|s| s.challenge = challenge));
        let source = driver.source(Setup::new(&server));
        let first = token(&*source);
        server.revoke_access_tokens();
        assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200), "repeated with a new token");
        assert_ne!(token(&*source), first);
        let counts = server.counts();
        assert_eq!((counts.token_requests, counts.api_unauthorized, counts.api_ok), (2, 1, 1), "{challenge:?}");
    }
}

fn late_rejections_of_an_old_token(driver: &dyn Driver) {
    let server = start(server(System::OauthV2));
    let source = driver.source(Setup::new(&server));
    let first = token(&*source);
    source.invalidate(&first);
    let second = token(&*source);
    assert_ne!(first, second);
    for _ in 0..10 {
        source.invalidate(&first);
        assert_eq!(token(&*source), second);
    }
    assert_eq!(server.counts().token_requests, 2);
}

fn rejected_refresh_token_falls_back(driver: &dyn Driver) {
    let server = start(server(System::Rator).with(|s| s.same_token = false).lifetime(HOUR));
    let setup = Setup::new(&server).with_user(&server);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    let first = token(&*source);
    server.revoke_all();
    clock.advance(HOUR);
    let second = token_after(&*source, &first);
    let counts = server.counts();
    assert_eq!((counts.refresh_token, counts.password, counts.token_issued), (1, 2, 2));
    assert!(second.generation > first.generation);
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200));
}

fn refresh_tokens_rotate(driver: &dyn Driver) {
    let server = start(server(System::Generic).with(|s| s.refresh = Refresh::RotateWithReuseDetection).lifetime(HOUR));
    let setup = Setup::new(&server).with_user(&server);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    let mut got = token(&*source);
    for n in 1..=3 {
        clock.advance(HOUR * 88 / 100);
        got = token_after(&*source, &got);
        let counts = server.counts();
        assert_eq!((counts.password, counts.refresh_token, counts.token_refused), (1, n, 0));
    }
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200));
}

fn a_caller_gives_up(driver: &dyn Driver) {
    let server = start(server(System::OauthV2));
    let gate = Gate::new();
    server.script().next(Endpoint::Token, Fault::none().behind(&gate));
    let source = driver.source(Setup::new(&server));
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| token(&*source));
        let hasty = scope.spawn(|| source.token(Duration::from_millis(50)));
        let failed = hasty.join().expect("a caller").expect_err("the answer is still held back");
        assert!(matches!(failed.kind, FailedKind::TimedOut | FailedKind::Waiting), "{failed:?}");
        wait_until(&server, "a request arrives", |c| c.tokens_in_flight == 1);
        gate.open();
        patient.join().expect("a caller");
    });
    token(&*source);
    assert_eq!(server.counts().token_requests, 1, "giving up starts nothing and ends nothing");
}

fn reset_connections(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper));
    for at in [At::AfterHead, At::MidBody] {
        server.script().next(Endpoint::Token, Fault::none().cut(at, Ending::Reset));
    }
    server.script().next(Endpoint::Token, Fault::none().cut(At::MidBody, Ending::Close));
    let source = driver.source(Setup::new(&server));
    token(&*source);
    assert_eq!(server.counts().token_requests, 4);
}

fn the_same_token_again(driver: &dyn Driver) {
    let server = start(server(System::Rator).with(|s| s.same_token = true).lifetime(HOUR));
    let setup = Setup::new(&server);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    let step = HOUR / 200;
    let mut unusable = 0;
    for _ in 0..600 {
        unusable += u32::from(source.token(AMPLE).is_err());
        assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200), "every token handed out is good");
        clock.advance(step);
    }
    assert_eq!(unusable, 0);
    assert_eq!(server.counts().api_unauthorized, 0);
    let requests = server.counts().token_requests;
    assert!(requests <= 3 * 8, "{requests} requests in three lifetimes: asking early brings nothing");
}

fn expired_on_arrival(driver: &dyn Driver) {
    let server = start(server(System::OauthV2).with(|s| s.expires_in = ExpiresIn::Number(0)));
    let mut setup = Setup::new(&server);
    setup.policy.min_interval = Duration::from_secs(5);
    setup.policy.max_backoff = Duration::from_secs(60);
    let source = driver.source(setup);
    token(&*source);
    let begin = Instant::now();
    let failed = source.token(Duration::from_millis(200)).expect_err("it was to be used once");
    assert!(matches!(failed.kind, FailedKind::Waiting | FailedKind::Server), "{failed:?}");
    assert!(begin.elapsed() < AMPLE);
    assert_eq!(server.counts().token_requests, 1, "and not asked for again without a pause");
}

fn oversize_answer(driver: &dyn Driver) {
    let server = start(server(System::OauthV2));
    server.script().next(Endpoint::Token, Fault::oversize_body(8 << 20));
    let mut setup = Setup::new(&server);
    setup.policy.min_interval = Duration::from_secs(2);
    setup.policy.max_backoff = Duration::from_secs(2);
    let clock = setup.clock.clone();
    let source = driver.source(setup);
    source.token(Duration::from_secs(1)).expect_err("no token endpoint answers so much");
    clock.advance(Duration::from_secs(5));
    token(&*source);
}

fn redirects_are_not_followed(driver: &dyn Driver) {
    let elsewhere = start(server(System::OauthV2));
    for status in [302, 307, 308] {
        let server = start(server(System::OauthV2));
        let _held = server.script().hold(Endpoint::Token, Fault::redirect(status, elsewhere.token_url()));
        let source = driver.source(Setup::new(&server));
        source.token(Duration::from_millis(200)).expect_err("no token comes from a redirect");
        let server = start(self::server(System::Gatekeeper));
        let source = driver.source(Setup::new(&server));
        server.script().next(Endpoint::Api, Fault::redirect(status, elsewhere.api_url("/api/whoami")));
        assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(status));
    }
    assert_eq!(elsewhere.counts().connections, 0, "nothing is sent to where a redirect leads");
}

fn answers_that_no_token_cures(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper));
    let source = driver.source(Setup::new(&server));
    assert_eq!(source.call(&server.api_url("/api/admin"), AMPLE), Ok(403));
    let wrong_key = r#"{"message":"Invalid API key"}"#;
    server.script().next(Endpoint::Api, Fault::answer(Answer::json(401, wrong_key)));
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(401));
    server.script().next(Endpoint::Api, Fault::status(500));
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(500));
    let counts = server.counts();
    assert_eq!((counts.token_requests, counts.api_requests), (1, 3), "the token is kept and nothing repeated");
}

fn another_origin_gets_nothing(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper));
    let elsewhere = start(self::server(System::Gatekeeper));
    let source = driver.source(Setup::new(&server));
    token(&*source);
    // Refusing such a call is as good as sending it without credentials.
    drop(source.call(&elsewhere.api_url("/api/whoami"), AMPLE));
    for seen in elsewhere.seen() {
        for name in ["authorization", "x-api-key"] {
            assert!(seen.header(name).is_none(), "{name} was sent to another origin");
        }
    }
}

fn every_system(driver: &dyn Driver) {
    for system in System::ALL {
        let server = start(server(system));
        let source = driver.source(Setup::new(&server));
        assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200), "{system:?}");
        let counts = server.counts();
        assert_eq!((counts.token_issued, counts.token_refused, counts.api_ok), (1, 0, 1), "{system:?}");
    }
}

fn tls_with_a_private_ca(driver: &dyn Driver) {
    let server = start(server(System::Gatekeeper).tls());
    let source = driver.source(Setup::new(&server));
    assert_eq!(source.call(&server.api_url("/api/whoami"), AMPLE), Ok(200));
}

fn an_unknown_ca_is_refused(driver: &dyn Driver) {
    let other = TestCa::new().expect("a CA");
    for (leaf, ca) in [(LeafKind::UnknownCa, None), (LeafKind::WrongName, None), (LeafKind::Good, Some(&other))] {
        let server = start(server(System::Gatekeeper).tls().leaf(leaf));
        let mut setup = Setup::new(&server);
        if let Some(ca) = ca {
            setup.ca_pem = Some(ca.pem().to_owned());
        }
        let source = driver.source(setup);
        let failed = source.token(Duration::from_millis(300)).expect_err("the certificate is not good");
        assert!(matches!(failed.kind, FailedKind::Tls | FailedKind::Network | FailedKind::Waiting), "{failed:?}");
        assert_eq!(server.counts().token_requests, 0, "no secret is sent before the certificate is found good");
    }
}
