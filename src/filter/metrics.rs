//! Metrics, as Envoy keeps them: each with its labels in its name, from where `stats_tags` of Envoy's configuration take them again.
//!
//! Envoy's own names are without labels. What comes after the first `;` of ours is `label=value;label=value`; a metric's number is
//! asked for once, because Envoy gives a new one each time. A dozen are told of each request, so a name is put together only then, and
//! the number found by a hash afterwards.

use super::abi;
use super::roster::Roster;
use crate::fnv;
use crate::observe::{Kind, Labels, Metric};
use std::cell::RefCell;

/// How many series a worker tells at most: far more than models and consumers that are configured make.
const MOST: usize = 10_000;

thread_local! {
    static NUMBERS: RefCell<Roster<u64, u32>> = const { RefCell::new(Roster::new()) };
}

/// Tells a number.
pub(super) fn tell(metric: &'static Metric, labels: Labels<'_>, value: u64) {
    let number = NUMBERS.with_borrow_mut(|numbers| number(numbers, metric, labels));
    let told = number.and_then(|number| match metric.kind {
        Kind::Counter => abi::increment_metric(number, value),
        Kind::Gauge | Kind::Histogram => abi::record_metric(number, value),
    });
    if let Err(abi::Refused(status)) = told {
        log::debug!("{} is not told: status {status}", metric.name);
    }
}

fn number(
    numbers: &mut Roster<u64, u32>,
    metric: &'static Metric,
    labels: Labels<'_>,
) -> Result<u32, abi::Refused> {
    let hash = hash(metric, labels);
    if let Some(number) = numbers.find(&hash) {
        return Ok(*number);
    }
    if numbers.len() >= MOST {
        return Err(abi::Refused(0));
    }
    let kind = match metric.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 2,
    };
    let number = abi::define_metric(kind, &name(metric, labels))?;
    numbers.add(hash, number);
    Ok(number)
}

/// What a series is found by: its names by where they are, its values by what they say.
///
/// Two series of one hash would be told as one. Nobody outside can bring that about: a value is a word of the code or a name of the
/// configuration. That it happens by itself, with as many as there may be, is one chance in 300 billion.
fn hash(metric: &'static Metric, labels: Labels<'_>) -> u64 {
    let hash = fnv::join(fnv::START, std::ptr::from_ref(metric).addr() as u64);
    // No address is as small as a byte, so a value ends where the next label begins.
    labels.iter().fold(hash, |hash, (label, value)| {
        fnv::extend(fnv::join(hash, label.as_ptr().addr() as u64), value.as_bytes())
    })
}

fn name(metric: &Metric, labels: Labels<'_>) -> String {
    let mut name = metric.name.to_owned();
    for (label, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        for part in [";", label, "="] {
            name.push_str(part);
        }
        // What separates labels cannot be in one.
        name.extend(value.chars().map(|char| if char == ';' { '_' } else { char }));
    }
    name
}
