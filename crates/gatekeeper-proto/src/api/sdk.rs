//! The Gatekeeper Web SDK's rules for a token that somebody else fetches: `initialize` and `setAccessToken`.

use crate::oauth::jwt::{Shape, TokenShapeError};
use core::fmt;

/// The state of an SDK that is handed its tokens: nothing, registering, or ready.
///
/// `T` is the device's identity once it is registered. The machine decides what may be done; requests are the
/// caller's. A call in flight keeps the token it was made with.
///
/// ```
/// use gatekeeper_proto::sdk::{NotReady, Sdk};
///
/// let mut sdk = Sdk::new();
/// assert_eq!(sdk.check(), Err(NotReady::NotInitialized));
/// let token = sdk.initialize(" e30.e30.c2ln \n")?;
/// assert_eq!(token, "e30.e30.c2ln");
/// sdk.registered("device-1");
/// assert_eq!(sdk.check(), Ok(&"device-1"));
/// assert_eq!(sdk.set_access_token("e30.e30.bmV3"), Ok("e30.e30.bmV3"));
/// # Ok::<(), gatekeeper_proto::TokenShapeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sdk<T>(State<T>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State<T> {
    #[default]
    Uninitialized,
    Registering,
    Ready(T),
}

/// Why nothing can be called yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NotReady {
    /// `initialize` was not called; `setAccessToken` does not replace it.
    NotInitialized,
    /// The device is being registered.
    Registering,
}

impl<T> Sdk<T> {
    /// An SDK that was not initialized.
    pub const fn new() -> Self {
        Self(State::Uninitialized)
    }

    /// `initialize(jwt)`: checks the token's shape and returns it trimmed. The device is now to be registered with it.
    /// Doing it again registers again.
    ///
    /// # Errors
    ///
    /// [`TokenShapeError`]; the state does not change.
    pub fn initialize<'t>(&mut self, jwt: &'t str) -> Result<&'t str, TokenShapeError> {
        let token = shaped(jwt)?;
        self.0 = State::Registering;
        Ok(token)
    }

    /// The device was registered.
    pub fn registered(&mut self, device: T) {
        self.0 = State::Ready(device);
    }

    /// Registering failed: `initialize` is to be called again.
    pub fn registration_failed(&mut self) {
        if matches!(self.0, State::Registering) {
            self.0 = State::Uninitialized;
        }
    }

    /// `setAccessToken(jwt)`: checks the token's shape and returns it trimmed, to be used from the next call on. It
    /// neither registers nor initializes.
    ///
    /// # Errors
    ///
    /// [`TokenShapeError`]; the old token stays.
    pub fn set_access_token<'t>(&mut self, jwt: &'t str) -> Result<&'t str, TokenShapeError> {
        shaped(jwt)
    }

    /// The registered device, for a call that needs one.
    ///
    /// # Errors
    ///
    /// [`NotReady`] before `initialize` has been through.
    pub fn check(&self) -> Result<&T, NotReady> {
        match &self.0 {
            State::Uninitialized => Err(NotReady::NotInitialized),
            State::Registering => Err(NotReady::Registering),
            State::Ready(device) => Ok(device),
        }
    }
}

fn shaped(jwt: &str) -> Result<&str, TokenShapeError> {
    Shape::ThreeParts.check(jwt)?;
    Ok(jwt.trim())
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInitialized => "initialize was not called",
            Self::Registering => "the device is still being registered",
        })
    }
}

impl core::error::Error for NotReady {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_token_changes_nothing() {
        let mut sdk = Sdk::new();
        sdk.initialize("a.b.c").unwrap();
        sdk.registered(1);
        for (bad, error) in [
            ("  ", TokenShapeError::InvalidAccessToken),
            ("a.b", TokenShapeError::InvalidAccessTokenFormat),
            ("a.b.", TokenShapeError::InvalidAccessTokenFormat),
        ] {
            assert_eq!(sdk.initialize(bad), Err(error));
            assert_eq!(sdk.set_access_token(bad), Err(error));
            assert_eq!(sdk.check(), Ok(&1));
        }
    }

    #[test]
    fn set_access_token_does_not_initialize() {
        let mut sdk = Sdk::<u8>::new();
        sdk.set_access_token("a.b.c").unwrap();
        assert_eq!(sdk.check(), Err(NotReady::NotInitialized));
        sdk.initialize("a.b.c").unwrap();
        assert_eq!(sdk.check(), Err(NotReady::Registering));
        sdk.registration_failed();
        assert_eq!(sdk.check(), Err(NotReady::NotInitialized));
    }
}
