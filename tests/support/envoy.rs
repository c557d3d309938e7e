//! Envoy's router between a client and scripted providers, with both roles of the filter in place.
//!
//! As measured on Envoy 1.40: the cluster of each attempt is read from the filter state `wasm.next`;
//! an attempt is given the headers as the last one left them and the body as the gateway role left
//! it; 5xx, 408, 429 and a broken connection are tried again, as often as `x-envoy-max-retries`
//! says; a reply of a filter's own is final.
//!
//! What the gateway asks itself comes back by the internal listener, as a request like any other;
//! what it asks other clusters, their scripts answer.

use super::chain::{Filter, Part, Plugin, Way, content_length};
use super::client::{Answer, Ending, Request};
use super::provider::{End, Response};
use super::world::{Call, FilterState, Headers, LocalReply, header, world};
use std::collections::BTreeMap;

type Script = Box<dyn FnMut(&Sent) -> Response>;

/// What a provider was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
}

impl Sent {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        std::str::from_utf8(header(&self.headers, name).unwrap_or_default()).expect("a header that is UTF-8")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is UTF-8")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body that is JSON")
    }
}

/// One Envoy, with one worker.
pub struct Envoy {
    gateway: Plugin,
    provider: Plugin,
    clusters: BTreeMap<String, Script>,
    /// What was sent to providers, in order.
    pub sent: Vec<Sent>,
    /// The headers of each request as the router saw them.
    pub routed: Vec<Headers>,
    /// What the last request left in filter state, for the access log.
    pub filter_state: FilterState,
    /// What the requests have left there that the gateway has made itself.
    pub inner: Vec<FilterState>,
    /// The clusters that were called on behalf of requests that were held, and how long each might take, in milliseconds.
    pub calls: Vec<(String, u32)>,
    /// The claims of a valid token in each request, as `jwt_authn` leaves them under the name `jwt_payload`.
    pub claims: Vec<(&'static str, Vec<u8>)>,
    /// How much Envoy buffers of a request and of a response.
    pub limits: (usize, usize),
    /// Whether the two roles run in VMs of their own, so that neither finds what the other keeps in memory.
    pub vms_apart: bool,
    /// Retries beyond what the filter asked for, as an Envoy that is configured otherwise may make.
    pub surplus_retries: usize,
    /// What the rate limit filter behind the gateway role answers: status, details, `retry-after`; none if it lets requests pass.
    pub limited: Option<(u16, &'static str, &'static str)>,
    /// Of the calls that are under way, the one that was made last is answered first.
    pub last_first: bool,
    /// What is called while an answer flows is answered before the next piece of that comes, rather than after all of them.
    pub answers_at_once: bool,
    requests: usize,
}

/// What an attempt came to.
enum Attempt {
    Done,
    Retry,
    Reply(LocalReply),
}

impl Envoy {
    /// An Envoy of this configuration, which both roles get.
    pub fn new(configuration: &str) -> Self {
        world(super::world::World::begin_anew);
        Self {
            gateway: plugin("gateway", configuration),
            provider: plugin("provider", configuration),
            clusters: BTreeMap::new(),
            sent: Vec::new(),
            routed: Vec::new(),
            filter_state: FilterState::default(),
            inner: Vec::new(),
            calls: Vec::new(),
            claims: Vec::new(),
            limits: (1 << 20, 1 << 20),
            vms_apart: false,
            surplus_retries: 0,
            limited: None,
            last_first: false,
            answers_at_once: false,
            requests: 0,
        }
    }

    /// With another configuration for the provider role, as while a new one is being rolled out.
    pub fn with_providers(mut self, configuration: &str) -> Self {
        self.provider = plugin("provider", configuration);
        self
    }

    /// From now on both roles have this configuration.
    pub fn configure(&mut self, configuration: &str) {
        (self.gateway, self.provider) = (plugin("gateway", configuration), plugin("provider", configuration));
    }

    /// With a cluster whose provider answers as the script says.
    pub fn cluster(mut self, name: &str, script: impl FnMut(&Sent) -> Response + 'static) -> Self {
        self.script(name, script);
        self
    }

    /// From now on a cluster's provider answers so.
    pub fn script(&mut self, name: &str, script: impl FnMut(&Sent) -> Response + 'static) {
        self.clusters.insert(name.to_string(), Box::new(script));
    }

    /// With a cluster whose provider always answers this.
    pub fn answering(self, name: &str, response: Response) -> Self {
        self.cluster(name, move |_| response.clone())
    }

    /// The clusters that were tried, in order.
    pub fn tried(&self) -> Vec<&str> {
        self.sent.iter().map(|sent| sent.cluster.as_str()).collect()
    }

    /// What the last provider was sent.
    pub fn last_sent(&self) -> &Sent {
        self.sent.last().expect("a request to a provider")
    }

    /// What the access log finds in filter state.
    pub fn logged(&self, name: &str) -> String {
        let state = self.filter_state.borrow();
        String::from_utf8(state.get(name).cloned().unwrap_or_default()).expect("a property that is UTF-8")
    }

    /// A second or so has gone by in both roles.
    pub fn tick(&self) {
        self.gateway.tick();
        self.provider.tick();
    }

    /// Serves a request to its end.
    ///
    /// # Panics
    /// If a message has another length than it says, which would make its rest the next message on
    /// that connection; if a message never ends; if anything was logged as an error.
    pub fn ask(&mut self, request: Request) -> Answer {
        self.requests += 1;
        self.filter_state = FilterState::default();
        let claims = self.claims.iter().map(|(name, value)| {
            let path =
                format!("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0jwt_payload\0{name}");
            (path, value.clone())
        });
        let mut gateway = Filter::create(&self.gateway, &self.filter_state, claims.collect());
        let mut client = Client::default();
        if let Err(reply) = self.serve(&mut gateway, &mut client, request) {
            self.reply(&mut gateway, &mut client, reply);
        }
        // An answer that is held waits for somebody else's, which goes to the client past all filters.
        while client.headers.is_none()
            && let Some(call) = gateway.call_under_way(false)
        {
            let answer = self.called(&call);
            gateway.answer(call.token, Some(answer));
            if let Some(Err(reply)) = gateway.conclude() {
                client.receive(parts_of(reply));
            }
        }
        self.resume(&mut gateway, &mut client);
        while let Some(call) = gateway.call_under_way(false) {
            world(|world| world.calls.retain(|other| other.token != call.token));
        }
        gateway.finish(true);
        let errors = world(|world| world.errors().join("\n"));
        assert!(errors.is_empty(), "the filter logged errors:\n{errors}");
        client.received()
    }

    fn serve(
        &mut self,
        gateway: &mut Filter,
        client: &mut Client,
        request: Request,
    ) -> Result<(), LocalReply> {
        let request = request.with("x-request-id", format!("request-{}", self.requests));
        let request_headers = request.headers.clone();
        let mut planned = Vec::new();
        for part in request.parts() {
            planned.extend(gateway.take(Way::Request, part, self.limits.0)?);
        }
        let is_called = header(&request_headers, "x-modelgate-caller").is_some();
        let planned = match whole(planned) {
            Some(planned) => planned,
            None => self.held(gateway, is_called)?,
        };
        let (mut headers, body, trailers) = planned;
        if let Some((status, details, retry_after)) = self.limited {
            let headers = vec![("retry-after".to_string(), retry_after.into())];
            return Err(LocalReply { headers, ..local(status, "limited", details) });
        }
        let retries =
            header(&headers, "x-envoy-max-retries").map(|count| String::from_utf8_lossy(count).parse());
        let mut retries =
            retries.map_or(0, |count| count.expect("a number of retries")) + self.surplus_retries;
        self.routed.push(headers.clone());
        // The router consumes what is meant for it.
        headers.retain(|(name, _)| !name.starts_with("x-envoy-"));
        for number in 1_u64.. {
            let cluster = self.filter_state.borrow().get("next").cloned().unwrap_or_default();
            let cluster = String::from_utf8(cluster).expect("a cluster's name");
            if !self.clusters.contains_key(&cluster) {
                return Err(local(503, "no healthy upstream", "no_healthy_upstream"));
            }
            if self.vms_apart
                && let Some(plan) = self.filter_state.borrow_mut().get_mut("plan")
            {
                // After the version and the attempt: the ticket by which the plan is found in memory.
                plan[5..13].fill(0xFF);
            }
            let attempt = "upstream\0request_attempt_count".to_string();
            let properties = [(attempt, number.to_le_bytes().to_vec())].into();
            let mut provider = Filter::create(&self.provider, &self.filter_state, properties);
            let message = (&mut headers, body.as_slice(), trailers.clone());
            let attempt = self.attempt(&cluster, &mut provider, message, gateway, client, retries > 0);
            provider.finish(false);
            match attempt {
                Attempt::Done => return Ok(()),
                Attempt::Retry => retries -= 1,
                Attempt::Reply(reply) => return Err(reply),
            }
        }
        Ok(())
    }

    /// Has the calls of a request that is held answered, until it goes on.
    fn held(&mut self, gateway: &mut Filter, is_called: bool) -> Result<Message, LocalReply> {
        gateway.expose();
        loop {
            if let Some(parts) = gateway.conclude() {
                return Ok(whole(parts?).expect("a request that goes on is whole"));
            }
            match gateway.call_under_way(self.last_first) {
                Some(call) => {
                    let answer = self.called(&call);
                    gateway.answer(call.token, Some(answer));
                }
                // Nobody answers it, and whoever has asked waits for just that.
                None if is_called => return Err(local(504, "stream timeout", "response_timeout")),
                None => panic!("the gateway role holds the request for ever"),
            }
        }
    }

    /// What is answered to a call. Whoever is silent takes all the time there is.
    fn called(&mut self, call: &Call) -> (Headers, Vec<u8>) {
        self.calls.push((call.cluster.clone(), call.timeout_ms));
        let (headers, body) = if call.cluster == "modelgate_internal" {
            let state = std::mem::take(&mut self.filter_state);
            let end = End::Separate;
            let request = Request { headers: call.headers.clone(), pieces: vec![call.body.clone()], end };
            let answer = self.ask(request);
            self.inner.push(std::mem::replace(&mut self.filter_state, state));
            (answer.headers, answer.body)
        } else {
            let (cluster, headers, body) = (call.cluster.clone(), call.headers.clone(), call.body.clone());
            let script = self.clusters.get_mut(&cluster).expect("a cluster");
            self.sent.push(Sent { cluster, headers, body, trailers: None });
            let response = script(self.sent.last().expect("it was just sent"));
            match (response.headers, response.end) {
                (Some(headers), _) => (headers, response.pieces.concat()),
                (None, End::Stall) => (vec![(":status".to_owned(), b"504".to_vec())], Vec::new()),
                (None, _) => (vec![(":status".to_owned(), b"503".to_vec())], Vec::new()),
            }
        };
        if status(&headers) == 504 {
            world(|world| world.now += u64::from(call.timeout_ms) * 1_000_000);
        }
        (headers, body)
    }

    /// One attempt; `headers` stay as its filter leaves them.
    fn attempt(
        &mut self,
        cluster: &str,
        provider: &mut Filter,
        (headers, body, trailers): (&mut Headers, &[u8], Option<Headers>),
        gateway: &mut Filter,
        client: &mut Client,
        may_retry: bool,
    ) -> Attempt {
        let mut parts =
            vec![Part::Headers(headers.clone(), false), Part::Data(body.to_vec(), trailers.is_none())];
        parts.extend(trailers.map(Part::Trailers));
        let mut outgoing = Vec::new();
        for part in parts {
            match provider.take(Way::Request, part, self.limits.0) {
                Ok(parts) => outgoing.extend(parts),
                Err(reply) => return Attempt::Reply(reply),
            }
        }
        let (sent, body, trailers) = whole(outgoing).expect("the provider role holds the request for ever");
        if let Some(length) = content_length(&sent) {
            assert_eq!(length, body.len(), "the content-length of a request to {cluster} is not its body's");
        }
        headers.clone_from(&sent);
        self.sent.push(Sent { cluster: cluster.to_string(), headers: sent, body, trailers });
        let script = self.clusters.get_mut(cluster).expect("a cluster");
        let response = script(self.sent.last().expect("it was just sent"));
        self.respond(response, provider, gateway, client, may_retry)
    }

    /// Has the calls answered by which an answer is held that has begun; the piece that waits is the client's then.
    fn resume(&mut self, gateway: &mut Filter, client: &mut Client) {
        while client.headers.is_some()
            && !client.cut
            && let Some(call) = gateway.call_under_way(false)
        {
            let answer = self.called(&call);
            client.receive(gateway.answer_within_response(call.token, answer));
        }
    }

    fn respond(
        &mut self,
        response: Response,
        provider: &mut Filter,
        gateway: &mut Filter,
        client: &mut Client,
        may_retry: bool,
    ) -> Attempt {
        let unfinished = match response.end {
            End::Reset => Some((503, "upstream_reset_before_response_started{connection_termination}")),
            End::Unreachable => {
                Some((503, "upstream_reset_before_response_started{remote_connection_failure}"))
            }
            End::Stall => Some((504, "upstream_per_try_timeout")),
            _ => None,
        };
        for part in response.parts() {
            let parts = match provider.take(Way::Response, part, self.limits.1) {
                Ok(parts) => parts,
                Err(reply) => return Attempt::Reply(reply),
            };
            client.arrivals.push(Vec::new());
            for part in parts {
                if let Part::Headers(headers, _) = &part
                    && may_retry
                    && matches!(status(headers), 408 | 429 | 500..)
                {
                    return Attempt::Retry;
                }
                match gateway.take(Way::Response, part, self.limits.1) {
                    Ok(parts) => client.receive(parts),
                    Err(reply) => return Attempt::Reply(reply),
                }
            }
            if self.answers_at_once {
                self.resume(gateway, client);
            }
        }
        match unfinished {
            // Envoy's limit for an attempt ends with the headers of its answer.
            Some((status, _)) if client.headers.is_some() => {
                client.cut = true;
                let details = match status {
                    503 => "upstream_reset_after_response_started{connection_termination}",
                    _ => "downstream_remote_disconnect",
                };
                gateway.know("response\0code_details", details.as_bytes());
            }
            Some(_) if may_retry => return Attempt::Retry,
            Some((status, details)) => return Attempt::Reply(local(status, "upstream failed", details)),
            None => {}
        }
        Attempt::Done
    }

    /// Sends a reply of Envoy's or of a filter's own through the gateway role.
    fn reply(&self, gateway: &mut Filter, client: &mut Client, reply: LocalReply) {
        gateway.know("response\0code_details", reply.details.as_bytes());
        client.arrivals.push(Vec::new());
        for part in parts_of(reply) {
            let parts = gateway.take(Way::Response, part, self.limits.1);
            client.receive(parts.expect("a reply to a reply"));
        }
    }
}

fn parts_of(reply: LocalReply) -> Vec<Part> {
    let mut headers = vec![(":status".to_string(), reply.status.to_string().into_bytes())];
    headers.extend(reply.headers);
    let end = reply.body.is_empty();
    if !end {
        headers.push(("content-length".to_string(), reply.body.len().to_string().into_bytes()));
        if header(&headers, "content-type").is_none() {
            headers.push(("content-type".to_string(), b"text/plain".to_vec()));
        }
    }
    let mut parts = vec![Part::Headers(headers, end)];
    parts.extend((!end).then_some(Part::Data(reply.body, true)));
    parts
}

fn plugin(role: &str, configuration: &str) -> Plugin {
    Plugin::configure(role, configuration.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A reply of Envoy's own.
fn local(status: u16, body: &str, details: &str) -> LocalReply {
    LocalReply { status, headers: Vec::new(), body: body.into(), details: details.to_string() }
}

fn status(headers: &Headers) -> u16 {
    let status = header(headers, ":status").expect("a response has a status");
    std::str::from_utf8(status).unwrap().parse().expect("a status that is a number")
}

/// Headers, body and trailers.
type Message = (Headers, Vec<u8>, Option<Headers>);

/// A message that has ended, out of its parts; none if it has not.
fn whole(parts: Vec<Part>) -> Option<Message> {
    let (mut headers, mut body, mut trailers, mut ended) = (None, Vec::new(), None, false);
    for part in parts {
        assert!(!ended, "something follows the end");
        match part {
            Part::Headers(these, end) => (headers, ended) = (Some(these), end),
            Part::Data(data, end) => {
                body.extend(data);
                ended = end;
            }
            Part::Trailers(these) => (trailers, ended) = (Some(these), true),
        }
    }
    ended.then_some((headers?, body, trailers))
}

/// What has reached the client.
#[derive(Default)]
struct Client {
    headers: Option<Headers>,
    parts: Vec<Part>,
    arrivals: Vec<Vec<u8>>,
    cut: bool,
}

impl Client {
    fn receive(&mut self, parts: Vec<Part>) {
        for part in parts {
            match &part {
                Part::Headers(headers, _) => {
                    assert!(self.headers.is_none(), "a second response");
                    self.headers = Some(headers.clone());
                }
                Part::Data(data, _) => {
                    assert!(self.headers.is_some(), "a body before its headers");
                    self.arrivals.last_mut().expect("upon a piece").extend(data);
                }
                Part::Trailers(_) => {}
            }
            self.parts.push(part);
        }
    }

    fn received(self) -> Answer {
        let headers = self.headers.expect("the client was never answered");
        let ending = if self.cut { Ending::Cut } else { Ending::Complete };
        let (body, trailers) = match whole(self.parts) {
            Some((_, body, trailers)) => (body, trailers),
            None => {
                assert_eq!(ending, Ending::Cut, "an answer without an end");
                (self.arrivals.concat(), None)
            }
        };
        if let (Some(length), Ending::Complete) = (content_length(&headers), ending) {
            assert_eq!(length, body.len(), "the content-length of an answer is not its body's");
        }
        Answer { status: status(&headers), headers, body, arrivals: self.arrivals, trailers, ending }
    }
}
