//! Lifetimes, shapes, refresh and revocation of tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatekeeper_testkit::{ExpiresIn, Refresh, Server, System, TestClock, TokenKind};

use crate::support::{Reply, api_call, get_token, token_call};

fn whoami(server: &Server, token: &str) -> Reply {
    api_call(server, "/api/whoami", token).send(server)
}

fn password_grant(server: &Server) -> Reply {
    let user = server.user().unwrap();
    let parameters = [("grant_type", "password"), ("username", &user.username), ("password", &user.password)];
    token_call(server, &parameters).send(server)
}

fn refresh(server: &Server, token: &str) -> Reply {
    let parameters = [("grant_type", "refresh_token"), ("refresh_token", token)];
    token_call(server, &parameters).send(server)
}

/// A server on a clock that stands still.
fn on_manual_clock(system: System, lifetime: Duration) -> (Server, TestClock) {
    let clock = TestClock::manual(1_700_000_000_000);
    let server = Server::builder(system).clock(&clock).lifetime(lifetime).start().unwrap();
    (server, clock)
}

#[test]
fn tokens_expire_to_the_millisecond() {
    let (server, clock) = on_manual_clock(System::Generic, Duration::from_millis(250));
    let reply = get_token(&server);
    assert_eq!(reply.json()["expires_in"], 0);
    let token = reply.access_token();
    clock.advance(Duration::from_millis(249));
    assert_eq!(whoami(&server, &token).json()["expires_in_millis"], 1);
    clock.advance(Duration::from_millis(1));
    let reply = whoami(&server, &token);
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("the token has expired"), "{challenge}");
}

#[test]
fn tokens_expire_in_real_time() {
    let server = Server::builder(System::OauthV2).lifetime(Duration::from_millis(30)).start().unwrap();
    let token = get_token(&server).access_token();
    std::thread::sleep(Duration::from_millis(31));
    assert_eq!(whoami(&server, &token).status, 401);
}

#[test]
fn expires_in_as_the_test_wants_it() {
    let (server, _) = on_manual_clock(System::Gatekeeper, Duration::from_millis(3_500));
    for (shape, text) in [
        (ExpiresIn::Remaining, r#","expires_in":3}"#),
        (ExpiresIn::RemainingString, r#","expires_in":"3"}"#),
        (ExpiresIn::RemainingFloat, r#","expires_in":3.500}"#),
        (ExpiresIn::Number(-1), r#","expires_in":-1}"#),
        (ExpiresIn::Text("soon".into()), r#","expires_in":"soon"}"#),
        (ExpiresIn::Raw("1e400".into()), r#","expires_in":1e400}"#),
        (ExpiresIn::Null, r#","expires_in":null}"#),
        (ExpiresIn::Absent, r#""token_type":"Bearer"}"#),
    ] {
        server.change(|s| s.expires_in = shape);
        let reply = get_token(&server);
        assert!(reply.text().ends_with(text), "{}", reply.text());
    }
    server.change(|s| s.token_type = None);
    assert!(get_token(&server).json().get("token_type").is_none());
}

#[test]
fn the_same_token_counts_down_to_zero() {
    let (server, clock) = on_manual_clock(System::Rator, Duration::from_secs(2));
    let first = get_token(&server);
    assert_eq!(first.json()["expires_in"], 2);
    for (advance, left) in [(1, 1), (999, 1), (1, 0), (998, 0)] {
        clock.advance(Duration::from_millis(advance));
        let again = get_token(&server);
        assert_eq!(again.access_token(), first.access_token());
        assert_eq!(again.json()["expires_in"], left);
        assert_eq!(whoami(&server, &again.access_token()).status, 200);
    }
    clock.advance(Duration::from_millis(1));
    assert_eq!(whoami(&server, &first.access_token()).status, 401);
    let next = get_token(&server);
    assert_ne!(next.access_token(), first.access_token());
    assert_eq!(next.json()["expires_in"], 2);

    // A revoked token is not handed out again; without the setting every token is new.
    assert!(server.revoke(&next.access_token()));
    let after = get_token(&server);
    assert_ne!(after.access_token(), next.access_token());
    server.change(|s| s.same_token = false);
    assert_ne!(get_token(&server).access_token(), after.access_token());
}

#[test]
fn another_grant_has_another_token() {
    let server = Server::start(System::Rator).unwrap();
    let client = get_token(&server).access_token();
    let user = password_grant(&server);
    assert_ne!(client, user.access_token());
    let again = password_grant(&server);
    assert_eq!(again.access_token(), user.access_token());
    assert_eq!(again.refresh_token(), user.refresh_token());
}

#[test]
fn every_kind_of_token_in_every_system() {
    for system in System::ALL {
        for kind in [TokenKind::Jwt, TokenKind::Opaque, TokenKind::Uuid] {
            let server = Server::builder(system).with(|s| s.token_kind = kind).start().unwrap();
            let token = get_token(&server).access_token();
            assert_eq!(kind == TokenKind::Jwt, token.matches('.').count() == 2);
            assert_eq!(kind == TokenKind::Opaque, token.ends_with('='));
            assert_eq!(kind == TokenKind::Uuid, token.matches('-').count() == 4 && token.len() == 36);
            assert_eq!(whoami(&server, &token).status, 200);
        }
    }
}

#[test]
fn jwt_claims_follow_the_wall_clock() {
    let (server, clock) = on_manual_clock(System::Gatekeeper, Duration::from_secs(300));
    clock.set_wall_offset_millis(-1_000_000_000);
    let token = get_token(&server).access_token();
    let part = |n| {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    assert_eq!(part(0)["alg"], "RS256");
    let claims = part(1);
    assert_eq!(claims["iat"], 1_699_000_000);
    assert_eq!(claims["exp"], 1_699_000_300);
    assert_eq!(claims["token_use"], "access");
    assert_eq!(claims["client_id"], server.client_id());
    assert_eq!(claims["scope"], "main_antifraud_resource_server/public");
    // The API goes by the other clock.
    assert_eq!(whoami(&server, &token).status, 200);
}

#[test]
fn date_header() {
    let (server, clock) = on_manual_clock(System::Generic, Duration::from_secs(60));
    let date = || get_token(&server).header("date").map(str::to_owned);
    assert_eq!(date().as_deref(), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    server.set_date_skew_seconds(-20);
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(date().as_deref(), Some("Tue, 14 Nov 2023 23:13:00 GMT"));
    server.change(|s| s.send_date = false);
    assert_eq!(date(), None);
}

#[test]
fn refresh_that_keeps_the_refresh_token() {
    let (server, clock) = on_manual_clock(System::Rator, Duration::from_secs(60));
    let first = password_grant(&server);
    clock.advance(Duration::from_secs(59));
    let second = refresh(&server, &first.refresh_token());
    assert_eq!(second.refresh_token(), first.refresh_token());
    assert_ne!(second.access_token(), first.access_token());
    assert_eq!(second.json()["expires_in"], 60);
    assert_eq!(whoami(&server, &first.access_token()).status, 401, "refreshed away");
    server.change(|s| s.refresh_revokes_access = false);
    let third = refresh(&server, &first.refresh_token());
    assert_eq!(whoami(&server, &second.access_token()).status, 200);
    // The same grant again is answered with what the refresh made.
    assert_eq!(password_grant(&server).access_token(), third.access_token());

    server.change(|s| s.refresh = Refresh::ReuseSilently);
    let silent = refresh(&server, &first.refresh_token());
    assert!(silent.json().get("refresh_token").is_none());
    assert_eq!(refresh(&server, &first.refresh_token()).status, 200);
    assert_eq!(server.counts().refresh_token, 4);
}

#[test]
fn rotation_and_reuse() {
    let server = Server::start(System::Generic).unwrap();
    let first = password_grant(&server);
    let second = refresh(&server, &first.refresh_token());
    let third = refresh(&server, &second.refresh_token());
    assert_ne!(third.refresh_token(), second.refresh_token());
    assert_eq!(whoami(&server, &third.access_token()).status, 200);
    let other = password_grant(&server);

    let reuse = refresh(&server, &first.refresh_token());
    assert_eq!((reuse.status, reuse.error().as_str()), (400, "invalid_grant"));
    // The family is gone, another one is not.
    assert_eq!(refresh(&server, &third.refresh_token()).status, 400);
    assert_eq!(whoami(&server, &third.access_token()).status, 401);
    assert_eq!(whoami(&server, &other.access_token()).status, 200);
    assert_eq!(refresh(&server, &other.refresh_token()).status, 200);

    server.change(|s| s.refresh = Refresh::Rotate);
    let first = password_grant(&server);
    let second = refresh(&server, &first.refresh_token());
    assert_eq!(refresh(&server, &first.refresh_token()).status, 400);
    assert_eq!(refresh(&server, &second.refresh_token()).status, 200, "no detection");
}

#[test]
fn refresh_tokens_end() {
    let clock = TestClock::manual(0);
    let server = Server::builder(System::Rator)
        .clock(&clock)
        .with(|s| s.refresh_lifetime = Duration::from_secs(10))
        .start()
        .unwrap();
    let token = password_grant(&server).refresh_token();
    clock.advance(Duration::from_secs(10));
    let expired = refresh(&server, &token);
    assert_eq!((expired.status, expired.error().as_str()), (401, "invalid_token"));
    let unknown = refresh(&server, "unknown");
    assert_eq!((unknown.status, unknown.error().as_str()), (400, "invalid_grant"));

    let server = Server::start(System::Generic).unwrap();
    let token = password_grant(&server).refresh_token();
    assert!(server.revoke(&token));
    assert_eq!(refresh(&server, &token).error(), "invalid_grant");
    server.change(|s| s.refresh = Refresh::None);
    assert!(password_grant(&server).json().get("refresh_token").is_none());
    server.change(|s| {
        s.refresh = Refresh::Reuse;
        s.refresh_grants = vec!["client_credentials".into()];
    });
    assert!(!get_token(&server).refresh_token().is_empty());
}

#[test]
fn refresh_tokens_belong_to_their_client() {
    let server = Server::start(System::Generic).unwrap();
    let token = password_grant(&server).refresh_token();
    server.change(|s| {
        s.clients.insert(0, gatekeeper_testkit::Client::new("other", "secret"));
    });
    assert_eq!(server.client_id(), "other");
    assert_eq!(refresh(&server, &token).error(), "invalid_grant");
}

#[test]
fn revocation() {
    let server = Server::start(System::Generic).unwrap();
    let (one, two) = (get_token(&server).access_token(), get_token(&server).access_token());
    assert!(server.revoke(&one));
    assert!(!server.revoke("unknown"));
    assert_eq!(whoami(&server, &one).status, 401);
    assert_eq!(whoami(&server, &two).status, 200);
    server.revoke_access_tokens();
    assert_eq!(whoami(&server, &two).status, 401);
    let user = password_grant(&server);
    server.revoke_access_tokens();
    let user = refresh(&server, &user.refresh_token());
    assert_eq!(user.status, 200, "refresh tokens stay");
    server.revoke_all();
    assert_eq!(refresh(&server, &user.refresh_token()).status, 400);
}

#[test]
fn rotation_of_the_client_secret() {
    let server = Server::start(System::Gatekeeper).unwrap();
    let old = server.client_secret();
    let with_old = token_call(&server, &[("grant_type", "client_credentials")]);
    server.set_client_secrets([&old, "new"]);
    assert_eq!(server.client_secret(), "new");
    assert_eq!(with_old.send(&server).status, 200);
    assert_eq!(get_token(&server).status, 200);
    server.set_client_secrets(["new"]);
    assert_eq!(with_old.send(&server).error(), "invalid_client");
    assert_eq!(get_token(&server).status, 200);
}
