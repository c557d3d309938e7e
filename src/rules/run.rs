//! One rule at one text: its program, run over all its possible matches at the same time.
//!
//! A thread is a node of the program and where its match would begin. Of threads at the same node only the one that began first
//! is kept, since what it covers covers the others; so a character costs at most as many steps as the program has nodes. Threads
//! stay in the order in which they began, and whoever comes to a node first is the one to keep.

use crate::config::pattern::{Look, Node, Program};

/// What a step needs of memory, whichever rule and text it is for: when each node was come to last.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// By node: at which step it was looked at, and at which one a thread was put there.
    marks: Vec<(u64, u64)>,
    step: u64,
    stack: Vec<u32>,
    next: Vec<(u32, usize)>,
    /// How many nodes were looked at, for tests of how long it takes.
    #[cfg(test)]
    pub looked_at: u64,
}

impl Scratch {
    /// For programs of at most so many nodes.
    pub fn new(nodes: usize) -> Self {
        Self { marks: vec![(0, 0); nodes], ..Self::default() }
    }
}

/// Whether a program finds anything in a text.
#[must_use]
pub fn finds(program: &Program, text: &str) -> bool {
    let (mut run, mut scratch, mut found) = (Run::default(), Scratch::new(program.nodes.len()), false);
    run.push(program, &mut scratch, text, &mut |_, _| found = true);
    run.finish(program, &mut scratch, &mut |_, _| found = true);
    found
}

/// How far a rule has come in a text.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Nodes with what would match so far, in the order of where that begins.
    threads: Vec<(u32, usize)>,
    before: Option<char>,
    /// How many bytes have been read.
    at: usize,
}

impl Run {
    /// Reads more of the text, and hands over where matches begin and end, in bytes from its beginning.
    pub fn push(
        &mut self,
        program: &Program,
        scratch: &mut Scratch,
        text: &str,
        each: &mut dyn FnMut(usize, usize),
    ) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.threads.is_empty() {
                let may = |byte: &u8| program.first.get(usize::from(*byte)).copied().unwrap_or(true);
                // Only at a character's first byte, for bytes within characters are like no first one.
                let skipped = rest.bytes().position(|byte| byte & 0xC0 != 0x80 && may(&byte));
                let (over, after) =
                    rest.split_at_checked(skipped.unwrap_or(rest.len())).unwrap_or((rest, ""));
                self.before = over.chars().next_back().or(self.before);
                self.at = self.at.saturating_add(over.len());
                rest = after;
            }
            let mut characters = rest.chars();
            let Some(c) = characters.next() else { break };
            rest = characters.as_str();
            self.step(program, scratch, Some(c), each);
            self.before = Some(c);
            self.at = self.at.saturating_add(c.len_utf8());
        }
    }

    /// The text is over.
    pub fn finish(&mut self, program: &Program, scratch: &mut Scratch, each: &mut dyn FnMut(usize, usize)) {
        if !self.threads.is_empty() {
            self.step(program, scratch, None, each);
            self.threads.clear();
        }
    }

    /// Where the first match would begin that may still come of what was read.
    pub fn open(&self) -> Option<usize> {
        self.threads.first().map(|(_, start)| *start)
    }

    /// Takes every thread over the place before `c`, and over `c`.
    fn step(
        &mut self,
        program: &Program,
        scratch: &mut Scratch,
        c: Option<char>,
        each: &mut dyn FnMut(usize, usize),
    ) {
        let Scratch { marks, step, stack, next, .. } = scratch;
        *step = step.saturating_add(1);
        let seed = c.map(|_| (program.start, self.at));
        for (node, start) in self.threads.iter().copied().chain(seed) {
            stack.push(node);
            while let Some(at) = stack.pop() {
                let Some((looked, _)) = marks.get_mut(at as usize).filter(|(looked, _)| looked != step)
                else {
                    continue;
                };
                *looked = *step;
                #[cfg(test)]
                {
                    scratch.looked_at += 1;
                }
                let Some(node) = program.nodes.get(at as usize) else { continue };
                match node {
                    Node::Match => each(start, self.at),
                    Node::Split(one, other) => stack.extend([*other, *one]),
                    Node::Look(look, next) if look.holds(self.before, c) => stack.push(*next),
                    Node::Tree(_, true) if start < self.at && Look::Edge.holds(self.before, c) => {
                        each(start, self.at);
                    }
                    _ => {}
                }
                let Some(after) = c.and_then(|c| node.takes(c)) else { continue };
                if let Some((_, put)) = marks.get_mut(after as usize).filter(|(_, put)| put != step) {
                    *put = *step;
                    next.push((after, start));
                }
            }
        }
        std::mem::swap(&mut self.threads, next);
        next.clear();
    }
}
