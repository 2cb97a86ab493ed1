"""Blocking work away from the event loop: a bounded executor whose threads give their connection back."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8
_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="offload")


async def offload(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` in one of eight threads. The pool of Postgres connections must be larger than that."""
    call = functools.partial(_with_connection, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_executor, call)


async def in_request(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` for the request that is answered, in a thread that gives its connection back at once.

    An asynchronous view that kept one while it waits for other threads, which need their own, would wait for ever
    once as many such views run as the pool has connections. Django would start a thread for each request, which costs
    more than most of what is done in it: behind a server it is one of ours. Where a test asks without a server, it is
    the thread that has the test's transaction.
    """
    call: Callable[[], R] = functools.partial(_with_connection, function, *args, **kwargs)
    if SyncToAsync.thread_sensitive_context.get(None) is None:
        return await sync_to_async(call)()
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_executor, context.run, call)


def _with_connection(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    give_back()
    try:
        return function(*args, **kwargs)
    finally:
        give_back()


def give_back() -> None:
    """Before waiting for others. Django's `close_old_connections`, except that a transaction keeps its own."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
