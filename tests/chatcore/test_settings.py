"""The settings an operator is told of are the ones there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
READ = re.compile(r'(?:env\.\w+|environ\.get)\(\s*"([A-Z_]+)"')
CODE = [
    path.read_text()
    for folder in ("chatcore", "conversations", "external")
    for path in (ROOT / folder).rglob("*.py")
]
SETTINGS = {name for text in CODE for name in READ.findall(text)}
EXAMPLES = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_whatever_is_read_from_the_environment_is_documented() -> None:
    assert len(SETTINGS) > 40
    assert not SETTINGS - EXAMPLES
    assert not SETTINGS - set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text()))


def test_every_example_is_read_somewhere() -> None:
    words = {word for text in CODE for word in re.findall(r"\w+", text)}
    assert not EXAMPLES - words
