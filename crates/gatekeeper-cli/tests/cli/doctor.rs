//! `doctor`: each check, what it finds wrong, and what it must not do.

use crate::support::{Files, Outcome, against, gatekeeper, start};
use gatekeeper_testkit::{Endpoint, Fault, LeafKind, Server, System};

/// Asserts the marks of the checks in their order, and these texts.
#[track_caller]
fn found(outcome: &Outcome, code: i32, marks: [&str; 7], texts: &[&str]) {
    let text = outcome.text();
    assert_eq!(outcome.code, code, "{text}{}", outcome.stderr);
    assert_eq!(outcome.stderr, "");
    let names = ["configuration", "reachability", "TLS", "clock", "credentials", "encoding", "API"];
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("hint: ")).collect();
    assert_eq!(lines.len(), names.len(), "{text}");
    for ((line, name), mark) in lines.iter().zip(names).zip(marks) {
        assert!(line.starts_with(&format!("{mark:<4} {name:<13}")), "{name} should be {mark}: {text}");
    }
    for part in texts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

fn tls(system: System) -> (Server, Files, String) {
    let server = Server::builder(system).tls().start().expect("a server");
    let files = Files::new();
    let ca = files.write("ca.pem", server.ca().expect("an authority").pem());
    (server, files, ca)
}

#[test]
fn all_is_well() {
    for system in System::ALL {
        let (server, _files, ca) = tls(system);
        let url = server.api_url("/api/whoami");
        let outcome = against(&server, &["doctor", &url, "--ca-file", &ca]).run();
        let texts = ["the certificate is good by ", "agree on the time", "a token for ", "is answered by 200"];
        found(&outcome, 0, ["ok"; 7], &texts);
        assert_eq!(server.counts().token_requests, 1, "{system}");
    }
}

#[test]
fn plain_http_and_no_api() {
    let server = start(System::Gatekeeper);
    let outcome = against(&server, &["doctor"]).run();
    let texts = ["plain http", "no URL to call", "read the same raw and form-urlencoded"];
    found(&outcome, 0, ["ok", "ok", "skip", "ok", "ok", "ok", "skip"], &texts);
}

#[test]
fn a_bad_configuration_is_the_only_news() {
    let outcome = gatekeeper(&["doctor", "--token-url", "https://a/t"]).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (2, ""));
    let text = outcome.text();
    assert!(text.starts_with("FAIL configuration the client id is missing\n"), "{text}");
    assert!(text.contains("hint: give it by --client-id"), "{text}");
}

#[test]
fn nobody_there() {
    let server = start(System::Gatekeeper);
    let run = against(&server, &["doctor"]);
    server.go_down();
    let marks = ["ok", "FAIL", "skip", "skip", "skip", "ok", "skip"];
    found(&run.run(), 4, marks, &["no connection to 127.0.0.1", "hint: check host and port", "not tried"]);
    let run = gatekeeper(&["doctor", "--token-url", "https://nowhere.invalid/t", "--client-id", "c"]);
    let outcome = run.secret("GATEKEEPER_CLIENT_SECRET", "c4n4ry").run();
    found(&outcome, 4, marks, &["nowhere.invalid cannot be resolved", "hint: check the host name"]);
}

#[test]
fn no_secret_goes_to_a_server_whose_certificate_is_bad() {
    let (server, _files, ca) = tls(System::Gatekeeper);
    let marks = ["ok", "ok", "FAIL", "skip", "skip", "ok", "skip"];
    found(&against(&server, &["doctor"]).run(), 4, marks, &["hint: if the server has a private CA"]);
    for (kind, hint) in [
        (LeafKind::WrongName, "another host name"),
        (LeafKind::Expired, "has to be renewed"),
        (LeafKind::NotYetValid, "valid only later"),
        (LeafKind::UnknownCa, "certificate"),
    ] {
        server.present(kind).unwrap();
        found(&against(&server, &["doctor", "--ca-file", &ca]).run(), 4, marks, &[hint]);
    }
    assert_eq!((server.counts().token_requests, server.counts().api_requests), (0, 0));
}

#[test]
fn a_clock_that_is_wrong() {
    let server = start(System::Gatekeeper);
    server.set_date_skew_seconds(3600);
    let outcome = against(&server, &["doctor"]).run();
    let texts = ["this machine's clock is ", " behind the server's", "hint: set it (NTP)"];
    found(&outcome, 0, ["ok", "ok", "skip", "warn", "ok", "ok", "skip"], &texts);
    server.set_date_skew_seconds(-3600);
    assert!(against(&server, &["doctor"]).run().text().contains(" ahead of the server's"));
    server.change(|s| s.send_date = false);
    let outcome = against(&server, &["doctor"]).run();
    let texts = ["the server does not say what time it has"];
    found(&outcome, 0, ["ok", "ok", "skip", "skip", "ok", "ok", "skip"], &texts);
}

#[test]
fn credentials_that_are_wrong() {
    let server = start(System::Gatekeeper);
    let outcome = against(&server, &["doctor"]).secret("GATEKEEPER_CLIENT_SECRET", "wr0ng").run();
    let marks = ["ok", "ok", "skip", "ok", "FAIL", "ok", "skip"];
    found(&outcome, 3, marks, &["invalid_client", "hint: check client id and secret"]);
    assert_eq!(server.counts().token_requests, 1);
}

#[test]
fn an_encoding_that_is_wrong() {
    let server = start(System::OauthV2);
    let marks = ["ok", "ok", "skip", "ok", "FAIL", "warn", "skip"];
    found(&against(&server, &["doctor", "--basic", "form"]).run(), 3, marks, &["hint: try --basic raw"]);
    let outcome = against(&server, &["doctor"]).run();
    let marks = ["ok", "ok", "skip", "ok", "ok", "ok", "skip"];
    found(&outcome, 0, marks, &["this server reads them raw, as they were sent"]);
    let outcome = against(&server, &["doctor", "--client-auth", "post"]).run();
    let marks = ["ok", "ok", "skip", "ok", "ok", "skip", "skip"];
    found(&outcome, 0, marks, &["Basic authentication is not used"]);
}

#[test]
fn an_api_that_refuses() {
    let server = start(System::Gatekeeper);
    let marks = ["ok", "ok", "skip", "ok", "ok", "ok", "FAIL"];
    let run = |path: &str| against(&server, &["doctor", "--api-url", &server.api_url(path)]);
    let outcome = run("/api/whoami").secret("GATEKEEPER_API_KEY", "wr0ng-k3y").run();
    found(&outcome, 5, marks, &["InvalidApiKey", "hint: check the API key"]);
    found(&run("/api/admin").run(), 5, marks, &["AuthorizationFailed", "hint: the token is good"]);
    server.script().next(Endpoint::Api, Fault::none());
    server.script().next(Endpoint::Api, Fault::unauthorized());
    server.reset_counts();
    found(&run("/api/whoami").run(), 5, marks, &["AuthenticationFailed"]);
    assert_eq!(server.counts().token_requests, 1, "a 401 is no reason for a second token here");
    let warned = ["ok", "ok", "skip", "ok", "ok", "ok", "warn"];
    found(&run("/nowhere").run(), 0, warned, &["which says nothing about the token", "hint: check the URL"]);
}

#[test]
fn deviations_are_worth_a_word() {
    let server = Server::builder(System::OauthV2).with(|s| s.token_type = None).start().unwrap();
    let outcome = against(&server, &["doctor"]).run();
    let marks = ["ok", "ok", "skip", "ok", "warn", "ok", "skip"];
    found(&outcome, 0, marks, &["not to the letter: token_type missing"]);
}

#[test]
fn a_refresh_token_is_not_used_up() {
    let server = start(System::Generic);
    let outcome = against(&server, &["doctor"]).secret("GATEKEEPER_REFRESH_TOKEN", "r3fresh").run();
    let marks = ["ok", "ok", "skip", "ok", "skip", "warn", "skip"];
    found(&outcome, 0, marks, &["would use it up"]);
    assert_eq!(server.counts().token_requests, 0);
}
