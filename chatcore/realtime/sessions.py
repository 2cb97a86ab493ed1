"""One client's live session, whatever carries it: who it is, what it hears, which conversations it follows."""

import logging
import uuid
from typing import Any, Literal, Protocol

from chatcore.accounts.channels import Credentials, credentials_of, principal_of
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, Forbidden
from chatcore.offload import offload
from chatcore.realtime import connections
from chatcore.realtime.catalogue import ControlBody
from chatcore.realtime.cursors import Cursor
from chatcore.realtime.events import Hello, Reconnect, Resync, Subscribed, Unsubscribed
from chatcore.realtime.feeds import Feed, FeedWatcher, feed_of
from chatcore.realtime.frames import Frame, control
from chatcore.realtime.hub import hub
from chatcore.realtime.log import followable, read_page, read_unsettled
from chatcore.realtime.outgoing import Outgoing
from chatcore.realtime.tail import tail
from chatcore.realtime.topics import Subscription, registry

log = logging.getLogger(__name__)

MAX_SUBSCRIPTIONS = 100
PAGE = 100  # events read at once for one that comes back: it may have left again
Form = Literal["text", "html"]


class Transport(Protocol):
    """What carries a session to its client."""

    async def begin(self) -> None:
        """Nothing can be refused any more: what is written next reaches the client."""

    async def revoked(self) -> None:
        """End the connection: its opener may no longer be here."""

    async def going_away(self) -> None:
        """End the connection: the server stops, and the client has been told so."""

    def beat(self, now: float) -> None:
        """Called about once a second, for signs of life; `now` is the loop's time."""


class LiveSession:
    """Open it with `identify`, then `follow`. `close` undoes everything and waits for nothing."""

    def __init__(self, scope: dict[str, Any], transport: Transport, outgoing: Outgoing[Any]) -> None:
        self.scope = scope
        self.credentials: Credentials = credentials_of(scope)
        self.outgoing = outgoing
        self.subscriptions: dict[uuid.UUID, Subscription] = {}
        self.transport = transport
        self.checked_at = 0.0
        self.wish: Literal["online", "away"] = "online"
        self._principal: Principal | None = None
        self._feeding: tuple[Feed, FeedWatcher] | None = None

    @property
    def principal(self) -> Principal:
        assert self._principal
        return self._principal

    async def identify(self) -> Principal | None:
        """Who opened it, or None. From here on it is found when somebody's access changes. Raises ChatcoreError."""
        self._principal = await principal_of(self.scope, b"")
        if self._principal is not None:
            await connections.opened(self)
        return self._principal

    def close(self) -> None:
        connections.closed(self)
        for subscription in self.subscriptions.values():
            subscription.close()
        self.subscriptions.clear()
        if self._feeding:
            feed, watcher = self._feeding
            hub.leave(watcher, feed.group)
        self.outgoing.stop()

    def say(self, body: ControlBody, ref: str | None = None) -> None:
        self.outgoing.send_now(control(body, ref))

    # --- What it hears -----------------------------------------------------------------------------------------

    async def follow(self, feed: Feed | None, after: str | None, *, strict: bool = False) -> None:
        """Join, then read what was missed, then let through what came meanwhile, minus repeats.

        A cursor that cannot be followed from raises where `strict`; else the client is told to resync.
        """
        self.outgoing.hold()
        try:
            if feed:
                self._feeding = (feed, FeedWatcher(feed, self.outgoing))
                await hub.join(self._feeding[1], feed.group)
            cursor = await tail.ensure()
            position = None
            try:
                position = await offload(followable, after, feed) if after is not None and feed else None
                await self.transport.begin()
            except ChatcoreError as problem:
                if strict:
                    raise
                self.say(Resync.model_validate(problem.problem()))
            if position and feed:
                await self._catch_up(feed, position)
            self.outgoing.send_now(control(Hello(cursor=cursor)).at(cursor))
        finally:
            self.outgoing.release()

    async def _catch_up(self, feed: Feed, position: Cursor) -> None:
        """Page by page, each when the one before has been taken: a long absence is no reason to be cut.

        Nothing is read for a client that has left meanwhile.
        """
        while not self.outgoing.stopped:
            page = await offload(read_page, position, feed, PAGE)
            for body, cursor in page.frames:
                await self.outgoing.put(Frame(body, cursor))
            await self.outgoing.drain(None)
            position = page.end
            if not page.has_more and not self.outgoing.stopped:
                for body in await offload(read_unsettled, position, feed):
                    await self.outgoing.put(Frame(body))
                return

    def own_feed(self) -> Feed | None:
        """None for one that may hear nothing by itself."""
        try:
            return feed_of(self.principal)
        except Forbidden:
            return None

    async def check(self, conversation: uuid.UUID) -> None:
        """Raises NotFound for a conversation it may not follow."""
        await offload(registry.topics["conversation"].check, self.principal, str(conversation))

    async def subscribe(self, conversation: uuid.UUID, form: Form, ref: str | None = None) -> None:
        """Follow a conversation's signals too; again, for its snapshot anew. Raises NotFound."""
        if conversation not in self.subscriptions and len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Forbidden(
                f"A connection holds at most {MAX_SUBSCRIPTIONS} subscriptions. Unsubscribe from one first."
            )
        if previous := self.subscriptions.pop(conversation, None):
            previous.close()
        topic = registry.topics["conversation"]
        self.outgoing.hold()
        try:
            self.subscriptions[conversation] = await topic.open(
                self.principal, str(conversation), self.outgoing, html=form == "html"
            )
            self.say(Subscribed(conversation=conversation), ref)
        finally:
            self.outgoing.release()

    def unsubscribe(self, conversation: uuid.UUID, ref: str | None = None) -> None:
        if subscription := self.subscriptions.pop(conversation, None):
            subscription.close()
        self.say(Unsubscribed(conversation=conversation), ref)

    # --- Permission and the server's end -----------------------------------------------------------------------

    def belongs_to(self, user: str | None, integration: str | None) -> bool:
        own = self.principal.integration
        return (own is not None and str(own.id) == integration) or (
            self.principal.user is not None and str(self.principal.user.id) == user
        )

    async def admit(self, principal: Principal | None) -> None:
        """What its credentials are good for now: it may have ended, or lost a conversation."""
        held = self.principal
        if principal is None or principal.workspace != held.workspace or principal.user != held.user:
            await self.transport.revoked()
            return
        self._principal = principal
        if self._feeding:
            feed, watcher = self._feeding
            allowed = self.own_feed()
            if allowed is None:
                await self.transport.revoked()
                return
            watcher.let_through(feed if allowed.only is None else feed.narrowed(allowed.only))
        for conversation, subscription in tuple(self.subscriptions.items()):
            if not await subscription.allowed(principal):
                self.unsubscribe(conversation)

    async def say_goodbye(self, reconnect_after: float) -> None:
        self.say(Reconnect(after=round(reconnect_after, 2)))
        await self.outgoing.drain()
        await self.transport.going_away()
