//! `call`: requests, answers, and what is made of refusals.

use crate::support::{Files, against, start};
use gatekeeper_testkit::{Answer, At, Challenge, Ending, Endpoint, ExpiresIn, Fault, Server, System, systems};
use serde_json::Value;
use std::time::Duration;

#[test]
fn each_system_with_its_headers() {
    for (system, names) in [
        (System::Gatekeeper, &["authorization", "x-api-key"][..]),
        (System::OauthV2, &["authorization"]),
        (System::Rator, &["authorization", "x-rator-brand-key"]),
        (System::Generic, &["authorization"]),
    ] {
        let server = start(system);
        let outcome = against(&server, &["call", "GET", &server.api_url("/api/echo")]).run();
        let echo: Value = serde_json::from_str(outcome.fine()).unwrap();
        for name in names {
            assert!(echo["headers"].as_array().unwrap().contains(&Value::from(*name)), "{system}: {name}");
        }
    }
}

#[test]
fn the_body_comes_out_as_it_is() {
    let server = start(System::OauthV2);
    let body: Vec<u8> = (0..=255).chain([0, 10, 13, 10]).collect();
    server.script().next(Endpoint::Api, Fault::answer(Answer::new(200).body(body.clone())));
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami")]).run();
    assert_eq!((outcome.code, outcome.stdout), (0, body));
}

#[test]
fn with_status_and_headers() {
    let server = start(System::OauthV2);
    let answer = Answer::json(201, "{}").header("X-Mine", "yes");
    server.script().next(Endpoint::Api, Fault::answer(answer));
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami"), "-i"]).run();
    let (head, body) = outcome.fine().split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201\r\n") && head.contains("\r\nx-mine: yes"), "{head}");
    assert_eq!(body, "{}");
}

#[test]
fn method_headers_and_body_are_sent() {
    let server = start(System::Gatekeeper);
    let files = Files::new();
    let file = files.write("body.json", r#"{"from":"file"}"#);
    let at_file = format!("@{file}");
    let url = server.api_url("/api/echo?x=1");
    for (data, stdin, sent) in [
        (r#"{"a":1}"#, "", r#"{"a":1}"#),
        (at_file.as_str(), "", r#"{"from":"file"}"#),
        ("-", "from stdin\n", "from stdin\n"),
        ("@-", "\u{e4}", "\u{e4}"),
        ("-x", "", "-x"),
    ] {
        let run = against(&server, &["call", "PUT", &url, "-H", "X-One: 1", "--header", "x-two:  2 ", "-d", data]);
        run.stdin(stdin).run().fine();
        let seen = server.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/api/echo?x=1"));
        assert_eq!((seen.header("x-one"), seen.header("x-two")), (Some("1"), Some("2")));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!(String::from_utf8(seen.body).unwrap(), sent);
    }
    let run = against(&server, &["call", "POST", &url, "-H", "content-type: text/plain", "-d", "x"]);
    run.run().fine();
    assert_eq!(server.seen().pop().unwrap().header("content-type"), Some("text/plain"));
    against(&server, &["call", "GET", &url]).run().fine();
    assert_eq!(server.seen().pop().unwrap().header("content-type"), None);

    let missing = format!("{at_file}-missing");
    let outcome = against(&server, &["call", "POST", &url, "-d", &missing]).run();
    outcome.fails(2, &["the body's file", "cannot be read: No such file"]);
}

#[test]
fn a_server_to_server_check() {
    let server = start(System::Gatekeeper);
    let body =
        r#"{"ticket":"testkit-ticket-allow","action":"allow","valid_for_at_most_millis":0,"application_package":"p"}"#;
    let outcome = against(&server, &["call", "POST", &server.api_url("/api/s2s/verify/"), "-d", body]).run();
    assert!(outcome.fine().contains("\"verified\":true"));
}

#[test]
fn a_rejected_token_is_replaced_once() {
    let server = start(System::Gatekeeper);
    server.script().next(Endpoint::Api, Fault::unauthorized());
    let outcome = against(&server, &["call", "POST", &server.api_url("/api/echo"), "-d", "again"]).run();
    assert!(outcome.fine().contains("\"body_len\":5"));
    let counts = server.counts();
    assert_eq!((counts.token_requests, counts.api_unauthorized, counts.api_ok), (2, 1, 1));
}

#[test]
fn a_token_that_is_expired_on_arrival_is_used_once() {
    let server = Server::builder(System::OauthV2).with(|s| s.expires_in = ExpiresIn::Number(0)).start().unwrap();
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami")]).run();
    assert!(outcome.fine().contains("oauth-v2"));
    assert_eq!(server.counts().token_requests, 1);
}

#[test]
fn a_rejected_replacement_is_told() {
    let server = start(System::OauthV2);
    let _storm = server.script().hold(Endpoint::Api, Fault::unauthorized());
    let url = server.api_url("/api/whoami");
    let outcome = against(&server, &["call", "GET", &format!("{url}?secret=x")]).run();
    outcome.fails(
        5,
        &[
            &format!("error: AuthenticationFailed: the API answered 401 to GET {url} (invalid_token)\n"),
            "tried: the call was repeated once, with a new token",
            "hint: the API does not accept",
        ],
    );
    // The body is still there.
    assert!(outcome.text().contains("invalid_token"));
    assert!(!outcome.stderr.contains("secret=x"));
    let counts = server.counts();
    assert_eq!((counts.token_requests, counts.api_requests), (2, 2));
}

#[test]
fn a_token_that_is_echoed_is_not_shown() {
    let server = Server::builder(System::Rator).with(|s| s.challenge = Challenge::SpringRawQuotes).start().unwrap();
    let _storm = server.script().hold(Endpoint::Api, Fault::unauthorized());
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami")]).run();
    outcome.fails(5, &["AuthenticationFailed"]);
    for token in server.seen().iter().filter_map(|request| request.bearer()) {
        assert!(!outcome.stderr.contains(token), "{}", outcome.stderr);
    }
}

#[test]
fn no_replacement_for_a_rejected_token() {
    let server = start(System::OauthV2);
    let _storm = server.script().hold(Endpoint::Api, Fault::unauthorized());
    // The first answer is true.
    server.script().next(Endpoint::Token, Fault::none());
    let _down = server.script().hold(Endpoint::Token, Fault::status(503));
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami")]).run();
    outcome.fails(5, &["AuthenticationFailed", "tried: a new token was asked for, and did not come: ", "503"]);
}

#[test]
fn what_no_token_cures() {
    let server = start(System::Gatekeeper);
    let run = |arguments: &[&str]| against(&server, &["call", "GET"]).args(arguments).run();
    let whoami = server.api_url("/api/whoami");
    run(&[&server.api_url("/api/admin")])
        .fails(5, &["AuthorizationFailed: the API answered 403", "permissions and --scope"]);

    let files = Files::new();
    let wrong = files.write("key", "wr0ng-k3y");
    let outcome = against(&server, &["call", "GET", &whoami, "--api-key-file", &wrong]).hiding("wr0ng-k3y").run();
    outcome.fails(5, &["InvalidApiKey", "hint: check the API key"]);
    let outcome = against(&server, &["call", "GET", &whoami]).without("GATEKEEPER_API_KEY").run();
    outcome.fails(5, &["InvalidApiKey", "hint: give the API key by --api-key-file or GATEKEEPER_API_KEY"]);

    run(&[&server.api_url("/api/nowhere")]).fails(5, &["UnknownError: the API answered 404", "hint: check the URL"]);
    for (fault, texts) in [
        (Fault::status(500), &["ServerError: the API answered 500", "try again later"][..]),
        (Fault::status(429), &["UnknownError: the API answered 429", "too many calls"]),
        (Fault::redirect(302, "https://evil.example/x?y=1"), &["answered 302", "leads to https://evil.example/x\n"]),
        (Fault::empty(400), &["UnknownError: the API answered 400", "check the request"]),
        (Fault::empty(405), &["check the method"]),
    ] {
        server.script().next(Endpoint::Api, fault);
        run(&[&whoami]).fails(5, texts);
    }
    // One request for each call: nothing was repeated.
    let counts = server.counts();
    assert_eq!(counts.api_requests, counts.token_requests);
}

#[test]
fn trouble_on_the_way_to_the_api() {
    let server = start(System::OauthV2);
    let gone = start(System::OauthV2);
    let url = gone.api_url("/api/whoami");
    drop(gone);
    let outcome = against(&server, &["call", "GET", &url]).run();
    outcome.fails(4, &["refused the connection", &format!("tried: GET {url} for "), "hint: check the URL"]);
    server.script().next(Endpoint::Api, Fault::none().cut(At::MidBody, Ending::Reset));
    against(&server, &["call", "GET", &server.api_url("/api/whoami")]).run().fails(4, &["tried: GET "]);
    server.script().next(Endpoint::Api, Fault::none().stall(At::Start));
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami"), "--timeout", "1s"]).run();
    outcome.fails(4, &["no answer from the server in time"]);
    assert!(outcome.took < Duration::from_secs(10), "{:?}", outcome.took);
}

#[test]
fn below_the_apis_base_url() {
    let server = Server::builder(System::OauthV2).with(|s| s.context_path = "/ctx".to_owned()).start().unwrap();
    let base = format!("{}/", server.base_url());
    let outcome = against(&server, &["call", "GET", "/api/whoami", "--api-url", &base]).run();
    assert!(outcome.fine().contains("oauth-v2"));
    let outcome = against(&server, &["call", "GET", "/api/whoami"]).run();
    outcome.fails(2, &["/api/whoami is no whole URL", "--api-url or GATEKEEPER_API_URL"]);

    // Tokens go to the configured API and nowhere else.
    let other = start(System::OauthV2);
    let outcome = against(&server, &["call", "GET", &other.api_url("/api/whoami"), "--api-url", &base]).run();
    outcome.fails(2, &["is not of the API at", "hint: tokens and API keys go to the host of --api-url only"]);
    assert_eq!((other.counts().connections, server.counts().token_requests), (0, 1));
}

#[test]
fn what_cannot_be_called() {
    let server = start(System::OauthV2);
    let url = server.api_url("/api/whoami");
    for (arguments, text) in [
        (&["GET", "http://api.example.com/"][..], "the API URL uses http to a host that is not this machine"),
        (&["GET", "api.example.com"], "the API URL is not an absolute URL"),
        (&["GE T", &url], "the method is no HTTP method"),
        (&["GET", &url, "-H", "bad name: x"], "the header name contains a character that is not allowed"),
        (&["GET", &url, "-H", "name: x\ny"], "the header value contains a control character"),
    ] {
        let run = against(&server, &["call"]).args(arguments);
        run.run().fails(2, &[text]);
    }
    assert_eq!(server.counts().api_requests, 0);
}

#[test]
fn a_key_with_a_line_break() {
    let server = start(System::Gatekeeper);
    let files = Files::new();
    let file = files.write("key", format!("{}\n", systems::gatekeeper::API_KEY));
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/whoami"), "--api-key-file", &file]).run();
    outcome.fails(2, &["the API key ends with a line break", "--api-key-file -"]);
    let run = against(&server, &["call", "GET", &server.api_url("/api/whoami"), "--api-key-file", "-"]);
    run.stdin(systems::gatekeeper::API_KEY).run().fine();
}

#[test]
fn a_refusal_that_nobody_reads_is_still_one() {
    let server = start(System::OauthV2);
    let outcome = against(&server, &["call", "GET", &server.api_url("/api/admin")]).with_nobody_reading();
    outcome.fails(5, &["AuthorizationFailed"]);
}
