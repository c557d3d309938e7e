//! The whole filter on a fake Envoy: what Envoy says by itself, when no provider answered, is put into OpenAI's form;
//! and the fake keeps Envoy's rules where the filter does not rely on them yet.

mod support;

use serde_json::json;
use support::{CONFIG, Envoy, Request, Response, Status, chat, completion, world};

#[test]
fn what_envoy_says_by_itself_is_said_in_openais_form() {
    let long = chat("small", &format!(r#","metadata":"{}""#, "x".repeat(5000)));
    let whole = Response::json(200, completion(&"x".repeat(5000)));
    for (what, response, body, limits, status, code) in [
        ("no connection", Response::refused(), chat("small", ""), None, 503, "provider_unavailable"),
        ("no healthy host", Response::refused(), chat("other", ""), None, 503, "provider_unavailable"),
        ("no answer in time", Response::silence(), chat("small", ""), None, 504, "timeout"),
        ("too long a request", Response::refused(), long, Some((1000, 1000)), 413, "request_too_large"),
        (
            "too long an answer",
            whole.clone(),
            chat("small", ""),
            Some((1000, 1000)),
            502,
            "bad_provider_response",
        ),
    ] {
        let mut envoy = Envoy::new(CONFIG).answering("a", response);
        envoy.limits = limits.unwrap_or(envoy.limits);
        let answer = envoy.ask(Request::chat(body).in_pieces_of(600));
        let error = answer.error();
        assert_eq!((answer.status, error["code"].as_str()), (status, Some(code)), "{what}: {error}");
        assert_eq!(answer.header("content-type"), "application/json", "{what}");
        assert_eq!(answer.header("x-request-id"), "request-1", "{what}");
        let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
        assert_eq!(error["type"], kind, "{what}");
    }
}

#[test]
fn a_whole_answer_over_envoys_limit_in_pieces_is_an_error() {
    let response = Response::json(200, completion(&"x".repeat(5000))).in_pieces_of(600);
    let mut envoy = Envoy::new(CONFIG).answering("a", response);
    envoy.limits.1 = 1000;
    let answer = envoy.ask(Request::chat(chat("small", "")));
    assert_eq!(answer.error()["code"], json!("bad_provider_response"));
}

#[test]
fn a_long_stream_is_no_matter_for_envoys_limit() {
    let texts = vec!["0123456789"; 200];
    let mut envoy =
        Envoy::new(CONFIG).answering("a", Response::stream(support::stream(&texts)).in_pieces_of(600));
    envoy.limits.1 = 1000;
    let answer = envoy.ask(Request::chat(chat("small", r#","stream":true"#)));
    assert_eq!((answer.said(), answer.is_finished()), (texts.concat(), true));
}

#[test]
fn no_key_is_logged_or_shown() {
    let config = CONFIG.replace("\"api_key\": \"none\"", "\"api_key\": {\"value\": \"key-of-c\"}");
    let echo = |sent: &support::Sent| {
        let said =
            String::from_utf8_lossy(support::header(&sent.headers, "authorization").unwrap_or_default())
                .into_owned();
        Response::error(401, &format!("no such key: {said}"))
    };
    let mut envoy = Envoy::new(&config).cluster("a", echo).cluster("b", echo).cluster("cluster-of-c", echo);
    let answer = envoy.ask(Request::chat(chat("smart", "")));
    assert_eq!(envoy.tried().len(), 3);
    let log = world(|world| format!("{:?}", world.log)) + &format!("{:?}", envoy.filter_state.borrow());
    assert!(!log.contains("key-of"), "{log}");
    assert_eq!(answer.error()["message"].as_str().map(|message| message.contains("key-of-a")), Some(false));
}

#[test]
fn a_configuration_that_is_wrong_is_refused_and_says_where() {
    let wrong = CONFIG.replace("\"model\": \"other\"", "\"model\": \"othre\"");
    let refused = std::panic::catch_unwind(|| Envoy::new(&wrong)).err().expect("it is refused");
    let said = refused.downcast_ref::<String>().expect("a message");
    assert!(said.contains("routes.smart.targets[1]") && said.contains("othre"), "{said}");
}

#[test]
fn shared_data_is_written_by_whoever_saw_the_last_version() {
    Envoy::new(CONFIG);
    let read = || world(|world| world.shared("k").map(|(value, version)| (value.to_vec(), version)));
    let write = |value: &[u8], version| world(|world| world.share("k", value, version));
    assert_eq!(read(), None);
    assert_eq!(write(b"1", u32::MAX), Status::Ok, "any version writes what is not there");
    let (value, version) = read().unwrap();
    assert_eq!(value, b"1");
    assert_eq!(write(b"2", u32::MAX), Status::CasMismatch);
    assert_eq!(write(b"2", version), Status::Ok, "the last version");
    assert_eq!(write(b"3", version), Status::CasMismatch);
    assert_eq!(write(b"4", 0), Status::Ok, "no version is any version");
    world(|world| world.contention = 1);
    let (_, version) = read().unwrap();
    assert_eq!(write(b"5", version), Status::CasMismatch, "another worker was first");
    assert_eq!(read().unwrap().0, b"4");
}
