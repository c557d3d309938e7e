"""What the gateway tells of itself in a real Envoy: the series at /stats/prometheus, with their labels, from real requests."""

import concurrent.futures
import pathlib
import re

import pytest

import gateway as gateways
from gateway import route, user, wait_until
from kinds import two_and_none
from lanes import Lane
from series import Series

PRICE = {"input": 3, "output": 15}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def document(lane):
    return {
        "providers": two_and_none(lane),
        "models": {
            "one": {"provider": "openai", "model": "gpt-5.6-luna", "price": PRICE},
            "two": {"provider": "anthropic", "model": "claude-sonnet-5-5", "price": PRICE, "max_output_tokens": 1000},
            "gone": {"provider": "dead", "model": "gpt-5", "price": PRICE},
            "blind": {"provider": "openai", "model": "gpt-5", "price": PRICE, "supports": {"image": False}},
        },
        "routes": {
            "fallback": route("gone", "two"),
            "seeing": route("blind", "one"),
            "tried": {**route("one"), "experiment": {"arms": {arm: {"share": 50} for arm in ("new", "old")}}},
            "judged": {
                **route("one", "two"),
                "orchestration": {
                    "ensemble": {"members": [{"model": "one"}, {"model": "two"}], "combine": "best_of_n", "judge": {"model": "one"}},
                },
            },
        },
        "limits": [{"name": "few", "per": ["model"], "models": ["blind"], "requests": 2, "window": "hour"}],
        "cache": {"exact": {}},
        "auth": {"anonymous": {"consumer": "acme"}},
    }


def make_it_all_happen(gateway, lane):
    """Some of each kind of request."""

    def ask(model, **more):
        return gateway.post({"model": model, "messages": user("hello"), **more})

    for _ in range(3):
        assert ask("one").status_code == 200
    assert ask("two", stream=True).status_code == 200
    lane.script("openai", chunks=6, size=4, delay_chunk=30)
    assert ask("one", stream=True).status_code == 200
    assert ask("fallback").status_code == 200
    assert ask("nobody").status_code == 404
    for _ in range(2):
        assert ask("two", temperature=0).status_code == 200
    assert gateway.post({"model": "seeing", "messages": [{"role": "user", "content": [IMAGE]}]}).status_code == 200
    assert [ask("blind").status_code for _ in range(3)] == [200, 200, 429]
    lane.script("openai", error_after=2)
    assert "error" in ask("one", stream=True).text
    lane.script("openai", {"text": "answer a"}, {"text": "7"}, {"text": "9"})
    assert ask("judged").status_code == 200
    assert ask("tried").status_code == 200


@pytest.fixture(scope="module")
def seen(mock_server, tmp_path_factory):
    """A gateway after some of each kind of request, and what it tells then."""
    lane = Lane(mock_server.origin, "metrics")
    gateway = gateways.Gateway(document(lane), tmp_path_factory.mktemp("gateway"))
    try:
        make_it_all_happen(gateway, lane)
        yield gateway, wait_until(lambda: complete(Series(gateway.envoy)))
        gateway.assert_healthy()
    finally:
        gateway.stop()


def complete(series):
    """The series, once Envoy has merged the histograms of its workers."""
    counted = series.value("modelgate_requests", outcome="ok")
    timed = series.value("gen_ai_server_request_duration_milliseconds_count")
    return series if counted and counted == timed else None


ONE = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "one", "gen_ai_response_model": "one"}
ACME = {"consumer": "acme", "tier": "default"}

# Of each metric: a series of it, by its labels, and what that is in the end; of a histogram, how many were measured.
EXPECTED = {
    "gen_ai.client.token.usage": ({**ONE, "gen_ai_token_type": "output"}, 8),
    "gen_ai.server.request.duration_milliseconds": ({**ONE}, 7),
    "gen_ai.server.time_to_first_token_milliseconds": ({**ONE}, 1),
    "gen_ai.server.time_per_output_token_microseconds": ({**ONE}, 1),
    "modelgate.inter_token_jitter_microseconds": ({**ONE}, 1),
    "modelgate.overhead_microseconds": ({}, 19),
    "modelgate.requests": ({**ONE, "origin": "client", "outcome": "ok"}, 4),
    "modelgate.consumer_requests": ({**ACME, "outcome": "broken"}, 1),
    "modelgate.errors": ({"gen_ai_request_model": "blind", "kind": "rate_limited"}, 1),
    "modelgate.tokens": ({**ACME, "gen_ai_response_model": "two", "direction": "input"}, None),
    "modelgate.cost_nano_usd": ({**ACME, "gen_ai_response_model": "two"}, None),
    "modelgate.attempts": ({"gen_ai_provider_name": "dead", "gen_ai_response_model": "gone", "outcome": "no_response"}, 1),
    "modelgate.fallbacks": ({"from": "gone", "to": "two", "reason": "no_response"}, 1),
    "modelgate.stream_breaks": ({**ONE}, 1),
    "modelgate.cache": ({"result": "hit", "gen_ai_request_model": "two"}, 1),
    "modelgate.cache_saved_tokens": ({"result": "hit", "gen_ai_request_model": "two"}, None),
    "modelgate.limit_decisions": ({"limit": "few", "decision": "refused"}, 1),
    "modelgate.limit_used_percent": ({"limit": "few", "unit": "requests", "consumer": "acme"}, 100),
    "modelgate.plan_exclusions": ({"model": "blind", "reason": "ability"}, 1),
    "modelgate.experiment_requests": ({"route": "tried", "outcome": "ok"}, 1),
    "modelgate.orchestrations": ({"route": "judged", "mode": "ensemble", "outcome": "ok"}, 1),
    "modelgate.judge_score_percent": ({"route": "judged"}, 2),
    "modelgate.circuit_state": ({"gen_ai_response_model": "one"}, 0),
}


def test_every_metric_is_expected_here():
    page = (pathlib.Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `([a-z_.]+)` \| (?:counter|gauge|histogram) ", page, re.M)) == set(EXPECTED)


@pytest.mark.parametrize("metric", EXPECTED)
def test_each_metric_is_what_has_happened(seen, metric):
    labels, expected = EXPECTED[metric]
    wait_until(lambda: Series(seen[0].envoy).labels("modelgate_circuit_state"))
    series = Series(seen[0].envoy)
    name = metric.replace(".", "_")
    value = series.value(f"{name}_count" if series.families[name].type == "histogram" else name, **labels)
    assert [set(found) for found in series.labels(name) if labels.items() <= found.items()], "it has these labels"
    assert value == expected if expected is not None else value > 0, value


def test_requests_are_counted_by_operation_provider_and_models(seen):
    series = seen[1]
    of_one = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "one", "gen_ai_response_model": "one"}
    assert series.value("modelgate_requests", **of_one, origin="client", outcome="ok") == 4
    assert series.value("modelgate_requests", **of_one, outcome="broken") == 1
    assert series.value("modelgate_stream_breaks", **of_one) == 1
    assert series.value("modelgate_requests", gen_ai_request_model="fallback", gen_ai_response_model="two", outcome="ok") == 1
    assert series.value("modelgate_errors", gen_ai_request_model="unlisted", kind="not_found") == 1
    assert series.value("modelgate_consumer_requests", consumer="acme", tier="default", outcome="ok") == 13


def test_what_answers_take_is_in_histograms(seen):
    series = seen[1]
    duration = series.families["gen_ai_server_request_duration_milliseconds"]
    assert duration.type == "histogram"
    of_one = {"gen_ai_request_model": "one", "gen_ai_response_model": "one"}
    assert series.value("gen_ai_server_time_to_first_token_milliseconds_count", **of_one) == 1
    # Five pieces of four tokens, 30 ms apart: about 7 ms for each token.
    each = series.value("gen_ai_server_time_per_output_token_microseconds_sum", **of_one)
    assert 4_000 < each < 40_000, each
    assert series.value("modelgate_inter_token_jitter_microseconds_count", **of_one) == 1
    assert series.value("modelgate_overhead_microseconds_count") >= 12
    mean = series.value("modelgate_overhead_microseconds_sum") / series.value("modelgate_overhead_microseconds_count")
    assert 0 < mean < 5_000, mean
    buckets = {s.labels["le"] for s in duration.samples if s.name.endswith("_bucket")}
    assert {"10", "1000", "10000", "+Inf"} <= buckets, "as configured"


def test_tokens_and_cost_are_what_the_providers_have_reported(seen):
    gateway, series = seen
    lines = [line for line in gateway.access_log() if line["tokens_in"] is not None]
    for direction in ("in", "out"):
        logged = sum(int(line[f"tokens_{direction}"]) for line in lines)
        assert series.value("modelgate_tokens", consumer="acme", direction={"in": "input", "out": "output"}[direction]) == logged > 0
        counted = series.value("gen_ai_client_token_usage_sum", gen_ai_token_type={"in": "input", "out": "output"}[direction])
        assert counted == pytest.approx(logged, rel=0.1), "a histogram's sum is Envoy's estimate from its buckets"
    cost = sum(float(line["cost_usd"]) for line in lines if line["cost_usd"])
    assert series.value("modelgate_cost_nano_usd", consumer="acme") == pytest.approx(cost * 1e9, rel=1e-6)


def test_attempts_and_fallbacks_are_told_with_the_reason(seen):
    series = seen[1]
    assert series.value("modelgate_fallbacks", **{"from": "gone", "to": "two", "reason": "no_response"}) == 1
    assert series.value("modelgate_attempts", gen_ai_response_model="gone", outcome="no_response") == 1
    assert series.value("modelgate_plan_exclusions", model="blind", reason="ability") == 1


def test_limits_and_cache_tell_what_they_decide(seen):
    series = seen[1]
    assert series.value("modelgate_limit_decisions", limit="few", decision="admitted") == 2
    assert series.value("modelgate_limit_decisions", limit="few", decision="refused") == 1
    assert series.value("modelgate_limit_used_percent", limit="few", unit="requests") == 100
    assert series.value("modelgate_cache", result="hit") == 1
    assert series.value("modelgate_cache", result="miss", gen_ai_request_model="two") == 1
    assert series.value("modelgate_cache_saved_tokens", result="hit") > 10


def test_several_calls_are_one_request_of_the_client_and_some_of_the_gateway(seen):
    series = seen[1]
    assert series.value("modelgate_orchestrations", route="judged", mode="ensemble", outcome="ok") == 1
    assert series.value("modelgate_requests", gen_ai_request_model="judged", origin="client") == 1
    assert series.value("modelgate_requests", origin="gateway", outcome="ok") == 4
    assert series.value("modelgate_judge_score_percent_count", route="judged") == 2


def test_circuits_are_told_once_a_second(seen):
    gateway = seen[0]
    labels = wait_until(lambda: Series(gateway.envoy).labels("modelgate_circuit_state"))
    assert {label["gen_ai_response_model"] for label in labels} == {"one", "two", "gone", "blind"}


def test_no_label_is_left_in_a_name(seen):
    """Each label of the filter's has a rule in stats_tags."""
    series = seen[1]
    ours = [name for name in series.families if name.startswith(("gen_ai_", "modelgate_"))]
    assert len(ours) >= 18, ours
    assert not [name for name in ours if "=" in name or "consumer_acme" in name or "_chat" in name]
    assert all(";" not in value for sample in series.samples for value in sample.labels.values())


def test_workers_count_together(own_lane, start_gateway):
    gateway = start_gateway(document(own_lane), concurrency=4)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: gateway.post({"model": "one", "messages": user("hi")}).status_code, range(64)))
    assert answers == [200] * 64
    series = Series(gateway.envoy)
    assert series.value("modelgate_requests", gen_ai_request_model="one", outcome="ok") == 64
    assert series.value("modelgate_attempts", outcome="ok") == 64
