"""Nothing of one party reaches another: keys, headers and bodies of attempts; credentials and spoofed headers of clients."""

import pytest

from gateway import user
from kinds import ANYONE, DIALECTS, KINDS, MODELS, name_of

PAIRS = [(a, b) for a in DIALECTS for b in DIALECTS if a != b]

# Where each dialect wants the key.
KEY_HEADER = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure": "api-key"}


def key_in(received, kind):
    header = KEY_HEADER.get(kind, "authorization")
    value = received.headers[header]
    return value.removeprefix("Bearer ") if header == "authorization" else value


@pytest.mark.parametrize("kind", KINDS)
def test_each_provider_gets_its_own_key_and_not_the_clients(gateway, lane, kind):
    gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"))
    received = lane.only()
    assert key_in(received, kind) == f"key-of-{kind}"
    assert "key-of-the-client" not in str(received.headers) + received.raw + received.path


@pytest.mark.parametrize("first, second", PAIRS)
def test_nothing_of_one_attempt_reaches_the_next(gateway, lane, first, second):
    lane.script(first, status=503)
    gateway.client().chat.completions.create(model=f"{first}-then-{second}", messages=user("hello"))
    _, fallen = lane.received()
    lane.clear()
    gateway.client().chat.completions.create(model=name_of(second), messages=user("hello"))
    (direct,) = lane.received()
    assert f"key-of-{first}" not in str(fallen.headers) + fallen.raw
    assert MODELS[first] not in fallen.raw
    assert (fallen.path, fallen.raw) == (direct.path, direct.raw), "the same request as without the failure"
    varying = {"x-request-id", "date"}
    assert {k: v for k, v in fallen.headers.items() if k not in varying} == {
        k: v for k, v in direct.headers.items() if k not in varying
    }


@pytest.mark.parametrize("kind", DIALECTS)
def test_no_header_of_the_client_goes_upstream_but_harmless_ones(gateway, lane, kind):
    sent = {
        "authorization": "Bearer client-secret",
        "x-api-key": "client-secret",
        "api-key": "client-secret",
        "x-goog-api-key": "client-secret",
        "cookie": "session=client-secret",
        "proxy-authorization": "Basic client-secret",
        "openai-organization": "client-secret",
        "x-modelgate-provider": "client-secret",
        "x-modelgate-anything": "client-secret",
        "x-forwarded-for": "client-secret",
        "x-envoy-max-retries": "9",
    }
    answer = gateway.post({"model": name_of(kind), "messages": user("hello")}, headers=sent)
    assert answer.status_code == 200
    received = lane.only()
    assert "client-secret" not in str(received.headers)
    assert not [name for name in received.headers if name.startswith(("x-modelgate", "x-envoy", "x-forwarded"))]


def test_a_client_cannot_choose_the_cluster_or_the_retries(gateway, lane):
    spoofed = {"next": "gemini", "wasm.next": "gemini", "x-modelgate-next": "gemini", "x-envoy-retry-on": "4xx", "x-envoy-max-retries": "9"}
    lane.script("openai", error="bad_request")
    answer = gateway.post({"model": "openai-then-anthropic", "messages": user("hello")}, headers=spoofed)
    assert answer.status_code == 400
    assert lane.order() == ["openai"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_header_of_the_provider_betrays_more_than_it_should(gateway, lane, kind):
    lane.script(kind, headers={"set-cookie": "a=provider-secret", "x-internal": "provider-secret", "server": "provider-secret"})
    answer = gateway.post({"model": name_of(kind), "messages": user("hello")})
    assert "set-cookie" not in answer.headers
    assert answer.headers["server"] == "envoy"


def test_keys_come_from_the_environment(start_gateway, own_lane):
    provider = own_lane.provider("openai")
    provider["api_key"] = {"env": "OPENAI_API_KEY"}
    gateway = start_gateway({"providers": {"openai": provider}, "auth": ANYONE}, environment={"OPENAI_API_KEY": "key-from-outside"})
    gateway.client().chat.completions.create(model="openai/gpt-5-mini", messages=user("hello"))
    assert own_lane.only().headers["authorization"] == "Bearer key-from-outside"


def test_a_provider_without_key_gets_none(start_gateway, own_lane):
    provider = own_lane.provider("ollama")
    provider["api_key"] = "none"
    gateway = start_gateway({"providers": {"ollama": provider}, "auth": ANYONE})
    gateway.client().chat.completions.create(model="ollama/llama3.3", messages=user("hello"))
    assert "authorization" not in own_lane.only().headers


def test_fixed_headers_are_sent(start_gateway, own_lane):
    provider = own_lane.provider("openai", headers={"openai-organization": "org_1"})
    gateway = start_gateway({"providers": {"openai": provider}, "auth": ANYONE})
    gateway.client().chat.completions.create(model="openai/gpt-5-mini", messages=user("hello"))
    assert own_lane.only().headers["openai-organization"] == "org_1"


def test_no_log_ever_shows_a_key(gateway, lane):
    for kind in DIALECTS:
        for directive in ({}, {"error": "bad_key"}, {"status": 500}, {"reset": True}):
            lane.script(kind, directive)
            gateway.post({"model": name_of(kind), "messages": user("hello")})
    said = gateway.envoy.log()
    assert "key-of-" not in said
