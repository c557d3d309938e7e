//! A client's stream as Envoy calls it: the request behind it is also reached from other streams, when it waits for one of them.

use super::gateway::Gateway;
use crate::config::Config;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::rc::Rc;

/// A stream of the gateway role.
pub(super) struct Downstream(Rc<RefCell<Gateway>>);

impl Downstream {
    pub fn new(config: Rc<Config>, context: u32) -> Self {
        Self(Rc::new_cyclic(|itself| RefCell::new(Gateway::new(config, context, itself.clone()))))
    }

    /// Has the request do something. Callbacks do not nest, so nobody else has it borrowed.
    fn act(&self, act: impl FnOnce(&mut Gateway) -> Action) -> Action {
        self.0.try_borrow_mut().map_or(Action::Pause, |mut gateway| act(&mut gateway))
    }
}

impl Context for Downstream {
    fn on_http_call_response(&mut self, _: u32, headers: usize, size: usize, _: usize) {
        self.act(|gateway| {
            gateway.on_call_response(headers > 0, size);
            Action::Continue
        });
    }
}

impl HttpContext for Downstream {
    fn on_http_request_headers(&mut self, _: usize, ends: bool) -> Action {
        self.act(|gateway| gateway.on_request_headers(ends))
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        self.act(|gateway| gateway.on_request_body(size, ends))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.act(Gateway::on_request_trailers)
    }

    fn on_http_response_headers(&mut self, _: usize, ends: bool) -> Action {
        self.act(|gateway| gateway.on_response_headers(ends))
    }

    fn on_http_response_body(&mut self, _: usize, _: bool) -> Action {
        self.act(Gateway::on_response_body)
    }

    fn on_log(&mut self) {
        self.act(|gateway| {
            gateway.on_log();
            Action::Continue
        });
    }
}
