"""Waiting in a test for what is to come about; thirty seconds without it fail the test."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any]) -> None:
    """`condition` may be a coroutine function."""
    async with asyncio.timeout(30):
        while True:
            met = condition()
            if inspect.isawaitable(met):
                met = await met
            if met:
                return
            await asyncio.sleep(0.01)
