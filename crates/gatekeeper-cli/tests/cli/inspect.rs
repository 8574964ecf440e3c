//! `inspect`: what a token says about itself.

use crate::support::{against, gatekeeper, start};
use gatekeeper_testkit::System;
use serde_json::Value;

/// The example of RFC 7519, section 3.1.
const EXAMPLE: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn a_jwt_for_people() {
    let outcome = gatekeeper(&["inspect", EXAMPLE]).run();
    let text = outcome.fine();
    for part in [
        "shape      JWT: three base64url parts",
        "Web SDK    accepts the shape",
        "expires    2011-03-22T18:43:00Z (",
        " ago, by this machine's clock)",
        "claims (UNVERIFIED: nobody has checked the signature)",
        "\"joe\"",
        "header (UNVERIFIED",
        "\"HS256\"",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let signature = EXAMPLE.rsplit('.').next().unwrap();
    assert!(!text.contains(signature), "what is shown cannot be used");
}

#[test]
fn a_jwt_for_programs() {
    let outcome =
        gatekeeper(&["inspect", "-", "--format", "json"]).stdin(format!("Authorization: Bearer {EXAMPLE}\n")).run();
    let seen: Value = serde_json::from_str(outcome.fine()).unwrap();
    assert_eq!((&seen["shape"], &seen["verified"]), (&Value::from("jwt"), &Value::from(false)));
    assert_eq!((&seen["claims"]["iss"], &seen["header"]["alg"]), (&Value::from("joe"), &Value::from("HS256")));
    assert_eq!((&seen["expires_at"], &seen["sdk_error"]), (&Value::from(1_300_819_380), &Value::Null));
    assert!(seen["expires_in"].as_i64().unwrap() < 0);
}

#[test]
fn tokens_of_the_servers() {
    for (system, shape) in [(System::Gatekeeper, "jwt"), (System::OauthV2, "opaque"), (System::Rator, "opaque")] {
        let server = start(system);
        let token = against(&server, &["token"]).run();
        let before = server.counts();
        let outcome = gatekeeper(&["inspect", "--format", "json"]).stdin(token.fine()).run();
        let seen: Value = serde_json::from_str(outcome.fine()).unwrap();
        assert_eq!(seen["shape"], shape);
        if system == System::Gatekeeper {
            assert_eq!((&seen["claims"]["token_use"], &seen["sdk_error"]), (&Value::from("access"), &Value::Null));
            assert!(seen["expires_in"].as_i64().unwrap() > 86_000);
        } else {
            assert_eq!((&seen["claims"], &seen["sdk_error"]), (&Value::Null, &Value::from("InvalidAccessTokenFormat")));
        }
        assert_eq!(server.counts().connections, before.connections, "nothing is sent");
    }
}

#[test]
fn what_is_no_token() {
    for stdin in ["", " \n", "Bearer "] {
        let outcome = gatekeeper(&["inspect", "-"]).stdin(stdin).run();
        if stdin.starts_with("Bearer") {
            // Trimmed it is a word like any other.
            assert!(outcome.fine().contains("opaque"));
        } else {
            outcome.fails(2, &["InvalidAccessToken", "gatekeeper token ... | gatekeeper inspect -"]);
        }
    }
    gatekeeper(&["inspect"]).stdin([0xFF, 0xFE]).run().fails(2, &["the token cannot be read from standard input"]);
}
