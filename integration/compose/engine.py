"""The containers of this composition, and what is done to them: the Docker Engine API over its socket."""

import http.client
import json
import socket
from urllib.parse import quote

SOCKET = "/var/run/docker.sock"
LABEL = "com.docker.compose."


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(SOCKET)


def call(method, path, body=None):
    connection = Connection("engine")
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"content-type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    assert answer.status < 300, f"the engine says {answer.status} to {method} {path}: {said.decode()}"
    return json.loads(said) if said.strip() else None


def own_project():
    """Whose containers these are: those of the project that this process' own container belongs to."""
    return call("GET", f"/containers/{socket.gethostname()}/json")["Config"]["Labels"][LABEL + "project"]


class Container:
    """The one container of a service."""

    def __init__(self, project, service):
        self.service = service
        wanted = {"label": [f"{LABEL}project={project}", f"{LABEL}service={service}"]}
        (found,) = call("GET", f"/containers/json?all=1&filters={quote(json.dumps(wanted))}")
        self.id = found["Id"]
        (self.network,) = [network["NetworkID"] for network in found["NetworkSettings"]["Networks"].values()]

    def kill(self):
        self._do("kill")

    def start(self):
        self._do("start")

    def restart(self):
        self._do("restart?t=3")

    def pause(self):
        self._do("pause")

    def go_on(self):
        self._do("unpause")

    def cut_off(self):
        """Out of the network: nothing reaches it, and nobody is told."""
        call("POST", f"/networks/{self.network}/disconnect", {"Container": self.id, "Force": True})

    def connect(self):
        call("POST", f"/networks/{self.network}/connect", {"Container": self.id, "EndpointConfig": {"Aliases": [self.service]}})

    def _do(self, what):
        call("POST", f"/containers/{self.id}/{what}")
