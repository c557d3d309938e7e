//! The root contexts: read the configuration, make a context for each stream.

use super::abi::{self, Buffer};
use super::books;
use super::exports::Context;
use super::flights;
use super::gateway::Gateway;
use super::metrics;
use super::provider::Provider;
use super::watcher;
use crate::classify::Classifier;
use crate::config::Config;
use crate::observe::CIRCUIT;
use std::cell::RefCell;
use std::rc::Rc;

/// A role, which makes a context for each stream.
pub(super) struct Root {
    /// Its number.
    context: u32,
    role: RefCell<Role>,
}

#[derive(Default, Clone)]
enum Role {
    /// Nothing is configured yet, or the role is `idle`.
    #[default]
    Idle,
    Gateway(Rc<Config>, Option<Rc<Classifier>>),
    Provider(Rc<Config>),
    Watcher(Rc<Config>),
}

/// The gateway role, with what it makes of the configuration once.
fn gateway(config: Rc<Config>) -> Role {
    let classifier = config.tasks().map(|tasks| Rc::new(Classifier::new(tasks)));
    Role::Gateway(config, classifier)
}

/// Tells how requests get to the next target, where Envoy's retries do not see to that, and where they cannot.
fn tell_fallback(config: &Config) {
    if let Some(lack) = config.fallback().lack() {
        return log::info!("{lack}");
    }
    let number = |path| Some(u64::from_le_bytes(abi::property(path).ok()?.try_into().ok()?));
    let major = number("xds\0node\0user_agent_build_version\0version\0major_number");
    let minor = number("xds\0node\0user_agent_build_version\0version\0minor_number");
    if let Some(version) = major.zip(minor)
        && version < REFRESHES
    {
        let (major, minor) = version;
        log::warn!(
            "Envoy {major}.{minor} retries in the cluster that has failed: say `fallback: calls` or `none`"
        );
    }
}

/// The Envoy from which on a retry may go to another cluster.
const REFRESHES: (u64, u64) = (1, 39);

impl Root {
    pub fn new(context: u32) -> Self {
        Self { context, role: RefCell::default() }
    }

    /// Reads the configuration, `size` bytes of it. Says whether it is one.
    pub fn configure(&self, size: usize) -> bool {
        let role = abi::property("plugin_root_id").unwrap_or_default();
        let make: fn(Rc<Config>) -> Role = match role.as_slice() {
            b"gateway" => gateway,
            b"provider" => Role::Provider,
            b"watcher" => Role::Watcher,
            b"idle" => return true,
            other => {
                let found = String::from_utf8_lossy(other);
                log::error!("root_id: unknown role '{found}': expected 'gateway', 'provider' or 'watcher'");
                return false;
            }
        };
        let document = abi::buffer(Buffer::PluginConfiguration, 0, size).unwrap_or_default();
        match Config::parse(&document, &|name| std::env::var(name).ok()) {
            Ok(config) => {
                books::adopt(&config);
                let role = make(Rc::new(config));
                if let Role::Gateway(config, _) = &role {
                    config.warnings().iter().for_each(|warning| log::warn!("{warning}"));
                    tell_fallback(config);
                    let ticks = config.has_limits()
                        || config.has_waits()
                        || config.health().is_some()
                        || config.auth().has_admin();
                    if ticks && abi::tick_every(books::TICK).is_err() {
                        log::error!("Envoy refused to give this worker ticks");
                        return false;
                    }
                }
                if let Role::Watcher(config) = &role {
                    if config.admin_cluster().is_none() {
                        log::warn!("the watcher has nobody to ask: health.admin_cluster is not set");
                    } else if abi::tick_every(watcher::TICK).is_err() {
                        log::error!("Envoy refused to give the watcher ticks");
                        return false;
                    }
                }
                self.role.replace(role);
                true
            }
            Err(problems) => {
                log::error!("the configuration is refused:\n{problems}");
                false
            }
        }
    }

    /// A second has gone by.
    pub fn tick(&self) {
        let config = match self.role.borrow().clone() {
            Role::Gateway(config, _) => config,
            Role::Watcher(config) => return watcher::ask(&config, self.context),
            Role::Provider(_) | Role::Idle => return,
        };
        books::tick(config.has_limits());
        books::circuits(|target, state| metrics::tell(&CIRCUIT, &[("gen_ai_response_model", target)], state));
        flights::tick(books::now(), self.context);
    }

    /// The context of a stream.
    pub fn stream(&self, context: u32) -> Context {
        match &*self.role.borrow() {
            Role::Idle | Role::Watcher(_) => Context::Idle,
            Role::Gateway(config, classifier) => {
                Context::Gateway(Gateway::new(Rc::clone(config), classifier.clone(), context))
            }
            Role::Provider(config) => {
                Context::Provider(Rc::new(RefCell::new(Provider::new(Rc::clone(config)))))
            }
        }
    }
}
