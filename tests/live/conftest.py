"""Whole installations for the tests of this folder, started once for each test process that needs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcore.accounts.bootstrap import ensure
from tests.running import Chatcore

LONG = "".join(f"word{n} " for n in range(200))


@pytest.fixture(scope="session")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which scripts wait for files."""
    return tmp_path_factory.mktemp("gates")


def scripts(gates: Path) -> dict[str, list[dict[str, object]]]:
    return {
        "echo": [{"text": "You said: "}, {"echo": True}],
        "gated": [{"text": "Before "}, {"wait": str(gates / "open")}, {"text": "after."}],
        "endless": [{"repeat": {"text": "word{n} ", "times": 100_000, "pause": 0.02}}],
        "long": [{"repeat": {"text": "word{n} ", "times": 200, "pause": 0.02}}],
        "broken": [{"text": "Half"}, {"error": {"code": "overloaded"}}],
    }


@pytest.fixture(scope="session")
def one(gates: Path) -> Iterator[Chatcore]:
    """The one-process form. Its workspaces may have providers at addresses of this machine."""
    allowed = {"OUTBOUND_ALLOW": "127.0.0.1:*"}
    with Chatcore(scripts=scripts(gates), environment=allowed) as chatcore:
        yield chatcore
        assert "Traceback" not in chatcore.log, chatcore.log


@pytest.fixture(scope="session")
def untouched(gates: Path) -> Iterator[Chatcore]:
    """The one-process form for the guides, whose names and ids nobody else may have used before."""
    with Chatcore(scripts=scripts(gates)) as chatcore:
        yield chatcore


@pytest.fixture(scope="session")
def many(gates: Path, redis_url: str) -> Iterator[Chatcore]:
    """Two web and two worker processes over Redis."""
    with Chatcore(scripts=scripts(gates), redis_url=redis_url, webs=2, workers=2) as chatcore:
        yield chatcore
        assert "Traceback" not in chatcore.log, chatcore.log


@pytest.fixture(params=["one", "many"])
def chatcore(request: pytest.FixtureRequest) -> Chatcore:
    """Both forms, one after the other."""
    found: Chatcore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def owner_key(transactional_db: None) -> str:
    """A key in the database of this test, for a server in this process (tests/serving.py)."""
    made = ensure("owner@example.com", None, "Home", "tests").key_text
    assert made
    return made
