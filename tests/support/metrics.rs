//! The metrics that the host keeps.

use super::world::Status;
use std::collections::BTreeMap;

/// What was told, by name: a counter's sum, a gauge's last number, all of a histogram's.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Each definition's kind and name; Envoy gives a new number for a name that is defined again.
    defined: Vec<(u32, String)>,
    told: BTreeMap<String, Vec<u64>>,
}

const COUNTER: u32 = 0;
const HISTOGRAM: u32 = 2;

impl Metrics {
    pub fn define(&mut self, kind: u32, name: String) -> u32 {
        self.defined.push((kind, name));
        self.defined.len() as u32 - 1
    }

    /// Forgets what was told; what was defined stays, because the filter remembers the numbers.
    pub fn clear(&mut self) {
        self.told.clear();
    }

    pub fn increment(&mut self, metric: u32, by: i64) -> Status {
        match self.defined.get(metric as usize) {
            Some((COUNTER, name)) if by > 0 => {
                let told = self.told.entry(name.clone()).or_default();
                *told = vec![told.iter().sum::<u64>() + by as u64];
                Status::Ok
            }
            _ => Status::BadArgument,
        }
    }

    pub fn record(&mut self, metric: u32, value: u64) -> Status {
        match self.defined.get(metric as usize) {
            Some((COUNTER, _)) | None => return Status::BadArgument,
            Some((HISTOGRAM, name)) => self.told.entry(name.clone()).or_default().push(value),
            Some((_, name)) => _ = self.told.insert(name.clone(), vec![value]),
        }
        Status::Ok
    }

    /// What was told of a metric: its labels as `name=value` with `;` between, and the numbers.
    pub fn of(&self, name: &str) -> Vec<(String, Vec<u64>)> {
        let all = self.told.iter().filter_map(|(full, told)| {
            let (metric, labels) = full.split_once(';').unwrap_or((full, ""));
            (metric == name).then(|| (labels.to_owned(), told.clone()))
        });
        all.collect()
    }
}
