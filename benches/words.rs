//! How fast the words are, natively: the JSON scanner, the splitter of event streams, the writer of chunks, and with
//! them a request's and an answer's whole way below the host. `cargo bench` runs it; it finds hot spots, and
//! `scripts/bench` says what they cost in Envoy.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use modelgate::attempt::{Attempt, Head};
use modelgate::auth::{Credentials, identify};
use modelgate::cache::semantic::Question;
use modelgate::cache::{Control, Entry, Key, Keys, Origin, Recorder, Scope, Subject};
use modelgate::chat::{ChunkWriter, Delta, Event, Form, Request, said};
use modelgate::classify::{Classifier, features};
use modelgate::config::{Config, Tasks};
use modelgate::estimate::{Calibration, Family, Makeup, Tally};
use modelgate::exchange::{Asking, Books, Memory, Service, Step, Told, on_body};
use modelgate::json::{Document, Surrogates, Text};
use modelgate::plan::Plan;
use modelgate::quota::Holder;
use modelgate::sse::Splitter;
use modelgate::store::{Conflict, Expected, Store, Version};
use modelgate::time::Timestamp;
use sha2::{Digest, Sha256};
use std::rc::Rc;

fn main() {
    divan::main();
}

/// What the messages of a chat are made of.
const TEXTS: [(&str, &str); 3] = [
    ("prose", "The gateway reads each request once, \"plans\" who may answer it,\nand lets it go. "),
    ("cjk", "网关一次读取每个请求，规划由谁来回答，然后放行。"),
    ("short", "ok "),
];

const SIZES: [usize; 2] = [2_000, 100_000];

fn cases() -> impl Iterator<Item = (&'static str, usize)> {
    TEXTS.iter().flat_map(|(name, _)| SIZES.map(|size| (*name, size)))
}

/// A chat body: few long messages, or with `short` very many.
fn chat(model: &str, texts: &str, size: usize) -> Vec<u8> {
    let (_, text) = TEXTS.iter().find(|(name, _)| *name == texts).expect("a text of the table");
    let each = if texts == "short" { 3 } else { (size / 10).max(300) };
    let content = text.repeat(each.div_ceil(text.len()));
    let count = size / (content.len() + 30);
    let messages: Vec<_> = (0..count.max(1))
        .map(|n| serde_json::json!({"role": if n % 2 == 0 { "user" } else { "assistant" }, "content": content}))
        .collect();
    serde_json::json!({"model": model, "messages": messages, "temperature": 0.7, "stream": true})
        .to_string()
        .into_bytes()
}

#[divan::bench(args = cases())]
fn parse(bencher: Bencher<'_, '_>, (texts, size): (&str, usize)) {
    let body = chat("gpt-5", texts, size);
    let parse = || Document::parse(black_box(&body), Surrogates::Paired).map(Document::into_nodes);
    bencher.counter(BytesCount::new(body.len())).bench_local(parse);
}

const CONFIGURATION: &str = r#"{
    "providers": {
        "openai": {"vendor": "openai", "api_key": {"value": "key"}},
        "anthropic": {"vendor": "anthropic", "api_key": {"value": "key"}}
    },
    "models": {"gpt-5": {"provider": "openai"}, "claude": {"provider": "anthropic"}},
    "auth": {"anonymous": {"consumer": "anonymous"}}
}"#;

fn configuration() -> Config {
    Config::parse(CONFIGURATION.as_bytes(), &|_| None).expect("the configuration is valid")
}

/// A request of the configuration's anonymous consumer.
fn anyone(body: &[u8], config: &Config) -> Step {
    planned_for(body, config, None, &Memory::new(1))
}

fn planned_for(body: &[u8], config: &Config, classifier: Option<&Classifier>, memory: &Memory) -> Step {
    let now = Timestamp::from_seconds(1_700_000_000);
    let books = Books { store: &Nothing, now, holder: &|| Holder::new(1).id(&Nothing, now), memory };
    let consumer = config.auth().anonymous().expect("anyone may ask");
    let control = Control::default();
    let asking = Asking {
        service: Service::Chat,
        consumer,
        request_id: "id",
        control,
        joins: &|_| false,
        told: &Told::default(),
        classifier,
        wishes: &Vec::new(),
        record: &modelgate::observe::Record::default(),
    };
    on_body(body, asking, config, books)
}

/// A store that keeps nothing: without limits nothing is counted.
struct Nothing;

impl Store for Nothing {
    fn get(&self, _: &str) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn set(&self, _: &str, _: &[u8], _: Expected) -> Result<(), Conflict> {
        Ok(())
    }
}

/// Whose key it is, among a thousand.
#[divan::bench]
fn who(bencher: Bencher<'_, '_>) {
    let config = keys();
    let headers =
        [("accept", &b"*/*"[..]), ("authorization", b"Bearer sk-7"), ("content-type", b"application/json")];
    bencher.bench_local(|| {
        let credentials = Credentials::among(black_box(&headers));
        identify(config.auth(), credentials, None, 1_700_000_000).expect("a consumer")
    });
}

fn keys() -> Config {
    let consumer = |number: usize| {
        let hash: String =
            Sha256::digest(format!("sk-{number}")).iter().map(|byte| format!("{byte:02x}")).collect();
        format!(r#""c{number}": {{"keys": [{{"sha256": "{hash}"}}]}}"#)
    };
    let consumers: Vec<_> = (0..1000).map(consumer).collect();
    let document =
        format!(r#"{{"providers": {{"ollama": {{}}}}, "consumers": {{{}}}}}"#, consumers.join(","));
    Config::parse(document.as_bytes(), &|_| None).expect("the configuration is valid")
}

/// The gateway role's part: from the body to the plan.
#[divan::bench(args = cases())]
fn plan(bencher: Bencher<'_, '_>, (texts, size): (&str, usize)) {
    let (body, config) = (chat("gpt-5", texts, size), configuration());
    bencher.counter(BytesCount::new(body.len())).bench_local(|| anyone(black_box(&body), &config));
}

/// A hundred models, with prices and qualities, and twenty routes over five of them each, by each strategy.
fn catalog() -> Config {
    let model = |number: usize| {
        let price = serde_json::json!({"input": 1 + number % 7, "output": 4 + number % 11});
        let quality = serde_json::json!({"default": 0.5, "code": (number % 10) as f64 / 10.0});
        let (window, provider) = (200_000, if number.is_multiple_of(2) { "openai" } else { "anthropic" });
        serde_json::json!({"provider": provider, "price": price, "quality": quality, "context_window": window})
    };
    let models: serde_json::Map<_, _> =
        (0..100).map(|number| (format!("model-{number}"), model(number))).collect();
    let route = |number: usize| {
        let targets: Vec<_> =
            (0..5).map(|at| serde_json::json!({"model": format!("model-{}", 5 * number + at)})).collect();
        serde_json::json!({"strategy": STRATEGIES[number % STRATEGIES.len()], "targets": targets})
    };
    let routes: serde_json::Map<_, _> =
        (0..20).map(|number| (format!("route-{number}"), route(number))).collect();
    let document = serde_json::json!({
        "providers": {
            "openai": {"vendor": "openai", "api_key": {"value": "key"}},
            "anthropic": {"vendor": "anthropic", "api_key": {"value": "key"}},
        },
        "models": models, "routes": routes, "tasks": {},
        "auth": {"anonymous": {"consumer": "anonymous"}},
    });
    Config::parse(document.to_string().as_bytes(), &|_| None).expect("the configuration is valid")
}

const STRATEGIES: [&str; 7] =
    ["priority", "weighted", "latency", "least_cost", "quality", "intent", "adaptive"];

/// From the body to the plan with a decision in it: what kind of request it is, and by each strategy who answers.
#[divan::bench(args = STRATEGIES.iter().flat_map(|strategy| SIZES.map(|size| (*strategy, size))))]
fn decide(bencher: Bencher<'_, '_>, (strategy, size): (&str, usize)) {
    let number = STRATEGIES.iter().position(|other| *other == strategy).expect("a strategy");
    let (body, config) = (chat(&format!("route-{number}"), "prose", size), catalog());
    let classifier = Classifier::new(config.tasks().expect("tasks"));
    let memory = Memory::new(1);
    memory.adopt(&config);
    bencher.bench_local(|| planned_for(black_box(&body), &config, Some(&classifier), &memory));
}

/// How many tokens a request has: what it is made of, once it has been read, and what a model makes of that.
#[divan::bench(args = cases())]
fn estimate(bencher: Bencher<'_, '_>, (texts, size): (&str, usize)) {
    let body = chat("gpt-5", texts, size);
    let document = Document::parse(&body, Surrogates::Paired).expect("JSON");
    let request = Request::read(document.root()).expect("a request");
    let calibration = Calibration::new(Family::OpenAi);
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let makeup = Makeup::read(black_box(&request));
        calibration.tokens(&makeup.served_by(&request, Family::OpenAi, "gpt-5"))
    });
}

/// What was said in 64 chunks of a stream, found and counted.
#[divan::bench]
fn tally(bencher: Bencher<'_, '_>) {
    let stream = events("gpt-5");
    let chunks: Vec<_> =
        stream.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: ")).collect();
    bencher.bench_local(|| {
        let mut tally = Tally::default();
        for chunk in black_box(&chunks) {
            said(chunk, Form::Chunks, &mut |text| tally.push(text));
        }
        tally
    });
}

/// A report of usage: the state read, changed and written.
#[divan::bench]
fn learn(bencher: Bencher<'_, '_>) {
    let body = chat("gpt-5", "prose", 2000);
    let document = Document::parse(&body, Surrogates::Paired).expect("JSON");
    let makeup = Makeup::read(&Request::read(document.root()).expect("a request"));
    let state = Calibration::new(Family::OpenAi).to_bytes();
    bencher.bench_local(|| {
        let mut calibration = Calibration::read(black_box(&state), Family::OpenAi);
        calibration.learn(&makeup, 450);
        calibration.to_bytes()
    });
}

/// The keys of a request that was read.
#[divan::bench(args = cases())]
fn cache_keys(bencher: Bencher<'_, '_>, (texts, size): (&str, usize)) {
    let body = chat("gpt-5", texts, size);
    let document = Document::parse(&body, Surrogates::Paired).expect("JSON");
    let request = Request::read(document.root()).expect("a request");
    let subject = Subject { scope: Scope::Consumer("acme"), name: "gpt-5", targets: &[], rules: 0 };
    bencher.counter(BytesCount::new(body.len())).bench_local(|| Keys::of(black_box(&request), &subject));
}

/// An answer that was kept, served as a stream.
#[divan::bench(args = SIZES)]
fn cache_stream(bencher: Bencher<'_, '_>, size: usize) {
    let content = TEXTS[0].1.repeat(size / TEXTS[0].1.len());
    let answer = serde_json::json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
    });
    let mut recorder = Recorder::new(1, usize::MAX, false);
    recorder.answer(answer.to_string().as_bytes());
    let keys = Keys { exact: Key::from_bytes([1; 32]), context: Key::from_bytes([2; 32]) };
    let entry = recorder.finish(
        keys,
        Origin { provider: "openai", model: "gpt-5", dropped: "" },
        None,
        Timestamp::from_seconds(1),
    );
    let bytes = entry.expect("an answer").to_bytes();
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        let entry = Entry::from_bytes(black_box(&bytes).clone(), &keys);
        entry.and_then(|entry| entry.stream(true, false))
    });
}

/// What a question costs before it is compared with others.
#[divan::bench]
fn question(bencher: Bencher<'_, '_>) {
    let text = "Could you please tell me how I can improve my time management skills at work?";
    bencher.bench_local(|| Question::read(black_box(text)).map(|question| question.vector()));
}

/// What kind of request it is, with what can be told of it: at most two windows of a long one.
#[divan::bench(args = cases())]
fn classify(bencher: Bencher<'_, '_>, (texts, size): (&str, usize)) {
    let body = chat("gpt-5", texts, size);
    let document = Document::parse(&body, Surrogates::Paired).expect("JSON");
    let request = Request::read(document.root()).expect("a request");
    let classifier = Classifier::new(&Tasks::default());
    bencher
        .counter(BytesCount::new(body.len()))
        .bench_local(|| classifier.classify(&features(black_box(&request), 500)));
}

/// The same of one turn of 2 KB that begins with what is to be done with it.
#[divan::bench(args = ["Summarize this: ", "Fix this code: ", ""])]
fn classify_turn(bencher: Bencher<'_, '_>, instruction: &str) {
    let content = format!("{instruction}{}", TEXTS[0].1.repeat(24));
    let body =
        serde_json::json!({"model": "m", "messages": [{"role": "user", "content": content}]}).to_string();
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).expect("JSON");
    let request = Request::read(document.root()).expect("a request");
    let classifier = Classifier::new(&Tasks::default());
    bencher.bench_local(|| classifier.classify(&features(black_box(&request), 500)));
}

/// The provider role's part: from the plan and the body to another dialect.
#[divan::bench(args = cases())]
fn translate(bencher: Bencher<'_, '_>, (texts, size): (&str, usize)) {
    let (body, config) = (chat("claude", texts, size), configuration());
    let plan = planned(&body, &config);
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let mut attempt = attempt(&plan, &config);
        attempt.translate(black_box(&body))
    });
}

fn planned(body: &[u8], config: &Config) -> Rc<Plan> {
    match anyone(body, config) {
        Step::Forward(forward) => Rc::new(forward.plan),
        step => panic!("the body is not forwarded: {step:?}"),
    }
}

fn attempt(plan: &Rc<Plan>, config: &Config) -> Attempt {
    Attempt::begin(Rc::clone(plan), 1, 1_700_000_000, config).expect("the plan holds")
}

/// Events of a stream, as a provider frames them.
fn events(model: &str) -> Vec<u8> {
    let content = 64;
    let delta = |text: &str| match model {
        "claude" => format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text:?}}}}}\n\n"
        ),
        _ => format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text:?}}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        ),
    };
    (0..content).flat_map(|n| delta([" the", " gateway\n"][n % 2]).into_bytes()).collect()
}

#[divan::bench]
fn split(bencher: Bencher<'_, '_>) {
    let stream = events("gpt-5");
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| {
        let mut splitter = Splitter::new(1 << 20);
        let mut bytes = 0;
        let split =
            splitter.push(black_box(&stream), |frame| bytes += frame.data.map_or(0, |data| data.len()));
        (split, bytes)
    });
}

#[divan::bench]
fn write_chunks(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let mut writer = ChunkWriter::new("chatcmpl-1", "gpt-5", 1, false);
        let mut out = Vec::new();
        for _ in 0..64 {
            let delta = Delta::Text(Text::of(black_box(" gateway")));
            writer.write(Event::Delta { choice: 0, delta }, &mut out);
        }
        out
    });
}

/// A burst of 64 chunks on its way to the client.
#[divan::bench(args = ["gpt-5", "claude"])]
fn stream(bencher: Bencher<'_, '_>, model: &str) {
    let config = configuration();
    let plan = planned(&chat(model, "prose", 2000), &config);
    let headers = [("content-type", b"text/event-stream".as_slice())];
    let stream = events(model);
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| {
        let mut attempt = attempt(&plan, &config);
        let head = attempt.on_response_head(Head { status: 200, headers: &headers, ends: false });
        (head, attempt.on_response_body(black_box(&stream), false))
    });
}
