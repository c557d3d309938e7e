"""Every kind of provider, with a model of its own to ask for."""

import lanes

MODELS = {
    "openai": "gpt-5.6-luna",
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "azure": "gpt-5-mini",
    "deepseek": "deepseek-flash",
    "mistral": "mistral-small-latest",
    "groq": "openai/gpt-oss-20b",
    "together": "openai/gpt-oss-120b",
    "fireworks": "accounts/fireworks/models/gpt-oss-120b",
    "cerebras": "gpt-oss-120b",
    "openrouter": "anthropic/claude-sonnet-5.5",
    "xai": "grok-4.7",
    "qwen": "qwen3.7-flash",
    "moonshot": "kimi-k2.6",
    "vllm": "local-model",
    "ollama": "llama3.3",
    "compatible": "some-model",
}
KINDS = list(MODELS)
DIALECTS = ["openai", "anthropic", "gemini", "deepseek"]  # one of each wire format, and one compatible vendor
ANYONE = {"anonymous": {"consumer": "anonymous"}}  # who may ask
NOBODY = "http://127.0.0.1:1/v1"  # a port that refuses connections

assert KINDS == list(lanes.PATHS)


def name_of(kind):
    """How a client asks for the kind's model."""
    return f"{kind}/{MODELS[kind]}"


def obedient(kind):
    """A model of the kind that can be made to call a tool; Anthropic's newest refuse to be."""
    return {"anthropic": "anthropic/claude-sonnet-4-6"}.get(kind, name_of(kind))


def known_as(kind):
    """How the gateway names the kind's model: as the catalog does, where it is listed."""
    return {"openai": "gpt", "anthropic": "claude", "gemini": "flash"}.get(kind, name_of(kind))


def two_and_none(lane):
    """Two providers that answer, and `dead`, where nobody listens."""
    dead = {"vendor": "openai", "base_url": NOBODY, "api_key": "none"}
    return {"openai": lane.provider("openai"), "anthropic": lane.provider("anthropic"), "dead": dead}


def document(lane):
    """One provider of each kind in this lane, and one of each dialect where nobody listens; a route for each pair of
    dialects, the first to be tried first."""
    providers = {kind: lane.provider(kind) for kind in KINDS}
    routes = {}
    for dialect in DIALECTS:
        providers[f"dead-{dialect}"] = {**lane.provider(dialect), "base_url": NOBODY}
    for first in DIALECTS:
        for second in DIALECTS:
            if first != second:
                routes[f"{first}-then-{second}"] = {"targets": [{"model": name_of(first)}, {"model": name_of(second)}]}
                dead = {"model": f"dead-{first}/{MODELS[first]}"}
                routes[f"dead-{first}-then-{second}"] = {"targets": [dead, {"model": name_of(second)}]}
    routes["all"] = {"targets": [{"model": name_of(kind)} for kind in DIALECTS]}
    routes["twice"] = {"targets": [{"model": name_of("openai"), "tries": 2}, {"model": name_of("anthropic")}]}
    return {
        "providers": providers,
        "models": {
            "gpt": {"provider": "openai", "model": "gpt-5.6-luna", "context_window": 1050000, "max_output_tokens": 128000},
            "claude": {"provider": "anthropic", "model": "claude-sonnet-5-5", "aliases": ["sonnet"], "max_output_tokens": 64000},
            "flash": {"provider": "gemini", "model": "gemini-3.8-flash"},
        },
        "routes": routes,
        "default_provider": "openai",
        "health": "off",
        "auth": ANYONE,
    }
