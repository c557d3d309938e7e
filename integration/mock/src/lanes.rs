//! What each lane has been told to do and what it has seen, in bounded memory.
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::record::Entry;

const MAX_LANES: usize = 1024;
const MAX_ENTRIES: usize = 512;
const MAX_BYTES: usize = 16 << 20;

/// All lanes.
#[derive(Default)]
pub struct Lanes {
    lanes: Mutex<HashMap<String, Lane>>,
    order: AtomicU64,
}

#[derive(Default)]
struct Lane {
    script: VecDeque<Line>,
    gate: watch::Sender<bool>,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    used: u64,
}

struct Line {
    provider: String,
    directive: Value,
}

impl Lanes {
    /// The next directive of the lane for this provider, which is then used up.
    pub fn next_directive(&self, lane: &str, provider: &str) -> Option<Value> {
        let mut lanes = self.lock();
        let script = &mut lanes.get_mut(lane)?.script;
        let at = script.iter().position(|line| line.provider == "*" || line.provider == provider)?;
        script.remove(at).map(|line| line.directive)
    }

    /// Queues directives for a lane.
    pub fn tell(&self, lane: &str, provider: &str, directives: Vec<Value>) {
        let mut lanes = self.lock();
        let lane = lane_in(&mut lanes, lane, self.order.fetch_add(1, Ordering::Relaxed));
        lane.script
            .extend(directives.into_iter().map(|directive| Line { provider: provider.into(), directive }));
    }

    /// Waits until the lane is released, or forgotten.
    pub async fn hold(&self, lane: &str) {
        let gate = self.lock().get(lane).map(|lane| lane.gate.subscribe());
        if let Some(mut gate) = gate {
            // The only error is that the lane is no more.
            let _ = gate.wait_for(|open| *open).await;
        }
    }

    /// Lets those go that are held in a lane, and all that come to it from now on.
    pub fn release(&self, lane: &str) {
        let mut lanes = self.lock();
        let order = self.order.fetch_add(1, Ordering::Relaxed);
        lane_in(&mut lanes, lane, order).gate.send_replace(true);
    }

    /// Remembers a request; the oldest are forgotten when there are too many.
    pub fn remember(&self, lane: &str, entry: impl FnOnce(u64) -> Entry) -> Arc<Entry> {
        let order = self.order.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(entry(order));
        let mut lanes = self.lock();
        let lane = lane_in(&mut lanes, lane, order);
        lane.bytes += entry.body.len();
        lane.entries.push_back(entry.clone());
        while lane.entries.len() > 1 && (lane.entries.len() > MAX_ENTRIES || lane.bytes > MAX_BYTES) {
            lane.bytes -= lane.entries.pop_front().map_or(0, |old| old.body.len());
        }
        entry
    }

    /// What the lane has seen, oldest first.
    pub fn entries(&self, lane: &str) -> Vec<Arc<Entry>> {
        self.lock().get(lane).map(|lane| lane.entries.iter().cloned().collect()).unwrap_or_default()
    }

    /// Forgets a lane, its script included.
    pub fn clear(&self, lane: &str) {
        self.lock().remove(lane);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lane_in<'a>(lanes: &'a mut HashMap<String, Lane>, name: &str, order: u64) -> &'a mut Lane {
    if !lanes.contains_key(name) {
        if lanes.len() >= MAX_LANES {
            let oldest = lanes.iter().min_by_key(|(_, lane)| lane.used).map(|(name, _)| name.clone());
            oldest.and_then(|name| lanes.remove(&name));
        }
        lanes.insert(name.to_owned(), Lane::default());
    }
    let lane = lanes.entry(name.to_owned()).or_default();
    lane.used = order;
    lane
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::tests::entry_of;

    #[test]
    fn each_directive_is_used_once_by_the_provider_it_names() {
        let lanes = Lanes::default();
        lanes.tell("x", "openai", vec![json!({"status": 503}), json!({})]);
        lanes.tell("x", "*", vec![json!({"status": 500})]);
        assert_eq!(lanes.next_directive("y", "openai"), None);
        assert_eq!(lanes.next_directive("x", "gemini"), Some(json!({"status": 500})));
        assert_eq!(lanes.next_directive("x", "gemini"), None);
        assert_eq!(lanes.next_directive("x", "openai"), Some(json!({"status": 503})));
        assert_eq!(lanes.next_directive("x", "openai"), Some(json!({})));
        assert_eq!(lanes.next_directive("x", "openai"), None);
    }

    #[test]
    fn a_lane_forgets_the_oldest_by_number_and_by_size() {
        let lanes = Lanes::default();
        for _ in 0..MAX_ENTRIES + 5 {
            lanes.remember("x", |order| entry_of(order, 10));
        }
        assert_eq!(lanes.entries("x").len(), MAX_ENTRIES);
        assert_eq!(lanes.entries("x").first().map(|e| e.order), Some(5));
        lanes.remember("x", |order| entry_of(order, MAX_BYTES));
        assert_eq!(lanes.entries("x").len(), 1);
        lanes.clear("x");
        assert!(lanes.entries("x").is_empty());
    }

    #[test]
    fn the_lane_longest_unused_makes_room() {
        let lanes = Lanes::default();
        for n in 0..=MAX_LANES {
            lanes.remember(&n.to_string(), |order| entry_of(order, 1));
        }
        assert!(lanes.entries("0").is_empty());
        assert_eq!(lanes.entries("1").len(), 1);
    }
}
