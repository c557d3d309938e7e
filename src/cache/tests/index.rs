use super::*;
use crate::cache::semantic::{Asked, Index, MOST_DIMENSIONS, Question, Vector};
use crate::config::{CacheStore, Similarity};
use crate::store::tests::{Memory, Racing, Rival};
use crate::store::{Expected, Store};
use crate::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const TTL: u64 = 100;

struct Cache {
    store: Memory,
    answers: Answers,
    index: Index,
}

impl Cache {
    fn new() -> Self {
        let bounds = CacheStore { questions: 1, ..CacheStore::default() };
        Self { store: Memory::default(), answers: Answers::new(bounds), index: Index::new(bounds.questions) }
    }

    fn keys(scope: Scope<'_>, body: &Tree) -> Keys {
        let targets = targets("ab");
        with(&body.to_string(), |request| {
            Keys::of(request, &Subject { scope, name: "ab", targets: &targets, rules: 0 })
        })
    }

    /// Answers a request, and notes its question.
    fn answer(&self, keys: Keys, question: &str, vector: &Vector, embedder: Option<&str>, now: Timestamp) {
        let entry = Entry {
            keys,
            made: now,
            provider: "one".to_owned(),
            model: "a".to_owned(),
            dropped: String::new(),
            usage: None,
            completion: question.into(),
        };
        assert!(self.answers.keep(&self.store, &entry, TTL, now));
        let question = Question::read(question).unwrap();
        self.index.note(&self.store, &Asked { keys, question: &question, vector, embedder }, now);
    }

    /// The question that has the answer given to this one.
    fn find(
        &self,
        keys: Keys,
        question: &str,
        vector: &Vector,
        embedder: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        let question = Question::read(question).unwrap();
        let asked = Asked { keys, question: &question, vector, embedder };
        let found = self.index.find(&self.store, &self.answers, &asked, (Similarity::SAFE, TTL), now)?;
        Some(String::from_utf8(found.entry.completion).unwrap())
    }
}

fn local(question: &str) -> Vector {
    Question::read(question).unwrap().vector().unwrap()
}

const TICKS: &str = "How do I remove ticks from my dog?";
const TICK: &str = "How can you remove a tick from the dog?";

#[test]
fn a_question_that_means_the_same_has_the_same_answer_and_no_other_has() {
    let cache = Cache::new();
    let ask = |question: &str, now| {
        cache.find(Cache::keys(Scope::Shared, &asking(question)), question, &local(question), None, now)
    };
    assert_eq!(ask(TICK, NOW), None);
    cache.answer(Cache::keys(Scope::Shared, &asking(TICKS)), TICKS, &local(TICKS), None, NOW);
    for (question, found) in [
        (TICKS, true),
        (TICK, true),
        ("How do I remove fleas from my dog?", false),
        ("How do I not remove ticks from my dog?", false),
        ("Why do I remove ticks from my dog?", false),
        ("How do I remove ticks from my dog and cat?", false),
        ("How do I remove 2 ticks from my dog?", false),
    ] {
        assert_eq!(ask(question, NOW.after(99000)).as_deref(), found.then_some(TICKS), "{question}");
    }
    assert_eq!(ask(TICK, NOW.after(100000)), None, "it is too old");
}

#[test]
fn nothing_but_the_question_may_differ() {
    let cache = Cache::new();
    let mut body = asking(TICKS);
    body["messages"] = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": TICKS},
    ]);
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    cache.answer(Cache::keys(Scope::Consumer("acme"), &body), TICKS, &local(TICKS), None, NOW);
    let ask =
        |scope, body: &Tree| cache.find(Cache::keys(scope, body), TICK, &local(TICK), None, NOW).is_some();
    body["messages"][3]["content"] = json!(TICK);
    assert!(ask(Scope::Consumer("acme"), &body));
    for scope in [Scope::Consumer("acne"), Scope::Tier("acme"), Scope::Shared] {
        assert!(!ask(scope, &body), "{scope:?}");
    }
    for (at, value) in [
        ("/messages/0/content", json!("Be verbose.")),
        ("/messages/1/content", json!("Ho")),
        ("/messages/2/content", json!("Ho")),
        ("/messages/3/role", json!("system")),
        ("/tools/0/function/name", json!("g")),
        ("/temperature", json!(1)),
        ("/tools", json!(null)),
    ] {
        let mut other = body.clone();
        *other.pointer_mut(at).unwrap() = value;
        assert!(!ask(Scope::Consumer("acme"), &other), "{at}");
    }
    body["response_format"] = json!({"type": "json_object"});
    assert!(!ask(Scope::Consumer("acme"), &body));
}

#[test]
fn a_record_that_points_elsewhere_finds_nothing() {
    // The index has the right question under a key from another context: it was tampered with, or a hash has collided.
    let cache = Cache::new();
    let mine = Cache::keys(Scope::Consumer("acme"), &asking(TICKS));
    let theirs = Cache::keys(Scope::Consumer("other"), &asking(TICKS));
    cache.answer(theirs, TICKS, &local(TICKS), None, NOW);
    let mixed = Keys { exact: theirs.exact, context: mine.context };
    let question = Question::read(TICKS).unwrap();
    cache.index.note(
        &cache.store,
        &Asked { keys: mixed, question: &question, vector: &local(TICKS), embedder: None },
        NOW,
    );
    assert_eq!(cache.find(mine, TICK, &local(TICK), None, NOW), None);
}

#[test]
fn vectors_of_different_models_are_not_compared() {
    let cache = Cache::new();
    let keys = Cache::keys(Scope::Shared, &asking(TICKS));
    let vector = Vector::of(&[1.0, 2.0, 3.0]).unwrap();
    cache.answer(keys, TICKS, &vector, Some("model-a"), NOW);
    let ask = |embedder, vector: &Vector| cache.find(keys, TICK, vector, embedder, NOW).is_some();
    assert!(ask(Some("model-a"), &vector));
    assert!(!ask(Some("model-b"), &vector));
    assert!(!ask(None, &vector));
    assert!(!ask(Some("model-a"), &Vector::of(&[1.0, 2.0]).unwrap()), "nor vectors of another size");
    assert!(!ask(Some("model-a"), &Vector::of(&[3.0, 2.0, -1.0]).unwrap()));
    let other_words = "How can I remove mites from my puppy?";
    let asked = |embedder| cache.find(keys, other_words, &vector, embedder, NOW).is_some();
    assert!(asked(Some("model-a")), "a model knows that words mean the same");
}

#[test]
fn the_nearest_comes_first_and_one_whose_answer_is_gone_stands_in_nobodys_way() {
    let cache = Cache::new();
    let near = ["How do ticks look?", "How does the tick look?", "How did ticks look?"];
    let keys = |question: &str| Cache::keys(Scope::Shared, &asking(question));
    cache.answer(keys(near[0]), near[0], &Vector::of(&[1.0, 0.3]).unwrap(), Some("m"), NOW);
    cache.answer(keys(near[1]), near[1], &Vector::of(&[1.0, 0.1]).unwrap(), Some("m"), NOW.after(1000));
    let asked = Vector::of(&[1.0, 0.0]).unwrap();
    let find =
        || cache.find(keys("How will ticks look?"), "How do ticks look", &asked, Some("m"), NOW.after(2000));
    assert_eq!(find().as_deref(), Some(near[1]));
    let answer = Entry {
        completion: b"gone".to_vec(),
        keys: keys(near[1]),
        made: Timestamp::default(),
        provider: String::new(),
        model: String::new(),
        dropped: String::new(),
        usage: None,
    };
    cache.answers.keep(&cache.store, &answer, TTL, NOW);
    assert_eq!(find().as_deref(), Some(near[0]));
}

#[test]
fn a_set_is_bounded_and_its_oldest_question_goes_first() {
    let cache = Cache::new();
    let question = |number: usize| format!("How do ticks number x{} look?", "x".repeat(number));
    for number in 0..70 {
        let text = question(number);
        cache.answer(Cache::keys(Scope::Shared, &asking(&text)), &text, &local(&text), None, NOW);
        cache.answer(Cache::keys(Scope::Shared, &asking(&text)), &text, &local(&text), None, NOW);
    }
    let known = (0..70).filter(|number| {
        let text = question(*number);
        cache.find(Cache::keys(Scope::Shared, &asking(&text)), &text, &local(&text), None, NOW).is_some()
    });
    assert_eq!(
        known.collect::<Vec<_>>(),
        (6..70).collect::<Vec<_>>(),
        "a question noted again takes no second place"
    );
    let (value, _) = cache.store.get("cache/questions/0").unwrap();
    assert!(value.len() < 64 * 512, "{} bytes", value.len());
    assert!(cache.store.get("cache/questions/1").is_none());
}

#[test]
fn a_lost_race_loses_no_ones_question() {
    let cache = Cache::new();
    let note = |store: &dyn Store, text: &str| {
        let (keys, question) = (Cache::keys(Scope::Shared, &asking(text)), Question::read(text).unwrap());
        cache.index.note(
            store,
            &Asked { keys, question: &question, vector: &local(text), embedder: None },
            NOW,
        );
    };
    let texts = ["How do ticks look?", "How do fleas look?"];
    let rival: Rival<'_> = Box::new(|store| note(store, texts[1]));
    let store = Racing::new(Memory::default(), [Some(rival)]);
    note(&store, texts[0]);
    assert_eq!(store.lost(), 1);
    let (value, _) = store.get("cache/questions/0").unwrap();
    let holds = |text: &str| value.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(texts.iter().all(|text| holds(text)));
}

proptest! {
    #[test]
    fn damaged_bytes_are_a_miss_and_do_not_last(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let cache = Cache::new();
        let keys = Cache::keys(Scope::Shared, &asking(TICKS));
        cache.answer(keys, TICKS, &local(TICKS), None, NOW);
        let (value, _) = cache.store.get("cache/questions/0").unwrap();
        let mut damaged = value.clone();
        let at = at.index(value.len());
        if cut { damaged.truncate(at) } else { damaged[at] = with }
        cache.store.set("cache/questions/0", &damaged, Expected::Anything).unwrap();
        let found = cache.find(keys, TICK, &local(TICK), None, NOW);
        prop_assert_eq!(found.is_some(), damaged == value);
        cache.answer(keys, TICKS, &local(TICKS), None, NOW);
        prop_assert!(cache.find(keys, TICK, &local(TICK), None, NOW).is_some());
    }

    #[test]
    fn a_byte_for_each_number_is_precise_enough(
        a in prop::collection::vec(-1.0_f32..1.0, 64), b in prop::collection::vec(-1.0_f32..1.0, 64), scale in 0.001_f32..1000.0,
    ) {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let exact = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        let scaled: Vec<f32> = a.iter().map(|number| number * scale).collect();
        let (a, b) = (Vector::of(&scaled).unwrap(), Vector::of(&b).unwrap());
        prop_assert!((a.cosine(b.as_bytes()) - exact).abs() < 0.01);
        prop_assert!((a.cosine(a.as_bytes()) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn what_is_no_direction_is_no_vector() {
    for numbers in
        [vec![], vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY], vec![1.0; MOST_DIMENSIONS + 1]]
    {
        assert_eq!(Vector::of(&numbers), None);
    }
    let tiny = Vector::of(&[1e-30, -1e-30]).unwrap();
    assert_eq!(tiny.as_bytes(), [127, 129]);
    assert_eq!(tiny.cosine(&[0, 0]), 0.0);
    assert_eq!(tiny.cosine(&[]), 0.0);
    let longest = Vector::of(&vec![-1.0; MOST_DIMENSIONS]).unwrap();
    assert!((longest.cosine(longest.as_bytes()) - 1.0).abs() < 1e-5);
}
