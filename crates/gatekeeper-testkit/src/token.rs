//! The token endpoint: client authentication, grants, answers (RFC 6749).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::answer::{Answer, JsonObject, json_string};
use crate::request::SeenRequest;
use crate::settings::{BasicEncoding, Client, ExpiresIn, Place, Settings, TokenErrors, UnknownScope, User};
use crate::state::State;
use crate::token_errors::Refusal;
use crate::tokens::{BadRefresh, Grant, Issued};

/// Carries out a token request. The answer has status 200 exactly when a token was issued.
pub(crate) fn handle(state: &State, settings: &Settings, request: &SeenRequest) -> Answer {
    match grant(state, settings, request) {
        Ok(issued) => success(settings, &issued),
        Err(refusal) => refusal.render(settings.token_errors),
    }
}

/// The grant that a request asks for, for the counts.
pub(crate) fn grant_type(request: &SeenRequest) -> Option<String> {
    let mut all = request.form().into_iter().chain(request.query());
    all.find(|(name, _)| name == "grant_type").map(|(_, value)| value)
}

fn grant(state: &State, settings: &Settings, request: &SeenRequest) -> Result<Issued, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::Method);
    }
    if !accepts_json(request) {
        return Err(Refusal::NotAcceptable);
    }
    let form = Parameters::read(settings, request)?;
    let client = authenticate(settings, request, &form)?;
    check_brand(settings, request)?;

    let grant_type = form.get("grant_type").ok_or_else(|| Refusal::request("Missing grant type"))?;
    if !settings.grants.iter().any(|known| known == grant_type) {
        return Err(Refusal::UnsupportedGrant(grant_type.to_owned()));
    }
    let allowed = client.grants.as_ref();
    if allowed.is_some_and(|allowed| !allowed.iter().any(|g| g == grant_type)) {
        return Err(Refusal::UnauthorizedClient);
    }

    if grant_type == "refresh_token" {
        let token = form.get("refresh_token").ok_or_else(|| Refusal::request("Missing refresh token"))?;
        return state.tokens().refresh(settings, &state.clock, &client.id, token).map_err(|why| match why {
            BadRefresh::Expired => Refusal::RefreshExpired(token.to_owned()),
            BadRefresh::Invalid if settings.token_errors == TokenErrors::Spring => {
                Refusal::InvalidGrant(format!("Invalid refresh token: {token}"))
            }
            BadRefresh::Invalid => Refusal::InvalidGrant("the refresh token is not valid".into()),
        });
    }
    let username = match grant_type {
        "password" => Some(log_in(&settings.users, &form)?),
        "operator_password" => Some(log_in(&settings.operators, &form)?),
        "client_credentials" if settings.operator_required => Some(operator(settings, &form)?),
        _ => None,
    };
    let grant = Grant {
        client_id: client.id.clone(),
        grant_type: grant_type.to_owned(),
        username,
        scopes: scopes(settings, form.get("scope"))?,
    };
    Ok(state.tokens().issue(settings, &state.clock, grant))
}

fn accepts_json(request: &SeenRequest) -> bool {
    let mut accepted = request
        .header_values("accept")
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .peekable();
    accepted.peek().is_none()
        || accepted.any(|range| {
            ["application/json", "application/*", "*/*"].iter().any(|json| range.eq_ignore_ascii_case(json))
        })
}

struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(settings: &Settings, request: &SeenRequest) -> Result<Self, Refusal> {
        let spring = settings.token_errors == TokenErrors::Spring;
        let content_type = request.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_form = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        // A servlet reads its parameters from the query and from a body that is a form, and takes
        // any other body for none.
        let mut all = if spring { request.query() } else { Vec::new() };
        if is_form {
            let form = request.form();
            let repeated = form
                .iter()
                .enumerate()
                .any(|(at, (name, _))| name != "resource" && form[..at].iter().any(|(before, _)| before == name));
            if repeated {
                return Err(Refusal::request("a parameter is repeated"));
            }
            all.extend(form);
        } else if !spring {
            return Err(Refusal::ContentType);
        }
        Ok(Self(all))
    }

    /// RFC 6749, section 3.2: a parameter without a value counts as omitted.
    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(n, _)| n == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }
}

fn authenticate<'a>(settings: &'a Settings, request: &SeenRequest, form: &Parameters) -> Result<&'a Client, Refusal> {
    let by_header = request.header("authorization");
    let in_body = (form.get("client_id"), form.get("client_secret"));
    match (by_header, in_body) {
        // RFC 6749, section 2.3: not more than one method in a request.
        (Some(_), (_, Some(_))) => Err(Refusal::request("client authenticated in two ways")),
        (Some(header), (id, None)) => {
            let failed = Refusal::InvalidClient { by_header: true };
            let Some(encoding) = settings.basic else {
                return Err(failed);
            };
            let client =
                read_basic(header, encoding).iter().find_map(|(id, secret)| find_client(settings, id, Some(secret)));
            match client {
                Some(client) if id.is_none_or(|id| id == client.id) => Ok(client),
                Some(_) => Err(Refusal::request("client_id differs from the authenticated one")),
                None => Err(failed),
            }
        }
        (None, (Some(id), secret)) if settings.client_auth_in_body => {
            find_client(settings, id, secret).ok_or(Refusal::InvalidClient { by_header: false })
        }
        (None, _) => Err(Refusal::NoCredentials),
    }
}

fn find_client<'a>(settings: &'a Settings, id: &str, secret: Option<&str>) -> Option<&'a Client> {
    let client = settings.clients.iter().find(|client| client.id == id)?;
    let right = match secret {
        Some(secret) => client.secrets.iter().any(|s| s == secret),
        None => client.secrets.is_empty(),
    };
    right.then_some(client)
}

/// The pairs of id and secret that a Basic header can stand for; none if it is malformed.
fn read_basic(header: &str, encoding: BasicEncoding) -> Vec<(String, String)> {
    let decoded = match header.split_once(' ') {
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("basic") => STANDARD.decode(value.trim()).ok(),
        _ => None,
    };
    let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Vec::new();
    };
    let Some((id, secret)) = text.split_once(':') else {
        return Vec::new();
    };
    let raw = || Some((id.to_owned(), secret.to_owned()));
    let form = || Some((form_decode(id)?, form_decode(secret)?));
    let pairs = match encoding {
        BasicEncoding::Raw => [raw(), None],
        BasicEncoding::Form => [form(), None],
        BasicEncoding::Either => [raw(), form()],
    };
    pairs.into_iter().flatten().collect()
}

/// Decodes one form-urlencoded value; `None` if it is not one.
fn form_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            // An encoder leaves none of these alone, so the value was not encoded.
            b' ' | b':' | b'&' | b'=' | b'/' | b'?' | b'#' | 0x80.. => return None,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn check_brand(settings: &Settings, request: &SeenRequest) -> Result<(), Refusal> {
    let Some(brand) = &settings.brand_key else {
        return Ok(());
    };
    let (query, form) = (request.query(), request.form());
    let places = match brand.place {
        Place::Query => [query, Vec::new()],
        Place::Form => [form, Vec::new()],
        Place::Either => [query, form],
    };
    let mut found = places.iter().flatten().filter(|(n, _)| *n == brand.name);
    match (found.next(), found.next()) {
        (None, _) => Err(Refusal::request(format!("Missing parameter {}", brand.name))),
        (Some(_), Some(_)) => Err(Refusal::request(format!("Repeated {}", brand.name))),
        (Some((_, value)), None) if *value != brand.value => Err(Refusal::request(format!("Unknown {}", brand.name))),
        (Some(_), None) => Ok(()),
    }
}

fn log_in(users: &[User], form: &Parameters) -> Result<String, Refusal> {
    let (Some(username), Some(password)) = (form.get("username"), form.get("password")) else {
        return Err(Refusal::request("Missing username or password"));
    };
    let known = users.iter().any(|user| user.username == username && user.password == password);
    if known { Ok(username.to_owned()) } else { Err(Refusal::InvalidGrant("Bad credentials".into())) }
}

fn operator(settings: &Settings, form: &Parameters) -> Result<String, Refusal> {
    let name = form.get("operator").ok_or_else(|| Refusal::request("Missing parameter operator"))?;
    if settings.operators.iter().any(|known| known.username == name) {
        Ok(name.to_owned())
    } else {
        Err(Refusal::request("Unknown operator"))
    }
}

/// The scopes of the token: those asked for, or all that the server knows.
fn scopes(settings: &Settings, asked: Option<&str>) -> Result<Vec<String>, Refusal> {
    let Some(asked) = asked.filter(|_| !settings.scopes.is_empty()) else {
        return Ok(settings.scopes.clone());
    };
    let mut granted: Vec<String> = Vec::new();
    for scope in asked.split(' ') {
        match settings.scopes.iter().find(|known| *known == scope) {
            Some(known) if !granted.contains(known) => granted.push(known.clone()),
            Some(_) => {}
            None if settings.unknown_scope == UnknownScope::Drop => {}
            None => return Err(Refusal::InvalidScope),
        }
    }
    Ok(granted)
}

fn success(settings: &Settings, issued: &Issued) -> Answer {
    let mut body = JsonObject::new().string("access_token", &issued.access_token);
    if let Some(token_type) = &settings.token_type {
        body = body.string("token_type", token_type);
    }
    if let Some(refresh) = &issued.refresh_token {
        body = body.string("refresh_token", refresh);
    }
    let seconds = issued.remaining_millis / 1_000;
    let expires_in = match &settings.expires_in {
        ExpiresIn::Remaining => Some(seconds.to_string()),
        ExpiresIn::RemainingString => Some(json_string(&seconds.to_string())),
        ExpiresIn::RemainingFloat => Some(format!("{seconds}.{:03}", issued.remaining_millis % 1_000)),
        ExpiresIn::Number(n) => Some(n.to_string()),
        ExpiresIn::Text(text) => Some(json_string(text)),
        ExpiresIn::Raw(json) => Some(json.clone()),
        ExpiresIn::Null => Some("null".to_owned()),
        ExpiresIn::Absent => None,
    };
    if let Some(json) = expires_in {
        body = body.raw("expires_in", &json);
    }
    if settings.scope_in_answer && !issued.scopes.is_empty() {
        body = body.string("scope", &issued.scopes.join(" "));
    }
    Answer::new(200)
        .header("Content-Type", "application/json;charset=UTF-8")
        .header("Cache-Control", "no-store")
        .header("Pragma", "no-cache")
        .body(body.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_readings() {
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let pair = |id: &str, secret: &str| vec![(id.to_owned(), secret.to_owned())];
        let raw = |text: &str| read_basic(&header(text), BasicEncoding::Raw);
        let form = |text: &str| read_basic(&header(text), BasicEncoding::Form);
        assert_eq!(raw("a+b:c:%41"), pair("a+b", "c:%41"));
        assert_eq!(form("a+b:c%3a%41"), pair("a b", "c:A"));
        assert_eq!(form("a%20b:c%C3%A4"), pair("a b", "c\u{e4}"));
        for not_encoded in ["a:b:c", "a:%4", "a:%zz", "a:b=", "a:%ff", "no colon"] {
            assert_eq!(form(not_encoded), [], "{not_encoded}");
        }
        assert_eq!(read_basic("Basic ?", BasicEncoding::Raw), []);
        assert_eq!(read_basic("Bearer YTpi", BasicEncoding::Raw), []);
    }
}
