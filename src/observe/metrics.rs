//! The metrics there are. `docs/metrics.md` tells of each, and a test compares the two.

/// How the numbers of a metric are put together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// They are added up.
    Counter,
    /// The last one holds.
    Gauge,
    /// How many were how large.
    Histogram,
}

/// A metric.
#[derive(Debug, Eq, PartialEq)]
pub struct Metric {
    /// Its name, without labels.
    pub name: &'static str,
    /// How its numbers are put together.
    pub kind: Kind,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident: $kind:ident = $text:literal;)*) => {
        $($(#[$doc])* pub static $name: Metric = Metric { name: $text, kind: Kind::$kind };)*
        /// All there are.
        pub static ALL: &[&Metric] = &[$(&$name),*];
    };
}

metrics! {
    /// Tokens of an attempt.
    TOKEN_USAGE: Histogram = "gen_ai.client.token.usage";
    /// How long requests took that were answered.
    DURATION: Histogram = "gen_ai.server.request.duration_milliseconds";
    /// How long streams took to begin.
    FIRST_TOKEN: Histogram = "gen_ai.server.time_to_first_token_milliseconds";
    /// How long each token after the first took.
    PER_TOKEN: Histogram = "gen_ai.server.time_per_output_token_microseconds";
    /// How unevenly a stream's pieces came.
    JITTER: Histogram = "modelgate.inter_token_jitter_microseconds";
    /// How long the filter worked on a request before it was answered.
    OVERHEAD: Histogram = "modelgate.overhead_microseconds";
    /// Requests that are over.
    REQUESTS: Counter = "modelgate.requests";
    /// Clients' requests, by who asked.
    CONSUMER_REQUESTS: Counter = "modelgate.consumer_requests";
    /// Requests that were answered with an error.
    ERRORS: Counter = "modelgate.errors";
    /// Tokens, by who asked.
    TOKENS: Counter = "modelgate.tokens";
    /// What that cost, in billionths of a dollar.
    COST: Counter = "modelgate.cost_nano_usd";
    /// What providers were asked.
    ATTEMPTS: Counter = "modelgate.attempts";
    /// Attempts after one that failed.
    FALLBACKS: Counter = "modelgate.fallbacks";
    /// Streams that broke after they had begun.
    BREAKS: Counter = "modelgate.stream_breaks";
    /// What the cache did.
    CACHE: Counter = "modelgate.cache";
    /// Tokens that answers from the cache saved.
    SAVED_TOKENS: Counter = "modelgate.cache_saved_tokens";
    /// What limits have decided.
    LIMITS: Counter = "modelgate.limit_decisions";
    /// How much of a limit is used.
    LIMIT_USED: Gauge = "modelgate.limit_used_percent";
    /// Models that were left out of a plan.
    EXCLUSIONS: Counter = "modelgate.plan_exclusions";
    /// Requests in the arms of an experiment.
    ARMS: Counter = "modelgate.experiment_requests";
    /// Requests that several calls have answered.
    ORCHESTRATIONS: Counter = "modelgate.orchestrations";
    /// What a judge has given to answers, of a hundred.
    JUDGED: Histogram = "modelgate.judge_score_percent";
    /// The state of a target's circuit: 0 closed, 1 half open, 2 open.
    CIRCUIT: Gauge = "modelgate.circuit_state";
}

/// The names of all labels; Envoy takes them out of a metric's name by a rule for each, in `stats_tags`.
pub static LABELS: &[&str] = &[
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_response_model",
    "gen_ai_token_type",
    "consumer",
    "tier",
    "origin",
    "outcome",
    "kind",
    "direction",
    "from",
    "to",
    "reason",
    "result",
    "limit",
    "unit",
    "decision",
    "model",
    "route",
    "arm",
    "mode",
];
