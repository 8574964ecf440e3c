//! The types of settings, and how each is read from text.

use crate::secret::SecretString;
use gatekeeper_proto::{BasicEncoding, BrandKeyPlace};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How a client authenticates to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthMethod {
    /// `Authorization: Basic`.
    Basic,
    /// Id and secret in the form.
    Post,
    /// No secret; the id in the form if there is one.
    None,
}

/// A length of time, written as `5s`, `500ms`, `2m`, `1h`, `1.5s` or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

/// A list of texts. In a file it is an array, or one string; in a variable, words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

/// Extra parameters by name, in their order. In a file they are a table of strings; in a variable, lines `NAME=VALUE`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<(String, String)>);

/// What can be read from the text of an environment variable.
pub(super) trait FromText: Sized {
    /// Whether the text must not be shown and may not be empty.
    const SECRET: bool = false;

    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no_time = || format!("`{text}` is no time: write 5s, 500ms or 2m");
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let millis = match unit {
            "ms" => 1.0,
            "" | "s" => 1000.0,
            "m" | "min" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return Err(no_time()),
        };
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(no_time)?;
        let seconds = number * millis / 1000.0;
        if seconds > 31_622_400.0 {
            return Err(format!("`{text}` is more than a year"));
        }
        Ok(Self(Duration::from_millis((seconds * 1000.0).round() as u64)))
    }
}

impl FromStr for Parameters {
    type Err = String;

    /// Reads lines of `NAME=VALUE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let one = |line: &str| {
            let (name, value) = line.split_once('=').filter(|(name, _)| !name.is_empty())?;
            Some((name.to_owned(), value.to_owned()))
        };
        let all = text.lines().filter(|line| !line.is_empty()).map(one).collect::<Option<_>>();
        all.map(Self).ok_or_else(|| "a parameter is written NAME=VALUE".to_owned())
    }
}

impl fmt::Debug for Parameters {
    /// Names alone: a value may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Reads from text what is a word in a file.
fn word<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    let deserializer: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|e| e.to_string())
}

macro_rules! from_word {
    ($($type:ty),+) => { $(
        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                word(text)
            }
        }
    )+ };
}

from_word!(String, PathBuf, BasicEncoding, BrandKeyPlace, ClientAuthMethod);

impl FromText for SecretString {
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

impl FromText for HumanDuration {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl FromText for Parameters {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl FromText for Texts {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        }
    }
}

impl<'de> Deserialize<'de> for SecretString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes text and nothing else. The usual complaint about another type would show the value.
        struct Text;

        macro_rules! refuse {
            ($($visit:ident: $type:ty),+) => { $(
                fn $visit<E: Error>(self, _: $type) -> Result<SecretString, E> {
                    Err(E::custom("a secret is a string"))
                }
            )+ };
        }

        impl Visitor<'_> for Text {
            type Value = SecretString;

            refuse!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_char: char,
                visit_bytes: &[u8]);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecretString, E> {
                Ok(SecretString::new(text))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<SecretString, E> {
                Ok(SecretString::new(text))
            }
        }
        deserializer.deserialize_string(Text)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Time;

        impl Visitor<'_> for Time {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as \"5s\" or a number of seconds")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HumanDuration, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<HumanDuration, E> {
                self.visit_str(&seconds.to_string())
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<HumanDuration, E> {
                self.visit_str(&seconds.to_string())
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<HumanDuration, E> {
                self.visit_str(&seconds.to_string())
            }
        }
        deserializer.deserialize_any(Time)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(List)
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut parameters = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    // As a secret, so that no complaint shows it.
                    let value = map
                        .next_value::<SecretString>()
                        .map_err(|_| A::Error::custom(format!("the value of the parameter {name} is not a string")))?;
                    parameters.push((name, value.expose().to_owned()));
                }
                Ok(Parameters(parameters))
            }
        }
        deserializer.deserialize_map(Table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, millis) in [
            ("5s", 5000),
            ("500ms", 500),
            ("30", 30_000),
            ("1.5", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0.25s", 250),
            ("0", 0),
        ] {
            assert_eq!(text.parse::<HumanDuration>(), Ok(HumanDuration(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "s", "-1", "+1", "1e3", "5 s", "1d", "inf", "nan", "1.2.3", "400h99", "9000h"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }
}
