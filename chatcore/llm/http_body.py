"""Reads the body of a provider's HTTP answer in pieces, with bounds on size and on waiting for its end."""

import asyncio

import aiohttp

from chatcore.llm import pace
from chatcore.llm.errors import ProviderError

BLANK = b"\xef\xbb\xbf \t\r\n"
STREAM_STARTS = b"deir:"  # data, event, id, retry, comment


async def beginning(content: aiohttp.StreamReader) -> bytes:
    """The first bytes that are not blank; b"" where the body ends without any.

    What starts neither like a stream nor like JSON (a login page, say) is garbage; no more of it is read.
    """
    while chunk := await content.readany():
        chunk = chunk.lstrip(BLANK)
        if not chunk:
            continue
        if chunk[0] not in STREAM_STARTS + b"{[":
            raise ProviderError("garbage", f"neither a stream nor JSON: {chunk[:200]!r}")
        return chunk
    return b""


async def rest(response: aiohttp.ClientResponse) -> None:
    """Wait until it is time to read again. What comes meanwhile stays with the system, so that it is received at once
    instead of chunk by chunk.
    """
    transport = response.connection.transport if response.connection else None
    if transport is None or transport.is_closing():
        await pace.tick()
        return
    transport.pause_reading()
    try:
        await pace.tick()
    finally:
        if not transport.is_closing():
            transport.resume_reading()


async def following(content: aiohttp.StreamReader, *, patience: float | None) -> bytes:
    """The next bytes; b"" at the end of the body.

    With `patience` (seconds) whatever happens counts as the end: nothing of value is expected any more.
    """
    if patience is None:
        return await _next(content)
    try:
        async with asyncio.timeout(patience):
            return await _next(content)
    except (TimeoutError, aiohttp.ClientError):
        return b""


async def _next(content: aiohttp.StreamReader) -> bytes:
    """What came before the connection broke is read first: the next time the failure is raised again."""
    try:
        return await content.readany()
    except aiohttp.ClientError:
        if left := content._read_nowait(-1):
            return left
        raise


async def whole(content: aiohttp.StreamReader, limit: int) -> bytes:
    """All of the body; garbage when it is longer than `limit` bytes."""
    pieces, size = [], 0
    while piece := await content.readany():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise ProviderError("garbage", f"an answer longer than {limit} bytes")
    return b"".join(pieces)


async def at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    """The start of the body, for messages: what is longer is cut."""
    pieces, size = [], 0
    while size < limit and (piece := await content.readany()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)[:limit]
