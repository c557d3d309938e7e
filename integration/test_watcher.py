"""What Envoy itself says of clusters: a target whose hosts are all ejected is left alone before anybody has asked it."""

import copy
import socket
import time

from gateway import route, user, wait_until
from kinds import ANYONE
import render

HEALTH_CHECK = [{"timeout": "0.2s", "interval": "0.2s", "unhealthy_threshold": 1, "healthy_threshold": 1, "http_health_check": {"path": "/healthz"}}]


def watched(config):
    """With the watcher, and active health checks of one provider, which has no such path."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config["admin"] = {"address": render.socket_address("127.0.0.1", port)}
    clusters = config["static_resources"]["clusters"]
    next(cluster for cluster in clusters if cluster["name"] == "openai")["health_checks"] = HEALTH_CHECK
    endpoint = {"endpoint": {"address": render.socket_address("127.0.0.1", port)}}
    clusters.append({"name": "admin", "type": "STATIC", "load_assignment": {"cluster_name": "admin", "endpoints": [{"lb_endpoints": [endpoint]}]}})
    gateway = render.gateway(config)
    plugin = {key: copy.deepcopy(gateway[key]) for key in ("vm_config", "configuration")}
    config["bootstrap_extensions"].append({
        "name": "envoy.bootstrap.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
            "singleton": True,
            "config": {"name": "modelgate", "root_id": "watcher", **plugin},
        },
    })


def test_a_target_without_a_healthy_host_is_left_alone(start_gateway, own_lane):
    document = {
        "auth": ANYONE,
        "providers": {kind: own_lane.provider(kind) for kind in ("openai", "anthropic")},
        "models": {"one": {"provider": "openai", "model": "gpt-5-nano"}, "two": {"provider": "anthropic", "model": "claude-sonnet-5-5"}},
        "routes": {"any": route("one", "two")},
        "health": {"admin_cluster": "admin"},
    }
    gateway = start_gateway(document, edit=watched)

    def first():
        with gateway.client() as client:
            raw = client.chat.completions.with_raw_response.create(model="any", messages=user("hello"))
            return raw.headers["x-modelgate-plan"].split(",")[0]

    wait_until(lambda: first() == "two")
    # Both workers hear of it.
    time.sleep(1.2)
    assert {first() for _ in range(12)} == {"two"}
    explained = gateway.http.post("/v1/route/explain", json={"model": "any", "messages": user("hello")}).json()
    assert {target["model"]: target["circuit"] for target in explained["targets"]} == {"one": "open", "two": "closed"}
