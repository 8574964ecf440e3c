//! One HTTP/1.1 request and its response, in one buffer of the caller's.
//!
//! For drivers that have a byte stream and no HTTP client: write a request into the buffer, hand it to an
//! [`Exchange`], move bytes between it and the stream, and read the response from the same buffer. It never waits; how
//! long to go on is the driver's business.

use crate::wire::http1::{Error, Progress, Receiver, Response};
use core::{fmt, mem};

/// A request on its way out, then a response on its way in.
///
/// The buffer must have room for the longer of request and response. A response needs the bytes of its head and of its
/// body, and one more unless it comes with a `Content-Length`. On drop the whole buffer is overwritten with zeros, as
/// it has held the client secret and the token.
///
/// ```
/// use gatekeeper_proto::{Exchange, http1::Progress};
///
/// let mut buf = [0; 256];
/// let request = b"POST /token HTTP/1.1\r\nhost: auth.example.com\r\ncontent-length: 0\r\n\r\n";
/// buf[..request.len()].copy_from_slice(request);
/// let mut exchange = Exchange::new(&mut buf, request.len());
///
/// // To the stream, as many bytes at a time as it takes.
/// assert_eq!(exchange.transmit(), request);
/// exchange.sent(request.len());
///
/// // From the stream, as many bytes at a time as it gives.
/// for piece in [&b"HTTP/1.1 400 Bad Request\r\ncontent-le"[..], b"ngth: 2\r\n\r\n{}"] {
///     exchange.space()[..piece.len()].copy_from_slice(piece);
///     let progress = exchange.received(piece.len())?;
///     assert_eq!(progress == Progress::Complete, piece.ends_with(b"{}"));
/// }
/// let response = exchange.response().unwrap();
/// assert_eq!((response.status, &*response.body), (400, &b"{}"[..]));
/// # Ok::<(), gatekeeper_proto::http1::Error>(())
/// ```
pub struct Exchange<'b> {
    buf: &'b mut [u8],
    request_len: usize,
    sent: usize,
    receiver: Receiver,
}

impl<'b> Exchange<'b> {
    /// An exchange whose request stands in the first `request_len` bytes of `buf`.
    pub fn new(buf: &'b mut [u8], request_len: usize) -> Self {
        let request_len = request_len.min(buf.len());
        let receiver = Receiver::new(buf.starts_with(b"HEAD "));
        Self { buf, request_len, sent: 0, receiver }
    }

    /// What is still to be sent; empty once the request is out.
    pub fn transmit(&self) -> &[u8] {
        self.buf.get(self.sent..self.request_len).unwrap_or_default()
    }

    /// Takes note that `n` bytes of [`transmit`](Self::transmit) are on their way. With the last of them the request
    /// is wiped from the buffer.
    pub fn sent(&mut self, n: usize) {
        self.sent = self.sent.saturating_add(n).min(self.request_len);
        if self.sent == self.request_len {
            self.end_request();
        }
    }

    /// Sends nothing more, because the peer takes nothing more: it may have answered early (RFC 9112 section 9.5).
    pub fn end_request(&mut self) {
        self.buf.get_mut(..self.request_len).unwrap_or_default().fill(0);
        self.sent = 0;
        self.request_len = 0;
    }

    /// Where received bytes are to be put. Empty while the request is going out and when the exchange is over.
    pub fn space(&mut self) -> &mut [u8] {
        if self.request_len > 0 { &mut [] } else { self.receiver.space(self.buf) }
    }

    /// Takes note of `n` bytes in [`space`](Self::space).
    ///
    /// # Errors
    ///
    /// [`Error`] if the response is broken or too large; the exchange is over then.
    pub fn received(&mut self, n: usize) -> Result<Progress, Error> {
        let n = if self.request_len > 0 { 0 } else { n };
        self.receiver.received(self.buf, n)
    }

    /// Takes note that the peer has closed its side of the connection, over TLS with a `close_notify`.
    ///
    /// # Errors
    ///
    /// [`Error`] if the response is not complete.
    pub fn closed(&mut self) -> Result<Progress, Error> {
        self.receiver.closed()
    }

    /// The response, once it is complete.
    pub fn response(&mut self) -> Option<Response<'_>> {
        self.receiver.response(self.buf)
    }

    /// The whole buffer back, overwritten with zeros, for the next exchange.
    pub fn into_buffer(mut self) -> &'b mut [u8] {
        self.buf.fill(0);
        mem::take(&mut self.buf)
    }

    /// How many of the received bytes belong to this response.
    pub const fn consumed(&self) -> usize {
        self.receiver.consumed()
    }

    /// Whether the connection may carry another exchange after this one.
    pub fn is_reusable(&self) -> bool {
        self.receiver.is_reusable() && !self.receiver.has_surplus()
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        // The buffer outlives the exchange, so the compiler cannot leave this store out.
        self.buf.fill(0);
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("to_send", &self.transmit().len())
            .field("consumed", &self.receiver.consumed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_whole_and_wiped() {
        let mut buf = *b"GET / HTTP/1.1\r\n\r\nrest";
        let len = buf.len();
        let exchange = Exchange::new(&mut buf, 18);
        let back = exchange.into_buffer();
        assert_eq!(back, vec![0; len]);
    }
}
