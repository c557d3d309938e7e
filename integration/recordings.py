"""Recorded provider traffic, and what an OpenAI client must see of it: the folder FIXTURES names, or `shared/fixtures`
beside the checkout. Nothing of it is needed for the other tests."""

import json
import os
import pathlib


def folder():
    """Where the recordings are; None if they are not."""
    found = os.environ.get("FIXTURES") or pathlib.Path(__file__).parent.parent.parent / "shared" / "fixtures"
    return pathlib.Path(found) if (pathlib.Path(found) / "manifest.jsonl").exists() else None


def rows(name):
    path = folder() / name if folder() else None
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def expectations():
    """By id: what the client must see, as a list of choices, and the usage."""
    found = {}
    for row in rows("expect.jsonl"):
        if "choices" in row:
            choices = row["choices"]
        elif "text" in row and "tools" in row:
            choices = [{"index": 0, **{key: row[key] for key in ("text", "reasoning", "tools", "finish_any_of")}}]
        else:
            choices = None
        found[row["id"]] = {"choices": choices, "usage": row.get("usage"), "row": row}
    return found
