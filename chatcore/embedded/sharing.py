"""One server for several commands: whoever comes first runs it, the others use it."""

import atexit
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from chatcore.embedded import lock
from chatcore.embedded.errors import AlreadyRunningError
from chatcore.embedded.places import Places
from chatcore.embedded.server import START_SECONDS, Server, reachable


@contextlib.contextmanager
def running(data_folder: Path, *, durable: bool = True) -> Iterator[Server | None]:
    """A server for this folder while the block runs; None when another process has it up already."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        server = Server(data_folder, durable=durable)
        try:
            server.start()
        except AlreadyRunningError:
            with lock.visiting(Places(data_folder)) as admitted:
                if admitted and reachable(server.places):
                    yield None
                    return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            break
    try:
        yield server
    finally:
        with lock.guests_gone(server.places):
            server.stop()


def ensure(data_folder: Path) -> None:
    """A server for this folder for the rest of this process."""
    stack = contextlib.ExitStack()
    stack.enter_context(running(data_folder))
    atexit.register(stack.close)
