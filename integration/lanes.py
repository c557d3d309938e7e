"""The mock providers as tests see them: lanes that keep tests apart, scripts of faults, and what was received."""

from dataclasses import dataclass, field

import httpx2

# Where each vendor's API lies below its origin, as its documentation has it.
PATHS = {
    "openai": "/v1",
    "anthropic": "/v1",
    "gemini": "/v1beta",
    "azure": "/azure/openai/v1",
    "deepseek": "/deepseek",
    "mistral": "/mistral/v1",
    "groq": "/groq/openai/v1",
    "together": "/together/v1",
    "fireworks": "/fireworks/inference/v1",
    "cerebras": "/cerebras/v1",
    "openrouter": "/openrouter/api/v1",
    "xai": "/xai/v1",
    "qwen": "/qwen/compatible-mode/v1",
    "moonshot": "/moonshot/v1",
    "vllm": "/vllm/v1",
    "ollama": "/ollama/v1",
    "compatible": "/compatible/v1",
}


@dataclass
class Received:
    """A request as it came to a provider; times in seconds, of the clock."""

    provider: str
    method: str
    path: str
    headers: dict = field(repr=False)
    body: object
    raw: str = field(repr=False)
    status: int
    ended: str
    refused: str | None
    usage: dict | None
    order: int
    began: float
    ended_at: float


class Lane:
    """A corner of the mock server that a test has for itself."""

    def __init__(self, origin, name):
        self.origin = origin
        self.name = name
        self._control = httpx2.Client(base_url=origin, timeout=10)

    def provider(self, vendor, key=None, **settings):
        """The configuration of a provider of this vendor that is in this lane."""
        base_url = f"{self.origin}/lane/{self.name}{PATHS[vendor]}"
        key = {"value": key or f"key-of-{vendor}"}
        return {"vendor": vendor, "base_url": base_url, "api_key": key, "allow_unlisted": True, **settings}

    def script(self, provider, *directives, **directive):
        """What the provider's next answers shall do: one keyword call is one answer, dictionaries are one each."""
        directives = [*directives, directive] if directive or not directives else list(directives)
        answer = self._control.post(
            "/_mock/script", json={"lane": self.name, "provider": provider, "directives": directives}
        )
        assert answer.is_success, answer.text

    def received(self):
        """What came, oldest first."""
        answer = self._control.get("/_mock/requests", params={"lane": self.name})
        assert answer.is_success, answer.text
        entries = answer.json()
        entries = entries["requests"] if isinstance(entries, dict) else entries
        return [
            Received(
                provider=entry["provider"],
                method=entry["method"],
                path=entry["path"].removeprefix(f"/lane/{self.name}"),
                headers={name.lower(): value for name, value in entry["headers"]},
                body=entry["body"],
                raw=entry["raw"],
                status=entry["status"],
                ended=entry["ended"],
                refused=entry["refused"],
                usage=entry["usage"],
                order=entry["order"],
                began=entry["at_us"] / 1e6,
                ended_at=(entry["at_us"] + entry["ended_after_us"]) / 1e6,
            )
            for entry in entries
        ]

    def only(self):
        """The one request that came."""
        (one,) = self.received()
        return one

    def order(self):
        """Who was asked, in order."""
        return [request.provider for request in self.received()]

    def release(self):
        """Lets those answers go that are told to `hold`, and all that come until the lane is cleared."""
        self._control.post("/_mock/release", params={"lane": self.name})

    def clear(self):
        """Forgets requests and scripts."""
        self._control.delete("/_mock/requests", params={"lane": self.name})
