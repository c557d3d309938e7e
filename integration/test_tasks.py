"""What kind of request it is: told to the client and to the access log, for whole answers and for streams."""

import openai
import pytest

from gateway import user, wait_until
from kinds import ANYONE

REQUESTS = (
    ("Write a Python function that parses a CSV file.", "code", "simple"),
    ("Translate into French: where is the station?", "translation", "simple"),
    ("把下面这段话总结成三句话。", "summary", "simple"),
    ("Is this NDA any good?", "legal", "simple"),
)


@pytest.fixture
def gateway(start_gateway, own_lane):
    return start_gateway({
        "auth": ANYONE,
        "providers": {"openai": own_lane.provider("openai")},
        "models": {"small": {"provider": "openai", "model": "gpt-5-nano"}},
        "tasks": {"legal": {"keywords": ["NDA"]}},
    })


def ask(gateway, text, **options):
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model="small", messages=user(text), **options)
    list(raw.parse())
    return raw.headers["x-modelgate-task"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_kind_is_told_with_the_answer_and_to_the_access_log(gateway, stream):
    for text, task, complexity in REQUESTS:
        gateway.mark()
        assert ask(gateway, text, stream=stream) == task
        (logged,) = wait_until(gateway.access_log)
        assert (logged["task"], logged["complexity"]) == (task, complexity)


def test_a_client_may_say_the_kind(gateway):
    assert ask(gateway, "hi", extra_headers={"x-modelgate-task": "creative"}) == "creative"
    assert ask(gateway, "hi", metadata={"task": "legal"}) == "legal"
    with pytest.raises(openai.BadRequestError) as refused:
        ask(gateway, "hi", extra_headers={"x-modelgate-task": "creativ"})
    assert (refused.value.code, refused.value.param) == ("invalid_value", "x-modelgate-task")
    assert "did you mean 'creative'?" in refused.value.message


def test_where_kinds_are_not_told_apart_nothing_is_told(start_gateway, own_lane):
    gateway = start_gateway({
        "auth": ANYONE,
        "providers": {"openai": own_lane.provider("openai")},
        "models": {"small": {"provider": "openai", "model": "gpt-5-nano"}},
    })
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model="small", messages=user("hi"))
    assert "x-modelgate-task" not in raw.headers
