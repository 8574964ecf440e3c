//! The Gatekeeper Web SDK's runtime configuration.

use crate::oauth::endpoint::Endpoint;
use crate::value::{Field, InvalidValue, Problem, check_header_value, check_text};
use core::fmt;

/// The Web SDK's four settings: `baseUrl`, `apiKey`, `applicationId` and `applicationVersion`, each trimmed, the URL
/// without trailing slashes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RuntimeConfig<'a> {
    base_url: Endpoint<'a>,
    api_key: &'a str,
    application_id: &'a str,
    application_version: &'a str,
}

/// The Web SDK's `InvalidSDKConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidSdkConfiguration(pub InvalidValue);

impl<'a> RuntimeConfig<'a> {
    /// Checks the four settings: each a non-empty string after trimming, the first a URL to which an API key may be
    /// sent.
    ///
    /// # Errors
    ///
    /// [`InvalidSdkConfiguration`] with the setting and what is wrong with it.
    pub fn new(
        base_url: &'a str,
        api_key: &'a str,
        application_id: &'a str,
        application_version: &'a str,
    ) -> Result<Self, InvalidSdkConfiguration> {
        Self::checked(base_url, api_key, application_id, application_version, false).map_err(InvalidSdkConfiguration)
    }

    /// As [`new`](Self::new), and `http` to any host is let through; see
    /// [`Endpoint::dangerously_allow_plain_http`].
    ///
    /// # Errors
    ///
    /// [`InvalidSdkConfiguration`] with the setting and what is wrong with it.
    pub fn dangerously_allow_plain_http(
        base_url: &'a str,
        api_key: &'a str,
        application_id: &'a str,
        application_version: &'a str,
    ) -> Result<Self, InvalidSdkConfiguration> {
        Self::checked(base_url, api_key, application_id, application_version, true).map_err(InvalidSdkConfiguration)
    }

    fn checked(
        base_url: &'a str,
        api_key: &'a str,
        application_id: &'a str,
        application_version: &'a str,
        plain_http: bool,
    ) -> Result<Self, InvalidValue> {
        let base_url = Endpoint::parse_api(base_url.trim().trim_end_matches('/'), plain_http)?;
        if base_url.query().is_some() {
            return Err(InvalidValue::new(Field::ApiUrl, Problem::IllegalCharacter));
        }
        let config = Self {
            base_url,
            api_key: api_key.trim(),
            application_id: application_id.trim(),
            application_version: application_version.trim(),
        };
        check_header_value(Field::ApiKey, config.api_key)?;
        for (field, value) in
            [(Field::ApplicationId, config.application_id), (Field::ApplicationVersion, config.application_version)]
        {
            if value.is_empty() {
                return Err(InvalidValue::new(field, Problem::Empty));
            }
            check_text(field, value)?;
        }
        Ok(config)
    }

    /// `baseUrl`, without trailing slashes.
    pub const fn base_url(&self) -> &Endpoint<'a> {
        &self.base_url
    }

    /// `apiKey`. Every request carries it as `x-api-key`; it is no secret in a browser and one everywhere else.
    pub const fn api_key(&self) -> &'a str {
        self.api_key
    }

    /// `applicationId`
    pub const fn application_id(&self) -> &'a str {
        self.application_id
    }

    /// `applicationVersion`
    pub const fn application_version(&self) -> &'a str {
        self.application_version
    }
}

impl fmt::Debug for RuntimeConfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeConfig")
            .field("base_url", &self.base_url)
            .field("application_id", &self.application_id)
            .field("application_version", &self.application_version)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for InvalidSdkConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidSDKConfiguration: {}", self.0)
    }
}

impl core::error::Error for InvalidSdkConfiguration {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_trimmed_and_the_url_loses_its_slashes() {
        let c = RuntimeConfig::new(" https://api.example.com/gk// ", " key ", "app\n", "\t1.0").unwrap();
        assert_eq!(
            (c.base_url().as_str(), c.api_key(), c.application_id(), c.application_version()),
            ("https://api.example.com/gk", "key", "app", "1.0")
        );
    }

    #[test]
    fn each_setting_is_required() {
        let good = ["https://api.example.com", "key", "app", "1.0"];
        let fields = [Field::ApiUrl, Field::ApiKey, Field::ApplicationId, Field::ApplicationVersion];
        for (i, field) in fields.into_iter().enumerate() {
            for bad in ["", "  \n"] {
                let mut s = good;
                s[i] = bad;
                let e = RuntimeConfig::new(s[0], s[1], s[2], s[3]).unwrap_err();
                assert_eq!(e.0, InvalidValue::new(field, Problem::Empty));
                assert!(e.to_string().starts_with("InvalidSDKConfiguration: "));
            }
        }
        assert!(RuntimeConfig::new("http://api.example.com", "k", "a", "v").is_err());
        assert!(RuntimeConfig::dangerously_allow_plain_http("http://api.example.com", "k", "a", "v").is_ok());
    }
}
