"""Who asks the gateway, and what is made of the answers. Of each it is known whether it is right: it names the model and the provider
that its headers name, and says again what was asked."""

import http.client
import itertools
import json
import socket
import threading
import time
import urllib.request
from dataclasses import dataclass

GATEWAY = ("envoy", 10000)
PATIENCE = 40.0  # seconds until an answer is given up


@dataclass
class Answer:
    """What has come. `broken` is a stream that had begun and told of its end by an error, or had none."""

    asked: str
    status: int  # 0: the connection was refused, or closed before an answer
    provider: str = ""
    model: str = ""
    text: str = ""
    tokens: int = 0
    broken: bool = False
    said: str = ""
    first_seconds: float = 0.0  # until the first content, or all of what is not a stream

    def is_right(self, models):
        expected = f"This is {models.get(self.model)} from {self.provider}. You said: {self.asked}"
        return self.provider == self.model and (self.text == expected or (self.broken and expected.startswith(self.text)))


_numbers = itertools.count(1)


def ask(consumer, model, stream=False, **more_headers):
    text = f"Say {next(_numbers)} of {consumer}"
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    headers = {"content-type": "application/json", "authorization": f"Bearer key-of-{consumer}", **more_headers}
    connection = http.client.HTTPConnection(*GATEWAY, timeout=PATIENCE)
    answer = Answer(text, 0)
    began = time.monotonic()
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        came = connection.getresponse()
        answer.status = came.status
        answer.provider, answer.model = came.getheader("x-modelgate-provider", ""), came.getheader("x-modelgate-model", "")
        if stream and came.status == 200:
            _read_stream(answer, came, began)
        else:
            _read_whole(answer, came.read(), began)
    except (OSError, http.client.HTTPException) as error:
        answer.said = repr(error)
        answer.broken = answer.status == 200
        answer.status = 200 if answer.broken and stream else 0
    finally:
        connection.close()
    return answer


def _read_whole(answer, body, began):
    answer.first_seconds = time.monotonic() - began
    answer.said = body.decode()
    if answer.status == 200:
        content = json.loads(body)
        answer.text = content["choices"][0]["message"]["content"]
        answer.tokens = content["usage"]["total_tokens"]


def _read_stream(answer, came, began):
    answer.broken = True  # until it has come to its end
    for line in came:
        if not line.startswith(b"data: "):
            continue
        answer.first_seconds = answer.first_seconds or time.monotonic() - began
        if line.strip() == b"data: [DONE]":
            answer.broken = False
            continue
        event = json.loads(line[6:])
        if "error" in event:
            answer.said = line.decode()
            return
        for choice in event["choices"]:
            answer.text += choice["delta"].get("content") or ""
        answer.tokens = (event.get("usage") or {}).get("total_tokens", answer.tokens)


class Load:
    """Some who ask one request after the other, whole and streamed by turns, until it is left."""

    def __init__(self, consumer, model, clients=6):
        self.answers = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(consumer, model, nth)) for nth in range(clients)]

    def _go_on(self, consumer, model, nth):
        turns = itertools.cycle([False, True] if nth % 2 else [True, False])
        while not self._stop.is_set():
            answer = ask(consumer, model, next(turns))
            self.answers.append(answer)
            self._stop.wait(0.05 if answer.status == 200 else 0.3)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def redis(*words):
    """What Redis answers to a command: a text, or a list of them."""
    with socket.create_connection(("redis", 6379), timeout=5) as connection, connection.makefile("rb") as answer:
        connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words))
        return _read_reply(answer)


def _read_reply(answer):
    line = answer.readline().decode().strip()
    kind, rest = line[:1], line[1:]
    if kind == "*":
        return [_read_reply(answer) for _ in range(int(rest))]
    return answer.read(int(rest) + 2)[:-2].decode() if kind == "$" else rest


def wait_until(found, seconds=30.0, what="it"):
    """What `found` gives, as soon as it is something; who cannot be reached yet is asked again."""
    until = time.monotonic() + seconds
    while True:
        try:
            if got := found():
                return got
            why = "not so yet"
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = repr(error)
        assert time.monotonic() < until, f"{what} has not come to be in {seconds:.0f} s: {why}"
        time.sleep(0.1)
