"""docs/api.md does what it says: its examples are run in their order, and answer as it shows."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.running import OWNER, PASSWORD, ROOT, Chatcore

GUIDE = ROOT / "docs" / "api.md"
MARK = "--- example ---"


@dataclass
class Example:
    """A shell block, and the JSON that the guide shows below it."""

    script: str
    shown: Any = None


def examples(guide: Path = GUIDE) -> list[Example]:
    found: list[Example] = []
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", guide.read_text(), re.MULTILINE | re.DOTALL):
        if kind == "sh":
            found.append(Example(text))
        elif kind == "json":
            found[-1].shown = json.loads(text)
    return found


@pytest.fixture(scope="session")
def said(one: Chatcore) -> list[str]:
    with one.client() as http:  # a budget of the guide's may be there from another test
        for budget in http.get("/api/v1/budgets/").json()["results"]:
            assert http.delete(f"/api/v1/budgets/{budget['id']}/").status_code == 204
    return printed(GUIDE, {"URL": one.url, "KEY": one.key, "EMAIL": OWNER, "PASSWORD": f"'{PASSWORD}'"})


def printed(guide: Path, values: dict[str, str]) -> list[str]:
    """What each example prints. Addresses and secrets are those of the server under test."""
    script = f"\necho '{MARK}'\n".join(example.script for example in examples(guide))
    for name, value in values.items():
        script, replaced = re.subn(rf"^{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
        assert replaced == 1, name
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr
    return done.stdout.split(MARK)


SHOWN = [number for number, example in enumerate(examples()) if example.shown is not None]


@pytest.mark.parametrize("number", SHOWN)
def test_an_example_answers_as_the_guide_shows(said: list[str], number: int) -> None:
    assert_alike(json.loads(last_document(said[number])), examples()[number].shown)


def last_document(printed: str) -> str:
    """The examples print one JSON document after the other without a line between them."""
    found, rest = "", printed.strip()
    while rest:
        found = rest
        _, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].strip()
    return found


def assert_alike(answer: Any, shown: Any) -> None:
    """Everything shown is there; `…` stands for anything, and one shown row for the first of several."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert_alike(answer[name], value)
    elif isinstance(shown, list):
        assert_alike(answer[0], shown[0])
    elif isinstance(shown, str) and "…" in shown:
        assert str(answer).startswith(shown.partition("…")[0])
    else:
        assert answer == shown


def test_the_stream_ends_with_the_whole_text(said: list[str]) -> None:
    (stream,) = [text for text in said if "event: reply.delta" in text]
    events = re.findall(r"^event: (\S+)$", stream, re.MULTILINE)
    assert (events[-1], set(events[:-1])) == (
        "reply.completed",
        {"reply.queued", "reply.started", "reply.delta"},
    )


def test_the_same_client_id_gives_the_same_message(said: list[str]) -> None:
    (counted,) = [text for text in said if re.match(r"\s*2 [0-9a-f-]{36}\s*$", text)]
    assert counted
