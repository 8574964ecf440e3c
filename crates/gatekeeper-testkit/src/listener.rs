//! The listening socket, which can go away and come back, and the threads of its connections.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use crate::connection;
use crate::fault::ConnectionFault;
use crate::request::RequestReader;
use crate::socket::{HoldBack, Wire};
use crate::state::State;

/// How long a port that has been given up is asked for again.
const REBIND_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries of something that the system refused.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// How long to wait for the accepting thread before it is woken again.
const WAKE_AGAIN: Duration = Duration::from_millis(100);
/// Stack of a connection's thread; nothing here recurses.
const STACK: usize = 256 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Up,
    Down,
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Up,
    Down,
    /// The port could not be had again.
    Failed(io::ErrorKind),
}

/// Controls the accepting thread from outside.
pub(crate) struct Listener {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

struct Shared {
    mode: Mutex<(Wanted, Is)>,
    changed: Condvar,
    /// Sockets of the open connections.
    sockets: Mutex<HashMap<u64, Arc<TcpStream>>>,
}

impl Shared {
    fn mode(&self) -> MutexGuard<'_, (Wanted, Is)> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sockets(&self) -> MutexGuard<'_, HashMap<u64, Arc<TcpStream>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, is: Is) {
        self.mode().1 = is;
        self.changed.notify_all();
    }

    fn shut_all(&self) {
        for socket in self.sockets().values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Listener {
    pub(crate) fn start(addr: SocketAddr, state: Arc<State>, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            mode: Mutex::new((Wanted::Up, Is::Up)),
            changed: Condvar::new(),
            sockets: Mutex::default(),
        });
        let accepting = Accepting { addr, shared: Arc::clone(&shared), state, tls, threads: Vec::new(), accepted: 0 };
        let accepting =
            thread::Builder::new().name("testkit-accept".to_owned()).spawn(move || accepting.run(listener))?;
        Ok(Self { addr, shared, accepting: Some(accepting) })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listening socket, so that connecting is refused; returns once it is closed.
    pub(crate) fn down(&self) {
        self.shared.mode().0 = Wanted::Down;
        loop {
            self.wake();
            let listening = |mode: &mut (Wanted, Is)| mode.0 == Wanted::Down && mode.1 == Is::Up;
            let (mode, _) = self
                .shared
                .changed
                .wait_timeout_while(self.shared.mode(), WAKE_AGAIN, listening)
                .unwrap_or_else(PoisonError::into_inner);
            if mode.1 != Is::Up || mode.0 != Wanted::Down {
                return;
            }
        }
    }

    /// Listens again on the same port; returns once it does.
    pub(crate) fn up(&self) -> io::Result<()> {
        let mut mode = self.shared.mode();
        mode.0 = Wanted::Up;
        if mode.1 != Is::Up {
            mode.1 = Is::Down;
        }
        self.shared.changed.notify_all();
        let mode = self
            .shared
            .changed
            .wait_while(mode, |mode| mode.0 == Wanted::Up && mode.1 == Is::Down)
            .unwrap_or_else(PoisonError::into_inner);
        match mode.1 {
            Is::Failed(kind) => Err(kind.into()),
            _ => Ok(()),
        }
    }

    /// Ends all open connections, as the death of the process would.
    pub(crate) fn close_connections(&self) {
        self.shared.shut_all();
    }

    /// Makes the accepting thread look at what is wanted. May fail, where the process is short of
    /// file descriptors.
    fn wake(&self) {
        let _ = TcpStream::connect_timeout(&self.addr, WAKE_AGAIN);
    }
}

impl Drop for Listener {
    /// Ends all threads. The server's `Stop` must have been set before.
    fn drop(&mut self) {
        self.shared.mode().0 = Wanted::Ended;
        self.shared.changed.notify_all();
        self.shared.shut_all();
        let is_running = |thread: &JoinHandle<_>| !thread.is_finished();
        while self.accepting.as_ref().is_some_and(is_running) {
            self.wake();
            thread::sleep(Duration::from_millis(1));
        }
        if let Some(Ok(threads)) = self.accepting.take().map(JoinHandle::join) {
            // Those accepted meanwhile.
            self.shared.shut_all();
            for thread in threads {
                let _ = thread.join();
            }
        }
    }
}

struct Accepting {
    addr: SocketAddr,
    shared: Arc<Shared>,
    state: Arc<State>,
    tls: Option<Arc<ServerConfig>>,
    threads: Vec<JoinHandle<()>>,
    accepted: u64,
}

impl Accepting {
    fn run(mut self, mut listener: TcpListener) -> Vec<JoinHandle<()>> {
        loop {
            let accepted = listener.accept();
            let wanted = self.shared.mode().0;
            match (wanted, accepted) {
                (Wanted::Ended, _) => return self.threads,
                (Wanted::Down, _) => {
                    drop(listener);
                    self.shared.report(Is::Down);
                    match self.reopen() {
                        Some(again) => listener = again,
                        None => return self.threads,
                    }
                }
                (Wanted::Up, Ok((stream, peer))) => self.admit(stream, peer),
                // Out of file descriptors, or a client that was gone before it was accepted.
                (Wanted::Up, Err(_)) => {
                    self.state.stop.sleep(RETRY_PAUSE);
                }
            }
        }
    }

    /// Waits until the server is to be up and listens again; `None` if it is to end.
    fn reopen(&self) -> Option<TcpListener> {
        loop {
            let mode = self.shared.mode();
            let waiting = |mode: &mut (Wanted, Is)| match mode.0 {
                Wanted::Ended => false,
                Wanted::Down => true,
                Wanted::Up => mode.1 != Is::Down,
            };
            let mode = self.shared.changed.wait_while(mode, waiting).unwrap_or_else(PoisonError::into_inner);
            if mode.0 == Wanted::Ended {
                return None;
            }
            drop(mode);
            let patience = Instant::now() + REBIND_PATIENCE;
            let is = loop {
                match TcpListener::bind(self.addr) {
                    Ok(listener) => {
                        self.shared.report(Is::Up);
                        return Some(listener);
                    }
                    Err(e) if Instant::now() >= patience => break Is::Failed(e.kind()),
                    Err(_) if self.state.stop.sleep(RETRY_PAUSE) => return None,
                    Err(_) => {}
                }
            };
            self.shared.report(is);
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.threads.retain(|thread| !thread.is_finished());
        self.accepted += 1;
        let id = self.accepted;
        let _ = stream.set_nodelay(true);
        let stream = Arc::new(stream);
        self.shared.sockets().insert(id, Arc::clone(&stream));
        self.state.log.count(|c| c.connections += 1);

        let (shared, state, tls) = (Arc::clone(&self.shared), Arc::clone(&self.state), self.tls.clone());
        let spawned = thread::Builder::new().name(format!("testkit-{id}")).stack_size(STACK).spawn(move || {
            let _open = state.log.open();
            run_connection(&state, stream, id, peer, tls.as_ref(), &shared);
        });
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(_) => {
                self.shared.sockets().remove(&id);
            }
        }
    }
}

fn run_connection(
    state: &State,
    stream: Arc<TcpStream>,
    id: u64,
    peer: SocketAddr,
    tls: Option<&Arc<ServerConfig>>,
    shared: &Shared,
) {
    let fault = state.script.take_connection();
    if fault.is_some() {
        state.log.count(|c| c.faults += 1);
    }
    let budget = match fault {
        Some(ConnectionFault::Stall { after } | ConnectionFault::Cut { after, .. }) => Some(after),
        _ => None,
    };
    let wire = Wire::new(HoldBack::new(stream, budget), tls);
    let wire = wire.map(|mut wire| {
        let reader = RequestReader::new(id, peer);
        connection::serve(state, &mut wire, reader, fault.as_ref());
        wire
    });
    // The socket closes, by FIN or by reset, when the last handle to it goes.
    shared.sockets().remove(&id);
    drop(wire);
}
