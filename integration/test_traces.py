"""Traces as Envoy's OpenTelemetry tracer tells them to a collector: one for each request, with attempts and the gateway's own calls in it."""

import pathlib
import secrets

import pytest

import gateway as gateways
import render
from gateway import route, user, wait_until
from kinds import ANYONE, two_and_none
from lanes import Lane
from otlp import Receiver

TRACING = pathlib.Path(__file__).parent.parent / "envoy" / "monitoring" / "tracing.yaml"


def traced(port):
    """An edit that adds what tracing.yaml has, with the collector at this port."""
    return lambda config: render.use_tracing(config, render.read(TRACING), "127.0.0.1", port)


def document(lane):
    price = {"input": 1, "output": 2}
    return {
        "auth": ANYONE,
        "providers": two_and_none(lane),
        "models": {
            "one": {"provider": "openai", "model": "gpt-4o", "price": price},
            "two": {"provider": "anthropic", "model": "claude-haiku-4-5", "price": price, "max_output_tokens": 100},
            "gone": {"provider": "dead"},
        },
        "routes": {
            "fallback": route("gone", "two"),
            "together": {**route("one"), "orchestration": {"ensemble": {"members": [{"model": "one"}, {"model": "two"}], "combine": "longest"}}},
        },
        "health": "off",
    }


@pytest.fixture(scope="module")
def gateway(mock_server, tmp_path_factory):
    collector = Receiver()
    lane = Lane(mock_server.origin, "traces")
    running = gateways.Gateway(document(lane), tmp_path_factory.mktemp("gateway"), edit=traced(collector.port))
    running.collector, running.lane = collector, lane
    try:
        yield running
        running.assert_healthy()
    finally:
        running.stop()
        collector.close()


class Trace:
    """A request that goes on with a trace, and its spans once there are so many."""

    def __init__(self, gateway, model, spans, **more):
        self.id, self.parent = secrets.token_hex(16), secrets.token_hex(8)
        gateway.lane.clear()
        self.answer = gateway.post({"model": model, "messages": user("hi"), **more}, headers={"traceparent": f"00-{self.id}-{self.parent}-01"})
        wait_until(lambda: len(gateway.collector.of(self.id)) >= spans)
        self.spans = gateway.collector.of(self.id)
        assert len(self.spans) == spans, self.spans
        [self.root] = self.below(self.parent)

    def below(self, parent):
        return [span for span in self.spans if span.parent == parent]


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_goes_on_with_the_clients_trace_and_tells_what_was_used(gateway, stream):
    trace = Trace(gateway, "two", 2, stream=stream)
    tags = trace.root.tags
    assert {name: tags[name] for name in tags if name.startswith("gen_ai") and "usage" not in name} == {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "two",
        "gen_ai.response.model": "two",
    }
    [asked] = gateway.lane.received()
    assert (int(tags["gen_ai.usage.input_tokens"]), int(tags["gen_ai.usage.output_tokens"])) == (asked.usage["prompt"], asked.usage["completion"])
    assert float(tags["modelgate.cost_usd"]) > 0 and tags["modelgate.consumer"] == ANYONE["anonymous"]["consumer"]
    assert "error.type" not in tags or not tags["error.type"]
    [attempt] = trace.below(trace.root.id)
    assert asked.headers["traceparent"].split("-")[1:3] == [trace.id, attempt.id], "the provider is told of the attempt's span"


def test_each_attempt_is_a_span_below_the_request(gateway):
    trace = Trace(gateway, "fallback", 3)
    assert {span.tags["upstream_cluster"] for span in trace.below(trace.root.id)} == {"dead", "anthropic"}
    assert trace.root.tags["modelgate.route"] == "fallback"


@pytest.mark.parametrize("with_parent", [True, False])
def test_what_the_gateway_asks_itself_is_below_the_request_it_is_for(gateway, with_parent):
    if with_parent:
        trace = Trace(gateway, "together", 5)
        root = trace.root
    else:
        assert gateway.post({"model": "together", "messages": user("hi")}).status_code == 200
        begun_here = lambda: [span for span in list(gateway.collector.spans) if not span.parent]
        [root] = wait_until(begun_here)
        wait_until(lambda: len(gateway.collector.of(root.trace)) == 5)
        spans = gateway.collector.of(root.trace)
        trace = Trace.__new__(Trace)
        trace.spans = spans
    calls = trace.below(root.id)
    assert {span.tags["gen_ai.request.model"] for span in calls} == {"one", "two"}
    assert all(len(trace.below(call.id)) == 1 for call in calls), "each call with its attempt"
    assert root.tags["modelgate.orchestration"] == "ensemble"


def test_lines_of_the_access_log_are_joined_by_the_trace(gateway):
    gateway.mark()
    trace = Trace(gateway, "together", 5)
    lines = wait_until(lambda: (lines := [line for line in gateway.access_log() if line["trace_id"] == trace.id]) and len(lines) == 3 and lines)
    assert {line["asked"] for line in lines} == {"together", "one", "two"}
    assert all(line["overhead_us"] is not None for line in lines if line["asked"] != "together")


def test_an_error_has_its_type(gateway):
    trace = Trace(gateway, "nobody", 1)
    assert trace.answer.status_code == 404
    assert trace.root.tags["error.type"] == "not_found"
