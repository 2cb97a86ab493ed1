import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from chatcore.llm import kinds
from chatcore.llm.catalogue import ACCOUNTS
from chatcore.llm.contract import check
from chatcore.llm.errors import ProviderError
from chatcore.llm.kinds import build
from chatcore.llm.parameters import PARAMETERS
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.services import SERVICES
from tests.llm.asking import events_of, request, text_of

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, in which a test may install a package; what it installs is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds._installed.cache_clear()
    yield tmp_path
    kinds._installed.cache_clear()
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        del sys.modules[name]


def install(folder: Path, code: str, entry_point: str) -> None:
    package = folder / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shelf.py").write_text(code)
    metadata = folder / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[chatcore.providers]\n{entry_point}\n")


async def test_the_provider_of_the_manual_is_found_answers_and_keeps_the_contract(installed: Path) -> None:
    provider_code, contract_code = blocks("python")
    install(installed, provider_code, "shelf = my_package.shelf:ShelfProvider")
    assert kinds.kinds()["shelf"].LABEL == "Answers from the shelf"
    provider = build(ProviderSettings("shelf"))
    assert text_of(await events_of(provider.stream(request("wisdom")))) == "Measure twice, cut once. "
    with pytest.raises(ProviderError, match="not_found"):
        await events_of(provider.stream(request("folly")))
    page: dict[str, Any] = {}
    exec(f"{provider_code}\n{contract_code}", page)
    await page["test_the_shelf_keeps_the_contract"]()
    assert page["check"] is check


def test_the_manuals_provider_takes_thirty_lines_at_most() -> None:
    assert len(blocks("python")[0].strip().splitlines()) <= 30


def test_the_manual_names_every_option_variable_service_and_parameter() -> None:
    page = PAGE.read_text()
    for name in (*kinds.OURS["openai"].OPTIONS, *kinds.OURS["litellm"].OPTIONS):
        assert f"`{name}`" in page
    for account in ACCOUNTS:
        assert f"`{account.variable}` | {account.name} |" in page
    for service in SERVICES.values():
        assert f"| {service.label} | `{service.kind}` |" in page
        assert service.base_url in page
    for parameter in PARAMETERS:
        assert f"| `{parameter}` |" in page


def test_a_package_cannot_take_the_place_of_ours(installed: Path) -> None:
    install(installed, "class Impostor: ...", "openai = my_package.shelf:Impostor")
    with pytest.raises(ImproperlyConfigured, match="openai"):
        kinds.kinds()


def test_scripts_are_for_tests_and_development(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = False
    monkeypatch.delenv("SCRIPTED_PROVIDER", raising=False)
    assert "scripted" not in kinds.kinds()
    monkeypatch.setenv("SCRIPTED_PROVIDER", "1")
    assert "scripted" in kinds.kinds()
    monkeypatch.delenv("SCRIPTED_PROVIDER")
    settings.DEBUG = True
    assert "scripted" in kinds.kinds()


@pytest.mark.parametrize("kind", sorted(kinds.OURS))
async def test_every_kind_of_ours_can_be_built_and_closed(kind: str) -> None:
    await build(ProviderSettings(kind)).close()


async def test_a_kind_that_is_gone_is_an_error_that_waiting_does_not_help() -> None:
    with pytest.raises(ProviderError) as caught:
        build(ProviderSettings("gone"))
    assert (caught.value.code, caught.value.retryable) == ("unavailable", False)
