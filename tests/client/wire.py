"""Servers that misbehave on purpose: one that plays scripts, and a cable that is cut in mid-stream."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

HOLD = object()  # nothing more, until the client goes
RESET = object()  # gone without a word

Script = Iterable[Any]  # bytes, HOLD or RESET


@dataclass
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer(status: int = 200, body: Any = b"", **headers: str) -> Script:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} So\r\nContent-Length: {len(content)}\r\nConnection: close\r\n{lines}\r\n"
    return [head.encode() + content]


def problem(status: int, code: str, **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "code": code,
        "detail": code.title(),
        "instance": "req_1",
        "retryable": False,
    } | fields


def stream(*pieces: Any, whole: bool = False) -> Script:
    """Server-sent events in chunks as given; cut off behind the last one unless `whole`."""
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in pieces:
        if isinstance(piece, bytes):
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        else:
            yield piece
    if whole:
        yield b"0\r\n\r\n"


def event(kind: str, data: Any, id: str | None = None) -> bytes:
    position = f"id: {id}\n" if id else ""
    return f"event: {kind}\n{position}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class Listener:
    """Accepts on a loopback port; each connection is served by a thread, and all have ended on exit."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def keep(self, connection: socket.socket) -> socket.socket:
        self._open.add(connection)
        return connection

    def start_thread(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.start_thread(self._serve, self.keep(self._listening.accept()[0]))

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()


class Wire(Listener):
    """Plays one script for each request, in their order."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__()
        self._scripts = list(scripts)
        self.requests: list[Received] = []

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reading:
            request = _read(reading)
            if request is None:
                return
            self.requests.append(request)
            script = self._scripts.pop(0) if self._scripts else answer(500, problem(500, "nothing_left"))
            for piece in script:
                if piece is HOLD:
                    reading.read()
                elif piece is RESET:
                    reset(connection)
                    return
                else:
                    connection.sendall(piece)


def _read(reading: Any) -> Received | None:
    first = reading.readline().split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while line := reading.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = reading.read(int(headers.get("content-length", 0)))
    return Received(first[0].decode(), first[1].decode(), headers, body)


class Cable(Listener):
    """Leads to another server. The first connections are cut after so many bytes from there."""

    def __init__(self, url: str, *cuts: int) -> None:
        super().__init__()
        host, _, port = url.removeprefix("http://").partition(":")
        self._to = (host, int(port))
        self._cuts = list(cuts)
        self.connections = 0

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        left = self._cuts.pop(0) if self._cuts else None
        with self.keep(socket.create_connection(self._to)) as server:
            self.start_thread(_pump, connection, server)
            while data := server.recv(200):
                if left is not None:
                    data, left = data[:left], left - len(data)
                connection.sendall(data)
                if left is not None and left <= 0:
                    reset(connection)
                    server.shutdown(socket.SHUT_RDWR)
                    return
            connection.shutdown(socket.SHUT_RDWR)  # which also ends the pump


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
