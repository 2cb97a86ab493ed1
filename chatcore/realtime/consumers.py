"""The WebSocket at /ws/: authenticate, subscribe, forward. Frames are described in docs/events.md."""

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from pydantic import BaseModel, ConfigDict, ValidationError

from chatcore.accounts.channels import principal_of
from chatcore.accounts.principals import Principal
from chatcore.errors import (
    ChatcoreError,
    FieldProblem,
    Forbidden,
    Invalid,
    Malformed,
    Unauthenticated,
    Unexpected,
)
from chatcore.offload import offload
from chatcore.realtime import connections, cursors
from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import hub
from chatcore.realtime.log import frame_body, read_after, user_group
from chatcore.realtime.outgoing import Outgoing
from chatcore.realtime.tail import tail
from chatcore.realtime.topics import Subscription, registry

log = logging.getLogger(__name__)

UNAUTHENTICATED, REVOKED, TOO_MANY_ERRORS, TOO_SLOW, GOING_AWAY = 4401, 4403, 4400, 4408, 1012
RECHECK_SECONDS = 60.0
ERRORS_ALLOWED, ERRORS_WITHIN = 3, 10.0
MAX_SUBSCRIPTIONS = 100


Shape = TypeVar("Shape", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ClientFrame(_Strict):
    """What a client sends. `ref` comes back in the answer."""

    type: str
    ref: str | None = None
    data: dict[str, Any] = {}


class SubscribeData(_Strict):
    conversation: uuid.UUID
    form: Literal["text", "html"] = "text"


class UnsubscribeData(_Strict):
    conversation: uuid.UUID


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One connection. The hub calls `receive_frame`; a task of its own writes to the socket."""

    channel_layer_alias = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels hops to a thread for each message to close connections; no handler of ours opens one."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def connect(self) -> None:
        self.subscriptions: dict[uuid.UUID, Subscription] = {}
        self.errors: deque[float] = deque(maxlen=ERRORS_ALLOWED)
        self.principal: Principal | None = None
        self.groups_joined: tuple[str, ...] = ()
        await self.accept()
        self.outgoing = Outgoing(self.send_text, self.too_slow)
        try:
            self.principal = await principal_of(self.scope)
        except ChatcoreError:
            self.principal = None
        if self.principal is None:
            await self.close(UNAUTHENTICATED)
            return
        await connections.opened(self)
        self.rechecking = asyncio.get_running_loop().create_task(self._recheck_forever())
        await self._follow_from(_after(self.scope))

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        if self.principal is None:
            return
        self.rechecking.cancel()
        connections.closed(self)
        for subscription in self.subscriptions.values():
            subscription.close()
        hub.leave(self.outgoing, *self.groups_joined)
        await self.outgoing.stop()

    # --- From the server to the client -------------------------------------------------------------------------

    async def send_text(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    async def too_slow(self) -> None:
        await self.close(TOO_SLOW)

    async def _follow_from(self, after: str | None) -> None:
        """Join, then read what was missed, then let through what came meanwhile, minus repeats."""
        principal = self.principal
        assert principal
        self.outgoing.hold()
        if principal.user is not None and principal.may("conversations:read"):
            self.groups_joined = (user_group(principal.workspace.id, principal.user.id),)
            await hub.join(self.outgoing, *self.groups_joined)
        cursor = await tail.ensure()
        if after is not None and principal.user is not None:
            try:
                position = await offload(cursors.decode, after)
                for event in await offload(read_after, position, principal.workspace.id, principal.user.id):
                    self.outgoing.send_now(Frame(frame_body(event)))
            except ChatcoreError as problem:
                self._say("resync", problem.problem())
        self._say("hello", {"cursor": cursor})
        self.outgoing.release()

    def _say(self, kind: str, data: dict[str, Any], ref: str | None = None) -> None:
        self.outgoing.send_now(Frame({"type": kind, "data": data} | ({"ref": ref} if ref else {})))

    async def say_goodbye(self, reconnect_after: float) -> None:
        self._say("reconnect", {"after": round(reconnect_after, 2)})
        await self.outgoing.drain()
        await self.close(GOING_AWAY)

    # --- Permission --------------------------------------------------------------------------------------------

    async def _recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self.recheck()

    def belongs_to(self, user: str | None, integration: str | None) -> bool:
        principal = self.principal
        if principal is None:
            return False
        own = principal.integration
        return (own is not None and str(own.id) == integration) or (
            principal.user is not None and str(principal.user.id) == user
        )

    async def recheck(self) -> None:
        try:
            principal = await principal_of(self.scope)
        except Unauthenticated:
            principal = None
        held = self.principal
        if (
            principal is None
            or held is None
            or principal.workspace != held.workspace
            or principal.user != held.user
        ):
            await self.close(REVOKED)
            return
        self.principal = principal
        for name, subscription in tuple(self.subscriptions.items()):
            if not await subscription.allowed():
                del self.subscriptions[name]
                subscription.close()
                self._say("unsubscribed", {"conversation": str(name)})

    # --- From the client to the server -------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        if self.principal is None:
            return
        ref = None
        try:
            frame = _parse(text_data)
            ref = frame.ref
            await self._handle(frame)
        except ChatcoreError as problem:
            await self._refuse(problem, ref)
        except Exception:
            log.exception("a frame of a client failed")
            await self._refuse(Unexpected(), ref)

    async def _handle(self, frame: ClientFrame) -> None:
        assert self.principal
        if frame.type == "ping":
            self._say("pong", {}, frame.ref)
        elif frame.type == "subscribe":
            await self._subscribe(_checked(SubscribeData, frame.data), frame.ref)
        elif frame.type == "unsubscribe":
            await self._unsubscribe(_checked(UnsubscribeData, frame.data), frame.ref)
        elif command := registry.commands.get(frame.type):
            self._say(
                "result", await command.run(self.principal, _checked(command.shape, frame.data)), frame.ref
            )
        else:
            raise Malformed(f"There is no frame type {frame.type!r}. docs/events.md lists them.")

    async def _subscribe(self, wanted: SubscribeData, ref: str | None) -> None:
        assert self.principal
        if previous := self.subscriptions.pop(wanted.conversation, None):
            previous.close()
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Forbidden(
                f"A connection holds at most {MAX_SUBSCRIPTIONS} subscriptions. Unsubscribe from one first."
            )
        topic = registry.topics["conversation"]
        self.outgoing.hold()
        try:
            subscription = await topic(
                self.principal, str(wanted.conversation), self.outgoing, html=wanted.form == "html"
            )
            self.subscriptions[wanted.conversation] = subscription
            self._say("subscribed", {"conversation": str(wanted.conversation)}, ref)
        finally:
            self.outgoing.release()

    async def _unsubscribe(self, wanted: UnsubscribeData, ref: str | None) -> None:
        if subscription := self.subscriptions.pop(wanted.conversation, None):
            subscription.close()
        self._say("unsubscribed", {"conversation": str(wanted.conversation)}, ref)

    async def _refuse(self, problem: ChatcoreError, ref: str | None) -> None:
        self._say("error", problem.problem(), ref)
        now = time.monotonic()
        self.errors.append(now)
        if len(self.errors) == ERRORS_ALLOWED and now - self.errors[0] < ERRORS_WITHIN:
            await self.outgoing.drain()
            await self.close(TOO_MANY_ERRORS)


def _after(scope: dict[str, Any]) -> str | None:
    values = parse_qs(scope.get("query_string", b"").decode("ascii", "replace")).get("after")
    return values[0] if values else None


def _parse(text: str | None) -> ClientFrame:
    try:
        return _checked(ClientFrame, json.loads(text or ""))
    except (ValueError, RecursionError):
        raise Malformed("A frame is one JSON object: type, data, and an optional ref.") from None


def _checked(shape: type[Shape], data: Any) -> Shape:
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        raise Invalid(
            errors=[
                FieldProblem("/" + "/".join(map(str, item["loc"])), item["msg"], item["type"])
                for item in error.errors(include_url=False)
            ]
        ) from None
