//! `Basic` credentials (RFC 7617), written in pieces so that no buffer holds the plain id and secret.

use super::form::{self, Space};
use crate::class::Class;
use crate::out::Writer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes encoded at a time: a multiple of 3, so only the last block is padded.
const BLOCK: usize = 48;

/// Appends `Basic ` and the base64 text of `id:secret`, id and secret form-encoded first if `form` says how.
pub(crate) fn write(id: &str, secret: &str, form: Option<Space>, out: &mut Writer<'_>) {
    out.push(b"Basic ");
    let mut blocks = Blocks { out, block: [0; BLOCK], len: 0 };
    blocks.push_text(id, form);
    blocks.push(b":");
    blocks.push_text(secret, form);
    blocks.flush();
    blocks.block.fill(0);
}

struct Blocks<'w, 'b> {
    out: &'w mut Writer<'b>,
    block: [u8; BLOCK],
    len: usize,
}

impl Blocks<'_, '_> {
    fn push_text(&mut self, text: &str, form: Option<Space>) {
        let Some(space) = form else {
            self.push(text.as_bytes());
            return;
        };
        for &b in text.as_bytes() {
            match b {
                b' ' if space == Space::Plus => self.push(b"+"),
                _ if Class::FORM.has(b) => self.push(&[b]),
                _ => self.push(&form::escape(b)),
            }
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.len == BLOCK {
                self.flush();
            }
            let n = bytes.len().min(BLOCK - self.len);
            let (now, later) = bytes.split_at(n);
            if let Some(room) = self.block.get_mut(self.len..self.len + n) {
                room.copy_from_slice(now);
            }
            self.len += n;
            bytes = later;
        }
    }

    fn flush(&mut self) {
        let mut text = [0; BLOCK / 3 * 4];
        let block = self.block.get(..self.len).unwrap_or(&[]);
        // The text of a whole block fits by construction, so the error cannot occur.
        let n = STANDARD.encode_slice(block, &mut text).unwrap_or(0);
        self.out.push(text.get(..n).unwrap_or(&[]));
        text.fill(0);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(id: &str, secret: &str, form: Option<Space>) -> String {
        let mut buf = [0; 2048];
        let mut w = Writer::new(&mut buf);
        write(id, secret, form, &mut w);
        let n = w.finish().unwrap();
        String::from_utf8(buf[..n].to_vec()).unwrap()
    }

    #[test]
    fn every_length_agrees_with_encoding_in_one_piece() {
        for n in 0..130 {
            let secret = "x".repeat(n);
            let whole = STANDARD.encode(format!("id:{secret}"));
            assert_eq!(written("id", &secret, None), format!("Basic {whole}"), "{n}");
        }
    }

    #[test]
    fn forms() {
        // RFC 6749 appendix B's text as the secret, with both ways to write a space.
        let decode = |s: String| String::from_utf8(STANDARD.decode(&s["Basic ".len()..]).unwrap()).unwrap();
        assert_eq!(decode(written("a b", " %&+£€", Some(Space::Plus))), "a+b:+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(decode(written("a b", "+", Some(Space::Percent))), "a%20b:%2B");
        assert_eq!(decode(written("a b", " %&+", None)), "a b: %&+");
    }
}
