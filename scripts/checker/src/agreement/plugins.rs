//! The places in which the filter is: what each of them has to say to Envoy, whatever its document says.

use crate::envoy::{Envoy, Plugin, Role, filters_of};
use crate::finding::Findings;
use crate::yaml::Node;
use std::rc::Rc;

/// Looks at the places in which the filter is, whatever its document says.
pub fn check(envoy: &Envoy, findings: &mut Findings) {
    let Some(first) = envoy.plugins.first() else { return };
    let is_somewhere =
        envoy.plugins.iter().any(|plugin| matches!(plugin.role, Role::Gateway | Role::Unknown));
    if !is_somewhere && envoy.knows_listeners {
        let expected = "a filter with root_id: gateway in a listener";
        findings.error(envoy.root.at, "static_resources.listeners", "the gateway is not there", expected);
    }
    let vm = |plugin: &Plugin| plugin.node.get("vm_config").cloned();
    for plugin in &envoy.plugins {
        let node = &plugin.node;
        if plugin.role == Role::Unknown {
            let said = node.word("root_id").unwrap_or_default();
            let roles = ["gateway", "provider", "watcher"];
            let found = format!("unknown role {said:?}");
            findings.unknown(
                node.place("root_id"),
                "root_id",
                (said, &found),
                "gateway, provider or watcher",
                roles.into_iter(),
            );
            continue;
        }
        let stops = node.get("allow_on_headers_stop_iteration").and_then(|flag| flag.flag()) == Some(true);
        if plugin.role != Role::Watcher && !stops {
            let at = node.place("allow_on_headers_stop_iteration");
            let expected = "true: the filter waits for the body before it lets the headers go";
            findings.error(at, "allow_on_headers_stop_iteration", "it is not true", expected);
        }
        let opens = node.get("fail_open").and_then(|flag| flag.flag()) == Some(true);
        match node.word("failure_policy") {
            _ if opens => {
                let expected = "failure_policy: FAIL_RELOAD; without the filter a request is anybody's";
                findings.error(node.place("fail_open"), "fail_open", "true", expected);
            }
            Some("FAIL_RELOAD") => {}
            Some(policy @ "FAIL_OPEN") => {
                let expected = "FAIL_RELOAD; without the filter a request is anybody's";
                findings.error(node.place("failure_policy"), "failure_policy", policy, expected);
            }
            policy => {
                let expected = "FAIL_RELOAD; otherwise a VM that was trapped stays dead";
                let found = policy.unwrap_or("there is none");
                findings.warning(node.place("failure_policy"), "failure_policy", found, expected);
            }
        }
        let Some(machine) = vm(plugin) else {
            findings.error(node.at, "vm_config", "there is none", "the VM in which the filter runs");
            continue;
        };
        let of_first = vm(first);
        let id = |vm: &Node| vm.word("vm_id").unwrap_or_default().to_owned();
        if id(&machine).is_empty() {
            let expected = "one id for all roles: what they count is kept under it";
            findings.error(machine.place("vm_id"), "vm_config.vm_id", "there is none", expected);
        } else if let Some(other) = of_first.as_ref().filter(|other| id(other) != id(&machine)) {
            let expected = format!("{:?}, as elsewhere: what the roles count is kept under it", id(other));
            findings.error(
                machine.place("vm_id"),
                "vm_config.vm_id",
                &format!("{:?}", id(&machine)),
                &expected,
            );
        } else if of_first.is_some_and(|other| !other.says_the_same(&machine)) {
            let expected =
                "the same as elsewhere: otherwise the roles run in VMs of their own, and usage is estimated";
            findings.warning(machine.at, "vm_config", "it differs from that of another role", expected);
        }
    }
    for (_, manager) in envoy.managers() {
        misplaced(envoy, filters_of(manager), Role::Gateway, findings);
    }
    for cluster in &envoy.clusters {
        misplaced(envoy, Envoy::upstream_filters(cluster), Role::Provider, findings);
    }
}

/// Filters that have another role than that of their place.
fn misplaced(envoy: &Envoy, filters: &[Rc<Node>], role: Role, findings: &mut Findings) {
    for filter in filters {
        let found = envoy.role(filter).filter(|found| *found != role && *found != Role::Unknown);
        let node = envoy.settings(filter).and_then(|settings| settings.get("config").cloned());
        if let (Some(_), Some(node)) = (found, node) {
            let expected = match role {
                Role::Provider => "provider, in a cluster",
                _ => "gateway, in a listener",
            };
            findings.error(
                node.place("root_id"),
                "root_id",
                node.word("root_id").unwrap_or_default(),
                expected,
            );
        }
    }
}
