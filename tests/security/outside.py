"""An outside world for the guarded client on loopback: canaries, a resolver of names, and a server that misbehaves.

127.0.0.2 stands for the outside; what listens elsewhere on loopback is a canary, which nothing may reach.
"""

import gzip
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

OUTSIDE = "127.0.0.2"
PUBLIC = "93.184.215.14"
PUBLIC6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
NAMES: dict[str, Sequence[str]] = {
    "localhost": ["127.0.0.1", "::1"],
    "www.localhost": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "loopback.example": ["127.0.0.1"],
    "loopback6.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "compatible.example": ["::127.0.0.1"],
    "translated.example": ["64:ff9b::127.0.0.1"],
    "tunnelled.example": ["2002:7f00:1::"],
    "private.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "any.example": ["0.0.0.0"],
    "zone.example": ["fe80::1%lo"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed6.example": [PUBLIC6, PUBLIC, "::1"],
    "last.example": [*(f"93.184.215.{number}" for number in range(1, 60)), "127.0.0.1"],
    "nothing.example": [],
    "outside.example": [OUTSIDE],
}


async def lookup(host: str, _port: int) -> Sequence[str]:
    """Names from the table above; what libc would take for a number is one. Nobody else is asked."""
    if host in NAMES:
        return NAMES[host]
    return [socket.inet_ntoa(socket.inet_aton(host))]


@dataclass
class Canaries:
    port: int
    listeners: list[socket.socket]

    @property
    def reached(self) -> int:
        """How many connections wait at them."""
        count = 0
        for listener in self.listeners:
            try:
                while True:
                    listener.accept()[0].close()
                    count += 1
            except BlockingIOError:
                continue
        return count


@contextmanager
def canaries() -> Iterator[Canaries]:
    """On every IPv4 address of this machine, and on IPv6's loopback where there is one; all at one port."""
    with ExitStack() as open_sockets:
        listeners = [open_sockets.enter_context(socket.create_server(("0.0.0.0", 0)))]
        port = listeners[0].getsockname()[1]
        with suppress(OSError):
            second = socket.create_server(("::1", port), family=socket.AF_INET6)
            listeners.append(open_sockets.enter_context(second))
        for listener in listeners:
            listener.setblocking(False)
        yield Canaries(port, listeners)


@dataclass
class Heard:
    """What a server was asked; `names` are those asked for in TLS."""

    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0


class Hostile(http.server.BaseHTTPRequestHandler):
    """What it does is in the path: each kind of misbehaviour is a method."""

    heard: Heard
    ended: threading.Event

    def answer(self) -> None:
        place = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.heard.requests.append((self.command, self.path, headers))
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        try:
            getattr(self, place.path.strip("/") or "plain")(**asked)
        except OSError:  # the client has left
            self.close_connection = True

    do_GET = do_POST = answer  # noqa: N815

    def plain(self) -> None:
        self._say(b"hello")

    def redirect(self, to: str) -> None:
        self._say(b"", 302, location=to)

    def packed(self) -> None:
        self._say(gzip.compress(b"hello, ") + gzip.compress(b"world"), **{"content-encoding": "gzip"})

    def damaged(self) -> None:
        self._say(gzip.compress(b"hello" * 100)[:-12], **{"content-encoding": "gzip"})

    def bomb(self) -> None:
        self._say(gzip.compress(b"\0" * 50_000_000, 1), **{"content-encoding": "gzip"})

    def endless(self) -> None:
        self._begin()
        while not self.ended.is_set():
            self.wfile.write(b"x" * 65536)

    def headers_without_end(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.ended.is_set():
            self.wfile.write(b"x-header: " + b"y" * 8000 + b"\r\n")

    def interim_without_end(self) -> None:
        while not self.ended.wait(0.01):
            self.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\n")

    def drip(self) -> None:
        self._begin()
        while not self.ended.wait(0.01):
            self.wfile.write(b".")

    def hang(self) -> None:
        self.ended.wait()

    def nonsense(self) -> None:
        self.wfile.write(b"220 mail.example ESMTP\r\n")

    def short(self) -> None:
        self._begin(**{"content-length": "1000"})
        self.wfile.write(b"not a thousand")

    def _say(self, body: bytes, status: int = 200, **headers: str) -> None:
        self._begin(status, **{"content-length": str(len(body))}, **headers)
        self.wfile.write(body)

    def _begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """The tests look at what was heard."""


@contextmanager
def outside(host: str = OUTSIDE, tls: ssl.SSLContext | None = None) -> Iterator[Heard]:
    heard, ended = Heard(), threading.Event()
    handler = type("Handler", (Hostile,), {"heard": heard, "ended": ended})
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    server.daemon_threads = False
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: heard.names.append(name)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    heard.url = f"{'https' if tls else 'http'}://outside.example:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield heard
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
