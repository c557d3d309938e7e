//! The document as it is written: the shape of it, before any value is judged.
//!
//! Every map is declared with the keys it may have; what is read by that, and what is said where something else is there,
//! is [`shape`](super::shape)'s affair.

use super::agent::Autonomy;
use super::cache::When;
use super::cascade::By as MeasuredBy;
use super::consumer::CacheScope;
use super::content_rules::{Action, AppliesTo};
use super::edits::{Effort, Tools};
use super::ensemble::{Rule, VoteBy};
use super::experiment::By;
use super::fallback::Fallback;
#[cfg(not(target_family = "wasm"))]
use super::form::Form;
use super::limit::{Dimension, Mode, OnContention, OnExceed, Window};
use super::problems::{Problem, Problems};
use super::protobuf;
use super::quality::Language;
pub(super) use super::shape::Entries;
use super::shape::{Map, Node, Shape, choice, map};
use super::strategy::Strategy;
use super::tool::Method;
use crate::json::{Document as Json, Surrogates};

map! {
    Document: "a map with the keys providers, models, routes, …" {
        providers: Entries<Provider>,
        models: Entries<Model> = Default::default(),
        pricing: Pricing = Default::default(),
        tools: Entries<Tool> = Default::default(),
        routes: Entries<Route> = Default::default(),
        default_provider: Option<String>,
        fallback: Fallback = Default::default(),
        internal_cluster: Option<String>,
        auth: Option<Auth>,
        tiers: Entries<Tier> = Default::default(),
        consumers: Option<Entries<Consumer>>,
        limits: Vec<Limit> = Default::default(),
        content_rules: Vec<ContentRule> = Default::default(),
        log: Log = Default::default(),
        cache: Cache = Default::default(),
        tasks: Option<Entries<Task>>,
        task_model: Option<TaskModel>,
        health: Option<Health>,
        bounds: Bounds = Default::default(),
        timeouts: Timeouts = Default::default(),
    }
}

map! {
    Provider: "a provider: a map with the keys vendor, base_url, …" {
        vendor: Option<String>,
        base_url: Option<String>,
        cluster: Option<String>,
        api_key: Option<ApiKey>,
        headers: Entries<String> = Default::default(),
        allow_unlisted: bool = Default::default(),
    }
}

/// `none`, `{env: VARIABLE}` or `{value: KEY}`.
pub(super) enum ApiKey {
    None,
    Env(String),
    Value(String),
}

impl Shape for ApiKey {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match choice(node, &["none", "env", "value"], problems)? {
            (0, None) => Some(Self::None),
            (1, Some(variable)) => Some(Self::Env(variable)),
            (2, Some(key)) => Some(Self::Value(key)),
            _ => node.mistaken(problems, "none, {env: VARIABLE} or {value: KEY}"),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        let kinds = [("env", "Env"), ("value", "Value")];
        let kinds = kinds.map(|(key, name)| Form::text_under(key, name, "where a key is"));
        Form::OneOf([vec![Form::Words(vec!["none"])], kinds.to_vec()].concat())
    }
}

map! {
    Model: "a model: a map with the keys provider, model, …" {
        provider: String,
        model: Option<String>,
        aliases: Vec<String> = Default::default(),
        context_window: Option<u64>,
        max_output_tokens: Option<u64>,
        region: Option<String>,
        tags: Vec<String> = Default::default(),
        supports: Entries<bool> = Default::default(),
        price: Option<Price>,
        languages: Vec<Language> = Default::default(),
        quality: Option<Quality>,
    }
}

/// A number, or one for each of several.
pub(super) enum Quality {
    All(f64),
    By(Entries<f64>),
}

impl Shape for Quality {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match node.is_object() {
            true => Entries::read(node, problems).map(Self::By),
            false => f64::read(node, problems).map(Self::All),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::OneOf(vec![f64::form(), Entries::<f64>::form()])
    }
}

map! {
    /// In USD: for a million tokens, or for one request or image.
    Price: "a price: a map with the keys input, output, …" {
        input: f64,
        output: f64,
        cached_input: Option<f64>,
        cache_write: Option<f64>,
        reasoning: Option<f64>,
        request: Option<f64>,
        image: Option<f64>,
    }
}

map! {
    #[derive(Default)]
    Pricing: "a map with the key default" {
        default: Option<Price>,
    }
}

map! {
    Route: "a route: a map with the keys targets, strategy, …" {
        targets: Vec<Target>,
        strategy: Strategy = Default::default(),
        explore: Option<f64>,
        adaptive: Adaptive = Default::default(),
        constraints: Constraints = Default::default(),
        truncate: bool = Default::default(),
        affinity: Option<Affinity>,
        experiment: Option<Experiment>,
        continuation: bool = Default::default(),
        orchestration: Option<Orchestration>,
        check: Option<Checked>,
        cache: Option<RouteCache>,
    }
}

/// `true`, `false`, or on by these rules.
pub(super) enum Checked {
    Switch(bool),
    By(CheckedRules),
}

impl Shape for Checked {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match node.is_object() {
            true => CheckedRules::read(node, problems).map(Self::By),
            false => bool::read(node, problems).map(Self::Switch),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::OneOf(vec![bool::form(), CheckedRules::form()])
    }
}

map! {
    #[derive(Default)]
    CheckedRules: "a map with the keys attempts, tools, timeout_ms, …" {
        attempts: Option<u64>,
        tools: Option<bool>,
        timeout_ms: Option<u64>,
        call_timeout_ms: Option<u64>,
        max_cost_usd: Option<f64>,
        report: Option<bool>,
    }
}

map! {
    Orchestration: "a map with one of the keys ensemble, cascade, race and agent, and when, timeout_ms, …" {
        when: Trigger = Default::default(),
        timeout_ms: Option<u64>,
        call_timeout_ms: Option<u64>,
        max_cost_usd: Option<f64>,
        report: bool = true,
        ensemble: Option<Ensemble>,
        cascade: Option<Cascade>,
        race: Option<Race>,
        agent: Option<Agent>,
    }
}

map! {
    Cascade: "a cascade: a map with the keys stages and accept" {
        stages: Vec<Member>,
        accept: Accept = Default::default(),
    }
}

map! {
    Agent: "an agent: a map with the keys planner, models, tools, …" {
        planner: String,
        instructions: Option<String>,
        models: Vec<Skilled>,
        tools: Vec<String> = Default::default(),
        validator: Option<Judge>,
        synthesis: Option<String>,
        autonomy: Autonomy = Default::default(),
        max_steps: Option<u64>,
        max_depth: Option<u64>,
        max_rounds: Option<u64>,
        max_step_tokens: Option<u64>,
        max_tokens: Option<u64>,
    }
}

map! {
    #[derive(Default)]
    Accept: "a map with the keys min_length, pattern, by, threshold, samples and judge" {
        min_length: Option<u64>,
        pattern: Option<String>,
        by: Option<MeasuredBy>,
        threshold: Option<f64>,
        samples: Option<u64>,
        judge: Option<Judge>,
    }
}

map! {
    Skilled: "a map with the keys model, description and capabilities" {
        model: String,
        description: String,
        capabilities: Vec<String> = Default::default(),
    }
}

map! {
    Race: "a race: a map with the keys targets and stagger_ms" {
        targets: Vec<Member>,
        stagger_ms: Option<u64>,
    }
}

map! {
    Tool: "a tool: a map with the keys cluster, path, description, parameters, …" {
        cluster: String,
        host: Option<String>,
        method: Method = Default::default(),
        path: String,
        description: String,
        parameters: JsonText,
        timeout_ms: Option<u64>,
        max_bytes: Option<u64>,
        consumers: Option<Vec<String>>,
        tiers: Option<Vec<String>>,
        headers: Entries<HeaderValue> = Default::default(),
    }
}

/// A map that is kept as JSON text, or that text.
pub(super) struct JsonText(pub String);

impl Shape for JsonText {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match node.is_object() {
            true => Some(Self(node.json())),
            false => String::read(node, problems).map(Self),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::OneOf(vec![Form::Any, String::form()])
    }
}

/// A text, or `{env: VARIABLE}`.
pub(super) enum HeaderValue {
    Plain(String),
    Env(String),
}

impl Shape for HeaderValue {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match node.is_object() {
            true => choice(node, &["env"], problems)?.1.map(Self::Env),
            false => String::read(node, problems).map(Self::Plain),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::OneOf(vec![String::form(), Form::text_under("env", "Env", "where a key is")])
    }
}

map! {
    #[derive(Default)]
    Trigger: "a map with the keys tasks, tiers, min_prompt_tokens, max_cost_usd and share" {
        tasks: Option<Vec<String>>,
        tiers: Option<Vec<String>>,
        min_prompt_tokens: Option<u64>,
        max_cost_usd: Option<f64>,
        share: Option<f64>,
    }
}

map! {
    Ensemble: "an ensemble: a map with the keys members, combine, …" {
        members: Vec<Member>,
        combine: Rule,
        judge: Option<Judge>,
        vote: Vote = Default::default(),
        model: Option<String>,
        quorum: Option<u64>,
        min_responses: Option<u64>,
    }
}

map! {
    Member: "a map with the keys model, request, weight and timeout_ms" {
        model: String,
        request: Option<Edits>,
        weight: Option<u64>,
        timeout_ms: Option<u64>,
    }
}

map! {
    Judge: "a map with the keys model and rubric" {
        model: String,
        rubric: Option<String>,
    }
}

map! {
    #[derive(Default)]
    Vote: "a map with the keys by and field" {
        by: VoteBy = Default::default(),
        field: Option<String>,
    }
}

map! {
    Target: "a target: a map with the keys model, tries, weight and priority" {
        model: String,
        tries: Option<u64>,
        weight: Option<u64>,
        priority: Option<u64>,
        as_fallback: Option<Edits>,
    }
}

map! {
    /// What is changed in a request that a target serves as a fallback.
    Edits: "a map with the keys system, temperature, max_tokens, reasoning_effort and tools" {
        system: Option<String>,
        temperature: Option<f64>,
        max_tokens: Option<u64>,
        reasoning_effort: Option<Effort>,
        tools: Tools = Default::default(),
    }
}

map! {
    Experiment: "a map with the keys by and arms" {
        by: By = Default::default(),
        arms: Entries<Arm>,
    }
}

map! {
    Arm: "an arm: a map with the keys share and targets" {
        share: f64,
        targets: Option<Vec<Target>>,
    }
}

/// `true`, `false`, or on by these rules.
pub(super) enum Affinity {
    Switch(bool),
    By(AffinityRules),
}

impl Shape for Affinity {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match node.is_object() {
            true => AffinityRules::read(node, problems).map(Self::By),
            false => bool::read(node, problems).map(Self::Switch),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::OneOf(vec![bool::form(), AffinityRules::form()])
    }
}

map! {
    #[derive(Default)]
    AffinityRules: "a map with the keys ttl and switch_cost" {
        ttl: Option<u64>,
        switch_cost: Option<f64>,
    }
}

map! {
    #[derive(Default)]
    Adaptive: "a map with the keys cost, latency and half_life" {
        cost: Option<f64>,
        latency: Option<f64>,
        half_life: Option<u64>,
    }
}

map! {
    /// What whoever answers has to keep to.
    #[derive(Default)]
    Constraints: "a map with the keys max_cost_usd, max_latency_ms and min_quality" {
        max_cost_usd: Option<f64>,
        max_latency_ms: Option<u64>,
        min_quality: Option<Quality>,
    }
}

map! {
    Limit: "a limit: a map with the keys name, per, window, …" {
        name: String,
        per: Vec<Dimension> = Default::default(),
        tiers: Option<Vec<String>>,
        consumers: Option<Vec<String>>,
        models: Option<Vec<String>>,
        requests: Option<u64>,
        tokens: Option<u64>,
        input_tokens: Option<u64>,
        output_tokens: Option<u64>,
        concurrent: Option<u64>,
        usd: Option<f64>,
        window: Option<Window>,
        burst: Option<u64>,
        mode: Mode = Default::default(),
        on_exceed: Option<OnExceed>,
        on_contention: OnContention = Default::default(),
    }
}

map! {
    ContentRule: "a rule: a map with the keys name, action, keywords, patterns, …" {
        name: String,
        applies_to: AppliesTo = Default::default(),
        action: Action,
        keywords: Vec<String> = Default::default(),
        patterns: Vec<String> = Default::default(),
        replacement: Option<String>,
        window: Option<u64>,
        consumers: Option<Vec<String>>,
        tiers: Option<Vec<String>>,
        routes: Option<Vec<String>>,
        models: Option<Vec<String>>,
        regions: Option<Vec<String>>,
    }
}

map! {
    #[derive(Default)]
    Log: "a map with the keys prompt, answer and max_bytes" {
        prompt: bool = Default::default(),
        answer: bool = Default::default(),
        max_bytes: Option<u64>,
    }
}

map! {
    #[derive(Default)]
    Auth: "a map with the keys anonymous and jwt" {
        anonymous: Option<Anonymous>,
        jwt: Option<Jwt>,
    }
}

/// `deny` or `{consumer: NAME}`.
pub(super) enum Anonymous {
    Deny,
    Consumer(String),
}

impl Shape for Anonymous {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        match choice(node, &["deny", "consumer"], problems)? {
            (0, None) => Some(Self::Deny),
            (1, Some(name)) => Some(Self::Consumer(name)),
            _ => node.mistaken(problems, "deny or {consumer: NAME}"),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        let consumer =
            Form::text_under("consumer", "Anonymous", "whom those are that do not say who they are");
        Form::OneOf(vec![Form::Words(vec!["deny"]), consumer])
    }
}

map! {
    Jwt: "a map with the keys payload, consumer_claim and tier_claim" {
        payload: String,
        consumer_claim: Option<String>,
        tier_claim: Option<String>,
    }
}

map! {
    #[derive(Default)]
    Tier: "a tier: a map with the keys models, regions and requires" {
        models: Option<Vec<String>>,
        regions: Option<Vec<String>>,
        requires: Vec<String> = Default::default(),
    }
}

map! {
    Consumer: "a consumer: a map with the keys tier, keys, …" {
        tier: Option<String>,
        keys: Vec<ConsumerKey> = Default::default(),
        models: Option<Vec<String>>,
        regions: Option<Vec<String>>,
        requires: Vec<String> = Default::default(),
        cache_scope: Option<CacheScope>,
        admin: bool = false,
    }
}

map! {
    ConsumerKey: "a key: a map with the keys sha256 and not_after" {
        sha256: String,
        not_after: Option<String>,
    }
}

map! {
    #[derive(Default)]
    Cache: "a map with the keys store, wait, exact, semantic and embedder" {
        store: CacheStore = Default::default(),
        wait: Option<u64>,
        exact: Option<Exact>,
        semantic: Option<Semantic>,
        embedder: Option<Embedder>,
    }
}

map! {
    Task: "a task: a map with the keys keywords, patterns and replace" {
        keywords: Vec<String> = Default::default(),
        patterns: Vec<String> = Default::default(),
        replace: Option<bool>,
    }
}

map! {
    TaskModel: "a map with the keys model, below, timeout_ms and ttl" {
        model: String,
        below: Option<f64>,
        timeout_ms: Option<u64>,
        ttl: Option<u64>,
    }
}

map! {
    Embedder: "a map with the keys model, dimensions and timeout_ms" {
        model: String,
        dimensions: Option<u64>,
        timeout_ms: Option<u64>,
    }
}

map! {
    #[derive(Default)]
    CacheStore: "a map with the keys entries, entry_bytes, total_bytes and questions" {
        entries: Option<u64>,
        entry_bytes: Option<u64>,
        total_bytes: Option<u64>,
        questions: Option<u64>,
    }
}

map! {
    Exact: "a map with the keys enabled, when and ttl" {
        enabled: Option<bool>,
        when: Option<When>,
        ttl: Option<u64>,
    }
}

map! {
    RouteCache: "a map with the keys exact and semantic" {
        exact: Option<Exact>,
        semantic: Option<Semantic>,
    }
}

map! {
    Semantic: "a map with the keys enabled, threshold and ttl" {
        enabled: Option<bool>,
        threshold: Option<f64>,
        ttl: Option<u64>,
    }
}

/// `off`, or the rules.
pub(super) enum Health {
    Off,
    On(HealthRules),
}

impl Shape for Health {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        if node.is_off() { Some(Self::Off) } else { HealthRules::read(node, problems).map(Self::On) }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::OneOf(vec![Form::Words(vec!["off"]), Form::Off, HealthRules::form()])
    }
}

map! {
    HealthRules: "off, or a map with the keys failures, error_rate, …" {
        failures: Option<u64>,
        error_rate: Option<f64>,
        window: Option<u64>,
        min_requests: Option<u64>,
        open: Option<u64>,
        open_most: Option<u64>,
        probes: Option<u64>,
        successes: Option<u64>,
        half_life: Option<u64>,
        admin_cluster: Option<String>,
    }
}

map! {
    #[derive(Default)]
    Bounds: "a map with the keys request_bytes, response_bytes and held_bytes" {
        request_bytes: Option<u64>,
        response_bytes: Option<u64>,
        held_bytes: Option<u64>,
    }
}

map! {
    #[derive(Default)]
    Timeouts: "a map with the keys first_token_ms and answer_ms" {
        first_token_ms: Option<u64>,
        answer_ms: Option<u64>,
    }
}

/// Reads the plugin's configuration: the bytes of a `google.protobuf.Struct`, or JSON text.
///
/// The byte 0x12 tells them apart. A `Struct` with anything in it has one before every value (field 2, by length), and
/// JSON text has none: control characters are escaped in it. The first byte would not do: that of a `Struct` is a newline.
pub(super) fn read(bytes: &[u8]) -> Result<Document, Problems> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(whole("the plugin has no configuration".to_owned()));
    }
    if !bytes.contains(&0x12) {
        return from_text(bytes);
    }
    let text = protobuf::to_json(bytes);
    from_text(&text.map_err(|why| whole(format!("the bytes are not a google.protobuf.Struct: {why}")))?)
}

fn from_text(text: &[u8]) -> Result<Document, Problems> {
    let json = Json::parse(text, Surrogates::Paired).map_err(|error| {
        let before = text.get(..error.at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n');
        let column = line.clone().next_back().map_or(0, <[u8]>::len).saturating_add(1);
        whole(format!("the text is not JSON: {} at line {} column {column}", error.fault, line.count()))
    })?;
    let mut problems = Problems::default();
    let document = Document::read(Node::root(json.root()), &mut problems);
    document.filter(|_| problems.is_empty()).ok_or(problems)
}

fn whole(found: String) -> Problems {
    let expected = "a google.protobuf.Struct, or a StringValue of JSON text".to_owned();
    Problem { path: "configuration".to_owned(), found, expected, nearest: Vec::new() }.into()
}
