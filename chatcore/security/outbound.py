"""The guarded client for every address that a user, a key, an agent or an answer supplied (docs/outbound.md).

A name is resolved once for each connection. If any of its addresses may not be called, none is; otherwise the
connection goes to a checked address, under the name in Host and in TLS. Nothing is read from the environment.
"""

import asyncio
import functools
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urljoin

import httpcore2

from chatcore.errors import ChatcoreError, Invalid
from chatcore.security.connecting import CheckedNetwork, Lookup, system_lookup
from chatcore.security.targets import AddressRefused, Target, read_target

__all__ = [
    "AddressRefused",
    "Answer",
    "AnswerTooLarge",
    "HeaderRefused",
    "Limits",
    "OutboundError",
    "TimedOut",
    "Unreachable",
    "check_url",
    "fetch",
]

MOVED = (301, 302, 303, 307, 308)
BODIED = ("POST", "PUT", "PATCH")
GZIP = ("gzip", "x-gzip")  # what is packed in any other way than the one we offer stays as it came
DESCRIBING_PACKED = ("content-encoding", "content-length")
_ALWAYS = (("connection", "close"), ("accept-encoding", "gzip"))
KEPT_ACROSS_ORIGINS = ("accept", "accept-language", "user-agent")
_OURS = (
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?|")


class HeaderRefused(Invalid):
    """One of these headers cannot be sent."""

    code = "header_refused"
    remedy = "Send only visible ASCII in headers, and leave out those that the connection itself sets."


class OutboundError(ChatcoreError):
    """An outside address did not answer as it should."""

    status, code, retryable = 502, "outbound_failed", True
    remedy = (
        "See what was wrong in `detail`, and look at the address: it may be away for a moment, or not be"
        " the right one."
    )


class Unreachable(OutboundError):
    """An outside address cannot be reached, or does not answer in HTTP."""

    code = "outbound_unreachable"


class TimedOut(OutboundError):
    """An outside address did not answer in time."""

    status, code = 504, "outbound_timed_out"


class AnswerTooLarge(OutboundError):
    """An outside address answered with more than is read."""

    code, retryable = "outbound_too_large", False


@dataclass(frozen=True)
class Limits:
    """`connect_seconds` for resolving, connecting and again for TLS; `total_seconds` for all of it, every hop.

    `max_bytes` counts the body as it travels and unpacked; of what is longer, "cut" returns the beginning.
    """

    connect_seconds: float = 5.0
    total_seconds: float = 15.0
    max_bytes: int = 1024 * 1024
    on_excess: Literal["refuse", "cut"] = "refuse"


@dataclass(frozen=True)
class Answer:
    """Header names are in lower case; the body is unpacked, `truncated` where it was longer than the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool


def check_url(url: str) -> None:
    """Judge an address without resolving its name. Raises AddressRefused. For forms and bodies."""
    read_target(url)


async def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    limits: Limits = Limits(),
    redirects: int = 0,
    lookup: Lookup = system_lookup,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request of an outside address. Of GET and HEAD up to `redirects` are followed, each checked anew.

    Raises AddressRefused, HeaderRefused, Unreachable, TimedOut, AnswerTooLarge.
    """
    way = _Way(limits, lookup, tls or _tls())
    question = _Question(method, read_target(url), _checked_headers(method, headers or {}), content)
    left = redirects if method in ("GET", "HEAD") else 0
    try:
        async with asyncio.timeout(limits.total_seconds):
            answer = await _ask(question, way)
            while left and answer.status in MOVED and "location" in answer.headers:
                left -= 1
                url = urljoin(url, answer.headers["location"])
                question = _moved(question, read_target(url))
                answer = await _ask(question, way)
            return answer
    except (TimeoutError, httpcore2.TimeoutException):
        raise TimedOut from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError, zlib.error):
        raise Unreachable from None


@dataclass(frozen=True)
class _Question:
    method: str
    target: Target
    headers: Mapping[str, str]
    content: bytes | None


@dataclass(frozen=True)
class _Way:
    limits: Limits
    lookup: Lookup
    tls: ssl.SSLContext


def _checked_headers(method: str, headers: Mapping[str, str]) -> dict[str, str]:
    sent = {"accept": "*/*", "user-agent": "Chatcore"}
    for name, value in headers.items():
        if name.lower() in _OURS or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise HeaderRefused
        sent[name.lower()] = value
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise HeaderRefused
    return sent


def _moved(before: _Question, target: Target) -> _Question:
    """Another origin is not told what was meant for the first."""
    if target.origin == before.target.origin:
        return replace(before, target=target)
    kept = {name: value for name, value in before.headers.items() if name in KEPT_ACROSS_ORIGINS}
    return replace(before, target=target, headers=kept, content=None)


async def _ask(question: _Question, way: _Way) -> Answer:
    target = question.target
    network = CheckedNetwork(target, way.lookup)
    pool = httpcore2.AsyncConnectionPool(way.tls, max_keepalive_connections=0, network_backend=network)
    request = pool.stream(
        question.method,
        httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
        headers=[("host", target.host_header), *_ALWAYS, *question.headers.items()],
        content=b"" if question.content is None and question.method in BODIED else question.content,
        extensions={"timeout": {"connect": way.limits.connect_seconds}},
    )
    async with pool, request as response:
        said = _readable(response.headers)
        packed = question.method != "HEAD" and said.get("content-encoding", "").lower() in GZIP
        body, truncated = await _body(response, way.limits, _Gunzip() if packed else None)
    if packed:
        said = {name: value for name, value in said.items() if name not in DESCRIBING_PACKED}
    return Answer(response.status, said, body, truncated)


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


def _readable(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Repeated ones joined by a comma (RFC 9110, 5.3)."""
    said: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        said[name] = f"{said[name]}, {value}" if name in said else value
    return said


async def _body(response: httpcore2.Response, limits: Limits, unpack: "_Gunzip | None") -> tuple[bytes, bool]:
    body, travelled = bytearray(), 0
    async with _pieces(response) as pieces:
        async for piece in pieces:
            travelled += len(piece)
            body += unpack.some(piece, limits.max_bytes + 1 - len(body)) if unpack else piece
            if max(travelled, len(body)) > limits.max_bytes:
                if limits.on_excess == "refuse":
                    raise AnswerTooLarge
                return bytes(body[: limits.max_bytes]), True
    if unpack and not unpack.complete:
        raise Unreachable
    return bytes(body), False


@asynccontextmanager
async def _pieces(response: httpcore2.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """Closed where it is left, not by the garbage collector in some other loop."""
    pieces: Any = response.aiter_stream()
    try:
        yield pieces
    finally:
        await pieces.aclose()


class _Gunzip:
    """Unpacks no more than it is asked for, whatever a small piece would swell to."""

    def __init__(self) -> None:
        self._one = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.complete = True

    def some(self, piece: bytes, at_most: int) -> bytes:
        unpacked = bytearray()
        while piece and len(unpacked) < at_most:
            self.complete = False
            unpacked += self._one.decompress(piece, at_most - len(unpacked))
            piece = self._one.unconsumed_tail
            if self._one.eof:  # a body may be several packed ones after another (RFC 1952)
                piece, self.complete = self._one.unused_data, True
                self._one = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return bytes(unpacked)
