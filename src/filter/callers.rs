//! Who is behind what the gateway asks itself.
//!
//! It asks by way of an internal listener of this Envoy, which stays on this worker and so in this VM, and is served like any
//! client: planned, limited, charged. Whom it asks for is told by a word that is in this VM's memory for as long as the call
//! is on its way, and that nobody could guess.

use super::roster::Roster;
use crate::config::Consumer;
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

/// The header that has the word.
pub(super) const HEADER: &str = "x-modelgate-caller";

/// A call on its way.
pub(super) struct Caller(String);

thread_local! { static CALLERS: RefCell<Roster<String, Rc<Consumer>>> = const { RefCell::new(Roster::new()) }; }

impl Caller {
    /// A call on behalf of this consumer. What the gateway asks is the configuration's choice, so any model may be asked.
    pub fn new(consumer: &Consumer) -> Self {
        // Both are keyed hashes, of which nobody has the key.
        let random = || RandomState::new().build_hasher().finish();
        let word = format!("{:016x}{:016x}", random(), random());
        CALLERS.with_borrow_mut(|all| all.add(word.clone(), Rc::new(consumer.asking_for_any())));
        Self(word)
    }

    /// The word.
    pub fn word(&self) -> &str {
        &self.0
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        CALLERS.with_borrow_mut(|all| all.remove(&self.0));
    }
}

/// The consumer behind the call with this word, if there is one.
pub(super) fn find(word: &[u8]) -> Option<Rc<Consumer>> {
    CALLERS.with_borrow(|all| all.find(&String::from_utf8(word.to_vec()).ok()?).cloned())
}
