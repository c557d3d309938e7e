"""A small HTTP server that a test has beside the gateway: a tool, an issuer of keys, a collector, somebody nobody should ask."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """What came; the names of headers in lower case."""

    method: str
    path: str
    headers: dict
    body: bytes


class Server:
    """Listens until it is closed, on a free port if no address is given. `answer` is given each request, and gives the answer's body, or None for a 404;
    `context` is for TLS."""

    def __init__(self, answer, content_type=None, context=None, address=("127.0.0.1", 0)):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = answer(Request(self.command, self.path, headers, body(headers, self.rfile)))
                self.send_response(404 if said is None else 200)
                if content_type:
                    self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(said or b"")))
                self.end_headers()
                self.wfile.write(said or b"")

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(address, Handler)
        self.port = self._server.server_port
        self.origin = f"http://127.0.0.1:{self.port}"
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def body(headers, file):
    """A request's body, whole or in chunks."""
    if "chunked" not in headers.get("transfer-encoding", ""):
        return file.read(int(headers.get("content-length", 0)))
    pieces = []
    while size := int(file.readline(), 16):
        pieces.append(file.read(size))
        file.readline()
    file.readline()
    return b"".join(pieces)
