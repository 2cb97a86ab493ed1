from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatcore.accounts.models import Workspace
from chatcore.ids import uuid7
from chatcore.llm import instances, litellm_process
from chatcore.llm.errors import ProviderError
from chatcore.llm.providers import ProviderSettings
from chatcore.offload import offload
from tests.llm.factories import make_deployment, make_model, make_provider

pytestmark = pytest.mark.usefixtures("closing")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
ADDRESS = ProviderSettings("openai", "http://127.0.0.1:9/v1")


def is_open(provider: Any) -> bool:
    return not provider._session.closed


async def test_a_replaced_provider_closes_when_its_last_stream_has_ended() -> None:
    row = uuid7()
    async with instances.borrowed(row, NOW, ADDRESS) as old:
        async with instances.borrowed(row, NOW, ADDRESS) as same:
            assert same is old
            async with instances.borrowed(row, LATER, ADDRESS) as new:
                assert new is not old
        assert is_open(old)
    assert not is_open(old)
    assert is_open(new)


async def test_who_read_the_row_before_its_change_gets_the_newer_provider() -> None:
    row = uuid7()
    async with instances.borrowed(row, LATER, ADDRESS) as newer:
        pass
    async with instances.borrowed(row, NOW, ADDRESS) as provider:
        assert provider is newer


async def test_a_failing_stream_gives_its_provider_back() -> None:
    row = uuid7()
    with pytest.raises(ProviderError):
        async with instances.borrowed(row, NOW, ADDRESS) as old:
            raise ProviderError("timeout")
    async with instances.borrowed(row, LATER, ADDRESS):
        assert not is_open(old)


async def test_everything_can_be_closed() -> None:
    async with instances.borrowed(uuid7(), NOW, ADDRESS) as provider:
        pass
    await instances.close_all()
    assert not is_open(provider)


@pytest.mark.django_db(transaction=True)
async def test_litellm_is_started_beforehand_only_where_a_deployment_needs_it() -> None:
    def made(**fields: Any) -> None:
        make_deployment(provider=make_provider("litellm", **fields))

    await offload(made, enabled=False)
    await instances.prewarm()
    assert litellm_process.shared().pid is None
    await offload(made)
    await instances.prewarm()
    assert litellm_process.shared().pid is not None
    assert litellm_process.guarded().pid is None


@pytest.mark.django_db(transaction=True)
async def test_a_workspaces_own_provider_has_its_process_started_beforehand() -> None:
    def made() -> None:
        workspace = Workspace.objects.create(name="Ours")
        make_deployment(make_model(workspace=workspace), make_provider("litellm", workspace=workspace))

    await offload(made)
    await instances.prewarm()
    assert litellm_process.shared().pid is None
    assert litellm_process.guarded().pid is not None
