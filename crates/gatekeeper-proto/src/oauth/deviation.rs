//! In what an answer differs from the specification and is understood all the same.

use core::fmt;

macro_rules! deviations {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal, $text:literal;)+) => {
        /// A point in which an answer differs from the specification and is understood all the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Deviation { $($(#[doc = $doc])+ $name = 1 << $bit,)+ }

        impl Deviation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// A short, stable text.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

deviations! {
    /// The body began with a byte order mark (RFC 8259 section 8.1).
    ByteOrderMark = 0, "byte order mark before the JSON";
    /// The content type is not JSON.
    ContentType = 1, "content-type is not JSON";
    /// There is no content type.
    ContentTypeMissing = 2, "content-type missing";
    /// `expires_in` had a fraction, which is cut off.
    ExpiresInFraction = 3, "expires_in has a fraction";
    /// `expires_in` is missing or null, so the lifetime is unknown.
    ExpiresInMissing = 4, "expires_in missing";
    /// `expires_in` is zero or negative: expired on arrival.
    ExpiresInNotPositive = 5, "expires_in is not positive";
    /// `expires_in` was a string.
    ExpiresInString = 6, "expires_in was a string";
    /// `scope` was an array of strings.
    ScopeArray = 7, "scope was an array";
    /// `scope` breaks its grammar, by an empty string for example.
    ScopeGrammar = 8, "scope breaks its grammar";
    /// The granted scope lacks some of what was asked for (allowed by RFC 6749 section 3.3, worth knowing).
    ScopeNarrowed = 9, "scope narrowed";
    /// A success with a status other than 200.
    StatusNotOk = 10, "status is not 200";
    /// `token_type` was another word for `Bearer`.
    TokenTypeAlias = 11, "token_type is an alias of Bearer";
    /// `token_type` is missing.
    TokenTypeMissing = 12, "token_type missing";
    /// A refresh token came with client credentials (RFC 6749 section 4.4.3: it should not).
    UnexpectedRefreshToken = 13, "refresh_token with client_credentials";
}

/// A set of [`Deviation`]s.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Deviations(u16);

impl Deviations {
    /// No deviation.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Every deviation there is: the answer must be to the letter.
    pub const fn all() -> Self {
        Self(u16::MAX)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, deviation: Deviation) -> Self {
        Self(self.0 | deviation as u16)
    }

    /// This set without one.
    #[must_use]
    pub const fn without(self, deviation: Deviation) -> Self {
        Self(self.0 & !(deviation as u16))
    }

    /// Whether it is in the set.
    pub const fn contains(self, deviation: Deviation) -> bool {
        self.0 & deviation as u16 != 0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in the set.
    pub fn iter(self) -> impl Iterator<Item = Deviation> {
        let all = if self.is_empty() { &[] } else { Deviation::ALL };
        all.iter().copied().filter(move |d| self.contains(*d))
    }

    pub(crate) fn insert(&mut self, deviation: Deviation) {
        *self = self.with(deviation);
    }
}

impl fmt::Display for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, deviation) in self.iter().enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            f.write_str(deviation.text())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
