"""Targets that fail are left alone for a while: with two workers, which tell each other."""

import time

import openai
import pytest

from gateway import route, user, wait_until
from kinds import ANYONE


def start(start_gateway, lane, **rules):
    return start_gateway({
        "auth": ANYONE,
        "providers": {kind: lane.provider(kind) for kind in ("openai", "anthropic")},
        "models": {"one": {"provider": "openai", "model": "gpt-5-nano"}, "two": {"provider": "anthropic", "model": "claude-sonnet-5-5"}},
        "routes": {"any": route("one", "two")},
        "health": rules,
    })


def served_by(gateway, **options):
    # Each over a connection of its own, so that either worker may have it.
    with gateway.client() as client:
        raw = client.chat.completions.with_raw_response.create(model="any", messages=user("hello"), **options)
        list(raw.parse())
        return raw.headers["x-modelgate-model"], raw.headers["x-modelgate-attempts"]


def asked(lane, provider):
    return lane.order().count(provider)


@pytest.mark.parametrize("stream", [False, True])
def test_who_fails_is_left_alone_by_all_workers_and_found_again(start_gateway, own_lane, stream):
    gateway = start(start_gateway, own_lane, failures=3, successes=1, open=4, open_most=4)
    own_lane.script("openai", *[{"status": 500}] * 40)
    while asked(own_lane, "openai") < 3:
        assert served_by(gateway, stream=stream) == ("two", "2")
    # Each tells what it has seen by the next second, and hears of it all by the one after that.
    time.sleep(2.2)
    before = asked(own_lane, "openai")
    for _ in range(12):
        assert served_by(gateway, stream=stream) == ("two", "1")
    assert asked(own_lane, "openai") == before
    own_lane.clear()
    wait_until(lambda: served_by(gateway, stream=stream) == ("one", "1"))
    time.sleep(1.2)
    for _ in range(12):
        assert served_by(gateway, stream=stream) == ("one", "1")


def test_who_is_limited_is_left_alone_for_as_long_as_it_says(start_gateway, own_lane):
    gateway = start(start_gateway, own_lane)
    own_lane.script("openai", status=429, headers={"retry-after": "3"})
    assert served_by(gateway) == ("two", "2")
    limited = time.monotonic()
    time.sleep(1.2)
    for _ in range(6):
        assert served_by(gateway) == ("two", "1")
    wait_until(lambda: served_by(gateway) == ("one", "1"))
    assert 2.5 < time.monotonic() - limited < 6


def test_who_hangs_or_is_not_there_is_left_alone_too(start_gateway, own_lane):
    gateway = start_gateway({
        "auth": ANYONE,
        "providers": {"openai": own_lane.provider("openai", base_url="http://127.0.0.1:1/v1"), "anthropic": own_lane.provider("anthropic"), "gemini": own_lane.provider("gemini")},
        "models": {
            "one": {"provider": "openai", "model": "gpt-5-nano"},
            "two": {"provider": "anthropic", "model": "claude-sonnet-5-5"},
            "three": {"provider": "gemini", "model": "gemini-3.8-flash"},
        },
        "routes": {"any": route("one", "two", "three")},
        "health": {"failures": 1, "open": 60},
        "timeouts": {"first_token_ms": 300},
    })
    own_lane.script("anthropic", *[{"delay_headers": 2000}] * 4)
    assert served_by(gateway, stream=True) == ("three", "3")
    time.sleep(1.2)
    for _ in range(6):
        assert served_by(gateway, stream=True) == ("three", "1")


def test_a_client_that_leaves_says_nothing_of_the_target(start_gateway, own_lane):
    gateway = start(start_gateway, own_lane, failures=1, open=60, open_most=60)
    own_lane.script("openai", delay_headers=1500)
    with pytest.raises(openai.APITimeoutError):
        gateway.client(timeout=0.3).chat.completions.create(model="any", messages=user("hello"))
    with gateway.client() as client, client.chat.completions.create(model="any", messages=user("hello"), stream=True) as stream:
        next(iter(stream))
    for _ in range(6):
        assert served_by(gateway) == ("one", "1")
