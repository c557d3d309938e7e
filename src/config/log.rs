//! What the access log is told of prompts and answers: nothing, unless the document says so, and never without what is redacted of it.
//!
//! Every content rule of the document is one for the log, whoever and whichever direction it is for, and also what one denies is only
//! taken out. What looks like a credential is taken out in any case, and so are the keys of the providers.

use super::catalog::Catalog;
use super::check::{Check, within};
use super::pattern::Builder;
use super::{ContentRule, Key, raw};
use crate::names::RuleName;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// How much of a text may be told, in bytes. Envoy keeps it until the line is written.
const BYTES: RangeInclusive<u64> = 16..=65_536;
/// How much is told where nothing is said of that.
const DEFAULT: u64 = 4_096;
/// A shorter key of a provider's is a word that may be said.
const SHORTEST_KEY: usize = 8;
/// A longer one cannot be looked for.
const LONGEST_KEY: usize = 1_000;

/// What looks like a credential: keys as vendors begin them, tokens, private keys, and what is called a password.
const CREDENTIALS: [&str; 5] = [
    r"\b(sk|pk|rk|hf|gsk|xai|csk|fw|tgp|gh[opsu]|github|glpat|xox[abps]|npm|pypi)[-_][\w-]{8,}",
    r"\b(AIza|AKIA|ASIA|eyJ)[\w-]{12,}(\.[\w-]*)*",
    r"(?i)\bbearer\s+[\w.~+/=-]{8,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*-----)?",
    r#"(?i)(password|passwd|secret|token|api[-_ ]?key)["']?\s*[:=]\s*["']?[^\s"',;]{4,}"#,
];

/// What the access log is told of prompts and answers.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Whether what was asked is told.
    pub prompt: bool,
    /// Whether what was answered is told.
    pub answer: bool,
    /// How much of each at most, in bytes.
    pub max_bytes: usize,
    /// What is taken out of it; empty where nothing is told.
    pub rules: Vec<Rc<ContentRule>>,
}

impl Check<'_> {
    pub(super) fn log(&mut self, catalog: &Catalog, rules: &[Rc<ContentRule>], raw: &raw::Log) -> Log {
        let max_bytes = raw.max_bytes.unwrap_or(DEFAULT);
        if !BYTES.contains(&max_bytes) {
            self.problems.add("log.max_bytes", max_bytes.to_string(), within(&BYTES));
        }
        let mut log = Log { prompt: raw.prompt, answer: raw.answer, ..Log::default() };
        if log.prompt || log.answer {
            log.max_bytes = usize::try_from(max_bytes).unwrap_or_default();
            log.rules.extend(credentials(catalog));
            log.rules.extend_from_slice(rules);
        }
        log
    }
}

fn credentials(catalog: &Catalog) -> Option<Rc<ContentRule>> {
    let mut builder = Builder::default();
    for pattern in CREDENTIALS {
        builder.pattern(pattern).ok()?;
    }
    for offer in catalog.offers.values() {
        if let Key::Secret(key) = &offer.provider.key
            && (SHORTEST_KEY..=LONGEST_KEY).contains(&key.expose().len())
        {
            builder.keyword(key.expose()).ok()?;
        }
    }
    let name = RuleName::parse("credentials").ok()?;
    Some(Rc::new(ContentRule::of_log(name, builder.build()?)))
}
