"""Makes of envoy/envoy.yaml (or another like it) the configuration to run here: ports, the path of the wasm, only the
providers there are, each at its base URL.

The plugin configuration is the single source of what a provider is; clusters and the route's matcher follow from it.
"""

import copy
import ipaddress
import json
import os
import ssl
from urllib.parse import urlsplit, urlunsplit

import yaml

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
CLUSTER_ACTION = "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction"
# The files of envoy/ that Envoy is started with.
SHIPPED = ("compat.yaml", "envoy.yaml", "fleet.yaml", "live.yaml", "minimal.yaml", "secure.yaml")
PLACEHOLDER = "YOUR-"  # a base URL that carries this waits to be filled in

NO_KEY = "no-key"  # what is sent where a base URL was given without a key: some servers insist on one, whatever it is

# Vendors whose own SDKs take a base URL without the API's version, as <PROVIDER>_BASE_URL is therefore often set.
VERSION = {"anthropic": "/v1", "gemini": "/v1beta"}


def read(path):
    """The document as it stands."""
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def load(path):
    """The document, with the filters that Envoy is handed over (`config_discovery`) in their places: those of the files that it
    names, where they are, or in a folder of that name beside it."""
    config = read(path)
    if "static_resources" in config:
        take_over(config, os.path.dirname(os.path.abspath(path)))
    return config


def save(config, path):
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file, sort_keys=False, width=200)


# ---- where things are in the document ------------------------------------------------------------------------------


def connection_manager(config):
    return config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


def gateway(config):
    """The wasm configuration of the gateway role. PyYAML keeps aliases as one object, so the provider role shares its
    `vm_config` and `configuration`: an edit here is an edit there."""
    filters = connection_manager(config)["http_filters"]
    return next(f for f in filters if f["name"] == "modelgate")["typed_config"]["config"]


def plugin(config):
    """The plugin configuration: providers, models, routes."""
    return gateway(config)["configuration"]["value"]


def cluster_map(config):
    """The matcher's rows (target name to cluster), or None where the route names its one cluster itself."""
    route = connection_manager(config)["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    if "inline_cluster_specifier_plugin" not in route:
        return None
    specifier = route["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    return specifier["cluster_matcher"]["matcher_tree"]["exact_match_map"]["map"]


# ---- filters in files that Envoy watches (ECDS) ---------------------------------------------------------------------


def filters(config):
    """The filter in all its places."""
    listeners = [f for listener in config["static_resources"]["listeners"] for f in http_filters_of(listener)]
    clusters = [f for cluster in config["static_resources"]["clusters"] for f in upstream_filters(cluster)]
    return [one for one in listeners + clusters if one["name"].startswith("modelgate")]


def http_filters_of(listener):
    return listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]


def upstream_filters(cluster):
    return cluster.get("typed_extension_protocol_options", {}).get(HTTP_OPTIONS, {}).get("http_filters", [])


def take_over(config, folder):
    """Puts what the files hand over where it is used. What is the same in both roles is one object, as with aliases."""
    first = None
    for one in filters(config):
        if "config_discovery" not in one:
            continue
        path = one.pop("config_discovery")["config_source"]["path_config_source"]["path"]
        if not os.path.exists(path):
            path = os.path.join(folder, *path.split("/")[-2:])
        (resource,) = load(path)["resources"]
        one["name"] = "modelgate"
        one["typed_config"] = resource["typed_config"]
        first = first or one["typed_config"]["config"]
        for part in ("vm_config", "configuration"):
            if first[part] == one["typed_config"]["config"][part]:
                one["typed_config"]["config"][part] = first[part]


def hand_over(config, folder):
    """The other way round: from here on the filter is in gateway.yaml and provider.yaml in this folder, which are still to be
    written. Gives their resources, by role."""
    resources = {}
    for one in filters(config):
        if "typed_config" not in one:
            continue
        settings = one.pop("typed_config")
        role = settings["config"]["root_id"]
        one["name"] = {"gateway": "modelgate", "provider": "modelgate_provider"}[role]
        source = {"path": os.path.join(folder, f"{role}.yaml"), "watched_directory": {"path": str(folder)}}
        one["config_discovery"] = {"config_source": {"path_config_source": source}, "type_urls": [settings["@type"]]}
        extension = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
        resources[role] = {"@type": extension, "name": one["name"], "typed_config": settings}
    config.setdefault("node", {"id": "modelgate", "cluster": "modelgate"})
    return resources


# ---- edits ----------------------------------------------------------------------------------------------------------


def listen(config, port, admin_port, address="127.0.0.1"):
    """Port 0 lets the system choose; Envoy's admin interface then tells which (`/listeners`)."""
    config["static_resources"]["listeners"][0]["address"] = socket_address(address, port)
    config["admin"] = {"address": socket_address("127.0.0.1", admin_port)}


def use_wasm(config, path):
    gateway(config)["vm_config"]["code"] = {"local": {"filename": os.path.abspath(path)}}


def use_providers(config, document):
    """Puts `document` in the plugin configuration's place, and makes the clusters and the matcher follow."""
    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    others = [cluster for cluster in clusters.values() if not leads_to_provider(cluster)]
    template = provider_clusters(config)[0]
    tls = next((c["transport_socket"] for c in clusters.values() if "transport_socket" in c), None)
    if tls is not None:
        use_system_authorities(tls)
    chosen = {}
    for name, provider in document["providers"].items():
        cluster_name = provider.get("cluster", name)
        cluster = clusters.get(cluster_name, {**template, "name": cluster_name})
        chosen[cluster_name] = at(cluster, provider["base_url"], tls) if "base_url" in provider else cluster
    config["static_resources"]["clusters"] = [*others, *chosen.values()]
    configuration = gateway(config)["configuration"]
    configuration["value"] = document
    rows = cluster_map(config)
    if rows is not None:
        rows.clear()
        rows.update({name: cluster_action(name) for name in chosen})


def use_services(config, services):
    """Clusters for tools: each name at its URL. They have no filter of the gateway's, and no row in the matcher: no request of a
    client is for them."""
    template = provider_clusters(config)[0]
    tls = next((c["transport_socket"] for c in config["static_resources"]["clusters"] if "transport_socket" in c), None)
    for name, url in services.items():
        cluster = at(copy.deepcopy({**template, "name": name}), url, tls)
        cluster["typed_extension_protocol_options"][HTTP_OPTIONS].pop("http_filters", None)
        config["static_resources"]["clusters"].append(cluster)


def use_tracing(config, parts, host, port):
    """Adds what envoy/monitoring/tracing.yaml has (`parts`), with the collector there."""
    cluster = copy.deepcopy(parts["cluster"])
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = socket_address(host, port)
    config["static_resources"]["clusters"].append(cluster)
    for listener in config["static_resources"]["listeners"]:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["tracing"] = copy.deepcopy(parts["tracing"])
        manager["http_filters"] = [parts["http_filter"], *manager["http_filters"]]


def provider_clusters(config):
    """The clusters that lead to providers."""
    return [cluster for cluster in config["static_resources"]["clusters"] if leads_to_provider(cluster)]


def leads_to_provider(cluster):
    """Whether the filter stands in it; others lead back into this Envoy, or to services that are asked by Envoy itself."""
    return any(one["name"] == "modelgate" for one in upstream_filters(cluster))


def write_plugin_as_text(config):
    """The plugin configuration as JSON in a StringValue, the other form the filter takes."""
    configuration = gateway(config)["configuration"]
    configuration["value"] = json.dumps(configuration["value"])
    configuration["@type"] = "type.googleapis.com/google.protobuf.StringValue"


def at(cluster, base_url, tls):
    """The cluster, reached at this base URL: address, TLS or not."""
    url = urlsplit(base_url)
    secure = url.scheme == "https"
    endpoint = {"address": socket_address(url.hostname, url.port or (443 if secure else 80))}
    cluster = {key: value for key, value in cluster.items() if key != "transport_socket"}
    cluster["type"] = "STATIC" if is_ip(url.hostname) else "LOGICAL_DNS"
    if cluster["type"] == "STATIC":
        cluster.pop("dns_lookup_family", None)
    cluster["load_assignment"] = {
        "cluster_name": cluster["name"],
        "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
    }
    options = dict(cluster["typed_extension_protocol_options"][HTTP_OPTIONS])
    options.pop("auto_config", None)
    options.pop("explicit_http_config", None)
    if secure:
        cluster["transport_socket"] = for_address(tls, url.hostname) if is_ip(url.hostname) else tls
        options["auto_config"] = {"http_protocol_options": {}, "http2_protocol_options": {}}
    else:
        options["explicit_http_config"] = {"http_protocol_options": {}}
    cluster["typed_extension_protocol_options"] = {HTTP_OPTIONS: options}
    return cluster


def for_address(tls, address):
    """TLS to a bare address: there is no name to send, so it is the address that the certificate must carry."""
    tls = copy.deepcopy(tls)
    context = tls["typed_config"]["common_tls_context"]
    wanted = {"san_type": "IP_ADDRESS", "matcher": {"exact": address}}
    context["validation_context"]["match_typed_subject_alt_names"] = [wanted]
    return tls


def use_system_authorities(tls):
    """The authorities' file where this system has it; the one in the document is Debian's."""
    trusted = tls["typed_config"]["common_tls_context"]["validation_context"]["trusted_ca"]
    if not os.path.exists(trusted["filename"]):
        found = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        if found:
            trusted["filename"] = found


def socket_address(address, port):
    return {"socket_address": {"address": address, "port_value": port}}


def cluster_action(cluster):
    return {"action": {"name": "cluster", "typed_config": {"@type": CLUSTER_ACTION, "cluster": cluster}}}


def is_ip(host):
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


# ---- which providers there are -------------------------------------------------------------------------------------


def key_variable(provider):
    key = provider.get("api_key")
    return key.get("env") if isinstance(key, dict) else None


def base_url_of(name, provider, environment):
    """What <PROVIDER>_BASE_URL says (also under the name of the key's variable: AZURE_OPENAI_BASE_URL), if anything."""
    names = [name.upper().replace("-", "_") + "_BASE_URL"]
    if key_variable(provider):
        names.append(key_variable(provider).removesuffix("_API_KEY") + "_BASE_URL")
    found = next((environment[n] for n in names if environment.get(n)), None)
    if found is None:
        return None
    url = urlsplit(found if "://" in found else "http://" + found)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise SystemExit(f"error: {names[0]}={found} is not an http(s) URL")
    path = url.path.rstrip("/")
    version = VERSION.get(provider.get("vendor"), "")
    if not path.split("/")[-1].startswith("v1"):
        path += version
    return urlunsplit((url.scheme, url.netloc, path, "", ""))


def real_providers(document, environment):
    """The document with only the providers whose key or base URL is in the environment; None if there is no such one."""
    chosen = {}
    for name, provider in document["providers"].items():
        base_url = base_url_of(name, provider, environment)
        has_key = bool(environment.get(key_variable(provider) or ""))
        if not has_key and base_url is None:
            continue
        provider = {**provider, "base_url": base_url or provider["base_url"]}
        if PLACEHOLDER in provider["base_url"]:
            raise SystemExit(f"error: {key_variable(provider)} is set; set {name.upper()}_BASE_URL too")
        if not has_key and key_variable(provider):
            provider["api_key"] = {"value": NO_KEY}
        chosen[name] = provider
    return without_missing({**document, "providers": chosen}) if chosen else None


def mock_providers(document, origin):
    """The document with every provider at the mock server `origin`, its path kept; the vendors that speak OpenAI's form
    are told apart there by their name before it."""
    chosen = {}
    for name, provider in document["providers"].items():
        vendor = provider["vendor"]
        prefix = "" if vendor in ("openai", "anthropic", "gemini") else f"/{vendor}"
        base_url = origin + prefix + urlsplit(provider["base_url"]).path
        chosen[name] = {**provider, "base_url": base_url, "api_key": {"value": f"mock-key-of-{name}"}}
    return {**document, "providers": chosen}


def without_missing(document):
    """Drops models and route targets whose provider is not there, and routes that have no target left."""
    document = copy.deepcopy(document)
    providers = document["providers"]
    models = {n: m for n, m in document.get("models", {}).items() if m["provider"] in providers}
    names = set(models) | {alias for m in models.values() for alias in m.get("aliases", [])}

    def is_there(target):
        return target["model"] in names or target["model"].split("/")[0] in providers

    routes = {}
    for name, route in document.get("routes", {}).items():
        targets = [target for target in route["targets"] if is_there(target)]
        if targets:
            routes[name] = {**route, "targets": targets}
    if "models" in document:
        document["models"] = models
    if "routes" in document:
        document["routes"] = routes
    if document.get("default_provider") not in providers:
        document.pop("default_provider", None)
    return document
