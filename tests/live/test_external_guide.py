"""docs/external.md does what it says: its examples are run in their order, and answer as it shows."""

import json
import re

from tests.live.test_guide import assert_alike, examples, last_document, printed
from tests.running import OWNER, ROOT, Chatcore

GUIDE = ROOT / "docs" / "external.md"


def test_the_examples_answer_as_the_guide_shows(untouched: Chatcore) -> None:
    said = printed(GUIDE, {"URL": untouched.url, "KEY": untouched.key, "EMAIL": OWNER})
    shown = [
        (text, example.shown) for text, example in zip(said, examples(GUIDE), strict=True) if example.shown
    ]
    assert len(shown) == 9
    for text, document in shown:
        assert_alike(json.loads(last_document(text)), document)
    (stream,) = [text for text in said if "event: reply.delta" in text]
    events = re.findall(r"^event: (\S+)$", stream, re.MULTILINE)
    assert (events[0], events[-1]) == ("external.accepted", "reply.completed")
    (counted,) = [text for text in said if re.match(r"\s*2 [0-9a-f-]{36}\s*$", text)]
    assert counted
