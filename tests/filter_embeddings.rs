//! The whole filter on a fake Envoy: embeddings, as OpenAI's API has them, of every provider that makes them.

mod support;

use serde_json::{Value, json};
use support::{Answer, Envoy, Request, Response, Sent};

fn configuration() -> String {
    let openai = |name: &str| json!({"vendor": "openai", "base_url": format!("https://{name}.example/v1"), "api_key": {"value": format!("key-of-{name}")}});
    json!({
        "providers": {
            "a": openai("a"),
            "b": openai("b"),
            "gemini": {"vendor": "gemini", "base_url": "https://g.example/v1beta", "api_key": {"value": "key-of-gemini"}},
            "mistral": {"vendor": "mistral", "base_url": "https://m.example/v1", "api_key": {"value": "key-of-mistral"}},
            "qwen": {"vendor": "qwen", "base_url": "https://q.example/v1", "api_key": {"value": "key-of-qwen"}},
            "claude": {"vendor": "anthropic", "base_url": "https://c.example/v1", "api_key": {"value": "key-of-claude"}},
            "groq": {"vendor": "groq", "base_url": "https://groq.example/v1", "api_key": {"value": "key-of-groq"}},
            "azure": {"vendor": "azure", "base_url": "https://azure.example/v1", "api_key": {"value": "key-of-azure"}},
            "vllm": {"vendor": "vllm", "base_url": "https://vllm.example/v1", "api_key": {"value": "key-of-vllm"}},
            "deepseek": {"vendor": "deepseek", "base_url": "https://d.example/v1", "api_key": {"value": "key-of-deepseek"}},
        },
        "models": {
            "small": {"provider": "a", "model": "text-embedding-3-small", "price": {"input": 2, "output": 0}},
            "other": {"provider": "b", "model": "embedder"},
            "gemini": {"provider": "gemini", "model": "gemini-embedding-001", "price": {"input": 2, "output": 0}},
            "mistral": {"provider": "mistral", "model": "mistral-embed"},
            "qwen": {"provider": "qwen", "model": "text-embedding-v4"},
            "claude": {"provider": "claude"},
            "groq": {"provider": "groq", "model": "nomic-embed-text-v1_5"},
            "qwen-old": {"provider": "qwen", "model": "text-embedding-v1"},
            "qwen-new": {"provider": "qwen", "model": "qwen4-embedding"},
            "azure": {"provider": "azure", "model": "text-embedding-3-small"},
            "vllm": {"provider": "vllm"},
            "deepseek": {"provider": "deepseek"},
        },
        "routes": {
            "either": {"targets": [{"model": "small"}, {"model": "gemini"}, {"model": "other"}]},
            "late": {"targets": [{"model": "claude"}, {"model": "gemini"}, {"model": "small"}]},
            "none": {"targets": [{"model": "claude"}, {"model": "deepseek"}]},
            "texts": {"targets": [{"model": "qwen"}, {"model": "groq"}, {"model": "small"}]},
            "few": {"targets": [{"model": "qwen"}, {"model": "gemini"}]},
        },
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "health": "off",
    })
    .to_string()
}

/// OpenAI's answer with these vectors, each as JSON.
fn list(vectors: &[&str]) -> String {
    let items = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#));
    let items = items.collect::<Vec<_>>().join(", ");
    format!(
        r#"{{"object":"list","data":[{items}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":5,"total_tokens":5}}}}"#
    )
}

const NUMBERS: &str = "[1,-2]";
const BASE64: &str = r#""AACAPwAAAMA=""#;

/// The same, of a provider that says as much of its usage.
fn list_with_usage(usage: &str) -> String {
    list(&[NUMBERS]).replace(r#","usage":{"prompt_tokens":5,"total_tokens":5}"#, usage)
}

fn gemini(vectors: &[&str]) -> String {
    let items =
        vectors.iter().map(|vector| format!(r#"{{"values":{vector}}}"#)).collect::<Vec<_>>().join(",");
    format!(r#"{{"embeddings":[{items}]}}"#)
}

fn envoy() -> Envoy {
    let answer = |body: String| move |_: &Sent| Response::json(200, body.clone());
    let mut envoy = Envoy::new(&configuration());
    for cluster in ["a", "b", "mistral", "qwen", "groq", "azure", "vllm"] {
        envoy.script(cluster, answer(list(&[NUMBERS])));
    }
    envoy.script("gemini", answer(gemini(&[NUMBERS])));
    envoy
}

fn ask(envoy: &mut Envoy, model: &str, more: &str) -> Answer {
    ask_for(envoy, &format!(r#"{{"model":"{model}","input":"hello there"{more}}}"#))
}

fn ask_for(envoy: &mut Envoy, body: &str) -> Answer {
    let headers = Request::new("POST", "/v1/embeddings").with("content-type", "application/json");
    let headers = headers.with("content-length", body.len().to_string()).headers;
    envoy.ask(Request { headers, ..Request::chat(body) })
}

fn vectors(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].as_array().unwrap().iter().map(|item| item["embedding"].clone()).collect()
}

#[test]
fn each_provider_is_asked_in_its_own_words() {
    let more = r#","dimensions":2,"encoding_format":"base64","user":"u","extra":1"#;
    let request = |model: &str| json!({"requests": [{"model": format!("models/{model}"), "content": {"parts": [{"text": "hello there"}]}, "outputDimensionality": 2}]});
    for (model, path, credential, body, dropped) in [
        (
            "small",
            "/v1/embeddings",
            ("authorization", "Bearer key-of-a"),
            json!({"model": "text-embedding-3-small", "input": "hello there", "dimensions": 2, "encoding_format": "base64", "user": "u", "extra": 1}),
            "",
        ),
        (
            "mistral",
            "/v1/embeddings",
            ("authorization", "Bearer key-of-mistral"),
            json!({"model": "mistral-embed", "input": "hello there", "output_dimension": 2, "encoding_format": "base64", "extra": 1}),
            "user",
        ),
        (
            "qwen",
            "/v1/embeddings",
            ("authorization", "Bearer key-of-qwen"),
            json!({"model": "text-embedding-v4", "input": "hello there", "dimensions": 2, "extra": 1}),
            "user",
        ),
        (
            "gemini",
            "/v1beta/models/gemini-embedding-001:batchEmbedContents",
            ("x-goog-api-key", "key-of-gemini"),
            request("gemini-embedding-001"),
            "user,extra",
        ),
    ] {
        let mut envoy = envoy();
        let answer = ask(&mut envoy, model, more);
        assert_eq!(vectors(&answer), [json!("AACAPwAAAMA=")], "{model}");
        assert_eq!(
            (answer.header("x-modelgate-model"), answer.header("x-modelgate-dropped")),
            (model, dropped)
        );
        let sent = envoy.last_sent();
        assert_eq!((sent.header(":path"), sent.json()), (path, body));
        assert_eq!(sent.header(credential.0), credential.1);
        assert_eq!(sent.header("accept"), "application/json");
    }
}

#[test]
fn only_the_models_name_is_spliced_and_what_a_vendor_does_not_know() {
    let body = r#" { "extra": {"model" : 1.50 } ,"input":["h\u0069", "\/"],"user" : null, "model": "MODEL" ,
        "dimensions":2, "encoding_format":"float" ,"user\u0032":"u","n":1e2} "#;
    let rest = |body: &str| body.replace(r#","user" : null"#, "");
    for (model, name, expected) in [
        ("small", "text-embedding-3-small", body.to_owned()),
        ("other", "embedder", body.to_owned()),
        ("mistral", "mistral-embed", rest(body).replace("dimensions", "output_dimension")),
        ("qwen", "text-embedding-v4", rest(body).replace(r#", "encoding_format":"float""#, "")),
    ] {
        let mut envoy = envoy();
        ask_for(&mut envoy, &body.replace("MODEL", model));
        assert_eq!(envoy.last_sent().text(), expected.replace("MODEL", name), "{model}");
    }
    let mut envoy = envoy();
    for cluster in ["a", "gemini"] {
        envoy.script(cluster, |_| Response::json(503, "{}"));
    }
    ask_for(&mut envoy, &body.replace("MODEL", "either"));
    let sent =
        ["a", "b"].map(|cluster| envoy.sent.iter().find(|sent| sent.cluster == cluster).unwrap().text());
    assert_eq!(sent, ["text-embedding-3-small", "embedder"].map(|name| body.replace("MODEL", name)));
}

#[test]
fn vectors_come_in_the_form_that_was_asked_for_and_pass_if_they_are_in_it() {
    for (asked, numbers) in
        [("", true), (r#","encoding_format":"float""#, true), (r#","encoding_format":"base64""#, false)]
    {
        let expected = if numbers { json!([1, -2]) } else { json!("AACAPwAAAMA=") };
        for (cluster, model, body, passes) in [
            ("a", "small", list(&[NUMBERS, NUMBERS]), numbers),
            ("a", "small", list(&[BASE64, BASE64]), !numbers),
            ("gemini", "gemini", gemini(&[NUMBERS, NUMBERS]), false),
        ] {
            let mut envoy = envoy();
            let sent = body.clone();
            envoy.script(cluster, move |_| Response::json(200, sent.clone()));
            let answer =
                ask_for(&mut envoy, &format!(r#"{{"model":"{model}","input":["hello","there"]{asked}}}"#));
            assert_eq!(vectors(&answer), [expected.clone(), expected.clone()], "{asked} {body}");
            assert_eq!(answer.text() == body, passes, "{asked} {body}");
            let json = answer.json();
            assert_eq!(json["data"][1]["index"], 1);
            assert!(json["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{json}");
        }
    }
}

#[test]
fn a_route_falls_back_on_whatever_is_no_answer() {
    for (name, response) in [
        ("overloaded", Response::json(503, "{}")),
        ("limited", Response::json(429, r#"{"error":{"message":"slow down","type":"tokens"}}"#)),
        ("nonsense", Response::json(200, "<html>")),
        ("empty", Response::json(200, list(&[]))),
        ("an error within", Response::json(200, r#"{"error":{"message":"no","code":500}}"#)),
        ("no vector", Response::json(200, list(&["null"]))),
        ("not a vector", Response::json(200, list(&[r#""*""#]))),
    ] {
        let mut envoy = envoy();
        envoy.script("a", move |_| response.clone());
        let answer = ask(&mut envoy, "either", "");
        assert_eq!(vectors(&answer), [json!([1, -2])], "{name}");
        assert_eq!(envoy.tried(), ["a", "gemini"], "{name}");
        assert_eq!(answer.header("x-modelgate-attempts"), "2");
    }
}

#[test]
fn an_answer_that_is_not_what_was_asked_for_is_the_targets_fault() {
    let two = r#","dimensions":2"#;
    for (name, more, found) in [
        ("none", "", &[][..]),
        ("one too few", "", &[NUMBERS]),
        ("one too many", "", &[NUMBERS, NUMBERS, NUMBERS]),
        ("no vector", "", &[NUMBERS, "null"]),
        ("a number", "", &[NUMBERS, "5"]),
        ("an empty vector", "", &[NUMBERS, "[]"]),
        ("empty vectors", "", &["[]", "[]"]),
        ("texts", "", &[NUMBERS, r#"["1","2"]"#]),
        ("a text among numbers", "", &[NUMBERS, r#"[1,"2"]"#]),
        ("unequal lengths", "", &[NUMBERS, "[1,2,3]"]),
        ("unequal lengths in either form", "", &["[1,2,3]", BASE64]),
        ("another length than was asked for", two, &["[1,2,3]", "[1,2,3]"]),
        ("no base64", "", &[NUMBERS, r#""*""#]),
        ("half a number", "", &[NUMBERS, r#""AACAPwAA""#]),
        ("an empty text", "", &[NUMBERS, r#""""#]),
        ("no number", "", &[NUMBERS, r#""AADAfwAAwH8=""#]),
        ("no base64 where it passes", r#","encoding_format":"base64""#, &[BASE64, r#""****""#]),
        ("half a number where it passes", r#","encoding_format":"base64""#, &[BASE64, r#""AACAPwAA""#]),
        ("another length where it passes", r#","encoding_format":"base64""#, &[BASE64, r#""AACAPw==""#]),
    ] {
        let mut envoy = envoy();
        let bad = list(found);
        for cluster in ["a", "b"] {
            let bad = bad.clone();
            envoy.script(cluster, move |_| Response::json(200, bad.clone()));
        }
        envoy.script("gemini", |_| Response::json(200, gemini(&[NUMBERS, NUMBERS])));
        let body = |model: &str| format!(r#"{{"model":"{model}","input":["hello","there"]{more}}}"#);
        assert_eq!(vectors(&ask_for(&mut envoy, &body("either"))).len(), 2, "{name}");
        assert_eq!(envoy.tried(), ["a", "gemini"], "{name}");
        envoy.script("gemini", |_| Response::json(200, gemini(&[NUMBERS])));
        let answer = ask_for(&mut envoy, &body("either"));
        assert_eq!(envoy.tried()[2..], ["a", "gemini", "b"], "{name}");
        let error = answer.error();
        assert_eq!((answer.status, &error["code"]), (502, &json!("bad_provider_response")), "{name}");
        assert_eq!((&error["type"], &error["param"]), (&json!("server_error"), &Value::Null), "{name}");
        assert_eq!((envoy.logged("tokens_in"), answer.header("x-modelgate-attempts")), (String::new(), "3"));
    }
}

#[test]
fn each_target_of_a_route_is_asked_in_its_own_words_also_after_the_first() {
    let mut envoy = envoy();
    for cluster in ["a", "gemini"] {
        envoy.script(cluster, |_| Response::json(503, "{}"));
    }
    let answer = ask(&mut envoy, "either", "");
    assert_eq!(vectors(&answer).len(), 1);
    let bodies: Vec<Value> = envoy.sent.iter().map(Sent::json).collect();
    assert_eq!(bodies[0]["model"], "text-embedding-3-small");
    assert_eq!(bodies[1]["requests"][0]["content"]["parts"][0]["text"], "hello there");
    assert_eq!(bodies[2], json!({"model": "embedder", "input": "hello there"}));
}

#[test]
fn who_makes_no_embeddings_or_not_these_is_not_asked() {
    let mut envoy = envoy();
    assert_eq!(vectors(&ask(&mut envoy, "late", "")).len(), 1);
    assert_eq!(envoy.tried(), ["gemini"]);
    let answer = ask_for(&mut envoy, r#"{"model":"late","input":[1,2,3]}"#);
    assert_eq!((vectors(&answer).len(), envoy.tried()), (1, vec!["gemini", "a"]), "Gemini takes no tokens");
    for model in ["none", "claude", "deepseek"] {
        let answer = ask(&mut envoy, model, "");
        assert_eq!((answer.status, &answer.error()["code"]), (400, &json!("unsupported_parameter")));
        assert!(
            answer.error()["message"].as_str().unwrap().contains("makes no embeddings"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(envoy.sent.len(), 2);
}

#[test]
fn who_takes_few_inputs_is_asked_for_few() {
    let asks = |envoy: &mut Envoy, model: &str, count: usize| {
        for cluster in ["a", "qwen", "groq", "mistral"] {
            envoy.script(cluster, move |_| Response::json(200, list(&vec![NUMBERS; count])));
        }
        envoy.script("gemini", move |_| Response::json(200, gemini(&vec![NUMBERS; count])));
        let inputs = vec![r#""x""#; count].join(",");
        ask_for(envoy, &format!(r#"{{"model":"{model}","input":[{inputs}]}}"#))
    };
    for (model, most) in [("qwen", 10), ("qwen-old", 25), ("gemini", 100)] {
        let mut envoy = envoy();
        assert_eq!(vectors(&asks(&mut envoy, model, most)).len(), most, "{model}");
        let answer = asks(&mut envoy, model, most + 1);
        let error = answer.error();
        assert_eq!((answer.status, &error["code"]), (400, &json!("unsupported_parameter")), "{model}");
        let message = error["message"].as_str().unwrap();
        let expected = format!("takes at most {most} inputs in one request, found {}", most + 1);
        assert!(message.contains(&expected) && error["param"] == "input", "{message}");
        assert_eq!(envoy.sent.len(), 1);
    }
    for model in ["qwen-new", "groq", "small", "mistral"] {
        assert_eq!(vectors(&asks(&mut envoy(), model, 2048)).len(), 2048, "{model}");
    }
    for (route, count, asked) in [
        ("few", 10, Some("qwen")),
        ("few", 11, Some("gemini")),
        ("few", 101, None),
        ("texts", 10, Some("qwen")),
        ("texts", 11, Some("groq")),
    ] {
        let mut envoy = envoy();
        let answer = asks(&mut envoy, route, count);
        assert_eq!(answer.status, if asked.is_some() { 200 } else { 400 }, "{route} {count}");
        assert_eq!(envoy.tried(), asked.into_iter().collect::<Vec<_>>(), "{route} {count}");
    }
}

#[test]
fn token_ids_go_to_those_who_know_them_as_the_client_does() {
    for input in ["[1,2,3]", "[[1,2,3]]"] {
        let asks =
            |envoy: &mut Envoy, model| ask_for(envoy, &format!(r#"{{"model":"{model}","input":{input}}}"#));
        for model in ["small", "azure"] {
            assert_eq!(vectors(&asks(&mut envoy(), model)).len(), 1, "{model}");
        }
        for model in ["mistral", "qwen", "groq", "vllm", "gemini"] {
            let mut envoy = envoy();
            let answer = asks(&mut envoy, model);
            let error = answer.error();
            assert_eq!((answer.status, &error["code"]), (400, &json!("unsupported_parameter")), "{model}");
            assert!(error["message"].as_str().unwrap().contains("not of token ids"), "{error}");
            assert_eq!((&error["param"], envoy.sent.len()), (&json!("input"), 0), "{model}");
        }
        let mut envoy = envoy();
        assert_eq!(vectors(&asks(&mut envoy, "texts")).len(), 1);
        assert_eq!(envoy.tried(), ["a"]);
    }
}

#[test]
fn groq_is_asked_for_embeddings_but_not_for_their_length() {
    let mut envoy = envoy();
    let answer = ask(&mut envoy, "groq", r#","encoding_format":"base64","user":"u""#);
    assert_eq!(vectors(&answer), [json!("AACAPwAAAMA=")]);
    let sent = envoy.last_sent();
    let body = json!({"model": "nomic-embed-text-v1_5", "input": "hello there", "encoding_format": "base64", "user": "u"});
    assert_eq!((sent.header(":path"), sent.json()), ("/v1/embeddings", body));
    let answer = ask(&mut envoy, "groq", r#","dimensions":2"#);
    assert_eq!((answer.status, &answer.error()["param"]), (400, &json!("dimensions")), "{}", answer.text());
    assert_eq!(envoy.sent.len(), 1);
}

#[test]
fn bad_requests_are_refused_before_anybody_is_asked() {
    let mut envoy = envoy();
    for (body, status, code) in [
        ("", 400, Value::Null),
        ("{", 400, json!("invalid_json")),
        (r#"{"model":"small"}"#, 400, json!("missing_required_parameter")),
        (r#"{"model":"small","input":[]}"#, 400, json!("invalid_value")),
        (r#"{"model":"nobody","input":"x"}"#, 404, json!("model_not_found")),
    ] {
        let answer = ask_for(&mut envoy, body);
        assert_eq!((answer.status, &answer.error()["code"]), (status, &code), "{body}");
    }
    for (more, param) in [
        (r#""input":["x",""]"#, "input[1]"),
        (r#""input":[[1],[1,"x"]]"#, "input[1][1]"),
        (r#""input":"x","user":{}"#, "user"),
        (r#""input":"x","dimensions":[]"#, "dimensions"),
        (r#""input":"x","encoding_format":1"#, "encoding_format"),
    ] {
        let answer = ask_for(&mut envoy, &format!(r#"{{"model":"small",{more}}}"#));
        assert_eq!((answer.status, &answer.error()["param"]), (400, &json!(param)), "{more}");
    }
    assert!(envoy.sent.is_empty());
}

/// What the client is told of the tokens and of the cost, then what the access log is.
fn told(envoy: &Envoy, answer: &Answer) -> [String; 6] {
    let usage = &answer.json()["usage"];
    assert_eq!(usage["prompt_tokens"], usage["total_tokens"]);
    let [tokens, out, by, cost] =
        ["tokens_in", "tokens_out", "usage", "cost_usd"].map(|name| envoy.logged(name));
    let header = answer.header("x-modelgate-cost-usd").to_owned();
    [usage["prompt_tokens"].to_string(), header, tokens, out, by, cost]
}

#[test]
fn what_it_costs_is_told_and_logged() {
    let mut envoy = envoy();
    let answer = ask(&mut envoy, "small", "");
    assert_eq!(told(&envoy, &answer), ["5", "0.00001", "5", "0", "provider", "0.00001"]);
}

#[test]
fn where_a_provider_says_nothing_of_its_usage_the_estimate_is_told_and_charged() {
    let estimated = ["2", "0.000004", "2", "0", "estimated", "0.000004"];
    for (usage, expected) in [
        ("", estimated),
        (r#","usage":null"#, estimated),
        (r#","usage":{}"#, estimated),
        (r#","usage":{"prompt_tokens":0,"total_tokens":0}"#, estimated),
        (r#","usage":{"total_tokens":7}"#, ["7", "0.000014", "7", "0", "provider", "0.000014"]),
    ] {
        for limits in
            [json!([]), json!([{"name": "much", "per": ["consumer"], "tokens": 9000, "window": "day"}])]
        {
            let mut configuration: Value = serde_json::from_str(&configuration()).unwrap();
            configuration["limits"] = limits;
            let body = list_with_usage(usage);
            let mut envoy = Envoy::new(&configuration.to_string())
                .cluster("a", move |_| Response::json(200, body.clone()))
                .cluster("gemini", |_| Response::json(200, gemini(&[NUMBERS])));
            let answer = ask(&mut envoy, "small", "");
            assert_eq!(vectors(&answer), [json!([1, -2])]);
            assert_eq!(told(&envoy, &answer), expected, "{usage}");
            let answer = ask(&mut envoy, "gemini", "");
            assert_eq!(told(&envoy, &answer), estimated, "what Gemini says");
            let answer = ask_for(&mut envoy, r#"{"model":"gemini","input":"."}"#);
            assert_eq!(told(&envoy, &answer)[0], "1", "no input has no tokens");
        }
    }
}
