"""Lets Envoy validate the shipped configurations, filter included; only the path of the wasm is changed."""

import os
import subprocess
import sys
import tempfile

import render

# A secret for HS256, as secure.yaml wants it in its environment.
JWKS = '{"keys": [{"kty": "oct", "alg": "HS256", "kid": "1", "k": "YS1zZWNyZXQtdGhhdC1vbmx5LXZhbGlkYXRlcy5weS1oYXM"}]}'
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    for name in render.SHIPPED:
        config = render.load(os.path.join(ROOT, "envoy", name))
        render.use_wasm(config, os.environ["WASM"])
        keys = render.gateway(config)["vm_config"]["environment_variables"]["host_env_keys"]
        environment = {**os.environ, **{name: "a-key" for name in keys}, "MODELGATE_JWKS": JWKS}
        for path in with_other_spellings(config):
            command = [os.environ["ENVOY"], "--mode", "validate", "-c", path, "--log-level", "warning"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            said = done.stdout + done.stderr
            if done.returncode != 0 or "[warning]" in said or "[error]" in said:
                sys.exit(f"envoy/{name} is not valid:\n{said}")
        print(f"envoy/{name} is valid")


def with_other_spellings(config):
    """The configuration as it is, and with the plugin's part as JSON text in a StringValue."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "envoy.yaml")
        render.save(config, path)
        yield path
        render.write_plugin_as_text(config)
        render.save(config, path)
        yield path


if __name__ == "__main__":
    main()
