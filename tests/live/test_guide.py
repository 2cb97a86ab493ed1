"""The guides do what they say: their examples are run in their order, and answer as they show."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.running import OWNER, PASSWORD, ROOT, Chatcore

API, EXTERNAL = "api.md", "external.md"
MARK = "--- example ---"


@dataclass
class Example:
    """A shell block, and the JSON that the guide shows below it."""

    script: str
    shown: Any = None


def examples(guide: str) -> list[Example]:
    found: list[Example] = []
    whole = (ROOT / "docs" / guide).read_text()
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", whole, re.MULTILINE | re.DOTALL):
        if kind == "sh":
            found.append(Example(text))
        elif kind == "json":
            found[-1].shown = json.loads(text)
    return found


Said = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def said(one: Chatcore) -> Said:
    """What each example of a guide prints. Addresses and secrets are those of this server."""
    values = {"URL": one.url, "KEY": one.key, "EMAIL": OWNER, "PASSWORD": f"'{PASSWORD}'"}
    printed: dict[str, list[str]] = {}

    def printed_by(guide: str) -> list[str]:
        if guide not in printed:
            printed[guide] = run(guide, values)
        return printed[guide]

    return printed_by


def run(guide: str, values: dict[str, str]) -> list[str]:
    script = f"\necho '{MARK}'\n".join(example.script for example in examples(guide))
    for name, value in values.items():
        script, replaced = re.subn(rf"^{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
        assert replaced == 1 or f"${name}" not in script, name
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr
    return done.stdout.split(MARK)


SHOWN = [
    (guide, number)
    for guide in (API, EXTERNAL)
    for number, example in enumerate(examples(guide))
    if example.shown is not None
]


@pytest.mark.parametrize(("guide", "number"), SHOWN)
def test_an_example_answers_as_the_guide_shows(said: Said, guide: str, number: int) -> None:
    assert_alike(json.loads(last_document(said(guide)[number])), examples(guide)[number].shown)


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


@pytest.mark.parametrize(
    ("guide", "begins"), [(API, {"reply.queued", "reply.started"}), (EXTERNAL, {"external.accepted"})]
)
def test_the_stream_ends_with_the_whole_text(said: Said, guide: str, begins: set[str]) -> None:
    (stream,) = [text for text in said(guide) if "event: reply.delta" in text]
    events = re.findall(r"^event: (\S+)$", stream, re.MULTILINE)
    assert events[-1] == "reply.completed"
    assert {*begins, "reply.delta"} <= set(events[:-1])


@pytest.mark.parametrize("guide", [API, EXTERNAL])
def test_what_is_sent_twice_gives_the_same_message(said: Said, guide: str) -> None:
    (counted,) = [text for text in said(guide) if re.match(r"\s*2 [0-9a-f-]{36}\s*$", text)]
    assert counted
