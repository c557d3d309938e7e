"""Many clients who ask at the same moment, each over a connection of its own."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    """What one of them got."""

    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


def ask_at_once(gateway, count, body, headers, meanwhile=None):
    """The answers to `count` chat completions, whose connections are all there before the first is sent. `meanwhile` gets a
    function that tells how many are answered so far, and what it awaits is part of the test."""

    async def all_of_them():
        url = urlsplit(gateway.origin)
        request = http(url.netloc, body, headers)
        links = [await asyncio.open_connection(url.hostname, url.port) for _ in range(count)]
        asked = [asyncio.create_task(ask(request, *link)) for link in links]
        if meanwhile:
            await meanwhile(lambda: sum(one.done() for one in asked))
        return await asyncio.gather(*asked)

    return asyncio.run(all_of_them())


async def ask(request, reader, writer):
    writer.write(request)
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return Answer(int(status.split()[1]), headers, body)


def http(host, body, headers):
    content = json.dumps(body).encode()
    lines = {"host": host, "content-type": "application/json", "content-length": len(content)}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
    return f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + content
