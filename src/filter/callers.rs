//! Who is behind what the gateway asks itself.
//!
//! It asks by way of an internal listener of this Envoy, which stays on this worker and so in this VM, and is served like any
//! client: planned, limited, charged. On whose behalf it asks is told by a word that is in this VM's memory for as long as the call
//! is on its way, and that nobody could guess.

use super::roster::Roster;
use crate::config::Consumer;
use crate::exchange::Told;
use crate::names::RouteName;
use crate::route::Among;
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

/// The header that has the word.
pub(super) const HEADER: &str = "x-modelgate-caller";

/// Calls of calls of calls: what is asked there is answered by models alone.
const DEEPEST: u8 = 3;

/// On whose behalf something is asked.
pub(super) struct Errand {
    /// It may ask for any model: what the gateway asks is the configuration's choice.
    pub consumer: Rc<Consumer>,
    /// The id of the request that it is asked for.
    pub request_id: Vec<u8>,
    /// How many calls within calls this is.
    pub depth: u8,
    /// The route that was asked for there, where its calls answer it.
    pub route: Option<RouteName>,
    /// What is done with it.
    pub kind: Kind,
    /// Which of the models may answer it that the name that is asked for stands for.
    pub among: Among,
}

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is answered like any request, if need be by calls in their turn.
    Chat,
    /// Models alone answer it.
    Plain,
    /// Nobody answers it: it is over when its time is.
    Wait,
}

impl Errand {
    /// What may be asked on behalf of what is asked on this one: nothing about it, or there might be no end of it.
    pub fn told(&self) -> Told {
        let told = match self.kind == Kind::Plain || self.depth >= DEEPEST {
            true => Told::plain(self.route.clone()),
            false => Told::on_behalf(self.route.clone()),
        };
        told.by(self.among.clone())
    }
}

/// A call on its way.
pub(super) struct Caller(String);

thread_local! { static CALLERS: RefCell<Roster<String, Rc<Errand>>> = const { RefCell::new(Roster::new()) }; }

impl Caller {
    /// A call on this errand.
    pub fn new(errand: Errand) -> Self {
        // Both are keyed hashes, of which nobody has the key.
        let random = || RandomState::new().build_hasher().finish();
        let word = format!("{:016x}{:016x}", random(), random());
        CALLERS.with_borrow_mut(|all| all.add(word.clone(), Rc::new(errand)));
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

/// The errand of the call with this word, if there is one.
pub(super) fn find(word: &[u8]) -> Option<Rc<Errand>> {
    CALLERS.with_borrow(|all| all.find(&String::from_utf8(word.to_vec()).ok()?).cloned())
}
