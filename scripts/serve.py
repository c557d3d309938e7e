"""Starts the gateway for scripts/run and keeps it until it is told to stop."""

import os
import shutil
import signal
import sys
import tempfile

import process
import render

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    if "--mocks" in sys.argv:  # asked by scripts/run: are the mock providers needed?
        sys.exit(0 if not os.environ.get("CONFIG") and real_providers(shipped()) is None else 1)
    # Both signals unwind the stack, so that every `with` below stops its child.
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    directory = tempfile.mkdtemp(prefix="modelgate-")
    try:
        serve(directory)
    except process.DidNotStart as reason:
        sys.exit(f"error: {reason}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def serve(directory):
    if os.environ.get("CONFIG"):
        with envoy(os.environ["CONFIG"], directory) as gateway:
            announce(gateway, None)
            wait(gateway)
        return
    config = shipped()
    render.listen(config, number("PORT", 10000), number("ADMIN_PORT", 9901), os.environ.get("ADDRESS", "127.0.0.1"))
    render.use_wasm(config, os.environ["WASM"])
    document = real_providers(config)
    if document:
        print("providers: " + ", ".join(f"{n} ({p['base_url']})" for n, p in document["providers"].items()))
        run(config, document, directory)
        return
    with process.Mock(directory) as mock:
        print("no provider's key is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, ...):")
        print(f"all providers are mocks at {mock.origin}, and answer without any model behind them")
        run(config, render.mock_providers(render.plugin(config), mock.origin), directory)


def shipped():
    return render.load(os.path.join(ROOT, "envoy", "envoy.yaml"))


def real_providers(config):
    return render.real_providers(render.plugin(config), os.environ)


def run(config, document, directory):
    render.use_providers(config, document)
    path = os.path.join(directory, "envoy.yaml")
    render.save(config, path)
    with envoy(path, directory) as gateway:
        announce(gateway, document)
        wait(gateway)


def envoy(path, directory):
    """Envoy with its log and access log on this terminal."""
    level = os.environ.get("LOG_LEVEL", "warning")
    streams = {"stdout": None, "stderr": None}
    return process.Envoy(path, directory, concurrency=number("CONCURRENCY", 2), log_level=level, **streams)


def number(variable, default):
    value = os.environ.get(variable) or default
    try:
        return int(value)
    except ValueError:
        sys.exit(f"error: {variable}={value} is not a number")


def announce(gateway, document):
    names = list(document.get("routes", {})) + list(document.get("models", {})) if document else []
    model = names[0] if names else next((f"{name}/MODEL" for name in document["providers"]), "MODEL") if document else "MODEL"
    print(f"""
modelgate is ready on {gateway.origin}/v1 (Envoy's admin interface: http://{gateway.admin})

  curl -N {gateway.origin}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Say hello."}}]}}'

  {os.path.relpath(sys.executable)} -c 'from openai import OpenAI; c = OpenAI(base_url="{gateway.origin}/v1", api_key="any")
for chunk in c.chat.completions.create(model="{model}", stream=True, messages=[{{"role": "user", "content": "Say hello."}}]):
    print(chunk.choices[0].delta.content or "", end="", flush=True)'

Names to ask for: {', '.join(names) or 'see the models of your configuration'} (GET {gateway.origin}/v1/models). Stop with ctrl-C.
""", flush=True)


def wait(gateway):
    status = gateway.child.wait()
    sys.exit(f"error: Envoy ended with status {status}")


if __name__ == "__main__":
    main()
