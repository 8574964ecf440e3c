//! The members of a token response, taken from the JSON and judged one by one.

use super::error::Malformed;
use super::{Rules, TokenResponse};
use crate::oauth::deviation::{Deviation, Deviations};
use crate::oauth::error_code::ErrorCode;
use crate::oauth::scope::Scope;
use crate::secret::Secret;
use crate::wire::json::{self, Object, Value};
use crate::wire::retry_after::HttpDate;
use core::mem;

/// The members that matter, each as it came.
#[derive(Default)]
pub(super) struct Members<'a> {
    access_token: Member<'a>,
    token_type: Member<'a>,
    expires_in: Member<'a>,
    refresh_token: Member<'a>,
    scope: Member<'a>,
    error: Member<'a>,
    error_description: Member<'a>,
    error_uri: Member<'a>,
    /// The Gatekeeper proxy's names for code and text (Bespot's public documentation).
    error_code: Member<'a>,
    gatekeeper_description: Member<'a>,
    /// Members that tell Spring Boot's error attributes from an OAuth error.
    timestamp: Member<'a>,
    status: Member<'a>,
}

/// A member's value, `null` counting as absent.
#[derive(Default)]
pub(super) enum Member<'a> {
    #[default]
    Absent,
    Null,
    Is(Value<'a>),
}

pub(super) enum MembersError {
    Duplicate,
    Json(json::Error),
}

pub(super) enum Unusable {
    Malformed(Malformed),
    TokenType,
}

impl<'a> Members<'a> {
    /// Takes the members from a body. On an error what was taken so far is of no use.
    pub(super) fn read(&mut self, body: &'a mut [u8]) -> Result<(), MembersError> {
        let mut duplicate = false;
        let mut object = Object::open(body).map_err(MembersError::Json)?;
        while let Some((name, value)) = object.next().map_err(MembersError::Json)? {
            let slot = match name {
                b"access_token" => &mut self.access_token,
                b"token_type" => &mut self.token_type,
                b"expires_in" => &mut self.expires_in,
                b"refresh_token" => &mut self.refresh_token,
                b"scope" => &mut self.scope,
                b"error" => &mut self.error,
                b"error_description" => &mut self.error_description,
                b"error_uri" => &mut self.error_uri,
                b"error_code" => &mut self.error_code,
                b"description" => &mut self.gatekeeper_description,
                b"timestamp" => &mut self.timestamp,
                b"status" => &mut self.status,
                _ => continue,
            };
            duplicate |= !matches!(slot, Member::Absent);
            *slot = if matches!(value, Value::Null) { Member::Null } else { Member::Is(value) };
        }
        if duplicate { Err(MembersError::Duplicate) } else { Ok(()) }
    }

    /// The OAuth error code, if the body has one: a non-empty string of the characters a code may have (RFC 6749
    /// appendix A.7). An object (Google), a number (Reddit) and a reason phrase (Spring Boot) are none.
    pub(super) fn code(&self) -> Option<(ErrorCode, &'a str)> {
        let text = match (self.error.string(), self.error_code.string()) {
            (Some(text), _) if !self.is_spring_boot() => text,
            (None, Some(text)) if matches!(self.error, Member::Absent) => text,
            _ => return None,
        };
        let legal = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        (!text.is_empty() && text.bytes().all(legal)).then(|| (ErrorCode::of(text), text))
    }

    pub(super) fn description(&self) -> Option<&'a str> {
        self.error_description.string().or(self.gatekeeper_description.string())
    }

    pub(super) fn error_uri(&self) -> Option<&'a str> {
        self.error_uri.string()
    }

    pub(super) fn is_spring_boot(&self) -> bool {
        !matches!(self.timestamp, Member::Absent) && matches!(self.status, Member::Is(Value::Number(_)))
    }

    /// The token response, if the members make one. Takes them out.
    pub(super) fn token_response(
        &mut self,
        rules: &Rules<'_>,
        mut deviations: Deviations,
        date: Option<HttpDate<'a>>,
    ) -> Result<TokenResponse<'a>, Unusable> {
        let malformed = |what| Err(Unusable::Malformed(what));
        if let Member::Is(value) = &self.error {
            if !matches!(value, Value::String(text) if text.is_empty()) {
                return malformed(Malformed::ErrorMember);
            }
        }
        let access_token = match &self.access_token {
            Member::Is(Value::String(text)) if !text.is_empty() => text,
            _ => return malformed(Malformed::AccessToken),
        };
        if !access_token.is_visible() && !access_token.as_bytes().iter().all(|b| matches!(b, 0x21..=0x7E)) {
            return malformed(Malformed::AccessTokenCharacters);
        }
        let token_type = match &self.token_type {
            Member::Is(Value::String(text)) if text.as_bytes() == b"Bearer" => "Bearer",
            Member::Is(Value::String(text)) => {
                let text = text.as_str();
                if !text.eq_ignore_ascii_case("bearer") {
                    if !rules.bearer_aliases.iter().any(|a| a.eq_ignore_ascii_case(text)) {
                        return Err(Unusable::TokenType);
                    }
                    deviations.insert(Deviation::TokenTypeAlias);
                }
                text
            }
            Member::Is(_) => return malformed(Malformed::TokenType),
            Member::Absent | Member::Null => {
                deviations.insert(Deviation::TokenTypeMissing);
                "Bearer"
            }
        };
        let expires_in = match &self.expires_in {
            Member::Is(Value::Number(text)) => Some(json::whole_number(text.as_bytes())),
            Member::Is(Value::String(text)) => {
                deviations.insert(Deviation::ExpiresInString);
                Some(json::whole_number(text.as_bytes()))
            }
            Member::Is(_) => return malformed(Malformed::ExpiresIn),
            Member::Absent | Member::Null => {
                deviations.insert(Deviation::ExpiresInMissing);
                None
            }
        };
        let expires_in = match expires_in {
            Some(None) => return malformed(Malformed::ExpiresIn),
            Some(Some(found)) => {
                if found.fraction {
                    deviations.insert(Deviation::ExpiresInFraction);
                }
                if found.value == 0 {
                    deviations.insert(Deviation::ExpiresInNotPositive);
                }
                Some(found.value)
            }
            None => None,
        };
        let refresh_token = match &self.refresh_token {
            Member::Is(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Member::Is(_) => return malformed(Malformed::RefreshToken),
            Member::Absent | Member::Null => None,
        };
        if refresh_token.is_some_and(|text| !text.bytes().all(|b| matches!(b, 0x20..=0x7E))) {
            return malformed(Malformed::RefreshToken);
        }
        if refresh_token.is_some() && rules.request.is_some_and(|r| !r.grant().uses_refresh_token()) {
            deviations.insert(Deviation::UnexpectedRefreshToken);
        }
        let scope = match mem::take(&mut self.scope) {
            Member::Is(Value::String(text)) => {
                // A visible text is one scope token.
                if (text.is_empty() || !text.is_visible()) && Scope::parse(text.as_str()).is_err() {
                    deviations.insert(Deviation::ScopeGrammar);
                }
                Some(text.as_str())
            }
            Member::Is(Value::Array(array)) => {
                deviations.insert(Deviation::ScopeArray);
                match array.join_strings() {
                    Some(text) => {
                        if Scope::parse(text).is_err() {
                            deviations.insert(Deviation::ScopeGrammar);
                        }
                        Some(text)
                    }
                    None => return malformed(Malformed::Scope),
                }
            }
            Member::Is(_) => return malformed(Malformed::Scope),
            Member::Absent | Member::Null => None,
        };
        let scope = scope.map(Scope::as_received);
        let requested = rules.request.and_then(|r| r.requested_scope());
        if let (Some(granted), Some(requested)) = (scope, requested) {
            if granted.tokens().next().is_some() && !granted.covers(&requested) {
                deviations.insert(Deviation::ScopeNarrowed);
            }
        }
        Ok(TokenResponse {
            access_token: Secret::of_ascii(access_token.as_bytes()),
            token_type,
            expires_in,
            refresh_token: refresh_token.map(Secret::new),
            scope,
            deviations,
            date,
        })
    }
}

impl<'a> Member<'a> {
    fn string(&self) -> Option<&'a str> {
        match self {
            Self::Is(Value::String(text)) => Some(text.as_str()),
            Self::Is(_) | Self::Null | Self::Absent => None,
        }
    }
}
