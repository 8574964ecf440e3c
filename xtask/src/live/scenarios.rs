//! What the `gatekeeper` command must do against the real servers, as data.
//!
//! In a command line `{NAME}` stands for what the server's start script printed under that name, as one argument
//! whatever it contains, and `{NAME_FILE}` for a file that holds it. `{SERVER}` stands for the options that every
//! honest use of this server needs: its token address, and its CA where it speaks TLS. `{CLIENT}` stands for
//! `--client-id {CLIENT_ID} --client-secret-file {CLIENT_SECRET_FILE}`, and `{SHORT_CLIENT}` and so on likewise.
//! `{WRONG}` is a secret that no server knows.

/// One run of the command.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) command: &'static str,
    /// Where the client secret comes from if not from an option of the command line.
    pub(crate) secret: Secret,
    pub(crate) expect: Expect,
}

pub(crate) enum Secret {
    InCommand,
    /// The variable to set, and the template of its value.
    Environment(&'static str, &'static str),
    /// The template of the standard input.
    Stdin(&'static str),
}

pub(crate) enum Expect {
    /// Exit code 0, and one token alone on one line.
    Token,
    /// The same, in three parts.
    Jwt,
    /// Exit code 0, and an object with these members, none of them null. The last field names a member to keep for
    /// later scenarios, under its name in capitals.
    Json(&'static [&'static str], Option<&'static str>),
    /// Exit code 0, and this template somewhere in the output.
    Says(&'static str),
    /// This exit code, and an explanation on the error output.
    Exit(i32),
    /// Exit code 0, and a report without a refused call and without a needless token request.
    Soak,
}

/// Exit codes of the command, as its documentation states them.
const REFUSED: i32 = 3;
const NETWORK: i32 = 4;
const API_REFUSED: i32 = 5;

const fn scenario(name: &'static str, command: &'static str, expect: Expect) -> Scenario {
    Scenario { name, command, secret: Secret::InCommand, expect }
}

/// How long a soak runs and how often it calls, as stated in the commands below.
pub(crate) const SOAK_SECONDS: u32 = 20;
pub(crate) const SOAK_RATE: u32 = 20;

/// npm `oidc-provider`, plain and with TLS.
pub(crate) const OIDC: &[Scenario] = &[
    scenario("a token", "token {SERVER} --profile generic {CLIENT} --scope {SCOPE}", Expect::Jwt),
    Scenario {
        name: "the secret from the environment",
        command: "token {SERVER} --profile generic --client-id {CLIENT_ID}",
        secret: Secret::Environment("GATEKEEPER_CLIENT_SECRET", "{CLIENT_SECRET}"),
        expect: Expect::Jwt,
    },
    Scenario {
        name: "the secret from standard input",
        command: "token {SERVER} --profile generic --client-id {CLIENT_ID} --client-secret-file -",
        secret: Secret::Stdin("{CLIENT_SECRET}"),
        expect: Expect::Jwt,
    },
    scenario(
        "a token as JSON",
        "token {SERVER} --profile generic {CLIENT} --scope {SCOPE} --format json",
        Expect::Json(&["access_token", "token_type", "expires_in", "expires_at", "scope", "deviations"], None),
    ),
    scenario(
        "a token as a header",
        "token {SERVER} --profile generic {CLIENT} --format header",
        Expect::Says("Authorization: Bearer ey"),
    ),
    scenario("an opaque token", "token {SERVER} --profile oauth-v2 {OPAQUE_CLIENT}", Expect::Token),
    scenario(
        "the gatekeeper profile, shape check included",
        "token {SERVER} --profile gatekeeper {CLIENT} --scope {SCOPE}",
        Expect::Jwt,
    ),
    scenario("special characters, form-urlencoded", "token {SERVER} --profile generic {SPECIAL_CLIENT}", Expect::Jwt),
    scenario(
        "special characters, raw, which this server cannot read",
        "token {SERVER} --profile generic --basic raw {SPECIAL_CLIENT}",
        Expect::Exit(REFUSED),
    ),
    scenario(
        "a wrong secret",
        "token {SERVER} --profile generic --client-id {CLIENT_ID} --client-secret-file {WRONG_FILE}",
        Expect::Exit(REFUSED),
    ),
    scenario(
        "an unknown client",
        "token {SERVER} --profile generic --client-id nobody --client-secret-file {CLIENT_SECRET_FILE}",
        Expect::Exit(REFUSED),
    ),
    scenario(
        "a call",
        "call GET {RESOURCE_URL} {SERVER} --profile generic {CLIENT} --scope {SCOPE}",
        Expect::Says("{CLIENT_ID}"),
    ),
    scenario(
        "a call with an API key",
        "call GET {KEYED_RESOURCE_URL} {SERVER} --profile gatekeeper {CLIENT} \
         --scope {SCOPE} --api-key-file {API_KEY_FILE}",
        Expect::Says("{CLIENT_ID}"),
    ),
    scenario(
        "a call that lacks its API key",
        "call GET {KEYED_RESOURCE_URL} {SERVER} --profile generic {CLIENT}",
        Expect::Exit(API_REFUSED),
    ),
    scenario(
        "a call with a wrong API key",
        "call GET {KEYED_RESOURCE_URL} {SERVER} --profile gatekeeper {CLIENT} \
         --api-key-file {WRONG_FILE}",
        Expect::Exit(API_REFUSED),
    ),
    scenario(
        "a call beyond the token's scope",
        "call GET {ADMIN_RESOURCE_URL} {SERVER} --profile generic {CLIENT} --scope {SCOPE}",
        Expect::Exit(API_REFUSED),
    ),
    scenario(
        "tokens of three seconds under constant use",
        "soak {SERVER} --profile generic {SHORT_CLIENT} --scope {SCOPE} \
         --url {RESOURCE_URL} --for 20s --rate 20 --json",
        Expect::Soak,
    ),
];

/// What only a server with a private CA can show.
pub(crate) const TLS: &[Scenario] = &[scenario(
    "a CA that is not trusted",
    "token --token-url {TOKEN_URL} --profile generic {CLIENT}",
    Expect::Exit(NETWORK),
)];

/// PyPI `django-oauth-toolkit`.
pub(crate) const DJANGO: &[Scenario] = &[
    scenario("a token", "token {SERVER} --profile oauth-v2 {CLIENT}", Expect::Token),
    scenario("special characters, form-urlencoded", "token {SERVER} --profile generic {SPECIAL_CLIENT}", Expect::Token),
    scenario(
        "special characters, raw, which this server cannot read",
        "token {SERVER} --profile generic --basic raw {SPECIAL_CLIENT}",
        Expect::Exit(REFUSED),
    ),
    scenario("an id and a secret outside ASCII", "token {SERVER} --profile generic {UNICODE_CLIENT}", Expect::Token),
    scenario(
        "a wrong secret",
        "token {SERVER} --profile generic --client-id {CLIENT_ID} --client-secret-file {WRONG_FILE}",
        Expect::Exit(REFUSED),
    ),
    scenario(
        "the password grant, outside ASCII",
        "token {SERVER} --profile generic --grant password {PASSWORD_CLIENT} \
         --username {USERNAME} --password-file {PASSWORD_FILE} --format json",
        Expect::Json(&["access_token", "expires_in", "refresh_token"], Some("refresh_token")),
    ),
    scenario(
        "the refresh token of that answer",
        "token {SERVER} --profile generic --grant refresh_token {PASSWORD_CLIENT} --refresh-token-file {REFRESH_TOKEN_FILE}",
        Expect::Token,
    ),
    scenario(
        "the same refresh token once more, now spent",
        "token {SERVER} --profile generic --grant refresh_token {PASSWORD_CLIENT} --refresh-token-file {REFRESH_TOKEN_FILE}",
        Expect::Exit(REFUSED),
    ),
    scenario(
        "a wrong password",
        "token {SERVER} --profile generic --grant password {PASSWORD_CLIENT} \
         --username {USERNAME} --password-file {WRONG_FILE}",
        Expect::Exit(REFUSED),
    ),
    scenario("a call", "call GET {RESOURCE_URL} {SERVER} --profile oauth-v2 {CLIENT}", Expect::Says("{CLIENT_ID}")),
    scenario(
        "a call with an API key",
        "call GET {KEYED_RESOURCE_URL} {SERVER} --profile generic {CLIENT} \
         --api-key-file {API_KEY_FILE}",
        Expect::Says("{CLIENT_ID}"),
    ),
    scenario(
        "a call that lacks its API key",
        "call GET {KEYED_RESOURCE_URL} {SERVER} --profile generic {CLIENT}",
        Expect::Exit(API_REFUSED),
    ),
    scenario(
        "a call beyond the token's scope",
        "call GET {ADMIN_RESOURCE_URL} {SERVER} --profile generic {CLIENT}",
        Expect::Exit(API_REFUSED),
    ),
    scenario(
        "tokens of three seconds under constant use",
        "soak {SERVER} --profile generic --grant {SHORT_GRANT} {SHORT_CLIENT} \
         --username {USERNAME} --password-file {PASSWORD_FILE} --url {RESOURCE_URL} --for 20s --rate 20 --json",
        Expect::Soak,
    ),
];
