//! `soak`: calls on a schedule, and an honest report.

use crate::support::{Run, against, start};
use gatekeeper_testkit::{Answer, Endpoint, Fault, Server, System};
use serde_json::Value;
use std::time::Duration;

fn soak(server: &Server, arguments: &[&str]) -> Run {
    against(server, &["soak", "--url", &server.api_url("/api/whoami")]).args(arguments)
}

fn report(text: &str) -> Value {
    let report: Value = serde_json::from_str(text).expect("a JSON report");
    for name in ["calls", "ok", "unauthorized", "token_requests", "late", "missed"] {
        assert!(report[name].is_u64(), "{name}: {text}");
    }
    for name in ["p50", "p90", "p99", "max"] {
        assert!(report["latency_ms"][name].is_number(), "{name}: {text}");
    }
    let failed: u64 = report["errors"].as_object().expect("errors").values().filter_map(Value::as_u64).sum();
    assert_eq!(
        report["calls"],
        report["ok"].as_u64().expect("a number") + failed,
        "every call is accounted for: {text}"
    );
    report
}

#[test]
fn tokens_of_three_seconds() {
    for system in [System::Gatekeeper, System::Generic] {
        let server = Server::builder(system).lifetime(Duration::from_secs(3)).start().unwrap();
        let outcome = soak(&server, &["--for", "8s", "--rate", "25", "--json"]).run();
        let report = report(outcome.fine());
        assert_eq!((&report["ok"], &report["unauthorized"]), (&Value::from(200), &Value::from(0)), "{report}");
        let counts = server.counts();
        assert_eq!(report["token_requests"], counts.token_requests);
        // JWTs say their end in whole seconds, so up to a second of the three is lost.
        assert!((3..=6).contains(&counts.token_requests), "{report}");
        assert_eq!((counts.api_ok, counts.api_unauthorized), (200, 0));
    }
}

#[test]
fn a_renewal_that_ends_the_old_token_harms_no_call() {
    let server = Server::builder(System::Rator).lifetime(Duration::from_secs(3)).start().unwrap();
    // The old token ends when the answer is made, and that takes time.
    let _slow = server.script().hold(Endpoint::Token, Fault::none().delay(Duration::from_millis(150)));
    let user = server.user().unwrap();
    let outcome = soak(&server, &["--for", "8s", "--rate", "40", "--json"])
        .args(&["--grant", "password", "--username", &user.username])
        .secret("GATEKEEPER_PASSWORD", &user.password)
        .run();
    let report = report(outcome.fine());
    assert_eq!((&report["calls"], &report["unauthorized"]), (&Value::from(320), &Value::from(0)), "{report}");
    assert!(server.counts().refresh_token >= 2, "{report}");
}

#[test]
fn every_401_is_counted_also_one_that_was_cured() {
    let server = start(System::OauthV2);
    let script = server.script();
    script.next_n(Endpoint::Api, 3, Fault::none());
    script.next(Endpoint::Api, Fault::unauthorized());
    let outcome = soak(&server, &["--for", "2s", "--rate", "5", "--json"]).run();
    assert_eq!(outcome.code, 5);
    assert_eq!(outcome.stderr, "error: unauthorized answers (401): 1\n");
    let report = report(outcome.text());
    assert_eq!((&report["calls"], &report["ok"], &report["unauthorized"]), (&10.into(), &10.into(), &1.into()));
    assert_eq!(report["token_requests"], 2);
    assert_eq!(server.counts().api_unauthorized, 1);
}

#[test]
fn a_storm_of_401() {
    let server = start(System::OauthV2);
    let _storm = server.script().hold(Endpoint::Api, Fault::unauthorized());
    let outcome = soak(&server, &["--for", "2s", "--rate", "10", "--json"]).run();
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    let report = report(outcome.text());
    assert_eq!(report["ok"], 0);
    assert_eq!(report["unauthorized"], server.counts().api_unauthorized, "{report}");
    // A token that does not help is no reason to ask for one per call.
    assert!(server.counts().token_requests <= 8, "{report}");
}

#[test]
fn errors_are_counted_by_their_kind() {
    let server = start(System::Gatekeeper);
    let script = server.script();
    script.next(Endpoint::Api, Fault::status(500));
    script.next(Endpoint::Api, Fault::none());
    script.next(Endpoint::Api, Fault::answer(Answer::json(403, "{}")));
    let outcome = soak(&server, &["--for", "1s", "--rate", "5", "--json"]).run();
    assert_eq!(outcome.code, 5);
    assert!(
        outcome.stderr.contains("2 of 5 calls failed (AuthorizationFailed 1, ServerError 1)"),
        "{}",
        outcome.stderr
    );
    let report = report(outcome.text());
    assert_eq!(report["errors"], serde_json::json!({"AuthorizationFailed": 1, "ServerError": 1}));
}

#[test]
fn an_api_that_is_gone() {
    let server = start(System::OauthV2);
    let gone = start(System::OauthV2);
    let url = gone.api_url("/api/whoami");
    drop(gone);
    let outcome = against(&server, &["soak", "--url", &url, "--for", "1s", "--rate", "3"]).run();
    assert_eq!(outcome.code, 4);
    assert!(outcome.text().contains("errors          network 3"), "{}", outcome.text());
}

#[test]
fn no_token_no_soak() {
    let server = start(System::OauthV2);
    let outcome = soak(&server, &["--for", "5s"]).secret("GATEKEEPER_CLIENT_SECRET", "wr0ng").run();
    outcome.fails(3, &["invalid_client"]);
    assert_eq!((server.counts().token_requests, server.counts().api_requests), (1, 0));
}

#[test]
fn slow_answers_do_not_thin_out_the_schedule_silently() {
    let server = start(System::OauthV2);
    // Far slower than what 64 threads can hide.
    let _slow = server.script().hold(Endpoint::Api, Fault::none().delay(Duration::from_secs(4)));
    let outcome = soak(&server, &["--for", "2s", "--rate", "60", "--json"]).run();
    let report = report(outcome.text());
    let (calls, missed) = (report["calls"].as_u64().unwrap(), report["missed"].as_u64().unwrap());
    assert_eq!(calls + missed, 120, "{report}");
    assert!(missed >= 50, "{report}");
    assert_eq!(outcome.code, 4);
    assert!(outcome.stderr.contains("could not begin because earlier ones took too long: "), "{}", outcome.stderr);
}

#[test]
fn a_body_and_headers_for_every_call() {
    let server = start(System::Gatekeeper);
    let url = server.api_url("/api/echo");
    let outcome = against(&server, &["soak", "--url", &url, "--for", "1s", "--rate", "4", "--method", "PATCH"])
        .args(&["-H", "x-mine: 1", "-d", "{}"])
        .run();
    assert!(outcome.fine().contains("ok              4\n"), "{}", outcome.text());
    let calls: Vec<_> = server.seen().into_iter().filter(|request| request.endpoint == Endpoint::Api).collect();
    assert_eq!(calls.len(), 4);
    for call in calls {
        assert_eq!(
            (call.method.as_str(), call.header("x-mine"), call.body.as_slice()),
            ("PATCH", Some("1"), &b"{}"[..])
        );
    }
}
