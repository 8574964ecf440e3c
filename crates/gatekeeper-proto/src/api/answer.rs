//! Answers of the Gatekeeper API's register and check requests.

use super::failure::ApiFailure;
use crate::wire::json::{self, Object, Value};
use core::fmt;
use core::time::Duration;

/// The answer to a register request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Registered<'a> {
    /// `application_bundle`
    pub application_bundle: &'a str,
    /// `configuration.periodic_interval`, which the server writes as a number or as a string of milliseconds.
    pub periodic_interval: Option<Duration>,
}

/// The answer to a check request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checked<'a> {
    /// `action`
    pub action: &'a str,
    /// `ticket`, to be verified server to server.
    pub ticket: &'a str,
}

/// The JSON text of the check definitions in a register answer: the first array named `checks`, `checkDefinitions` or
/// `check_definitions`, at any depth.
///
/// Look for them before [`Registered::read`], which changes the body.
///
/// # Errors
///
/// [`ApiFailure::NoCheckFound`]: without any, `check` never calls the API.
pub fn check_definitions(body: &[u8]) -> Result<&[u8], ApiFailure> {
    json::find_array(body, &["checks", "checkDefinitions", "check_definitions"]).ok_or(ApiFailure::NoCheckFound)
}

impl<'a> Registered<'a> {
    /// Reads a register answer, resolving escapes in `body`.
    ///
    /// # Errors
    ///
    /// [`ApiFailure::InvalidResponseError`] if a member is missing or the body is no JSON object.
    pub fn read(body: &'a mut [u8]) -> Result<Self, ApiFailure> {
        let mut bundle = None;
        let mut interval = None;
        let mut configuration = false;
        read_members(body, |name, value| match (name, value) {
            (b"application_bundle", Value::String(text)) => bundle = Some(text.as_str()),
            (b"configuration", Value::Object(nested)) => {
                configuration = true;
                let Ok(mut members) = nested.open() else { return };
                while let Ok(Some((name, value))) = members.next() {
                    let text = match (name, value) {
                        (b"periodic_interval", Value::Number(text) | Value::String(text)) => text,
                        _ => continue,
                    };
                    interval = json::whole_number(text.as_bytes()).map(|ms| Duration::from_millis(ms.value));
                }
            }
            _ => {}
        })?;
        match bundle {
            Some(application_bundle) if configuration => Ok(Self { application_bundle, periodic_interval: interval }),
            _ => Err(ApiFailure::InvalidResponseError),
        }
    }
}

impl<'a> Checked<'a> {
    /// Reads a check answer, resolving escapes in `body`.
    ///
    /// # Errors
    ///
    /// [`ApiFailure::InvalidResponseError`] if a member is missing or the body is no JSON object.
    pub fn read(body: &'a mut [u8]) -> Result<Self, ApiFailure> {
        let (mut action, mut ticket) = (None, None);
        read_members(body, |name, value| match (name, value) {
            (b"action", Value::String(text)) => action = Some(text.as_str()),
            (b"ticket", Value::String(text)) => ticket = Some(text.as_str()),
            _ => {}
        })?;
        match (action, ticket) {
            (Some(action), Some(ticket)) => Ok(Self { action, ticket }),
            _ => Err(ApiFailure::InvalidResponseError),
        }
    }
}

fn read_members<'a>(body: &'a mut [u8], mut each: impl FnMut(&'a [u8], Value<'a>)) -> Result<(), ApiFailure> {
    let mut object = Object::open(body).map_err(|_| ApiFailure::InvalidResponseError)?;
    while let Some((name, value)) = object.next().map_err(|_| ApiFailure::InvalidResponseError)? {
        each(name, value);
    }
    Ok(())
}

impl fmt::Debug for Registered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("periodic_interval", &self.periodic_interval).finish_non_exhaustive()
    }
}

impl fmt::Debug for Checked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("action", &self.action).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registering() {
        for interval in ["30000", "\"30000\""] {
            let text = format!(
                r#"{{"application_bundle":"com.example","configuration":{{"x":{{"y":[1]}},"periodic_interval":{interval},"checkDefinitions":[{{"id":"a]"}}]}}}}"#
            );
            let mut body = text.into_bytes();
            assert_eq!(check_definitions(&body), Ok(&br#"[{"id":"a]"}]"#[..]));
            let answer = Registered::read(&mut body).unwrap();
            assert_eq!(answer.application_bundle, "com.example");
            assert_eq!(answer.periodic_interval, Some(Duration::from_secs(30)));
        }
        let mut body = br#"{"application_bundle":"b","configuration":{}}"#.to_vec();
        assert_eq!(check_definitions(&body), Err(ApiFailure::NoCheckFound));
        assert_eq!(Registered::read(&mut body).unwrap().periodic_interval, None);
    }

    #[test]
    fn missing_members() {
        for body in ["{}", "[]", "", r#"{"application_bundle":"b"}"#, r#"{"configuration":{}}"#, r#"{"action":"a"}"#] {
            let mut bytes = body.as_bytes().to_vec();
            assert_eq!(Registered::read(&mut bytes), Err(ApiFailure::InvalidResponseError), "{body}");
            let mut bytes = body.as_bytes().to_vec();
            assert_eq!(Checked::read(&mut bytes), Err(ApiFailure::InvalidResponseError), "{body}");
        }
        let mut body = br#"{"action":"a","ticket":"t\u0031","more":1}"#.to_vec();
        assert_eq!(Checked::read(&mut body), Ok(Checked { action: "a", ticket: "t1" }));
    }
}
