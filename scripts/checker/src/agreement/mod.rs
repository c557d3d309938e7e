//! What the plugin configuration and Envoy's have to agree on: each of them is valid alone, and together they would not serve.

mod inside;
pub mod plugins;
mod routes;

use crate::document::Document;
use crate::envoy::{Envoy, Role, filters_of};
use crate::finding::Findings;
use crate::yaml::{Node, Place};
use modelgate_config::{Bounds, Vendor};
use std::rc::Rc;

/// Envoy's own limit for what it buffers of a connection, where nothing is said.
const DEFAULT_BUFFER: i64 = 1024 * 1024;

struct Look<'a> {
    envoy: &'a Envoy,
    document: &'a Document,
    findings: &'a mut Findings,
    providers: Vec<Provider<'a>>,
}

/// A provider, as far as Envoy is concerned.
#[derive(Clone, Copy)]
struct Provider<'a> {
    name: &'a str,
    cluster: &'a str,
    at: Place,
}

/// Looks at one document and the Envoy in which it is.
pub fn check(envoy: &Envoy, document: &Document, findings: &mut Findings) {
    let providers = entries(document, "providers").map(|(at, name, raw)| Provider {
        name,
        cluster: raw.word("cluster").unwrap_or(name),
        at: document
            .place(raw.entries().iter().find(|(_, key, _)| key == "cluster").map_or(*at, |(at, ..)| *at)),
    });
    let providers = providers.collect();
    let mut look = Look { envoy, document, findings, providers };
    look.variables();
    if envoy.knows_clusters {
        look.clusters();
        look.internal();
        look.watcher();
    }
    look.managers();
    look.tokens();
}

/// The entries of a section of the document.
fn entries<'d>(
    document: &'d Document,
    section: &str,
) -> impl Iterator<Item = (&'d Place, &'d str, &'d Node)> {
    let entries = document.root.get(section).map_or(&[][..], |section| section.entries());
    entries.iter().map(|(at, name, node)| (at, name.as_str(), &**node))
}

impl Look<'_> {
    /// Variables that hold keys, and that a VM does not get.
    fn variables(&mut self) {
        let machines = self.envoy.plugins.iter().filter(|plugin| plugin.role != Role::Watcher);
        machines
            .filter_map(|plugin| plugin.node.get("vm_config"))
            .for_each(|machine| self.variables_of(machine));
    }

    fn variables_of(&mut self, machine: &Node) {
        let environment = machine.get("environment_variables");
        let listed = environment.and_then(|environment| environment.get("host_env_keys"));
        let listed = listed.map_or(&[][..], |keys| keys.items()).iter().filter_map(|key| key.text());
        let set = environment.and_then(|environment| environment.get("key_values"));
        let set = set.map_or(&[][..], |values| values.entries()).iter().map(|(_, name, _)| name.as_str());
        let known: Vec<_> = listed.chain(set).collect();
        let mut wanted = Vec::new();
        for (at, name, raw) in entries(self.document, "providers") {
            let path = format!("providers.{name}.api_key");
            match raw.get("api_key") {
                Some(key) => {
                    wanted.extend(key.word("env").map(|variable| (key.place("env"), path, variable)))
                }
                None => {
                    let vendor = Vendor::named(raw.word("vendor").unwrap_or(name));
                    let variable = vendor.and_then(Vendor::default_key_variable);
                    wanted.extend(variable.map(|variable| (*at, path, variable)));
                }
            }
        }
        for (_, name, raw) in entries(self.document, "tools") {
            let headers = raw.get("headers").map_or(&[][..], |headers| headers.entries());
            for (_, header, value) in headers {
                let path = format!("tools.{name}.headers.{header}");
                wanted.extend(value.word("env").map(|variable| (value.place("env"), path, variable)));
            }
        }
        for (at, path, variable) in wanted {
            if !known.contains(&variable) {
                let found = format!("the plugin gets no variable {variable}");
                let expected = "one of vm_config.environment_variables.host_env_keys";
                let at = self.document.place(at);
                self.findings.unknown(at, &path, (variable, &found), expected, known.iter().copied());
            }
        }
    }

    /// Clusters that the document names.
    fn clusters(&mut self) {
        for Provider { name, cluster, at } in self.providers.clone() {
            let path = format!("providers.{name}.cluster");
            if !has_cluster(self.envoy, self.findings, (at, &path), cluster) {
                continue;
            }
            let Some(there) = self.envoy.cluster(cluster) else { continue };
            let filters = Envoy::upstream_filters(there);
            if !filters.iter().any(|filter| self.envoy.may_be(filter, Role::Provider)) {
                let found = format!("the provider {name} is there, and no filter with root_id: provider");
                let expected = "one in its http_filters: requests would go as they came";
                self.findings.error(there.at, &format!("clusters.{cluster}"), &found, expected);
            }
            self.buffer(there, "response_bytes", &format!("clusters.{cluster}"), None);
        }
        for (_, name, raw) in entries(self.document, "tools") {
            if let Some(cluster) = raw.word("cluster") {
                let at = self.document.place(raw.place("cluster"));
                has_cluster(self.envoy, self.findings, (at, &format!("tools.{name}.cluster")), cluster);
            }
        }
    }

    /// A buffer that is smaller than what the plugin is to hold of a body.
    fn buffer(&mut self, node: &Node, bound: &str, path: &str, default: Option<i64>) {
        let key = "per_connection_buffer_limit_bytes";
        let Some(size) = node.get(key).and_then(|size| size.number()).or(default) else { return };
        self.large_enough(node.place(key), &format!("{path}.{key}"), size, bound);
    }

    fn large_enough(&mut self, at: Place, path: &str, size: i64, bound: &str) {
        let wanted = self.bound(bound);
        if size < wanted {
            let expected = format!("at least {wanted}, as much as bounds.{bound}");
            self.findings.error(at, path, &size.to_string(), &expected);
        }
    }

    /// How much the plugin holds of a body at most.
    fn bound(&self, bound: &str) -> i64 {
        let default = if bound == "request_bytes" {
            Bounds::default().request_bytes
        } else {
            Bounds::default().response_bytes
        };
        let said = self.document.root.at(&["bounds", bound]).and_then(|bytes| bytes.number());
        said.unwrap_or(i64::try_from(default).unwrap_or(i64::MAX))
    }

    /// Whether the tokens that the document speaks of are verified.
    fn tokens(&mut self) {
        let Some(payload) = self.document.root.at(&["auth", "jwt", "payload"]) else { return };
        let Some(name) = payload.text() else { return };
        let managers = self.envoy.managers().filter(|(_, manager)| self.envoy.has_gateway(manager));
        let mut managers = managers.map(|(_, manager)| filters_of(manager)).peekable();
        if managers.peek().is_none() {
            return;
        }
        let is_gateway = |filter: &Rc<Node>| self.envoy.role(filter) == Some(Role::Gateway);
        let before = |filters: &'_ [Rc<Node>]| {
            let gateway = filters.iter().position(is_gateway).unwrap_or(filters.len());
            filters.iter().take(gateway).cloned().collect::<Vec<_>>()
        };
        let filters: Vec<_> = managers.flat_map(before).collect();
        // What is handed over by something else than a file is not known.
        if !self.envoy.knows_listeners || filters.iter().any(|filter| self.envoy.is_unknown(filter)) {
            return;
        }
        let settings: Vec<_> = filters.iter().filter_map(|filter| self.envoy.settings(filter)).collect();
        let verifiers = settings.iter().filter(|settings| settings.is_type("JwtAuthentication"));
        let issuers = verifiers.filter_map(|settings| settings.get("providers"));
        let issuers: Vec<_> = issuers.flat_map(|issuers| issuers.entries()).collect();
        let kept: Vec<_> =
            issuers.iter().filter_map(|(.., issuer)| issuer.word("payload_in_metadata")).collect();
        if !kept.contains(&name) {
            let at = self.document.find("auth.jwt.payload");
            let found = format!("no filter jwt_authn before the gateway keeps a payload as {name:?}");
            let expected = "the payload_in_metadata of one of its providers";
            self.findings.unknown(at, "auth.jwt.payload", (name, &found), expected, kept.iter().copied());
        }
    }
}

/// Whether there is this cluster; if not, that is noted.
fn has_cluster(envoy: &Envoy, findings: &mut Findings, (at, path): (Place, &str), name: &str) -> bool {
    let is_there = envoy.cluster(name).is_some();
    if !is_there {
        let known = envoy.clusters.iter().filter_map(|cluster| cluster.word("name"));
        let found = format!("Envoy has no cluster {name:?}");
        findings.unknown(at, path, (name, &found), "one of its clusters", known);
    }
    is_there
}
