//! Options, variables and files, and where secrets come from.

use crate::support::{Files, against, gatekeeper, start};
use gatekeeper_testkit::{Server, System, systems};

const CANARY: &str = "c4n4ry-s3cret";

fn scope_sent(server: &Server) -> Option<String> {
    server.seen().last().and_then(|request| request.form_value("scope"))
}

#[test]
fn options_go_before_variables_and_variables_before_the_file() {
    let server = start(System::Generic);
    server.change(|s| s.scopes = ["option", "variable", "profile", "top"].map(str::to_owned).to_vec());
    let files = Files::new();
    files.write("secret", server.client_secret());
    let config = files.write(
        "gatekeeper.toml",
        format!(
            "profile = \"mine\"\nscope = \"top\"\nclient_id = \"{}\"\n\n[profiles.mine]\nprofile = \"generic\"\n\
             token_url = \"{}\"\nclient_secret_file = \"secret\"\nscope = \"profile\"\n\n\
             [profiles.plain]\nprofile = \"generic\"\ntoken_url = \"{}\"\nclient_secret_file = \"secret\"\n",
            server.client_id(),
            server.token_url(),
            server.token_url(),
        ),
    );
    let run = |arguments: &[&str]| gatekeeper(&["token", "--config", &config]).args(arguments);
    run(&["--scope", "option"]).env("GATEKEEPER_SCOPE", "variable").run().fine();
    assert_eq!(scope_sent(&server).as_deref(), Some("option"));
    run(&[]).env("GATEKEEPER_SCOPE", "variable").run().fine();
    assert_eq!(scope_sent(&server).as_deref(), Some("variable"));
    run(&[]).run().fine();
    assert_eq!(scope_sent(&server).as_deref(), Some("profile"));
    run(&["--profile", "plain"]).run().fine();
    assert_eq!(scope_sent(&server).as_deref(), Some("top"));
    // The file itself can be named by a variable, and so can the profile.
    let run = gatekeeper(&["token"]).env("GATEKEEPER_CONFIG", &config).env("GATEKEEPER_PROFILE", "plain");
    run.run().fine();

    let outcome = gatekeeper(&["token", "--config", &config, "--profile", "other"]).run();
    outcome.fails(2, &["there is no profile `other`", "gatekeeper, oauth-v2, rator, generic, mine, plain"]);
    let outcome = gatekeeper(&["token", "--profile", "other"]).run();
    outcome.fails(
        2,
        &["there is no profile `other`", "gatekeeper, oauth-v2, rator, generic; others need a file (--config)"],
    );
}

#[test]
fn mistakes_in_files() {
    let files = Files::new();
    for (text, texts) in [
        (
            format!("\n[profiles.x]\nclient_secert = \"{CANARY}\""),
            ["line 3: unknown field `client_secert`", "the settings are profile, token_url"],
        ),
        (format!("client_secret = \"{CANARY}"), ["line 1: ", "error: "]),
        (format!("client_secret = \"{CANARY}\""), ["client_secret stands in a file that others can read", "chmod 600"]),
        (
            format!("token_url = \"a\"\nauth_server_url = \"{CANARY}\""),
            ["are both given, and only one can be", "token_url"],
        ),
    ] {
        let config = files.write("bad.toml", text);
        gatekeeper(&["token", "--config", &config]).hiding(CANARY).run().fails(2, &texts);
    }
    let missing = format!("{}x", files.write("missing", ""));
    gatekeeper(&["token", "--config", &missing]).run().fails(2, &["cannot be read: No such file"]);
}

#[cfg(unix)]
#[test]
fn a_secret_may_stand_in_a_file_that_is_private() {
    let server = start(System::Gatekeeper);
    let files = Files::new();
    let config = format!("client_secret = \"{}\"", server.client_secret());
    let config = files.write_private("private.toml", &config);
    let run = against(&server, &["token", "--config", &config]).without("GATEKEEPER_CLIENT_SECRET");
    run.run().fine();
}

#[test]
fn a_secret_by_file_variable_pipe_and_reference() {
    let server = start(System::Gatekeeper);
    let files = Files::new();
    let file = files.write("secret", server.client_secret());
    let config = files.write("by-reference.toml", "client_secret_env = \"MY_SECRET\"");
    let bare = |arguments: &[&str]| against(&server, arguments).without("GATEKEEPER_CLIENT_SECRET");
    bare(&["token", "--client-secret-file", &file]).run().fine();
    bare(&["token"]).env("GATEKEEPER_CLIENT_SECRET_FILE", &file).run().fine();
    bare(&["token", "--client-secret-file", "-"]).stdin(server.client_secret()).run().fine();
    bare(&["token"]).env("GATEKEEPER_CLIENT_SECRET_FILE", "-").stdin(server.client_secret()).run().fine();
    bare(&["token", "--config", &config]).secret("MY_SECRET", &server.client_secret()).run().fine();
    // An option goes before the variable that holds the secret itself.
    against(&server, &["token", "--client-secret-file", &file]).env("GATEKEEPER_CLIENT_SECRET", "wrong").run().fine();
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_read_once() {
    let server = start(System::Gatekeeper);
    let run = against(&server, &["token", "--client-secret-file", "/dev/stdin"]).without("GATEKEEPER_CLIENT_SECRET");
    run.stdin(server.client_secret()).run().fine();
}

#[test]
fn secrets_that_are_none() {
    let files = Files::new();
    let empty = files.write("empty", "");
    let blank = files.write("blank", " \n");
    let newline = files.write("newline", format!("{CANARY}\n"));
    let control = files.write("control", format!("{CANARY}\u{7}x"));
    let missing = format!("{empty}-missing");
    let directory = std::env::temp_dir().into_os_string().into_string().unwrap();
    for (file, texts) in [
        (empty.as_str(), &["the client secret: the file ", " is empty", "--client-secret-file"][..]),
        (&blank, &[" is empty"]),
        (&newline, &["the client secret ends with a line break", "printf %s", "tr -d '\\n'"]),
        (&control, &["the client secret contains a control character", "--client-secret-file"]),
        (&missing, &["cannot be read: No such file", "--client-secret-file, GATEKEEPER_CLIENT_SECRET or"]),
        (&directory, &["cannot be read"]),
    ] {
        let outcome =
            gatekeeper(&["token", "--token-url", "https://a/t", "--client-id", "c", "--client-secret-file", file]);
        outcome.hiding(CANARY).run().fails(2, texts);
    }
    let run = |stdin: &str, arguments: &[&str]| {
        let run = gatekeeper(&["token", "--token-url", "https://a/t", "--client-id", "c"]).args(arguments);
        run.stdin(stdin).hiding(CANARY).run()
    };
    run("", &["--client-secret-file", "-"]).fails(2, &["the client secret: standard input is empty"]);
    run(&format!("{CANARY}\n"), &["--client-secret-file", "-"]).fails(2, &["ends with a line break", "printf %s"]);
    run("\u{0}", &["--client-secret-file", "-"]).fails(2, &["the client secret contains a control character"]);
    run("", &[]).fails(2, &["the client secret is missing", "--client-auth none"]);

    let url = gatekeeper(&["token", "--token-url", "https://a/t", "--client-id", "c"]);
    url.env("GATEKEEPER_CLIENT_SECRET", "")
        .run()
        .fails(2, &["the environment variable GATEKEEPER_CLIENT_SECRET is empty"]);
    gatekeeper(&["token", "--token-url", "https://a/t"]).run().fails(2, &["the client id is missing", "--client-id"]);
    gatekeeper(&["token"])
        .run()
        .fails(2, &["the token URL is missing", "--token-url, GATEKEEPER_TOKEN_URL", "--auth-server-url"]);
}

#[test]
fn one_reader_of_standard_input() {
    let server = start(System::Gatekeeper);
    let outcome = against(&server, &["token", "--client-secret-file", "-", "--api-key-file", "-"]).run();
    outcome.fails(2, &["--client-secret-file and --api-key-file both read standard input, and only one can"]);
    for data in ["-", "@-"] {
        let url = server.api_url("/api/echo");
        let outcome = against(&server, &["call", "POST", &url, "--client-secret-file", "-", "-d", data]).run();
        outcome.fails(2, &["--data and --client-secret-file both read standard input, and only one can"]);
    }
    assert_eq!(server.counts().connections, 0);
}

#[test]
fn two_ways_for_one_secret_in_one_place() {
    let server = start(System::Gatekeeper);
    let run = against(&server, &["token"]).env("GATEKEEPER_CLIENT_SECRET_FILE", "x");
    run.run().fails(2, &["GATEKEEPER_CLIENT_SECRET and GATEKEEPER_CLIENT_SECRET_FILE are both given"]);
}

#[test]
fn variables_with_bad_values() {
    for (name, value, text) in [
        ("GATEKEEPER_TIMEOUT", "soon", "GATEKEEPER_TIMEOUT: `soon` is no time: write 5s, 500ms or 2m"),
        ("GATEKEEPER_BASIC", "cooked", "GATEKEEPER_BASIC: unknown variant `cooked`"),
        ("GATEKEEPER_INSECURE_HTTP", "maybe", "GATEKEEPER_INSECURE_HTTP: `maybe` is neither true nor false"),
        ("GATEKEEPER_PARAM", "x", "GATEKEEPER_PARAM: a parameter is written NAME=VALUE"),
    ] {
        gatekeeper(&["token"]).env(name, value).run().fails(2, &[text]);
    }
}

#[test]
fn what_cannot_be_typed() {
    for (arguments, text) in [
        (&[][..], "Usage: gatekeeper <COMMAND>"),
        (&["tokens"], "unrecognized subcommand 'tokens'"),
        (&["token", "--client-secret", CANARY], "'--client-secret-file'"),
        (&["token", &format!("--client-secret={CANARY}")], "unexpected argument '--client-secret'"),
        (&["token", "--timeout", "5x"], "`5x` is no time"),
        (&["token", "--basic", "cooked"], "[possible values: raw, form]"),
        (&["token", "--param", "novalue"], "a parameter is written NAME=VALUE"),
        (&["token", "--format", "xml"], "[possible values: token, json, header]"),
        (&["call", "GET"], "<URL>"),
        (&["call", "GET", "https://a/", "-H", "no-colon"], "a header is written NAME: VALUE"),
        (&["call", "GET", "https://a/", "-H", "authorization: Bearer x"], "the one that gatekeeper adds"),
        (&["soak", "--url", "https://a/", "--rate", "0"], "a rate is a number"),
        (&["soak", "--url", "https://a/", "--rate", "10000", "--for", "1h"], "more than 10000000 calls"),
        (&["soak", "--url", "https://a/", "--for", "0"], "a soak of no time at all"),
    ] {
        let outcome = gatekeeper(arguments).hiding(CANARY).run();
        assert_eq!(outcome.code, 2, "{arguments:?}");
        assert!(outcome.stderr.contains(text), "{text:?} is not in {}", outcome.stderr);
        assert!(outcome.stdout.is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn plain_http_by_its_option() {
    // For Linux this address is this machine; for gatekeeper it is one that could be anywhere.
    let server = start(System::Generic);
    let url = server.token_url().replace("127.0.0.1", "0.0.0.0");
    let run = |arguments: &[&str]| against(&server, &["token", "--token-url", &url]).args(arguments);
    run(&[]).run().fails(2, &["uses http to a host that is not this machine", "--insecure-http lets it through"]);
    assert_eq!(server.counts().connections, 0);
    run(&["--insecure-http"]).run().fine();
    run(&[]).env("GATEKEEPER_INSECURE_HTTP", "true").run().fine();
}

#[test]
fn every_setting_of_a_file_is_known() {
    // The names that are documented are those that are read: this fails if one is renamed.
    let files = Files::new();
    let server = start(System::Rator);
    files.write("secret", server.client_secret());
    let config = files.write(
        "full.toml",
        format!(
            "profile = \"rator\"\nauth_server_url = \"{}\"\nclient_id = \"{}\"\nclient_secret_file = \"secret\"\n\
             client_auth = \"basic\"\nbasic = \"raw\"\ngrant = \"client_credentials\"\noperator = \"{}\"\n\
             audience = \"a\"\nresource = [\"https://a/\"]\nparam = {{ channel = \"web\" }}\n\
             brand_key = \"{}\"\nbrand_key_name = \"brand_key\"\nbrand_key_in = \"query\"\napi_url = \"{}\"\n\
             timeout = 20\nretry_for = \"1s\"\ninsecure_http = false\n",
            server.base_url(),
            server.client_id(),
            systems::rator::OPERATOR,
            systems::rator::BRAND_KEY,
            server.base_url(),
        ),
    );
    let outcome = gatekeeper(&["call", "GET", "/api/whoami", "--config", &config]).run();
    assert!(outcome.fine().contains("rator-client"));
}
