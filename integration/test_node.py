"""The official SDK for Node, run by Node's own test runner against the shared gateway."""

import os
import pathlib
import shutil
import subprocess

import pytest

NODE = pathlib.Path(__file__).parent / "node"


@pytest.mark.parametrize("file", sorted(path.name for path in NODE.glob("*.test.mjs")))
def test_node(gateway, file):
    node = shutil.which("node")
    assert node, "node not found: run scripts/test node"
    environment = {**os.environ, "GATEWAY": gateway.origin, "OPENAI_API_KEY": "key-of-the-client"}
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", file], cwd=NODE, env=environment, capture_output=True, text=True, timeout=110
    )
    print("\n" + "\n".join(line for line in done.stdout.splitlines() if line.startswith("# ")))
    assert done.returncode == 0, done.stdout + done.stderr
