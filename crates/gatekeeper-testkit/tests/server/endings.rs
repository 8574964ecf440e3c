//! Cuts, stalls and connections that fail.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use gatekeeper_testkit::{Answer, At, ConnectionFault, Ending, Endpoint, Fault};

use crate::support::{PATIENCE, get_token, opaque_server, plain, read_to_end, split, token_bytes, token_request};

#[test]
fn cut_at_every_place() {
    let server = opaque_server();
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
            let (bytes, end) = token_request(&server).header("Connection", "close").raw(&server);
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
        let (bytes, end) = token_request(&server).raw(&server);
        assert!(!bytes.is_empty() && !bytes.ends_with(b"\r\n\r\n") && end.is_err());
    }
    let counts = server.counts();
    assert_eq!(counts.token_issued, 1 + 8 * 3, "the tokens were issued all the same");
}

#[test]
fn stall_at_every_place_and_the_end_of_the_server() {
    let whole = token_bytes(&opaque_server(), Fault::none()).len();
    for (at, at_least) in
        [(At::Start, 0), (At::MidHead, 20), (At::AfterHead, 100), (At::MidBody, 120), (At::End, whole)]
    {
        let server = opaque_server();
        server.script().next(Endpoint::Token, Fault::none().stall(at));
        let mut stream = plain(&server);
        let closing = token_request(&server).header("Connection", "close");
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
    let server = opaque_server();
    server.script().next(Endpoint::Token, Fault::none().stall(At::AfterHead));
    let mut stream = plain(&server);
    stream.write_all(&token_request(&server).bytes()).unwrap();
    server.wait_for(|c| c.tokens_in_flight == 1, PATIENCE).unwrap();
    drop(stream);
    server.wait_for(|c| c.tokens_in_flight == 0 && c.open_connections == 0, PATIENCE).unwrap();
}

#[test]
fn half_close() {
    let server = opaque_server();
    server.script().next(Endpoint::Token, Fault::none().half_close());
    let mut stream = plain(&server);
    let reply = token_request(&server).try_send(&mut stream).unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, None));
    let (rest, end) = read_to_end(&mut stream);
    assert_eq!(rest, b"");
    end.unwrap();
    // What the client still sends gets neither an answer nor a reset.
    for _ in 0..3 {
        stream.write_all(&token_request(&server).bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.counts().token_requests, 1);
    assert_eq!(server.counts().open_connections, 1);
    drop(stream);
    server.wait_for(|c| c.open_connections == 0, PATIENCE).unwrap();
}

#[test]
fn connection_faults() {
    let server = opaque_server();
    let script = server.script();
    let request = token_request(&server).bytes();

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
    let server = opaque_server();
    let mut stream = plain(&server);
    assert_eq!(token_request(&server).try_send(&mut stream).unwrap().status, 200);
    // On a connection that was good before.
    let fault = Fault::none().cut(At::Byte(12), Ending::Reset);
    server.script().next(Endpoint::Token, fault);
    stream.write_all(&token_request(&server).bytes()).unwrap();
    let (bytes, end) = read_to_end(&mut stream);
    assert_eq!(bytes, b"HTTP/1.1 200");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}
