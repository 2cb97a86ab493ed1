"""The WebSocket at /ws/: authenticate, subscribe, forward. Frames are described in docs/events.md."""

import contextlib
import json
import logging
import time
import uuid
from collections import deque
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from pydantic import ValidationError

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, Malformed, Unexpected
from chatcore.problems import pydantic_problem, translate
from chatcore.processes.protocols import abort_soon
from chatcore.realtime.events import Pong, Refused, Result
from chatcore.realtime.outgoing import Outgoing
from chatcore.realtime.presence import presence
from chatcore.realtime.sessions import LiveSession
from chatcore.realtime.topics import ClientShape, Context, command, registry
from chatcore.security.limits import charge_live

log = logging.getLogger(__name__)

UNAUTHENTICATED, REVOKED, TOO_MANY_ERRORS, TOO_SLOW, GOING_AWAY = 4401, 4403, 4400, 4408, 1012
TRY_AGAIN = 1013
ERRORS_ALLOWED, ERRORS_WITHIN = 3, 10.0

Shape = TypeVar("Shape", bound=ClientShape)


class ClientFrame(ClientShape):
    """What a client sends. `ref` comes back in the answer."""

    type: str
    ref: str | None = None
    data: dict[str, Any] = {}


class SubscribeData(ClientShape):
    """Follow a conversation: its signals, and at first what its running replies have said so far."""

    conversation: uuid.UUID
    form: Literal["text", "html"] = "text"


class UnsubscribeData(ClientShape):
    """Hear no more of a conversation's signals."""

    conversation: uuid.UUID


class PingData(ClientShape):
    """Answered by `pong`, to see whether the connection lives."""


class PresenceData(ClientShape):
    """Whether somebody sits before the screen. A connection counts as online until it says otherwise."""

    state: Literal["online", "away"]


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One connection: frames in, a session's frames out."""

    channel_layer_alias = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """However it ends, the session is closed: nobody disconnects from one that failed by itself."""
        self.errors: deque[float] = deque(maxlen=ERRORS_ALLOWED)
        self.is_open = False
        outgoing = Outgoing(lambda frame: frame.text, self.send_text, self.too_slow)
        self.session = LiveSession(scope, self, outgoing)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.session.close()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels hops to a thread for each message to close connections; no handler of ours opens one."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def connect(self) -> None:
        await self.accept()
        self.is_open = True
        try:
            principal = await self._identify()
            if principal is None:
                await self.end(UNAUTHENTICATED)
            else:
                await self.session.follow(self.session.own_feed(), _after(self.scope))
        except Exception as error:
            _problem(error)
            await self.end(TRY_AGAIN)

    async def _identify(self) -> Principal | None:
        try:
            return await self.session.identify()
        except ChatcoreError:
            return None

    async def send_text(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    async def end(self, code: int) -> None:
        """Close once. What the client says or is to be told from here on is dropped."""
        if self.is_open:
            self.is_open = False
            self.session.outgoing.stop()
            with contextlib.suppress(OSError):  # the client has gone already
                await self.close(code)

    async def too_slow(self) -> None:
        abort_soon(self.scope)
        await self.end(TOO_SLOW)

    async def revoked(self) -> None:
        await self.end(REVOKED)

    async def going_away(self) -> None:
        await self.end(GOING_AWAY)

    async def begin(self) -> None:
        """The handshake was its beginning."""

    def beat(self, now: float) -> None:
        """The protocol's own pings show life."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        if not self.is_open:
            return
        ref = None
        try:
            frame = _parse(text_data)
            ref = frame.ref
            await self._handle(frame)
        except Exception as error:
            await self._refuse(_problem(error), ref)

    async def _handle(self, frame: ClientFrame) -> None:
        wanted = registry.commands.get(frame.type)
        if wanted is None:
            raise Malformed(f"There is no frame type {frame.type[:60]!r}. docs/events.md lists them.")
        await charge_live(self.session.principal)
        context = Context(self.session, frame.ref)
        result = await wanted.run(context, _checked(wanted.shape, frame.data))
        if result is not None:
            self.session.say(Result(**result), frame.ref)

    async def _refuse(self, problem: ChatcoreError, ref: str | None) -> None:
        self.session.say(Refused.model_validate(problem.problem()), ref)
        now = time.monotonic()
        self.errors.append(now)
        if len(self.errors) == ERRORS_ALLOWED and now - self.errors[0] < ERRORS_WITHIN:
            await self.session.outgoing.drain()
            await self.end(TOO_MANY_ERRORS)


@command("ping", PingData)
async def ping(context: Context, data: PingData) -> None:  # noqa: ARG001
    context.session.say(Pong(), context.ref)


@command("presence", PresenceData)
async def be_present(context: Context, data: PresenceData) -> None:
    presence.wish(context.session, data.state)


@command("subscribe", SubscribeData)
async def subscribe(context: Context, data: SubscribeData) -> None:
    await context.session.subscribe(data.conversation, data.form, context.ref)


@command("unsubscribe", UnsubscribeData)
async def unsubscribe(context: Context, data: UnsubscribeData) -> None:
    context.session.unsubscribe(data.conversation, context.ref)


def _problem(error: Exception) -> ChatcoreError:
    known = translate(error)
    if known is None:
        log.exception("a frame of a client failed", exc_info=error)
    return known or Unexpected()


def _after(scope: dict[str, Any]) -> str | None:
    values = parse_qs(scope.get("query_string", b"").decode("ascii", "replace")).get("after")
    return values[0] if values else None


def _parse(text: str | None) -> ClientFrame:
    try:
        found = json.loads(text or "")
        json.dumps(found, ensure_ascii=False).encode()  # halves of letters cannot be sent back
        return _checked(ClientFrame, found)
    except (ValueError, RecursionError):
        raise Malformed("A frame is one JSON object: type, data, and an optional ref.") from None


def _checked(shape: type[Shape], data: Any) -> Shape:
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        raise pydantic_problem(error.errors(include_url=False)) from None
