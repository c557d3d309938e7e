//! Where it is counted: Envoy's shared data, its clock, and this instance of the VM.

use super::abi;
use crate::exchange::Books;
use crate::quota::{Holder, Unsettled};
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
    static HOLDER: RefCell<Holder> = RefCell::new(Holder::new(RandomState::new().build_hasher().finish()));
    static UNSETTLED: RefCell<Vec<Unsettled>> = const { RefCell::new(Vec::new()) };
}

/// Now.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(abi::now() / 1_000_000)
}

/// Does something with the books open.
pub(super) fn with<R>(act: impl FnOnce(Books<'_>) -> R) -> R {
    let now = now();
    let holder = || HOLDER.with_borrow_mut(|holder| holder.id(&SharedData, now));
    UNSETTLED.with(|unsettled| act(Books { store: &SharedData, now, holder: &holder, unsettled }))
}

/// Says that this instance is alive, and tries again what could not be written.
pub(super) fn tick() {
    let now = now();
    if HOLDER.with_borrow_mut(|holder| holder.beat(&SharedData, now)).is_err() {
        log::warn!(
            "too many others were counting to say that this worker is alive; it is tried again in a second"
        );
    }
    let unsettled = UNSETTLED.take();
    let left = unsettled.into_iter().filter_map(|unsettled| unsettled.retry(&SharedData, now).err());
    UNSETTLED.with_borrow_mut(|all| all.extend(left));
}
