//! Where it is counted: Envoy's shared data, its clock, and this instance of the VM.

use super::abi;
use crate::config::Config;
use crate::exchange::{Books, Memory};
use crate::quota::Holder;
use crate::store::{Conflict, Expected, Store, Version};
use crate::time::Timestamp;
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

/// How often an instance says that it is alive, in milliseconds.
pub(super) const TICK: u32 = 1_000;

/// The values under one `vm_id`, which all workers share.
struct SharedData;

impl Store for SharedData {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        abi::shared(key).ok().map(|(value, version)| (value, Version(version)))
    }

    fn set(&self, key: &str, value: &[u8], expected: Expected) -> Result<(), Conflict> {
        let version = match expected {
            // No value has this version, and where there is no value any will do.
            Expected::Absent => u32::MAX,
            Expected::Version(Version(version)) => version,
            // Envoy looks at no version then.
            Expected::Anything => 0,
        };
        abi::share(key, value, version).map_err(|_| Conflict)
    }
}

thread_local! {
    static HOLDER: RefCell<Holder> = RefCell::new(Holder::new(random()));
    static MEMORY: Memory = Memory::new(random());
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Now.
pub(super) fn now() -> Timestamp {
    at_nanos(abi::now())
}

/// This time, in nanoseconds.
pub(super) fn at_nanos(nanos: u64) -> Timestamp {
    Timestamp::from_millis(nanos / 1_000_000)
}

/// Does something with the books open.
pub(super) fn with<R>(act: impl FnOnce(Books<'_>) -> R) -> R {
    at(now(), act)
}

/// Does something with the books open, at a time that is known: asking for it is a host call.
pub(super) fn at<R>(now: Timestamp, act: impl FnOnce(Books<'_>) -> R) -> R {
    let holder = || HOLDER.with_borrow_mut(|holder| holder.id(&SharedData, now));
    MEMORY.with(|memory| act(Books { store: &SharedData, now, holder: &holder, memory }))
}

/// Takes over a configuration.
pub(super) fn adopt(config: &Config) {
    MEMORY.with(|memory| memory.adopt(config));
}

/// The targets, each with the state of its circuit: 0 where it is closed, 1 half open, 2 open.
pub(super) fn circuits(mut tell: impl FnMut(&str, u64)) {
    let now = now();
    MEMORY.with(|memory| memory.circuits(now, &mut tell));
}

/// Takes in what Envoy says of its clusters' hosts.
pub(super) fn hosts(answer: &[u8]) {
    if MEMORY.with(|memory| memory.hosts(answer, &SharedData, now())).is_err() {
        log::debug!("too many others were telling how targets are doing; Envoy is asked again soon");
    }
}

/// Says that this instance is alive, if it counts, and has this worker and the others know what each has seen.
pub(super) fn tick(counts: bool) {
    let now = now();
    if counts && HOLDER.with_borrow_mut(|holder| holder.beat(&SharedData, now)).is_err() {
        log::warn!(
            "too many others were counting to say that this worker is alive; it is tried again in a second"
        );
    }
    if MEMORY.with(|memory| memory.tick(&SharedData, now)).is_err() {
        log::debug!("too many others were telling how targets are doing; it is tried again in a second");
    }
}
