"""What the services of docker-compose.yaml are configured with, made of what is shipped: envoy/fleet.yaml with its limits and
envoy/monitoring. Where they differ: providers are mocks, and what a test would have to wait for is shorter.

    prepare.py DIRECTORY"""

import hashlib
import json
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import render  # noqa: E402

# Of each kind of provider: where its API lies, and the model that there is of it. Its answers come in pieces, 40 ms apart.
PROVIDERS = {"openai": ("/v1", "gpt-5-mini"), "anthropic": ("/v1", "claude-haiku-5-5"), "gemini": ("/v1beta", "gemini-3.8-flash")}
LANE = "compose"  # the corner of each mock that is the gateway's
CONSUMERS = ["calm", "slowed", "killed", "paused", "cut-off", "restarted", "envoy", "capped", "traced", "several"]  # one for each thing that happens
CAP = 20  # requests that `capped` may make in a day, at whichever Envoy and however often that is restarted
FIRST_TOKEN, ANSWER = 3.0, 4.0  # seconds that one attempt may take


def document(shipped):
    """The plugin configuration: a model of each provider, and for each a route on which it is the first to be tried."""
    names = list(PROVIDERS)
    providers = {
        name: {"vendor": name, "base_url": f"http://{name}:8080/lane/{LANE}{path}", "api_key": {"value": f"key-of-{name}"}}
        for name, (path, _) in PROVIDERS.items()
    }
    models = {
        name: {"provider": name, "model": f"{model}+delay_chunk=40", "price": {"input": 1, "output": 2}, "max_output_tokens": 64000}
        for name, (_, model) in PROVIDERS.items()
    }
    models["judge"] = {"provider": "openai", "model": f"{PROVIDERS['openai'][1]}+text=8", "price": {"input": 1, "output": 2}}
    order = lambda first: names[names.index(first) :] + names[: names.index(first)]
    return {
        "providers": providers,
        "models": models,
        "routes": {f"{first}-first": {"targets": [{"model": name} for name in order(first)]} for first in names} | {"together": together()},
        "auth": shipped["auth"],
        "consumers": {name: {"keys": [{"sha256": hashlib.sha256(f"key-of-{name}".encode()).hexdigest()}]} for name in CONSUMERS},
        "limits": [{"name": "consumer-requests", "per": ["consumer"], "requests": 1_000_000, "window": "day"}],
        "timeouts": {"first_token_ms": int(FIRST_TOKEN * 1000), "answer_ms": int(ANSWER * 1000)},
        "health": {"open": 1, "open_most": 2},
    }


def together():
    """All of them answer, and another call judges."""
    ensemble = {"members": [{"model": name} for name in PROVIDERS], "combine": "best_of_n", "judge": {"model": "judge"}}
    return {"targets": [{"model": name} for name in PROVIDERS], "orchestration": {"ensemble": ensemble}}


def envoy():
    config = render.load(ROOT / "envoy" / "fleet.yaml")
    render.use_providers(config, document(render.plugin(config)))
    render.use_tracing(config, render.read(ROOT / "envoy" / "monitoring" / "tracing.yaml"), "jaeger", 4318)
    # It is Prometheus' and the tests', in their own network, and it is not published.
    config["admin"] = {"address": render.socket_address("0.0.0.0", 9901)}
    manager = render.connection_manager(config)
    manager["stream_idle_timeout"] = "8s"  # a stream whose provider is cut off ends after that
    manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["retry_policy"]["num_retries"] = len(PROVIDERS) - 1
    limiter = next(one for one in manager["http_filters"] if one["name"] == "envoy.filters.http.ratelimit")["typed_config"]
    limiter["timeout"] = "5s"  # however busy the machine is: a service that is late lets requests pass
    for cluster in render.provider_clusters(config):
        cluster["connect_timeout"] = "1s"
        cluster["outlier_detection"] = {**cluster["outlier_detection"], "interval": "1s", "base_ejection_time": "1s", "max_ejection_time": "1s"}
    service = next(one for one in config["static_resources"]["clusters"] if one["name"] == "ratelimit")
    service["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = render.socket_address("ratelimit", 8081)
    return config


def limits():
    shipped = render.load(ROOT / "envoy" / "fleet-limits.yaml")
    of = lambda key, value, number: {"key": key, "value": value, "rate_limit": {"unit": "day", "requests_per_unit": number}}
    roomy = [of(f"consumer_{what}", name, 1_000_000_000) for name in CONSUMERS if name != "capped" for what in ("requests", "tokens")]
    capped = [of("consumer_requests", "capped", CAP)]
    return {**shipped, "descriptors": [*shipped["descriptors"], *roomy, *capped]}


def prometheus():
    config = render.load(ROOT / "envoy" / "monitoring" / "prometheus.yaml")
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": ["envoy:9901"]}]
    return config


def main(directory):
    for name in ("envoy", "ratelimit", "prometheus"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    render.save(envoy(), directory / "envoy" / "envoy.yaml")
    render.save(limits(), directory / "ratelimit" / "limits.yaml")
    render.save(prometheus(), directory / "prometheus" / "prometheus.yaml")
    shutil.copy(ROOT / "envoy" / "monitoring" / "alerts.yaml", directory / "prometheus")
    # What the tests have to know of it; they have no YAML.
    rules = render.load(ROOT / "envoy" / "monitoring" / "alerts.yaml")["groups"][0]["rules"]
    facts = {
        "models": {name: model for name, (_, model) in PROVIDERS.items()},
        "lane": LANE,
        "cap": CAP,
        "attempt_seconds": max(FIRST_TOKEN, ANSWER),
        "alerts": [rule["alert"] for rule in rules],
    }
    (directory / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
