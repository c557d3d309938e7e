//! The filter's roles in Envoy: the only module that knows proxy-wasm.
//!
//! Which role a context has is Envoy's `root_id`: `gateway` in the HTTP connection manager's chain,
//! `provider` in a provider cluster's upstream chain. `idle` does nothing, and is what the cost of
//! the rest is measured against.

mod abi;
mod books;
mod callers;
mod downstream;
mod flights;
mod gateway;
mod held;
mod live;
mod provider;
mod root;
mod settle;
mod token;

pub use root::root;

#[cfg(target_family = "wasm")]
mod start {
    #[global_allocator]
    static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
        proxy_wasm::set_root_context(super::root);
    }}
}
