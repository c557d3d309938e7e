"""What is charged is what was used: the gateway's books against what the providers say they produced, however requests end.

ROUNDS in the environment is how often all of the requests are made."""

import asyncio
import collections
import hashlib
import json
import math
import os
import random
import re
import time
from dataclasses import dataclass, field
from decimal import Decimal

import httpx2
import pytest

import gateway as gateways
from gateway import user
from lanes import Lane

# A model of each, and what a million tokens cost: of the prompt, of the answer, of the cached part of the prompt.
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}
PRICES = {"openai": ("2.5", "10", "1.25"), "anthropic": ("3", "15", "0.3"), "gemini": ("0.3", "2.5", "0.075")}

# What a model of the catalog does, as the mock is told by its name.
DOES = {
    "well": "",
    "long": "+chunks=40+size=3",
    "cached": "+cached=20",
    "thinking": "+reasoning",
    "mute": "+no_usage",
    "cut": "+chunks=40+size=3+cut=4000",
    "broken": "+chunks=40+size=3+error_after=7",
    "slow": "+chunks=300+size=3+delay_chunk=20",
    "late": "+delay_headers=5000",
    "stalled": "+delay_content=10000",
    "down": "+status=500",
    "busy": "+status=429",
    "confused": "+error=bad_request",
    "gone": "+reset",
    "failing": "+error_after=0",
}
FAILING = ("down", "busy", "gone", "failing")

STREAM = {"stream": True}
ASKED = {"stream": True, "stream_options": {"include_usage": True}}
WORDS = "The quick brown fox jumps over the lazy dog, and then it sleeps until the morning comes. " * 2
LIMITS = {"tokens": 10**9, "input_tokens": 10**9, "output_tokens": 10**9, "usd": 1000}
KEY = "sk-of-the-auditor"
ROUNDS = int(os.environ.get("ROUNDS", "1"))


@dataclass
class Asked:
    """One request, and what its client has seen of the answer."""

    does: str
    model: str
    options: dict
    status: int | None = None
    headers: dict = field(default_factory=dict)
    text: str = ""


def document(lanes):
    price = lambda kind: dict(zip(("input", "output", "cached_input"), map(float, PRICES[kind])))
    of = lambda kind, does: {"provider": kind, "model": MODELS[kind] + DOES[does], "price": price(kind), "max_output_tokens": 8000}
    then = lambda *models: {"targets": [{"model": model} for model in models]}
    pairs = [(one, other) for one in MODELS for other in MODELS if one != other]
    limits = [{"name": counts, counts: size, "window": "day"} for counts, size in LIMITS.items()]
    return {
        "providers": {kind: lane.provider(kind) for kind, lane in lanes.items()},
        "models": {
            **{f"{kind}-{does}": of(kind, does) for kind in MODELS for does in DOES},
            "untouchable": {"provider": "openai", "price": price("openai")},
        },
        "routes": {f"{one}-{does}-{other}": then(f"{one}-{does}", f"{other}-well") for one, other in pairs for does in (*FAILING, "stalled")},
        "timeouts": {"first_token_ms": 2500},
        "health": "off",
        "consumers": {"auditor": {"keys": [{"sha256": hashlib.sha256(KEY.encode()).hexdigest()}]}},
        "limits": [*limits, {"name": "untouchable", "models": ["untouchable"], "input_tokens": 1, "window": "day"}],
    }


def requests():
    """Of every sort some, in disorder that is the same each time."""
    asked = []
    for kind in MODELS:
        for options in ({}, STREAM, ASKED):
            for does, times in (("well", 10), ("long", 8), ("cached", 4), ("thinking", 4), ("mute", 3), ("down", 3), ("busy", 3), ("confused", 3), ("gone", 3)):
                asked += [Asked(does, f"{kind}-{does}", options) for _ in range(times)]
            for other in set(MODELS) - {kind}:
                asked += [Asked("fallback", f"{kind}-{does}-{other}", options) for does in FAILING for _ in range(2)]
        for options in (STREAM, ASKED):
            asked += [Asked(does, f"{kind}-{does}", options) for does in ("cut", "broken", "slow") for _ in range(8)]
            asked += [Asked("stalled", f"{kind}-stalled-{other}", options) for other in set(MODELS) - {kind} for _ in range(2)]
        asked += [Asked("late", f"{kind}-late", {}) for _ in range(8)]
    asked.sort(key=lambda one: (one.does, one.model, str(one.options)))
    random.Random(7).shuffle(asked)
    return asked


async def ask(client, number, one):
    body = {"model": one.model, "messages": user(f"question {number}: {WORDS}"), **one.options}
    if one.does == "late":
        with pytest.raises(httpx2.TimeoutException):
            await client.post("/v1/chat/completions", json=body, timeout=0.5)
        return
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            one.status, one.headers = answer.status_code, answer.headers
            async for piece in answer.aiter_text():
                one.text += piece
                if one.does == "slow":
                    return
    except httpx2.RemoteProtocolError:
        assert one.does == "cut"


def ask_all(gateway, asked, first, at_once=40):
    async def all_of_them():
        limit = asyncio.Semaphore(at_once)
        options = {"base_url": gateway.origin, "timeout": 30, "headers": {"authorization": f"Bearer {KEY}"}}
        async with httpx2.AsyncClient(**options) as client:

            async def each(number, one):
                async with limit:
                    await ask(client, number, one)

            await asyncio.gather(*(each(number, one) for number, one in enumerate(asked, first)))

    asyncio.run(all_of_them())


@dataclass
class Books:
    """What was asked, and by its number what the access log says of it and what came to providers; what is left of the limits."""

    asked: list
    lines: dict
    received: dict
    left: dict

    def of(self, *does):
        """Requests of these sorts: what was asked, what the access log says, what came to providers."""
        found = [(one, self.lines[at], self.received.get(at, [])) for at, one in enumerate(self.asked) if one.does in does]
        assert found
        return found


@pytest.fixture(scope="module")
def books(mock_server, tmp_path_factory):
    """Several hundred requests, and all that is known of them afterwards."""
    lanes = {kind: Lane(mock_server.origin, f"settlement-{kind}") for kind in MODELS}
    gateway = gateways.Gateway(document(lanes), tmp_path_factory.mktemp("gateway"), concurrency=2)
    try:
        books = Books([], {}, collections.defaultdict(list), {})
        for _ in range(ROUNDS):
            enter(books, gateway, lanes)
        refused = gateway.post({"model": "untouchable", "messages": user(WORDS)}, headers={"authorization": f"Bearer {KEY}"})
        assert refused.status_code == 429
        books.left = {name: int(amount) for name, amount in re.findall(r'"([^"]+)";r=(\d+)', refused.headers["ratelimit"])}
        yield books
        gateway.assert_healthy()
    finally:
        gateway.stop()


def enter(books, gateway, lanes):
    """Makes all requests once, and enters what is known of them, by their numbers."""
    for lane in lanes.values():
        lane.clear()
    first, asked = len(books.asked), requests()
    gateway.mark()
    ask_all(gateway, asked, first)
    until = time.monotonic() + 15
    while len(gateway.access_log()) < len(asked):
        assert time.monotonic() < until, f"{len(gateway.access_log())} of {len(asked)} lines"
        time.sleep(0.1)
    by_id = {}
    for lane in lanes.values():
        entries = lane.received()
        assert len(entries) < 512, "older ones are forgotten"
        for entry in entries:
            number = int(re.search(r"question (\d+):", entry.raw)[1])
            by_id[entry.headers["x-request-id"]] = number
            books.received[number].append(entry)
    books.asked += asked
    books.lines.update((by_id[line["request_id"]], line) for line in gateway.access_log())
    assert len(books.lines) == len(books.asked)
    for entries in books.received.values():
        entries.sort(key=lambda entry: entry.order)


def tokens(line):
    return int(line["tokens_in"]), int(line["tokens_out"])


def cost(request):
    """What the usage that a provider reports costs, in USD."""
    input, output, cached = (Decimal(price) / 1_000_000 for price in PRICES[request.provider])
    usage = request.usage
    exactly = (usage["prompt"] - usage["cached"]) * input + usage["cached"] * cached + usage["completion"] * output
    return exactly.quantize(Decimal("1e-9"), rounding="ROUND_UP")


def test_what_is_reported_is_charged_to_the_token(books):
    for one, line, received in books.of("well", "long", "cached", "thinking", "fallback"):
        served = received[-1]
        assert (one.status, served.ended, line["usage"]) == (200, "complete", "provider"), (one, line)
        assert tokens(line) == (served.usage["prompt"], served.usage["completion"]), (one, line)
        assert Decimal(line["cost_usd"]) == cost(served), (one, line, served.usage)
        if not one.options:
            assert one.headers["x-modelgate-cost-usd"] == line["cost_usd"]
        told = re.findall(r'"x_modelgate":\{"cost_usd":([0-9.]+)\}', one.text)
        assert told == ([line["cost_usd"]] if one.options == ASKED else []), (one, line)


def test_what_failed_is_not_charged(books):
    for one, line, received in books.of("down", "busy", "confused", "gone"):
        assert one.status >= 400 and line["usage"] is None and line["tokens_in"] is None, (one, line)
    for one, _, received in books.of("fallback"):
        assert len(received) == 2


def test_what_was_cut_or_left_is_charged_by_what_was_delivered(books):
    for one, line, (request,) in books.of("cut", "broken", "slow"):
        ended = {"cut": "cut", "broken": "complete", "slow": "client_closed"}[one.does]
        assert (request.ended, line["usage"] in ("estimated", "mixed")) == (ended, True), (one.model, line, request.ended)
        input, output = tokens(line)
        words = one.text.count("word ")
        assert 0.5 < input / (len(request.raw) / 4) < 1.5, (one, line)
        if one.does == "slow":
            assert 0.7 * words <= output < 300, (one, line)
        else:
            assert 0.7 < output / words < 1.5, (one, line, words)
        assert Decimal(line["cost_usd"]) > 0


def test_what_nobody_counted_is_estimated(books):
    for one, line, (request,) in books.of("mute"):
        assert line["usage"] == "estimated", (one, line)
        input, output = tokens(line)
        assert 0.5 < input / (len(request.raw) / 4) < 1.5, (one, line)
        assert 0.5 < output / 50 < 1.5, (one, line)


def test_who_left_before_an_answer_pays_for_the_prompt(books):
    for one, line, (request,) in books.of("late"):
        assert (request.ended, line["usage"]) == ("client_closed", "estimated"), (one, line)
        input, output = tokens(line)
        assert 0.5 < input / (len(request.raw) / 4) < 1.5 and output == 0


def test_an_attempt_that_was_given_up_while_it_answered_counts_too(books):
    for one, line, (first, served) in books.of("stalled"):
        assert (one.status, first.ended, line["usage"]) == (200, "client_closed", "mixed"), (one, line)
        input, output = tokens(line)
        assert 0.5 < (input - served.usage["prompt"]) / (len(first.raw) / 4) < 1.5, (one, line)
        assert output - served.usage["completion"] in (0, 1)


def test_several_attempts_are_told_one_by_one(books):
    for one, line, received in books.of("fallback", "stalled"):
        attempts = json.loads(line["attempt_list"], parse_float=Decimal)
        assert [attempt["provider"] for attempt in attempts] == [request.provider for request in received]
        failed, served = attempts
        assert served["outcome"] == "ok" and served["tokens_out"] == received[1].usage["completion"]
        assert served["cost_usd"] == cost(received[1])
        if one.does == "fallback":
            assert (failed["outcome"][:3].isdigit() or "-gone-" in one.model) and "tokens_in" not in failed, failed
        for key in ("tokens_in", "tokens_out", "cost_usd"):
            assert sum(Decimal(attempt.get(key, 0)) for attempt in attempts) == Decimal(line[key]), (one, line)
    for _, line, _ in books.of("well", "down"):
        assert line["attempt_list"] is None


def test_the_limits_have_counted_what_the_access_log_says(books):
    charged = [line for line in books.lines.values() if line["usage"]]
    input, output = (sum(tokens(line)[at] for line in charged) for at in (0, 1))
    money = sum(Decimal(line["cost_usd"]) for line in charged)
    used = {name: size * (1_000_000 if name == "usd" else 1) - books.left[name] for name, size in LIMITS.items()}
    assert used == {"tokens": input + output, "input_tokens": input, "output_tokens": output, "usd": math.ceil(money * 1_000_000)}

