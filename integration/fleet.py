"""Several gateways that share limits: envoy/fleet.yaml, a rate limit service, and the Redis it counts in."""

import os
import re
import select
import signal
import socket
import time

import gateway
import process
import render

SHIPPED = gateway.ROOT / "envoy" / "fleet.yaml"
LIMITS = gateway.ROOT / "envoy" / "fleet-limits.yaml"


class Redis(process.Process):
    """A Redis that keeps nothing on disk."""

    def __init__(self, directory, port=None):
        self.port = port or free_port()
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": directory}
        command = [os.environ["REDIS"], *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
        super().__init__(command, os.path.join(directory, "redis.log"))

    def await_ready(self):
        until = time.monotonic() + process.START_LIMIT
        while not self._answers():
            if not self.is_running() or time.monotonic() > until:
                raise self.did_not_start("Redis did not start")
            time.sleep(0.02)

    def _answers(self):
        try:
            return self.ask("PING") == "PONG"
        except OSError:
            return False

    def ask(self, *words):
        """What Redis answers to a command: a text, a number or a list of them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection, connection.makefile("rb") as answer:
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
            return read(answer)

    def counters(self):
        """What is counted, by the descriptor's key and value: `{"consumer_tokens_acme": 12}`."""
        keys = self.ask("KEYS", "*")
        return {re.sub(r"^modelgate_|_\d+$", "", key): int(self.ask("GET", key)) for key in keys}


def read(answer):
    line = answer.readline().decode().strip()
    kind, rest = line[:1], line[1:]
    if kind == "*":
        return [read(answer) for _ in range(int(rest))]
    if kind == "$":
        return answer.read(int(rest) + 2)[:-2].decode()
    return int(rest) if kind == ":" else rest


class Service(process.Process):
    """The rate limit service with the limits of a file, or of a dictionary: `{"consumer_requests": (10, "day")}`, with
    `"key=value"` for one value alone."""

    def __init__(self, limits, redis, directory, port=0):
        path = limits
        if isinstance(limits, dict):
            path = os.path.join(directory, "limits.yaml")
            render.save({"domain": "modelgate", "descriptors": [descriptor(*limit) for limit in limits.items()]}, path)
        command = [os.environ["RATELIMIT"], "--limits", path, "--redis", f"127.0.0.1:{redis.port}", "--listen", f"127.0.0.1:{port}"]
        super().__init__(command, os.path.join(directory, "ratelimit.log"), stdout=-1)

    def await_ready(self):
        readable, _, _ = select.select([self.child.stdout], [], [], process.START_LIMIT)
        line = self.child.stdout.readline().decode() if readable else ""
        found = re.search(r"listening on 127.0.0.1:(\d+)", line)
        if not found:
            raise self.did_not_start(f"the rate limit service did not start: {line!r}")
        self.port = int(found.group(1))

    def pause(self):
        """From here on it answers nobody, and keeps its connections."""
        self.child.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.child.send_signal(signal.SIGCONT)

    def stop(self):
        if self.is_running():
            self.go_on()
        super().stop()


def descriptor(name, limit):
    key, _, value = name.partition("=")
    size, unit = limit
    return {"key": key, **({"value": value} if value else {}), "rate_limit": {"unit": unit, "requests_per_unit": size}}


def shares(port, **settings):
    """Edits a gateway's configuration: its rate limit service is at this port, and its filter has these settings."""

    def edit(config):
        (cluster,) = [cluster for cluster in config["static_resources"]["clusters"] if cluster["name"] == "ratelimit"]
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"] = render.socket_address("127.0.0.1", port)
        # The internal listener's is the same object.
        limiter(config).update(settings)

    return edit


def limiter(config):
    filters = render.connection_manager(config)["http_filters"]
    return next(f for f in filters if f["name"] == "envoy.filters.http.ratelimit")["typed_config"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
