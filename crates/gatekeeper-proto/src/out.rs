//! A bounded writer into the caller's buffer that knows how much room was needed.

use core::fmt;

/// The caller's buffer was too small; nothing in it is meant to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferTooSmall {
    /// The exact size in bytes with which the same call succeeds.
    pub needed: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer is too small: {} bytes are needed", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}

/// Appends to a slice and goes on counting past its end.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Bytes written, including those for which there was no room.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.buf.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    #[inline]
    pub(crate) fn push_str(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    #[inline]
    pub(crate) fn push_byte(&mut self, byte: u8) {
        if let Some(room) = self.buf.get_mut(self.len) {
            *room = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    pub(crate) fn push_decimal(&mut self, n: u64) {
        self.push(decimal(n, &mut [0; 20]));
    }

    /// Puts `bytes` in at `at`, moving what follows.
    pub(crate) fn insert(&mut self, at: usize, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if end <= self.buf.len() && at <= self.len {
            self.buf.copy_within(at..self.len, at + bytes.len());
            if let Some(room) = self.buf.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
        }
        self.len = end;
    }

    /// The number of bytes written, if all of them fitted.
    pub(crate) fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.len <= self.buf.len() { Ok(self.len) } else { Err(BufferTooSmall { needed: self.len }) }
    }
}

/// `n` in decimal, without the formatting machinery that a microcontroller should not have to carry.
pub(crate) fn decimal(mut n: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    for d in digits.iter_mut().rev() {
        *d = b'0' + (n % 10) as u8;
        n /= 10;
        at -= 1;
        if n == 0 {
            break;
        }
    }
    digits.get(at..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_past_the_end_and_reports_the_need() {
        let mut buf = [0; 4];
        let mut w = Writer::new(&mut buf);
        w.push(b"abc");
        w.push(b"def");
        w.push_byte(b'!');
        assert_eq!(w.finish(), Err(BufferTooSmall { needed: 7 }));
        let mut buf = [0; 7];
        let mut w = Writer::new(&mut buf);
        w.push(b"abc");
        w.push(b"def");
        w.push_byte(b'!');
        assert_eq!(w.finish(), Ok(7));
        assert_eq!(&buf, b"abcdef!");
    }

    #[test]
    fn decimals() {
        for n in [0, 1, 9, 10, 12345, u64::MAX] {
            let mut digits = [0; 20];
            assert_eq!(decimal(n, &mut digits), n.to_string().as_bytes());
        }
    }
}
