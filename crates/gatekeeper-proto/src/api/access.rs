//! The headers that open an API: token, API key, brand key and identities, for one origin only.

use crate::oauth::endpoint::Endpoint;
use crate::oauth::profile::Profile;
use crate::out::{BufferTooSmall, Writer};
use crate::secret::Secret;
use crate::value::{Field, InvalidValue, check_header_name, check_header_value, check_visible};
use core::fmt;

/// What every request to one API carries beside its token.
///
/// Token and API key leave together or not at all, and only for the configured origin: a client that follows a
/// redirect to another host often strips `Authorization` and forwards `x-api-key`.
///
/// ```
/// use gatekeeper_proto::{ApiAccess, Endpoint, Profile, Secret};
///
/// let origin = Endpoint::parse_api("https://api.example.com", false)?;
/// let access = ApiAccess::new(&Profile::GATEKEEPER, origin).api_key(Secret::new("k3y"))?;
///
/// let here = Endpoint::parse_api("https://api.example.com/api/s2s/verify/", false)?;
/// let names: Vec<_> = access.headers(&here, Secret::new("t0ken")).unwrap().map(|h| h.name).collect();
/// assert_eq!(names, ["authorization", "x-api-key"]);
///
/// let elsewhere = Endpoint::parse_api("https://api.example.com.evil.org/", false)?;
/// assert!(access.headers(&elsewhere, Secret::new("t0ken")).is_none());
/// # Ok::<(), gatekeeper_proto::InvalidValue>(())
/// ```
#[derive(Clone, Copy)]
pub struct ApiAccess<'a> {
    origin: Endpoint<'a>,
    api_key: Option<(&'a str, Secret<'a>)>,
    brand_key: Option<(&'a str, &'a str)>,
    device_id: Option<&'a str>,
    user_id: Option<&'a str>,
    location: Option<&'a str>,
    profile: Profile,
}

/// One header of an API request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name.
    pub name: &'a str,
    /// What stands before the value: `Bearer ` or nothing.
    pub prefix: &'static str,
    /// The value. It is a secret where [`sensitive`](Self::sensitive) says so.
    pub value: &'a str,
    /// Whether the value must not be logged, cached or indexed.
    pub sensitive: bool,
}

impl<'a> ApiAccess<'a> {
    /// Access to the API at the scheme, host and port of `origin`.
    pub const fn new(profile: &Profile, origin: Endpoint<'a>) -> Self {
        Self {
            origin,
            api_key: None,
            brand_key: None,
            device_id: None,
            user_id: None,
            location: None,
            profile: *profile,
        }
    }

    /// Sends the API key, in the profile's header (`x-api-key`).
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for a key that cannot stand in a header.
    pub const fn api_key(mut self, key: Secret<'a>) -> Result<Self, InvalidValue> {
        match check_visible(Field::ApiKey, key.expose()) {
            Ok(()) => {
                self.api_key = Some((self.profile.api_key_header, key));
                Ok(self)
            }
            Err(e) => Err(e),
        }
    }

    /// Sends the brand key, in the profile's header (`X-RATOR-brand-key`); a profile without one sends none.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for a key that cannot stand in a header.
    pub const fn brand_key(mut self, key: &'a str) -> Result<Self, InvalidValue> {
        match check_header_value(Field::BrandKey, key) {
            Ok(()) => {
                self.brand_key = match self.profile.brand_header {
                    Some(name) => Some((name, key)),
                    None => None,
                };
                Ok(self)
            }
            Err(e) => Err(e),
        }
    }

    /// Sends `X-DeviceId`, as the Web SDK does after it has registered.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an id that cannot stand in a header.
    pub const fn device_id(mut self, id: &'a str) -> Result<Self, InvalidValue> {
        match check_header_value(Field::DeviceId, id) {
            Ok(()) => {
                self.device_id = Some(id);
                Ok(self)
            }
            Err(e) => Err(e),
        }
    }

    /// Sends `X-UserId`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an id that cannot stand in a header.
    pub const fn user_id(mut self, id: &'a str) -> Result<Self, InvalidValue> {
        match check_header_value(Field::UserId, id) {
            Ok(()) => {
                self.user_id = Some(id);
                Ok(self)
            }
            Err(e) => Err(e),
        }
    }

    /// Sends `x-devicelastlocation`: `LAT:..;LON:..;ACC:..;TMP:ms;SPD:..;TYP:..`
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for a text that cannot stand in a header.
    pub const fn device_location(mut self, location: &'a str) -> Result<Self, InvalidValue> {
        match check_header_value(Field::HeaderValue, location) {
            Ok(()) => {
                self.location = Some(location);
                Ok(self)
            }
            Err(e) => Err(e),
        }
    }

    /// The origin that the headers are for.
    pub const fn origin(&self) -> &Endpoint<'a> {
        &self.origin
    }

    /// The headers for a request to `url`, or `None` if that is another origin.
    pub fn headers<'h>(
        &self,
        url: &Endpoint<'_>,
        token: Secret<'h>,
    ) -> Option<impl Iterator<Item = Header<'h>> + use<'h>>
    where
        'a: 'h,
    {
        if !self.origin.same_origin(url) {
            return None;
        }
        let header = |name: &'h str, value: &'h str| Header { name, prefix: "", value, sensitive: false };
        let all = [
            Some(Header { name: "authorization", prefix: "Bearer ", value: token.expose(), sensitive: true }),
            self.api_key.map(|(name, key)| Header { sensitive: true, ..header(name, key.expose()) }),
            self.brand_key.map(|(name, key)| header(name, key)),
            self.device_id.map(|id| header("X-DeviceId", id)),
            self.user_id.map(|id| header("X-UserId", id)),
            self.location.map(|location| header("x-devicelastlocation", location)),
        ];
        Some(all.into_iter().flatten())
    }

    /// Writes the header set for this origin as HTTP/1.1 lines, each ended by CRLF, and returns their length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact size that is needed.
    pub fn write_http1(&self, token: Secret<'_>, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(buf);
        for header in self.headers(&self.origin, token).into_iter().flatten() {
            for text in [header.name, ": ", header.prefix, header.value, "\r\n"] {
                out.push_str(text);
            }
        }
        out.finish()
    }
}

impl Header<'_> {
    /// Checks a header of the caller's own, which must not take the place of one that opens the API.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for a name that is no token or a value with control characters.
    pub const fn check(name: &str, value: &str) -> Result<(), InvalidValue> {
        match check_header_name(Field::HeaderName, name) {
            Ok(()) => crate::value::check_text(Field::HeaderValue, value),
            Err(e) => Err(e),
        }
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, if self.sensitive { "[redacted]" } else { self.value })
    }
}

impl fmt::Debug for ApiAccess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAccess").field("origin", &self.origin).finish_non_exhaustive()
    }
}
