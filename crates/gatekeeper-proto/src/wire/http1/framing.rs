//! How the end of a body is found (RFC 9112 section 6.3).

use super::ErrorKind;
use super::head::{Headers, StatusLine, Version};

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

/// Decides by status and fields. A response without a body by its nature has none whatever its fields say; any other
/// contradiction is refused, because the two ends of the connection may read it differently.
pub(super) fn of(line: StatusLine, headers: Headers<'_>, answers_head: bool) -> Result<Framing, ErrorKind> {
    let bodyless = answers_head || matches!(line.status, 204 | 304);
    let mut length = None;
    let mut coded = false;
    let mut chunked = false;
    let mut close = false;
    let mut keep_alive = false;
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("connection") {
            close |= list(value).any(|option| option.eq_ignore_ascii_case(b"close"));
            keep_alive |= list(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        } else if bodyless {
            continue;
        } else if name.eq_ignore_ascii_case("content-length") {
            // A repeated length may pass as one if it is the same (section 6.3 item 5).
            for number in list(value) {
                let number = content_length(number).ok_or(ErrorKind::ContentLength)?;
                if length.is_some_and(|other| other != number) {
                    return Err(ErrorKind::ContentLength);
                }
                length = Some(number);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            coded = true;
            for coding in list(value).filter(|coding| !coding.is_empty()) {
                if chunked || !coding.eq_ignore_ascii_case(b"chunked") {
                    return Err(ErrorKind::TransferEncoding);
                }
                chunked = true;
            }
        }
    }
    let body = match (coded, length) {
        _ if bodyless => Body::None,
        (true, Some(_)) => return Err(ErrorKind::Framing),
        (true, None) if line.version == Version::Http10 => return Err(ErrorKind::Framing),
        (true, None) if !chunked => return Err(ErrorKind::TransferEncoding),
        (true, None) => Body::Chunked,
        (false, Some(length)) => Body::Length(length),
        (false, None) => Body::UntilClose,
    };
    let persistent = !close && (line.version == Version::Http11 || keep_alive) && body != Body::UntilClose;
    Ok(Framing { body, persistent })
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
