"""What the access log says, from real requests: every field of every format that is shipped has a value here that means something, and a
field that nothing is expected of fails. Prompts and answers only where that is wanted, and no secret in any line."""

import copy
import datetime
import hashlib
import json
import re
import secrets

import pytest

import gateway as gateways
import render
from gateway import route, user, wait_until
from kinds import NOBODY
from lanes import Lane
from otlp import Receiver
from test_traces import traced

FILES = [path.name for path in sorted(gateways.SHIPPED.parent.glob("*.yaml")) if "access_log" in path.read_text()]
KEY = "mg-the-key-of-acme"
PRICE = {"input": 3, "output": 15}
PASTED = "sk-proj-pasted0123456789"
PROMPT = f'Say "hi"\n\tto {PASTED}, \\ and é😀 and to jane@example.com'
ANSWER = f'"hi",\nsaid Bearer {PASTED} to joe@example.com \\'


def loggers(name):
    """The access log of a shipped file: for requests, and for attempts."""
    config = render.load(gateways.SHIPPED.parent / name)
    manager = render.connection_manager(config)
    return manager["access_log"], manager["http_filters"][-1]["typed_config"]["upstream_log"]


def fields(logger):
    [one] = logger
    return one["typed_config"]["log_format"]["json_format"]


REQUEST = {name: fields(loggers(name)[0]) for name in FILES}
ATTEMPT = {name: fields(loggers(name)[1]) for name in FILES}


def in_every_format(port):
    """An edit by which each request is told in the formats of all files, and traced to a collector at this port."""
    of_request, of_attempt = [], []
    for name in FILES:
        for all_of_them, logger in zip((of_request, of_attempt), copy.deepcopy(loggers(name))):
            fields(logger)["file"] = name
            all_of_them += logger

    def edit(config):
        for listener in config["static_resources"]["listeners"]:
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            manager["access_log"] = of_request
            manager["http_filters"][-1]["typed_config"]["upstream_log"] = of_attempt
        traced(port)(config)

    return edit


def document(lane, **more):
    return {
        "auth": {},
        "tiers": {"gold": {}},
        "consumers": {"acme": {"tier": "gold", "keys": [{"sha256": hashlib.sha256(KEY.encode()).hexdigest()}]}},
        "providers": {"openai": lane.provider("openai"), "anthropic": lane.provider("anthropic"), "dead": {"vendor": "openai", "base_url": NOBODY, "api_key": "none"}},
        "models": {
            "one": {"provider": "openai", "model": "gpt-4o", "price": PRICE},
            "two": {"provider": "anthropic", "model": "claude-sonnet-5-5", "price": PRICE, "max_output_tokens": 100},
            "gone": {"provider": "dead", "model": "gpt-5", "price": PRICE},
        },
        "routes": {
            "fallback": route("one", "two"),
            "lost": route("gone", "one"),
            "together": {**route("one"), "orchestration": {"ensemble": {"members": [{"model": "one"}, {"model": "two"}], "combine": "longest"}}},
            "tried": {**route("one"), "experiment": {"arms": {arm: {"share": 50, "targets": [{"model": "two"}]} for arm in ("new", "old")}}},
        },
        "limits": [{"name": "soft", "per": ["model"], "models": ["two"], "requests": 1, "window": "hour", "mode": "observe"}],
        "content_rules": [
            {"name": "mail", "action": "redact", "applies_to": "log", "patterns": [r"[\w.]+@[\w.]+"], "replacement": "[mail]"},
            {"name": "names", "action": "deny", "applies_to": "input", "keywords": ["Nightfall"]},
        ],
        "cache": {"exact": {}},
        "tasks": {},
        "timeouts": {"first_token_ms": 500},
        "health": "off",
        **more,
    }


class Told:
    """What was told of a request of ours: by file its line, and those of its attempts and of what the gateway asked itself."""

    def __init__(self, gateway, attempts=1, calls=0, **body):
        self.trace, self.began = secrets.token_hex(16), datetime.datetime.now(datetime.timezone.utc)
        gateway.mark()
        self.body = json.dumps({"messages": user("hello"), **body}).encode()
        headers = {"authorization": f"Bearer {KEY}", "traceparent": f"00-{self.trace}-{secrets.token_hex(8)}-01"}
        try:
            self.answer = gateway.post(self.body, headers=headers)
        except Exception as error:  # noqa: BLE001: a stream that breaks is one for the client
            self.answer = error
        lines = lambda kind, file: [line for line in gateway.access_log(kind) if line.get("file") == file]
        count = lambda: all(len(lines("request", f)) == 1 + calls and len(lines("attempt", f)) == attempts for f in FILES)
        try:
            wait_until(count)
        except AssertionError:
            raise AssertionError(gateway.log()[-4000:]) from None
        self.lines = {f: next(line for line in lines("request", f) if not line["asked_for"]) for f in FILES}
        self.calls = {f: [line for line in lines("request", f) if line["asked_for"]] for f in FILES}
        self.attempts = {f: sorted(lines("attempt", f), key=lambda line: line["time"]) for f in FILES}


@pytest.fixture(scope="module")
def told(mock_server, tmp_path_factory):
    """One gateway, and some of each kind of request."""
    collector, lane = Receiver(), Lane(mock_server.origin, "access-log")
    configured = document(lane, log={"prompt": True, "answer": True})
    gateway = gateways.Gateway(configured, tmp_path_factory.mktemp("gateway"), edit=in_every_format(collector.port))
    told = {}

    def ask(name, model, **more):
        told[name] = Told(gateway, model=model, **more)

    try:
        lane.script("openai", text=ANSWER)
        ask("plain", "one", messages=user(PROMPT))
        lane.script("openai", text=ANSWER, split=7)
        ask("streamed", "one", stream=True, messages=user(PROMPT))
        lane.script("openai", status=503)
        lane.script("anthropic", delay_headers=120)
        ask("fallback", "fallback", attempts=2)
        ask("lost", "lost", attempts=2)
        lane.script("openai", delay_headers=3000)
        ask("late", "fallback", stream=True, attempts=2)
        lane.script("openai", delay_headers=3000)
        ask("silent", "one", stream=True)
        lane.script("openai", cut=900, reset=True)
        ask("broken", "one", stream=True)
        ask("together", "together", attempts=2, calls=2)
        ask("miss", "one", temperature=0)
        ask("hit", "one", temperature=0, attempts=0)
        ask("unknown", "nobody", attempts=0)
        ask("tried", "tried")
        ask("denied", "one", messages=user("of Nightfall"), attempts=0)
        told["log"] = gateway.envoy.log()
        told["origin"] = mock_server.origin
        gateway.assert_healthy()
        yield told
    finally:
        gateway.stop()
        collector.close()


def near(value, told):
    time = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return abs((time - told.began).total_seconds()) < 10


def between(least, most):
    return lambda value, _: least <= float(value) <= most


def one_of(*values):
    return lambda value, _: value in values


def as_json(check):
    return lambda value, told: check(json.loads(value), told)


def message(role, text):
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], separators=(",", ":"), ensure_ascii=False)


TOLD_PROMPT = message("user", 'Say "hi"\n\tto [redacted], \\ and é😀 and to [mail]')
TOLD_ANSWER = message("assistant", '"hi",\nsaid [redacted] to [mail] \\')

# Of each field, what it says of which requests: a value, or what tells whether one is right.
OF_REQUEST = {
    "log": {"plain": "request"},
    "time": {"plain": near, "late": near},
    "request_id": {"plain": lambda value, told: re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)},
    "trace_id": {"plain": lambda value, told: value == told.trace, "together": lambda value, told: value == told.trace},
    "consumer": {"plain": "acme", "unknown": "acme"},
    "tier": {"plain": "gold"},
    "asked": {"plain": "one", "fallback": "fallback", "unknown": "unlisted"},
    "request_model": {"plain": "one", "fallback": "fallback", "unknown": "unlisted"},
    "error": {"unknown": "not_found", "denied": "invalid_request", "silent": "timeout", "plain": None},
    "route": {"fallback": "fallback", "plain": None},
    "planned": {"fallback": "one,two", "lost": "gone,one"},
    "arm": {"tried": one_of("new", "old")},
    "task": {"plain": lambda value, _: re.fullmatch("[a-z_]+", value)},
    "complexity": {"plain": one_of("low", "medium", "high", "simple", "moderate", "complex")},
    "client": {"plain": "127.0.0.1"},
    "method": {"plain": "POST"},
    "path": {"plain": lambda value, _: value.endswith("/v1/chat/completions"), "unknown": "/v1/chat/completions"},
    "status": {"plain": 200, "unknown": 404, "silent": 504},
    "outcome": {"plain": "ok", "unknown": "error", "broken": "broken", "silent": "error"},
    "details": {"plain": "via_upstream", "silent": lambda value, _: "timeout" in value},
    "flags": {"plain": "-", "silent": lambda value, _: "UT" in value.split(",")},
    "provider": {"plain": "openai", "fallback": "anthropic"},
    "model": {"plain": "one", "fallback": "two"},
    "cache": {"plain": "bypass", "miss": "miss", "hit": "hit"},
    "cluster": {"plain": "openai", "fallback": "anthropic"},
    "attempts": {"plain": 1, "fallback": 2, "hit": 0},
    "failures": {"fallback": lambda value, _: value.startswith("openai=503:"), "plain": None},
    "attempt_list": {
        "fallback": as_json(lambda list, _: [(a["provider"], a["model"], a["outcome"][:3]) for a in list] == [("openai", "one", "503"), ("anthropic", "two", "ok")] and list[1]["tokens_in"] > 0),
        "lost": as_json(lambda list, _: [a["outcome"] for a in list] == ["unanswered", "ok"]),
    },
    "orchestration": {"together": "ensemble"},
    "calls": {"together": as_json(lambda calls, _: [(call["model"], call["outcome"]) for call in calls["members"]] == [("one", "ok"), ("two", "ok")])},
    "asked_for": {"together": lambda value, told: value is None and all(call["asked_for"] == line["request_id"] for line in told.lines.values() for call in told.calls[line["file"]])},
    "tokens_in": {"plain": lambda value, told: int(value) == told.answer.json()["usage"]["prompt_tokens"]},
    "tokens_out": {"plain": lambda value, told: int(value) == told.answer.json()["usage"]["completion_tokens"]},
    "tokens": {"plain": lambda value, told: int(value) == told.answer.json()["usage"]["total_tokens"]},
    "cost_usd": {"plain": lambda value, told: float(value) == pytest.approx(sum(told.answer.json()["usage"][f"{of}_tokens"] * price for of, price in (("prompt", 3e-6), ("completion", 15e-6))))},
    "usage": {"plain": "provider", "broken": one_of("estimated", "mixed")},
    "limits_observed": {"tried": "soft", "plain": None},
    "content_rules": {"denied": "names", "plain": None},
    "tokens_saved": {"hit": between(2, 1000)},
    "gen_ai.input.messages": {"plain": TOLD_PROMPT, "streamed": TOLD_PROMPT, "unknown": message("user", "hello")},
    "gen_ai.output.messages": {"plain": TOLD_ANSWER, "streamed": TOLD_ANSWER, "unknown": None, "hit": lambda value, _: len(json.loads(value)[0]["parts"][0]["content"]) > 5, "together": lambda value, _: len(value) > 60},
    "bytes_in": {"plain": lambda value, told: value == len(told.body)},
    "bytes_out": {"plain": lambda value, told: value == len(told.answer.content)},
    "duration_ms": {"late": between(500, 3000), "plain": between(0, 400)},
    "queue_us": {"late": between(480_000, 3_000_000), "plain": between(10, 400_000)},
    "first_token_us": {"late": between(500_000, 3_000_000), "plain": between(100, 400_000)},
    "overhead_us": {"plain": between(5, 100_000)},
    "first_byte_ms": {"late": between(500, 3000)},
}

# Of each field, what it says of which attempts of which requests.
OF_ATTEMPT = {
    "log": {("plain", 0): "attempt"},
    "time": {("plain", 0): near, ("late", 1): near},
    "request_id": {(name, at): lambda value, told: value == told.lines["envoy.yaml"]["request_id"] for name, at in (("plain", 0), ("lost", 0), ("lost", 1))},
    "traceparent": {("plain", 0): lambda value, told: value.split("-")[1] == told.trace, ("lost", 0): lambda value, told: value.split("-")[1] == told.trace},
    "attempt": {("fallback", 0): "1", ("fallback", 1): "2", ("lost", 0): None, ("lost", 1): "2"},
    "provider": {("fallback", 0): "openai", ("fallback", 1): "anthropic", ("lost", 0): "dead"},
    "model": {("fallback", 0): "one", ("fallback", 1): "two"},
    "host": {("lost", 0): "127.0.0.1:1"},
    "status": {("fallback", 0): 503, ("fallback", 1): 200, ("lost", 0): 0},
    "flags": {("plain", 0): "-", ("lost", 0): "UF", ("late", 0): "UT", ("broken", 0): one_of("UPE", "UC", "UR")},
    "failure": {("lost", 0): lambda value, _: "refused" in value, ("plain", 0): None},
    "bytes_sent": {("plain", 0): lambda value, told: value > len(told.body)},
    "bytes_received": {("plain", 0): between(300, 5000), ("late", 0): 0},
    "connect_us": {("plain", 0): between(1, 1_000_000), ("lost", 0): None},
    "first_byte_us": {("fallback", 1): between(115_000, 2_000_000), ("late", 0): None},
    "answer_us": {("fallback", 1): between(115_000, 2_000_000)},
    "duration_ms": {("late", 0): between(450, 3000)},
}


def check(value, expected, told):
    assert expected(value, told) if callable(expected) else value == expected, value


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_told_that_is_not_looked_at_here(file):
    assert set(REQUEST[file]) <= set(OF_REQUEST), "of fields that are new it has to be said what they say"
    assert set(ATTEMPT[file]) == set(OF_ATTEMPT)


def test_what_is_told_of_attempts_is_the_same_everywhere():
    assert all(format == ATTEMPT["envoy.yaml"] for format in ATTEMPT.values())


@pytest.mark.parametrize("field", OF_REQUEST)
def test_each_field_says_what_has_happened(told, field):
    files = [file for file in FILES if field in REQUEST[file]]
    assert files and any(value is not None for value in OF_REQUEST[field].values())
    for name, expected in OF_REQUEST[field].items():
        for file in files:
            check(told[name].lines[file][field], expected, told[name])


@pytest.mark.parametrize("field", OF_ATTEMPT)
def test_each_field_says_what_became_of_an_attempt(told, field):
    for (name, at), expected in OF_ATTEMPT[field].items():
        for file in FILES:
            check(told[name].attempts[file][at][field], expected, told[name])


def test_what_the_gateway_asks_itself_has_lines_of_its_own(told):
    together = told["together"]
    for file in FILES:
        line, calls = together.lines[file], together.calls[file]
        assert {call["model"] for call in calls} == {"one", "two"}
        assert all((call["asked_for"], call["trace_id"], call["consumer"]) == (line["request_id"], together.trace, "acme") for call in calls)
        assert {attempt["request_id"] for attempt in together.attempts[file]} == {call["request_id"] for call in calls}
        assert all(attempt["traceparent"].split("-")[1] == together.trace for attempt in together.attempts[file])


def test_no_line_has_a_secret(told):
    for secret in (KEY, "key-of-openai", "key-of-anthropic", PASTED, "jane@example.com", "joe@example.com", hashlib.sha256(KEY.encode()).hexdigest()):
        assert secret not in told["log"]
    assert not re.search(r"(?i)bearer |authorization|x-api-key", told["log"])


def test_nothing_of_prompts_and_answers_is_told_unless_it_is_wanted(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane))
    own_lane.script("openai", {"text": "a marvellous answer"}, {"text": "a marvellous answer"})
    for stream in (False, True):
        body = {"model": "one", "stream": stream, "messages": user("a peculiar question")}
        assert gateway.post(body, headers={"authorization": f"Bearer {KEY}"}).status_code == 200
    lines = wait_until(lambda: len(gateway.access_log()) == 2 and gateway.access_log())
    assert all(line["gen_ai.input.messages"] is None and line["gen_ai.output.messages"] is None for line in lines)
    assert "marvel" not in gateway.log() and "peculiar" not in gateway.log()


def test_of_long_texts_the_beginning_is_told(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane, log={"prompt": True, "answer": True, "max_bytes": 100}))
    own_lane.script("openai", big=300_000, chunks=300)
    body = {"model": "one", "stream": True, "messages": [*user("é" * 1000), *user("the last " + '"\n' * 1_000_000)]}
    assert gateway.post(body, headers={"authorization": f"Bearer {KEY}"}).status_code == 200
    [line] = wait_until(gateway.access_log)
    for name, begins in (("input", "the last \"\n"), ("output", "")):
        [said] = json.loads(line[f"gen_ai.{name}.messages"])
        text = said["parts"][0]["content"]
        assert text.startswith(begins) and text.endswith("…") and len(text.encode()) <= 103, text
