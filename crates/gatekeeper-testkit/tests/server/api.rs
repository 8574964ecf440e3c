//! Who is let into each system's API, and what it answers.

use gatekeeper_testkit::{ApiKeyError, Challenge, Server, System, systems::gatekeeper};

use crate::support::{Call, api_call, get_token};

#[test]
fn api_keys() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let token = get_token(&server).access_token();
    let good = api_call(&server, "/api/whoami", &token);
    let missing = good.clone().without("x-api-key");
    for call in [&missing, &missing.clone().header("x-api-key", "wrong")] {
        let reply = call.send(&server);
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("API key"));
    }
    server.change(|s| s.api_key_error = ApiKeyError::ApiGateway);
    let reply = missing.send(&server);
    assert_eq!((reply.status, reply.text()), (403, r#"{"message":"Forbidden"}"#));
    server.change(|s| s.api_key_error = ApiKeyError::NamedUnauthorized);
    assert_eq!(missing.send(&server).status, 401);
    server.change(|s| s.api_key = None);
    assert_eq!(missing.send(&server).status, 200);
    let counts = server.counts();
    assert_eq!((counts.api_forbidden, counts.api_unauthorized), (3, 1));
}

#[test]
fn challenges() {
    let server = Server::start(System::Generic).unwrap();
    let mut seen = Vec::new();
    for challenge in
        [Challenge::Rfc6750, Challenge::ApiGateway, Challenge::Spring, Challenge::SpringRawQuotes, Challenge::None]
    {
        server.change(|s| s.challenge = challenge);
        let bad = api_call(&server, "/api/whoami", "abc.def").send(&server);
        let none = api_call(&server, "/api/whoami", "x").without("authorization").send(&server);
        assert_eq!((bad.status, none.status), (401, 401));
        for reply in [&bad, &none] {
            assert!(!reply.text().to_lowercase().contains("api key"));
        }
        seen.push(bad.header("www-authenticate").unwrap_or_default().to_owned());
        let none = none.header("www-authenticate").unwrap_or_default();
        assert!(!none.contains("invalid_token"), "{none}");
    }
    assert_eq!(
        seen,
        [
            "Bearer realm=\"api\", error=\"invalid_token\", \
             error_description=\"the token is not valid\"",
            "Bearer scope=\"\" error=\"invalid_token\" \
             error_description=\"the token is not valid\"",
            "Bearer realm=\"oauth2-resource\", error=\"invalid_token\", \
             error_description=\"Invalid access token: abc.def\"",
            "Bearer realm=\"oauth2-resource\", error=\"invalid_token\", \
             error_description=\"Invalid access token: \"abc.def\"\"",
            "",
        ]
    );
}

#[test]
fn permissions_and_unknown_paths() {
    for system in System::ALL {
        let server = Server::start(system).unwrap();
        let token = get_token(&server).access_token();
        let reply = api_call(&server, "/api/admin", &token).send(&server);
        assert_eq!(reply.status, 403, "{system}");
        assert!(reply.text().contains("insufficient permission"));
        assert!(!reply.text().to_lowercase().contains("api key"));
        assert_eq!(api_call(&server, "/api/nothing", &token).send(&server).status, 404);
    }
    let server = Server::start(System::Rator).unwrap();
    let token = get_token(&server).access_token();
    let bare = api_call(&server, "/api/whoami", &token).without("X-RATOR-brand-key");
    assert_eq!(bare.send(&server).status, 400);
}

#[test]
fn echo_names_headers_and_no_values() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let token = get_token(&server).access_token();
    let mut call = api_call(&server, "/api/echo?a=b", &token).body("12345");
    call.method = "POST".into();
    let reply = call.header("X-Mine", "canary").send(&server);
    let json = reply.json();
    assert_eq!((&json["method"], &json["path"]), (&"POST".into(), &"/api/echo".into()));
    assert_eq!(json["body_len"], 5);
    let names = json["headers"].as_array().unwrap();
    assert!(names.contains(&"x-mine".into()) && names.contains(&"authorization".into()));
    for secret in ["canary", &token, gatekeeper::API_KEY] {
        assert!(!reply.text().contains(secret));
    }
}

#[test]
fn gatekeeper_calls() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let token = get_token(&server).access_token();
    let post = |path: &str, body: &str| Call { method: "POST".into(), ..api_call(&server, path, &token).body(body) };
    let registered = post("/device/app/1.0/register", r#"{"device_params":[]}"#).send(&server);
    assert_eq!(registered.status, 200, "{}", registered.text());
    assert!(registered.json()["application_bundle"].is_string());
    assert!(registered.json()["configuration"]["periodic_interval"].is_string());
    assert_eq!(post("/device/app/1.0/register", "{}").send(&server).status, 400);

    let check = post("/device/app/1.0/check", r#"{"checks":[{"check_type":"webdriver","status":"ok"}]}"#);
    assert_eq!(check.send(&server).status, 400, "X-DeviceId is missing");
    let check = check.header("X-DeviceId", "d1");
    let checked = check.send(&server).json();
    assert_eq!(checked["action"], "allow");
    let blocked = check.body(r#"{"checks":[{"status":"not_ok"}]}"#).send(&server);
    assert_eq!(blocked.json()["action"], "block");

    let verify = |millis: i64, action: &str| {
        let body = serde_json::json!({
            "ticket": checked["ticket"],
            "action": action,
            "valid_for_at_most_millis": millis,
            "application_package": "com.example.app",
        });
        post("/api/s2s/verify/", &body.to_string()).send(&server)
    };
    for (asked, applied) in [(0, 300_000), (1, 1), (3_000_000, 3_000_000), (3_000_001, 300_000)] {
        let reply = verify(asked, "allow").json();
        assert_eq!((&reply["verified"], &reply["valid_for_millis"]), (&true.into(), &applied.into()));
    }
    assert_eq!(verify(0, "block").json()["verified"], false);
    assert_eq!(verify(0, "").status, 400);
    assert_eq!(verify(-1, "allow").status, 400);
    assert_eq!(post("/api/s2s/verify/", "no json").send(&server).status, 400);
    let get = api_call(&server, "/api/s2s/verify/", &token);
    assert_eq!(get.send(&server).status, 405);
    // Of the four systems, only this one has these.
    let other = Server::start(System::Generic).unwrap();
    let token = get_token(&other).access_token();
    assert_eq!(api_call(&other, "/api/s2s/verify/", &token).send(&other).status, 404);
}

#[test]
fn cross_origin_calls() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let preflight = Call::new("OPTIONS", "/device/app/1/check")
        .header("Origin", "https://shop.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,x-api-key,x-deviceid");
    let reply = preflight.send(&server);
    assert_eq!(reply.status, 204);
    let origin = "access-control-allow-origin";
    assert_eq!(reply.header(origin), Some("https://shop.example"));
    let allowed = reply.header("access-control-allow-headers").unwrap();
    for name in ["authorization", "content-type", "x-api-key", "x-deviceid", "x-userid", "x-devicelastlocation"] {
        assert!(allowed.contains(name), "{name}");
    }
    // Failures must be readable as well.
    let call = Call::new("GET", "/api/whoami").header("Origin", "https://shop.example");
    let reply = call.send(&server);
    assert_eq!((reply.status, reply.header(origin)), (403, Some("https://shop.example")));

    server.change(|s| s.cors_origins = vec!["https://other.example".into()]);
    assert_eq!(preflight.send(&server).status, 403);
    assert_eq!(call.send(&server).header(origin), None);
    let counts = server.counts();
    assert_eq!((counts.preflights, counts.api_requests), (2, 2));
}
