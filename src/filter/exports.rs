//! What Envoy calls, and which context it is for: the exported half of the proxy-wasm ABI 0.2.1.
//!
//! It is here and not the SDK's, because that one panics where a number is not known or a callback comes within another one, and
//! exports all there is: each function that is exported and does nothing costs a way into the VM for each stream.

#![allow(unsafe_code)]

use super::abi::{self, Action};
use super::gateway::Gateway;
use super::provider::Provider;
use super::root::Root;
use super::roster::Roster;
use super::watcher;
use std::cell::RefCell;
use std::rc::Rc;

/// What a context is, by what the host calls its number.
#[derive(Clone)]
pub(super) enum Context {
    Root(Rc<Root>),
    Gateway(Rc<RefCell<Gateway>>),
    Provider(Rc<RefCell<Provider>>),
    /// Does nothing.
    Idle,
}

thread_local! {
    static CONTEXTS: RefCell<Roster<u32, Context>> = const { RefCell::new(Roster::new()) };
    /// For whom a call is on its way.
    static CALLS: RefCell<Roster<u32, u32>> = const { RefCell::new(Roster::new()) };
}

/// The context of this number. It is not kept from being found again meanwhile.
fn context(number: u32) -> Context {
    CONTEXTS.with_borrow(|all| all.find(&number).cloned()).unwrap_or(Context::Idle)
}

/// The answer to the call of this number is for this context.
pub(super) fn expect(call: u32, context: u32) {
    CALLS.with_borrow_mut(|calls| calls.add(call, context));
}

/// Has a stream's role do something. Nothing is done for one that is in the middle of something.
fn act(
    number: u32,
    gateway: impl FnOnce(&mut Gateway) -> Action,
    provider: impl FnOnce(&mut Provider) -> Action,
) -> Action {
    match context(number) {
        Context::Gateway(stream) => stream.try_borrow_mut().map_or(Action::Pause, |mut it| gateway(&mut it)),
        Context::Provider(stream) => {
            stream.try_borrow_mut().map_or(Action::Pause, |mut it| provider(&mut it))
        }
        Context::Root(_) | Context::Idle => Action::Continue,
    }
}

/// The version of the ABI is told by this name.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    abi::lend(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(number: u32, parent: u32) {
    let new = match context(parent) {
        _ if parent == 0 => Context::Root(Rc::new(Root::new(number))),
        Context::Root(root) => root.stream(number),
        _ => Context::Idle,
    };
    CONTEXTS.with_borrow_mut(|all| all.add(number, new));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(number: u32, size: usize) -> bool {
    match context(number) {
        Context::Root(root) => root.configure(size),
        _ => false,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(number: u32) {
    if let Context::Root(root) = context(number) {
        root.tick();
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(number: u32, _: usize, ends: bool) -> Action {
    act(number, |gateway| gateway.on_request_headers(ends), |provider| provider.on_request_headers(ends))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(number: u32, size: usize, ends: bool) -> Action {
    act(
        number,
        |gateway| gateway.on_request_body(size, ends),
        |provider| provider.on_request_body(size, ends),
    )
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(number: u32, _: usize) -> Action {
    act(number, Gateway::on_request_trailers, Provider::on_request_trailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(number: u32, _: usize, ends: bool) -> Action {
    act(number, |gateway| gateway.on_response_headers(ends), |provider| provider.on_response_headers(ends))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(number: u32, size: usize, ends: bool) -> Action {
    act(
        number,
        |gateway| gateway.on_response_body(size, ends),
        |provider| provider.on_response_body(size, ends),
    )
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(number: u32, _: usize) -> Action {
    act(number, |gateway| gateway.on_response_trailers(), Provider::on_response_trailers)
}

/// The host names the root; whom the answer is for is known by the call's number. A stream may be gone meanwhile.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(_: u32, call: u32, headers: usize, size: usize, _: usize) {
    let Some(number) = CALLS.with_borrow_mut(|calls| calls.remove(&call)) else { return };
    match context(number) {
        Context::Gateway(stream) => {
            if let Ok(mut gateway) = stream.try_borrow_mut()
                && abi::act_for(number).is_ok()
            {
                gateway.on_call_response(call, headers > 0, size);
            }
        }
        Context::Root(_) => watcher::on_answer(headers > 0, size),
        Context::Provider(_) | Context::Idle => {}
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(number: u32) {
    act(
        number,
        |gateway| {
            gateway.on_log();
            Action::Continue
        },
        |_| Action::Continue,
    );
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(number: u32) {
    let gone = CONTEXTS.with_borrow_mut(|all| all.remove(&number));
    // What it drops may look for others.
    drop(gone);
}

#[cfg(target_family = "wasm")]
mod start {
    #[global_allocator]
    static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

    unsafe extern "C" {
        fn __wasm_call_ctors();
    }

    /// The first that is called.
    #[unsafe(no_mangle)]
    extern "C" fn _initialize() {
        // SAFETY: nothing else has run.
        unsafe { __wasm_call_ctors() };
        super::super::logger::start();
    }
}
