//! One wasm filter in the chain of a stream, with the rules of Envoy's filter manager.
//!
//! What the filter pauses stays here: headers until it continues, body bytes in a buffer that the
//! next callback sees whole. Headers that have gone on are out of its reach.

use super::world::{Call, Context, FilterState, Headers, LocalReply, World, header, world};
use std::collections::BTreeMap;

unsafe extern "C" {
    fn proxy_on_context_create(context: u32, root: u32);
    fn proxy_on_configure(root: u32, size: usize) -> bool;
    fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_log(context: u32);
    fn proxy_on_delete(context: u32);
    fn proxy_on_tick(context: u32);
    fn proxy_on_http_call_response(context: u32, token: u32, headers: usize, size: usize, trailers: usize);
}

/// proxy-wasm's action `Pause`; the other one is to continue.
const PAUSE: u32 = 1;

/// A piece of a message; the flag tells that nothing follows.
#[derive(Clone, Debug)]
pub enum Part {
    Headers(Headers, bool),
    Data(Vec<u8>, bool),
    Trailers(Headers),
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Request,
    Response,
}

/// A root context: a configured plugin, which makes a filter for each stream.
pub struct Plugin(u32);

impl Plugin {
    /// Configures a role.
    ///
    /// # Errors
    /// What the filter logged when it refused.
    pub fn configure(role: &str, configuration: &[u8]) -> Result<Self, String> {
        modelgate::filter::start_logging();
        let context = Context {
            root_id: role.to_string(),
            configuration: Some(configuration.to_vec()),
            ..Context::default()
        };
        let root = world(|world| {
            let root = world.open(context);
            world.enter(root);
            root
        });
        let accepted = unsafe {
            proxy_on_context_create(root, 0);
            proxy_on_configure(root, configuration.len())
        };
        world(|world| world.enter(root).configuration = None);
        if accepted { Ok(Self(root)) } else { Err(world(|world| world.errors().join("\n"))) }
    }

    /// A second or so has gone by.
    pub fn tick(&self) {
        world(|world| _ = world.enter(self.0));
        unsafe { proxy_on_tick(self.0) };
    }
}

/// The filter of one stream.
pub struct Filter {
    context: u32,
    request: Half,
    response: Half,
}

/// What the filter holds of one message.
#[derive(Default)]
struct Half {
    /// The headers, while the filter pauses them.
    headers: Option<(Headers, bool)>,
    /// The body, while the filter pauses it.
    body: Option<Vec<u8>>,
    /// Whether that is all of it.
    ends: bool,
    /// The trailers, while the filter pauses them.
    trailers: Option<Headers>,
}

impl Filter {
    /// A filter of a plugin; `properties` are what Envoy knows of the stream.
    pub fn create(
        plugin: &Plugin,
        filter_state: &FilterState,
        properties: BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let context = world(|world| {
            let filter_state = filter_state.clone();
            let context = Context { filter_state, properties, ..Context::default() };
            let context = world.open(context);
            world.enter(context);
            context
        });
        unsafe { proxy_on_context_create(context, plugin.0) };
        Self { context, request: Half::default(), response: Half::default() }
    }

    /// Takes a part of a message and returns what goes on; `limit` is how much Envoy buffers.
    ///
    /// # Errors
    /// A reply that goes to the client instead: nothing more of the message is for anybody.
    pub fn take(&mut self, way: Way, part: Part, limit: usize) -> Result<Vec<Part>, LocalReply> {
        let context = self.context;
        match part {
            Part::Headers(headers, end) => {
                self.half(way).headers = Some((headers, end));
                let count = self.half(way).headers.as_ref().map_or(0, |(headers, _)| headers.len());
                let paused = self.call(way, &mut None, || unsafe {
                    match way {
                        Way::Request => proxy_on_request_headers(context, count, end),
                        Way::Response => proxy_on_response_headers(context, count, end),
                    }
                })?;
                Ok(if paused { Vec::new() } else { self.go_on(way, None) })
            }
            Part::Data(data, end) => {
                let mut body = self.half(way).body.take().unwrap_or_default();
                body.extend(data);
                let size = body.len();
                let mut lent = Some(body);
                let paused = self.call(way, &mut lent, || unsafe {
                    match way {
                        Way::Request => proxy_on_request_body(context, size, end),
                        Way::Response => proxy_on_response_body(context, size, end),
                    }
                })?;
                let body = lent.unwrap_or_default();
                if !paused {
                    return Ok(self.go_on(way, Some(Part::Data(body, end))));
                }
                if body.len() > limit {
                    return Err(too_large(way));
                }
                (self.half(way).body, self.half(way).ends) = (Some(body), end);
                Ok(Vec::new())
            }
            Part::Trailers(trailers) => {
                let count = trailers.len();
                world(|world| world.enter(context).maps[way.map() + 1] = Some(trailers));
                // Only what is buffered is at hand here.
                let mut lent = self.half(way).body.take();
                let paused = self.call(way, &mut lent, || unsafe {
                    match way {
                        Way::Request => proxy_on_request_trailers(context, count),
                        Way::Response => proxy_on_response_trailers(context, count),
                    }
                })?;
                let trailers = world(|world| world.enter(context).maps[way.map() + 1].take());
                if paused {
                    (self.half(way).body, self.half(way).trailers) = (lent, trailers);
                    return Ok(Vec::new());
                }
                let mut parts = self.go_on(way, lent.map(|body| Part::Data(body, false)));
                parts.push(Part::Trailers(trailers.unwrap_or_default()));
                Ok(parts)
            }
        }
    }

    /// Puts the request that is held where the VM reaches it from within other contexts' callbacks.
    pub fn expose(&mut self) {
        let (headers, body) = (self.request.headers.take(), self.request.body.take());
        world(|world| {
            let here = world.enter(self.context);
            here.maps[0] = headers.map(|(headers, _)| headers);
            here.bodies[0] = body;
        });
    }

    /// What became of an exposed request: it goes on, or is answered; none if it is still held.
    pub fn conclude(&mut self) -> Option<Result<Vec<Part>, LocalReply>> {
        world(|world| {
            let here = world.enter(self.context);
            if let Some(reply) = here.reply.take() {
                return Some(Err(reply));
            }
            let headers = here.maps[0].take_if(|_| here.goes_on)?;
            let body = here.bodies[0].take().unwrap_or_default();
            Some(Ok(vec![Part::Headers(headers, false), Part::Data(body, true)]))
        })
    }

    /// A call that was made for this stream and is not answered yet: the first one, or the last.
    pub fn call_under_way(&self, last: bool) -> Option<Call> {
        world(|world| {
            let mut calls = world.calls.iter().filter(|call| call.context == self.context);
            if last { calls.next_back() } else { calls.next() }.cloned()
        })
    }

    /// Answers a call that was made for this stream; without headers it has failed.
    pub fn answer(&mut self, token: u32, answer: Option<(Headers, Vec<u8>)>) {
        let sizes = answer.as_ref().map_or((0, 0), |(headers, body)| (headers.len(), body.len()));
        world(|world| {
            world.calls.retain(|call| call.token != token);
            world.enter(self.context).answer = answer;
        });
        unsafe { proxy_on_http_call_response(self.context, token, sizes.0, sizes.1, 0) };
        world(|world| world.enter(self.context).answer = None);
    }

    /// Answers a call that was made while a response's body is held, and returns what of that goes on then.
    pub fn answer_within_response(&mut self, token: u32, answer: (Headers, Vec<u8>)) -> Vec<Part> {
        let body = self.response.body.take();
        world(|world| world.enter(self.context).bodies[Way::Response.body()] = body);
        self.answer(token, Some(answer));
        let (goes_on, body) = world(|world| {
            let here = world.enter(self.context);
            (std::mem::take(&mut here.goes_on), here.bodies[Way::Response.body()].take())
        });
        match body {
            Some(body) if goes_on => {
                let data = Part::Data(body, self.response.ends);
                [data].into_iter().chain(self.response.trailers.take().map(Part::Trailers)).collect()
            }
            body => {
                self.response.body = body;
                Vec::new()
            }
        }
    }

    /// Calls the VM, with what it may reach; tells whether it pauses.
    fn call(
        &mut self,
        way: Way,
        body: &mut Option<Vec<u8>>,
        enter: impl FnOnce() -> u32,
    ) -> Result<bool, LocalReply> {
        let held = self.half(way).headers.take();
        let end = held.as_ref().is_some_and(|(_, end)| *end);
        let lend = |world: &mut World, headers: &mut Option<Headers>, body: &mut Option<Vec<u8>>| {
            let here = world.enter(self.context);
            std::mem::swap(&mut here.maps[way.map()], headers);
            std::mem::swap(&mut here.bodies[way.body()], body);
        };
        let mut headers = held.map(|(headers, _)| headers);
        world(|world| lend(world, &mut headers, body));
        let action = enter();
        world(|world| lend(world, &mut headers, body));
        self.half(way).headers = headers.map(|headers| (headers, end));
        match world(|world| world.enter(self.context).reply.take()) {
            Some(reply) => Err(reply),
            None => Ok(action == PAUSE),
        }
    }

    /// What was held, and then `rest`.
    fn go_on(&mut self, way: Way, rest: Option<Part>) -> Vec<Part> {
        let headers = self.half(way).headers.take();
        let headers = headers.map(|(headers, end)| Part::Headers(headers, end && rest.is_none()));
        headers.into_iter().chain(rest).collect()
    }

    fn half(&mut self, way: Way) -> &mut Half {
        match way {
            Way::Request => &mut self.request,
            Way::Response => &mut self.response,
        }
    }

    /// Tells the filter what Envoy knows by now.
    pub fn know(&self, property: &str, value: &[u8]) {
        world(|world| world.enter(self.context).properties.insert(property.to_string(), value.to_vec()));
    }

    /// The stream is over; an upstream filter is not told to log.
    pub fn finish(self, logs: bool) {
        world(|world| _ = world.enter(self.context));
        unsafe {
            if logs {
                proxy_on_log(self.context);
            }
            proxy_on_delete(self.context);
        }
        world(|world| world.close(self.context));
    }
}

impl Way {
    /// The ABI's number of the header map; its trailers' is the next one.
    fn map(self) -> usize {
        match self {
            Self::Request => 0,
            Self::Response => 2,
        }
    }

    fn body(self) -> usize {
        match self {
            Self::Request => 0,
            Self::Response => 1,
        }
    }
}

/// What Envoy says when it would have to buffer too much.
fn too_large(way: Way) -> LocalReply {
    let (status, body, details) = match way {
        Way::Request => (413, "Payload Too Large", "request_payload_too_large"),
        Way::Response => (500, "Internal Server Error", "response_payload_too_large"),
    };
    LocalReply { status, headers: Vec::new(), body: body.into(), details: details.to_string() }
}

/// A message's length, if it says one.
pub fn content_length(headers: &Headers) -> Option<usize> {
    let length = header(headers, "content-length")?;
    Some(std::str::from_utf8(length).ok()?.parse().expect("a content-length that is a number"))
}
