//! What is noted of a request for those who watch the gateway.

use super::Meter;
use crate::config::{Kind, Named};
use crate::observe::Record;
use crate::quota::{Refusal, Standing};
use crate::route::Candidates;

/// What the name stands for that was asked for, if anything.
pub(super) fn asked(record: &Record, named: Option<Named>) {
    record.names(named.and_then(|named| match named {
        Named::Model(model) => model.listed.then(|| model.name.shared()),
        Named::Route(route) => Some(route.name.shared()),
    }));
}

/// What the name stands for that somebody may answer to.
pub(super) fn found(record: &Record, candidates: &Candidates) {
    let first = candidates.targets.first().map(|target| &target.model);
    record.names(match &candidates.route {
        Some(route) => Some(route.name.shared()),
        None => first.filter(|model| model.listed).map(|model| model.name.shared()),
    });
}

/// Who may answer, and who may not.
pub(super) fn candidates(record: &Record, candidates: &Candidates) {
    if let (Some(route), Some(arm)) = (&candidates.route, &candidates.arm) {
        record.is_in(route.name.shared(), arm.shared());
    }
    for excluded in &candidates.excluded {
        record.excludes(excluded.model.shared(), excluded.why.as_str());
    }
}

/// How limits have decided that have admitted it.
pub(super) fn admitted(record: &Record, meter: &Meter) {
    for standing in meter.standings() {
        record.limited(standing.limit.name.shared(), "admitted");
        used(record, standing);
    }
    for denied in meter.would_refuse() {
        record.limited(denied.limit.name.shared(), "observed");
    }
}

/// How limits have decided that have not.
pub(super) fn refused(record: &Record, refusal: &Refusal) {
    record.limited(refusal.denied.limit.name.shared(), "refused");
    for standing in &refusal.standings {
        used(record, standing);
    }
}

fn used(record: &Record, standing: &Standing) {
    let capacity = standing.limit.capacity().max(1);
    let left = u128::from(standing.remaining.min(capacity)) * 100 / u128::from(capacity);
    let unit = match standing.limit.kind {
        Kind::Requests(_) => "requests",
        Kind::Tokens(..) => "tokens",
        Kind::Concurrent => "concurrent",
        Kind::Usd(_) => "usd",
    };
    record.uses(standing.limit.name.shared(), unit, 100 - u8::try_from(left).unwrap_or(100));
}
