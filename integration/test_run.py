"""scripts/run: starts with nothing, says what to try, works, and leaves nothing behind."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import openai
import pytest

import gateway as gateways
import render
from gateway import user
from kinds import ANYONE

ROOT = pathlib.Path(__file__).parent.parent
START_LIMIT = 180


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Run:
    """scripts/run in a session of its own, so that whatever it leaves behind can be found."""

    def __init__(self, directory, **environment):
        self.port, self.admin_port = free_ports(2)
        clean = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL"))}
        ports = {"PORT": str(self.port), "ADMIN_PORT": str(self.admin_port)}
        self.output = open(directory / "run.log", "w+b")
        self.child = subprocess.Popen(
            [ROOT / "scripts" / "run"],
            env={**clean, **ports, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            start_new_session=True,
        )

    def said(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def wait_until_ready(self):
        until = time.monotonic() + START_LIMIT
        while "modelgate is ready" not in self.said():
            assert self.child.poll() is None and time.monotonic() < until, self.said()
            time.sleep(0.1)
        return self

    def session(self):
        """The processes of the session that are still there."""
        listed = subprocess.run(["ps", "-o", "pid=,stat=,args=", "-s", str(self.child.pid)], capture_output=True, text=True)
        return [line for line in listed.stdout.splitlines() if line.split()[1][0] != "Z"]

    def stop(self, number):
        self.child.send_signal(number)
        status = self.child.wait(30)
        until = time.monotonic() + 5
        while self.session() and time.monotonic() < until:
            time.sleep(0.05)
        return status

    def kill_all(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        self.output.close()


@pytest.fixture
def start_run(tmp_path):
    started = []

    def start(**environment):
        started.append(Run(tmp_path, **environment))
        return started[-1]

    yield start
    for run in started:
        run.kill_all()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_without_keys_it_runs_on_mocks_and_stops_cleanly(start_run, number):
    run = start_run().wait_until_ready()
    assert "mocks" in run.said()
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{run.port}/v1", api_key="any", max_retries=0)
    for model in ("smart", "fast", "cheap", "claude-haiku-5-5", "ollama/anything"):
        stream = client.chat.completions.create(model=model, messages=user("hello"), stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in stream).endswith("You said: hello")
    assert run.stop(number) == 128 + number
    assert run.session() == []


def test_killed_outright_it_leaves_nothing_either(start_run):
    run = start_run().wait_until_ready()
    run.stop(signal.SIGKILL)
    assert run.session() == []


def test_what_it_says_to_try_works(start_run):
    run = start_run().wait_until_ready()
    curl = re.search(r"^  (curl .*?)\n\n", run.said(), re.M | re.S).group(1)
    python = re.search(r"^  (\S+python -c '.*?'\n)", run.said(), re.M | re.S).group(1)
    for command, expected in ((curl, "data: [DONE]"), (python, "You said: Say hello.")):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=os.getcwd())
        assert expected in done.stdout.replace('"', ""), done
    log = run.said().splitlines()[-1]
    assert '"model":"' in log and '"status":200' in log


def test_a_base_url_alone_makes_a_provider(start_run, own_lane):
    base_url = own_lane.provider("openai")["base_url"]
    run = start_run(OPENAI_BASE_URL=base_url).wait_until_ready()
    assert "mocks" not in run.said()
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{run.port}/v1", api_key="any", max_retries=0)
    client.chat.completions.create(model="gpt-5-mini", messages=user("hello"))
    assert own_lane.only().provider == "openai"
    assert own_lane.only().headers["authorization"] == "Bearer no-key"
    assert {model.id.split("/")[0] for model in client.models.list()}.isdisjoint({"claude-opus-5-5", "gemini-3.8-flash"})


def test_a_configuration_of_ones_own_runs_as_it_is(start_run, own_lane, tmp_path):
    (port, admin_port) = free_ports(2)
    config = render.load(gateways.SHIPPED)
    render.listen(config, port, admin_port)
    render.use_wasm(config, os.environ["WASM"])
    render.use_providers(config, {"providers": {"mine": own_lane.provider("compatible")}, "auth": ANYONE})
    path = tmp_path / "own.yaml"
    render.save(config, path)
    run = start_run(CONFIG=str(path)).wait_until_ready()
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="any", max_retries=0)
    answer = client.chat.completions.create(model="mine/some-model", messages=user("hello"))
    assert answer.choices[0].message.content.endswith("hello")


def test_a_port_in_use_is_said(start_run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = start_run(PORT=str(taken.getsockname()[1]))
        assert run.child.wait(START_LIMIT) != 0
        assert "error" in run.said()
