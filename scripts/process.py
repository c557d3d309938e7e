"""The processes behind the gateway: Envoy and the mock providers. Each is started on ports the system chooses or the
caller names, is known to be ready when the constructor returns, and ends with its parent, even if that is killed."""

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request

START_LIMIT = 60.0  # seconds: a cold Envoy compiles the filter once per thread
STOP_LIMIT = 10.0


class DidNotStart(Exception):
    """The process ended, or was not ready in time; the text says what it said."""


def end_with_parent():
    """Linux's PR_SET_PDEATHSIG: the kernel stops the child when the parent is gone, however it went."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    except (OSError, AttributeError):
        pass


def resident(pid):
    """A process' resident memory in bytes, as Linux tells it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024


class Process:
    """A child process that is stopped by its id, and never left behind."""

    def __init__(self, command, log_path, **options):
        self.log_path = log_path
        self._log = open(log_path, "ab")
        options = {"stdout": self._log, "stderr": self._log, "stdin": subprocess.DEVNULL, **options}
        self.child = subprocess.Popen(command, preexec_fn=end_with_parent, **options)
        try:
            self.await_ready()
        except BaseException:  # a signal too
            self.stop()
            raise

    def await_ready(self):
        """Returns when the process can be used, or raises DidNotStart."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        if self.is_running():
            self.child.terminate()
            try:
                self.child.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._log.close()

    def did_not_start(self, why):
        self.stop()
        return DidNotStart(f"{why}\n{self.log()[-8000:]}")


class Envoy(Process):
    """An Envoy running the configuration at `config_path`; its files are put into `directory`."""

    def __init__(self, config_path, directory, concurrency=2, binary=None, environment=None, log_level="warning", components="", **options):
        admin_path = os.path.join(directory, "admin-address.txt")
        command = [
            binary or os.environ["ENVOY"],
            *("-c", config_path),
            *("--concurrency", str(concurrency)),
            *("--log-level", log_level),
            *(["--component-log-level", components] if components else []),
            *("--admin-address-path", admin_path),
            *("--file-flush-interval-msec", "200"),  # the access log is read while it is news
            "--disable-hot-restart",  # else two Envoys on a machine need different base ids
        ]
        if environment is not None:
            options["env"] = {**os.environ, **environment}
        self._admin_path = admin_path
        super().__init__(command, os.path.join(directory, "envoy.log"), **options)

    def get(self, path):
        """What the admin interface answers; None while it does not."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            return None

    def stats(self, pattern):
        """The counters and gauges whose name matches."""
        answer = json.loads(self.get(f"/stats?format=json&filter={pattern}"))
        return {stat["name"]: stat["value"] for stat in answer["stats"] if "name" in stat}

    def await_ready(self):
        until = time.monotonic() + START_LIMIT
        while not self._is_ready():
            if not self.is_running():
                raise self.did_not_start(f"Envoy ended with status {self.child.returncode}")
            if time.monotonic() > until:
                raise self.did_not_start(f"Envoy was not ready after {START_LIMIT:.0f} s")
            time.sleep(0.05)
        listeners = json.loads(self.get("/listeners?format=json"))["listener_statuses"]
        addresses = (listener["local_address"] for listener in listeners)
        self.port = next(address["socket_address"]["port_value"] for address in addresses if "socket_address" in address)
        self.origin = f"http://127.0.0.1:{self.port}"

    def _is_ready(self):
        try:
            with open(self._admin_path, encoding="utf-8") as file:
                self.admin = file.read().strip()
            return bool(self.admin) and self.get("/ready") is not None
        except OSError:
            return False


class Mock(Process):
    """The mock providers, on a port the system chooses."""

    def __init__(self, directory, binary=None, fixtures=None):
        command = [binary or os.environ["MOCK"], "--listen", "127.0.0.1:0"]
        if fixtures:
            command += ["--fixtures", str(fixtures)]
        super().__init__(command, os.path.join(directory, "mock.log"), stdout=subprocess.PIPE)

    def await_ready(self):
        readable, _, _ = select.select([self.child.stdout], [], [], START_LIMIT)
        line = self.child.stdout.readline().decode() if readable else ""
        found = re.search(r"listening on (\S+)", line)
        if not found:
            raise self.did_not_start(f"the mock providers did not start: {line!r}")
        self.origin = f"http://{found.group(1)}"
