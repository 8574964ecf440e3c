//! Answers whose bytes are framed in other ways, or in none.

use std::io::{Read, Write};
use std::time::Duration;

use gatekeeper_testkit::{At, BadChunk, Ending, Endless, Endpoint, Fault, Framing};

use crate::support::{PATIENCE, get_token, opaque_server, plain, read_reply, split, token_bytes, token_request};

#[test]
fn lengths() {
    let server = opaque_server();
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
    let server = opaque_server();
    let fault = Fault::none().framed(Framing::LengthTooShort(4));
    server.script().next(Endpoint::Token, fault);
    let mut stream = plain(&server);
    let short = token_request(&server).try_send(&mut stream).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&short.body).is_err());
    let mut rest = [0; 4];
    stream.read_exact(&mut rest).unwrap();
    assert!(rest.ends_with(b"}"));
    let next = token_request(&server).try_send(&mut stream).unwrap();
    assert_eq!(next.status, 200);
    assert_eq!(server.counts().connections, 1);
}

#[test]
fn chunks_good_and_bad() {
    let server = opaque_server();
    for framing in [
        Framing::Chunked { size: 1 },
        Framing::Chunked { size: 0 },
        Framing::Chunked { size: usize::MAX },
        Framing::ChunkedExtensions { size: 9 },
        Framing::ChunkedTrailers { size: 9 },
    ] {
        server.script().next(Endpoint::Token, Fault::none().framed(framing));
        let mut stream = plain(&server);
        let reply = token_request(&server).try_send(&mut stream).unwrap();
        assert!(!reply.access_token().is_empty());
        // Nothing is left over.
        assert_eq!(token_request(&server).try_send(&mut stream).unwrap().status, 200);
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
    let server = opaque_server();
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
    let server = opaque_server();
    for what in Endless::ALL {
        server.script().next(Endpoint::Token, Fault::endless(what));
        let mut stream = plain(&server);
        stream.write_all(&token_request(&server).bytes()).unwrap();
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
    stream.write_all(&token_request(&server).bytes()).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    drop(server);
}

#[test]
fn raw_bytes() {
    let server = opaque_server();
    assert_eq!(token_bytes(&server, Fault::raw("SSH-2.0-x\r\n")), "SSH-2.0-x\r\n");
    assert_eq!(token_bytes(&server, Fault::raw("")), "");
    let fault = Fault::raw("HTTP/1.1 200 OK\r\n\r\n1234").cut(At::MidBody, Ending::Reset);
    server.script().next(Endpoint::Token, fault);
    let (bytes, end) = token_request(&server).raw(&server);
    assert!(bytes.ends_with(b"\r\n\r\n12") && end.is_err());
    assert_eq!(server.counts().token_faulted, 3);
}

#[test]
fn interim_responses_by_hand() {
    // What the fault has no name for, raw bytes can say.
    let server = opaque_server();
    let raw = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    server.script().next(Endpoint::Token, Fault::raw(raw).stall(At::End));
    let mut stream = plain(&server);
    stream.write_all(&token_request(&server).bytes()).unwrap();
    stream.read_exact(&mut [0; 25]).unwrap();
    assert_eq!(read_reply(&mut stream).unwrap().text(), "{}");
}
