//! The root contexts: read the configuration, make a context for each stream.

use super::abi::{self, Buffer};
use super::books;
use super::downstream::Downstream;
use super::flights;
use super::provider::Provider;
use crate::config::Config;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::rc::Rc;

/// Makes the root context of a role.
#[must_use]
pub fn root(context: u32) -> Box<dyn RootContext> {
    Box::new(Root { context, role: Role::default() })
}

struct Root {
    /// Its number.
    context: u32,
    role: Role,
}

#[derive(Default)]
enum Role {
    /// Nothing is configured yet, or the role is `idle`.
    #[default]
    Idle,
    Gateway(Rc<Config>),
    Provider(Rc<Config>),
}

struct Idle;
impl Context for Idle {}
impl HttpContext for Idle {}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let role = abi::property("plugin_root_id").unwrap_or_default();
        let make = match role.as_slice() {
            b"gateway" => Role::Gateway,
            b"provider" => Role::Provider,
            b"idle" => return true,
            other => {
                let found = String::from_utf8_lossy(other);
                log::error!("root_id: unknown role '{found}': expected 'gateway' or 'provider'");
                return false;
            }
        };
        let document = abi::buffer(Buffer::PluginConfiguration, 0, size).unwrap_or_default();
        match Config::parse(&document, &|name| std::env::var(name).ok()) {
            Ok(config) => {
                if let Role::Gateway(config) = make(Rc::new(config)).remember(self) {
                    config.warnings().iter().for_each(|warning| log::warn!("{warning}"));
                    if (config.has_limits() || config.has_waits()) && abi::tick_every(books::TICK).is_err() {
                        log::error!("Envoy refused to give this worker ticks");
                        return false;
                    }
                }
                true
            }
            Err(problems) => {
                log::error!("the configuration is refused:\n{problems}");
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let Role::Gateway(config) = &self.role else { return };
        if config.has_limits() {
            books::tick();
        }
        flights::tick(books::now(), self.context);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.role {
            Role::Idle => Box::new(Idle),
            Role::Gateway(config) => Box::new(Downstream::new(Rc::clone(config), context)),
            Role::Provider(config) => Box::new(Provider::new(Rc::clone(config))),
        })
    }
}

impl Role {
    fn remember(self, root: &mut Root) -> &Self {
        root.role = self;
        &root.role
    }
}
