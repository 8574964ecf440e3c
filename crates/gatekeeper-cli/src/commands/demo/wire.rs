//! A relay on loopback that notes what goes over the wire between a client and a test server.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// One message: its first line, its headers, its body.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) start: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) request: Message,
    pub(super) answer: Message,
}

/// The relay. Its threads end with the program or with their connections.
#[derive(Debug)]
pub(super) struct Wire {
    addr: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Wire {
    /// Relays to `server`.
    pub(super) fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let exchanges = Arc::new(Mutex::default());
        let log = Arc::clone(&exchanges);
        thread::Builder::new().name("wire".into()).spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                // A connection without a thread of its own is dropped, and its client told by that.
                drop(thread::Builder::new().spawn(move || drop(relay(client, server, &log))));
            }
        })?;
        Ok(Self { addr, exchanges })
    }

    /// Where clients connect to.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What has been exchanged since this was last asked.
    pub(super) fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *lock(&self.exchanges))
    }
}

fn relay(mut client: TcpStream, server: SocketAddr, log: &Mutex<Vec<Exchange>>) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    loop {
        let (request, bytes) = read(&mut client)?;
        server.write_all(&bytes)?;
        let (answer, bytes) = read(&mut server)?;
        // Noted before the client can see the answer, so that it is there for whoever acts on it.
        lock(log).push(Exchange { request, answer });
        client.write_all(&bytes)?;
    }
}

/// Reads one message. Both ends are this program's own, and delimit bodies by their length.
fn read(stream: &mut TcpStream) -> io::Result<(Message, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(message) = parse(&bytes) {
            return Ok((message, bytes));
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend(buffer.get(..n).unwrap_or_default()),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Message> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?);
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let body = bytes.get(end + 4..)?.get(..length.unwrap_or(0))?.to_vec();
    Some(Message { start, headers, body })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Message {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Exchange {
    /// Method, path and status.
    pub(super) fn summary(&self) -> (&str, &str, u16) {
        let mut request = self.request.start.split(' ');
        let method = request.next().unwrap_or_default();
        let path = request.next().and_then(|target| target.split('?').next()).unwrap_or_default();
        let status = self.answer.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        (method, path, status.unwrap_or_default())
    }
}
