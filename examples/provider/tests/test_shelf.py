from shelf_provider import ShelfProvider

from chatcore.llm.contract import Trial, check
from chatcore.llm.providers import ProviderSettings


async def test_the_shelf_keeps_the_contract():
    await check(Trial(lambda: ShelfProvider(ProviderSettings("shelf")), model="wisdom"))
