//! In which order those who may answer are tried: by the route, and by how they are doing.

use super::Books;
use super::trials::give_back;
use crate::config::Target;
use crate::health::Probe;
use std::rc::Rc;

/// The permission to try a target whose circuit is half open, until somebody takes it: what nobody has taken is given back.
pub(super) struct Permit<'a> {
    probe: Option<(Rc<str>, Probe)>,
    books: Books<'a>,
}

impl Permit<'_> {
    pub fn take(mut self) -> Option<(Rc<str>, Probe)> {
        self.probe.take()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some((target, probe)) = self.probe.take() {
            give_back(&target, probe, self.books);
        }
    }
}

/// Puts targets into the order in which they are tried. Where there is but one, it is tried however it is doing.
pub(super) fn arrange<'a>(targets: &mut Vec<Target>, books: Books<'a>) -> Permit<'a> {
    if targets.len() < 2 {
        return Permit { probe: None, books };
    }
    let names: Vec<_> = targets.iter().map(|target| target.model.name.as_str()).collect();
    let arranged = books.memory.targets.borrow_mut().arrange(books.store, &names, books.now);
    let first =
        arranged.order.first().and_then(|at| targets.get(*at)).map(|target| target.model.name.shared());
    let probe = first.zip(arranged.probe);
    *targets = arranged.order.iter().filter_map(|at| targets.get(*at).cloned()).collect();
    Permit { probe, books }
}
