"""What is shipped for those who watch gateways: Prometheus' configuration, alerts and dashboards, against a real Prometheus that scrapes a
real Envoy."""

import concurrent.futures
import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import time

import httpx2
import pytest
import yaml

import gateway as gateways
import process
import render
from gateway import user, wait_until
from lanes import Lane
from test_live import LIVE, Folder
from test_metrics import document, make_it_all_happen

MONITORING = pathlib.Path(__file__).parent.parent / "envoy" / "monitoring"
BOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="there is no Prometheus")


def panels(board):
    return [(panel["title"], target["expr"]) for panel in json.loads(board.read_text())["panels"] for target in panel["targets"]]


def metrics_of(expression):
    """The names of the series that an expression is about."""
    named = re.findall(r"\b((?:gen_ai|modelgate|envoy)_[a-z_]+)(?=[{\[\s)]|$)", expression)
    return {name for name in named if not name.startswith(("gen_ai_provider_name", "gen_ai_response_model", "gen_ai_request_model", "envoy_cluster_name"))}


class Prometheus(process.Process):
    """Scrapes every second, and says what it knows."""

    def __init__(self, directory, targets):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"] = [{"targets": targets}]
        rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
        for rule in rules["groups"][0]["rules"]:
            rule.pop("for", None)
            # An hour ago there was no gateway: what is compared with then is compared with twelve seconds ago.
            if "offset 1h" in rule["expr"]:
                rule["expr"] = rule["expr"].replace("[10m]", "[5s]").replace("offset 1h", "offset 12s")
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        (directory / "alerts.yaml").write_text(yaml.safe_dump(rules))
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        command = ["prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{self.port}"]
        super().__init__(command, str(directory / "prometheus.log"))

    def await_ready(self):
        until = time.monotonic() + 60
        while True:
            try:
                if self.http.get("/-/ready").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            if not self.is_running() or time.monotonic() > until:
                raise self.did_not_start("Prometheus did not start")
            time.sleep(0.1)

    def query(self, expression):
        answer = self.http.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        return answer["data"]["result"]

    def firing(self):
        alerts = self.http.get("/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def name(text):
    return bytes([len(text)]) + text.encode()


def section(number, entries):
    body = bytes([len(entries)]) + b"".join(entries)
    assert len(body) < 128
    return bytes([number, len(body)]) + body


def trapping():
    """A WebAssembly module that is a filter for Envoy until a request comes, which is a trap (`unreachable`)."""
    i32, unreachable, true, address = b"\x7f", b"\x00", b"\x41\x01", b"\x41\x80\x08"
    of_type = lambda takes, gives: b"\x60" + bytes([takes]) + i32 * takes + bytes([gives]) + i32 * gives
    functions = {"proxy_abi_version_0_2_1": (0, b""), "malloc": (1, address), "proxy_on_configure": (2, true), "proxy_on_request_headers": (3, unreachable)}
    types = section(1, [of_type(0, 0), of_type(1, 1), of_type(2, 1), of_type(3, 1)])
    bodies = [b"\x00" + code + b"\x0b" for _, code in functions.values()]
    exports = [name("memory") + b"\x02\x00", *(name(each[:63]) + b"\x00" + bytes([at]) for at, each in enumerate(functions))]
    return b"".join(
        [
            b"\0asm\x01\0\0\0",
            types,
            section(3, [bytes([kind]) for kind, _ in functions.values()]),
            section(5, [b"\x00\x01"]),
            section(7, exports),
            section(10, [bytes([len(body)]) + body for body in bodies]),
        ]
    )


@pytest.fixture(scope="module")
def watched(mock_server, tmp_path_factory):
    """A Prometheus that has scraped a gateway to which all kinds of things have happened, and an address at
    which there is none; and what makes something fail once more."""
    lane = Lane(mock_server.origin, "monitoring")
    configured = document(lane)
    configured["models"]["dear"] = {"provider": "openai", "model": "gpt-5", "price": {"input": 0, "output": 0, "request": 1}}
    configured["limits"].append({"name": "budget", "per": ["consumer"], "models": ["dear"], "usd": 4, "window": "month"})
    gateway = gateways.Gateway(configured, tmp_path_factory.mktemp("gateway"))
    directory = tmp_path_factory.mktemp("prometheus")
    folder, module = Folder(tmp_path_factory.mktemp("folder")), tmp_path_factory.mktemp("module") / "trap.wasm"
    module.write_bytes(trapping())
    small = {"providers": {"openai": lane.provider("openai")}, "auth": {"anonymous": {"consumer": "anyone"}}}
    live = gateways.Gateway(small, tmp_path_factory.mktemp("live"), shipped=LIVE, edit=folder.take)
    trap = gateways.Gateway(small, tmp_path_factory.mktemp("trap"), edit=lambda config: render.use_wasm(config, str(module)))
    try:
        with Prometheus(directory, [*(each.envoy.admin for each in (gateway, live, trap)), "127.0.0.1:1"]) as prometheus:
            ask = {"messages": user("hello")}
            gateway.post({"model": "one", **ask})
            wait_until(lambda: prometheus.query("modelgate_requests"))
            make_it_all_happen(gateway, lane)
            assert [gateway.post({"model": "dear", **ask}).status_code for _ in range(4)] == [200] * 4
            # What fails again and again is left alone, by circuit and by Envoy.
            for _ in range(6):
                gateway.post({"model": "gone", **ask})
            wait_until(lambda: prometheus.query("modelgate_judge_score_percent_count"))
            wait_until(lambda: prometheus.query("modelgate_circuit_state == 2"))
            # Sixty answers that take longer than eleven seconds (Envoy counts by two digits), a configuration that is refused, and a filter that traps.
            lane.script("openai", *[{"delay_headers": 11_500}] * 60)
            with concurrent.futures.ThreadPoolExecutor(60) as pool:
                slow = [pool.submit(gateway.post, {"model": "one", **ask}) for _ in range(60)]
                wait_until(lambda: prometheus.query("envoy_wasm_modelgate_vm_reload_success"))
                wait_until(lambda: prometheus.query("envoy_extension_config_discovery_http_filter_modelgate_config_fail == 0"))
                folder.write({"providers": {}})
            assert [answer.result().status_code for answer in slow] == [200] * 60

            def fail():
                gateway.post({"model": "gone", **ask})
                gateway.post({"model": "two", "temperature": 0, "messages": user(f"{time.monotonic()}")})
                with contextlib.suppress(httpx2.TransportError):
                    trap.post({"model": "openai/gpt-5", **ask})

            yield prometheus, fail
    finally:
        for each in (gateway, live, trap):
            each.stop()


@needs_prometheus
def test_configuration_and_alerts_are_as_promtool_wants_them():
    for command in (["check", "config", "prometheus.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=MONITORING, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test():
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    silent = {case["alertname"] for test in tests for case in test["alert_rule_test"] if not case["exp_alerts"]}
    names = {rule["alert"] for rule in rules}
    assert fired == names
    assert names - silent <= {"ModelgateProviderUnhealthy"}, "whose series that do not fire stand beside the one that does"


@needs_prometheus
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_dashboards_ask_for_what_there_is(watched, board):
    prometheus, _ = watched
    known = {series for series in prometheus.http.get("/api/v1/label/__name__/values").json()["data"]}
    for title, expression in panels(board):
        prometheus.query(expression.replace("$__rate_interval", "1m"))
        assert metrics_of(expression), f"{title}: {expression}"
        missing = metrics_of(expression) - known
        assert not missing, f"{title} asks for {missing}"


@needs_prometheus
def test_alerts_ask_for_what_there_is_and_fire(watched):
    prometheus, fail = watched
    known = {series for series in prometheus.http.get("/api/v1/label/__name__/values").json()["data"]}
    for rule in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]:
        assert metrics_of(rule["expr"]) <= known, rule["alert"]
    silent = {rule["alert"] for rule in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]}
    until = time.monotonic() + 30
    while silent and time.monotonic() < until:
        fail()
        time.sleep(0.3)
        silent -= prometheus.firing()
    assert not silent
    assert len(prometheus.query("increase(envoy_wasm_modelgate_vm_reload_success[10m]) > 0")) == 1, "of the filter that traps alone"


def test_dashboards_are_told_apart():
    boards = [json.loads(board.read_text()) for board in BOARDS]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards) == 4
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        taken = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
        assert len(set(taken)) == len(taken), "no panel is on another one"
