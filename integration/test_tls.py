"""Providers over TLS: the name is sent, the certificate's name and authority are checked, HTTP/2 where it is offered."""

import json
import ssl
import subprocess
import threading

import pytest

from gateway import user
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "over TLS"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and a certificate of it for `localhost`."""
    directory = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(directory, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    openssl(directory, "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (directory / "san.cnf").write_text("subjectAltName=DNS:localhost\n")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san.cnf"]
    openssl(directory, "x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    return directory


@pytest.fixture
def tls_provider(authority):
    """An OpenAI-like server on TLS; `.names` are the names that clients have sent, `.port` its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def trusting(authority_file):
    def edit(config):
        for cluster in config["static_resources"]["clusters"]:
            context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
            context["validation_context"]["trusted_ca"]["filename"] = str(authority_file)

    return edit


def document(host, port):
    base_url = f"https://{host}:{port}/v1"
    return {"providers": {"openai": {"vendor": "openai", "base_url": base_url, "api_key": {"value": "k"}, "allow_unlisted": True}}}


def test_a_provider_over_tls_answers(start_gateway, tls_provider, authority):
    gateway = start_gateway(document("localhost", tls_provider.port), edit=trusting(authority / "ca.pem"))
    answer = gateway.client().chat.completions.create(model="openai/m", messages=user("hello"))
    assert answer.choices[0].message.content == "over TLS"
    assert set(tls_provider.names) == {"localhost"}


def test_a_certificate_of_another_authority_is_refused(start_gateway, tls_provider):
    gateway = start_gateway(document("localhost", tls_provider.port))
    answer = gateway.post({"model": "openai/m", "messages": user("hello")})
    assert answer.status_code in (502, 503)
    assert "over TLS" not in answer.text and answer.json()["error"]["message"]


def test_a_certificate_for_another_name_is_refused(start_gateway, tls_provider, authority):
    """`ip6-localhost` or the machine's own name would do as well: a name that leads there and is not in the certificate."""
    gateway = start_gateway(document("127.0.0.1", tls_provider.port), edit=trusting(authority / "ca.pem"))
    answer = gateway.post({"model": "openai/m", "messages": user("hello")})
    assert answer.status_code in (502, 503)
    assert "over TLS" not in answer.text and answer.json()["error"]["message"]
