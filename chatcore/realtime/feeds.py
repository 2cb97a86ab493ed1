"""Which events a principal hears: one rule for every transport, live and in arrears."""

import uuid
from dataclasses import dataclass

from chatcore.accounts.principals import Principal
from chatcore.errors import Forbidden
from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import Watcher


@dataclass(frozen=True)
class Feed:
    """A person's conversations, or (`user` is None) everything of the workspace; `only` narrows it."""

    workspace: uuid.UUID
    user: uuid.UUID | None
    only: frozenset[uuid.UUID] | None = None

    @property
    def group(self) -> str:
        return user_group(self.workspace, self.user) if self.user else workspace_group(self.workspace)

    def narrowed(self, conversations: frozenset[uuid.UUID]) -> "Feed":
        """The same, of these conversations alone."""
        kept = conversations if self.only is None else conversations & self.only
        return Feed(self.workspace, self.user, kept)


class FeedWatcher:
    """Hands on what the feed lets through. It stands between the hub and one connection."""

    __slots__ = ("_only", "_to")

    def __init__(self, feed: Feed, to: Watcher) -> None:
        self._to = to
        self.let_through(feed)

    def let_through(self, feed: Feed) -> None:
        """From now on, this."""
        self._only = None if feed.only is None else frozenset(map(str, feed.only))

    def receive(self, frame: Frame) -> None:
        if self._only is None or frame.body.get("conversation") in self._only:
            self._to.receive(frame)


def feed_of(principal: Principal) -> Feed:
    """A user, and a key that acts for one, follows that user's conversations; a key that acts for nobody follows its
    workspace if it is granted `events:read`. Events tell what was written, so the former needs `messages:read`.
    Raises Forbidden.
    """
    grant = "messages:read" if principal.user else "events:read"
    granted = principal.selectors(grant)
    if granted == frozenset():
        raise Forbidden(f"This needs the grant {grant}.")
    only = None if granted is None else frozenset(filter(None, map(_uuid, granted)))
    return Feed(principal.workspace.id, principal.user.id if principal.user else None, only)


def user_group(workspace_id: uuid.UUID, user_id: uuid.UUID) -> str:
    return f"user.{workspace_id}.{user_id}"


def workspace_group(workspace_id: uuid.UUID) -> str:
    """What integrations hear that follow their whole workspace."""
    return f"workspace.{workspace_id}"


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
