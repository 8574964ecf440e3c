//! Which faults are due, for which part of the server.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fault::{ConnectionFault, Fault};

/// A part of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// The token endpoint.
    Token,
    /// Everything else.
    Api,
}

/// The faults that a server will play: a queue of single ones per endpoint, served first, and
/// faults that hold for as long as the test says.
///
/// Clones are handles to the same script.
///
/// ```no_run
/// use gatekeeper_testkit::{Endpoint, Fault, RetryAfter, Server, System};
///
/// let server = Server::start(System::Gatekeeper).unwrap();
/// let script = server.script();
/// // The next two token requests fail, the third one works.
/// script.next(Endpoint::Token, Fault::status(503));
/// script.next(Endpoint::Token, Fault::too_many_requests(RetryAfter::Seconds(1)));
/// // The API answers 401 to everything until the guard is dropped.
/// let storm = script.hold(Endpoint::Api, Fault::unauthorized());
/// drop(storm);
/// ```
#[derive(Clone, Default)]
pub struct Script {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    next: [VecDeque<Fault>; 2],
    held: Vec<(u64, Endpoint, Fault)>,
    next_connections: VecDeque<ConnectionFault>,
    held_connections: Vec<(u64, ConnectionFault)>,
    last_id: u64,
}

impl Script {
    /// Queues a fault for one request to that endpoint.
    pub fn next(&self, endpoint: Endpoint, fault: Fault) {
        self.next_n(endpoint, 1, fault);
    }

    /// Queues a fault for `count` requests to that endpoint.
    pub fn next_n(&self, endpoint: Endpoint, count: usize, fault: Fault) {
        let queue = &mut self.lock().next[endpoint as usize];
        queue.extend(std::iter::repeat_n(fault, count));
    }

    /// Plays a fault for every request to that endpoint, as long as the guard lives. Single
    /// faults go first; of several held ones, the latest is played.
    pub fn hold(&self, endpoint: Endpoint, fault: Fault) -> Held {
        let mut inner = self.lock();
        inner.last_id += 1;
        let id = inner.last_id;
        inner.held.push((id, endpoint, fault));
        Held { script: self.clone(), id }
    }

    /// Queues a fault for one connection that has yet to be accepted.
    pub fn next_connection(&self, fault: ConnectionFault) {
        self.lock().next_connections.push_back(fault);
    }

    /// Plays a fault for every connection accepted as long as the guard lives.
    pub fn hold_connections(&self, fault: ConnectionFault) -> Held {
        let mut inner = self.lock();
        inner.last_id += 1;
        let id = inner.last_id;
        inner.held_connections.push((id, fault));
        Held { script: self.clone(), id }
    }

    /// How many single faults are still queued for that endpoint.
    pub fn remaining(&self, endpoint: Endpoint) -> usize {
        self.lock().next[endpoint as usize].len()
    }

    /// Forgets everything that is queued or held.
    pub fn clear(&self) {
        let mut inner = self.lock();
        *inner = Inner { last_id: inner.last_id, ..Inner::default() };
    }

    pub(crate) fn take(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut inner = self.lock();
        let single = inner.next[endpoint as usize].pop_front();
        single.or_else(|| {
            let mut held = inner.held.iter().rev();
            held.find(|(_, at, _)| *at == endpoint).map(|(_, _, fault)| fault.clone())
        })
    }

    pub(crate) fn take_connection(&self) -> Option<ConnectionFault> {
        let mut inner = self.lock();
        let single = inner.next_connections.pop_front();
        single.or_else(|| inner.held_connections.last().map(|(_, fault)| fault.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Script")
            .field("token", &inner.next[Endpoint::Token as usize])
            .field("api", &inner.next[Endpoint::Api as usize])
            .field("held", &inner.held)
            .field("connections", &inner.next_connections)
            .field("held_connections", &inner.held_connections)
            .finish()
    }
}

/// A fault that is active as long as this guard lives.
#[must_use = "the fault ends when this is dropped"]
pub struct Held {
    script: Script,
    id: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.script.lock();
        inner.held.retain(|(id, _, _)| *id != self.id);
        inner.held_connections.retain(|(id, _)| *id != self.id);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}
