//! TLS: good and bad certificates, and faults under it.

use std::io::{Read, Write};
use std::sync::Arc;

use gatekeeper_testkit::{At, ConnectionFault, Ending, Endpoint, Fault, LeafKind, Server, System, TestCa, TlsVersions};
use rustls::{CertificateError, Error, ProtocolVersion};

use crate::support::{PATIENCE, Stream, connect, get_token, plain, read_to_end, tls_over, token_call};

fn server() -> Server {
    Server::builder(System::Gatekeeper).tls().start().unwrap()
}

fn request(server: &Server) -> Vec<u8> {
    token_call(server, &[("grant_type", "client_credentials")]).bytes()
}

/// The error of a handshake.
fn refusal(server: &Server, name: &str) -> Option<Error> {
    let mut stream = tls_over(server, plain(server), name);
    let error = stream.conn.complete_io(&mut stream.sock).err()?;
    let inner = error.into_inner().unwrap();
    Some(*inner.downcast::<Error>().unwrap())
}

#[test]
fn every_system_over_tls() {
    for system in System::ALL {
        let server = Server::builder(system).tls().start().unwrap();
        assert!(server.token_url().starts_with("https://127.0.0.1:"));
        get_token(&server).access_token();
    }
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(refusal(&server(), name), None, "{name}");
    }
}

#[test]
fn http_1_1_is_agreed_upon() {
    for (versions, agreed) in [
        (TlsVersions::Both, ProtocolVersion::TLSv1_3),
        (TlsVersions::Only13, ProtocolVersion::TLSv1_3),
        (TlsVersions::Only12, ProtocolVersion::TLSv1_2),
    ] {
        let builder = Server::builder(System::Generic).tls_versions(versions);
        let server = builder.start().unwrap();
        let mut stream = tls_over(&server, plain(&server), "localhost");
        stream.conn.complete_io(&mut stream.sock).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(stream.conn.protocol_version(), Some(agreed));
    }
}

#[test]
fn certificates_are_wrong_in_the_way_they_say() {
    let ca = Arc::new(TestCa::new().unwrap());
    let server =
        Server::builder(System::Generic).tls_from(&ca).leaf(LeafKind::Expired).host("localhost").start().unwrap();
    assert_eq!(server.ca().unwrap().der(), ca.der());
    assert!(server.origin().starts_with("https://localhost:"));
    for kind in LeafKind::ALL {
        server.present(kind).unwrap();
        let refused = match refusal(&server, "localhost") {
            None => None,
            Some(Error::InvalidCertificate(why)) => Some(why),
            Some(other) => panic!("{kind:?}: {other}"),
        };
        let as_expected = match kind {
            LeafKind::Good => refused.is_none(),
            LeafKind::WrongName => {
                matches!(refused, Some(CertificateError::NotValidForNameContext { .. }))
            }
            LeafKind::Expired => matches!(refused, Some(CertificateError::ExpiredContext { .. })),
            LeafKind::NotYetValid => {
                matches!(refused, Some(CertificateError::NotValidYetContext { .. }))
            }
            LeafKind::UnknownCa => {
                matches!(refused, Some(CertificateError::BadSignature | CertificateError::UnknownIssuer))
            }
            other => panic!("{other:?} is new"),
        };
        assert!(as_expected, "{kind:?}: {refused:?}");
    }
    server.wait_for(|c| c.tls_failures == 4, PATIENCE).unwrap();
    assert_eq!(server.counts().token_requests, 0);
    server.present(LeafKind::Good).unwrap();
    get_token(&server).access_token();
}

#[test]
fn the_ca_is_given_in_pem_and_der() {
    let ca = TestCa::new().unwrap();
    assert!(ca.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(ca.pem().trim_end().ends_with("-----END CERTIFICATE-----"));
    let leaf = ca.leaf(LeafKind::Good).unwrap();
    assert_eq!((ca.der()[0], leaf.certificate[0], leaf.private_key[0]), (0x30, 0x30, 0x30));
    let shown = format!("{ca:?} {leaf:?}");
    assert_eq!(shown, "TestCa { .. } Leaf { .. }");
    let plain = Server::start(System::Generic).unwrap();
    assert!(plain.ca().is_none());
    assert!(plain.present(LeafKind::Good).is_err());
}

#[test]
fn endings_under_tls() {
    let server = server();
    for (ending, is_truncation) in [(Ending::Close, Some(false)), (Ending::Abrupt, Some(true)), (Ending::Reset, None)] {
        server.script().next(Endpoint::Token, Fault::none().cut(At::Byte(30), ending));
        let mut stream = connect(&server);
        stream.write_all(&request(&server)).unwrap();
        stream.flush().unwrap();
        let (bytes, end) = read_to_end(&mut *stream);
        assert_eq!(bytes.len(), 30, "{ending:?}");
        // rustls tells a missing close_notify as an unexpected end.
        match (is_truncation, end) {
            (Some(false), Ok(())) => {}
            (Some(true), Err(e)) => assert_eq!(e.kind(), std::io::ErrorKind::UnexpectedEof),
            (None, Err(e)) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
            (_, end) => panic!("{ending:?}: {end:?}"),
        }
    }
}

#[test]
fn stall_and_half_close_under_tls() {
    let server = server();
    server.script().next(Endpoint::Token, Fault::none().half_close());
    let mut stream = connect(&server);
    stream.write_all(&request(&server)).unwrap();
    stream.flush().unwrap();
    let (bytes, end) = read_to_end(&mut *stream);
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK") && bytes.ends_with(b"}"));
    end.unwrap();
    assert_eq!(server.counts().open_connections, 1);
    drop(stream);

    server.script().next(Endpoint::Token, Fault::none().stall(At::AfterHead));
    let mut stream = connect(&server);
    stream.write_all(&request(&server)).unwrap();
    stream.flush().unwrap();
    stream.read_exact(&mut [0; 60]).unwrap();
    drop(server);
}

#[test]
fn handshakes_that_fail() {
    let server = server();
    let script = server.script();
    let handshake = |server: &Server| {
        let mut stream = tls_over(server, plain(server), "localhost");
        stream.conn.complete_io(&mut stream.sock)
    };
    for after in [0, 3, 100] {
        let ending = Ending::Reset;
        script.next_connection(ConnectionFault::Cut { after, ending });
        let error = handshake(&server).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{after}");
    }
    script.next_connection(ConnectionFault::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let error = handshake(&server).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    script.next_connection(ConnectionFault::Stall { after: 50 });
    let stalled = plain(&server);
    stalled.set_read_timeout(Some(std::time::Duration::from_millis(30))).unwrap();
    let mut stream = tls_over(&server, stalled, "localhost");
    assert!(stream.conn.complete_io(&mut stream.sock).is_err());
    drop(stream);
    assert_eq!(server.counts().tls_failures, 0, "the script's doing");
    // Plain HTTP on a TLS port.
    let mut stream = plain(&server);
    stream.write_all(&request(&server)).unwrap();
    let _ = read_to_end(&mut stream);
    server.wait_for(|c| c.tls_failures == 1, PATIENCE).unwrap();
    get_token(&server).access_token();
}

#[test]
fn many_requests_on_one_connection() {
    let server = server();
    let mut stream = connect(&server);
    for _ in 0..50 {
        let reply = token_call(&server, &[("grant_type", "client_credentials")]);
        reply.try_send(&mut *stream as &mut dyn Stream).unwrap().access_token();
    }
    assert_eq!(server.counts().connections, 1);
}
