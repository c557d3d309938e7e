"""The same request several times at once: one is sent, the others wait for its answer, and nobody waits in vain for long."""

import asyncio
import json
import time

import httpx2
import pytest

from gateway import user
from test_cache import Client, document

BODY = {"model": "gpt", "messages": user("hello")}
COUNT = 20


class Clients:
    """Many of acme's at once."""

    def __init__(self, gateway):
        headers = {"authorization": "Bearer key-of-acme"}
        self.http = httpx2.AsyncClient(base_url=gateway.origin, headers=headers, timeout=20, limits=httpx2.Limits(max_connections=200))

    async def ask(self, body):
        """(status, `x-modelgate-cache`, what is said, and when)."""
        answer = await self.http.post("/v1/chat/completions", json=body)
        return answer.status_code, answer.headers.get("x-modelgate-cache"), said(answer), time.monotonic()

    def start(self, body, count):
        return [asyncio.create_task(self.ask(body)) for _ in range(count)]


def said(answer):
    if answer.headers["content-type"].startswith("text/event-stream"):
        events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
        assert events[-1] == "[DONE]", answer.text
        choices = (choice for event in events[:-1] for choice in json.loads(event)["choices"])
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    body = answer.json()
    return body["choices"][0]["message"]["content"] if answer.status_code == 200 else body["error"]["message"]


async def asked(lane, count):
    """Until so many requests have come to the providers."""
    while len(lane.received()) < count:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("later", [False, True], ids=["whole", "streamed"])
def test_one_is_sent_and_all_are_answered(start_gateway, own_lane, first, later):
    gateway = start_gateway(document(own_lane), concurrency=1)
    own_lane.script("openai", hold=True)

    async def run():
        clients = Clients(gateway)
        leader = clients.start(BODY | {"stream": first}, 1)
        await asked(own_lane, 1)
        others = clients.start(BODY | {"stream": later}, COUNT)
        await asyncio.sleep(0.3)
        assert not any(one.done() for one in others)
        own_lane.release()
        return await asyncio.gather(*leader, *others)

    answers = asyncio.run(run())
    assert [answer[:2] for answer in answers] == [(200, "miss")] + [(200, "hit")] * COUNT
    assert len({answer[2] for answer in answers}) == 1 and answers[0][2].endswith("You said: hello")
    own_lane.only()


def test_on_each_worker_one_is_sent(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane), concurrency=2)
    own_lane.script("openai", *[{"delay_headers": 700}] * 2)

    async def run():
        return await asyncio.gather(*Clients(gateway).start(BODY, 60))

    answers = asyncio.run(run())
    assert {answer[0] for answer in answers} == {200} and len(own_lane.received()) <= 2
    assert sorted(answer[1] for answer in answers)[:-2] == ["hit"] * 58


def test_who_waits_for_a_failure_goes_alone(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane), concurrency=1)
    own_lane.script("openai", {"hold": True, "status": 400}, *[{"delay_headers": 200}] * COUNT)

    async def run():
        clients = Clients(gateway)
        leader = clients.start(BODY, 1)
        await asked(own_lane, 1)
        others = clients.start(BODY, COUNT)
        await asyncio.sleep(0.3)
        own_lane.release()
        return await asyncio.gather(*leader, *others)

    leader, *others = asyncio.run(run())
    assert leader[0] == 400
    assert {answer[:2] for answer in others} == {(200, "miss")}
    assert len(own_lane.received()) == COUNT + 1


def test_nobody_waits_longer_than_configured(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane, wait=1), concurrency=1)
    own_lane.script("openai", hold=True)

    async def run():
        clients = Clients(gateway)
        leader = clients.start(BODY, 1)
        await asked(own_lane, 1)
        began = time.monotonic()
        others = await asyncio.gather(*clients.start(BODY, 3))
        assert not leader[0].done()
        own_lane.release()
        return began, others, await leader[0]

    # They are not held: the first one is all that the script holds.
    own_lane.script("openai", {"delay_headers": 10}, {"delay_headers": 10}, {"delay_headers": 10})
    began, others, leader = asyncio.run(run())
    assert [answer[:2] for answer in others] == [(200, "miss")] * 3 and leader[:2] == (200, "miss")
    waited = [answer[3] - began for answer in others]
    assert all(0.5 < seconds < 4 for seconds in waited), waited


def test_without_a_wait_everybody_is_sent(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane, wait=0), concurrency=1)
    own_lane.script("openai", *[{"delay_headers": 300}] * 5)

    async def run():
        return await asyncio.gather(*Clients(gateway).start(BODY, 5))

    assert {answer[:2] for answer in asyncio.run(run())} == {(200, "miss")}
    assert len(own_lane.received()) == 5


def test_nobody_waits_for_another_consumers_request(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane), concurrency=1)
    own_lane.script("openai", hold=True)

    async def run():
        clients = Clients(gateway)
        leader = clients.start(BODY, 1)
        await asked(own_lane, 1)
        other = await asyncio.to_thread(Client(gateway, "bureau").ask, "hello")
        own_lane.release()
        return other, await leader[0]

    other, leader = asyncio.run(run())
    assert other[0] == "miss" and leader[:2] == (200, "miss")


def test_clients_that_leave_while_they_wait_are_forgotten(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane), concurrency=1)
    own_lane.script("openai", hold=True)

    async def run():
        clients = Clients(gateway)
        leader = clients.start(BODY, 1)
        await asked(own_lane, 1)
        others = clients.start(BODY, COUNT)
        await asyncio.sleep(0.3)
        for one in others[::2]:
            one.cancel()
        await asyncio.sleep(0.3)
        own_lane.release()
        return await asyncio.gather(*leader, *others[1::2])

    answers = asyncio.run(run())
    assert [answer[:2] for answer in answers] == [(200, "miss")] + [(200, "hit")] * (COUNT // 2)
    own_lane.only()


def test_a_leader_that_leaves_lets_the_others_go(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane), concurrency=1)
    own_lane.script("openai", {"hold": True}, *[{"delay_headers": 10}] * 3)

    async def run():
        clients = Clients(gateway)
        (leader,) = clients.start(BODY, 1)
        await asked(own_lane, 1)
        others = clients.start(BODY, 3)
        await asyncio.sleep(0.3)
        leader.cancel()
        return await asyncio.gather(*others)

    assert {answer[0] for answer in asyncio.run(run())} == {200}
    assert len(own_lane.received()) == 4


def test_one_that_waited_is_limited_as_any(start_gateway, own_lane):
    """Those that are answered from the cache count against nothing; those that have to go alone are admitted one by one."""
    limits = [{"name": "few", "per": ["consumer"], "requests": 3, "window": "day"}]
    gateway = start_gateway(document(own_lane) | {"limits": limits}, concurrency=1)
    own_lane.script("openai", {"hold": True, "status": 400}, *[{"delay_headers": 500}] * COUNT)

    async def run():
        clients = Clients(gateway)
        leader = clients.start(BODY, 1)
        await asked(own_lane, 1)
        others = clients.start(BODY, COUNT)
        await asyncio.sleep(0.3)
        own_lane.release()
        return await asyncio.gather(*leader, *others)

    leader, *others = asyncio.run(run())
    assert leader[0] == 400
    assert sorted(answer[0] for answer in others) == [200] * 2 + [429] * (COUNT - 2)
