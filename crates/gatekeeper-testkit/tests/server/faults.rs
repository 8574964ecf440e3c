//! What faults say, and how they are scheduled and combined.

use std::time::{Duration, Instant};

use gatekeeper_testkit::{
    Answer, At, ConnectionFault, Ending, Endpoint, Fault, Framing, Gate, RetryAfter, Server, System, TestClock,
};

use crate::support::{PATIENCE, api_call, get_token, opaque_server, split, token_bytes};

#[test]
fn statuses_in_each_systems_words() {
    for (system, words) in [
        (System::Gatekeeper, "{\"message\":\"Service Unavailable\"}"),
        (System::Generic, "\"error\":\"server_error\""),
        (System::Rator, "\"error\":\"Service Unavailable\",\"message\""),
    ] {
        let server = Server::start(system).unwrap();
        server.script().next(Endpoint::Token, Fault::status(503));
        let reply = get_token(&server);
        assert_eq!(reply.status, 503);
        assert!(reply.text().contains(words), "{}", reply.text());
        assert_eq!(get_token(&server).status, 200, "one fault only");
        let counts = server.counts();
        assert_eq!((counts.token_requests, counts.token_issued), (2, 1));
        assert_eq!((counts.token_faulted, counts.token_refused), (1, 0));
        assert_eq!(counts.faults, 1);
    }
}

#[test]
fn retry_after_in_both_forms() {
    let clock = TestClock::manual(784_111_777_000);
    let server = Server::builder(System::Gatekeeper).clock(&clock).start().unwrap();
    for (after, value) in [
        (RetryAfter::Seconds(3), "3"),
        (RetryAfter::DateIn(0), "Sun, 06 Nov 1994 08:49:37 GMT"),
        (RetryAfter::DateIn(-37), "Sun, 06 Nov 1994 08:49:00 GMT"),
        (RetryAfter::Text("soon".into()), "soon"),
    ] {
        server.script().next(Endpoint::Token, Fault::too_many_requests(after.clone()));
        server.script().next(Endpoint::Token, Fault::unavailable(after));
        for status in [429, 503] {
            let reply = get_token(&server);
            assert_eq!((reply.status, reply.header("retry-after")), (status, Some(value)));
        }
    }
    // The date is the server's own, so that a client can take the difference.
    server.set_date_skew_seconds(-60);
    server.script().next(Endpoint::Token, Fault::unavailable(RetryAfter::DateIn(10)));
    let reply = get_token(&server);
    assert_eq!(reply.header("date"), Some("Sun, 06 Nov 1994 08:48:37 GMT"));
    assert_eq!(reply.header("retry-after"), Some("Sun, 06 Nov 1994 08:48:47 GMT"));
}

#[test]
fn answers_of_another_kind() {
    let server = opaque_server();
    let script = server.script();
    script.next(Endpoint::Token, Fault::html(200));
    let reply = get_token(&server);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(reply.text().starts_with("<!DOCTYPE html>"));
    script.next(Endpoint::Token, Fault::html(502));
    assert_eq!(get_token(&server).status, 502);
    script.next(Endpoint::Token, Fault::empty(200));
    let reply = get_token(&server);
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("0")));
    for status in [302, 307, 308] {
        script.next(Endpoint::Token, Fault::redirect(status, "http://127.0.0.1:1/x"));
        let reply = get_token(&server);
        assert_eq!((reply.status, reply.header("location")), (status, Some("http://127.0.0.1:1/x")));
    }
    let odd = Answer::json(299, "{}").header("X-Odd", "1");
    script.next(Endpoint::Token, Fault::answer(odd));
    let reply = get_token(&server);
    assert_eq!((reply.status, reply.header("x-odd"), reply.text()), (299, Some("1"), "{}"));
    assert_eq!(server.counts().token_faulted, 7);
}

#[test]
fn a_storm_of_401s_lasts_as_long_as_its_guard() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let token = get_token(&server).access_token();
    let whoami = api_call(&server, "/api/whoami", &token);
    let storm = server.script().hold(Endpoint::Api, Fault::unauthorized());
    for _ in 0..3 {
        let reply = whoami.send(&server);
        assert_eq!(reply.status, 401);
        assert!(reply.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    // A single fault goes first.
    server.script().next(Endpoint::Api, Fault::status(500));
    assert_eq!(whoami.send(&server).status, 500);
    assert_eq!(whoami.send(&server).status, 401);
    assert_eq!(get_token(&server).status, 200, "the token endpoint is another one");
    drop(storm);
    assert_eq!(whoami.send(&server).status, 200);
    let counts = server.counts();
    assert_eq!((counts.api_unauthorized, counts.api_other, counts.api_ok), (4, 1, 1));
}

#[test]
fn script_bookkeeping() {
    let server = opaque_server();
    let script = server.script();
    script.next_n(Endpoint::Token, 3, Fault::status(500));
    assert_eq!((script.remaining(Endpoint::Token), script.remaining(Endpoint::Api)), (3, 0));
    assert_eq!(get_token(&server).status, 500);
    assert_eq!(script.remaining(Endpoint::Token), 2);
    let older = script.hold(Endpoint::Token, Fault::status(501));
    let newer = script.hold(Endpoint::Token, Fault::status(502));
    script.clear();
    assert_eq!(get_token(&server).status, 200);
    drop((older, newer));
    let older = script.hold(Endpoint::Token, Fault::status(501));
    let newer = script.hold(Endpoint::Token, Fault::status(502));
    assert_eq!(get_token(&server).status, 502);
    drop(newer);
    assert_eq!(get_token(&server).status, 501);
    drop(older);
    assert_eq!(get_token(&server).status, 200);
}

#[test]
fn delay_and_gate() {
    let server = opaque_server();
    let delay = Duration::from_millis(60);
    server.script().next(Endpoint::Token, Fault::none().delay(delay));
    let start = Instant::now();
    assert_eq!(get_token(&server).status, 200);
    assert!(start.elapsed() >= delay);

    server.reset_counts();
    let gate = Gate::new();
    server.script().next_n(Endpoint::Token, 2, Fault::none().behind(&gate));
    std::thread::scope(|scope| {
        let callers = [(); 2].map(|()| scope.spawn(|| get_token(&server).status));
        server.wait_for(|c| c.tokens_in_flight == 2, PATIENCE).unwrap();
        assert_eq!(server.counts().token_issued, 0);
        gate.open();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), 200);
        }
    });
    let counts = server.counts();
    assert_eq!((counts.tokens_in_flight, counts.max_tokens_in_flight), (0, 2));
    // One after the other is never two.
    server.reset_counts();
    for _ in 0..20 {
        get_token(&server);
    }
    assert_eq!(server.counts().max_tokens_in_flight, 1);
}

#[test]
fn drip() {
    let server = opaque_server();
    let pause = Duration::from_millis(2);
    let fault = Fault::none().drip(10, pause);
    server.script().next(Endpoint::Token, fault);
    let start = Instant::now();
    let reply = get_token(&server);
    reply.access_token();
    let pieces = u32::try_from(reply.body.len() / 10).unwrap();
    assert!(start.elapsed() >= pause * pieces);
}

#[test]
fn faults_combine() {
    let server = opaque_server();
    let start = Instant::now();
    let bytes = token_bytes(
        &server,
        Fault::unavailable(RetryAfter::Seconds(1))
            .framed(Framing::Chunked { size: 3 })
            .delay(Duration::from_millis(20))
            .drip(7, Duration::from_micros(100))
            .cut(At::MidBody, Ending::Close),
    );
    assert!(start.elapsed() >= Duration::from_millis(20));
    let (head, body) = split(&bytes);
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: 1"));
    assert!(body.starts_with("3\r\n{\"e\r\n") && !body.contains("\r\n0\r\n"));
}

#[test]
fn debug_of_faults_shows_no_bytes() {
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        Fault::raw("canary"),
        Fault::answer(Answer::json(200, "canary").header("x", "canary")),
        Fault::redirect(302, "http://canary"),
        ConnectionFault::Says(b"canary".to_vec()),
    );
    assert!(!shown.contains("canary"), "{shown}");
}
