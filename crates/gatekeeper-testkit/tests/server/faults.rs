//! Each fault, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use gatekeeper_testkit::{
    Answer, At, BadChunk, ConnectionFault, Ending, Endless, Endpoint, Fault, Framing, Gate, RetryAfter, Server, System,
    TestClock,
};

use crate::support::{Call, PATIENCE, api_call, get_token, plain, read_reply, read_to_end, token_call};

fn server() -> Server {
    Server::start(System::OauthV2).unwrap()
}

fn call(server: &Server) -> Call {
    token_call(server, &[("grant_type", "client_credentials")])
}

/// What a token request gets, byte for byte, if the client asks for the connection to be closed.
fn token_bytes(server: &Server, fault: Fault) -> String {
    server.script().next(Endpoint::Token, fault);
    let closing = call(server).header("Connection", "close");
    let (bytes, end) = closing.raw(server);
    end.unwrap();
    String::from_utf8(bytes).unwrap()
}

fn split(response: &str) -> (&str, &str) {
    response.split_once("\r\n\r\n").unwrap()
}

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
    let server = server();
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
    let server = server();
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
    let server = server();
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
fn cut_at_every_place() {
    let server = server();
    let whole = token_bytes(&server, Fault::none());
    let head = split(&whole).0.len() + 4;
    for (at, len) in [
        (At::Start, 0),
        (At::Byte(1), 1),
        (At::Byte(17), 17),
        (At::AfterHead, head),
        (At::MidBody, head + (whole.len() - head) / 2),
        (At::Byte(whole.len() - 1), whole.len() - 1),
        (At::End, whole.len()),
        (At::Byte(usize::MAX), whole.len()),
    ] {
        let answer = Answer::new(200).body(vec![b'x'; whole.len() - head]);
        for ending in [Ending::Close, Ending::Abrupt, Ending::Reset] {
            let fault = Fault::none().cut(at, ending);
            server.script().next(Endpoint::Token, fault);
            let (bytes, end) = call(&server).header("Connection", "close").raw(&server);
            assert_eq!(bytes.len(), len, "{at:?} {ending:?}");
            match (ending, end) {
                (Ending::Reset, Err(e)) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
                (Ending::Close | Ending::Abrupt, Ok(())) => {}
                (_, end) => panic!("{at:?} {ending:?}: {end:?}"),
            }
        }
        // An answer of the test's making is cut in the same way.
        let fault = Fault::answer(answer).cut(At::MidHead, Ending::Reset);
        server.script().next(Endpoint::Token, fault);
        let (bytes, end) = call(&server).raw(&server);
        assert!(!bytes.is_empty() && !bytes.ends_with(b"\r\n\r\n") && end.is_err());
    }
    let counts = server.counts();
    assert_eq!(counts.token_issued, 1 + 8 * 3, "the tokens were issued all the same");
}

#[test]
fn stall_at_every_place_and_the_end_of_the_server() {
    let whole = token_bytes(&server(), Fault::none()).len();
    for (at, at_least) in
        [(At::Start, 0), (At::MidHead, 20), (At::AfterHead, 100), (At::MidBody, 120), (At::End, whole)]
    {
        let server = server();
        server.script().next(Endpoint::Token, Fault::none().stall(at));
        let mut stream = plain(&server);
        let closing = call(&server).header("Connection", "close");
        stream.write_all(&closing.bytes()).unwrap();
        let mut got = vec![0; at_least];
        stream.read_exact(&mut got).unwrap();
        server.wait_for(|c| c.token_issued == 1, PATIENCE).unwrap();
        assert_eq!(server.counts().tokens_in_flight, 1);
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let silence = loop {
            match stream.read(&mut [0; 512]) {
                Ok(0) => panic!("closed at {at:?}"),
                Ok(_) => {}
                Err(e) => break e.kind(),
            }
        };
        assert!(matches!(silence, ErrorKind::WouldBlock | ErrorKind::TimedOut));
        // Dropping the server must not wait for the client.
        let start = Instant::now();
        drop(server);
        assert!(start.elapsed() < PATIENCE / 3, "{at:?}");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
    }
}

#[test]
fn a_stall_ends_with_the_client() {
    let server = server();
    server.script().next(Endpoint::Token, Fault::none().stall(At::AfterHead));
    let mut stream = plain(&server);
    stream.write_all(&call(&server).bytes()).unwrap();
    server.wait_for(|c| c.tokens_in_flight == 1, PATIENCE).unwrap();
    drop(stream);
    server.wait_for(|c| c.tokens_in_flight == 0 && c.open_connections == 0, PATIENCE).unwrap();
}

#[test]
fn drip() {
    let server = server();
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
fn lengths() {
    let server = server();
    let header = |response: &str, name: &str| -> Vec<String> {
        let head = split(response).0.to_lowercase();
        let prefix = format!("{name}: ");
        let lines = head.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines.map(str::to_owned).collect()
    };
    let bytes = |framing: Framing| token_bytes(&server, Fault::none().framed(framing));

    let right = bytes(Framing::Length);
    let len = split(&right).1.len();
    assert_eq!(header(&right, "content-length"), [len.to_string()]);
    for (framing, lengths) in [
        (Framing::LengthTooLong(5), vec![(len + 5).to_string()]),
        (Framing::LengthTooShort(5), vec![(len - 5).to_string()]),
        (Framing::LengthTooShort(usize::MAX), vec!["0".into()]),
        (Framing::TwoLengths, vec![len.to_string(), (len + 1).to_string()]),
        (Framing::BadLength("12, 13".into()), vec!["12, 13".into()]),
    ] {
        let response = bytes(framing.clone());
        assert_eq!(header(&response, "content-length"), lengths, "{framing:?}");
        assert_eq!(split(&response).1.len(), len, "{framing:?}");
    }
    let both = bytes(Framing::LengthAndChunked);
    assert_eq!(header(&both, "content-length"), [len.to_string()]);
    assert_eq!(header(&both, "transfer-encoding"), ["chunked"]);
    assert!(both.ends_with("\r\n0\r\n\r\n"));

    for framing in [Framing::UntilClose, Framing::Http10] {
        let response = bytes(framing.clone());
        assert!(header(&response, "content-length").is_empty());
        assert!(header(&response, "transfer-encoding").is_empty());
        assert_eq!(split(&response).1.len(), len);
        let version = if framing == Framing::Http10 { "HTTP/1.0 " } else { "HTTP/1.1 " };
        assert!(response.starts_with(version));
    }
    let bare = bytes(Framing::BareLf);
    assert!(!bare.contains('\r') && bare.contains("\n\n{"));
}

#[test]
fn a_length_that_is_too_short_leaves_bytes_on_an_open_connection() {
    let server = server();
    let fault = Fault::none().framed(Framing::LengthTooShort(4));
    server.script().next(Endpoint::Token, fault);
    let mut stream = plain(&server);
    let short = call(&server).try_send(&mut stream).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&short.body).is_err());
    let mut rest = [0; 4];
    stream.read_exact(&mut rest).unwrap();
    assert!(rest.ends_with(b"}"));
    let next = call(&server).try_send(&mut stream).unwrap();
    assert_eq!(next.status, 200);
    assert_eq!(server.counts().connections, 1);
}

#[test]
fn chunks_good_and_bad() {
    let server = server();
    for framing in [
        Framing::Chunked { size: 1 },
        Framing::Chunked { size: 0 },
        Framing::Chunked { size: usize::MAX },
        Framing::ChunkedExtensions { size: 9 },
        Framing::ChunkedTrailers { size: 9 },
    ] {
        server.script().next(Endpoint::Token, Fault::none().framed(framing));
        let mut stream = plain(&server);
        let reply = call(&server).try_send(&mut stream).unwrap();
        assert!(!reply.access_token().is_empty());
        // Nothing is left over.
        assert_eq!(call(&server).try_send(&mut stream).unwrap().status, 200);
    }
    let extended = Framing::ChunkedExtensions { size: 9 };
    let bytes = token_bytes(&server, Fault::none().framed(extended));
    assert!(bytes.contains("\r\n9;name=value;quoted=\""), "{bytes}");
    let trailing = Framing::ChunkedTrailers { size: 9 };
    let bytes = token_bytes(&server, Fault::none().framed(trailing));
    assert!(bytes.contains("\r\n0\r\nX-Checksum: 1\r\n"), "{bytes}");

    for bad in BadChunk::ALL {
        let fault = Fault::none().framed(Framing::BadChunks(bad));
        let bytes = token_bytes(&server, fault);
        let (head, body) = split(&bytes);
        assert!(head.contains("chunked") && head.contains("Connection: close"));
        let size = body.split_once("\r\n").unwrap().0;
        match bad {
            BadChunk::NotHex => assert!(size.ends_with('g')),
            BadChunk::Overflow => assert_eq!(size.len(), 17),
            BadChunk::Negative => assert!(size.starts_with('-')),
            BadChunk::NoLineEnd => assert!(body.ends_with("}0\r\n\r\n")),
            BadChunk::NoLastChunk => assert!(body.ends_with("}\r\n")),
            other => panic!("{other:?} is new"),
        }
    }
}

#[test]
fn oversize() {
    let server = server();
    let usual = token_bytes(&server, Fault::none());
    let long = token_bytes(&server, Fault::oversize_head(100_000));
    let growth = split(&long).0.len() - split(&usual).0.len();
    assert!((100_000..100_100).contains(&growth), "{growth}");
    let many = token_bytes(&server, Fault::many_fields(300));
    assert_eq!(split(&many).0.matches("X-Filler-").count(), 300);
    server.script().next(Endpoint::Token, Fault::oversize_body(2_000_000));
    let reply = get_token(&server);
    assert!(reply.body.len() > 2_000_000);
    assert!(!reply.access_token().is_empty(), "still the true answer");
}

#[test]
fn endless() {
    let server = server();
    for what in Endless::ALL {
        server.script().next(Endpoint::Token, Fault::endless(what));
        let mut stream = plain(&server);
        stream.write_all(&call(&server).bytes()).unwrap();
        let mut got = vec![0; 300_000];
        stream.read_exact(&mut got).unwrap();
        let text = String::from_utf8(got).unwrap();
        match what {
            Endless::Informational => {
                assert!(text.matches("HTTP/1.1 103 ").count() > 1_000);
                assert!(!text.contains("HTTP/1.1 200"));
            }
            Endless::Fields => {
                assert!(text.matches("\r\nX-Filler: ").count() > 1_000);
                assert!(!text.contains("\r\n\r\n"));
            }
            Endless::Field => assert!(text.ends_with(&"a".repeat(200_000))),
            Endless::ChunkExtension => assert!(split(&text).1.starts_with("2;filler=aaa")),
            Endless::Chunk => assert!(split(&text).1.starts_with("fffffffffffffff\r\n  ")),
            Endless::Chunks => assert!(split(&text).1.matches("40\r\n").count() > 1_000),
            Endless::Body => assert!(split(&text).1.trim().is_empty()),
            Endless::Trailers => {
                assert!(split(&text).1.starts_with("2\r\n{}\r\n0\r\nX-Filler: "));
            }
            other => panic!("{other:?} is new"),
        }
        drop(stream);
        server.wait_for(|c| c.tokens_in_flight == 0, PATIENCE).unwrap();
    }
    // A slow one, while the server ends.
    let slow = Fault::endless(Endless::Informational).drip(1, Duration::from_secs(3_600));
    server.script().next(Endpoint::Token, slow);
    let mut stream = plain(&server);
    stream.write_all(&call(&server).bytes()).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    drop(server);
}

#[test]
fn raw_bytes() {
    let server = server();
    assert_eq!(token_bytes(&server, Fault::raw("SSH-2.0-x\r\n")), "SSH-2.0-x\r\n");
    assert_eq!(token_bytes(&server, Fault::raw("")), "");
    let fault = Fault::raw("HTTP/1.1 200 OK\r\n\r\n1234").cut(At::MidBody, Ending::Reset);
    server.script().next(Endpoint::Token, fault);
    let (bytes, end) = call(&server).raw(&server);
    assert!(bytes.ends_with(b"\r\n\r\n12") && end.is_err());
    assert_eq!(server.counts().token_faulted, 3);
}

#[test]
fn half_close() {
    let server = server();
    server.script().next(Endpoint::Token, Fault::none().half_close());
    let mut stream = plain(&server);
    let reply = call(&server).try_send(&mut stream).unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, None));
    let (rest, end) = read_to_end(&mut stream);
    assert_eq!(rest, b"");
    end.unwrap();
    // What the client still sends gets neither an answer nor a reset.
    for _ in 0..3 {
        stream.write_all(&call(&server).bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.counts().token_requests, 1);
    assert_eq!(server.counts().open_connections, 1);
    drop(stream);
    server.wait_for(|c| c.open_connections == 0, PATIENCE).unwrap();
}

#[test]
fn faults_combine() {
    let server = server();
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
fn connection_faults() {
    let server = server();
    let script = server.script();
    let request = call(&server).bytes();

    script.next_connection(ConnectionFault::Stall { after: 0 });
    let mut stream = plain(&server);
    stream.write_all(&request).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert_eq!(server.counts().token_requests, 0);
    drop(stream);

    for after in [0, 1, 30, request.len() - 1] {
        script.next_connection(ConnectionFault::Cut { after, ending: Ending::Reset });
        let mut stream = plain(&server);
        stream.write_all(&request).unwrap();
        let (bytes, end) = read_to_end(&mut stream);
        assert_eq!(bytes, b"");
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "{after}");

        script.next_connection(ConnectionFault::Cut { after, ending: Ending::Close });
        let mut stream = plain(&server);
        stream.write_all(&request).unwrap();
        let (bytes, end) = read_to_end(&mut stream);
        assert_eq!(bytes, b"");
        end.unwrap();
    }
    script.next_connection(ConnectionFault::Says(b"220 ready\r\n".to_vec()));
    assert_eq!(read_to_end(&mut plain(&server)).0, b"220 ready\r\n");

    // One that the client must time out, then all is well again.
    let held = script.hold_connections(ConnectionFault::Stall { after: 10 });
    let mut stalled = plain(&server);
    stalled.write_all(&request).unwrap();
    server.wait_for(|c| c.connections == 11, PATIENCE).unwrap();
    let before = server.wait_for(|c| c.faults == 11, PATIENCE).unwrap();
    assert_eq!(before.token_requests, 0);
    drop(held);
    assert_eq!(get_token(&server).status, 200);
    drop(stalled);
}

#[test]
fn resets_inside_the_head_leave_what_was_sent() {
    let server = server();
    let mut stream = plain(&server);
    assert_eq!(call(&server).try_send(&mut stream).unwrap().status, 200);
    // On a connection that was good before.
    let fault = Fault::none().cut(At::Byte(12), Ending::Reset);
    server.script().next(Endpoint::Token, fault);
    stream.write_all(&call(&server).bytes()).unwrap();
    let (bytes, end) = read_to_end(&mut stream);
    assert_eq!(bytes, b"HTTP/1.1 200");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn interim_responses_by_hand() {
    // What the fault has no name for, raw bytes can say.
    let server = server();
    let raw = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    server.script().next(Endpoint::Token, Fault::raw(raw).stall(At::End));
    let mut stream = plain(&server);
    stream.write_all(&call(&server).bytes()).unwrap();
    stream.read_exact(&mut [0; 25]).unwrap();
    assert_eq!(read_reply(&mut stream).unwrap().text(), "{}");
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
