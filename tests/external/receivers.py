"""Receivers of webhooks on loopback: real HTTP servers that answer as planned and keep what they were sent."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        """By the independent library; raises where the signature does not hold."""
        return Verifier(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """`plan` is what it answers: a status, headers and a body; or a function that writes the answer itself."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    write: "Callable[[BaseHTTPRequestHandler, threading.Event], None] | None" = None
    requests: list[Request] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def plan(self, status: int = 200, body: bytes = b"ok", **headers: str) -> None:
        self.status, self.body, self.write = status, body, None
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.write is not None:
            self.write(handler, self.leaving)
            return
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        handler.wfile.write(self.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined when it is closed
    request_queue_size = 128


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Request(self.path, headers, body))
            with suppress(OSError):  # who asked has left
                receiver.answer(self)

        def log_message(self, *_: Any) -> None: ...

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        try:
            yield receiver
        finally:
            receiver.leaving.set()
            server.shutdown()
            thread.join()


def hang(handler: BaseHTTPRequestHandler, leaving: threading.Event) -> None:
    """Never answers."""
    leaving.wait(600)
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler, leaving: threading.Event) -> None:
    """Answers a byte at a time, and never to the end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not leaving.wait(0.02):
        handler.wfile.write(b".")


def endless(handler: BaseHTTPRequestHandler, leaving: threading.Event) -> None:
    """Answers as much as anybody reads."""
    handler.send_response(200)
    handler.end_headers()
    while not leaving.is_set():
        handler.wfile.write(b"e" * 65536)


def echo_challenge(receiver: Receiver) -> None:
    """Have it answer challenges as an owner who wants to be told does."""

    def write(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
        challenge = receiver.requests[-1].json["data"].get("challenge", "")
        body = json.dumps({"challenge": challenge}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    receiver.write = write
