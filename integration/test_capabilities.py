"""Who can answer this request: by what the catalog says a model cannot do, has room for and is warranted of."""

import hashlib

import openai
import pytest

from gateway import user

IMAGE = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]
TOOL = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def document(lane):
    sha256 = lambda key: hashlib.sha256(key.encode()).hexdigest()
    return {
        "providers": {kind: lane.provider(kind) for kind in ("openai", "anthropic", "gemini")},
        "models": {
            "short": {"provider": "openai", "model": "gpt-5-nano", "context_window": 2000, "supports": {"image": False, "tools": False}},
            "wide": {"provider": "anthropic", "model": "claude-sonnet-5-5", "context_window": 200000, "tags": ["keeps_nothing"]},
            "last": {"provider": "gemini", "model": "gemini-3.8-flash"},
            "small": {"provider": "anthropic", "model": "claude-haiku-5-5", "context_window": 1900},
        },
        "routes": {
            "any": {"targets": [{"model": "short"}, {"model": "wide"}, {"model": "last"}]},
            "forgets": {"truncate": True, "targets": [{"model": "small"}, {"model": "short"}]},
        },
        "consumers": {"anyone": {"keys": [{"sha256": sha256("key-of-anyone")}]}, "clinic": {"requires": ["keeps_nothing"], "keys": [{"sha256": sha256("key-of-clinic")}]}},
    }


@pytest.fixture
def gateway(start_gateway, own_lane):
    return start_gateway(document(own_lane))


def client(gateway, key="key-of-anyone"):
    return openai.OpenAI(base_url=gateway.origin + "/v1", api_key=key, max_retries=0)


def served_by(gateway, messages, model="any", key="key-of-anyone", **options):
    raw = client(gateway, key).chat.completions.with_raw_response.create(model=model, messages=messages, **options)
    list(raw.parse())
    return raw.headers["x-modelgate-model"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_goes_to_the_first_that_can_serve_it(gateway, own_lane, stream):
    assert served_by(gateway, user("hello"), stream=stream) == "short"
    assert served_by(gateway, IMAGE, stream=stream) == "wide"
    assert served_by(gateway, user("hello"), tools=TOOL, stream=stream) == "wide"
    assert served_by(gateway, user("word " * 4000), stream=stream) == "wide"
    assert [received.provider for received in own_lane.received()] == ["openai", "anthropic", "anthropic", "anthropic"]


def test_no_attempt_is_made_at_who_cannot_and_the_next_one_answers(gateway, own_lane):
    own_lane.script("anthropic", status=503)
    assert served_by(gateway, IMAGE) == "last"
    assert [received.provider for received in own_lane.received()] == ["anthropic", "gemini"]


def test_what_nobody_can_serve_is_refused_with_the_reason(gateway, own_lane):
    for options, code, member in (
        ({"messages": IMAGE}, "unsupported_parameter", "messages"),
        ({"messages": user("hello"), "tools": TOOL}, "unsupported_parameter", "tools"),
        ({"messages": user("word " * 4000)}, "context_length_exceeded", "messages"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            client(gateway).chat.completions.create(model="short", **options)
        assert (refused.value.code, refused.value.param) == (code, member)
        assert "short" in refused.value.message
    assert own_lane.received() == []


def test_a_consumer_is_answered_by_those_only_that_have_the_tags_it_requires(gateway, own_lane):
    assert served_by(gateway, user("hello"), key="key-of-clinic") == "wide"
    own_lane.script("anthropic", status=503)
    with pytest.raises(openai.InternalServerError):
        served_by(gateway, user("hello"), key="key-of-clinic")
    with pytest.raises(openai.PermissionDeniedError) as refused:
        served_by(gateway, user("hello"), model="last", key="key-of-clinic")
    assert refused.value.code == "tag_required"
    assert {received.provider for received in own_lane.received()} == {"anthropic"}


@pytest.mark.parametrize("stream", [False, True])
def test_turns_are_left_out_where_there_is_no_room_for_them_and_that_is_told(gateway, own_lane, stream):
    turns = [message for n in range(20) for message in ({"role": "user", "content": f"turn {n} " + "word " * 150}, {"role": "assistant", "content": f"answer {n}"})]
    messages = [{"role": "system", "content": "be brief"}, *turns, *user("and now?")]
    raw = client(gateway).chat.completions.with_raw_response.create(model="any", messages=messages, stream=stream)
    list(raw.parse())
    assert "x-modelgate-truncated" not in raw.headers, "there is room elsewhere"
    own_lane.clear()
    # Who is tried after a failure gets no more than the first one did.
    own_lane.script("anthropic", status=503)
    raw = client(gateway).chat.completions.with_raw_response.create(model="forgets", messages=messages, stream=stream)
    list(raw.parse())
    left_out = int(raw.headers["x-modelgate-truncated"])
    sent = own_lane.received()[-1].body["messages"]
    assert (raw.headers["x-modelgate-plan"], raw.headers["x-modelgate-model"]) == ("small,short", "short") and left_out > 10
    assert sent == [messages[0], *messages[1 + left_out:]]
    with pytest.raises(openai.BadRequestError) as refused:
        client(gateway).chat.completions.create(model="forgets", messages=user("word " * 4000))
    assert refused.value.code == "context_length_exceeded"
