//! The tokens that a server has issued.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::answer::{JsonObject, json_string};
use crate::clock::{TestClock, millis};
use crate::settings::{Refresh, Settings, TokenKind};

/// Issued tokens are forgotten once they are dead and there are more than this.
const KEPT: usize = 20_000;

/// Who was allowed what.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) grant_type: String,
    pub(crate) username: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// What a successful answer is made of.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) remaining_millis: u64,
    pub(crate) refresh_token: Option<String>,
    pub(crate) scopes: Vec<String>,
}

struct Access {
    grant: Arc<Grant>,
    family: u64,
    expires_at: u64,
    revoked: bool,
}

struct RefreshToken {
    grant: Arc<Grant>,
    family: u64,
    expires_at: u64,
    spent: bool,
    revoked: bool,
}

/// What an API finds about a token.
pub(crate) enum Judged {
    Valid { grant: Arc<Grant>, remaining_millis: u64 },
    Expired,
    Invalid,
}

/// Why a refresh token is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadRefresh {
    Invalid,
    Expired,
}

pub(crate) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, RefreshToken>,
    /// The latest access and refresh token of a grant, for servers that hand them out again.
    latest: HashMap<Arc<Grant>, (String, Option<String>)>,
    last_family: u64,
    noise: Noise,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            access: HashMap::new(),
            refresh: HashMap::new(),
            latest: HashMap::new(),
            last_family: 0,
            noise: Noise::new(),
        }
    }

    /// Answers a first grant.
    pub(crate) fn issue(&mut self, settings: &Settings, clock: &TestClock, grant: Grant) -> Issued {
        let now = clock.now_millis();
        self.prune(now);
        if settings.same_token {
            if let Some(again) = self.again(now, &grant) {
                return again;
            }
        }
        self.last_family += 1;
        let family = self.last_family;
        let grant = Arc::new(grant);
        let wants_refresh = settings.refresh != Refresh::None && settings.refresh_grants.contains(&grant.grant_type);
        let refresh = wants_refresh.then(|| self.new_refresh(settings, now, Arc::clone(&grant), family));
        self.new_access(settings, clock, grant, family, refresh)
    }

    /// Answers a refresh.
    pub(crate) fn refresh(
        &mut self,
        settings: &Settings,
        clock: &TestClock,
        client_id: &str,
        token: &str,
    ) -> Result<Issued, BadRefresh> {
        let now = clock.now_millis();
        self.prune(now);
        let found = self.refresh.get_mut(token).ok_or(BadRefresh::Invalid)?;
        if found.grant.client_id != client_id || found.revoked {
            return Err(BadRefresh::Invalid);
        }
        let (family, grant) = (found.family, Arc::clone(&found.grant));
        if found.spent {
            if settings.refresh == Refresh::RotateWithReuseDetection {
                self.revoke_where(|of| of == family);
            }
            return Err(BadRefresh::Invalid);
        }
        if found.expires_at <= now {
            return Err(BadRefresh::Expired);
        }
        let next = match settings.refresh {
            Refresh::None => return Err(BadRefresh::Invalid),
            Refresh::Reuse => Some(token.to_owned()),
            Refresh::ReuseSilently => None,
            Refresh::Rotate | Refresh::RotateWithReuseDetection => {
                found.spent = true;
                Some(self.new_refresh(settings, now, Arc::clone(&grant), family))
            }
        };
        if settings.refresh_revokes_access {
            for access in self.access.values_mut().filter(|a| a.family == family) {
                access.revoked = true;
            }
        }
        Ok(self.new_access(settings, clock, grant, family, next))
    }

    pub(crate) fn judge(&self, now: u64, token: &str) -> Judged {
        match self.access.get(token) {
            Some(found) if found.revoked => Judged::Invalid,
            Some(found) if found.expires_at <= now => Judged::Expired,
            Some(found) => Judged::Valid { grant: Arc::clone(&found.grant), remaining_millis: found.expires_at - now },
            None => Judged::Invalid,
        }
    }

    /// Revokes an access or a refresh token; says whether there was one.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(found) = self.access.get_mut(token) {
            found.revoked = true;
            true
        } else if let Some(found) = self.refresh.get_mut(token) {
            found.revoked = true;
            true
        } else {
            false
        }
    }

    pub(crate) fn revoke_all_access(&mut self) {
        for found in self.access.values_mut() {
            found.revoked = true;
        }
    }

    pub(crate) fn revoke_everything(&mut self) {
        self.revoke_where(|_| true);
    }

    fn revoke_where(&mut self, family: impl Fn(u64) -> bool) {
        for found in self.access.values_mut().filter(|a| family(a.family)) {
            found.revoked = true;
        }
        for found in self.refresh.values_mut().filter(|r| family(r.family)) {
            found.revoked = true;
        }
    }

    /// The tokens that this grant got before, if they are still good.
    fn again(&self, now: u64, grant: &Grant) -> Option<Issued> {
        let (token, refresh) = self.latest.get(grant)?;
        let found = self.access.get(token)?;
        if found.revoked || found.expires_at <= now {
            return None;
        }
        Some(Issued {
            access_token: token.clone(),
            remaining_millis: found.expires_at - now,
            refresh_token: refresh.clone(),
            scopes: grant.scopes.clone(),
        })
    }

    fn new_access(
        &mut self,
        settings: &Settings,
        clock: &TestClock,
        grant: Arc<Grant>,
        family: u64,
        refresh_token: Option<String>,
    ) -> Issued {
        let lifetime = millis(settings.lifetime);
        let token = match settings.token_kind {
            TokenKind::Jwt => jwt(&mut self.noise, &grant, clock.unix_millis(), lifetime),
            TokenKind::Opaque => opaque(&mut self.noise),
            TokenKind::Uuid => uuid(&mut self.noise),
        };
        self.access.insert(
            token.clone(),
            Access {
                grant: Arc::clone(&grant),
                family,
                expires_at: clock.now_millis().saturating_add(lifetime),
                revoked: false,
            },
        );
        let scopes = grant.scopes.clone();
        self.latest.insert(grant, (token.clone(), refresh_token.clone()));
        Issued { access_token: token, remaining_millis: lifetime, refresh_token, scopes }
    }

    fn new_refresh(&mut self, settings: &Settings, now: u64, grant: Arc<Grant>, family: u64) -> String {
        let token = match settings.token_kind {
            TokenKind::Uuid => uuid(&mut self.noise),
            _ => opaque(&mut self.noise),
        };
        self.refresh.insert(
            token.clone(),
            RefreshToken {
                grant,
                family,
                expires_at: now.saturating_add(millis(settings.refresh_lifetime)),
                spent: false,
                revoked: false,
            },
        );
        token
    }

    fn prune(&mut self, now: u64) {
        if self.access.len() > KEPT {
            self.access.retain(|_, a| !a.revoked && a.expires_at > now);
        }
        if self.refresh.len() > KEPT {
            self.refresh.retain(|_, r| !r.spent && !r.revoked && r.expires_at > now);
        }
        if self.latest.len() > KEPT {
            let access = &self.access;
            self.latest.retain(|_, (token, _)| access.contains_key(token));
        }
    }
}

/// Bytes that differ from run to run and never repeat. Not fit for real secrets.
struct Noise {
    key: RandomState,
    drawn: u64,
}

impl Noise {
    fn new() -> Self {
        Self { key: RandomState::new(), drawn: 0 }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for part in bytes.chunks_mut(8) {
            self.drawn += 1;
            let word = self.key.hash_one(self.drawn).to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
        bytes
    }
}

fn uuid(noise: &mut Noise) -> String {
    let mut b: [u8; 16] = noise.bytes();
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

fn opaque(noise: &mut Noise) -> String {
    let mut bytes: [u8; 65] = noise.bytes();
    // These encode to `+/+/`, so that every token has the characters that a careless client trips
    // over.
    bytes[..3].copy_from_slice(&[0xfb, 0xff, 0xbf]);
    STANDARD.encode(bytes)
}

fn jwt(noise: &mut Noise, grant: &Grant, unix_millis: u64, lifetime: u64) -> String {
    let kid: [u8; 32] = [0x6b; 32];
    let header = JsonObject::new().string("kid", &STANDARD.encode(kid)).string("alg", "RS256").end();
    let issued = unix_millis / 1000;
    let expires = unix_millis.saturating_add(lifetime) / 1000;
    let subject = grant.username.as_ref().unwrap_or(&grant.client_id);
    let mut claims = JsonObject::new().string("sub", subject).string("token_use", "access");
    if !grant.scopes.is_empty() {
        claims = claims.raw("scope", &json_string(&grant.scopes.join(" ")));
    }
    let claims = claims
        .raw("auth_time", &issued.to_string())
        .string("iss", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_TESTKIT01")
        .raw("exp", &expires.to_string())
        .raw("iat", &issued.to_string())
        .raw("version", "2")
        .string("jti", &uuid(noise))
        .string("client_id", &grant.client_id)
        .end();
    let signature: [u8; 256] = noise.bytes();
    [header.as_bytes(), claims.as_bytes(), &signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_shapes() {
        let mut noise = Noise::new();
        let (a, b) = (opaque(&mut noise), opaque(&mut noise));
        assert_ne!(a, b);
        assert!(a.ends_with('=') && a.contains('+') && a.contains('/'), "{a}");
        let id = uuid(&mut noise);
        assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
        let grant = Grant {
            client_id: "i\"d".into(),
            grant_type: "client_credentials".into(),
            username: None,
            scopes: vec!["a/b".into(), "c".into()],
        };
        let token = jwt(&mut noise, &grant, 5_500, 1_400);
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["client_id"], "i\"d");
        assert_eq!(claims["scope"], "a/b c");
        assert_eq!((&claims["iat"], &claims["exp"]), (&5.into(), &6.into()));
    }
}
