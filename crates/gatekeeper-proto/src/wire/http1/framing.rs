//! How the end of a body is found (RFC 9112 section 6.3), decided field by field.

use super::ErrorKind;
use super::head::Version;

/// What a head says about its body and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) body: Body,
    /// Whether the connection outlives this response (section 9.3).
    pub(super) persistent: bool,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// The fields that bear on it, as far as they have been seen.
pub(super) struct Fields {
    /// A response without a body by its nature has none whatever its fields say.
    bodyless: bool,
    length: Option<usize>,
    coded: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    pub(super) fn new(status: u16, answers_head: bool) -> Self {
        Self {
            bodyless: answers_head || matches!(status, 204 | 304),
            length: None,
            coded: false,
            chunked: false,
            close: false,
            keep_alive: false,
        }
    }

    pub(super) fn connection(&mut self, value: &[u8]) {
        self.close |= list(value).any(|option| option.eq_ignore_ascii_case(b"close"));
        self.keep_alive |= list(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
    }

    /// A repeated length may pass as one if it is the same (section 6.3 item 5).
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<(), ErrorKind> {
        if self.bodyless {
            return Ok(());
        }
        // Nearly every length is a number and no list.
        if let (Some(number), None) = (content_length(value), self.length) {
            self.length = Some(number);
            return Ok(());
        }
        for number in list(value) {
            let number = content_length(number).ok_or(ErrorKind::ContentLength)?;
            if self.length.is_some_and(|other| other != number) {
                return Err(ErrorKind::ContentLength);
            }
            self.length = Some(number);
        }
        Ok(())
    }

    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), ErrorKind> {
        if self.bodyless {
            return Ok(());
        }
        self.coded = true;
        for coding in list(value).filter(|coding| !coding.is_empty()) {
            if self.chunked || !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(ErrorKind::TransferEncoding);
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// Decides, now that all fields have been seen. A contradiction is refused, because the two ends of the connection
    /// may read it differently.
    pub(super) fn decide(&self, version: Version) -> Result<Framing, ErrorKind> {
        let body = match (self.coded, self.length) {
            _ if self.bodyless => Body::None,
            (true, Some(_)) => return Err(ErrorKind::Framing),
            (true, None) if version == Version::Http10 => return Err(ErrorKind::Framing),
            (true, None) if !self.chunked => return Err(ErrorKind::TransferEncoding),
            (true, None) => Body::Chunked,
            (false, Some(length)) => Body::Length(length),
            (false, None) => Body::UntilClose,
        };
        let persistent = !self.close && (version == Version::Http11 || self.keep_alive) && body != Body::UntilClose;
        Ok(Framing { body, persistent })
    }
}

/// The elements of a comma-separated list, without the blanks around them.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii)
}

/// `1*DIGIT` that fits; the first element of a list always exists, so an empty value is no number.
fn content_length(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    let mut n: usize = 0;
    for &b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(usize::from(b - b'0'))?;
    }
    Some(n)
}
