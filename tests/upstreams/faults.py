"""How an answer's text comes when it does not come well: slowly, not at all, or only in part."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.upstreams.plans import Plan


class Cut(Exception):
    """The connection closes here."""


class Broken(Exception):
    """The protocol's error object comes here, and nothing after it."""


async def spoken(plan: Plan) -> AsyncIterator[Any]:
    """The pieces of text at their pace; raises where the plan goes wrong. `wrong_types` makes them numbers."""
    for number, text in enumerate(plan.pieces):
        if number == plan.cut_after:
            raise Cut
        if number == plan.hang_after:
            await asyncio.Event().wait()
        if number == plan.error_after:
            raise Broken
        if plan.pause:
            await asyncio.sleep(plan.pause)
        yield number if plan.wrong_types else text
    if plan.cut_inside:
        raise Cut
