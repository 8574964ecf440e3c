//! Requests of the Gatekeeper API: register, check, and `s2s/verify`.

use super::config::RuntimeConfig;
use crate::oauth::endpoint::Endpoint;
use crate::out::{BufferTooSmall, Writer};
use crate::value::{Field, InvalidValue, check_some_text};
use crate::wire::{form, json};
use core::fmt;

/// The most milliseconds a ticket can be asked to be valid for; 0 and anything above
/// [`VALIDITY_ACCEPTED`] mean this too.
pub const VALIDITY_DEFAULT: u32 = 300_000;

/// Above this many milliseconds, the server takes its maximum instead.
pub const VALIDITY_ACCEPTED: u32 = 3_000_000;

/// A request with a JSON body. Its headers are [`ApiAccess`](crate::ApiAccess)'s, and `content-type: application/json`.
/// The Web SDK gives a call 30 s.
#[derive(Clone, Copy, Debug)]
pub struct ApiRequest<'a>(Kind<'a>);

#[derive(Clone, Copy)]
enum Kind<'a> {
    Register { config: RuntimeConfig<'a>, device_params: &'a [(&'a str, &'a str)] },
    Check { config: RuntimeConfig<'a>, checks: &'a [CheckItem<'a>] },
    Verify { base_url: Endpoint<'a>, ticket: &'a str, action: &'a str, valid_for: u32, application_package: &'a str },
}

/// One result of a check that the browser has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckItem<'a> {
    /// `check_type`
    pub check_type: &'a str,
    /// `status`: `ok` or `not_ok`.
    pub ok: bool,
    /// `duration_ms`, in milliseconds.
    pub duration_ms: u64,
    /// `triggered_by`
    pub triggered_by: &'a str,
    /// `error`, `null` where there was none.
    pub error: Option<&'a str>,
}

/// URL and body of a request, lent from the caller's buffer. The method is `POST`.
#[derive(Clone, Copy)]
pub struct ApiParts<'b> {
    /// The absolute URL.
    pub url: &'b str,
    /// The JSON body.
    pub body: &'b str,
}

impl<'a> ApiRequest<'a> {
    /// `POST {baseUrl}/device/{applicationId}/{applicationVersion}/register` with the device's parameters (brand, model,
    /// os_name, os_version, device_seed). It goes without `X-DeviceId`.
    pub const fn register(config: RuntimeConfig<'a>, device_params: &'a [(&'a str, &'a str)]) -> Self {
        Self(Kind::Register { config, device_params })
    }

    /// `POST {baseUrl}/device/{applicationId}/{applicationVersion}/check` with the results of the checks.
    pub const fn check(config: RuntimeConfig<'a>, checks: &'a [CheckItem<'a>]) -> Self {
        Self(Kind::Check { config, checks })
    }

    /// `POST {baseUrl}/api/s2s/verify/`: asks whether a ticket is good for an action. `valid_for` is in milliseconds;
    /// see [`VALIDITY_ACCEPTED`].
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if one of the texts is empty: all are required.
    pub fn verify(
        base_url: Endpoint<'a>,
        ticket: &'a str,
        action: &'a str,
        valid_for: u32,
        application_package: &'a str,
    ) -> Result<Self, InvalidValue> {
        for text in [ticket, action, application_package] {
            check_some_text(Field::ParameterValue, text)?;
        }
        Ok(Self(Kind::Verify { base_url, ticket, action, valid_for, application_package }))
    }

    /// For how many milliseconds the server will have a verified ticket be valid, given what was asked for.
    pub const fn effective_validity(valid_for: u32) -> u32 {
        if valid_for == 0 || valid_for > VALIDITY_ACCEPTED { VALIDITY_DEFAULT } else { valid_for }
    }

    /// Writes URL and body into `buf` and lends them from there.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact size that is needed.
    pub fn write_parts<'b>(&self, buf: &'b mut [u8]) -> Result<ApiParts<'b>, BufferTooSmall> {
        let mut out = Writer::new(buf);
        self.write_url(&mut out);
        let url_end = out.len();
        self.write_body(&mut out);
        let end = out.finish()?;
        let text =
            |from: usize, to: usize| buf.get(from..to).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or_default();
        Ok(ApiParts { url: text(0, url_end), body: text(url_end, end) })
    }

    fn write_url(&self, out: &mut Writer<'_>) {
        let (config, last) = match &self.0 {
            Kind::Register { config, .. } => (config, "/register"),
            Kind::Check { config, .. } => (config, "/check"),
            Kind::Verify { base_url, .. } => {
                out.push_str(base_url.as_str().trim_end_matches('/'));
                out.push_str("/api/s2s/verify/");
                return;
            }
        };
        out.push_str(config.base_url().as_str());
        out.push_str("/device/");
        form::encode(config.application_id(), form::Space::Percent, out);
        out.push_byte(b'/');
        form::encode(config.application_version(), form::Space::Percent, out);
        out.push_str(last);
    }

    fn write_body(&self, out: &mut Writer<'_>) {
        match self.0 {
            Kind::Register { device_params, .. } => {
                out.push_str(r#"{"device_params":["#);
                for (i, (k, v)) in device_params.iter().enumerate() {
                    out.push_str(if i > 0 { r#",{"k":"# } else { r#"{"k":"# });
                    json::write_string(k, out);
                    out.push_str(r#","v":"#);
                    json::write_string(v, out);
                    out.push_byte(b'}');
                }
            }
            Kind::Check { checks, .. } => {
                out.push_str(r#"{"checks":["#);
                for (i, check) in checks.iter().enumerate() {
                    out.push_str(if i > 0 { r#",{"check_type":"# } else { r#"{"check_type":"# });
                    json::write_string(check.check_type, out);
                    out.push_str(if check.ok { r#","status":"ok""# } else { r#","status":"not_ok""# });
                    out.push_str(r#","duration_ms":"#);
                    out.push_decimal(check.duration_ms);
                    out.push_str(r#","triggered_by":"#);
                    json::write_string(check.triggered_by, out);
                    out.push_str(r#","error":"#);
                    match check.error {
                        Some(error) => json::write_string(error, out),
                        None => out.push_str("null"),
                    }
                    out.push_byte(b'}');
                }
            }
            Kind::Verify { ticket, action, valid_for, application_package, .. } => {
                out.push_str(r#"{"ticket":"#);
                json::write_string(ticket, out);
                out.push_str(r#","action":"#);
                json::write_string(action, out);
                out.push_str(r#","valid_for_at_most_millis":"#);
                out.push_decimal(u64::from(valid_for));
                out.push_str(r#","application_package":"#);
                json::write_string(application_package, out);
                out.push_byte(b'}');
                return;
            }
        }
        out.push_str("]}");
    }
}

impl fmt::Debug for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register { .. } => "register",
            Self::Check { .. } => "check",
            Self::Verify { .. } => "verify",
        })
    }
}

impl fmt::Debug for ApiParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiParts").field("url", &self.url).finish_non_exhaustive()
    }
}
