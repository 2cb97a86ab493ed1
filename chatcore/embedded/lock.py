"""Who runs the server of a data folder, and who else uses it: file locks, released by the system with the process."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from chatcore.embedded.errors import AlreadyRunningError, unusable
from chatcore.embedded.places import Places

GUEST_SECONDS = 30.0


def own(places: Places) -> IO[str]:
    """Become the one who runs the server, until the file is closed. Raises AlreadyRunningError."""
    try:
        places.real.mkdir(parents=True, exist_ok=True)
        file = _opened(places.lock)
    except OSError as error:
        raise unusable(places.data, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = file.read().strip()
        file.close()
        raise AlreadyRunningError(places.data, int(written) if written.isdigit() else None) from None
    try:
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        raise unusable(places.data, error) from None
    return file


@contextlib.contextmanager
def visiting(places: Places) -> Iterator[bool]:
    """Use somebody else's server: while the block runs, a command that runs it does not end. False: it is ending."""
    with _opened(places.guests) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def guests_gone(places: Places) -> Iterator[None]:
    """Wait for the guests, not forever, and admit no more while the block runs."""
    deadline = time.monotonic() + GUEST_SECONDS
    with _opened(places.guests) as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
        yield


def _opened(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
