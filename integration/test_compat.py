"""The same wasm in each Envoy that people have: what works in all of them, and what becomes of fallback where Envoy's retries cannot
leave a request's first cluster.

ENVOYS says which there are, as `version=path` with blanks between (scripts/matrix sets it): each with compat.yaml, and with
envoy.yaml if ENVOY_YAML is set and it is 1.39 or newer. Without it they are ENVOY and, if scripts/setup has it, OLD_ENVOY."""

import contextlib
import datetime
import os
import time

import openai
import pytest

import gateway as gateways
import kinds
import process
from gateway import route, user, wait_until
from kinds import KINDS, NOBODY
from lanes import Lane
from series import Series

REFRESHES = (1, 39)  # from here on a retry may go to another cluster


def known():
    """The versions there are, with their paths."""
    if os.environ.get("ENVOYS"):
        return [tuple(one.split("=", 1)) for one in os.environ["ENVOYS"].split()]
    old = os.environ.get("OLD_ENVOY")
    return [*([("old", old)] if old else []), ("new", os.environ.get("ENVOY", ""))]


def refreshes(version):
    return version == "new" or version != "old" and tuple(map(int, version.split(".")[:2])) >= REFRESHES


ENVOYS = dict(known())
OLD = [version for version in ENVOYS if not refreshes(version)]
PLACES = [(version, "compat.yaml") for version in ENVOYS]
if os.environ.get("ENVOY_YAML"):
    PLACES += [(version, "envoy.yaml") for version in ENVOYS if refreshes(version)]


def document(lane, **more):
    """A provider of each kind; openai, anthropic and gemini stand in for each other."""
    said = {"openai": "gpt-5.6-luna", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-3.8-flash"}
    targets = [{"model": name} for name in said]
    return {
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "providers": {**{kind: lane.provider(kind) for kind in KINDS}, "dead": {**lane.provider("openai"), "base_url": NOBODY}},
        "models": {
            **{name: {"provider": name, "model": model, "price": {"input": 1, "output": 2}} for name, model in said.items()},
            "mini": {"provider": "openai", "model": "gpt-5-mini"},
            "nobody": {"provider": "dead", "model": "gpt-5-mini"},
            "scarce": {"provider": "openai", "model": "gpt-5-nano"},
            "ailing": {"provider": "deepseek", "model": "deepseek-flash"},
            "vectors": {"provider": "mistral", "model": "mistral-embed"},
            "other-vectors": {"provider": "gemini", "model": "gemini-embedding-001"},
        },
        "routes": {
            "any": {"targets": targets},
            "patient": {"targets": [{"model": "openai", "tries": 2}, {"model": "mini"}, {"model": "anthropic"}]},
            "gone": route("nobody", "anthropic"),
            "watched": route("ailing", "anthropic"),
            "known": {**route("openai"), "cache": {"exact": {"when": "always"}}},
            "embedded": route("vectors", "other-vectors"),
            "several": {**route("openai"), "orchestration": {"ensemble": {"members": targets, "combine": "longest"}}},
        },
        "limits": [{"name": "few", "models": ["scarce"], "requests": 2, "window": "day"}],
        "health": "off",
        "timeouts": {"first_token_ms": 700},
        **more,
    }


@pytest.fixture(scope="module", params=PLACES, ids="-".join)
def running(request, mock_server, tmp_path_factory):
    version, name = request.param
    lane = Lane(mock_server.origin, f"compat-{version}-{name}")
    retries = name == "envoy.yaml"
    settings = document(lane) if retries else document(lane, fallback="calls")
    shipped = gateways.ROOT / "envoy" / name
    started = gateways.Gateway(settings, tmp_path_factory.mktemp("gateway"), shipped=shipped, binary=ENVOYS[version])
    started.lane, started.retries, started.version = lane, retries, version
    yield started
    try:
        started.assert_healthy()
    finally:
        started.stop()


@pytest.fixture
def gateway(running):
    running.lane.clear()
    running.mark()
    running.began = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield running
    # Whatever happened, nobody got anybody else's key.
    for request in running.lane.received():
        said = {request.headers.get(name, "") for name in ("authorization", "x-api-key", "x-goog-api-key", "api-key")}
        assert {word.split()[-1] for word in said if word} == {f"key-of-{request.provider}"}, request


def ask(gateway, model, stream=False, text="hello there"):
    """(what was said, the response's headers)"""
    with gateway.client() as client:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=user(text), stream=stream)
        parsed = raw.parse()
        if not stream:
            return parsed.choices[0].message.content, raw.headers
        choices = [choice for chunk in parsed for choice in chunk.choices]
        assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
        return "".join(choice.delta.content or "" for choice in choices), raw.headers


def line_of(gateway, asked):
    """The line in the access log of what this test has asked; those of tests before it may come late."""
    mine = lambda line: line["asked"] == asked and not line["asked_for"] and line["time"] >= gateway.began
    return wait_until(lambda: [line for line in gateway.access_log() if mine(line)])[0]


streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@streamed_or_not
def test_chats_of_every_kind_of_provider(gateway, stream):
    for kind in KINDS:
        text, headers = ask(gateway, kinds.name_of(kind), stream)
        assert text.endswith("You said: hello there") and headers["x-modelgate-provider"] == kind
    assert gateway.lane.order() == KINDS


def test_streams_come_as_they_are_said(gateway):
    gateway.lane.script("anthropic", chunks=5, delay_chunk=150)
    with gateway.client() as client:
        times = [time.monotonic() for chunk in client.chat.completions.create(model="anthropic", messages=user("hi"), stream=True) if chunk.choices]
    assert times[-1] - times[0] > 0.4


def test_embeddings(gateway):
    with gateway.client() as client:
        assert len(client.embeddings.create(model="vectors", input=["a", "b"]).data) == 2


def test_errors_in_openais_form(gateway):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(gateway, "no-such-model")
    assert caught.value.code == "model_not_found"
    gateway.lane.script("openai", error="bad_request")
    with pytest.raises(openai.BadRequestError):
        ask(gateway, "any")
    assert gateway.lane.order() == ["openai"]


def test_limits(gateway):
    for _ in range(2):
        ask(gateway, "scarce")
    with pytest.raises(openai.RateLimitError) as caught:
        ask(gateway, "scarce")
    assert caught.value.code == "rate_limit_exceeded" and len(gateway.lane.order()) == 2


def test_the_cache(gateway):
    assert [ask(gateway, "known", text="the same")[1]["x-modelgate-cache"] for _ in range(2)] == ["miss", "hit"]
    assert gateway.lane.order() == ["openai"]


def test_several_models_as_one(gateway):
    text, _ = ask(gateway, "several")
    assert text.endswith("You said: hello there")
    assert sorted(gateway.lane.order()) == ["anthropic", "gemini", "openai"]


def test_metrics_and_the_access_log(gateway):
    ask(gateway, "openai")
    line = line_of(gateway, "openai")
    assert (line["provider"], line["consumer"], line["usage"], line["status"]) == ("openai", "anonymous", "provider", 200)
    assert line["first_token_us"] > 0 and line["cost_usd"] and line["request_id"]
    families = Series(gateway.envoy).families
    wanted = {"gen_ai_operation_name": "chat", "gen_ai_response_model": "openai", "origin": "client", "outcome": "ok"}
    found = [sample for sample in families["modelgate_requests"].samples if wanted.items() <= sample.labels.items()]
    assert found and all(";" not in name for name in families)
    buckets = {sample.labels["le"] for sample in families["gen_ai_client_token_usage"].samples if "le" in sample.labels}
    assert "262144" in buckets, "those of stats_config"


@streamed_or_not
@pytest.mark.parametrize("why", ["503", "429", "reset", "its key is refused", "garbage"])
def test_fallback_to_another_provider(gateway, why, stream):
    failures = {"503": {"status": 503}, "429": {"status": 429}, "reset": {"reset": True}, "its key is refused": {"error": "bad_key"}, "garbage": {"garbage": True}}
    gateway.lane.script("openai", failures[why])
    text, headers = ask(gateway, "any", stream)
    assert text.endswith("You said: hello there")
    assert gateway.lane.order() == ["openai", "anthropic"]
    assert (headers["x-modelgate-provider"], headers["x-modelgate-attempts"], headers["x-modelgate-route"]) == ("anthropic", "2", "any")
    line = line_of(gateway, "any")
    assert (line["status"], line["provider"], line["orchestration"]) == (200, "anthropic", None if gateway.retries else "fallback")


@streamed_or_not
def test_fallback_through_several_providers(gateway, stream):
    gateway.lane.script("openai", status=500)
    gateway.lane.script("anthropic", status=529)
    text, headers = ask(gateway, "any", stream)
    assert gateway.lane.order() == ["openai", "anthropic", "gemini"] and headers["x-modelgate-attempts"] == "3"


@streamed_or_not
def test_fallback_from_nobody(gateway, stream):
    _, headers = ask(gateway, "gone", stream)
    assert gateway.lane.order() == ["anthropic"] and headers["x-modelgate-provider"] == "anthropic"


@pytest.mark.parametrize("failure", [{"error_after": 0}, {"cut": 0}, {"delay_first": 5000}], ids=["error", "cut", "silence"])
def test_fallback_of_streams_before_their_first_content(gateway, failure):
    gateway.lane.script("openai", failure)
    began = time.monotonic()
    ask(gateway, "any", stream=True)
    assert gateway.lane.order() == ["openai", "anthropic"] and time.monotonic() - began < 4


def test_fallback_of_embeddings(gateway):
    gateway.lane.script("mistral", status=503)
    with gateway.client() as client:
        assert len(client.embeddings.create(model="embedded", input="a").data) == 1
    assert gateway.lane.order() == ["mistral", "gemini"]


def test_retries_within_a_provider(gateway):
    gateway.lane.script("openai", *[{"status": 500}] * 2)
    _, headers = ask(gateway, "patient")
    assert gateway.lane.order() == ["openai"] * 3
    assert (headers["x-modelgate-model"], headers["x-modelgate-attempts"]) == ("mini", "3")
    gateway.lane.clear()
    gateway.lane.script("openai", *[{"status": 500}] * 3)
    ask(gateway, "patient")
    assert gateway.lane.order() == ["openai"] * 3 + ["anthropic"]


@streamed_or_not
def test_the_last_error_reaches_the_client(gateway, stream):
    gateway.lane.script("openai", status=500)
    gateway.lane.script("anthropic", status=500)
    gateway.lane.script("gemini", status=429, retry_after=11)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(gateway, "any", stream)
    assert caught.value.response.headers["retry-after"] == "11" and caught.value.body["message"]
    assert gateway.lane.order() == ["openai", "anthropic", "gemini"]


# ---- what is said of it, and what is not done ----------------------------------------------------------------------


def in_some(name):
    """In all versions where those are asked for; else in the first."""
    return pytest.mark.parametrize("version", list(ENVOYS)[: None if os.environ.get("ENVOYS") else 1], ids=f"{{}}-{name}".format)


def start(start_gateway, version, name="compat.yaml", **options):
    return start_gateway(options.pop("document"), shipped=gateways.ROOT / "envoy" / name, binary=ENVOYS[version], **options)


@in_some("compat.yaml")
def test_without_fallback_nobody_else_is_asked_but_who_fails_is_planned_away_from(start_gateway, own_lane, version):
    settings = document(own_lane, fallback="none", health={"failures": 5, "open": 60})
    gateway = start(start_gateway, version, document=settings)
    assert "fallback: none" in gateway.envoy.log()
    own_lane.script("openai", status=503)
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "any")
    own_lane.script("openai", *[{"status": 500}] * 2)
    ask(gateway, "patient")
    assert own_lane.order() == ["openai"] * 4
    own_lane.script("deepseek", *[{"status": 500}] * 60)
    for _ in range(20):
        with contextlib.suppress(openai.InternalServerError):
            ask(gateway, "watched")
    # Each worker hears by the next second but one of what the others have seen.
    time.sleep(2.2)
    own_lane.clear()
    for _ in range(6):
        ask(gateway, "watched")
    assert own_lane.order() == ["anthropic"] * 6


def test_what_is_off_is_said(running):
    assert ("fallback: calls" in running.envoy.log()) != running.retries


def stay(config):
    """Envoy's retries stay in their cluster."""
    policy = gateways.render.connection_manager(config)["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["retry_policy"]
    del policy["refresh_cluster_on_retry"]


@in_some("envoy.yaml")
def test_a_retry_that_stays_where_it_was_gets_nobody_elses_key(start_gateway, own_lane, version):
    """envoy.yaml without the line that an older Envoy refuses: that is no way to run it."""
    gateway = start(start_gateway, version, "envoy.yaml", document=document(own_lane), edit=stay)
    own_lane.script("openai", status=503)
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "any")
    assert own_lane.order() == ["openai"]
    assert "refresh_cluster_on_retry" in gateway.envoy.log()
    assert ("say `fallback: calls`" in gateway.envoy.log()) != refreshes(version)


@pytest.mark.parametrize("version", OLD, ids="{}-envoy.yaml".format)
def test_an_older_envoy_refuses_what_it_cannot(own_lane, version, tmp_path):
    with pytest.raises(process.DidNotStart, match="refresh_cluster_on_retry"):
        gateways.Gateway(document(own_lane), tmp_path, binary=ENVOYS[version])
