//! Metrics, as Envoy keeps them: each with its labels in its name, from where `stats_tags` of Envoy's configuration take them again.
//!
//! Envoy's own names are without labels. What comes after the first `;` of ours is `label=value;label=value`; a metric's number is
//! asked for once, because Envoy gives a new one each time.

use super::abi;
use super::roster::Roster;
use crate::observe::{Kind, Labels, Metric};
use std::cell::RefCell;

/// How many series a worker tells at most: far more than models and consumers that are configured make.
const MOST: usize = 10_000;

struct Series {
    numbers: Roster<String, u32>,
    /// The name that is being put together.
    name: String,
}

thread_local! {
    static SERIES: RefCell<Series> = const { RefCell::new(Series { numbers: Roster::new(), name: String::new() }) };
}

/// Tells a number.
pub(super) fn tell(metric: &'static Metric, labels: Labels<'_>, value: u64) {
    let number = SERIES.with_borrow_mut(|series| series.number(metric, labels));
    let told = number.and_then(|number| match metric.kind {
        Kind::Counter => abi::increment_metric(number, value),
        Kind::Gauge | Kind::Histogram => abi::record_metric(number, value),
    });
    if let Err(abi::Refused(status)) = told {
        log::debug!("{} is not told: status {status}", metric.name);
    }
}

impl Series {
    fn number(&mut self, metric: &Metric, labels: Labels<'_>) -> Result<u32, abi::Refused> {
        self.name.clear();
        self.name.push_str(metric.name);
        for (label, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            for part in [";", label, "="] {
                self.name.push_str(part);
            }
            // What separates labels cannot be in one.
            self.name.extend(value.chars().map(|char| if char == ';' { '_' } else { char }));
        }
        if let Some(number) = self.numbers.find(&self.name) {
            return Ok(*number);
        }
        if self.numbers.len() >= MOST {
            return Err(abi::Refused(0));
        }
        let kind = match metric.kind {
            Kind::Counter => 0,
            Kind::Gauge => 1,
            Kind::Histogram => 2,
        };
        let number = abi::define_metric(kind, &self.name)?;
        self.numbers.add(self.name.clone(), number);
        Ok(number)
    }
}
