//! Going down and up, concurrency, observation, and the HTTP of it all.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use gatekeeper_testkit::{Endpoint, Fault, Gate, Server, System};

use crate::support::{Call, PATIENCE, api_call, connect, get_token, plain, read_reply, read_to_end, token_call};

#[test]
fn down_and_up_on_the_same_port() {
    let server = Server::start(System::Generic).unwrap();
    let addr = server.addr();
    let mut kept = plain(&server);
    let call = token_call(&server, &[("grant_type", "client_credentials")]);
    assert_eq!(call.try_send(&mut kept).unwrap().status, 200);
    for _ in 0..3 {
        server.refuse_connections();
        let refused = TcpStream::connect(addr).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(call.try_send(&mut kept).unwrap().status, 200, "an open one goes on");
        server.come_up().unwrap();
        assert_eq!(server.addr(), addr);
        assert_eq!(call.send(&server).status, 200);
    }
    server.go_down();
    server.go_down();
    assert!(TcpStream::connect(addr).is_err());
    assert!(call.try_send(&mut kept).is_err(), "open ones ended");
    server.come_up().unwrap();
    server.come_up().unwrap();
    assert_eq!(call.send(&server).status, 200);
    // The knocks that wake the listener are nobody's connections.
    assert_eq!(server.counts().connections, 1 + 3 + 1);
    server.go_down();
    drop(server);
}

#[test]
fn connections_can_be_ended_while_a_request_waits() {
    let server = Server::start(System::Generic).unwrap();
    let gate = Gate::new();
    server.script().next(Endpoint::Token, Fault::none().behind(&gate));
    let mut stream = plain(&server);
    let call = token_call(&server, &[("grant_type", "client_credentials")]);
    stream.write_all(&call.bytes()).unwrap();
    server.wait_for(|c| c.tokens_in_flight == 1, PATIENCE).unwrap();
    server.close_connections();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    gate.open();
    server.wait_for(|c| c.open_connections == 0, PATIENCE).unwrap();
    assert_eq!(call.send(&server).status, 200);
}

#[test]
fn dropping_ends_everything_soon() {
    let server = Server::start(System::Generic).unwrap();
    let script = server.script();
    let gate = Gate::new();
    script.next(Endpoint::Token, Fault::none().behind(&gate));
    script.next(Endpoint::Token, Fault::none().delay(Duration::from_secs(3_600)));
    script.next(Endpoint::Token, Fault::none().drip(1, Duration::from_secs(3_600)));
    let call = token_call(&server, &[("grant_type", "client_credentials")]);
    let mut streams: Vec<TcpStream> = (0..6).map(|_| plain(&server)).collect();
    for stream in &mut streams[..3] {
        stream.write_all(&call.bytes()).unwrap();
    }
    server.wait_for(|c| c.faults == 3, PATIENCE).unwrap();
    // One in the middle of a request, one that was used, and one that never said anything.
    streams[3].write_all(b"POST /token HT").unwrap();
    assert_eq!(call.try_send(&mut streams[4]).unwrap().status, 200);
    server.wait_for(|c| c.token_requests == 4, PATIENCE).unwrap();
    let addr = server.addr();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < PATIENCE / 3);
    assert!(TcpStream::connect(addr).is_err());
    for stream in &mut streams {
        let (_, _) = read_to_end(stream);
    }
}

#[test]
fn a_chosen_address() {
    let first = Server::start(System::Generic).unwrap();
    let addr = first.addr();
    let taken = Server::builder(System::Generic).listen(addr).start();
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(first);
    let second = Server::builder(System::Generic).listen(addr).start().unwrap();
    assert_eq!(second.addr(), addr);
    get_token(&second).access_token();
    let public = Server::builder(System::Generic).listen(([0, 0, 0, 0], 0).into()).start();
    assert_eq!(public.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn ipv6() {
    // Not every machine has the address; where it does, the server must serve on it.
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let server = Server::builder(System::Generic).listen("[::1]:0".parse().unwrap()).tls().start().unwrap();
    assert!(server.origin().starts_with("https://[::1]:"));
    get_token(&server).access_token();
    server.go_down();
    assert!(TcpStream::connect(server.addr()).is_err());
    server.come_up().unwrap();
    get_token(&server).access_token();
}

#[test]
fn three_hundred_keep_alive_connections() {
    const CONNECTIONS: usize = 300;
    let server = Server::start(System::Gatekeeper).unwrap();
    let token = get_token(&server).access_token();
    let whoami = api_call(&server, "/api/whoami", &token);
    let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| plain(&server)).collect();
    for _ in 0..3 {
        for stream in &mut streams {
            stream.write_all(&whoami.bytes()).unwrap();
        }
        for stream in &mut streams {
            assert_eq!(read_reply(stream).unwrap().status, 200);
        }
    }
    let counts = server.counts();
    assert_eq!(counts.connections, 1 + CONNECTIONS as u64);
    assert_eq!(counts.api_ok, 3 * CONNECTIONS as u64);
    drop(streams);
    server.wait_for(|c| c.open_connections == 0, PATIENCE).unwrap();
}

#[test]
fn parallel_token_requests_are_counted() {
    let server = Server::start(System::OauthV2).unwrap();
    let gate = Gate::new();
    let held = server.script().hold(Endpoint::Token, Fault::none().behind(&gate));
    let together = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                together.wait();
                get_token(&server).access_token()
            });
        }
        server.wait_for(|c| c.tokens_in_flight == 8, PATIENCE).unwrap();
        gate.open();
    });
    drop(held);
    let counts = server.counts();
    assert_eq!((counts.max_tokens_in_flight, counts.token_issued), (8, 8));
    let mut tokens: Vec<_> = (0..8).map(|_| get_token(&server).access_token()).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 8);
}

#[test]
fn waiting_has_a_deadline() {
    let server = Server::start(System::Generic).unwrap();
    let late = server.wait_for(|c| c.token_requests > 0, Duration::from_millis(20));
    let late = late.unwrap_err();
    assert_eq!(late.counts().token_requests, 0);
    assert!(late.to_string().contains("token_requests: 0"), "{late}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait_for(|c| c.token_issued == 2, PATIENCE));
        get_token(&server);
        get_token(&server);
        assert_eq!(waiting.join().unwrap().unwrap().token_issued, 2);
    });
}

#[test]
fn closures_may_ask_the_server() {
    let server = Server::start(System::Generic).unwrap();
    server.change(|s| s.clients[0].secrets = vec![server.client_secret() + "2"]);
    assert!(server.client_secret().ends_with('2'));
    get_token(&server);
    let seen = server.wait_for(|_| server.seen().len() == server.counts().token_issued as usize, PATIENCE);
    assert_eq!(seen.unwrap().token_issued, 1);
}

#[test]
fn requests_seen() {
    let server = Server::builder(System::Rator).with(|s| s.seen_limit = 3).start().unwrap();
    let token = get_token(&server).access_token();
    let call = api_call(&server, "/api/echo?x=%20y", &token).header("Accept-Language", "el");
    call.send(&server);
    let seen = server.seen();
    let [token_request, api_request] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!(token_request.endpoint, Endpoint::Token);
    assert_eq!((token_request.method.as_str(), token_request.path()), ("POST", "/oauth/token"));
    assert_eq!(token_request.form_value("grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(token_request.query()[0].1, server.brand_key().unwrap().value);
    assert_eq!(token_request.basic().unwrap().1, server.client_secret());
    assert_eq!(token_request.bearer(), None);
    assert_eq!(api_request.endpoint, Endpoint::Api);
    assert_eq!(api_request.target, "/api/echo?x=%20y");
    assert_eq!(api_request.header("ACCEPT-language"), Some("el"));
    assert_eq!((token_request.connection, api_request.connection), (1, 2));
    assert!(api_request.at_millis >= token_request.at_millis);
    assert_eq!((token_request.status, api_request.status), (Some(200), Some(200)));

    server.script().next(Endpoint::Api, Fault::raw("nothing"));
    call.raw(&server).1.unwrap();
    server.script().next_n(Endpoint::Api, 5, Fault::status(503));
    call.send(&server);
    let statuses = || server.seen().iter().map(|r| r.status).collect::<Vec<_>>();
    assert_eq!(statuses(), [Some(200), None, Some(503)]);
    for _ in 0..4 {
        call.send(&server);
    }
    assert_eq!(statuses(), [Some(503); 3]);
    let shown = format!("{server:?} {:?} {seen:?} {:?}", server.settings(), server.script());
    for secret in [token, server.client_secret(), server.brand_key().unwrap().value] {
        assert!(!shown.contains(&secret), "{shown}");
    }
    server.reset_counts();
    assert!(server.seen().is_empty());
    assert_eq!(server.counts().token_requests, 0);
}

#[test]
fn http_of_the_server() {
    let server = Server::start(System::Generic).unwrap();
    let token = get_token(&server).access_token();
    let raw = |bytes: &str| {
        let mut stream = plain(&server);
        stream.write_all(bytes.as_bytes()).unwrap();
        let (bytes, end) = read_to_end(&mut stream);
        end.unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let authorization = format!("Host: x\r\nAuthorization: bearer   {token}\r\n");

    // HTTP/1.0 and Connection: close end the connection, HEAD has no body, and a proxy's form of
    // the target is understood.
    let old = raw(&format!("GET /api/whoami HTTP/1.0\r\n{authorization}\r\n"));
    assert!(old.starts_with("HTTP/1.1 200 OK\r\n") && old.contains("Connection: close\r\n"));
    let head = raw(&format!("HEAD /api/whoami HTTP/1.1\r\n{authorization}Connection: close\r\n\r\n"));
    assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length: 0"), "{head}");
    let absolute = raw(&format!("GET http://x/api/whoami HTTP/1.1\r\n{authorization}Connection: close\r\n\r\n"));
    assert!(absolute.starts_with("HTTP/1.1 200 OK\r\n"));

    // Two requests in one segment, the first one chunked.
    let two = raw(&format!(
        "POST /api/echo HTTP/1.1\r\n{authorization}Transfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\n\r\n\
         GET /api/echo HTTP/1.1\r\n{authorization}Connection: close\r\n\r\n"
    ));
    assert!(two.contains("\"body_len\":3}HTTP/1.1 200 OK"), "{two}");
    assert!(two.ends_with("\"body_len\":0}"));

    let expecting = raw(&format!(
        "POST /api/echo HTTP/1.1\r\n{authorization}Expect: 100-continue\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    ));
    assert!(expecting.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));

    for (bytes, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "413"),
    ] {
        let reply = raw(bytes);
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
        assert!(reply.contains("Connection: close"));
    }
    assert_eq!(server.counts().bad_requests, 3);
}

#[test]
fn one_connection_takes_request_after_request() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let mut stream = connect(&server);
    let call = token_call(&server, &[("grant_type", "client_credentials")]);
    for _ in 0..100 {
        call.try_send(&mut *stream).unwrap().access_token();
    }
    let preflight = Call::new("OPTIONS", "/api/whoami")
        .header("Origin", "https://a.example")
        .header("Access-Control-Request-Method", "GET");
    assert_eq!(preflight.try_send(&mut *stream).unwrap().status, 204);
    assert_eq!(call.try_send(&mut *stream).unwrap().status, 200);
    assert_eq!(server.counts().connections, 1);
}
