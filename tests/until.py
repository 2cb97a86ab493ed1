"""Waiting in a test for what is to come about; a minute without it fails the test."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any]) -> None:
    """`condition` may be a coroutine function."""
    async with asyncio.timeout(60):
        while True:
            met = condition()
            if inspect.isawaitable(met):
                met = await met
            if met:
                return
            await asyncio.sleep(0.01)
