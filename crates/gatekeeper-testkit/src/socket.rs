//! One connection's bytes, plain or TLS, and the ways in which it can end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::fault::Ending;

/// How long an orderly close waits for the client to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// A socket that always leaves the last byte it has handed out unread in the kernel.
///
/// Closing a socket with unread bytes sends a TCP reset instead of a FIN, which is the only way to
/// reset that the standard library offers. [`release`](Self::release) reads the byte, for an orderly
/// end.
pub(crate) struct HoldBack {
    stream: Arc<TcpStream>,
    holding: bool,
    /// Bytes that may still be read, if there is a limit.
    budget: Option<usize>,
}

impl HoldBack {
    pub(crate) fn new(stream: Arc<TcpStream>, budget: Option<usize>) -> Self {
        Self { stream, holding: false, budget }
    }

    /// Whether reading failed because the limit was reached.
    pub(crate) fn is_spent(&self) -> bool {
        self.budget == Some(0)
    }

    fn release(&mut self) -> io::Result<()> {
        if self.holding {
            self.holding = false;
            (&*self.stream).read_exact(&mut [0])?;
        }
        Ok(())
    }

    /// Waits until there is an unread byte, or the client has closed.
    fn await_unread(&self) {
        if !self.holding {
            let _ = self.stream.peek(&mut [0]);
        }
    }

    /// Reads and forgets until the client closes, the connection fails, or `at_most` is over.
    fn drain(&mut self, at_most: Option<Duration>) {
        let deadline = at_most.and_then(|time| Instant::now().checked_add(time));
        let mut sink = [0; 4096];
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) || self.stream.set_read_timeout(left).is_err() {
                return;
            }
            match (&*self.stream).read(&mut sink) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl Read for HoldBack {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let limit = self.budget.unwrap_or(usize::MAX).min(into.len());
        if limit == 0 {
            return Err(io::Error::other("the script ends this connection here"));
        }
        self.release()?;
        let n = self.stream.peek(&mut into[..limit])?;
        if n > 0 {
            (&*self.stream).read_exact(&mut into[..n - 1])?;
            self.holding = true;
        }
        if let Some(budget) = &mut self.budget {
            *budget -= n;
        }
        Ok(n)
    }
}

impl Write for HoldBack {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection as HTTP sees it.
pub(crate) enum Wire {
    Plain(HoldBack),
    Tls(Box<StreamOwned<ServerConnection, HoldBack>>),
}

impl Wire {
    pub(crate) fn new(socket: HoldBack, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        Ok(match tls {
            None => Self::Plain(socket),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Self::Tls(Box::new(StreamOwned::new(connection, socket)))
            }
        })
    }

    /// Does the TLS handshake, if there is one to do.
    pub(crate) fn handshake(&mut self) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            while tls.conn.is_handshaking() {
                if tls.conn.complete_io(&mut tls.sock)? == (0, 0) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn socket(&mut self) -> &mut HoldBack {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.sock,
        }
    }

    /// Does what must precede closing the socket for it to end in that way. Failures are those of a
    /// connection that has ended already.
    pub(crate) fn prepare(&mut self, ending: Ending) {
        match ending {
            Ending::Reset => self.socket().await_unread(),
            Ending::Close | Ending::Abrupt => {
                if ending == Ending::Close {
                    self.notify_close();
                }
                let socket = self.socket();
                if socket.release().is_ok() && socket.stream.shutdown(Shutdown::Write).is_ok() {
                    socket.drain(Some(LINGER));
                }
            }
        }
    }

    /// Ends the sending side and waits for the client to end the other one.
    pub(crate) fn half_close(&mut self) {
        self.notify_close();
        let socket = self.socket();
        if socket.release().is_ok() && socket.stream.shutdown(Shutdown::Write).is_ok() {
            socket.drain(None);
        }
    }

    /// Says nothing and waits for the client to close.
    pub(crate) fn stall(&mut self) {
        let socket = self.socket();
        if socket.release().is_ok() {
            socket.drain(None);
        }
    }

    fn notify_close(&mut self) {
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
            let _ = tls.conn.write_tls(&mut tls.sock);
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            // A TLS connection that ends without `close_notify` still is one that ended.
            Self::Tls(tls) => match tls.read(into) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Wire {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(from),
            Self::Tls(tls) => tls.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
