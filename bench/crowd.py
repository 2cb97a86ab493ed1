"""Very many clients in one process of its own: plain sockets that look for a word in what they are sent.

Cheap on purpose, a few microseconds for each read, so that what is measured is the server.
"""

import multiprocessing
import resource
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tests.wire import WEBSOCKET_CLOSE

AT_ONCE = 64  # connections on their way
LONGEST_SECONDS = 60.0
LINGER_NOT = struct.pack("ii", 1, 0)  # closing sends a reset and leaves no port behind


class Crowd:
    """The process is elsewhere; this is what asks it. All times are `time.monotonic()`, the same in every process."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def open(self, address: tuple[str, int], request: str, ready: str, count: int) -> float:
        """Open that many more; seconds until each was sent the word `ready`."""
        taken: float = self._ask("open", address, request.encode(), ready.encode(), count)
        return taken

    def will_hear(self, word: str) -> None:
        """From now on, note when each is sent this word."""
        self._pipe.send(("hear", word.encode()))

    def heard(self) -> list[float]:
        """When each heard it, once all did."""
        return self._answer()

    def close(self, *, politely: bool) -> None:
        """All of them: with a goodbye, or as a network that fails."""
        self._ask("close", politely)

    def processor_seconds(self) -> float:
        seconds: float = self._ask("processor_seconds")
        return seconds

    def _ask(self, *words: Any) -> Any:
        self._pipe.send(words)
        return self._answer()

    def _answer(self) -> Any:
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def crowd() -> Iterator[Crowd]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_live, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Crowd(ours)
    finally:
        ours.close()
        process.join(20)


def raise_file_limit() -> None:
    """As many open files as this user may have; processes started from here have them too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# --- In the other process ------------------------------------------------------------------------------------


def _live(pipe: "Connection[Any, Any]") -> None:
    raise_file_limit()
    members = Members()
    while True:
        try:
            name, *words = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(getattr(members, name)(*words))
        except (OSError, TimeoutError, AssertionError) as error:
            pipe.send(RuntimeError(repr(error)))


class Members:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []

    def open(self, address: tuple[str, int], request: bytes, ready: bytes, count: int) -> float:
        begin = time.monotonic()
        said: dict[socket.socket, bytes] = {}
        left = count
        while left or said:
            while left and len(said) < AT_ONCE:
                member = self._connect(address)
                member.sendall(request)
                self._selector.register(member, selectors.EVENT_READ)
                self._sockets.append(member)
                said[member] = b""
                left -= 1
            for member, piece in self._pieces():
                if member in said:
                    said[member] += piece
                    if ready in said[member]:
                        del said[member]
        return time.monotonic() - begin

    def hear(self, word: bytes) -> list[float]:
        said = dict.fromkeys(self._sockets, b"")
        heard = []
        while said:
            for member, piece in self._pieces():
                if member in said:
                    said[member] = (said[member] + piece)[-8192:]
                    if word in said[member]:
                        heard.append(time.monotonic())
                        del said[member]
        return heard

    def close(self, politely: bool) -> None:
        for member in self._sockets:
            self._selector.unregister(member)
            if politely:
                member.send(WEBSOCKET_CLOSE)
            else:
                member.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            member.close()
        self._sockets.clear()

    def processor_seconds(self) -> float:
        return time.process_time()

    def _connect(self, address: tuple[str, int]) -> socket.socket:
        """From one of several addresses of this machine: one alone has too few ports."""
        source = (f"127.0.0.{2 + len(self._sockets) % 8}", 0) if sys.platform == "linux" else None
        return socket.create_connection(address, timeout=LONGEST_SECONDS, source_address=source)

    def _pieces(self) -> Iterator[tuple[socket.socket, bytes]]:
        ready = self._selector.select(LONGEST_SECONDS)
        if not ready:
            raise TimeoutError(f"nothing was sent for {LONGEST_SECONDS:g} s")
        for key, _ in ready:
            member: socket.socket = key.fileobj  # type: ignore[assignment]
            piece = member.recv(65_536)
            if not piece:
                raise ConnectionError("the server ended a connection")
            yield member, piece
