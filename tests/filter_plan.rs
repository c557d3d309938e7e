//! The whole filter on a fake Envoy: what a request becomes on its way to a provider, what the answer says of how it
//! came, and the endpoints that need no provider.

mod support;

use serde_json::{Value, json};
use support::{CONFIG, End, Envoy, Request, Response, chat, completion, header, stream};

fn envoy() -> Envoy {
    let answer = |sent: &support::Sent| {
        let streams = sent.json()["stream"] == true;
        if streams { Response::stream(stream(&["hello"])) } else { Response::json(200, completion("hello")) }
    };
    Envoy::new(CONFIG).cluster("a", answer).cluster("b", answer).cluster("cluster-of-c", answer)
}

#[test]
fn a_request_goes_where_its_model_is_served() {
    for (asked, cluster, url, model) in [
        ("small", "a", "https://a.example/v1/chat/completions", "small-1"),
        ("little", "a", "https://a.example/v1/chat/completions", "small-1"),
        ("a/small-1", "a", "https://a.example/v1/chat/completions", "small-1"),
        ("a/anything", "a", "https://a.example/v1/chat/completions", "anything"),
        ("other", "b", "https://b.example/prefix/v1/chat/completions", "other-with-a-longer-name"),
        ("last", "cluster-of-c", "http://c.example:8080/v1/chat/completions", "small-1"),
        ("smart", "a", "https://a.example/v1/chat/completions", "small-1"),
    ] {
        let mut envoy = envoy();
        assert_eq!(envoy.ask(Request::chat(chat(asked, ""))).status, 200, "{asked}");
        let sent = envoy.last_sent();
        let sent_url =
            [sent.header(":scheme"), "://", sent.header(":authority"), sent.header(":path")].concat();
        assert_eq!(
            (sent.cluster.as_str(), sent_url.as_str(), &sent.json()["model"]),
            (cluster, url, &json!(model))
        );
        assert_eq!((sent.header(":method"), sent.header("content-type")), ("POST", "application/json"));
    }
}

#[test]
fn a_body_that_needs_no_change_passes_byte_for_byte_in_any_pieces() {
    let body = " {\"model\" : \"small-1\",\n\t\"messages\":[ {\"role\":\"user\",\"content\":\"\\u00e9 \u{e9} \\/\"} ], \"seed\":1e2,\"x\":{} }\n";
    let config = CONFIG.replace("\"aliases\": [\"little\"]", "\"aliases\": [\"small-1\"]");
    for size in [1, 2, 7, 64, body.len()] {
        for end in [End::Separate, End::WithLast] {
            let mut envoy = Envoy::new(&config).answering("a", Response::json(200, completion("hello")));
            envoy.ask(Request::chat(body).in_pieces_of(size).ending(end));
            assert_eq!(envoy.last_sent().text(), body);
        }
    }
}

#[test]
fn an_answer_that_needs_no_change_passes_byte_for_byte_in_any_pieces() {
    let body = completion("\\u00e9 \u{e9} \\/").replace(',', " ,\n");
    for size in [1, 7, 64, body.len()] {
        for end in [End::Separate, End::WithLast, End::Trailers(Vec::new())] {
            let response = Response::json(200, &body).in_pieces_of(size).ending(end);
            let answer = Envoy::new(CONFIG).answering("a", response).ask(Request::chat(chat("small", "")));
            assert_eq!((answer.text(), answer.header("content-type")), (body.as_str(), "application/json"));
        }
    }
}

#[test]
fn only_the_models_name_is_spliced() {
    let body = chat("little", r#", "seed" : 7 ,"metadata":{"model":"little"}"#);
    let mut envoy = envoy();
    envoy.ask(Request::chat(&body));
    assert_eq!(envoy.last_sent().text(), body.replacen("little", "small-1", 1));
}

#[test]
fn usage_is_asked_for_in_every_stream_and_shown_to_those_who_asked() {
    for (options, shown) in [
        ("", false),
        (r#","stream_options":null"#, false),
        (r#","stream_options":{}"#, false),
        (r#","stream_options":{"include_usage":false}"#, false),
        (r#","stream_options":{"include_usage":null,"include_obfuscation":false}"#, false),
        (r#","stream_options":{"include_usage":true}"#, true),
    ] {
        for model in ["small", "other"] {
            let mut envoy = envoy();
            let answer = envoy.ask(Request::chat(chat(model, &format!(r#","stream":true{options}"#))));
            let sent = envoy.last_sent().json();
            assert_eq!(sent["stream_options"]["include_usage"], true, "{options}");
            assert_eq!(
                options.contains("obfuscation"),
                sent["stream_options"].get("include_obfuscation").is_some()
            );
            let has_usage = |chunk: &Value| chunk["usage"].is_object();
            assert_eq!(answer.chunks().iter().any(has_usage), shown, "{options}");
            assert_eq!((answer.said().as_str(), answer.is_finished()), ("hello", true), "{options}");
        }
    }
    let mut envoy = envoy();
    envoy.ask(Request::chat(chat("small", "")));
    assert_eq!(envoy.last_sent().json().get("stream_options"), None, "only streams have options");
}

#[test]
fn an_answer_says_how_it_came_and_no_more() {
    for (more, content_type) in
        [("", "application/json"), (r#","stream":true"#, "text/event-stream; charset=utf-8")]
    {
        let mut envoy = envoy();
        let answer = envoy.ask(Request::chat(chat("little", more)));
        let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| !matches!(*name, "content-length" | "cache-control"));
        names.sort_unstable();
        assert_eq!(
            names,
            [
                ":status",
                "content-type",
                "x-modelgate-attempts",
                "x-modelgate-model",
                "x-modelgate-provider",
                "x-request-id"
            ]
        );
        for (name, value) in [
            ("content-type", content_type),
            ("x-modelgate-provider", "a"),
            ("x-modelgate-model", "small"),
            ("x-modelgate-attempts", "1"),
            ("x-request-id", "request-1"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }
}

#[test]
fn a_providers_own_request_id_goes_before_the_gateways() {
    for name in ["x-request-id", "request-id"] {
        let response = Response::json(200, completion("hello")).with(name, "id-of-the-provider");
        let answer = Envoy::new(CONFIG).answering("a", response).ask(Request::chat(chat("small", "")));
        assert_eq!(answer.header("x-request-id"), "id-of-the-provider", "{name}");
    }
}

#[test]
fn nothing_of_the_clients_headers_reaches_a_provider_but_tracing() {
    let request = Request::chat(chat("small", ""))
        .with("traceparent", "00-1-2-01")
        .with("x-modelgate-provider", "b")
        .with("x-api-key", "key-of-the-client")
        .with("openai-organization", "org-of-the-client")
        .with("x-forwarded-for", "10.0.0.1")
        .with("accept-encoding", "gzip")
        .with("x-envoy-max-retries", "9");
    let mut envoy = envoy();
    assert_eq!(envoy.ask(request).status, 200);
    let sent = envoy.last_sent();
    let mut names: Vec<_> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            ":authority",
            ":method",
            ":path",
            ":scheme",
            "accept",
            "authorization",
            "content-length",
            "content-type",
            "openai-organization",
            "traceparent",
            "user-agent",
            "x-request-id",
        ]
    );
    assert_eq!(
        (sent.header("authorization"), sent.header("openai-organization")),
        ("Bearer key-of-a", "org-of-a")
    );
    let everything = format!(
        "{:?}",
        sent.headers.iter().map(|(_, value)| String::from_utf8_lossy(value)).collect::<Vec<_>>()
    );
    assert!(!everything.contains("of-the-client"), "{everything}");
}

#[test]
fn a_client_cannot_steer_the_router() {
    let steering = [
        "x-envoy-max-retries",
        "x-envoy-retry-on",
        "x-envoy-retry-grpc-on",
        "x-envoy-retriable-status-codes",
        "x-envoy-retriable-header-names",
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-upstream-alt-stat-name",
    ];
    let request =
        steering.iter().fold(Request::chat(chat("smart", "")), |request, name| request.with(name, "7"));
    let mut envoy = envoy();
    envoy.ask(request);
    let routed: Vec<_> = envoy.routed[0].iter().filter(|(name, _)| name.starts_with("x-envoy")).collect();
    let told = [("x-envoy-max-retries", "2"), ("x-envoy-upstream-rq-per-try-timeout-ms", "600000")];
    let told = told.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    assert_eq!(routed, told.iter().collect::<Vec<_>>());
}

#[test]
fn what_a_client_claims_of_the_plan_has_no_effect() {
    let claims =
        ["x-modelgate-provider", "x-modelgate-model", "x-modelgate-attempts", "next", "plan", "wasm.next"];
    let request =
        claims.iter().fold(Request::chat(chat("small", "")), |request, name| request.with(name, "b"));
    let mut envoy = envoy();
    let answer = envoy.ask(request);
    assert_eq!((envoy.tried(), answer.header("x-modelgate-provider")), (vec!["a"], "a"));
}

#[test]
fn what_a_provider_claims_of_the_answer_has_no_effect() {
    let response = Response::json(200, completion("hello"))
        .with("x-modelgate-provider", "forged")
        .with("x-modelgate-dropped", "forged")
        .with("x-envoy-upstream-service-time", "forged")
        .with("content-encoding", "forged");
    let answer = Envoy::new(CONFIG).answering("a", response).ask(Request::chat(chat("small", "")));
    let forged =
        answer.headers.iter().filter(|(_, value)| value == b"forged" || value.starts_with(b"cookie-of"));
    assert_eq!(forged.count(), 0);
    assert_eq!(answer.header("x-modelgate-provider"), "a");
}

#[test]
fn a_request_whose_end_is_told_by_trailers_is_served_without_them() {
    for model in ["small", "other"] {
        let trailers = vec![("x-api-key".to_string(), b"key-of-the-client".to_vec())];
        let mut envoy = envoy();
        let request =
            Request::chat(chat(model, "")).without("content-length").ending(End::Trailers(trailers));
        assert_eq!(envoy.ask(request).status, 200, "{model}");
        let sent = envoy.last_sent();
        assert_eq!(sent.json()["messages"][0]["content"], "hi");
        assert_eq!(header(&sent.headers, "content-length"), Some(sent.body.len().to_string().as_bytes()));
        assert_eq!(sent.trailers.as_deref().unwrap_or_default(), [], "{model}");
    }
}

#[test]
fn a_request_without_a_length_is_sent_with_one() {
    let mut envoy = envoy();
    for model in ["a/small-1", "other"] {
        envoy.ask(Request::chat(chat(model, "")).without("content-length"));
        let sent = envoy.last_sent();
        assert_eq!(sent.header("content-length"), sent.body.len().to_string());
    }
}

#[test]
fn models_are_listed() {
    let mut envoy = envoy();
    let answer = envoy.ask(Request::new("GET", "/v1/models"));
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let list = answer.json();
    assert_eq!(list["object"], "list");
    let ids: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    for id in ["small", "small-b", "other", "last", "smart", "same", "stubborn"] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    for model in list["data"].as_array().unwrap() {
        assert_eq!((&model["object"], &model["created"]), (&json!("model"), &json!(1_700_000_000)));
        assert!(model["owned_by"].is_string());
    }
}

#[test]
fn one_model_is_shown_by_its_name() {
    let mut envoy = envoy();
    for (path, status) in [
        ("/v1/models/small", 200),
        ("/v1/models/smart?x=y", 200),
        ("/v1/models/little", 200),
        ("/v1/models/%73mall", 200),
        ("/v1/models/nothing", 404),
        ("/v1/models/%ff%zz%", 404),
    ] {
        let answer = envoy.ask(Request::new("GET", path));
        assert_eq!(answer.status, status, "{path}");
        if status == 404 {
            let error = answer.error();
            assert_eq!((&error["code"], &error["param"]), (&json!("model_not_found"), &json!("model")));
        } else {
            assert_eq!(answer.json()["object"], "model");
        }
    }
}

#[test]
fn health_is_told() {
    let answer = envoy().ask(Request::new("GET", "/healthz"));
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
    assert_eq!(answer.header("x-request-id"), "request-1");
}

#[test]
fn other_paths_and_methods_are_refused_in_openais_form() {
    let mut envoy = envoy();
    for (method, path, status, code) in [
        ("POST", "/v1/completions", 404, "unknown_url"),
        ("GET", "/", 404, "unknown_url"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("GET", "/v1/embeddings", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/small", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ] {
        let answer = envoy.ask(Request::new(method, path));
        let error = answer.error();
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{method} {path}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().unwrap().contains(path), "{error}");
        assert_eq!(answer.header("allow").is_empty(), status == 404);
    }
    let answer =
        envoy.ask(Request { headers: Request::new("POST", "/v1/images").headers, ..Request::chat("{}") });
    assert_eq!(answer.status, 404, "the body of a refused request is nobody's");
}
