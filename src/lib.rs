//! modelgate: a multi-model LLM gateway as one proxy-wasm filter for Envoy.
