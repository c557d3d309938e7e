"""Bad input is a clear 4xx in OpenAI's form that names the field; no VM traps, and the next request is served."""

import json

import pytest

from gateway import user
from kinds import ANYONE, DIALECTS, name_of

GOOD = {"model": "openai/gpt-5-mini", "messages": user("hello")}


def with_(**changes):
    return json.dumps({**GOOD, **changes}).encode()


def text(body):
    return json.dumps(body).encode()


DEEP = b'{"model":"gpt","messages":' + b"[" * 10_000 + b"]" * 10_000 + b"}"

# name: (body, the field that the error names, or None)
BODIES = {
    "empty": (b"", None),
    "white space": (b"  \n ", None),
    "not JSON": (b"hello", None),
    "cut JSON": (b'{"model":"gpt","messages":[{"role":"us', None),
    "two documents": (text(GOOD) + text(GOOD), None),
    "trailing garbage": (text(GOOD) + b"x", None),
    "an array": (b"[]", None),
    "a string": (b'"gpt"', None),
    "null": (b"null", None),
    "ten thousand deep": (DEEP, None),
    "ten thousand deep where it is ignored": (text(GOOD)[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", None),
    "not UTF-8": (b'{"model":"gpt","messages":[{"role":"user","content":"\xff\xfe"}]}', None),
    "a control character": (b'{"model":"gpt","messages":[{"role":"user","content":"a\nb"}]}', None),
    "NaN": (b'{"model":"gpt","temperature":NaN,"messages":[]}', None),
    "a lone surrogate in the model": (b'{"model":"\\ud800","messages":[{"role":"user","content":"a"}]}', "model"),
    "no model": (text({"messages": user("hello")}), "model"),
    "model is null": (with_(model=None), "model"),
    "model is a number": (with_(model=5), "model"),
    "model is empty": (with_(model=""), "model"),
    "no messages": (text({"model": "gpt"}), "messages"),
    "messages are null": (with_(messages=None), "messages"),
    "messages are a string": (with_(messages="hello"), "messages"),
    "messages are empty": (with_(messages=[]), "messages"),
    "a message is a string": (with_(messages=["hello"]), "messages"),
    "a message without role": (with_(messages=[{"content": "hello"}]), "messages"),
    "an unknown role": (with_(messages=[{"role": "wizard", "content": "hello"}]), "messages"),
    "content is a number": (with_(messages=[{"role": "user", "content": 5}]), "messages"),
    "stream is a string": (with_(stream="yes"), "stream"),
    "stream_options is a list": (with_(stream=True, stream_options=[]), "stream_options"),
    "tools is an object": (with_(tools={}), "tools"),
    "a tool without function": (with_(tools=[{"type": "function"}]), "tools"),
}
# What a provider would refuse itself is refused before it is asked where a translation has to read it.
TRANSLATED_BODIES = {
    "temperature is a string": (with_(temperature="hot"), "temperature"),
    "max_tokens is a string": (with_(max_tokens="many"), "max_tokens"),
    "max_tokens is negative": (with_(max_tokens=-1), "max_tokens"),
    "max_tokens is enormous": (b'{"model":"gpt","max_tokens":1e400,"messages":[{"role":"user","content":"a"}]}', None),
    "n is zero": (with_(n=0), "n"),
    "stop is a number": (with_(stop=5), "stop"),
    "tool_choice is a number": (with_(tool_choice=5, tools=[]), "tool_choice"),
    "response_format is a string": (with_(response_format="json"), "response_format"),
    "an image without URL": (with_(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), "messages"),
    "an unknown part": (with_(messages=[{"role": "user", "content": [{"type": "smell"}]}]), "messages"),
    "a tool result without id": (with_(messages=[{"role": "tool", "content": "rain"}]), "messages"),
}


def assert_refused(answer, field, statuses=(400,)):
    assert answer.status_code in statuses, answer.text
    error = answer.json()["error"]
    assert error["message"] and error["type"] == "invalid_request_error"
    assert "code" in error and "param" in error
    if field:
        assert (error["param"] or "").split("[")[0].split(".")[0] == field, error
    else:
        assert isinstance(error["param"], (str, type(None)))


def assert_serves(gateway):
    answer = gateway.post(GOOD)
    assert answer.status_code == 200 and "You said: hello" in answer.text


@pytest.mark.parametrize("why", BODIES)
def test_a_bad_body_is_refused(gateway, lane, why):
    body, field = BODIES[why]
    answer = gateway.post(body)
    assert_refused(answer, field, (400, 404) if field == "model" else (400,))
    assert lane.received() == []
    assert_serves(gateway)


@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
@pytest.mark.parametrize("why", TRANSLATED_BODIES)
def test_a_bad_field_is_refused_when_it_must_be_translated(gateway, lane, kind, why):
    body, field = TRANSLATED_BODIES[why]
    body = body.replace(b'"gpt"', json.dumps(name_of(kind)).encode()).replace(b'"openai/gpt-5-mini"', json.dumps(name_of(kind)).encode())
    assert_refused(gateway.post(body), field)
    assert lane.received() == []
    assert_serves(gateway)


@pytest.mark.parametrize("kind", DIALECTS)
def test_duplicate_keys_have_one_meaning(gateway, lane, kind):
    """The gateway and the provider must not read two different requests out of one body."""
    model = json.dumps(name_of(kind))
    body = b'{"model":"nobody/nothing","model":' + model.encode() + b',"messages":[{"role":"user","content":"hello"}]}'
    answer = gateway.post(body)
    if answer.status_code == 200:
        assert '"model"' not in lane.only().raw or lane.only().raw.count('"model"') == 1
    else:
        assert_refused(answer, "model", (400, 404))
    assert_serves(gateway)


@pytest.mark.parametrize("kind", DIALECTS)
def test_odd_but_legal_text_comes_through(gateway, lane, kind):
    said = 'quotes " and \\ and \u0000? no: \u0001 \u2028 \U0001f30d é ﷽ \u200d end'
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user(said))
    assert answer.choices[0].message.content.endswith("end")
    assert lane.only().refused is None


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_lone_surrogate_in_the_text_is_refused_or_repaired(gateway, lane, kind):
    body = b'{"model":' + json.dumps(name_of(kind)).encode() + b',"messages":[{"role":"user","content":"a \\ud800 b"}]}'
    answer = gateway.post(body)
    assert answer.status_code in (200, 400)
    assert_serves(gateway)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(gateway, lane, content_type):
    answer = gateway.post(GOOD, headers={"content-type": content_type})
    assert_refused(answer, None, (400, 415))
    assert lane.received() == []


def test_a_charset_is_no_other_content_type(gateway):
    assert gateway.post(GOOD, headers={"content-type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_a_body_over_the_limit_is_413(start_gateway, own_lane):
    document = {"providers": {"openai": own_lane.provider("openai")}, "auth": ANYONE, "bounds": {"request_bytes": 100_000}}
    gateway = start_gateway(document)
    answer = gateway.post({**GOOD, "messages": user("x" * 200_000)})
    assert_refused(answer, None, (413,))
    assert gateway.post({**GOOD, "messages": user("x" * 50_000)}).status_code == 200


def test_a_body_over_envoys_limit_is_413_in_openais_form(gateway):
    answer = gateway.post({**GOOD, "messages": user("x" * 34_000_000)})
    assert_refused(answer, None, (413,))
    assert_serves(gateway)


@pytest.mark.parametrize("header", [b"x-mb: \xff\xfe", b"content-type: \xff", b"authorization: Bearer \xff\xfe", b"accept: \x80"])
def test_header_bytes_that_are_no_utf8_do_no_harm(gateway, header):
    body = json.dumps(GOOD).encode()
    lines = [b"POST /v1/chat/completions HTTP/1.1", b"host: gateway", b"connection: close", header]
    if not header.startswith(b"content-type"):
        lines.append(b"content-type: application/json")
    lines += [b"content-length: %d" % len(body), b"", body]
    answer = gateway.send(b"\r\n".join(lines))
    assert answer.split(b" ")[1] in (b"200", b"400", b"415")
    assert_serves(gateway)


@pytest.mark.parametrize("path", ["/v1/models/%ff%fe", "/v1/models/" + "x" * 5000, "/v1/models/..%2f..%2f", "/v1/models/"])
def test_odd_paths_do_no_harm(gateway, path):
    answer = gateway.http.get(path)
    assert answer.status_code in (200, 400, 404)
    assert_serves(gateway)


@pytest.mark.parametrize("name", ["../../etc/passwd", "openai/../x", "a b", "x" * 3000, "%2e%2e", "gemini/x:streamGenerateContent?key=", "gemini/a/../../b"])
def test_odd_model_names_do_no_harm(gateway, lane, name):
    answer = gateway.post({**GOOD, "model": name})
    assert answer.status_code in (200, 400, 404)
    for request in lane.received():
        assert "/../" not in request.path and request.path.count("?") <= 1
    assert_serves(gateway)
