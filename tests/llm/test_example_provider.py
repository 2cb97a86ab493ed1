"""The example package, installed as anybody would install it, and used from a process that knows nothing else of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "provider"
PROGRAM = """
import asyncio, json
import django
django.setup()
from chatcore.llm import contract, kinds
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import Finished, ModelRequest, TextDelta, Turn

async def main():
    settings = ProviderSettings("shelf", options={"shelf": {"wisdom": "Look before you leap."}})
    await contract.check(contract.Trial(lambda: kinds.build(settings), "wisdom"))
    request = ModelRequest("wisdom", (Turn("user", "Well?"),))
    events = [event async for event in kinds.build(settings).stream(request)]
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    print(json.dumps([kinds.kinds()["shelf"].LABEL, text, events[-1] == Finished("stop")]))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own with the package in it; nothing is fetched from anywhere."""
    source = tmp_path_factory.mktemp("source") / "provider"
    target = tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, source)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    install += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target), str(source)]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def test_it_is_found_answers_and_keeps_the_contract(installed: Path) -> None:
    environ = os.environ | {"PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    environ["DJANGO_SETTINGS_MODULE"] = "chatcore.settings"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        cwd=installed,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["Answers from the shelf", "Look before you leap. ", True]


def test_it_is_the_provider_the_manual_builds() -> None:
    page = (ROOT / "docs" / "providers.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (entry_point,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert entry_point in (EXAMPLE / "pyproject.toml").read_text()
    assert (EXAMPLE / "shelf_provider" / "__init__.py").read_text() == blocks[0]
    contract = (EXAMPLE / "tests" / "test_shelf.py").read_text()
    assert blocks[1].partition("\n\n\n")[2] in contract
