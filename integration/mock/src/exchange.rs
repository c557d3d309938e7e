//! One request to a provider, from its body to the answer.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::answer::{Answer, Usage};
use crate::ask::text_of;
use crate::directives::{Directives, ErrorBody};
use crate::embeddings::{Embedded, embed};
use crate::failure::{Failure, Kind};
use crate::playback::{Event, Playback, steps};
use crate::record::{Ending, Entry};
use crate::route::{Dialect, Form, Route, Target};
use crate::server::{Link, Shared};

/// The connection shall be reset without an answer.
#[derive(Debug)]
pub struct Reset;

/// An answer before it is sent.
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    events: Vec<Event>,
    /// A stream has no declared length.
    stream: bool,
}

/// Answers one recorded request.
pub async fn exchange(
    shared: &Shared,
    link: &Link,
    route: &Route,
    entry: Arc<Entry>,
) -> Result<Response<Playback>, Reset> {
    let waiting = Waiting(entry.clone());
    let body: Result<Value, String> = serde_json::from_slice(&entry.body).map_err(|e| e.to_string());
    let named = match (&route.target, &body) {
        (Target::Chat { model: Some(model), .. } | Target::Embeddings { model: Some(model) }, _) => {
            model.as_str()
        }
        (_, Ok(body)) => text_of(body, "model"),
        _ => "",
    };
    let (model, told) = told(shared, route, named, &entry);
    let lax = told.clone().unwrap_or_default();
    if lax.reset && lax.cut.is_none() {
        entry.end(Ending::Cut);
        link.reset.store(true, Ordering::Relaxed);
        return Err(Reset);
    }
    if lax.delay_headers > 0 {
        sleep(Duration::from_millis(lax.delay_headers)).await;
    }
    if lax.hold {
        shared.lanes.hold(&route.lane).await;
    }
    let told = told.map_err(Failure::bad);
    let reply = match told.and_then(|told| reply(shared, route, &entry, model, &body, &told)) {
        Ok(reply) => reply,
        Err(failure) => {
            let reply = failed(route, &failure, None, model);
            let _ = entry.refused.set(format!("{:?}: {}", failure.kind, failure.message));
            reply
        }
    };
    drop(waiting.defused());
    Ok(send(reply, &lax, link, entry))
}

/// Notes that the client went away if it does so before there is an answer.
struct Waiting(Arc<Entry>);

impl Waiting {
    fn defused(self) -> Arc<Entry> {
        let entry = self.0.clone();
        std::mem::forget(self);
        entry
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end(Ending::ClientClosed);
    }
}

/// The model and what shall be done: the model's directives, and over them the lane's next.
fn told<'a>(
    shared: &Shared,
    route: &Route,
    named: &'a str,
    entry: &Entry,
) -> (&'a str, Result<Directives, String>) {
    let (model, told) = Directives::of_model(named);
    let next = shared.lanes.next_directive(&route.lane, route.provider);
    let suffix = &named[model.len()..];
    if next.is_some() || !suffix.is_empty() {
        let _ = entry.told.set(json!({"model": suffix, "script": next}));
    }
    let told = told.and_then(|mut told| next.map_or(Ok(()), |next| told.extend(&next)).map(|()| told));
    (model, told)
}

/// What is answered, or why the request is refused.
fn reply(
    shared: &Shared,
    route: &Route,
    entry: &Entry,
    model: &str,
    body: &Result<Value, String>,
    told: &Directives,
) -> Result<Reply, Failure> {
    let dialect = route.dialect;
    if !told.lax {
        dialect.admit(route.provider, &entry.uri, &entry.headers)?;
    }
    let form = match &route.target {
        Target::Models if entry.method == Method::GET => {
            return Ok(one_piece(route, 200, Form::Whole, dialect.models().to_string()));
        }
        Target::Chat { form, .. } if entry.method == Method::POST => *form,
        Target::Embeddings { .. } if entry.method == Method::POST => Form::Whole,
        _ => return Err(Failure::of(Kind::NotFound)),
    };
    let body = body.as_ref().map_err(|why| unreadable(dialect, why))?;
    if !told.lax {
        let json = entry.header("content-type").is_some_and(|t| t.starts_with("application/json"));
        if !json && dialect != Dialect::Gemini {
            let found = entry.header("content-type").unwrap_or("none");
            return Err(Failure::bad(format!(
                "Unsupported content type: '{found}'. Use 'application/json'."
            )));
        }
        if matches!(route.target, Target::Chat { .. }) {
            dialect.check(route.provider, model, body)?;
        }
        if model.starts_with("no-such") {
            return Err(Failure::of(Kind::ModelNotFound));
        }
    }
    if matches!(route.target, Target::Embeddings { .. }) {
        return embedded(route, entry, model, body, told);
    }
    let mut ask = dialect.read(body, model, entry.body.len());
    // Mistral tells of the usage unasked, and rejects being asked.
    ask.include_usage |= route.provider == "mistral";
    let form = if ask.stream { Form::Events } else { form };
    if let Some(id) = &told.replay {
        return replayed(shared, id);
    }
    if let Some(raw) = &told.raw {
        return Ok(one_piece(route, told.status.unwrap_or(200), form, raw.clone()));
    }
    if told.garbage {
        let text = if form == Form::Events { BROKEN_EVENTS } else { NOT_JSON };
        return Ok(one_piece(route, told.status.unwrap_or(200), form, text.into()));
    }
    let streamed = form != Form::Whole;
    if let (Some((status, body)), false) = (told.failure(), streamed && told.error_after.is_some()) {
        return Ok(failed_as_told(route, form, status, body, model));
    }
    let answer = Answer::to(&ask, route.provider, told);
    if let (Some(usage), None) = (answer.usage, told.error_after) {
        let _ = entry.usage.set(usage);
    }
    if !streamed {
        if told.error_after.is_some() {
            return Ok(failed(route, &Failure::of(Kind::Overloaded), None, model));
        }
        let whole = dialect.whole(&ask, &answer, route.provider);
        return Ok(one_piece(route, told.status.unwrap_or(200), form, whole));
    }
    let mut events = dialect.events(form, &ask, &answer, route.provider, told);
    if let Some(after) = told.error_after {
        let kind = match told.failure() {
            Some((_, ErrorBody::Vendor(kind))) => kind,
            _ => Kind::Overloaded,
        };
        let error = dialect.error(route.provider, &Failure::of(kind), model).body;
        break_off(&mut events, after, |first| dialect.error_event(form, &error, first));
    }
    let mut headers = usual_headers(route);
    headers.push(("content-type".into(), dialect.content_type(form).into()));
    Ok(Reply { status: told.status.unwrap_or(200), headers, events, stream: true })
}

/// Embeddings, or what is told in their place.
fn embedded(
    route: &Route,
    entry: &Entry,
    model: &str,
    body: &Value,
    told: &Directives,
) -> Result<Reply, Failure> {
    if let Some(raw) = &told.raw {
        return Ok(one_piece(route, told.status.unwrap_or(200), Form::Whole, raw.clone()));
    }
    if told.garbage {
        return Ok(one_piece(route, told.status.unwrap_or(200), Form::Whole, NOT_JSON.into()));
    }
    if let Some((status, body)) = told.failure() {
        return Ok(failed_as_told(route, Form::Whole, status, body, model));
    }
    let Embedded { body, tokens } = embed(route.dialect, route.provider, model, body, !told.lax)?;
    let _ = entry.usage.set(Usage { prompt: tokens, ..Usage::default() });
    Ok(one_piece(route, told.status.unwrap_or(200), Form::Whole, body))
}

const BROKEN_EVENTS: &str = "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"del\n\nnot an event at all\n\n\
                             event: \ndata: <html>\n\n";
const NOT_JSON: &str = "<!doctype html><title>200 OK</title><p>This is not what you asked for.";

fn unreadable(dialect: Dialect, why: &str) -> Failure {
    Failure::bad(match dialect {
        Dialect::OpenAi => "We could not parse the JSON body of your request. (HINT: This likely means you aren't \
                            using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was \
                            sent was not valid JSON.)"
            .to_owned(),
        Dialect::Anthropic => format!("The request body is not valid JSON: {why}"),
        Dialect::Gemini => format!("Invalid JSON payload received. {why}"),
    })
}

/// Ends a stream with an error after so many content events.
fn break_off(events: &mut Vec<Event>, after: usize, error: impl FnOnce(bool) -> Event) {
    let contents = events.iter().enumerate().filter(|(_, e)| e.content).map(|(n, _)| n);
    let at = contents.clone().nth(after).or_else(|| contents.last().map(|n| n + 1));
    events.truncate(at.unwrap_or(events.len()));
    events.push(error(events.is_empty()));
}

fn usual_headers(route: &Route) -> Vec<(String, String)> {
    route.dialect.headers().into_iter().map(|(n, v)| (n.to_owned(), v)).collect()
}

fn one_piece(route: &Route, status: u16, form: Form, text: String) -> Reply {
    let mut headers = usual_headers(route);
    headers.push(("content-type".into(), route.dialect.content_type(form).into()));
    Reply {
        status,
        headers,
        events: vec![Event { bytes: text.into(), content: true }],
        stream: form != Form::Whole,
    }
}

fn replayed(shared: &Shared, id: &str) -> Result<Reply, Failure> {
    let Some(recording) = shared.recordings.of(id) else {
        return Err(Failure::bad(format!("mock: no recording {id:?}")));
    };
    let headers = recording.headers.clone();
    Ok(Reply {
        status: recording.status,
        headers,
        events: recording.events.clone(),
        stream: recording.stream,
    })
}

fn failed(route: &Route, failure: &Failure, status: Option<u16>, model: &str) -> Reply {
    let mut error = route.dialect.error(route.provider, failure, model);
    let mut headers = usual_headers(route);
    if route.dialect == Dialect::Anthropic && error.body.get("type").is_some() {
        let id = headers.iter().find(|(name, _)| name == "request-id").map(|(_, id)| id.as_str());
        error.body["request_id"] = json!(id);
    }
    let status = status.unwrap_or(error.status);
    if route.dialect == Dialect::Gemini {
        error.body["error"]["code"] = status.into();
    }
    headers.extend(error.headers.into_iter().map(|(n, v)| (n.to_owned(), v)));
    // Google answers errors on its streaming path in the stream's own wrapping.
    let (kind, text) = match route.target {
        Target::Chat { form: Form::Array, .. } => {
            (route.dialect.content_type(Form::Array), format!("[{:#}\n]\n", error.body))
        }
        Target::Chat { form: Form::Events, .. } => {
            (route.dialect.content_type(Form::Events), format!("{:#}\n", error.body))
        }
        _ if route.dialect == Dialect::Gemini => {
            (route.dialect.content_type(Form::Whole), format!("{:#}\n", error.body))
        }
        _ => (route.dialect.content_type(Form::Whole), error.body.to_string()),
    };
    headers.push(("content-type".into(), kind.into()));
    Reply { status, headers, events: vec![Event { bytes: text.into(), content: true }], stream: false }
}

fn failed_as_told(route: &Route, form: Form, status: Option<u16>, body: ErrorBody, model: &str) -> Reply {
    match body {
        ErrorBody::Vendor(kind) => failed(route, &Failure::of(kind), status, model),
        ErrorBody::Empty => {
            let mut reply = one_piece(route, status.unwrap_or(500), form, String::new());
            reply.stream = false;
            reply
        }
        ErrorBody::Html => {
            let status = status.unwrap_or(502);
            let page = format!(
                "<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>{status} Bad \
                 Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
            );
            let headers =
                vec![("content-type".into(), "text/html".into()), ("server".into(), "cloudflare".into())];
            Reply {
                status,
                headers,
                events: vec![Event { bytes: page.into(), content: true }],
                stream: false,
            }
        }
    }
}

/// Puts a reply on its way, as told.
fn send(reply: Reply, told: &Directives, link: &Link, entry: Arc<Entry>) -> Response<Playback> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    entry.status.store(status.as_u16(), Ordering::Relaxed);
    let length: usize = reply.events.iter().map(|e| e.bytes.len()).sum();
    let chunked = reply.stream || told.end.is_some() || !told.trailers.is_empty();
    let steps: VecDeque<_> = steps(reply.events, told);
    let mut playback = Playback::new(steps, (!chunked).then_some(length as u64), entry);
    if told.reset {
        playback = playback.resetting(link.reset.clone());
    }
    let mut response = Response::new(playback);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in reply.headers.iter().chain(&told.headers) {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        match HeaderValue::from_bytes(value.as_bytes()) {
            Ok(value) if !value.is_empty() => headers.insert(name, value),
            _ => headers.remove(name),
        };
    }
    if !told.trailers.is_empty() {
        let names: Vec<&str> = told.trailers.iter().map(|(name, _)| name.as_str()).collect();
        HeaderValue::from_str(&names.join(", ")).map(|names| headers.insert("trailer", names)).ok();
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    response
}

/// An answer of the mock itself.
pub fn plain(status: StatusCode, body: &Value) -> Response<Playback> {
    let mut response = Response::new(Playback::unrecorded(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
