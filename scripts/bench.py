"""Measures the filter for scripts/bench and prints the table."""

import argparse
import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import random
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import process
import render

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKERS, CONNECTIONS = 2, 32
CHUNKS = 64  # of a burst; a paced stream has four times as many, for its cost is that of a chunk
PACE = 4  # milliseconds between them
KEYS = {"one": "key-of-one", "other": "key-of-the-other"}  # of the consumers that are counted
OPENAI, ANTHROPIC = "/v1/chat/completions", "/v1/messages"
MEMBERS = ("answer", "claude-answer", "route-answer")  # of the ensemble
TOGETHER = "an ensemble of three, over its slowest member"
DEADLINE = 120  # seconds for one load; none takes nearly as long


@dataclasses.dataclass
class Case:
    """One row: what is asked, how often, and what it may cost."""

    name: str
    manner: str  # the model, by which the upstream knows how to answer
    kilobytes: int
    requests: int
    goal: float
    anthropic: bool = False
    route: bool = False  # asked for by a route's name, so that there is someone to fall back on
    unit: str = "ratio"

    def ask(self, variant):
        """The path and the body. Without the filter nothing is translated, so Anthropic is asked in its own words."""
        if variant.filtered:
            model = ("route-" if self.route else "") + ("claude-" if self.anthropic else "") + self.manner
            return OPENAI, openai_body(model, self.kilobytes, self.manner != "answer")
        if self.anthropic:
            return ANTHROPIC, anthropic_body(self.manner, self.kilobytes, self.manner != "answer")
        return OPENAI, openai_body(self.manner, self.kilobytes, self.manner != "answer")


CASES = [
    Case("OpenAI, 2 KB", "answer", 2, 3000, 1.9),
    Case("OpenAI, 2 KB, through a route", "answer", 2, 3000, 1.9, route=True),
    Case("OpenAI, 100 KB", "answer", 100, 800, 2.4),
    Case("OpenAI, burst of 64 chunks", "burst", 2, 1500, 1.25),
    Case("OpenAI, paced", "paced", 2, 32, 9, unit="chunk"),
    Case("Anthropic, 2 KB", "answer", 2, 3000, 2.2, anthropic=True),
    Case("Anthropic, 2 KB, through a route", "answer", 2, 3000, 2.2, anthropic=True, route=True),
    Case("Anthropic, 100 KB", "answer", 100, 800, 3, anthropic=True),
    Case("Anthropic, 100 KB, through a route", "answer", 100, 800, 3, anthropic=True, route=True),
    Case("Anthropic, burst of 64 chunks", "burst", 2, 1500, 1.5, anthropic=True),
    Case("Anthropic, paced", "paced", 2, 32, 12, anthropic=True, unit="chunk"),
    Case("OpenAI, time to first token", "burst", 2, 300, 0.3, unit="first"),
    Case("Anthropic, time to first token", "burst", 2, 300, 0.3, anthropic=True, unit="first"),
]


# ---- what is asked --------------------------------------------------------------------------------------------------

WORDS = "the gateway reads each request once and plans who may answer it , then lets it go : nobody waits for what is not asked".split(" ")
RARE = ['"quoted"', "caf\u00e9", "\u2014", "\n\n", "it\u2019s", "- list:\n", "`code()`", "\u4f60\u597d"]


def text(size, seed):
    """Prose with an escape or a letter beyond ASCII in every other line, as chats have them; always the same."""
    chance, words, length = random.Random(seed), [], 0
    while length < size:
        words.append(chance.choice(RARE if chance.random() < 0.1 else WORDS))
        length += len(words[-1].encode()) + 1
    return " ".join(words)


def turns(kilobytes):
    """A conversation of about that size: more and longer turns where it is large."""
    count = 5 if kilobytes < 10 else 41
    each = max(kilobytes * 1000 // count - 60, 50)
    return [{"role": ("user", "assistant")[n % 2], "content": text(each, n)} for n in range(count)]


def body(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def openai_body(model, kilobytes, stream):
    messages = [{"role": "system", "content": text(150, "system")}, *turns(kilobytes)]
    return body({"model": model, "messages": messages, "temperature": 0.7, "max_tokens": 1024, "stream": stream})


def anthropic_body(model, kilobytes, stream):
    system = text(150, "system")
    return body({"model": model, "system": system, "messages": turns(kilobytes), "temperature": 0.7, "max_tokens": 1024, "stream": stream})


# ---- who is asked ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Variant:
    name: str
    filtered: bool  # whether requests are read and translated
    edit: object  # makes the configuration
    internal: bool = False  # whether the gateway can ask itself
    envoy: process.Envoy = None


def document(upstream):
    """The plugin configuration: each manner of answering is a model of both providers."""
    providers = {
        name: {"vendor": name, "base_url": upstream + "/v1", "api_key": {"value": "key-of-the-gateway"}}
        for name in ("openai", "anthropic")
    }
    models, routes = {}, {}
    for manner in ("answer", "burst", "paced", "hold"):
        models[manner] = {"provider": "openai"}
        models["claude-" + manner] = {"provider": "anthropic", "model": manner, "max_output_tokens": 64000}
        both = [{"model": manner}, {"model": "claude-" + manner}]
        routes["route-" + manner] = {"targets": both}
        routes["route-claude-" + manner] = {"targets": both[::-1]}
    ensemble = {"members": [{"model": member} for member in MEMBERS], "combine": "longest"}
    routes["together"] = {"targets": [{"model": "answer"}], "orchestration": {"ensemble": ensemble}}
    return {"providers": providers, "models": models, "routes": routes, "auth": {"anonymous": {"consumer": "anonymous"}}}


def configuration(upstream, wasm, internal=False):
    """The shipped envoy.yaml without its access logs, whose cost would hide some of the filter's."""
    config = render.load(os.path.join(ROOT, "envoy", "envoy.yaml"))
    render.listen(config, 0, 0)
    render.use_wasm(config, wasm)
    render.use_providers(config, document(upstream))
    for listener in config["static_resources"]["listeners"]:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager.pop("access_log", None)
        manager["http_filters"][-1]["typed_config"].pop("upstream_log", None)
    if not internal:
        without_internal(config)
    # No YAML aliases from here: an edit of one cluster or role is its own.
    return copy.deepcopy(json.loads(json.dumps(config)))


def counted(config):
    """Consumers with keys, limits in tokens and in requests, prices, and answers that are kept."""
    sha256 = lambda key: hashlib.sha256(key.encode()).hexdigest()
    more = {
        "auth": {"anonymous": "deny"},
        "consumers": {name: {"keys": [{"sha256": sha256(key)}]} for name, key in KEYS.items()},
        "limits": [
            {"name": "tokens", "per": ["consumer"], "tokens": 10**12, "window": "minute"},
            {"name": "requests", "per": ["consumer"], "requests": 10**9, "window": "minute"},
        ],
        "pricing": {"default": {"input": 1, "output": 2}},
        "cache": {"exact": {"when": "always"}, "wait": 0},
    }
    for role in wasm_filters(config):
        role["typed_config"]["config"]["configuration"]["value"].update(more)
    return config


def without_internal(config):
    """Nothing here is asked of the gateway by itself."""
    config.pop("bootstrap_extensions")
    resources = config["static_resources"]
    resources["listeners"] = resources["listeners"][:1]
    resources["clusters"] = render.provider_clusters(config)


def modelgate(config):
    return config


def idle(config):
    """Both roles do nothing: what is left is the cost of having them."""
    for role in wasm_filters(config):
        role["typed_config"]["config"]["root_id"] = "idle"
        role["typed_config"]["config"].pop("configuration")
    return direct(config)


def plain(config):
    for filters in filter_chains(config):
        filters[:] = [f for f in filters if f["name"] != "modelgate"]
    for cluster in config["static_resources"]["clusters"]:
        options = cluster["typed_extension_protocol_options"][render.HTTP_OPTIONS]
        if len(options["http_filters"]) == 1:  # the codec alone, which is the default
            options.pop("http_filters")
    return direct(config)


def filter_chains(config):
    yield render.connection_manager(config)["http_filters"]
    for cluster in config["static_resources"]["clusters"]:
        yield cluster["typed_extension_protocol_options"][render.HTTP_OPTIONS]["http_filters"]


def wasm_filters(config):
    return [f for filters in filter_chains(config) for f in filters if f["name"] == "modelgate"]


def direct(config):
    """The same route, with its cluster chosen by the path: no filter says which."""
    host = render.connection_manager(config)["route_config"]["virtual_hosts"][0]
    route = host["routes"][0]
    route["route"].pop("inline_cluster_specifier_plugin")
    messages = copy.deepcopy(route)
    messages["match"]["prefix"] = ANTHROPIC
    messages["route"]["cluster"], route["route"]["cluster"] = "anthropic", "openai"
    host["routes"] = [messages, route]
    return config


class Upstream(process.Process):
    """The upstream of fixed answers."""

    def __init__(self, directory):
        command = [os.environ["LOAD"], "serve", "--chunks", str(CHUNKS), "--pace", str(PACE)]
        super().__init__(command, os.path.join(directory, "upstream.log"), stdout=subprocess.PIPE)

    def await_ready(self):
        self.origin = "http://" + said_by(self, r"listening on (\S+)").group(1)


class Streams(process.Process):
    """Streams that are open until this is stopped."""

    def __init__(self, directory, target, streams):
        command = [os.environ["LOAD"], "hold", *target, "--streams", str(streams)]
        super().__init__(command, os.path.join(directory, "streams.log"), stdout=subprocess.PIPE, stdin=subprocess.PIPE)

    def await_ready(self):
        said_by(self, "open")


def said_by(child, pattern):
    readable, _, _ = select.select([child.child.stdout], [], [], process.START_LIMIT)
    line = child.child.stdout.readline().decode() if readable else ""
    return re.search(pattern, line) or (_ for _ in ()).throw(child.did_not_start(f"said {line!r}"))


# ---- measuring ------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, directory):
        self.directory = directory

    def start(self, variant, upstream, wasm):
        directory = os.path.join(self.directory, variant.name)
        os.mkdir(directory)
        path = os.path.join(directory, "envoy.yaml")
        render.save(variant.edit(configuration(upstream, wasm, variant.internal)), path)
        variant.envoy = process.Envoy(path, directory, concurrency=WORKERS)
        return variant.envoy

    def target(self, case, variant):
        path, content = case.ask(variant)
        file = os.path.join(self.directory, "body.json")
        with open(file, "wb") as out:
            out.write(content)
        return ["--to", f"127.0.0.1:{variant.envoy.port}", "--path", path, "--body", file]

    def load(self, case, variant, requests, connections=CONNECTIONS, keys=("key-of-one",)):
        """Sends the requests; Envoy's CPU time for them in microseconds, and what the clients saw."""
        command = [os.environ["LOAD"], "drive", *self.target(case, variant)]
        command += ["--requests", str(requests), "--connections", str(connections)]
        command += [part for key in keys for part in ("--key", key)]
        before = cpu(variant.envoy.pid)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=DEADLINE, preexec_fn=process.end_with_parent)
        spent = cpu(variant.envoy.pid) - before
        report = json.loads(done.stdout)
        if report["failure"] or report["answered"] != requests:
            raise SystemExit(f"error: {case.name}, {variant.name}: {report}\n{variant.envoy.log()[-4000:]}")
        return spent, report

    def measure(self, case, variant):
        """What a request of this case costs: µs of CPU, of a paced chunk, or ms until the first token."""
        if case.unit == "first":
            return self.load(case, variant, case.requests, connections=1)[1]["first_byte_us"] / 1000
        spent = self.load(case, variant, case.requests)[0] / case.requests
        return spent / (4 * CHUNKS) if case.unit == "chunk" else spent

    def memory(self, variant, few=100, many=400):
        """KiB that each further open stream takes."""
        case = Case("open streams", "hold", 2, 0, 32)
        target = self.target(case, variant)
        with Streams(self.directory, target, few):
            before = settled(variant.envoy.pid)
            with Streams(self.directory, target, many):
                return (settled(variant.envoy.pid) - before) / many


def cpu(pid):
    """All threads' user and system time in microseconds: Linux's CPU-time clock of another process."""
    return time.clock_gettime((~pid << 3) | 2) * 1e6


def settled(pid):
    """KiB that a process has in memory once what it was doing is done."""
    time.sleep(0.5)
    return process.resident(pid) // 1024


# ---- what is counted ------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Asked(Case):
    """A request of 2 KB; asked for two choices, the upstream's answer of one is kept by nobody."""

    choices: int = 1

    def ask(self, variant):
        request = json.loads(openai_body("answer", 2, False))
        return OPENAI, body({**request, "n": self.choices})


MISS = Asked("keys, limits and a cache miss, OpenAI, 2 KB", "answer", 2, 3000, 10, choices=2)
HIT = Asked("an answer from the cache, OpenAI, 2 KB", "answer", 2, 3000, 60)


def counting(bench, without, counted, rounds):
    """Rows: what counting adds, what an answer from the cache costs, and what one consumer on all workers loses against two."""
    added, hits, lost = [], [], []
    for case in (MISS, HIT):
        for variant in (without, counted):
            bench.load(case, variant, case.requests // 10)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}, counted", file=sys.stderr)
        added.append(bench.measure(MISS, counted) - bench.measure(MISS, without))
        hits.append(bench.measure(HIT, counted))
        took = [bench.load(MISS, counted, 2 * MISS.requests, keys=keys)[1]["seconds"] for keys in (["key-of-one"], list(KEYS.values()))]
        lost.append(100 * (took[0] / took[1] - 1))
    rows = [(MISS.name, added, "+{:.1f} µs", 10), (HIT.name, hits, "{:.1f} µs", 60), ("throughput of one consumer's limits against two's", lost, "{:.0f} % less", 20)]
    for name, values, form, goal in rows:
        values = sorted(values)
        middle, low, high = statistics.median(values), values[len(values) // 4], values[-1 - len(values) // 4]
        yield [name, "", "", form.format(middle), f"{form.format(low)} to {form.format(high)}", f"≤ {form.format(goal)}", "yes" if middle <= goal else "no"]


# ---- several as one -------------------------------------------------------------------------------------------------


class Named(Case):
    """A request of 2 KB for a model or route of this name, of one client at a time."""

    def ask(self, variant):
        return OPENAI, openai_body(self.manner, self.kilobytes, False)


def together(bench, gateway, rounds):
    """How much later an ensemble of three answers than the slowest of its members asked alone, in milliseconds."""
    cases = [Named(name, name, 2, 400, 2, unit="first") for name in ("together", *MEMBERS)]
    for case in cases:
        bench.load(case, gateway, case.requests // 4, connections=1)
    later, alone = [], []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}, together", file=sys.stderr)
        took, *members = [bench.measure(case, gateway) for case in cases]
        alone.append(max(members))
        later.append(took - max(members))
    later.sort()
    middle, low, high = statistics.median(later), later[len(later) // 4], later[-1 - len(later) // 4]
    print(f"the slowest member alone: {statistics.median(alone):.2f} ms", file=sys.stderr)
    return [TOGETHER, "", "", f"{middle:+.2f} ms", f"{low:+.2f} ms to {high:+.2f} ms", "≤ +2.00 ms", "yes" if middle <= 2 else "no"]


# ---- the table ------------------------------------------------------------------------------------------------------


def row(case, variants, rounds):
    """Each variant against plain Envoy in the same round; the median, and how far the rounds lie apart."""
    ratio = case.unit == "ratio"
    compared = [[r[v.name] / r["plain"] if ratio else r[v.name] - r["plain"] for r in rounds] for v in variants[1:]]
    unit = {"ratio": "µs", "chunk": "µs a chunk", "first": "ms"}[case.unit]
    digits = 2 if case.unit == "first" else 1
    cells = [case.name, f"{statistics.median(r['plain'] for r in rounds):.{digits}f} {unit}"]
    cells += [shown(statistics.median(values), case.unit) for values in compared]
    spread = sorted(compared[-1])
    low, high = spread[len(spread) // 4], spread[-1 - len(spread) // 4]
    cells += [f"{shown(low, case.unit)} to {shown(high, case.unit)}", f"≤ {shown(case.goal, case.unit)}"]
    met = statistics.median(compared[-1]) <= case.goal
    return cells + ["yes" if met else "no"]


def shown(value, unit):
    return {"ratio": f"{value:.2f}×", "chunk": f"{value:+.1f} µs", "first": f"{value:+.2f} ms", "KiB": f"{value:.1f} KiB"}[unit]


def memory_row(variants, memory):
    values = [memory[v.name] for v in variants]
    added = values[-1] - values[0]
    cells = ["memory of an open stream", f"{values[0]:.1f} KiB"] + [f"{v - values[0]:+.1f} KiB" for v in values[1:]]
    return cells + ["", "≤ +32 KiB", "yes" if added <= 32 else "no"]


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 2) + ["---"], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(rounds, load_before):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    version = subprocess.run([os.environ["ENVOY"], "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"/(\d+\.\d+\.\d+[^/]*)/", version)
    return (
        f"Envoy {version.group(1) if version else 'unknown'}, {WORKERS} workers, {CONNECTIONS} connections; {os.cpu_count()} CPUs "
        f"({model.group(1).strip() if model else 'unknown'}), shared by Envoy, clients and upstream; load average before the run "
        f"{load_before:.1f}. CPU is that of the Envoy process for each request; ratios and differences are to plain Envoy, the "
        f"median of {rounds} interleaved rounds, with the quartiles of modelgate's. A first token's time is measured with one client."
    )


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", action="append", help="rows whose name has this in it")
    parser.add_argument("--wasm", help="another build to measure as well")
    return parser.parse_args()


def main():
    asked = arguments()
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    wanted = lambda name: not asked.only or any(part in name for part in asked.only)
    load_before = os.getloadavg()[0]
    variants = [Variant("plain", False, plain), Variant("idle", False, idle)]
    if asked.wasm:
        variants.append(Variant("before", True, modelgate))
    variants.append(Variant("modelgate", True, modelgate))
    directory = tempfile.mkdtemp(prefix="modelgate-bench-")
    try:
        with contextlib.ExitStack() as running:
            bench = Bench(directory)
            upstream = running.enter_context(Upstream(directory))
            for variant in variants:
                wasm = asked.wasm if variant.name == "before" else os.environ["WASM"]
                running.enter_context(bench.start(variant, upstream.origin, wasm))
            report(bench, variants, asked.rounds, wanted, load_before, upstream)
    except process.DidNotStart as reason:
        sys.exit(f"error: {reason}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def report(bench, variants, rounds, wanted, load_before, upstream):
    cases = [case for case in CASES if wanted(case.name)]
    for case in cases:
        for variant in variants:
            bench.load(case, variant, max(case.requests // 10, CONNECTIONS))  # warm, and shown to work
    memory = {v.name: bench.memory(v) for v in variants} if wanted("memory") else None
    results = {case.name: [] for case in cases}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        order = variants[number % len(variants) :] + variants[: number % len(variants)]
        for case in cases:
            results[case.name].append({variant.name: bench.measure(case, variant) for variant in order})
    rows = [row(case, variants, results[case.name]) for case in cases]
    if memory:
        rows.append(memory_row(variants, memory))
    size = os.path.getsize(os.environ["WASM"])
    if wanted("counted"):
        counting_one = Variant("counted", True, counted)
        with bench.start(counting_one, upstream.origin, os.environ["WASM"]):
            blank = [""] * (len(variants) - 3)
            rows += [[name, *blank, *rest] for name, *rest in counting(bench, variants[-1], counting_one, rounds)]
    if wanted(TOGETHER):
        gateway = Variant("together", True, modelgate, internal=True)
        with bench.start(gateway, upstream.origin, os.environ["WASM"]):
            name, *rest = together(bench, gateway, rounds)
            rows.append([name, *[""] * (len(variants) - 3), *rest])
    rows.append(["size of modelgate.wasm", *[""] * (len(variants) - 1), f"{size / 1e6:.2f} MB", "", "≤ 1.5 MB", "yes" if size <= 1.5e6 else "no"])
    names = ["plain Envoy", "both roles idle", *[v.name for v in variants[2:]]]
    print(conditions(rounds, load_before), table(["", *names, "quartiles", "goal", "met"], rows), sep="\n\n")


if __name__ == "__main__":
    main()
