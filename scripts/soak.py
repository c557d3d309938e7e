"""The gateway at work for as long as it is told: rounds of mixed traffic, each with its accounts settled when it is over.

What a client has seen of a request tells how the gateway has to have counted it, and what the mock providers have produced tells the
tokens. Between two rounds nothing is in flight; the gateway's memory is measured then."""

import argparse
import asyncio
import collections
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field

import httpx2

import gateway as gateways
from gateway import user
from lanes import Lane
import process
import render
from series import Series

# Every model that a client or the gateway asks is one of these, with what its provider does. What the first three produce is charged to the
# token, and nobody leaves or breaks their answers off.
MODELS = {
    "openai": ("openai", "gpt-4o"),
    "anthropic": ("anthropic", "claude-sonnet-4-5"),
    "gemini": ("gemini", "gemini-2.5-flash"),
    "vectors": ("openai", "text-embedding-3-small"),
    "down": ("openai", "gpt-4o+status=500"),
    "busy": ("anthropic", "claude-sonnet-4-5+status=429"),
    "gone": ("gemini", "gemini-2.5-flash+reset"),
    "broken": ("openai", "gpt-4o+chunks=20+size=3+error_after=7"),
    "cut": ("anthropic", "claude-sonnet-4-5+chunks=20+size=3+cut=3000"),
    "slow": ("gemini", "gemini-2.5-flash+chunks=200+size=3+delay_chunk=20"),
    "late": ("openai", "gpt-4o+delay_headers=2000"),
    "quick": ("openai", "gpt-4o+size=2"),
    "hesitant": ("anthropic", "claude-sonnet-4-5+delay_headers=300"),
}
EXACT = ("openai", "anthropic", "gemini")
PRICE = {"input": 3, "output": 15, "cached_input": 0.3}
SLOTS = 6
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
WORDS = "The quick brown fox jumps over the lazy dog, and then it sleeps until the morning comes. "

# How often each sort of request is made in a round, what is asked of whom, and how the client behaves.
SORTS = {
    "whole": (12, {"model": EXACT}, None),
    "streamed": (12, {"model": EXACT, "stream": True}, None),
    "streamed with usage": (6, {"model": EXACT, "stream": True, "stream_options": {"include_usage": True}}, None),
    "tools": (6, {"model": EXACT, "tools": [TOOL], "text": 'call tool weather with {"city":"Oslo"}'}, None),
    "fallback": (12, {"model": ("from-down", "from-busy", "from-gone")}, None),
    "streamed fallback": (6, {"model": ("from-down", "from-busy", "from-gone"), "stream": True}, None),
    "learned": (6, {"model": "learned"}, None),
    "failing": (6, {"model": ("down", "busy", "gone")}, None),
    "kept": (10, {"model": "kept", "temperature": 0, "text": "what is always asked"}, None),
    "limited": (8, {"model": "limited"}, None),
    "slots": (8, {"model": "slots", "stream": True}, None),
    "voted": (3, {"model": "voted"}, None),
    "raced": (3, {"model": "raced"}, None),
    "checked": (3, {"model": "checked", "response_format": FORM}, None),
    "large": (2, {"model": EXACT, "text": WORDS * 2_000}, None),
    "embedded": (6, {"model": "vectors", "input": "words"}, None),
    "unknown": (3, {"model": "nobody"}, None),
    "invalid": (3, {"model": "openai", "messages": "none"}, None),
    "broken": (4, {"model": "broken", "stream": True}, None),
    "cut": (4, {"model": "cut", "stream": True}, None),
    "left": (4, {"model": "slow", "stream": True}, "leaves after the first piece"),
    "left early": (4, {"model": "late"}, "leaves before the answer"),
}
AT_ONCE = 24

# Memory is flat if its median in the last third of the rounds is not higher than in the second by more than this part, or so many
# bytes: Envoy's allocator keeps and gives back some megabytes as it likes.
GROWTH, SPARE = 0.05, 8 << 20


def document(lane):
    """The gateway's configuration."""
    only = lambda *models, **more: {"targets": [{"model": model} for model in models], **more}
    members = [{"model": model} for model in EXACT]
    return {
        "providers": {vendor: lane.provider(vendor) for vendor in ("openai", "anthropic", "gemini")},
        "models": {
            name: {"provider": provider, "model": model, "price": PRICE, "max_output_tokens": 8000}
            for name, (provider, model) in MODELS.items()
        },
        "routes": {
            "from-down": only("down", "anthropic"),
            "from-busy": only("busy", "gemini"),
            "from-gone": only("gone", "openai"),
            "learned": only(*EXACT, strategy="adaptive"),
            "kept": only("openai", cache={"exact": {"enabled": True, "ttl": 3}}),
            "limited": only("anthropic"),
            "slots": only("quick"),
            "voted": only("openai", orchestration={"ensemble": {"members": members, "combine": "longest"}}),
            "raced": only("quick", orchestration={"race": {"targets": [{"model": "hesitant"}, {"model": "quick"}], "stagger_ms": 100}}),
            "checked": only("openai", check={"attempts": 2}),
        },
        "cache": {"store": {"entries": 64}, "exact": {"enabled": False}},
        "limits": [
            {"name": "few", "models": ["quick"], "concurrent": SLOTS},
            {"name": "everything", "concurrent": 1_000},
            {"name": "tokens", "per": ["model"], "tokens": 10**9, "window": "minute"},
            {"name": "money", "per": ["consumer"], "usd": 10**6, "window": "day"},
            {"name": "often", "per": ["model"], "models": ["vectors"], "requests": 20, "window": "minute"},
        ],
        "content_rules": [{"name": "numbers", "action": "redact", "patterns": [r"\d{9,}"], "window": 64}],
        "timeouts": {"first_token_ms": 10_000},
        "auth": {"anonymous": {"consumer": "acme"}},
    }


# ---- traffic --------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """One request, and what its client has seen of it."""

    sort: str
    body: dict
    leaves: str | None
    came_to: str | None = None
    status: int | None = None


def round_of(chance, number):
    """The requests of a round, in disorder."""
    asked = []
    for sort, (times, options, leaves) in SORTS.items():
        for at in range(times):
            body = dict(options)
            if isinstance(body["model"], tuple):
                body["model"] = body["model"][at % len(body["model"])]
            text = body.pop("text", f"question {number}.{at} {sort}: {WORDS}")
            if "input" not in body:
                body.setdefault("messages", user(text))
            asked.append(Asked(sort, body, leaves))
    chance.shuffle(asked)
    return asked


async def ask(client, one):
    path = "/v1/embeddings" if "input" in one.body else "/v1/chat/completions"
    # Only the answer is not waited for: who has no connection yet has asked nothing.
    timeout = httpx2.Timeout(60, read=0.5 if one.leaves == "leaves before the answer" else 60)
    try:
        async with client.stream("POST", path, json=one.body, timeout=timeout) as answer:
            one.status = answer.status_code
            said = ""
            async for piece in answer.aiter_text():
                said += piece
                if one.leaves:
                    one.came_to = "cancelled"
                    return
    except httpx2.TimeoutException:
        one.came_to = "cancelled" if one.leaves else "timeout"
        return
    except httpx2.RemoteProtocolError:
        one.came_to = "broken"
        return
    if one.status != 200:
        one.came_to = "error"
    elif one.body.get("stream"):
        one.came_to = "ok" if said.rstrip().endswith("data: [DONE]") else "broken"
    else:
        one.came_to = "ok" if "error" not in json.loads(said) else "error"


def ask_all(gateway, asked):
    async def all_of_them():
        limit = asyncio.Semaphore(AT_ONCE)
        limits = httpx2.Limits(max_connections=AT_ONCE * 2)
        async with httpx2.AsyncClient(base_url=gateway.origin, limits=limits) as client:

            async def each(one):
                async with limit:
                    await ask(client, one)

            await asyncio.gather(*map(each, asked))

    asyncio.run(all_of_them())


# ---- a changed configuration ----------------------------------------------------------------------------------------


def change(gateway, number):
    """Changes the configuration of the running gateway, if Envoy gets it from a file; says whether it does.

    The file that a `config_discovery` names is replaced as Envoy wants it, by moving another one into its place. What is another each
    time is a bound that no answer here comes near, so that it changes nothing that is counted."""
    files = discovered(render.read(gateway.config_path))
    for path in files:
        delivered = render.read(path)
        for plugin in plugins(delivered):
            plugin.setdefault("bounds", {})["held_bytes"] = 65_536 + number % 2
        fresh = f"{path}.fresh"
        render.save(delivered, fresh)
        os.replace(fresh, path)
    return bool(files)


def discovered(node):
    """The files that configuration comes from while Envoy runs."""
    found = {entry["config_discovery"].get("config_source", {}).get("path_config_source", {}).get("path") for entry in maps(node) if "config_discovery" in entry}
    return sorted(found - {None})


def plugins(node):
    """The plugin documents in an Envoy configuration."""
    return [entry["value"] for entry in maps(node) if isinstance(entry.get("value"), dict) and "providers" in entry["value"]]


def maps(node):
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from maps(child)


# ---- what is measured -----------------------------------------------------------------------------------------------


def linear(pid):
    """The linear memories of the VMs in bytes: each lies before addresses that it has reserved to grow into, gigabytes of them."""
    sizes, before = [], None
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        for line in file:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            begin, end = int(begin, 16), int(end, 16)
            if rights.startswith("---") and end - begin > 1 << 31 and before and before[1] == begin and before[2].startswith("rw"):
                sizes.append(begin - before[0])
            before = (begin, end, rights)
    return sum(sizes)


@dataclass
class Report:
    """What came of it."""

    rounds: int = 0
    asked: int = 0
    changes: int = 0
    outcomes: dict = field(default_factory=collections.Counter)
    tokens: dict = field(default_factory=collections.Counter)
    resident: list = field(default_factory=list)
    linear: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


# ---- the soak -------------------------------------------------------------------------------------------------------


class Soak:
    """A gateway under traffic."""

    def __init__(self, mock, directory, seed=1):
        self.lanes = Lane(mock.origin, f"soak-{seed}")
        self.gateway = gateways.Gateway(document(self.lanes), directory, concurrency=2)
        self.chance = random.Random(seed)
        self.report = Report()

    def run(self, seconds, tell=lambda _: None):
        """Rounds until the time is over; what is wrong in the end is in the report."""
        until = time.monotonic() + seconds
        report = self.report
        while report.rounds < 3 or time.monotonic() < until:
            self.round()
            tell(f"round {report.rounds}: {report.asked} requests, {report.resident[-1] >> 20} MiB resident, {report.linear[-1] >> 20} MiB in VMs")
        self.check_memory()
        self.check_slots()
        return report

    def round(self):
        report = self.report
        asked = round_of(self.chance, report.rounds)
        report.changes += change(self.gateway, report.rounds)
        ask_all(self.gateway, asked)
        for one in asked:
            report.outcomes[one.came_to] += 1
            if unexpected := self.unexpected(one):
                report.wrong.append(unexpected)
        report.rounds += 1
        report.asked += len(asked)
        self.settle()
        report.resident.append(process.resident(self.gateway.envoy.pid))
        report.linear.append(linear(self.gateway.envoy.pid))
        self.check_log()

    def unexpected(self, one):
        """What a client should not have seen; bodies of requests tell which it was."""
        may = {
            "failing": {"error"}, "unknown": {"error"}, "invalid": {"error"}, "broken": {"broken", "error"}, "cut": {"broken", "error"},
            "limited": {"ok"}, "slots": {"ok", "error"}, "raced": {"ok", "error"}, "embedded": {"ok", "error"},
            "left": {"cancelled", "error"}, "left early": {"cancelled", "error"},
        }  # fmt: skip
        if one.came_to not in may.get(one.sort, {"ok"}):
            return f"{one.sort}: {one.came_to} with status {one.status}"
        if one.sort in ("slots", "raced", "embedded") and one.status not in (200, 429):
            return f"{one.sort}: status {one.status}"
        return None

    def settle(self):
        """Waits until all that the round has begun is over, and compares what is counted."""
        report, wrong = self.report, ["it was not looked"]
        self.take_tokens()
        until = time.monotonic() + 20
        while wrong and time.monotonic() < until:
            time.sleep(0.2)
            wrong = self.differences()
        report.wrong += [f"after round {report.rounds}: {one}" for one in wrong]

    def take_tokens(self):
        """What the providers have produced for models that are charged to the token."""
        until, entries = time.monotonic() + 15, self.lanes.received()
        while any(entry.ended == "open" for entry in entries) and time.monotonic() < until:
            time.sleep(0.1)
            entries = self.lanes.received()
        if len(entries) >= 512:
            self.report.wrong.append("the mock providers have forgotten some of the round's requests")
        for entry in entries:
            model = entry.body.get("model") if isinstance(entry.body, dict) else None
            asks = model or entry.path
            if entry.usage and "+" not in asks and "%2B" not in asks and "embed" not in entry.path:
                self.report.tokens["input"] += entry.usage["prompt"]
                self.report.tokens["output"] += entry.usage["completion"]
        self.lanes.clear()

    def differences(self):
        """In what the gateway's counters say something else than what was seen."""
        series, report = Series(self.gateway.envoy), self.report
        counted = series.by("modelgate_requests", "outcome", origin="client")
        wrong = []
        if counted != report.outcomes:
            wrong.append(f"requests are counted as {dict(counted)}, and were {dict(report.outcomes)}")
        tokens = collections.Counter()
        for model in EXACT:
            tokens += series.by("modelgate_tokens", "direction", gen_ai_response_model=model)
        tokens = collections.Counter({way: tokens[way] for way in ("input", "output")})
        if tokens != report.tokens:
            wrong.append(f"tokens are counted as {dict(tokens)}, and were {dict(report.tokens)}")
        active = self.gateway.envoy.stats(r"^http\.(gateway|internal)\.downstream_rq_active$|^cluster\..*upstream_rq_active$")
        if sum(active.values()):
            wrong.append(f"requests are in flight: { {name: value for name, value in active.items() if value} }")
        return wrong

    def check_log(self):
        """Nothing trapped. What is read is cut off, for hours of it would be too much."""
        envoy = self.gateway.envoy
        said = envoy.log()
        self.report.wrong += [f"the log speaks of {trap!r}" for trap in gateways.TRAPS if trap in said]
        errors = [line for line in said.splitlines() if re.search(r"\]\[(error|critical)\]\[", line)]
        self.report.wrong += errors[:3]
        os.truncate(envoy.log_path, 0)
        try:
            self.gateway.assert_healthy()
        except AssertionError as why:
            self.report.wrong.append(str(why))

    def check_memory(self):
        for what in ("resident", "linear"):
            sizes = getattr(self.report, what)
            third = max(1, len(sizes) // 3)
            warm, last = statistics.median(sizes[third : 2 * third]), statistics.median(sizes[-third:])
            if last - warm > max(warm * GROWTH, SPARE):
                self.report.wrong.append(f"{what} memory has grown from {warm / 2**20:.0f} to {last / 2**20:.0f} MiB")

    def check_slots(self):
        """Every slot of the concurrency limits is free: the first request of all sees only its own taken."""
        answer = self.gateway.post({"model": "quick", "messages": user("the last one")})
        left = {name: int(amount) for name, amount in re.findall(r'"([^"]+)";r=(\d+)', answer.headers.get("ratelimit", ""))}
        held = {name: limit - 1 - left.get(name, -1) for name, limit in (("few", SLOTS), ("everything", 1_000))}
        if answer.status_code != 200 or any(held.values()):
            self.report.wrong.append(f"slots are still held: {held}, status {answer.status_code}")

    def stop(self):
        self.gateway.stop()


def main():
    parser = argparse.ArgumentParser(description="The gateway at work for a while, with its accounts settled.")
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelgate-soak-") as directory, process.Mock(directory) as mock:
        soak = Soak(mock, directory)
        try:
            report = soak.run(options.minutes * 60, tell=lambda line: print(line, flush=True))
        finally:
            soak.stop()
    print(f"{report.asked} requests in {report.rounds} rounds: {dict(report.outcomes)}; tokens {dict(report.tokens)}")
    print("the configuration was changed " + (f"{report.changes} times" if report.changes else "never: Envoy has it from no file"))
    for line in report.wrong[:20]:
        print(f"wrong: {line}")
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
