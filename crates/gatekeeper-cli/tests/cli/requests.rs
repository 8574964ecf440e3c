//! What each option makes of the token request.

use crate::support::{Files, Run, against, gatekeeper, start};
use gatekeeper_testkit::{BrandKey, Place, SeenRequest, Server, System, systems};

fn form(request: &SeenRequest) -> Vec<(String, String)> {
    request.form()
}

fn last(server: &Server) -> SeenRequest {
    server.seen().last().cloned().expect("a request")
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn scope_audience_resources_and_parameters() {
    let server = start(System::Generic);
    let arguments = [
        "token",
        "--scope",
        "read write",
        "--audience",
        "https://api/",
        "--resource",
        "https://a/",
        "--resource",
        "https://b/",
        "--param",
        "tenant=x=y",
        "--param",
        "empty=",
    ];
    against(&server, &arguments).run().fine();
    let mut sent = form(&last(&server));
    sent.sort();
    let mut expected = pairs(&[
        ("grant_type", "client_credentials"),
        ("scope", "read write"),
        ("audience", "https://api/"),
        ("resource", "https://a/"),
        ("resource", "https://b/"),
        ("tenant", "x=y"),
    ]);
    expected.sort();
    sent.retain(|(name, _)| name != "empty");
    assert_eq!(sent, expected);
}

#[test]
fn the_same_by_variables() {
    let server = start(System::Generic);
    against(&server, &["token"])
        .env("GATEKEEPER_SCOPE", "read")
        .env("GATEKEEPER_AUDIENCE", "aud")
        .env("GATEKEEPER_RESOURCE", "https://a/ https://b/")
        .env("GATEKEEPER_PARAM", "one=1\ntwo=2")
        .run()
        .fine();
    let request = last(&server);
    for (name, value) in [("scope", "read"), ("audience", "aud"), ("one", "1"), ("two", "2")] {
        assert_eq!(request.form_value(name).as_deref(), Some(value));
    }
    assert_eq!(form(&request).iter().filter(|(name, _)| name == "resource").count(), 2);
}

#[test]
fn client_authentication() {
    let server = start(System::Generic);
    let (id, secret) = (server.client_id(), server.client_secret());
    against(&server, &["token"]).run().fine();
    let (sent_id, sent_secret) = last(&server).basic().unwrap();
    assert_ne!((sent_id.as_str(), sent_secret.as_str()), (id.as_str(), secret.as_str()), "form-urlencoded");

    against(&server, &["token", "--client-auth", "post"]).run().fine();
    let request = last(&server);
    assert_eq!(request.header("authorization"), None);
    assert_eq!((request.form_value("client_id"), request.form_value("client_secret")), (Some(id), Some(secret)));

    server.set_client_secrets(Vec::<String>::new());
    let run = against(&server, &["token", "--client-auth", "none"]).without("GATEKEEPER_CLIENT_SECRET");
    run.run().fine();
    assert_eq!(last(&server).form_value("client_secret"), None);
}

#[test]
fn raw_and_form() {
    // Encoded as a form the oauth-v2 client would be another one.
    let server = start(System::OauthV2);
    against(&server, &["token", "--basic", "raw"]).run().fine();
    let expected = (systems::oauth_v2::CLIENT_ID.to_owned(), systems::oauth_v2::CLIENT_SECRET.to_owned());
    assert_eq!(last(&server).basic(), Some(expected));
    let outcome = against(&server, &["token", "--basic", "form"]).run();
    outcome.fails(3, &["invalid_client", "tried: POST ", "two Basic encodings", "(raw)"]);
    against(&server, &["token"]).env("GATEKEEPER_BASIC", "raw").run().fine();
}

#[test]
fn password_grants() {
    let server = start(System::Rator);
    let (user, operator) = (server.user().unwrap(), server.operator().unwrap());
    let files = Files::new();
    let password = files.write("password", &user.password);
    let arguments = ["token", "--grant", "password", "--username", &user.username, "--password-file", &password];
    against(&server, &arguments).hiding(&user.password).run().fine();
    let request = last(&server);
    assert_eq!(request.form_value("username"), Some(user.username.clone()));
    assert_eq!(request.form_value("password"), Some(user.password));

    against(&server, &["token", "--grant", "operator_password", "--username", &operator.username])
        .secret("GATEKEEPER_PASSWORD", &operator.password)
        .run()
        .fine();
    assert_eq!(server.counts().operator_password, 1);

    against(&server, &["token", "--username", &user.username])
        .run()
        .fails(2, &["a user name is given, but no grant that uses one", "--grant password"]);
    let outcome = against(&server, &["token", "--grant", "password"]).run();
    outcome.fails(2, &["the user name is missing", "--username, GATEKEEPER_USERNAME"]);
    let outcome = against(&server, &["token", "--grant", "password", "--username", "u"]).run();
    outcome.fails(2, &["the password is missing", "--password-file, GATEKEEPER_PASSWORD"]);
}

#[test]
fn operators_act_for_client_credentials() {
    let server = Server::builder(System::Rator).with(|s| s.operator_required = true).start().unwrap();
    against(&server, &["token", "--operator", systems::rator::OPERATOR]).run().fine();
    assert_eq!(last(&server).form_value("operator").as_deref(), Some(systems::rator::OPERATOR));
}

#[test]
fn refresh_tokens() {
    let server = start(System::Rator);
    let user = server.user().unwrap();
    let first = |arguments: &[&str]| -> Run {
        let run = against(&server, &["token", "--username", &user.username]).args(arguments);
        run.secret("GATEKEEPER_PASSWORD", &user.password)
    };
    let outcome = first(&["--grant", "password", "--format", "json"]).run();
    let known: serde_json::Value = serde_json::from_str(outcome.fine()).unwrap();
    let refresh_token = known["refresh_token"].as_str().unwrap();
    let files = Files::new();
    let file = files.write("refresh", refresh_token);

    // Alone it is the grant, whether or not that is said.
    against(&server, &["token", "--refresh-token-file", &file]).hiding(refresh_token).run().fine();
    let run = against(&server, &["token", "--grant", "refresh_token"]);
    run.secret("GATEKEEPER_REFRESH_TOKEN", refresh_token).run().fine();
    assert_eq!(server.counts().refresh_token, 2);

    // With another grant it goes first, and that grant is what to fall back to.
    server.revoke_all();
    first(&["--grant", "password", "--refresh-token-file", &file]).hiding(refresh_token).run().fine();
    let counts = server.counts();
    assert_eq!((counts.refresh_token, counts.password), (3, 2));

    // Alone there is nothing to fall back to, and what was sent is not repeated in the complaint, as this server does.
    let outcome = against(&server, &["token", "--refresh-token-file", &file]).hiding(refresh_token).run();
    outcome.fails(3, &["invalid_grant"]);
    let outcome = against(&server, &["token", "--grant", "refresh_token"]).run();
    outcome.fails(2, &["the refresh token is missing", "--refresh-token-file"]);
}

#[test]
fn extension_grants() {
    const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let server = Server::builder(System::Generic).with(|s| s.grants.push(GRANT.to_owned())).start().unwrap();
    against(&server, &["token", "--grant", GRANT, "--param", "assertion=abc"]).run().fine();
    let request = last(&server);
    assert_eq!(request.form_value("grant_type").as_deref(), Some(GRANT));
    assert_eq!(request.form_value("assertion").as_deref(), Some("abc"));
    against(&server, &["token", "--grant", "nobody:knows"]).run().fails(3, &["unsupported_grant_type", "--grant"]);
}

#[test]
fn brand_keys() {
    let server = start(System::Rator);
    against(&server, &["token"]).run().fine();
    assert_eq!(last(&server).query(), pairs(&[("brand_key", systems::rator::BRAND_KEY)]));
    let outcome = against(&server, &["token"]).without("GATEKEEPER_BRAND_KEY").run();
    outcome.fails(2, &["the brand key is missing", "--brand-key, GATEKEEPER_BRAND_KEY"]);

    let older = BrandKey::new("brandKey", systems::rator::BRAND_KEY, Place::Form);
    server.change(|s| s.brand_key = Some(older));
    let arguments = ["token", "--brand-key-name", "brandKey", "--brand-key-in", "form"];
    against(&server, &arguments).run().fine();
    let request = last(&server);
    assert_eq!(request.form_value("brandKey").as_deref(), Some(systems::rator::BRAND_KEY));
    assert_eq!(request.query(), []);
    against(&server, &["token"])
        .env("GATEKEEPER_BRAND_KEY_NAME", "brandKey")
        .env("GATEKEEPER_BRAND_KEY_IN", "form")
        .run()
        .fine();
}

#[test]
fn a_base_url_instead_of_a_token_url() {
    let server = Server::builder(System::Rator).with(|s| s.context_path = "/app".to_owned()).start().unwrap();
    let base = format!("{}/", server.base_url());
    // It goes before the token URL in the environment.
    let run = against(&server, &["token", "--auth-server-url", &base])
        .env("GATEKEEPER_TOKEN_URL", "https://nowhere.invalid/");
    run.run().fine();
    let outcome = against(&server, &["token", "--auth-server-url", "https://a", "--token-url", "https://b"]).run();
    outcome.fails(2, &["--token-url and --auth-server-url are both given, and only one can be"]);
}

#[test]
fn values_that_may_not_be_sent() {
    for (arguments, texts) in [
        (&["--scope", "a  b"][..], &["the scope is not a list of scopes", "--scope, GATEKEEPER_SCOPE or scope"][..]),
        (&["--client-id", "a\nb"], &["the client id contains a control character", "--client-id"]),
        (&["--client-id", "a:b", "--basic", "raw"], &["contains a colon", "--basic form, or --client-auth post"]),
        (&["--client-id", ""], &["the client id is empty"]),
        (&["--param", "scope=x"], &["the parameter name is one that the request sets itself", "--param"]),
        (&["--param", "client_secret=x"], &["the parameter name is one that the request sets itself"]),
        (&["--resource", "nowhere"], &["the resource is not an absolute URL"]),
        (&["--grant", "a b"], &["the grant type contains a character"]),
        (
            &["--token-url", "http://auth.example.com/t"],
            &["uses http to a host that is not this machine", "--insecure-http"],
        ),
        (&["--token-url", "auth.example.com/t"], &["the token URL is not an absolute URL", "--token-url"]),
        (&["--token-url", "https://u:p@auth.example.com/t"], &["contains a user name or password"]),
        (&["--token-url", "https://a/t?client_secret=x"], &["carries a secret in its query"]),
        (&["--timeout", "0"], &["no time at all", "--timeout"]),
    ] {
        let outcome = gatekeeper(&["token"])
            .env("GATEKEEPER_PROFILE", "generic")
            .env("GATEKEEPER_TOKEN_URL", "https://auth.example.com/token")
            .env("GATEKEEPER_CLIENT_ID", "id")
            .secret("GATEKEEPER_CLIENT_SECRET", "c4n4ry-s3cret");
        let outcome = outcome.args(arguments);
        outcome.run().fails(2, texts);
    }
}
