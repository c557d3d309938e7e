"""Many clients at once, on two workers: every one gets its own answer."""

import asyncio

import pytest

from gateway import user
from kinds import DIALECTS, KINDS, name_of


def ask_all(gateway, questions, at_once=32, **options):
    """[(question, text)]: each asked of the model it names, so many at a time."""

    async def all_of_them():
        limit = asyncio.Semaphore(at_once)
        async with gateway.async_client() as client:

            async def one(model, text):
                async with limit:
                    stream = await client.chat.completions.create(model=model, messages=user(text), stream=True, **options)
                    parts = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
                    return text, "".join(parts)

            return await asyncio.gather(*(one(model, text) for model, text in questions))

    return asyncio.run(all_of_them())


def test_answers_are_never_mixed_up(gateway):
    questions = [(name_of(KINDS[n % len(KINDS)]), f"question {n} of many") for n in range(400)]
    for asked, answered in ask_all(gateway, questions):
        assert answered.endswith(f"You said: {asked}")


@pytest.mark.parametrize("first", DIALECTS)
def test_fallback_under_load(gateway, lane, first):
    """Every first attempt fails, many at the same time; every client has its answer."""
    second = next(kind for kind in DIALECTS if kind != first)
    lane.script(first, *[{"status": 503}] * 100)
    questions = [(f"{first}-then-{second}", f"question {n}") for n in range(100)]
    for asked, answered in ask_all(gateway, questions):
        assert answered.endswith(f"You said: {asked}") and f"from {second}" in answered
    assert lane.order().count(first) == lane.order().count(second) == 100


def test_both_workers_serve(gateway):
    ask_all(gateway, [("gpt", f"question {n}") for n in range(200)], at_once=64)
    stats = gateway.envoy.stats(r"listener\.[0-9].*worker_.\.downstream_cx_total")
    assert len([1 for value in stats.values() if value]) == 2, stats
