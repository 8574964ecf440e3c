//! What each system grants, refuses and answers.

use crate::support::{Call, api_call, basic, form, get_token, token_call, token_path};
use gatekeeper_testkit::{
    ApiKeyError, BasicEncoding, BrandKey, Challenge, Client, Place, Server, System, TokenErrors, UnknownScope,
    systems::{gatekeeper, generic, oauth_v2, rator},
};

const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

#[test]
fn every_system_gives_a_token_that_its_api_takes() {
    for system in System::ALL {
        let server = Server::start(system).unwrap();
        let reply = get_token(&server);
        let token = reply.access_token();
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{system}");
        let whoami = api_call(&server, "/api/whoami", &token).send(&server);
        assert_eq!(whoami.status, 200, "{system}: {}", whoami.text());
        assert_eq!(whoami.json()["client_id"], server.client_id());
        assert_eq!(whoami.json()["system"], system.name());
        let counts = server.counts();
        assert_eq!((counts.token_requests, counts.token_issued, counts.client_credentials), (1, 1, 1));
        assert_eq!((counts.api_requests, counts.api_ok), (1, 1));
        assert_eq!(counts.max_tokens_in_flight, 1);
        assert_eq!(server.seen()[1].bearer(), Some(token.as_str()));
    }
}

#[test]
fn tokens_look_like_the_systems() {
    let answer = |system| get_token(&Server::start(system).unwrap()).json();

    let gatekeeper = answer(System::Gatekeeper);
    let token = gatekeeper["access_token"].as_str().unwrap();
    assert_eq!(token.split('.').filter(|part| !part.is_empty()).count(), 3);
    assert_eq!(gatekeeper["expires_in"], 86_400);
    assert_eq!(gatekeeper["token_type"], "Bearer");
    assert_eq!(gatekeeper.as_object().unwrap().len(), 3);

    let oauth_v2 = answer(System::OauthV2);
    let token = oauth_v2["access_token"].as_str().unwrap();
    assert!(token.ends_with('=') && token.contains('+') && token.contains('/'), "{token}");
    assert_eq!(oauth_v2["expires_in"], 3_600);

    let rator = answer(System::Rator);
    assert_eq!(rator["access_token"].as_str().unwrap().len(), 36);
    assert_eq!(rator["token_type"], "bearer");
    assert!(rator.get("refresh_token").is_none());

    let generic = answer(System::Generic);
    assert_eq!(generic["scope"], "read write");
}

#[test]
fn worked_example_of_the_gatekeeper_documentation() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let reply = Call::new("POST", "/oauth2/token")
        .header("Authorization", "Basic ZGpjOTh1M2ppZWRtaTI4M2V1OTI4OmFiY2RlZjAxMjM0NTY3ODkw")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(&form(&[CLIENT_CREDENTIALS, ("scope", gatekeeper::SCOPE)]))
        .send(&server);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Status, error code and challenge of a refusal.
type Refused<'a> = (u16, &'a str, Option<&'a str>);

fn assert_refused(server: &Server, call: &Call, (status, code, challenge): Refused<'_>) {
    let reply = call.send(server);
    let got = (reply.status, reply.header("www-authenticate"));
    assert_eq!(got, (status, challenge), "{}", reply.text());
    if code.is_empty() {
        assert_eq!(reply.text(), "");
    } else {
        assert_eq!(reply.error(), code, "{}", reply.text());
    }
}

#[test]
fn refusals_of_cognito() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let good = token_call(&server, &[CLIENT_CREDENTIALS]);
    let wrong_secret = basic(gatekeeper::CLIENT_ID, "wrong");
    for (call, refused) in [
        (good.clone().without("authorization").header("Authorization", &wrong_secret), (400, "invalid_client", None)),
        (good.clone().without("authorization"), (400, "invalid_client", None)),
        (good.clone().body("grant_type=magic"), (400, "unsupported_grant_type", None)),
        (good.clone().body("grant_type=client_credentials&scope=unknown"), (400, "invalid_scope", None)),
        (good.clone().body("scope=a"), (400, "invalid_request", None)),
        (good.clone().body("grant_type=client_credentials&grant_type=password"), (400, "invalid_request", None)),
        (good.clone().without("content-type").header("Content-Type", "application/json"), (405, "", None)),
        (Call { method: "GET".into(), ..good.clone() }, (405, "", None)),
    ] {
        assert_refused(&server, &call, refused);
    }
    let counts = server.counts();
    assert_eq!((counts.token_issued, counts.token_refused), (0, 8));
    assert_eq!(counts.other_grants, 3);
}

#[test]
fn refusals_of_the_gatekeeper_proxy() {
    let server =
        Server::builder(System::Gatekeeper).with(|s| s.token_errors = TokenErrors::GatekeeperProxy).start().unwrap();
    let good = token_call(&server, &[CLIENT_CREDENTIALS]);
    let wrong = basic(gatekeeper::CLIENT_ID, "wrong");
    let wrong = good.clone().without("authorization").header("Authorization", &wrong);
    assert_refused(&server, &wrong, (401, "invalid-client", None));
    let magic = good.clone().body("grant_type=magic");
    assert_refused(&server, &magic, (400, "unsupported-grant-type", None));
    assert_refused(&server, &good.clone().body(""), (400, "invalid-request", None));
    let reply = wrong.send(&server);
    assert!(reply.json()["description"].is_string());
    assert!(reply.json().get("error").is_none());

    server.change(|s| {
        s.grants.push("password".into());
        s.clients[0].grants = Some(vec!["client_credentials".into()]);
    });
    let password = good.body("grant_type=password&username=a&password=b");
    assert_refused(&server, &password, (401, "unauthorized-client", None));
    server.change(|s| s.clients[0].grants = None);
    assert_refused(&server, &password, (401, "invalid-grant", None));
}

#[test]
fn refusals_of_rfc6749() {
    let server = Server::start(System::Generic).unwrap();
    let good = token_call(&server, &[CLIENT_CREDENTIALS]);
    let challenge = Some("Basic realm=\"token\", charset=\"UTF-8\"");
    let raw = basic(generic::CLIENT_ID, generic::CLIENT_SECRET);
    for (call, refused) in [
        (good.clone().without("authorization").header("Authorization", &raw), (401, "invalid_client", challenge)),
        (good.clone().without("authorization"), (401, "invalid_client", challenge)),
        (
            good.clone().without("authorization").body(&form(&[
                CLIENT_CREDENTIALS,
                ("client_id", generic::CLIENT_ID),
                ("client_secret", "wrong"),
            ])),
            (401, "invalid_client", None),
        ),
        (good.clone().body(&form(&[CLIENT_CREDENTIALS, ("client_secret", "x")])), (400, "invalid_request", None)),
        (good.clone().body(&form(&[CLIENT_CREDENTIALS, ("scope", "read admin")])), (400, "invalid_scope", None)),
        (
            good.clone().body(&form(&[("grant_type", "refresh_token"), ("refresh_token", "x")])),
            (400, "invalid_grant", None),
        ),
        (
            good.clone().without("content-type").header("Content-Type", "application/json"),
            (415, "invalid_request", None),
        ),
        (good.clone().without("accept").header("Accept", "text/html"), (406, "invalid_request", None)),
        (Call { method: "GET".into(), ..good.clone() }, (405, "invalid_request", None)),
    ] {
        assert_refused(&server, &call, refused);
    }
    // The API's query is not a place for parameters.
    let target = format!("{}?grant_type=client_credentials", token_path(&server));
    let call = Call { target, ..good.body("") };
    assert_refused(&server, &call, (400, "invalid_request", None));
}

#[test]
fn client_authentication_in_the_body_and_by_either_encoding() {
    let server = Server::start(System::Generic).unwrap();
    let in_body = token_call(
        &server,
        &[CLIENT_CREDENTIALS, ("client_id", generic::CLIENT_ID), ("client_secret", generic::CLIENT_SECRET)],
    )
    .without("authorization");
    assert_eq!(in_body.send(&server).status, 200);
    server.change(|s| s.client_auth_in_body = false);
    assert_eq!(in_body.send(&server).status, 401);

    server.change(|s| {
        s.basic = Some(BasicEncoding::Either);
        s.clients = vec![Client::new("a", "b%41 c")];
    });
    for secret in ["b%41 c", "b%2541+c"] {
        let header = basic("a", secret);
        let call = token_call(&server, &[CLIENT_CREDENTIALS]).without("authorization");
        assert_eq!(call.header("Authorization", &header).send(&server).status, 200, "{secret}");
    }
    server.change(|s| s.basic = None);
    assert_eq!(get_token(&server).status, 401);

    // A public client has no secret to send.
    server.change(|s| {
        s.client_auth_in_body = true;
        s.clients[0].secrets.clear();
    });
    let public = token_call(&server, &[CLIENT_CREDENTIALS, ("client_id", "a")]);
    assert_eq!(public.without("authorization").send(&server).status, 200);
}

#[test]
fn oauth_v2_reads_basic_raw() {
    let server = Server::start(System::OauthV2).unwrap();
    assert_eq!(get_token(&server).status, 200);
    let encode = |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let encoded = basic(&encode(oauth_v2::CLIENT_ID), &encode(oauth_v2::CLIENT_SECRET));
    let call = token_call(&server, &[CLIENT_CREDENTIALS]).without("authorization");
    let reply = call.header("Authorization", &encoded).send(&server);
    assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"));
}

#[test]
fn rator_grants_and_brand_key() {
    let server = Server::start(System::Rator).unwrap();
    let user = [("grant_type", "password"), ("username", rator::USERNAME), ("password", rator::PASSWORD)];
    let reply = token_call(&server, &user).send(&server);
    let whoami = api_call(&server, "/api/whoami", &reply.access_token()).send(&server);
    assert_eq!(whoami.json()["username"], rator::USERNAME);
    assert!(!reply.refresh_token().is_empty());
    let operator =
        [("grant_type", "operator_password"), ("username", rator::OPERATOR), ("password", rator::OPERATOR_PASSWORD)];
    assert_eq!(token_call(&server, &operator).send(&server).status, 200);
    let mixed_up = [("grant_type", "operator_password"), user[1], user[2]];
    let reply = token_call(&server, &mixed_up).send(&server);
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_grant"));

    let good = token_call(&server, &[CLIENT_CREDENTIALS]);
    let bare = Call { target: "/oauth/token".into(), ..good.clone() };
    assert_refused(&server, &bare, (400, "invalid_request", None));
    let wrong = Call { target: "/oauth/token?brand_key=OTHER".into(), ..good.clone() };
    assert_refused(&server, &wrong, (400, "invalid_request", None));
    let in_form = form(&[CLIENT_CREDENTIALS, ("brand_key", rator::BRAND_KEY)]);
    assert_eq!(bare.clone().body(&in_form).send(&server).status, 200);
    server.change(|s| s.brand_key = Some(BrandKey::new("brandKey", "B", Place::Form)));
    assert_refused(&server, &bare.clone().body(&in_form), (400, "invalid_request", None));
    let in_form = form(&[CLIENT_CREDENTIALS, ("brandKey", "B")]);
    assert_eq!(bare.clone().body(&in_form).send(&server).status, 200);
    let in_query = Call { target: "/oauth/token?brandKey=B".into(), ..good };
    assert_refused(&server, &in_query, (400, "invalid_request", None));

    server.change(|s| s.operator_required = true);
    assert_refused(&server, &bare.clone().body(&in_form), (400, "invalid_request", None));
    let with_operator = form(&[CLIENT_CREDENTIALS, ("brandKey", "B"), ("operator", rator::OPERATOR)]);
    let reply = bare.body(&with_operator).send(&server);
    assert_eq!(reply.status, 200);
    let counts = server.counts();
    assert_eq!((counts.password, counts.operator_password), (1, 2));
}

#[test]
fn refusals_of_spring_and_the_context_path() {
    let server = Server::builder(System::Rator).with(|s| s.context_path = "appcontext/".into()).start().unwrap();
    assert!(server.token_url().ends_with("/appcontext/oauth/token"));
    let good = token_call(&server, &[CLIENT_CREDENTIALS]);
    let token = good.send(&server).access_token();
    assert_eq!(api_call(&server, "/api/whoami", &token).send(&server).status, 200);
    let challenge = Some("Basic realm=\"oauth2/client\"");
    let wrong = basic(rator::CLIENT_ID, "wrong");
    for (call, refused) in [
        (good.clone().without("authorization"), (401, "unauthorized", challenge)),
        (good.clone().without("authorization").header("Authorization", &wrong), (401, "invalid_client", challenge)),
        (good.clone().body("grant_type=magic"), (400, "unsupported_grant_type", None)),
        (
            good.clone().without("content-type").header("Content-Type", "application/json"),
            (400, "invalid_request", None),
        ),
        (good.clone().without("accept").header("Accept", "text/html"), (406, "", None)),
        (Call { method: "GET".into(), ..good.clone() }, (405, "method_not_allowed", None)),
    ] {
        assert_refused(&server, &call, refused);
    }
    // A servlet merges query and form.
    let target = format!("{}&grant_type=client_credentials", good.target);
    assert_eq!(Call { target, ..good.body("") }.send(&server).status, 200);
}

#[test]
fn scopes() {
    let server = Server::start(System::Generic).unwrap();
    let narrow = token_call(&server, &[CLIENT_CREDENTIALS, ("scope", "write write")]);
    let reply = narrow.send(&server);
    assert_eq!(reply.json()["scope"], "write");
    let whoami = api_call(&server, "/api/whoami", &reply.access_token()).send(&server);
    assert_eq!(whoami.json()["scope"], "write");
    server.change(|s| s.unknown_scope = UnknownScope::Drop);
    let reply = token_call(&server, &[CLIENT_CREDENTIALS, ("scope", "admin read")]).send(&server);
    assert_eq!(reply.json()["scope"], "read");
}

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
