"""The client's README does what it says: its examples are run in their order."""

import re

import pytest

from tests.running import ROOT
from tests.running import Chatcore as Server

pytestmark = pytest.mark.xdist_group("client")
README = ROOT / "clients" / "python" / "README.md"


def test_the_examples_run(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    script = "\n".join(examples).replace("http://127.0.0.1:8000", server.url).replace("cc_live_…", server.key)
    script = script.replace("conversations.create(", 'conversations.create(model="echo", ')
    script = script.replace('["swift", "deep"]', '["echo", "broken"]')
    exec(compile(script, str(README), "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    for expected in (
        "Where is it warm in April?",
        "assistant",
        "done",
        "echo",
        "message.created",
        "[('/title'",
    ):
        assert expected in printed
