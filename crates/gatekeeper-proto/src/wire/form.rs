//! `application/x-www-form-urlencoded`, the encoding half (RFC 6749 appendix B, WHATWG URL section 5.2).
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use crate::class::Class;
use crate::out::Writer;

/// How a space is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// `+`, as HTML forms have it.
    Plus,
    /// `%20`, which also those servers decode that forget about `+`.
    Percent,
}

/// Appends `text` with everything encoded but letters, digits and `*-._`.
pub(crate) fn encode(text: &str, space: Space, out: &mut Writer<'_>) {
    let bytes = text.as_bytes();
    let mut i = 0;
    loop {
        let end = Class::FORM.run_end(bytes, i);
        out.push(&bytes[i..end]);
        if end == bytes.len() {
            return;
        }
        if bytes[end] == b' ' && space == Space::Plus {
            out.push_byte(b'+');
        } else {
            out.push(&escape(bytes[end]));
        }
        i = end + 1;
    }
}

/// What stands for one byte that is not plain.
pub(crate) const fn escape(b: u8) -> [u8; 3] {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', HEX[(b >> 4) as usize], HEX[(b & 15) as usize]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, space: Space) -> String {
        let mut buf = vec![0; text.len() * 3];
        let mut w = Writer::new(&mut buf);
        encode(text, space, &mut w);
        let n = w.finish().unwrap();
        String::from_utf8(buf[..n].to_vec()).unwrap()
    }

    #[test]
    fn appendix_b_example() {
        assert_eq!(encoded(" %&+£€", Space::Plus), "+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(encoded(" %&+£€", Space::Percent), "%20%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn agrees_with_the_url_crate_on_every_character() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        let oracle: String = url::form_urlencoded::byte_serialize(all.as_bytes()).collect();
        assert_eq!(encoded(&all, Space::Plus), oracle);
    }
}
