//! `token`: every system, every format.

use crate::support::{against, gatekeeper, start};
use gatekeeper_testkit::{ExpiresIn, Server, System};
use serde_json::Value;
use std::time::{Duration, SystemTime};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one JSON document")
}

#[test]
fn every_system_gives_a_token_alone_on_a_line() {
    for system in System::ALL {
        let server = start(system);
        let outcome = against(&server, &["token"]).run();
        let line = outcome.fine();
        let token = line.strip_suffix('\n').expect("a line");
        assert!(!token.is_empty() && !token.contains(['\n', ' ']), "{system}");
        // The server takes it back: as a token by hand it opens the API.
        let seen = against(&server, &["call", "GET", &server.api_url("/api/whoami")]).run();
        assert!(seen.fine().contains(system.name()), "{system}");
        assert_eq!(server.counts().token_issued, 2, "{system}");
    }
}

#[test]
fn as_a_header() {
    let server = start(System::OauthV2);
    let outcome = against(&server, &["token", "--format", "header"]).run();
    let token = outcome.fine().strip_prefix("Authorization: Bearer ").expect("a header").trim_end();
    assert!(server.revoke(token), "it is one of the server's tokens");
}

#[test]
fn as_json_with_these_members() {
    let server = start(System::Generic);
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let outcome = against(&server, &["token", "--format", "json", "--scope", "read"]).run();
    let known = json(outcome.fine());
    let names: Vec<_> = known.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "token_type", "expires_in", "expires_at", "scope", "deviations"]);
    assert!(server.revoke(known["access_token"].as_str().unwrap()));
    assert_eq!((&known["token_type"], &known["scope"]), (&Value::from("Bearer"), &Value::from("read")));
    assert_eq!(known["deviations"], Value::Array(Vec::new()));
    let (left, at) = (known["expires_in"].as_u64().unwrap(), known["expires_at"].as_u64().unwrap());
    assert!((3500..=3600).contains(&left), "{left}");
    assert!((before + 3600..before + 3660).contains(&at), "{at}");
}

#[test]
fn as_json_with_a_refresh_token_and_deviations() {
    let server = Server::builder(System::Rator).with(|s| s.expires_in = ExpiresIn::RemainingString).start().unwrap();
    let user = server.user().unwrap();
    let outcome = against(&server, &["token", "--format", "json", "--grant", "password", "--username", &user.username])
        .secret("GATEKEEPER_PASSWORD", &user.password)
        .run();
    let known = json(outcome.fine());
    assert!(server.revoke(known["refresh_token"].as_str().unwrap()));
    assert_eq!(known["deviations"], Value::from(vec!["expires_in was a string"]));
    assert_eq!(known["scope"], Value::Null);
}

#[test]
fn an_unknown_lifetime_is_null() {
    let server = Server::builder(System::OauthV2).with(|s| s.expires_in = ExpiresIn::Absent).start().unwrap();
    let outcome = against(&server, &["token", "--format", "json"]).run();
    let known = json(outcome.fine());
    assert_eq!((&known["expires_in"], &known["expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(known["deviations"], Value::from(vec!["expires_in missing"]));
}

#[test]
fn a_short_life_is_what_is_left_of_it() {
    let server = Server::builder(System::OauthV2).lifetime(Duration::from_secs(3)).start().unwrap();
    let outcome = against(&server, &["token", "--format", "json"]).run();
    assert!(json(outcome.fine())["expires_in"].as_u64().unwrap() <= 3);
}

#[test]
fn an_opaque_token_is_none_for_the_gatekeeper_profile() {
    let server = start(System::OauthV2);
    let outcome = against(&server, &["token", "--profile", "gatekeeper"]).run();
    outcome.fails(3, &["InvalidAccessTokenFormat", "use another profile"]);
    assert!(outcome.stdout.is_empty());
}

#[test]
fn nobody_reads_the_output() {
    let server = start(System::OauthV2);
    let outcome = against(&server, &["token"]).with_nobody_reading();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
}

#[test]
fn help_and_version() {
    for (arguments, text) in [
        (&["--help"][..], "GATEKEEPER_CLIENT_SECRET"),
        (&["--help"], "Exit codes: 0 ok, 2 usage or configuration"),
        (&["token", "--help"], "--client-secret-file <FILE>"),
        (&["help", "soak"], "--rate <NUMBER>"),
        (&["--version"], concat!("gatekeeper ", env!("CARGO_PKG_VERSION"))),
    ] {
        assert!(gatekeeper(arguments).run().fine().contains(text), "{text}");
    }
    assert_eq!(gatekeeper(&["--help"]).with_nobody_reading().code, 0);
}
