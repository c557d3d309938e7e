//! Tools and agents: what is read, and what is said of each mistake.

use super::*;

fn query() -> Value {
    json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]})
}

fn tool() -> Value {
    json!({"cluster": "searching", "path": "/search?q={query}", "description": "Finds.", "parameters": query()})
}

fn document() -> Value {
    json!({
        "providers": {"openai": {}},
        "models": {
            "big": {"provider": "openai", "context_window": 1000},
            "small": {"provider": "openai", "aliases": ["tiny"], "price": {"input": 1, "output": 2}},
        },
        "pricing": {"default": {"input": 5, "output": 6}},
        "tools": {"search": tool()},
        "consumers": {"acme": {}},
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "routes": {"r": {"targets": [{"model": "big"}], "orchestration": {"agent": {
            "planner": "big",
            "models": [{"model": "tiny", "description": "Quick.", "capabilities": ["cheap"]}, {"model": "other", "description": "A route."}],
            "tools": ["search"],
        }}}, "other": {"targets": [{"model": "small"}]}},
    })
}

fn with(place: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, key) = place.rsplit_once('/').unwrap();
    document.pointer_mut(parent).and_then(Value::as_object_mut).expect("a map").insert(key.to_owned(), value);
    document
}

const AGENT: &str = "/routes/r/orchestration/agent";

fn agent(document: &Value) -> Rc<Agent> {
    let config = parse(document).unwrap();
    let Some(Named::Route(route)) = config.named("r") else { panic!("a route") };
    let How::Agent(agent) = &route.orchestration.as_ref().unwrap().how else { panic!("an agent") };
    Rc::clone(agent)
}

#[test]
fn an_agent_is_read_with_what_the_catalog_knows() {
    let agent = agent(&document());
    assert_eq!((&*agent.planner, &*agent.synthesis), ("big", "big"));
    assert_eq!((agent.max_steps, agent.max_depth, agent.max_rounds), (8, 4, 1));
    assert_eq!(agent.autonomy, Autonomy::Auto);
    let [tiny, other] = &agent.models[..] else { panic!("two models") };
    assert_eq!(tiny.known.as_ref().unwrap().name, "small");
    assert_eq!(tiny.price.unwrap().input, NanoUsd::new(1_000_000_000));
    assert_eq!((&other.known, &other.price), (&None, &None));
    let [search] = &agent.tools[..] else { panic!("a tool") };
    assert_eq!((search.timeout_ms, search.max_bytes, &*search.host), (10_000, 65_536, "searching"));
    assert_eq!(serde_json::from_str::<Value>(&search.parameters).unwrap(), query());
    let argument = Piece::Argument { name: "query".into(), in_path: false };
    assert_eq!(search.path, [Piece::Plain("/search?q=".into()), argument, Piece::Plain("".into())]);
}

#[test]
fn a_price_of_all_is_that_of_a_model_without_one() {
    let models = json!([{"model": "big", "description": "Slow."}]);
    let agent = agent(&with(&format!("{AGENT}/models"), models));
    assert_eq!(agent.models[0].price.unwrap().input, NanoUsd::new(5_000_000_000));
}

#[test]
fn a_tools_key_is_looked_for_in_the_environment_and_shown_to_nobody() {
    let headers = json!({"Authorization": {"env": "OPENAI_API_KEY"}, "x-kind": "a b"});
    let document = with("/tools/search/headers", headers);
    let tool = Rc::clone(&agent(&document).tools[0]);
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(tool.headers, [header("authorization", "sk-openai"), header("x-kind", "a b")]);
    assert!(!format!("{tool:?}").contains("sk-openai"));
    let document = with("/tools/search/headers", json!({"authorization": {"env": "EMPTY_KEY"}}));
    let config = parse(&document).unwrap();
    assert!(config.warnings()[0].ends_with("the tool is left out"), "{:?}", config.warnings());
    let anyone = config.auth().anonymous().unwrap();
    assert!(!agent(&document).tools[0].is_for(anyone));
}

#[test]
fn a_tool_may_be_for_some() {
    let config = parse(&with("/tools/search/consumers", json!(["acme"]))).unwrap();
    let tool = Rc::clone(&agent(&with("/tools/search/consumers", json!(["acme"]))).tools[0]);
    assert!(!tool.is_for(config.auth().anonymous().unwrap()));
    let tool = Rc::clone(&agent(&with("/tools/search/tiers", json!(["default"]))).tools[0]);
    assert!(tool.is_for(config.auth().anonymous().unwrap()));
}

#[test]
fn every_mistake_is_told_where_it_is() {
    let tools = "/tools/search";
    for (place, value, told) in [
        (
            format!("{AGENT}/planner"),
            json!("bigg"),
            "routes.r.orchestration.agent.planner: unknown model \"bigg\"",
        ),
        (
            format!("{AGENT}/models"),
            json!([{"model": "tinny", "description": "x"}]),
            "routes.r.orchestration.agent.models[0].model: unknown model \"tinny\"",
        ),
        (
            format!("{AGENT}/models"),
            json!([]),
            "routes.r.orchestration.agent.models: 0: expected from 1 to 16",
        ),
        (
            format!("{AGENT}/models"),
            json!([{"model": "big", "description": ""}, {"model": "big", "description": ""}]),
            "agent.models[1].model: \"big\" is there twice",
        ),
        (format!("{AGENT}/models"), json!([{"model": "r", "description": "x"}]), "it names itself"),
        (format!("{AGENT}/tools"), json!(["serch"]), "agent.tools[0]: unknown tool \"serch\""),
        (format!("{AGENT}/synthesis"), json!("none"), "agent.synthesis: unknown model"),
        (format!("{AGENT}/validator"), json!({"model": "none"}), "agent.validator.model: unknown model"),
        (format!("{AGENT}/autonomy"), json!("full"), "unknown value `full`"),
        (
            format!("{AGENT}/max_steps"),
            json!(17),
            "agent.max_steps: 17: expected a whole number from 1 to 16",
        ),
        (format!("{AGENT}/max_rounds"), json!(4), "agent.max_rounds: 4"),
        (format!("{AGENT}/max_cost"), json!(4), "unknown key `max_cost`"),
        (
            "/routes/r/orchestration/ensemble".to_owned(),
            json!({"members": [{"model": "big"}], "combine": "longest"}),
            "more than one way is said",
        ),
        (
            tools.to_owned(),
            json!({"path": "/", "description": "x", "parameters": query()}),
            "tools.search: missing key `cluster`",
        ),
        (format!("{tools}/path"), json!("search"), "tools.search.path: \"search\""),
        (format!("{tools}/path"), json!("/a b{query}"), "tools.search.path"),
        (format!("{tools}/path"), json!("/{query"), "tools.search.path"),
        (format!("{tools}/path"), json!("/{}"), "tools.search.path"),
        (
            format!("{tools}/path"),
            json!("/{query}/{page}"),
            "there is no argument `page`: expected one of the parameters' properties",
        ),
        (
            format!("{tools}/path"),
            json!("/"),
            "the property \"query\" has no place in it, and a GET has no body",
        ),
        (format!("{tools}/method"), json!("put"), "unknown value `put`"),
        (
            format!("{tools}/parameters"),
            json!({"type": "string"}),
            "tools.search.parameters: no schema of an object",
        ),
        (format!("{tools}/parameters"), json!("{"), "tools.search.parameters: no schema of an object"),
        (format!("{tools}/description"), json!(" "), "tools.search.description: it says nothing"),
        (format!("{tools}/host"), json!("a b"), "tools.search.host"),
        (format!("{tools}/timeout_ms"), json!(0), "tools.search.timeout_ms: 0"),
        (format!("{tools}/max_bytes"), json!(10_000_000), "tools.search.max_bytes"),
        (
            format!("{tools}/consumers"),
            json!(["acne"]),
            "tools.search.consumers[0]: unknown consumer \"acne\"",
        ),
        (format!("{tools}/tiers"), json!(["gold"]), "tools.search.tiers[0]: unknown tier \"gold\""),
        (format!("{tools}/headers"), json!({"host": "x"}), "a header that the gateway or Envoy sets itself"),
        (format!("{tools}/headers"), json!({"x": 7}), "what is there is not shown"),
        ("/tools/a b".to_owned(), tool(), "tools.a b: \"a b\" cannot be a name"),
    ] {
        let all = problems(&with(&place, value)).join("\n");
        assert!(all.contains(told), "{place}: {told} in\n{all}");
    }
}
