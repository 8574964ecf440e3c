//! `gatekeeper token`

use crate::args::{TokenArgs, TokenFormat};
use crate::connect::Connection;
use crate::output;
use crate::report::{Failure, Result};
use gatekeeper_ureq::{Clock, SystemClock, Token};
use serde::Serialize;

/// All that is known of a token.
#[derive(Serialize)]
struct Known<'t> {
    access_token: &'t str,
    token_type: &'t str,
    /// Whole seconds from now.
    expires_in: Option<u64>,
    /// Seconds since 1970.
    expires_at: Option<u64>,
    /// As far as the server said.
    scope: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'t str>,
    /// In what the answer differed from the specification.
    deviations: Vec<&'static str>,
}

pub(crate) fn run(args: &TokenArgs) -> Result {
    let connection = Connection::new(args.options.settings(None)?)?;
    let token = connection.token()?;
    match args.format {
        TokenFormat::Token => output::line(token.expose())?,
        TokenFormat::Header => output::line(&format!("Authorization: {}", token.header_value()))?,
        TokenFormat::Json => output::line(&json(&token)?)?,
    }
    Ok(())
}

fn json(token: &Token) -> Result<String> {
    let now = SystemClock.now().wall.unwrap_or_default();
    let known = Known {
        access_token: token.expose(),
        token_type: token.token_type(),
        expires_in: token.expires_at().map(|at| at.saturating_since(now).as_secs()),
        expires_at: token.expires_at().map(|at| at.as_secs()),
        scope: token.scope(),
        refresh_token: token.refresh_token().map(|t| t.expose()),
        deviations: token.deviations().iter().map(|d| d.text()).collect(),
    };
    serde_json::to_string_pretty(&known)
        .map_err(|e| Failure::usage(format!("the token cannot be written as JSON: {e}")))
}
