"""A real Envoy with the filter, configured by a plugin document; its clusters are made from the document's providers.
It is envoy/envoy.yaml in all else, or another of the shipped ones."""

import json
import os
import pathlib
import socket
import time

import httpx2
import openai

import process
import render

ROOT = pathlib.Path(__file__).parent.parent
SHIPPED = ROOT / "envoy" / "envoy.yaml"
COMPAT = ROOT / "envoy" / "compat.yaml"
SECURE = ROOT / "envoy" / "secure.yaml"

# What Envoy and the SDK write to the log when a VM has trapped.
TRAPS = ("panicked at", "Uncaught RuntimeError", "already borrowed", "wasm_fail_stream", "Proxy-Wasm plugin in-VM backtrace")


class Gateway:
    """One running gateway, and clients for it."""

    def __init__(self, document, directory, edit=None, concurrency=2, environment=None, shipped=SHIPPED, services=None, binary=None):
        config = render.load(shipped)
        render.listen(config, 0, 0)
        render.use_wasm(config, os.environ["WASM"])
        render.use_providers(config, document)
        render.use_services(config, services or {})
        if edit:
            edit(config)
        self.config_path = os.path.join(directory, "envoy.yaml")
        render.save(config, self.config_path)
        self.envoy = process.Envoy(
            self.config_path,
            str(directory),
            concurrency=concurrency,
            binary=binary,
            environment=environment,
            components="wasm:info",
        )
        self.origin = self.envoy.origin
        self.http = httpx2.Client(base_url=self.origin, timeout=30)
        self._mark = 0

    def client(self, **options):
        """The OpenAI SDK's client: no retries of its own, so that a test sees every failure."""
        options = {"api_key": "key-of-the-client", "max_retries": 0, "timeout": 30, **options}
        return openai.OpenAI(base_url=f"{self.origin}/v1", **options)

    def async_client(self, **options):
        options = {"api_key": "key-of-the-client", "max_retries": 0, "timeout": 30, **options}
        return openai.AsyncOpenAI(base_url=f"{self.origin}/v1", **options)

    def post(self, body, headers=None, path="/v1/chat/completions"):
        """A request without an SDK; `body` may be bytes, to be sent as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **(headers or {})}
        return self.http.post(path, content=content, headers=headers)

    def send(self, request: bytes):
        """A request byte by byte as given, over a connection of its own; what came until the server closed it."""
        with socket.create_connection(("127.0.0.1", self.envoy.port), timeout=20) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    def access_log(self, kind="request"):
        """What the access log says from the mark on of each request, or `attempt`, a dictionary each."""
        lines = self.log().splitlines(keepends=True)
        said = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [line for line in said if line.get("log", "request") == kind]

    def mark(self):
        """From here the log is the next test's."""
        self._mark = len(self.envoy.log())

    def log(self):
        return self.envoy.log()[self._mark :]

    def assert_healthy(self):
        """Envoy is there, and no VM has ever been lost."""
        assert self.envoy.is_running(), "Envoy has ended"
        reloads = {name: value for name, value in self.envoy.stats("wasm").items() if "vm_reload" in name and value}
        assert not reloads, f"VMs were lost: {reloads}"
        said = [trap for trap in TRAPS if trap in self.envoy.log()]
        assert not said, f"the log speaks of {said}"

    def stop(self):
        self.http.close()
        self.envoy.stop()


def wait_until(found):
    """What `found` gives, as soon as it is something."""
    until = time.monotonic() + 10
    while not (what := found()):
        assert time.monotonic() < until, "it has not come to be"
        time.sleep(0.02)
    return what


def user(text):
    """The messages of a conversation that has just begun."""
    return [{"role": "user", "content": text}]


def route(*targets):
    """A route with these targets, each a name or a dictionary."""
    return {"targets": [{"model": t} if isinstance(t, str) else t for t in targets]}
