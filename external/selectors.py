"""What a message may say about whose it is, and what can be wrong with that."""

import uuid
from dataclasses import dataclass

from chatcore.errors import FieldProblem, Forbidden, Invalid

UNPROVEN_USER = "The user's token in Chatcore-User-Token does not hold."


class UserConflict(Invalid):
    """What the message names as its user is not one and the same user."""

    code = "user_conflict"
    remedy = (
        "Name one user, or leave out what names another; a named conversation has to be one of that "
        "user's. Nothing was stored."
    )


class UserUnresolved(Invalid):
    """Nothing here says whose message this is."""

    code = "user_unresolved"
    remedy = (
        "Name the user in `user` or a verified `identity`, let the integration act for somebody, or "
        "grant it `users:provision` for guests."
    )


class UserSuspended(Forbidden):
    """The user this message is of has been switched off."""

    code = "user_suspended"
    remedy = "Name another user, or let an owner or admin switch this one on again."


class StrategyDisabled(Forbidden):
    """This integration's policy does not let it name the user in this way."""

    code = "strategy_disabled"
    remedy = (
        "Name the user in another way, or let an owner or admin enable this one in the integration's "
        "intake policy."
    )


@dataclass(frozen=True)
class UserSelector:
    """A user by one or more of these, which must agree. `username` is what one signs in with: the e-mail address.

    A display name names nobody: its owner may change it to another person's.
    """

    id: uuid.UUID | None = None
    email: str | None = None
    username: str | None = None


@dataclass(frozen=True)
class IdentitySelector:
    """A handle on a channel, as it was typed."""

    channel: str
    value: str


@dataclass(frozen=True)
class Selectors:
    """All that a message says about whose it is. `token` is a user's access token."""

    token: str | None = None
    user: UserSelector | None = None
    identity: IdentitySelector | None = None
    conversation: uuid.UUID | None = None


def conflict_of(selectors: Selectors) -> UserConflict:
    """Points at everything that was named."""
    supplied = [name for name in ("user", "identity", "conversation") if getattr(selectors, name) is not None]
    words = "does not name the same user as the rest"
    return UserConflict(errors=[FieldProblem(f"/{name}", words, "conflict") for name in supplied])
