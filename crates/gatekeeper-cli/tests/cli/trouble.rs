//! Servers that refuse, fail, hang or are not there, and certificates that are not trusted.

use crate::support::{Files, against, gatekeeper, start};
use gatekeeper_testkit::{At, Ending, Endpoint, Fault, LeafKind, RetryAfter, Server, System};
use std::time::Duration;

#[test]
fn refusals_say_what_to_do() {
    for system in System::ALL {
        let server = start(system);
        let run = against(&server, &["token"]).secret("GATEKEEPER_CLIENT_SECRET", "wr0ng-s3cret");
        let outcome = run.run();
        let tried = format!("tried: POST {} in ", server.token_url());
        outcome.fails(3, &["invalid_client", &tried, "hint: check client id and secret"]);
        assert!(outcome.stdout.is_empty());
        // Asked once: no retry makes a wrong secret right.
        assert_eq!(server.counts().token_requests, 1, "{system}");
    }
    let server = start(System::Generic);
    against(&server, &["token", "--scope", "admin"]).run().fails(3, &["invalid_scope", "hint: check the scope"]);
}

#[test]
fn nobody_listens() {
    let server = start(System::Generic);
    server.go_down();
    let outcome = against(&server, &["token", "--retry-for", "2500ms"]).run();
    outcome.fails(4, &["refused the connection", "tried: POST ", " times in ", "hint: check the URL"]);
    assert!(outcome.took > Duration::from_millis(900) && outcome.took < Duration::from_secs(10), "{:?}", outcome.took);
    let outcome = against(&server, &["token", "--retry-for", "0"]).run();
    outcome.fails(4, &["refused the connection"]);
    assert!(outcome.took < Duration::from_millis(2500), "{:?}", outcome.took);

    let run =
        gatekeeper(&["token", "--token-url", "https://nowhere.invalid/t", "--client-id", "c", "--retry-for", "0"]);
    run.secret("GATEKEEPER_CLIENT_SECRET", "c4n4ry").run().fails(4, &["the host name cannot be resolved"]);
}

#[test]
fn trouble_that_passes_is_waited_out() {
    let server = start(System::Generic);
    server.script().next(Endpoint::Token, Fault::status(503));
    against(&server, &["token", "--retry-for", "20s"]).run().fine();
    server.script().next(Endpoint::Token, Fault::too_many_requests(RetryAfter::Seconds(1)));
    against(&server, &["token", "--retry-for", "20s"]).run().fine();
    assert_eq!(server.counts().token_requests, 4);
}

#[test]
fn a_server_that_asks_to_wait_long_is_not_waited_for() {
    let server = start(System::Generic);
    server.script().next(Endpoint::Token, Fault::too_many_requests(RetryAfter::Seconds(120)));
    let outcome = against(&server, &["token"]).run();
    outcome.fails(4, &["429", "try again later"]);
    assert!(outcome.took < Duration::from_secs(4), "{:?}", outcome.took);
    assert_eq!(server.counts().token_requests, 1);
}

#[test]
fn answers_that_are_none() {
    let server = start(System::Generic);
    for (code, fault, texts) in [
        (4, Fault::html(200), &["check that the token URL is the token endpoint and not a page"][..]),
        (3, Fault::html(404), &["404", "check the token URL"]),
        (3, Fault::redirect(307, "https://evil.example/"), &["307", "redirects are not followed with credentials"]),
        (4, Fault::empty(500), &["500", "try again later"]),
        (4, Fault::raw("SMTP ready\r\n"), &["the answer is not HTTP/1.1"]),
        (4, Fault::none().cut(At::MidBody, Ending::Close), &["the connection ended before the answer did"]),
        (4, Fault::oversize_body(2 << 20), &["longer than 1048576 bytes"]),
    ] {
        server.script().next(Endpoint::Token, fault);
        against(&server, &["token", "--retry-for", "0"]).run().fails(code, texts);
    }
}

#[test]
fn the_whole_command_keeps_to_its_time() {
    let server = start(System::Generic);
    let _stalled = server.script().hold(Endpoint::Token, Fault::none().stall(At::Start));
    let outcome = against(&server, &["token", "--timeout", "1s"]).run();
    outcome.fails(4, &["no answer from the server in time", "tried: POST ", "allow more time"]);
    assert!(outcome.took >= Duration::from_millis(900) && outcome.took < Duration::from_secs(10), "{:?}", outcome.took);
    let outcome = against(&server, &["token"]).env("GATEKEEPER_TIMEOUT", "700ms").run();
    outcome.fails(4, &["in time"]);
    // A slow answer has all of the time, however short the retries.
    drop(_stalled);
    server.script().next(Endpoint::Token, Fault::none().delay(Duration::from_secs(2)));
    against(&server, &["token", "--retry-for", "0"]).run().fine();
}

#[test]
fn private_authorities() {
    let server = Server::builder(System::Gatekeeper).tls().start().unwrap();
    let files = Files::new();
    let ca = files.write("ca.pem", server.ca().unwrap().pem());
    against(&server, &["token", "--ca-file", &ca]).run().fine();
    let outcome =
        against(&server, &["call", "GET", &server.api_url("/api/whoami")]).env("GATEKEEPER_CA_FILE", &ca).run();
    assert!(outcome.fine().contains("gatekeeper"));

    let issued = server.counts().token_requests;
    let outcome = against(&server, &["token", "--retry-for", "20s"]).run();
    outcome.fails(4, &["no TLS connection", "--ca-file"]);
    assert!(outcome.took < Duration::from_secs(10), "no retry cures it: {:?}", outcome.took);
    for kind in [LeafKind::WrongName, LeafKind::Expired, LeafKind::NotYetValid, LeafKind::UnknownCa] {
        server.present(kind).unwrap();
        let outcome = against(&server, &["token", "--ca-file", &ca, "--retry-for", "0"]).run();
        outcome.fails(4, &["no TLS connection", "certificate"]);
    }
    // No secret left this machine.
    assert_eq!(server.counts().token_requests, issued);
}

#[test]
fn authorities_that_are_none() {
    let server = Server::builder(System::Gatekeeper).tls().start().unwrap();
    let files = Files::new();
    let no_pem = files.write("no.pem", "hello");
    let broken = files.write("broken.pem", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    for (file, texts) in [
        (
            no_pem.as_str(),
            &["the CA file holds no PEM certificate that can be read: ", "BEGIN and END CERTIFICATE"][..],
        ),
        (&broken, &["the CA file holds no PEM certificate that can be read"]),
        (&format!("{no_pem}-missing"), &["the CA file", "cannot be read: No such file", "--ca-file"]),
    ] {
        against(&server, &["token", "--ca-file", file]).run().fails(2, texts);
    }
}
