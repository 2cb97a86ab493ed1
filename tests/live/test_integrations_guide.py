"""docs/integrations.md does what it says: its examples are run in their order, and answer as it shows."""

import json

from tests.live.test_guide import assert_alike, examples, last_document, printed
from tests.running import ROOT, Chatcore

GUIDE = ROOT / "docs" / "integrations.md"


def test_the_examples_answer_as_the_guide_shows(untouched: Chatcore) -> None:
    said = printed(GUIDE, {"URL": untouched.url, "KEY": untouched.key})
    shown = [(text, example.shown) for text, example in zip(said, examples(GUIDE), strict=True)]
    assert len(shown) == 4
    for text, document in shown:
        assert_alike(json.loads(last_document(text)), document)
