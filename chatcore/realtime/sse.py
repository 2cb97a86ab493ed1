"""The event stream at /events/: the WebSocket's frames as server-sent events, for clients that only listen.

Django's own streaming holds a thread for each open stream; this holds neither thread nor database connection.
"""

import asyncio
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qs

from chatcore.errors import FieldProblem, Invalid, MethodNotAllowed, Unauthenticated
from chatcore.problems import translate
from chatcore.processes.protocols import abort_soon
from chatcore.realtime.feeds import feed_of
from chatcore.realtime.frames import HEARTBEAT
from chatcore.realtime.outgoing import Outgoing
from chatcore.realtime.plain_asgi import EVENT_STREAM, Receive, Scope, Send, client_leaves, send_problem
from chatcore.realtime.sessions import MAX_SUBSCRIPTIONS, LiveSession
from chatcore.security.limits import charge_live

RETRY = b"retry: 2000\n\n"
HEARTBEAT_SECONDS = 20.0


async def event_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application. A refusal is a problem document; a stream ends when either side leaves."""
    stream = EventStream(scope, send)
    try:
        await stream.run(receive)
    finally:
        stream.session.close()


class EventStream:
    """One client's stream."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.send = send
        self.session = LiveSession(scope, self, Outgoing(lambda frame: frame.sse, self.write, self.too_slow))
        self._ended = asyncio.Event()
        self._started = False

    async def run(self, receive: Receive) -> None:
        leaving = asyncio.ensure_future(self._client_leaves(receive))
        try:
            if await self._opened():
                await self._ended.wait()
            if self._started and not leaving.done():
                self.session.outgoing.stop()
                await self.send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client went away while being written to
        finally:
            leaving.cancel()

    async def _opened(self) -> bool:
        """False: it was refused, or what stands behind it failed after its beginning, and the client comes back."""
        try:
            await self._open()
        except Exception as error:
            problem = translate(error)
            if problem is None:
                raise
            if not self._started:
                request_id = f"req_{uuid.uuid4().hex}"
                await send_problem(self.send, problem, request_id, [(b"x-request-id", request_id.encode())])
            return False
        return True

    async def _open(self) -> None:
        """All that can be refused is refused before the first byte."""
        if self.scope["method"] != "GET":
            raise MethodNotAllowed
        if await self.session.identify() is None:
            raise Unauthenticated
        await charge_live(self.session.principal)
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        conversations = list(dict.fromkeys(map(_conversation, query.get("conversation", ()))))
        if len(conversations) > MAX_SUBSCRIPTIONS:
            detail = f"A stream follows at most {MAX_SUBSCRIPTIONS} conversations."
            raise Invalid(detail, errors=[FieldProblem("/conversation", detail)])
        feed = feed_of(self.session.principal)
        if conversations:
            feed = feed.narrowed(frozenset(conversations))
        for conversation in conversations:
            await self.session.check(conversation)
        await self.session.follow(feed, self._after(query), strict=True)
        for conversation in conversations:
            await self.session.subscribe(conversation, "text")

    def _after(self, query: Mapping[str, list[str]]) -> str | None:
        """A browser that comes back names the last id it had, which is newer than what its address says."""
        headers = dict(self.scope["headers"])
        last = headers.get(b"last-event-id", b"").decode("latin-1")
        return last or next(iter(query.get("after", ())), None)

    async def begin(self) -> None:
        headers = [*EVENT_STREAM, (b"x-content-type-options", b"nosniff")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._started = True
        self.session.outgoing.written_at = asyncio.get_running_loop().time()
        await self.write(RETRY)

    async def write(self, event: bytes) -> None:
        await self.send({"type": "http.response.body", "body": event, "more_body": True})

    async def too_slow(self) -> None:
        abort_soon(self.scope)
        self._ended.set()

    async def revoked(self) -> None:
        self._ended.set()

    async def going_away(self) -> None:
        self._ended.set()

    def beat(self, now: float) -> None:
        if self._started and now - self.session.outgoing.written_at >= HEARTBEAT_SECONDS:
            self.session.outgoing.send_raw(HEARTBEAT)

    async def _client_leaves(self, receive: Receive) -> None:
        await client_leaves(receive)
        self.session.outgoing.stop()
        self._ended.set()


def _conversation(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        detail = "A conversation is named by its id."
        raise Invalid(detail, errors=[FieldProblem("/conversation", detail)]) from None
