"""Providers over TLS: the name is sent, the certificate's name and authority are checked, HTTP/2 where it is offered."""

import json
import ssl

import pytest
import trustme

import render
from gateway import user
from kinds import ANYONE
from server import Server

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "over TLS"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority; its certificate is `.file`."""
    made = trustme.CA()
    made.file = tmp_path_factory.mktemp("tls") / "ca.pem"
    made.cert_pem.write_to_path(str(made.file))
    return made


@pytest.fixture
def start_provider(authority):
    """Starts OpenAI-like servers on TLS with a certificate for the names given; `.names` are the names that clients
    have sent, `.port` is the port."""

    started = []

    def start(*certified):
        names = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*certified).configure_cert(context)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        server = Server(lambda _: json.dumps(ANSWER).encode(), "application/json", context)
        server.names = names
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


def trusting(authority_file):
    def edit(config):
        for cluster in render.provider_clusters(config):
            context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
            context["validation_context"]["trusted_ca"]["filename"] = str(authority_file)

    return edit


def document(host, port):
    base_url = f"https://{host}:{port}/v1"
    return {"providers": {"openai": {"vendor": "openai", "base_url": base_url, "api_key": {"value": "k"}, "allow_unlisted": True}}, "auth": ANYONE}


def ask(gateway):
    return gateway.post({"model": "openai/m", "messages": user("hello")})


def assert_refused(answer):
    assert answer.status_code in (502, 503)
    assert "over TLS" not in answer.text and answer.json()["error"]["message"]


@pytest.mark.parametrize("host, sent", [("localhost", "localhost"), ("127.0.0.1", None)])
def test_a_provider_over_tls_answers(start_gateway, start_provider, authority, host, sent):
    provider = start_provider(host)
    gateway = start_gateway(document(host, provider.port), edit=trusting(authority.file))
    assert "over TLS" in ask(gateway).text
    assert set(provider.names) == {sent}


def test_a_certificate_of_another_authority_is_refused(start_gateway, start_provider):
    gateway = start_gateway(document("localhost", start_provider("localhost").port))
    assert_refused(ask(gateway))


@pytest.mark.parametrize("host, certified", [("localhost", "other.example"), ("127.0.0.1", "localhost"), ("localhost", "127.0.0.1")])
def test_a_certificate_for_another_name_is_refused(start_gateway, start_provider, authority, host, certified):
    gateway = start_gateway(document(host, start_provider(certified).port), edit=trusting(authority.file))
    assert_refused(ask(gateway))
