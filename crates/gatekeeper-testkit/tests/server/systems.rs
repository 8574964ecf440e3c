//! What each system's token endpoint grants and refuses.

use gatekeeper_testkit::{
    BasicEncoding, BrandKey, Client, Place, Server, System, TokenErrors, UnknownScope,
    systems::{gatekeeper, generic, oauth_v2, rator},
};

use crate::support::{Call, api_call, basic, form, get_token, token_call, token_path};

const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

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
