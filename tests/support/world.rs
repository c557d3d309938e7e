//! What the host keeps: the state that the filter's host calls act on, one per thread.

use super::metrics::Metrics;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// A header map; names are lower case, values any bytes, an order and duplicates are kept.
pub type Headers = Vec<(String, Vec<u8>)>;

/// The first header of a name.
pub fn header<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
}

/// Envoy's filter state of one request: common to the downstream stream and its upstream attempts.
pub type FilterState = Rc<RefCell<BTreeMap<String, Vec<u8>>>>;

/// A reply that the filter, or Envoy itself, makes up.
#[derive(Clone, Debug)]
pub struct LocalReply {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// The response code details.
    pub details: String,
}

/// A context of the VM: a root or a stream.
#[derive(Debug, Default)]
pub struct Context {
    /// The role, Envoy's `root_id`.
    pub root_id: String,
    /// The plugin's configuration, while the root is being configured.
    pub configuration: Option<Vec<u8>>,
    /// Header maps by the ABI's number, those that can be reached now: a map that has gone on cannot.
    pub maps: [Option<Headers>; 4],
    /// Request and response body, while one is at hand.
    pub bodies: [Option<Vec<u8>>; 2],
    /// What Envoy knows, by path.
    pub properties: BTreeMap<String, Vec<u8>>,
    pub filter_state: FilterState,
    /// Set by the filter, sent by Envoy after the callback.
    pub reply: Option<LocalReply>,
    /// Set by the filter: a request that it had paused goes on, after the callback.
    pub goes_on: bool,
    /// The answer to a call, while the filter is told of it.
    pub answer: Option<(Headers, Vec<u8>)>,
}

/// What the filter asks a cluster.
#[derive(Clone, Debug)]
pub struct Call {
    pub token: u32,
    pub context: u32,
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub timeout_ms: u32,
}

/// What a host call comes to: proxy-wasm's `WasmResult`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    CasMismatch = 8,
}

/// The log level of an error; those above are worse.
const ERROR: u32 = 4;

/// One worker's VM and what it shares with the others.
#[derive(Default)]
pub struct World {
    /// Nanoseconds since the epoch; only a test moves it.
    pub now: u64,
    /// Lines with their level.
    pub log: Vec<(u32, String)>,
    /// The metrics that the filter tells.
    pub metrics: Metrics,
    /// Calls that are not answered yet.
    pub calls: Vec<Call>,
    last_call: u32,
    /// Before so many of the next writes to shared data another worker writes the same value first.
    pub contention: u32,
    /// What was read of shared data and written to it, by key, since a test has looked.
    pub touched: Vec<String>,
    shared: HashMap<String, (Vec<u8>, u32)>,
    last_cas: u32,
    contexts: HashMap<u32, Context>,
    last_context: u32,
    /// The context the VM acts for.
    current: u32,
}

thread_local! { static WORLD: RefCell<World> = RefCell::default(); }

/// The world of this thread.
pub fn world<R>(look: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(look)
}

impl World {
    /// Forgets all but the contexts' numbers, which the filter remembers.
    pub fn begin_anew(&mut self) {
        self.metrics.clear();
        *self = Self {
            now: 1_700_000_000_000_000_000,
            last_context: self.last_context,
            last_call: self.last_call,
            contexts: std::mem::take(&mut self.contexts),
            metrics: std::mem::take(&mut self.metrics),
            ..Self::default()
        };
    }

    /// A new context and its number.
    pub fn open(&mut self, context: Context) -> u32 {
        self.last_context += 1;
        self.contexts.insert(self.last_context, context);
        self.last_context
    }

    pub fn close(&mut self, context: u32) {
        self.contexts.remove(&context);
    }

    /// A context; the VM acts for it from now on.
    pub fn enter(&mut self, context: u32) -> &mut Context {
        self.current = context;
        self.here()
    }

    /// Notes a call, and numbers it.
    pub fn call(&mut self, call: Call) -> u32 {
        self.last_call += 1;
        let (token, context) = (self.last_call, self.current);
        self.calls.push(Call { token, context, ..call });
        token
    }

    /// The context the VM acts for.
    pub fn here(&mut self) -> &mut Context {
        self.contexts.get_mut(&self.current).expect("a host call outside of any context")
    }

    /// The log lines of level error and above.
    pub fn errors(&self) -> Vec<&str> {
        let bad = self.log.iter().filter(|(level, _)| *level >= ERROR);
        bad.map(|(_, line)| line.as_str()).collect()
    }

    /// A value all workers share, and its version.
    pub fn shared(&self, key: &str) -> Option<(&[u8], u32)> {
        self.shared.get(key).map(|(value, cas)| (value.as_slice(), *cas))
    }

    /// The keys of all values that workers share, in order.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.shared.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// Writes if the version is still that one. Envoy: zero writes in any case, and so does any
    /// version if there is no such key.
    pub fn share(&mut self, key: &str, value: &[u8], cas: u32) -> Status {
        if self.contention > 0
            && let Some((other, _)) = self.shared.get(key).cloned()
        {
            self.contention -= 1;
            self.write(key, other);
        }
        match self.shared.get(key) {
            Some((_, now)) if cas != 0 && cas != *now => Status::CasMismatch,
            _ => {
                self.write(key, value.to_vec());
                Status::Ok
            }
        }
    }

    fn write(&mut self, key: &str, value: Vec<u8>) {
        self.last_cas += 1;
        self.shared.insert(key.to_string(), (value, self.last_cas));
    }
}

/// Envoy's `Buffer::copyFrom`: prepend, append or replace the whole; nothing between.
pub fn write_buffer(buffer: Option<&mut Vec<u8>>, start: usize, length: usize, data: &[u8]) -> Status {
    let Some(buffer) = buffer else { return Status::BadArgument };
    if start == 0 && length == 0 {
        buffer.splice(..0, data.iter().copied());
    } else if start == 0 && length >= buffer.len() {
        *buffer = data.to_vec();
    } else if start > 0 && start >= buffer.len() {
        buffer.extend_from_slice(data);
    } else {
        return Status::BadArgument;
    }
    Status::Ok
}
