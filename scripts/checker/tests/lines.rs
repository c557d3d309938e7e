//! What is said of configurations in which one thing is wrong, line by line.

use check_config::{Circumstances, Report, check};
use modelgate_words::time::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};

const GATEWAY: &str = include_str!("gateway.yaml");
const PLUGIN: &str = include_str!("advice.yaml");

#[test]
fn of_configurations_in_which_nothing_is_wrong_nothing_is_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = ["envoy.yaml", "compat.yaml", "minimal.yaml", "secure.yaml", "fleet.yaml", "live.yaml"]
        .map(|name| root.join("../../envoy").join(name));
    let here = ["gateway.yaml", "advice.yaml"].map(|name| root.join("tests").join(name));
    for path in shipped.into_iter().chain(here) {
        let Report { lines, .. } = check(path.to_str().expect("a path"), &Circumstances::default());
        assert!(lines.is_empty(), "{lines:?}");
    }
}

/// A folder of its own for the files of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// What is said of a file with this text; the folder's name is left out.
    fn report(&self, name: &str, text: &str, circumstances: &Circumstances<'_>) -> Vec<String> {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        let Report { lines, .. } = check(path.to_str().expect("a path"), circumstances);
        let folder = format!("{}/", self.0.display());
        lines.into_iter().map(|(_, line)| line.replace(&folder, "")).collect()
    }
}

/// What is said of `text` with one thing changed.
fn with(folder: &Folder, text: &str, from: &str, to: &str) -> Vec<String> {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    folder.report("a.yaml", &text.replace(from, to), &Circumstances::default())
}

#[track_caller]
fn says(folder: &Folder, text: &str, cases: &[(&str, &str, &[&str])]) {
    let mut differences = Vec::new();
    for (from, to, expected) in cases {
        let said = with(folder, text, from, to);
        if said != *expected {
            differences.push(format!("{from} -> {to}\n{}", said.join("\n")));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn what_is_wrong_with_a_document_is_told_where_it_is() {
    let folder = Folder::new("what_is_wrong_with_a_document_is_told_where_it_is");
    says(
        &folder,
        GATEWAY,
        &[
            (
                "{vendor: anthropic, cluster",
                "{vendor: antropic, cluster",
                &[
                    r#"a.yaml:40:32: error: providers.claude.vendor: unknown vendor "antropic": expected one of openai, anthropic, gemini, azure, deepseek, mistral, groq, together, openrouter, xai, qwen, moonshot, fireworks, cerebras, vllm, ollama, compatible; nearest: "anthropic""#,
                ],
            ),
            (
                "models: [smart]",
                "models: [smat]",
                &[
                    r#"a.yaml:50:42: error: tiers.default.models[0]: unknown model "smat": expected a model, an alias, provider/model or a route; nearest: "smart""#,
                ],
            ),
            (
                r#"                    models:
"#,
                r#"                    modls:
"#,
                &[
                    r#"a.yaml:41:21: error: modls: unknown key `modls`: expected one of `providers`, `models`, `pricing`, `tools`, `routes`, `default_provider`, `fallback`, `internal_cluster`, `auth`, `tiers`, `consumers`, `limits`, `content_rules`, `log`, `cache`, `tasks`, `task_model`, `health`, `bounds`, `timeouts`; nearest: "models", "tools""#,
                ],
            ),
            (
                "targets: [{model: sonnet}, {model: gpt}]",
                "targets: [{model: sonnet}, {model: gtp, tries: 11}]",
                &[
                    r#"a.yaml:46:53: error: routes.smart.targets[1].model: unknown model "gtp": expected a model, an alias or provider/model"#,
                    "a.yaml:46:65: error: routes.smart.targets[1].tries: 11: expected a whole number from 1 to 10",
                ],
            ),
            (
                "usd: 100",
                "usd: a lot",
                &[r#"a.yaml:52:38: error: limits[0].usd: invalid type: string "a lot": expected a number"#],
            ),
            (
                "openai: {}",
                r#"openai: {}
                      openai: {}"#,
                &["a.yaml:38:21: error: providers: the key `openai` is there twice"],
            ),
            (
                "auth: {anonymous: deny, jwt",
                "auth: {anonymous: no, jwt",
                &[
                    "a.yaml:48:28: error: auth.anonymous: invalid type: boolean `false`: expected string or map",
                ],
            ),
            (
                "quality: 0.9",
                "quality: 1.9",
                &["a.yaml:43:81: error: models.sonnet.quality: 1.9: expected a number from 0 to 1"],
            ),
            (
                "{name: budget, usd: 100, window: month}",
                "{name: budget, usd: 100}",
                &["a.yaml:52:23: error: limits[0].window: missing key `window`: expected day or month"],
            ),
            (
                "api_key: {env: CLAUDE_KEY}",
                "api_key: {evn: CLAUDE_KEY}",
                &[
                    "a.yaml:40:71: error: providers.claude.api_key: what is there is not shown, because it may be a secret: expected {env: VARIABLE}, {value: KEY} or none",
                ],
            ),
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_the_place() {
    let folder = Folder::new("a_file_that_cannot_be_read_is_told_with_the_place");
    says(
        &folder,
        GATEWAY,
        &[
            (
                r#"providers:
                      openai: {}"#,
                r#"providers:
                     - openai: {}
                      x"#,
                &[
                    "a.yaml:40:23: error: file: it is not YAML: while parsing a block collection, did not find expected '-' indicator",
                ],
            ),
            (
                r#"*routes
"#,
                r#"*rotes
"#,
                &["a.yaml:94:25: error: file: it is not YAML: while parsing node, found unknown anchor"],
            ),
            (
                r#""@type": type.googleapis.com/google.protobuf.Struct
"#,
                r#""@type": type.googleapis.com/google.protobuf.Any
"#,
                &[
                    "a.yaml:36:19: error: configuration: type.googleapis.com/google.protobuf.Any: expected a google.protobuf.Struct, or a StringValue of JSON text",
                ],
            ),
            (
                r#"            configuration: &configuration
"#,
                r#"            configuratio: &configuration
"#,
                &[
                    "a.yaml:26:17: error: configuration: there is none: expected a google.protobuf.Struct, or a StringValue of JSON text",
                ],
            ),
        ],
    );
}

#[test]
fn where_the_filter_is_it_is_as_it_has_to_be() {
    let folder = Folder::new("where_the_filter_is_it_is_as_it_has_to_be");
    says(
        &folder,
        GATEWAY,
        &[
            (
                "root_id: gateway",
                "root_id: gatewy",
                &[
                    r#"a.yaml:27:17: error: root_id: unknown role "gatewy": expected gateway, provider or watcher; nearest: "gateway""#,
                    "a.yaml:84:5: error: listeners.internal: the gateway is not there: expected a filter with root_id: gateway",
                ],
            ),
            (
                "root_id: gateway",
                "root_id: provider",
                &[
                    "a.yaml:2:1: error: static_resources.listeners: the gateway is not there: expected a filter with root_id: gateway in a listener",
                    "a.yaml:27:17: error: root_id: provider: expected gateway, in a listener",
                    "a.yaml:84:5: error: listeners.internal: the gateway is not there: expected a filter with root_id: gateway",
                ],
            ),
            (
                "root_id: gateway",
                "root_id: idle",
                &[
                    "a.yaml:2:1: error: static_resources.listeners: the gateway is not there: expected a filter with root_id: gateway in a listener",
                    "a.yaml:84:5: error: listeners.internal: the gateway is not there: expected a filter with root_id: gateway",
                ],
            ),
            (
                "root_id: provider",
                "root_id: gateway",
                &[
                    "a.yaml:98:5: error: clusters.openai: the provider openai is there, and no filter with root_id: provider: expected one in its http_filters: requests would go as they came",
                    "a.yaml:112:15: error: root_id: gateway: expected provider, in a cluster",
                    "a.yaml:119:5: error: clusters.anthropic: the provider claude is there, and no filter with root_id: provider: expected one in its http_filters: requests would go as they came",
                ],
            ),
            (
                r#"root_id: gateway
                failure_policy: FAIL_RELOAD
"#,
                r#"root_id: gateway
"#,
                &[
                    "a.yaml:26:17: warning: failure_policy: there is none: expected FAIL_RELOAD; otherwise a VM that was trapped stays dead",
                ],
            ),
            (
                r#"root_id: gateway
                failure_policy: FAIL_RELOAD
"#,
                r#"root_id: gateway
                failure_policy: FAIL_OPEN
"#,
                &[
                    "a.yaml:28:17: error: failure_policy: FAIL_OPEN: expected FAIL_RELOAD; without the filter a request is anybody's",
                ],
            ),
            (
                r#"root_id: provider
              failure_policy: FAIL_RELOAD
"#,
                r#"root_id: provider
              fail_open: true
"#,
                &[
                    "a.yaml:113:15: error: fail_open: true: expected failure_policy: FAIL_RELOAD; without the filter a request is anybody's",
                ],
            ),
            (
                r#"root_id: gateway
                failure_policy: FAIL_RELOAD
                allow_on_headers_stop_iteration: true
"#,
                r#"root_id: gateway
                failure_policy: FAIL_RELOAD
"#,
                &[
                    "a.yaml:26:17: error: allow_on_headers_stop_iteration: it is not true: expected true: the filter waits for the body before it lets the headers go",
                ],
            ),
            (
                r#"allow_on_headers_stop_iteration: true
              vm_config"#,
                r#"allow_on_headers_stop_iteration: false
              vm_config"#,
                &[
                    "a.yaml:114:15: error: allow_on_headers_stop_iteration: it is not true: expected true: the filter waits for the body before it lets the headers go",
                ],
            ),
            (
                r#"                  vm_id: modelgate
"#,
                "",
                &[
                    "a.yaml:30:28: error: vm_config.vm_id: there is none: expected one id for all roles: what they count is kept under it",
                ],
            ),
            (
                r#"vm_config: *vm
"#,
                r#"vm_config: {vm_id: other, environment_variables: {host_env_keys: [OPENAI_API_KEY, CLAUDE_KEY]}}
"#,
                &[
                    r#"a.yaml:115:27: error: vm_config.vm_id: "other": expected "modelgate", as elsewhere: what the roles count is kept under it"#,
                ],
            ),
            (
                r#"vm_config: *vm
"#,
                r#"vm_config: {vm_id: modelgate, environment_variables: {host_env_keys: [OPENAI_API_KEY, CLAUDE_KEY]}}
"#,
                &[
                    "a.yaml:115:26: warning: vm_config: it differs from that of another role: expected the same as elsewhere: otherwise the roles run in VMs of their own, and usage is estimated",
                ],
            ),
            (
                r#"              vm_config: *vm
              configuration: *configuration
"#,
                r#"              configuration: *configuration
"#,
                &["a.yaml:111:15: error: vm_config: there is none: expected the VM in which the filter runs"],
            ),
        ],
    );
}

#[test]
fn all_roles_have_the_same_document() {
    let folder = Folder::new("all_roles_have_the_same_document");
    says(
        &folder,
        GATEWAY,
        &[
            (
                r#"configuration: *configuration
"#,
                r#"configuration: {"@type": type.googleapis.com/google.protobuf.Struct, value: {providers: {openai: {}}, auth: {anonymous: {consumer: a}}}}
"#,
                &[
                    "a.yaml:116:91: error: configuration: it says something else: expected what the gateway has at line 38: all roles have the same document",
                    "a.yaml:116:104: warning: providers.openai: it can be asked for nothing: expected a model of it in models, or allow_unlisted: true",
                ],
            ),
            (
                r#"configuration: *configuration
"#,
                r#"configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: '{"providers": {"openai": {"allow_unlisted": 1}}}'}
"#,
                &[
                    "a.yaml:116:97: error: configuration: it says something else: expected what the gateway has at line 38: all roles have the same document",
                    "a.yaml:116:123: error: providers.openai.allow_unlisted: invalid type: integer `1`: expected true or false",
                ],
            ),
        ],
    );
}

#[test]
fn providers_have_clusters_and_rows() {
    let folder = Folder::new("providers_have_clusters_and_rows");
    says(
        &folder,
        GATEWAY,
        &[
            (
                "cluster: anthropic, api_key",
                "cluster: antropic, api_key",
                &[
                    r#"a.yaml:40:51: error: providers.claude.cluster: Envoy has no cluster "antropic": expected one of its clusters; nearest: "anthropic""#,
                    r#"a.yaml:82:33: error: virtual_hosts.gateway.routes[0].exact_match_map: there is no row for "antropic", the cluster of the provider claude: expected a row for each provider's cluster; nearest: "anthropic""#,
                    "a.yaml:83:33: warning: virtual_hosts.gateway.routes[0].exact_match_map.anthropic: no provider has this cluster: expected the cluster of a provider",
                ],
            ),
            (
                r#"        http_filters: *provider
"#,
                "",
                &[
                    "a.yaml:119:5: error: clusters.anthropic: the provider claude is there, and no filter with root_id: provider: expected one in its http_filters: requests would go as they came",
                ],
            ),
            (
                "                                openai: {action",
                "                                opnai: {action",
                &[
                    r#"a.yaml:82:33: error: virtual_hosts.gateway.routes[0].exact_match_map: there is no row for "openai", the cluster of the provider openai: expected a row for each provider's cluster; nearest: "opnai""#,
                    "a.yaml:82:33: warning: virtual_hosts.gateway.routes[0].exact_match_map.opnai: no provider has this cluster: expected the cluster of a provider",
                ],
            ),
            (
                "ClusterAction, cluster: openai}",
                "ClusterAction, cluster: anthropic}",
                &[
                    r#"a.yaml:82:33: error: virtual_hosts.gateway.routes[0].exact_match_map.openai: it leads to "anthropic", the cluster of another provider: expected "openai": the other would get the key"#,
                ],
            ),
            (
                "ClusterAction, cluster: openai}",
                "ClusterAction, cluster: opnai}",
                &[
                    r#"a.yaml:82:33: error: virtual_hosts.gateway.routes[0].exact_match_map.openai: Envoy has no cluster "opnai": expected one of its clusters; nearest: "openai""#,
                ],
            ),
            (
                "key: wasm.next",
                "key: wasm.nxt",
                &[
                    r#"a.yaml:79:144: error: virtual_hosts.gateway.routes[0].exact_match_map.key: "wasm.nxt": expected wasm.next: where the filter says which cluster is next"#,
                ],
            ),
            (
                r#"openai: {}
"#,
                r#"openai: {}
                      mistral: {allow_unlisted: true}
"#,
                &[
                    "a.yaml:40:23: error: providers.mistral.api_key: the plugin gets no variable MISTRAL_API_KEY: expected one of vm_config.environment_variables.host_env_keys",
                    r#"a.yaml:40:23: error: providers.mistral.cluster: Envoy has no cluster "mistral": expected one of its clusters"#,
                    "a.yaml:53:38: warning: limits[0].usd: models that are not listed have no price, and may be asked for: expected pricing.default, or no allow_unlisted",
                    r#"a.yaml:83:33: error: virtual_hosts.gateway.routes[0].exact_match_map: there is no row for "mistral", the cluster of the provider mistral: expected a row for each provider's cluster"#,
                ],
            ),
            (
                r#"  - name: anthropic
    type"#,
                r#"  - name: claude
    type"#,
                &[
                    r#"a.yaml:40:51: error: providers.claude.cluster: Envoy has no cluster "anthropic": expected one of its clusters"#,
                ],
            ),
        ],
    );
}

#[test]
fn retries_are_the_fallback() {
    let folder = Folder::new("retries_are_the_fallback");
    says(
        &folder,
        GATEWAY,
        &[
            (
                r#"                    refresh_cluster_on_retry: true
"#,
                "",
                &[
                    "a.yaml:66:21: error: virtual_hosts.gateway.routes[0].route.retry_policy.refresh_cluster_on_retry: it is not true: expected true: otherwise a retry goes to the target that has failed",
                ],
            ),
            (
                "retry_on: 5xx,reset,retriable-status-codes",
                "retry_on: reset",
                &[
                    "a.yaml:66:21: error: virtual_hosts.gateway.routes[0].route.retry_policy.retry_on: it lacks 5xx: expected 5xx and retriable-status-codes: by those the filter says that a target has failed",
                    "a.yaml:66:21: error: virtual_hosts.gateway.routes[0].route.retry_policy.retry_on: it lacks retriable-status-codes: expected 5xx and retriable-status-codes: by those the filter says that a target has failed",
                ],
            ),
            (
                "[408, 429, 529]",
                "[408]",
                &[
                    "a.yaml:67:21: error: virtual_hosts.gateway.routes[0].route.retry_policy.retriable_status_codes: it lacks 429: expected 408 and 429, and 529 besides",
                ],
            ),
            (
                r#"                    per_try_timeout: 30s
"#,
                "",
                &[
                    "a.yaml:66:21: warning: virtual_hosts.gateway.routes[0].route.retry_policy.per_try_timeout: there is none: expected a limit on the time to the first token, here or as timeouts.first_token_ms",
                ],
            ),
            (
                r#"                  retry_policy:
                    retry_on: 5xx,reset,retriable-status-codes
                    retriable_status_codes: [408, 429, 529]
                    refresh_cluster_on_retry: true
                    per_try_timeout: 30s
"#,
                "",
                &[
                    "a.yaml:64:19: error: virtual_hosts.gateway.routes[0].route.retry_policy: there is none, and routes have several targets: expected one with refresh_cluster_on_retry: each retry is the plan's next target",
                ],
            ),
            (
                r#"                  timeout: 0s
"#,
                "",
                &[
                    "a.yaml:64:19: warning: virtual_hosts.gateway.routes[0].route.timeout: there is none, so it is 15s: expected 0s: a stream goes on for as long as it flows",
                ],
            ),
            (
                r#"timeout: 0s
"#,
                r#"timeout: 60s
"#,
                &[
                    "a.yaml:64:19: warning: virtual_hosts.gateway.routes[0].route.timeout: 60s: expected 0s: a stream goes on for as long as it flows",
                ],
            ),
            (
                r#"    type: LOGICAL_DNS
    circuit_breakers: {thresholds: [{max_retries: 4096}]}
    load_assignment: {cluster_name: openai"#,
                r#"    type: LOGICAL_DNS
    load_assignment: {cluster_name: openai"#,
                &[
                    "a.yaml:98:5: warning: clusters.openai.circuit_breakers: there are no max_retries: expected max_retries: Envoy's default of 3 at a time ends fallback under load",
                ],
            ),
        ],
    );
}

#[test]
fn buffers_hold_what_the_document_allows() {
    let folder = Folder::new("buffers_hold_what_the_document_allows");
    says(
        &folder,
        GATEWAY,
        &[
            (
                r#"port_value: 10000}}
    per_connection_buffer_limit_bytes: 33554432
"#,
                r#"port_value: 10000}}
"#,
                &[
                    "a.yaml:7:5: error: listeners.gateway.per_connection_buffer_limit_bytes: 1048576: expected at least 33554432, as much as bounds.response_bytes",
                ],
            ),
            (
                "request_body_buffer_limit: 33554432",
                "request_body_buffer_limit: 1048576",
                &[
                    "a.yaml:62:17: error: virtual_hosts.gateway.routes[0].request_body_buffer_limit: 1048576: expected at least 33554432, as much as bounds.request_bytes",
                ],
            ),
            (
                r#"                request_body_buffer_limit: 33554432
"#,
                "",
                &[],
            ),
            (
                r#"                    limits:
"#,
                r#"                    bounds: {request_bytes: 50000000, response_bytes: 40000000}
                    limits:
"#,
                &[
                    "a.yaml:9:5: error: listeners.gateway.per_connection_buffer_limit_bytes: 33554432: expected at least 40000000, as much as bounds.response_bytes",
                    "a.yaml:63:17: error: virtual_hosts.gateway.routes[0].request_body_buffer_limit: 33554432: expected at least 50000000, as much as bounds.request_bytes",
                    "a.yaml:87:5: error: listeners.internal.per_connection_buffer_limit_bytes: 33554432: expected at least 40000000, as much as bounds.response_bytes",
                ],
            ),
            (
                r#"  - name: anthropic
    type"#,
                r#"  - name: anthropic
    per_connection_buffer_limit_bytes: 65536
    type"#,
                &[
                    "a.yaml:120:5: error: clusters.anthropic.per_connection_buffer_limit_bytes: 65536: expected at least 33554432, as much as bounds.response_bytes",
                ],
            ),
        ],
    );
}

#[test]
fn what_the_gateway_asks_itself_comes_back() {
    let folder = Folder::new("what_the_gateway_asks_itself_comes_back");
    says(
        &folder,
        GATEWAY,
        &[
            (
                r#"- name: modelgate_internal
"#,
                r#"- name: internal
"#,
                &[
                    r#"a.yaml:47:25: error: routes.smart.check: the gateway asks itself something for it, and there is no cluster "modelgate_internal": expected one that leads to an internal listener with the gateway, as in envoy/envoy.yaml"#,
                ],
            ),
            (
                "server_listener_name: internal",
                "server_listener_name: interal",
                &[
                    r#"a.yaml:96:5: error: clusters.modelgate_internal: there is no internal listener "interal": expected a listener with internal_listener: {}; nearest: "internal""#,
                ],
            ),
            (
                "http_filters: [*gateway, *router]",
                "http_filters: [*router]",
                &[
                    "a.yaml:84:5: error: listeners.internal: the gateway is not there: expected a filter with root_id: gateway",
                ],
            ),
            (
                r#"bootstrap_extensions:
- name: envoy.bootstrap.internal_listener
  typed_config: {"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}
"#,
                "",
                &[
                    "a.yaml:2:1: error: bootstrap_extensions: there is no InternalListener: expected envoy.bootstrap.internal_listener, which internal listeners need",
                ],
            ),
            (
                "envoy_internal_address: {server_listener_name: internal}",
                "socket_address: {address: 127.0.0.1, port_value: 1}",
                &[
                    "a.yaml:96:5: error: clusters.modelgate_internal: the gateway would not ask itself by it: expected an envoy_internal_address: an internal listener with the gateway",
                ],
            ),
            (
                r#"                    limits:
"#,
                r#"                    health: {admin_cluster: admin}
                    limits:
"#,
                &[
                    r#"a.yaml:51:30: error: health.admin_cluster: Envoy has no cluster "admin": expected one of its clusters"#,
                    "a.yaml:51:30: warning: health.admin_cluster: nobody asks it: expected a WasmService with root_id: watcher in bootstrap_extensions",
                ],
            ),
        ],
    );
}

#[test]
fn keys_and_tokens_reach_the_filter() {
    let folder = Folder::new("keys_and_tokens_reach_the_filter");
    says(
        &folder,
        GATEWAY,
        &[
            (
                "host_env_keys: [OPENAI_API_KEY, CLAUDE_KEY]",
                "host_env_keys: [OPENAI_API_KY]",
                &[
                    r#"a.yaml:39:23: error: providers.openai.api_key: the plugin gets no variable OPENAI_API_KEY: expected one of vm_config.environment_variables.host_env_keys; nearest: "OPENAI_API_KY""#,
                    "a.yaml:40:81: error: providers.claude.api_key: the plugin gets no variable CLAUDE_KEY: expected one of vm_config.environment_variables.host_env_keys",
                ],
            ),
            (
                "environment_variables: {host_env_keys: [OPENAI_API_KEY, CLAUDE_KEY]}",
                "environment_variables: {host_env_keys: [OPENAI_API_KEY], key_values: {CLAUDE_KEY: a}}",
                &[],
            ),
            (
                "payload_in_metadata: jwt_payload",
                "payload_in_metadata: jwt",
                &[
                    r#"a.yaml:48:51: error: auth.jwt.payload: no filter jwt_authn before the gateway keeps a payload as "jwt_payload": expected the payload_in_metadata of one of its providers"#,
                ],
            ),
            (
                r#"          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers: {issuer: {payload_in_metadata: jwt_payload}}
"#,
                "",
                &[
                    r#"a.yaml:44:51: error: auth.jwt.payload: no filter jwt_authn before the gateway keeps a payload as "jwt_payload": expected the payload_in_metadata of one of its providers"#,
                ],
            ),
        ],
    );
}

#[test]
fn what_nobody_can_ask_for_is_told() {
    let folder = Folder::new("what_nobody_can_ask_for_is_told");
    says(
        &folder,
        PLUGIN,
        &[
            ("default: {models: [fast]}", "default: {models: [smart]}", &[]),
            (
                "gold: {models: [smart, planned]}",
                "gold: {models: [smart]}",
                &[
                    "a.yaml:16:3: warning: routes.planned: nobody may ask for it: expected its name in the models of a tier or consumer",
                ],
            ),
            (
                "gold: {models: [smart, planned]}",
                "gold: {models: [smart, planned], regions: [eu]}",
                &[
                    "a.yaml:16:3: warning: routes.planned: none of its targets may answer whoever may ask for it: expected a target whose region and tags they may use",
                ],
            ),
            (
                "sonnet: {provider: claude,",
                r#"spare: {provider: openai}
  sonnet: {provider: claude,"#,
                &[
                    "a.yaml:7:3: warning: models.spare: nobody may ask for it, and no route has it: expected a route that has it, or its name in the models of a tier or consumer",
                ],
            ),
            (
                "sonnet: {provider: claude,",
                r#"spare: {provider: openai, aliases: [other]}
  sonnet: {provider: claude,"#,
                &[
                    "a.yaml:7:3: warning: models.spare: nobody may ask for it, and no route has it: expected a route that has it, or its name in the models of a tier or consumer",
                ],
            ),
            (
                r#"tiers:
  default: {models: [fast]}
"#,
                r#"tiers:
  default: {}
"#,
                &[],
            ),
            (
                r#"claude: {vendor: anthropic, allow_unlisted: true}
"#,
                r#"claude: {vendor: anthropic, allow_unlisted: true}
  mistral: {}
"#,
                &[
                    "a.yaml:5:3: warning: providers.mistral: it can be asked for nothing: expected a model of it in models, or allow_unlisted: true",
                ],
            ),
        ],
    );
}

#[test]
fn who_cannot_come_is_told() {
    let folder = Folder::new("who_cannot_come_is_told");
    says(
        &folder,
        PLUGIN,
        &[
            (
                "  acme: {tier: gold,",
                r#"  bob: {}
  acme: {tier: gold,"#,
                &[
                    "a.yaml:26:3: warning: consumers.bob: nobody can be known as it: expected keys, or auth.jwt whose tokens name it",
                ],
            ),
            (
                "  acme: {tier: gold,",
                r#"  guest: {}
  acme: {tier: gold,"#,
                &[],
            ),
            (
                "  gold: {models",
                r#"  silver: {}
  gold: {models"#,
                &[
                    "a.yaml:24:3: warning: tiers.silver: nobody belongs to it: expected a consumer with it, or auth.jwt whose tokens name it",
                ],
            ),
            (
                "auth: {anonymous: {consumer: guest}}",
                "auth: {anonymous: {consumer: guest}, jwt: {payload: p}}",
                &[],
            ),
        ],
    );
}

#[test]
fn what_has_no_price_or_quality_is_told_where_it_counts() {
    let folder = Folder::new("what_has_no_price_or_quality_is_told_where_it_counts");
    says(
        &folder,
        PLUGIN,
        &[
            (
                r#"pricing:
  default: {input: 5, output: 20}
"#,
                "",
                &[
                    "a.yaml:17:7: warning: routes.planned.orchestration.max_cost_usd: claude/haiku has no price: expected models.*.price or pricing.default",
                    "a.yaml:30:18: warning: limits[4].usd: models that are not listed have no price, and may be asked for: expected pricing.default, or no allow_unlisted",
                ],
            ),
            (
                "sonnet: {provider: claude, price: {input: 3, output: 15}, quality: 0.9,",
                "sonnet: {provider: claude,",
                &[
                    "a.yaml:13:16: warning: routes.smart.targets[0].model: sonnet has no quality, and it never has min_quality: expected models.*.quality",
                ],
            ),
            (
                r#"pricing:
  default: {input: 5, output: 20}
routes:
  smart:
    strategy: intent
    targets: [{model: sonnet},"#,
                r#"routes:
  smart:
    strategy: intent
    targets: [{model: claude/haiku},"#,
                &[
                    "a.yaml:7:3: warning: models.sonnet: nobody may ask for it, and no route has it: expected a route that has it, or its name in the models of a tier or consumer",
                    "a.yaml:11:16: warning: routes.smart.targets[0].model: claude/haiku has no price, so it never keeps to max_cost_usd: expected models.*.price or pricing.default",
                    "a.yaml:11:16: warning: routes.smart.targets[0].model: claude/haiku has no quality, and it never has min_quality: expected models.*.quality",
                    "a.yaml:17:7: warning: routes.planned.orchestration.max_cost_usd: claude/haiku has no price: expected models.*.price or pricing.default",
                    "a.yaml:30:18: warning: limits[4].usd: models that are not listed have no price, and may be asked for: expected pricing.default, or no allow_unlisted",
                ],
            ),
            (
                r#"    constraints: {max_cost_usd: 1, min_quality: 0.5}
"#,
                "",
                &[],
            ),
        ],
    );
}

#[test]
fn a_route_that_says_what_means_nothing_is_told() {
    let folder = Folder::new("a_route_that_says_what_means_nothing_is_told");
    says(
        &folder,
        PLUGIN,
        &[
            (
                "targets: [{model: sonnet}, {model: gpt, as_fallback: {max_tokens: 1000}}]",
                "targets: [{model: sonnet}, {model: gpt}, {model: fast}]",
                &[
                    "a.yaml:13:47: warning: routes.smart.targets[2].model: gpt is there twice: expected tries: 2",
                ],
            ),
            (
                "max_tokens: 1000}",
                "max_tokens: 200000}",
                &[
                    "a.yaml:13:59: warning: routes.smart.targets[1].as_fallback.max_tokens: 200000, and an answer of gpt has at most 128000: expected fewer",
                ],
            ),
            (
                "targets: [{model: sonnet}, {model: gpt, as_fallback: {max_tokens: 1000}}]",
                "targets: [{model: sonnet}]",
                &[
                    "a.yaml:15:5: warning: routes.smart.continuation: the route has one target: expected another target, which would go on",
                ],
            ),
            (
                r#"    continuation: true
"#,
                r#"    explore: 0.1
    adaptive: {cost: 0.1}
"#,
                &[
                    r#"a.yaml:15:5: warning: routes.smart.explore: "intent", with which nothing is explored: expected latency or adaptive, or no explore"#,
                    r#"a.yaml:16:5: warning: routes.smart.adaptive: the strategy is "intent": expected strategy: adaptive"#,
                ],
            ),
            (
                "max_tokens: 10000, max_step",
                "max_tokens: 1000, max_step",
                &[
                    "a.yaml:20:83: warning: routes.planned.orchestration.agent.max_tokens: 1000, and one step may have 2000: expected as many as several steps need",
                ],
            ),
            (
                "max_output_tokens: 128000",
                "max_output_tokens: 500000",
                &[
                    "a.yaml:6:68: warning: models.gpt.max_output_tokens: 500000, and the context window is 400000: expected an answer that has room in it",
                ],
            ),
        ],
    );
}

#[test]
fn limits_that_do_nothing_are_told() {
    let folder = Folder::new("limits_that_do_nothing_are_told");
    says(
        &folder,
        PLUGIN,
        &[
            (
                "requests: 10000, window: day",
                "requests: 100000, window: day",
                &[
                    "a.yaml:29:3: warning: limits[1]: it is never reached: minute (60 requests per minute) is before it: expected a limit that is reached sooner, or none",
                ],
            ),
            ("requests: 10000, window: day", "requests: 86399, window: day", &[]),
            (
                "{name: much, tokens: 1000000, window: day}",
                "{name: much, tokens: 14405000, window: day}",
                &[
                    "a.yaml:31:3: warning: limits[3]: it is never reached: flow (10000 tokens per minute, 5000 at once) is before it: expected a limit that is reached sooner, or none",
                ],
            ),
            (
                "{name: much, tokens: 1000000, window: day}",
                "{name: much, tokens: 14404999, window: day}",
                &[],
            ),
            (
                "{name: much, tokens: 1000000, window: day}",
                "{name: much, output_tokens: 100000000, window: day}",
                &[],
            ),
            (
                "{name: much, tokens: 1000000, window: day}",
                "{name: much, tokens: 20000, window: minute}",
                &[
                    "a.yaml:31:3: warning: limits[3]: it is never reached: flow (10000 tokens per minute, 5000 at once) is before it: expected a limit that is reached sooner, or none",
                ],
            ),
            ("requests: 60, window: minute", "requests: 60, window: minute, mode: observe", &[]),
            (
                "burst: 5000",
                "burst: 50000",
                &[
                    "a.yaml:30:47: warning: limits[2].burst: 50000, more at once than in a minute (10000): expected at most as much as the limit",
                ],
            ),
            (
                "tiers: [gold], consumers: [acme]",
                "tiers: [default], consumers: [acme]",
                &[
                    "a.yaml:32:61: warning: limits[4].consumers: none of these consumers is of one of the limit's tiers, so it is for nobody: expected consumers of its tiers, or no tiers",
                ],
            ),
            (
                "{name: budget, usd: 100, window: month, tiers: [gold], consumers: [acme]}",
                r#"{name: a, concurrent: 5}
- {name: b, concurrent: 5}
- {name: c, concurrent: 4}"#,
                &[
                    "a.yaml:32:3: warning: limits[4]: it is never reached: c (4 requests at the same time) is before it: expected a limit that is reached sooner, or none",
                    "a.yaml:33:3: warning: limits[5]: it is never reached: a (5 requests at the same time) is before it: expected a limit that is reached sooner, or none",
                ],
            ),
            (
                "{first_token_ms: 30000}",
                "{first_token_ms: 30000, answer_ms: 20000}",
                &[
                    "a.yaml:33:12: warning: timeouts.first_token_ms: 30000, and a whole answer may take 20000: expected less than answer_ms",
                ],
            ),
        ],
    );
}

#[test]
fn what_is_handed_over_from_files_belongs_to_the_file_that_names_them() {
    let folder = Folder::new("what_is_handed_over_from_files");
    let begin = GATEWAY.find("            name: modelgate\n").expect("the gateway");
    let end = GATEWAY.find("          - &router\n").expect("the router");
    let settings: Vec<_> = GATEWAY[begin..end].lines().skip(1).map(|line| &line[10..]).collect();
    let named = "            name: modelgate\n            config_discovery:\n              config_source: {path_config_source: {path: /etc/envoy/ecds.yaml}}\n              type_urls: [type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm]\n";
    let bootstrap = GATEWAY.replace(&GATEWAY[begin..end], named);
    let bootstrap = bootstrap.replace("vm_config: *vm", "vm_config: {vm_id: modelgate}").replace(
        "configuration: *configuration",
        "configuration: {\"@type\": type.googleapis.com/google.protobuf.Struct, value: {providers: {}}}",
    );
    let missing = folder.report("alone.yaml", &bootstrap, &Circumstances::default());
    assert!(
        missing[1].contains("there is no file \"/etc/envoy/ecds.yaml\", here or beside this one"),
        "{missing:?}"
    );

    let resources = format!(
        "version_info: \"1\"\nresources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: modelgate\n{}\n",
        settings.join("\n")
    );
    assert_eq!(folder.report("ecds.yaml", &resources, &Circumstances::default()), Vec::<String>::new());
    let broken = resources.replace("targets: [{model: sonnet}", "targets: [{model: sonet}");
    let said = folder.report("ecds.yaml", &broken, &Circumstances::default());
    let expected = "ecds.yaml:28:26: error: routes.smart.targets[0].model: unknown model \"sonet\": expected a model, an alias or provider/model; nearest: \"sonnet\"";
    assert_eq!(said, [expected]);
    let said = folder.report("a.yaml", &bootstrap, &Circumstances::default());
    assert!(said.contains(&expected.to_owned()), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("it says something else")), "{said:#?}");
}

#[test]
fn tokens_are_verified_before_the_gateway_reads_them() {
    let folder = Folder::new("tokens_are_verified_before");
    let begin = GATEWAY.find("          - name: envoy.filters.http.jwt_authn").expect("the verifier");
    let gateway = GATEWAY.find("          - &gateway").expect("the gateway");
    let router = GATEWAY.find("          - &router").expect("the router");
    let text = [&GATEWAY[..begin], &GATEWAY[gateway..router], &GATEWAY[begin..gateway], &GATEWAY[router..]];
    let said = folder.report("a.yaml", &text.concat(), &Circumstances::default());
    assert!(said.len() == 1 && said[0].contains("no filter jwt_authn before the gateway"), "{said:?}");
}

#[test]
fn what_a_control_plane_hands_over_is_not_missed() {
    let folder = Folder::new("what_a_control_plane_hands_over");
    let begin = GATEWAY.find("            name: modelgate\n").expect("the gateway");
    let end = GATEWAY.find("          - &router\n").expect("the router");
    let handed = "            name: modelgate\n            config_discovery: {config_source: {ads: {}}, type_urls: [a]}\n";
    let upstream = GATEWAY.find("        - name: modelgate\n          typed_config").expect("the provider's");
    let upstream_end = GATEWAY.find("        - name: envoy.filters.http.upstream_codec").expect("the codec");
    let text = [
        &GATEWAY[..begin],
        handed,
        &GATEWAY[end..upstream],
        "        - name: modelgate\n          config_discovery: {config_source: {ads: {}}, type_urls: [a]}\n",
        &GATEWAY[upstream_end..],
    ];
    assert_eq!(
        folder.report("a.yaml", &text.concat(), &Circumstances::default()),
        [
            "a.yaml:2:1: warning: file: modelgate's configuration is not in it: expected a file that hands it over, as path_config_source or alone"
        ]
    );
    // Clusters and listeners that are not in the file may be there.
    let clusters = GATEWAY.find("  clusters:\n").expect("clusters");
    let ads = "dynamic_resources: {lds_config: {ads: {}}, cds_config: {ads: {}}}\n";
    let text = format!("{}{ads}", &GATEWAY[..clusters]);
    assert_eq!(folder.report("a.yaml", &text, &Circumstances::default()), Vec::<String>::new());
}

#[test]
fn a_document_may_be_json_and_alone() {
    let folder = Folder::new("a_document_may_be_json");
    let none = Circumstances::default();
    let text = "{\n  \"providers\": {\"openai\": {\"allow_unlisted\": true}},\n  \"auth\": {\"anonymous\": \"deny\"},\n  \"bounds\": {\"held_bytes\": 1.5}\n}\n";
    assert_eq!(
        folder.report("a.json", text, &none),
        [
            "a.json:4:14: error: bounds.held_bytes: invalid type: floating point `1.5`: expected a whole number"
        ]
    );
    assert_eq!(
        folder.report("b.json", &text.replace("1.5", "15"), &none),
        [
            "b.json:3:3: error: auth: nobody could ask: no consumer has a key, and there is no jwt: expected consumers with keys, auth.jwt, or, if anyone may ask, auth: {anonymous: {consumer: anonymous}}"
        ]
    );
}

#[test]
fn json_text_in_a_string_is_read_and_its_places_are_the_files() {
    let folder = Folder::new("json_text_in_a_string");
    let document = "resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: modelgate\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    config:\n      root_id: gateway\n      failure_policy: FAIL_RELOAD\n      allow_on_headers_stop_iteration: true\n      vm_config: {vm_id: modelgate, environment_variables: {host_env_keys: [OPENAI_API_KEY]}}\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.StringValue\n        value: TEXT\n";
    let none = Circumstances::default();
    for (text, expected) in [
        (
            "|\n          {\"providers\": {\"openai\": {\"allow_unlisted\": true}},\n           \"auth\": {\"anonymous\": {\"consumr\": \"a\"}}}",
            "a.yaml:15:21: error: auth.anonymous: unknown value `consumr`: expected `deny` or `consumer`; nearest: \"consumer\"",
        ),
        (
            "'{\"providers\": {\"openai\": {\"allow_unlisted\": true}}, \"auth\": {\"anonymous\": 1}}'",
            "a.yaml:13:78: error: auth.anonymous: invalid type: integer `1`: expected string or map",
        ),
        ("'{\"providers\": {\"openai\": }'", "a.yaml:13:16: error: configuration: the text is not JSON: "),
    ] {
        let said = folder.report("a.yaml", &document.replace("TEXT", text), &none);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{said:?}");
    }
}

#[test]
fn what_the_environment_and_the_time_are_is_looked_at_if_they_are_told() {
    let folder = Folder::new("environment_and_time");
    let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| "key".to_owned());
    let circumstances = Circumstances {
        environment: Some(&environment),
        now: Some(Timestamp::parse("2027-01-01T00:00:01Z").expect("a date")),
    };
    let said = folder.report("a.yaml", PLUGIN, &circumstances);
    assert_eq!(
        said,
        [
            "a.yaml:4:3: warning: providers.claude.api_key: ANTHROPIC_API_KEY is not set in the plugin's environment (vm_config.environment_variables): the provider is left out",
            "a.yaml:26:104: warning: consumers.acme.keys[0].not_after: the key has run out: expected a key less, or a later date",
        ]
    );
}

#[test]
fn no_key_is_ever_shown() {
    let folder = Folder::new("no_key_is_ever_shown");
    for (from, to) in [
        ("{env: OPENAI_API_KEY}", "sk-very-secret"),
        ("{env: OPENAI_API_KEY}", "{valeu: sk-very-secret}"),
        ("{env: OPENAI_API_KEY}", "{value: sk-very-secret}, headers: {authorization: sk-very-secret}"),
        (
            "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "sha256: sk-very-secret",
        ),
    ] {
        let said = with(&folder, PLUGIN, from, to).join("\n");
        assert!(!said.is_empty() && !said.contains("sk-very-secret"), "{said}");
    }
}

#[test]
fn whatever_is_left_out_something_is_told() {
    let folder = Folder::new("whatever_is_left_out");
    let lines: Vec<_> = GATEWAY.lines().collect();
    for at in 0..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        folder.report("a.yaml", &without, &Circumstances::default());
        let cut = lines[..at].join("\n");
        assert!(!folder.report("b.yaml", &cut, &Circumstances::default()).is_empty(), "{cut}");
    }
    for text in [
        "",
        "1",
        "[]",
        "providers",
        "{resources: {}}",
        "{resources: [1]}",
        "{static_resources: [a]}",
        "\u{0}",
        "a: &a [*a]",
    ] {
        assert!(!folder.report("a.yaml", text, &Circumstances::default()).is_empty(), "{text}");
    }
}
