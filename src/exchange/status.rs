//! How the gateway is doing, for those who may see it: a page for people, and the same as JSON.
//!
//! The page is one document without anything from elsewhere; it asks for the JSON every few seconds and draws it. What is counted
//! is told by all workers once a second (`observe::Board`), how targets are doing is what this worker knows of that.

use super::{Books, Reply};
use crate::auth::Denied;
use crate::chat::JSON;
use crate::config::{Config, Named};
use crate::health::{Circuit, Latency};
use crate::json::{self, Object};
use crate::money::NanoUsd;
use crate::observe::{Board, Count, Row, Section};
use crate::time::Timestamp;

/// `page.html`, compressed by the build.
const PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.html.gz"));
/// It runs its own script and style and asks nobody but this gateway, and no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// It is kept by nobody on the way.
const PRIVATE: (&str, &str) = ("cache-control", "no-store");

/// The page.
pub(super) fn page() -> Reply {
    let headers = [
        ("content-encoding", "gzip"),
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ];
    let headers = headers.into_iter().chain([PRIVATE]).map(|(name, value)| (name, value.to_owned()));
    Reply {
        content_type: "text/html; charset=utf-8",
        headers: headers.collect(),
        ..Reply::json(PAGE.to_vec())
    }
}

/// Who may not see it. A browser asks for a name and a password then.
pub(super) fn refused(denied: Denied) -> Reply {
    let mut reply = Reply::from(denied);
    for (_, value) in reply.headers.iter_mut().filter(|(name, _)| *name == "www-authenticate") {
        *value = "Basic realm=\"modelgate\", charset=\"UTF-8\"".to_owned();
    }
    reply
}

/// The same as JSON.
pub(super) fn status(config: &Config, books: Books<'_>) -> Reply {
    let board = Board::of_all(books.store);
    let mut out = Vec::with_capacity(4096);
    json::object(&mut out, |it| {
        it.string("object", "modelgate.status");
        it.string("version", env!("CARGO_PKG_VERSION"));
        it.number("now", books.now.seconds());
        it.number("since", board.since());
        list(it, "minutes", &board, Section::Minutes, |it, row| {
            let minute = row.names().next().and_then(|minute| minute.parse::<u64>().ok());
            it.number("at", minute.unwrap_or_default().saturating_mul(60));
            counts(it, row);
            times(it, row);
        });
        list(it, "models", &board, Section::Models, |it, row| {
            names(it, row, &["model"]);
            counts(it, row);
            times(it, row);
        });
        list(it, "consumers", &board, Section::Consumers, |it, row| {
            names(it, row, &["consumer"]);
            counts(it, row);
        });
        it.array("targets", |list| {
            let targets = books.memory.targets.borrow();
            for name in targets.names() {
                let view = targets.view(name, books.now);
                list.object(|it| {
                    it.string("model", name);
                    if let Some(Named::Model(model)) = config.named(name) {
                        it.string("provider", model.provider.name.as_str());
                    }
                    circuit(it, view.circuit, books.now);
                    it.number("success_percent", (view.success * 100.0) as u64);
                    latency(it, "first_token_ms", view.first_token);
                    latency(it, "answer_ms", view.total);
                });
            }
        });
        list(it, "limits", &board, Section::Limits, |it, row| {
            names(it, row, &["limit", "consumer"]);
            it.number("used_percent", row.count(Count::Requests));
            it.number("at", row.at());
        });
        list(it, "failovers", &board, Section::Failovers, |it, row| {
            names(it, row, &["from", "to", "reason"]);
            it.number("count", row.count(Count::Requests));
            it.number("at", row.at());
        });
        list(it, "cache", &board, Section::Cache, |it, row| {
            names(it, row, &["result"]);
            it.number("requests", row.count(Count::Requests));
        });
    });
    let (name, value) = PRIVATE;
    Reply { content_type: JSON, headers: vec![(name, value.to_owned())], ..Reply::json(out) }
}

/// Whether a target is asked, and how long it is not.
pub(super) fn circuit(it: &mut Object<'_>, circuit: Circuit, now: Timestamp) {
    match circuit {
        Circuit::Closed => it.string("circuit", "closed"),
        Circuit::HalfOpen { .. } => it.string("circuit", "half_open"),
        Circuit::Open { until } => {
            it.string("circuit", "open");
            it.number("open_ms", until.since(now));
        }
    }
}

fn list(it: &mut Object<'_>, name: &str, board: &Board, section: Section, say: fn(&mut Object<'_>, &Row)) {
    it.array(name, |list| {
        for row in board.rows(section) {
            list.object(|it| say(it, row));
        }
    });
}

fn names(it: &mut Object<'_>, row: &Row, parts: &[&str]) {
    for (part, name) in parts.iter().zip(row.names()) {
        it.string(part, name);
    }
}

fn counts(it: &mut Object<'_>, row: &Row) {
    for (name, what) in [
        ("requests", Count::Requests),
        ("failed", Count::Failed),
        ("tokens_in", Count::Input),
        ("tokens_out", Count::Output),
    ] {
        it.number(name, row.count(what));
    }
    it.raw("cost_usd", NanoUsd::new(row.count(Count::Cost)).to_string().as_bytes());
}

fn times(it: &mut Object<'_>, row: &Row) {
    for (name, of_hundred) in [("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99)] {
        match row.percentile(of_hundred) {
            Some(ms) => it.number(name, ms),
            None => it.null(name),
        }
    }
}

/// Nineteen of twenty take no longer.
fn latency(it: &mut Object<'_>, name: &str, latency: Option<Latency>) {
    match latency {
        Some(latency) => it.number(name, latency.late_ms as u64),
        None => it.null(name),
    }
}
