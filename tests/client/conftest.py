"""One real installation for the tests of the client, and both forms of the client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chatcore_client import Chatcore, Retry
from tests.client.shells import DrivenChatcore
from tests.running import Chatcore as Server

QUICK = Retry(base=0.01)


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models called gated wait for this file."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="session")
def server(gate: Path) -> Iterator[Server]:
    scripts: dict[str, list[dict[str, Any]]] = {
        "echo": [{"text": "You said: "}, {"echo": True}],
        "endless": [{"repeat": {"text": "word{n} ", "times": 100_000, "pause": 0.02}}],
        "long": [{"reasoning": "Hm."}, {"repeat": {"text": "wörd{n} 🙂 ", "times": 100, "pause": 0.01}}],
        "broken": [{"text": "Half"}, {"error": {"code": "overloaded"}}],
        "gated": [{"text": "Before "}, {"wait": str(gate)}, {"text": "after."}],
    }
    with Server(scripts=scripts) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture(params=[Chatcore, DrivenChatcore], ids=["blocking", "asynchronous"])
def shell(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def connect(shell: Any) -> Iterator[Callable[..., Any]]:
    """Opens clients, by address, and closes them."""
    with ExitStack() as stack:

        def open_client(url: str, **options: Any) -> Any:
            settings = {"key": "cc_test", "retry": QUICK} | options
            return stack.enter_context(shell(url, **settings))

        yield open_client


@pytest.fixture
def client(server: Server, connect: Callable[..., Any]) -> Any:
    return connect(server.url, key=server.key)
