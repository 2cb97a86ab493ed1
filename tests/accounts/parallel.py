"""Calls that start together, each in a thread with a database connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

R = TypeVar("R")


def in_parallel(count: int, call: Callable[[], R]) -> list[R]:
    start = threading.Barrier(count)

    def together() -> R:
        start.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(together) for _ in range(count)]]
