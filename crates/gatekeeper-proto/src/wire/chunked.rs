//! The chunked transfer coding (RFC 9112 section 7.1), decoded in place.
//!
//! Sizes, line ends and trailers are checked byte by byte, so damage shows at the first byte that cannot be right.
//! Extensions and trailers are dropped: section 7.1.1 wants unknown extensions ignored, and nothing here knows any;
//! trailers must never change what was read before them (section 7.1.2).

use crate::class::Class;

/// The most bytes of extensions, and the most bytes of trailers, that are read past.
const MAX_DROPPED: usize = 8 * 1024;

/// Where in the coding the next byte stands.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    state: State,
    dropped: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    SizeStart,
    Size(u64),
    SizeBlank(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Bytes of the coding that were read.
    pub(crate) read: usize,
    /// Bytes of data that were written.
    pub(crate) written: usize,
}

/// Why the coding is broken; `at` counts from the first byte given to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) too_long: bool,
}

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self { state: State::SizeStart, dropped: 0 }
    }

    /// Whether the last chunk and the trailers have been read.
    pub(crate) fn is_finished(&self) -> bool {
        self.state == State::End
    }

    /// How many bytes of the current chunk are still to come, as far as that is known.
    pub(crate) fn announced(&self) -> u64 {
        match self.state {
            State::Data(left) => left,
            _ => 0,
        }
    }

    /// Decodes `bytes`, writing the data over its beginning. Stops behind the end of the coding.
    pub(crate) fn decode(&mut self, bytes: &mut [u8]) -> Result<Decoded, Broken> {
        let mut read = 0;
        let mut written = 0;
        while self.state != State::End {
            if let State::Data(left) = self.state {
                let available = bytes.len() - read;
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(available);
                bytes.copy_within(read..read + n, written);
                read += n;
                written += n;
                let left = left - n as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data(left) };
                if left > 0 {
                    break;
                }
            }
            let Some(&byte) = bytes.get(read) else { break };
            self.state = self.step(byte).ok_or(Broken { at: read, too_long: false })?;
            if self.dropped > MAX_DROPPED {
                return Err(Broken { at: read, too_long: true });
            }
            read += 1;
        }
        Ok(Decoded { read, written })
    }

    /// The state behind `byte`, or `None` if it cannot stand here.
    fn step(&mut self, byte: u8) -> Option<State> {
        let next = match (self.state, byte) {
            (State::SizeStart, _) => return hex(byte).map(State::Size),
            (State::Size(n) | State::Extension(n), b'\r') => return Some(State::SizeLf(n)),
            (State::Size(n) | State::SizeBlank(n), b';') => return Some(State::Extension(n)),
            (State::SizeLf(0), b'\n') | (State::TrailerLf, b'\n') => return Some(State::TrailerStart),
            (State::SizeLf(n), b'\n') => return Some(State::Data(n)),
            (State::DataCr, b'\r') => return Some(State::DataLf),
            (State::DataLf, b'\n') => return Some(State::SizeStart),
            (State::TrailerStart, b'\r') => return Some(State::EndLf),
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => return Some(State::TrailerLf),
            (State::EndLf, b'\n') => return Some(State::End),
            (State::Size(n) | State::SizeBlank(n), b' ' | b'\t') => State::SizeBlank(n),
            (State::Size(n), _) if n > 0 => return Some(State::Size(n.checked_mul(16)?.checked_add(hex(byte)?)?)),
            (State::Size(_), _) => State::Size(hex(byte)?),
            (State::Extension(n), _) if Class::TEXT.has(byte) => State::Extension(n),
            (State::TrailerStart | State::TrailerName, _) if Class::TOKEN.has(byte) => State::TrailerName,
            (State::TrailerValue, _) if Class::TEXT.has(byte) => State::TrailerValue,
            _ => return None,
        };
        // What reaches this line could go on for ever: it is counted.
        self.dropped += 1;
        Some(next)
    }
}

fn hex(b: u8) -> Option<u64> {
    (b as char).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `text` in pieces of `step` bytes: the data, or where it broke, or `None` if more is needed.
    fn decode(text: &[u8], step: usize) -> Result<Option<Vec<u8>>, usize> {
        let mut decoder = Decoder::new();
        let mut data = Vec::new();
        for (i, piece) in text.chunks(step).enumerate() {
            let mut piece = piece.to_vec();
            let done = decoder.decode(&mut piece).map_err(|b| i * step + b.at)?;
            data.extend_from_slice(&piece[..done.written]);
        }
        Ok(decoder.is_finished().then_some(data))
    }

    fn check(text: &[u8], want: Result<Option<&[u8]>, usize>) {
        let want = want.map(|data| data.map(<[u8]>::to_vec));
        for step in 1..=text.len() {
            assert_eq!(decode(text, step), want, "{:?} by {step}", text.escape_ascii().to_string());
        }
    }

    #[test]
    fn data_comes_out_whatever_the_pieces() {
        check(b"5\r\nhello\r\n0\r\n\r\n", Ok(Some(b"hello")));
        check(b"aA;x=\"y;z\"\r\n", Ok(None));
        check(b"2 ; a = b ;c\r\nhi\r\n0001\r\n!\r\n0;last\r\nA: b\r\nC:\r\n\r\n", Ok(Some(b"hi!")));
    }

    #[test]
    fn the_first_impossible_byte_is_named() {
        for (text, at) in [
            (&b"\r\n"[..], 0),
            (b"5\rX", 2),
            (b"5\nhello", 1),
            (b"5 \r\n", 2),
            (b"g\r\n", 0),
            (b"-5\r\n", 0),
            (b"0x5\r\n", 1),
            (b"5;a\x00", 3),
            (b"3\r\nabcX", 6),
            (b"3\r\nabc\rX", 7),
            (b"0\r\n Folded: x", 3),
            (b"0\r\nBad Name: x", 6),
            (b"0\r\nA: b\nC", 7),
            (b"0\r\n\rX", 4),
            (b"10000000000000000\r\n", 16),
        ] {
            check(text, Err(at));
        }
    }

    #[test]
    fn what_is_dropped_is_bounded() {
        for head in [&b"5;"[..], b"0\r\nA:", b"0\r\nA"] {
            let mut text = head.to_vec();
            text.resize(20_000, b'x');
            assert!(decode(&text, 1000).is_err());
        }
        let zeros = vec![b'0'; 20_000];
        assert!(decode(&zeros, 1000).is_err());
    }
}
