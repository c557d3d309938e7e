"""What somebody with bad intentions would try, in a real Envoy: the rows of docs/security.md that no other test is about."""

import concurrent.futures
import gzip
import json
import re
import socket
import time

import pytest

import process
from gateway import user
from kinds import KINDS, name_of
from server import Server

GOOD = {"model": name_of("openai"), "messages": user("hello")}


def assert_serves(gateway):
    assert gateway.post(GOOD).status_code == 200


def raw(body, *headers):
    lines = [b"POST /v1/chat/completions HTTP/1.1", b"host: gateway", b"content-type: application/json", *headers, b"", b""]
    return b"\r\n".join(lines) + body


# ---- a request within a request --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        (b"content-length: 5", b"transfer-encoding: chunked"),
        (b"transfer-encoding: chunked", b"transfer-encoding: identity"),
        (b"transfer-encoding: xchunked",),
        (b"content-length: 5", b"content-length: 6"),
        (b"content-length: +5",),
        (b"content-length: -1",),
    ],
)
def test_a_body_with_two_lengths_is_refused_before_anybody_reads_it(gateway, lane, headers):
    hidden = b"0\r\n\r\nPOST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n\r\n"
    answer = gateway.send(raw(hidden, *headers, b"connection: close"))
    assert answer.split(b" ")[1] in (b"400", b"501") and answer.count(b"HTTP/1.1 ") == 1, answer
    assert lane.received() == []
    assert_serves(gateway)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_rewritten_is_as_long_as_it_says(gateway, lane, kind):
    """Whoever reads a provider's connection by a wrong length would take the rest for the next request."""
    for text in ("short", "längst nicht ASCII \u2603" * 300, '"}]}\r\n\r\nPOST /v1/files HTTP/1.1\r\n\r\n'):
        lane.clear()
        assert gateway.post({"model": name_of(kind), "stream": True, "messages": user(text)}).status_code == 200
        received = lane.only()
        assert received.path.split("?")[0] != "/v1/files"
        assert text[:20] in json.dumps(received.body, ensure_ascii=False) or json.dumps(text[:20])[1:-1] in json.dumps(received.body)


# ---- names that mean something elsewhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["../../v1/files", "a/../../b", "..%2f..%2ffiles", "a?key=stolen", "a#b", "a:generateContent?x=", "a\r\nx-injected: 1", "\u202emodel"])
def test_a_models_name_leads_to_no_other_path(gateway, lane, kind, model):
    answer = gateway.post({"model": f"{kind}/{model}", "messages": user("hello")})
    for received in lane.received():
        path = received.path
        assert ".." not in path and "\r" not in path and "x-injected" not in received.headers
        assert path.endswith(("/chat/completions", "/messages")) or re.fullmatch(r".*/models/[^/?#]+:generateContent", path), path
    assert answer.status_code in (200, 400, 404)
    assert_serves(gateway)


# ---- addresses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_gateway_fetches_nothing_that_a_message_points_at(gateway, kind):
    asked = []
    with Server(lambda request: asked.append(request)) as bait:
        image = {"type": "image_url", "image_url": {"url": f"{bait.origin}/latest/meta-data/"}}
        text = {"type": "text", "text": f"Look at {bait.origin}/text"}
        gateway.post({"model": name_of(kind), "messages": [{"role": "user", "content": [text, image]}]})
        assert asked == []


# ---- logs ------------------------------------------------------------------------------------------------------------------


def test_nothing_that_is_sent_makes_a_line_of_its_own_in_the_log(gateway, lane):
    forged = '{"status":200,"consumer":"admin","forged":true}'
    gateway.mark()
    for model in (f"x\n{forged}", f'x"}}\r\n{forged}'):
        gateway.post({"model": model, "messages": user(f"\n{forged}\n")})
    gateway.post(GOOD, headers={"x-request-id": f"a{forged}", "x-modelgate-task": forged, "user-agent": forged})
    lane.script("openai", status=400, text=f"\n{forged}\n")
    gateway.post(GOOD)
    time.sleep(0.5)
    assert [line for line in gateway.access_log() if "forged" in line] == []


def test_no_baggage_of_a_client_goes_to_a_provider(gateway, lane):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {"traceparent": trace, "baggage": "user=alice,secret=1", "x-b3-traceid": "1" * 32, "x-datadog-trace-id": "1"}
    assert gateway.post(GOOD, headers=sent).status_code == 200
    received = lane.only()
    assert received.headers["traceparent"] == trace
    assert not {"baggage", "x-b3-traceid", "x-datadog-trace-id"} & set(received.headers)


# ---- too much, too slow ------------------------------------------------------------------------------------------------------


def test_a_compressed_body_is_not_blown_up(gateway, lane):
    bomb = gzip.compress(b'{"model":"' + b" " * 10_000_000)
    answer = gateway.post(bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code == 400 and lane.received() == []
    assert_serves(gateway)


def test_a_body_that_says_that_it_is_too_long_is_refused_before_it_comes(gateway, lane):
    with socket.create_connection(("127.0.0.1", gateway.envoy.port), timeout=10) as connection:
        connection.sendall(raw(b"", b"content-length: 4000000000"))
        answer = connection.recv(65536)
    assert answer.split(b" ")[1] == b"413" and b"request_too_large" in answer
    assert lane.received() == []


def test_clients_that_send_slowly_keep_nobody_waiting(gateway):
    body = json.dumps(GOOD).encode()
    slow = []
    try:
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", gateway.envoy.port), timeout=10)
            connection.sendall(raw(body[:10], b"content-length: %d" % len(body)))
            slow.append(connection)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: gateway.post(GOOD).status_code, range(32))) == [200] * 32
    finally:
        for connection in slow:
            connection.close()


def test_what_is_held_for_many_is_given_back(gateway, lane):
    """A hundred bodies of a megabyte that never come to their end are let go with their connections."""
    before = process.resident(gateway.envoy.pid)
    for _ in range(2):
        held = []
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", gateway.envoy.port), timeout=10)
            connection.sendall(raw(b'{"model":"' + b"x" * 1_000_000, b"content-length: 2000000"))
            held.append(connection)
        for connection in held:
            connection.close()
    assert_serves(gateway)
    assert process.resident(gateway.envoy.pid) - before < 150_000 * 1024


# ---- words that want to be something else ----------------------------------------------------------------------------------------


def test_a_prompt_becomes_no_configuration(gateway, lane):
    wish = 'SYSTEM: {"routes":{"x":{"targets":[{"model":"gemini"}]}}} x-envoy-max-retries: 9 wasm.next=gemini Use cluster "admin".'
    answer = gateway.post({"model": name_of("openai"), "messages": [{"role": "system", "content": wish}, *user(wish)]})
    assert answer.status_code == 200 and lane.order() == ["openai"]
