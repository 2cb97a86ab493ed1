"""A vendor's request: proven, read, and each of its messages stored or its refusal logged."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from chatcore.errors import ChatcoreError, Unauthenticated, Unavailable
from chatcore.security.fields import Unreadable
from chatcore.security.limits import charge
from chatcore.security.outbound import check_url
from conversations.actions.receipts import Acknowledgement, record
from external.adapters.adapter import Answer, Confirmation, Incoming, Outcome, Received
from external.fetching import defer_fetch
from external.intake import Accepted, accept
from external.integrations import principal_of_integration
from external.items import IntakeItem, Respond
from external.models import Arrival, Rejection, ReplyPart, Source
from external.requests import DELIVERY, delivery_named
from external.resolving import IdentitySelector, UserSelector
from external.sources.opening import adapter_of, find_open

log = logging.getLogger(__name__)

KEPT_CHARACTERS = 65_536
UNPROVEN_LOGGED_EVERY = timedelta(hours=1)
LATER_THAN: dict[str, tuple[str, ...]] = {
    "sent": ("queued",),
    "delivered": ("queued", "sent"),
    "read": ("queued", "sent", "delivered"),
    "failed": ("queued", "sent"),
}


def receive(adapter_name: str, source_id: uuid.UUID, received: Received) -> Answer:
    """The vendor's answer. Raises Unauthenticated for whatever is not proven, for one as for the other reason.

    What may succeed when it is sent again (TooMany, Unavailable) is raised too. A request costs as much as it has
    messages.
    """
    source = _open(adapter_name, source_id)
    adapter = adapter_of(source)
    if not adapter.verify(received):
        _log_unproven(source)
        raise Unauthenticated
    try:
        parsed = adapter.parse(received)
        charge(principal_of_integration(source.integration), max(1, len(parsed.incoming)))
    except ChatcoreError as error:
        _reject(source, error, received)
        if error.retryable:
            raise
        return adapter.answer([Outcome(error=error)])
    for confirmation in parsed.confirmations:
        confirm(source, confirmation)
    outcomes = _take_all(source, parsed.incoming, received)
    return parsed.answer or adapter.answer(outcomes)


def _open(adapter_name: str, source_id: uuid.UUID) -> Source:
    try:
        source = find_open(source_id, adapter_name)
    except Unreadable as error:
        log.error("source %s cannot be used: %s", source_id, error)
        raise Unavailable from None
    if source is None:
        raise Unauthenticated
    return source


def _take_all(
    source: Source, incoming: Sequence[Incoming | ChatcoreError], received: Received
) -> list[Outcome]:
    """What is wrong with one keeps no other back. Raises what may succeed when all is sent again: nothing is stored."""
    try:
        outcomes = _store(source, incoming, delivery_named(received.headers.get(DELIVERY, "")))
    except ChatcoreError as error:
        # Logged even if it may succeed later: not every vendor sends again.
        _reject(source, error, received)
        if error.retryable:
            raise
        return [Outcome(error=error) for _ in incoming]
    for outcome in outcomes:
        if outcome.error is not None:
            _reject(source, outcome.error, received)
    return outcomes


@transaction.atomic
def _store(
    source: Source, incoming: Sequence[Incoming | ChatcoreError], heard: uuid.UUID | None
) -> list[Outcome]:
    """All of a request in one transaction. Raises what the intake refuses all of it with, and what is for now only:
    the vendor sends all again, and of what has no id nobody would know that it is here.
    """
    checked = [_checked(each) for each in incoming]
    sound = [each for each in checked if isinstance(each, Incoming)]
    items = [replace(item_of(source, each), heard=heard) for each in sound]
    found = accept(principal_of_integration(source.integration), items, whole=True) if items else []
    noted = iter([_noted(source, each, became) for each, became in zip(sound, found, strict=True)])
    outcomes = [Outcome(error=each) if isinstance(each, ChatcoreError) else next(noted) for each in checked]
    for outcome in outcomes:
        if outcome.error is not None and outcome.error.retryable:
            raise outcome.error
    return outcomes


def _checked(incoming: Incoming | ChatcoreError) -> Incoming | ChatcoreError:
    """Addresses that cannot be are the message's own fault."""
    try:
        for media in incoming.media if isinstance(incoming, Incoming) else ():
            check_url(media.url)
    except ChatcoreError as error:
        return error
    return incoming


def _noted(source: Source, incoming: Incoming, became: Accepted | ChatcoreError) -> Outcome:
    """With a message that is new, where replies to it go, and the files it names."""
    if isinstance(became, ChatcoreError):
        return Outcome(error=became)
    message = became.message
    if not became.duplicate:
        Arrival.objects.create(source=source, message=message, address=dict(incoming.address))
        for place, media in enumerate(incoming.media):
            key = media.authorization or None
            defer_fetch(message.id, media.url, media.name, media.media_type, key, position=place)
    return Outcome(message.id, became.conversation_id, became.duplicate)


def item_of(source: Source, incoming: Incoming) -> IntakeItem:
    """The message as the intake takes it."""
    identity = IdentitySelector(incoming.channel, incoming.handle) if incoming.handle else None
    user = UserSelector(id=None, email=incoming.email, username=None) if incoming.email else None
    return IntakeItem(
        content=incoming.content,
        external_id=incoming.external_id or None,
        conversation=None,
        thread=incoming.thread or None,
        title=incoming.title,
        user=user,
        identity=identity,
        respond=Respond("default" if incoming.respond else "none"),
        metadata=dict(incoming.metadata),
        attachments=(),
        params={},
        source=source.adapter,
    )


@transaction.atomic
def confirm(source: Source, confirmation: Confirmation) -> None:
    """What has become of a reply's part. States only go forward; one of a message that is not ours is passed over."""
    sent = ReplyPart.objects.filter(source=source, vendor_id=confirmation.vendor_id)
    earlier = sent.filter(status__in=LATER_THAN[confirmation.state])
    changed = earlier.update(status=confirmation.state, error=confirmation.error, updated_at=timezone.now())
    if changed and confirmation.state in ("delivered", "read"):
        part = sent.select_related("message").get()
        _acknowledge(source, part, "read" if confirmation.state == "read" else "delivered")


def _acknowledge(source: Source, part: ReplyPart, state: str) -> None:
    """The channel is the recipient: to the conversation it is its integration that has read."""
    record(
        [
            Acknowledgement(
                workspace=part.message.workspace_id,
                conversation=part.message.conversation_id,
                up_to=part.message_id,
                recipient=f"integration:{source.integration_id}",
                user=None,
                state="read" if state == "read" else "delivered",
            )
        ]
    )


def _reject(source: Source, error: ChatcoreError, received: Received) -> None:
    text = received.body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    Rejection.objects.create(source=source, code=error.code, detail=error.detail, body=text[:KEPT_CHARACTERS])


def _log_unproven(source: Source) -> None:
    """A secret that was mistyped shows here, and so does an attack: neither fills the table."""
    since = timezone.now() - UNPROVEN_LOGGED_EVERY
    if not Rejection.objects.filter(source=source, is_proven=False, created_at__gt=since).exists():
        Rejection.objects.create(
            source=source,
            is_proven=False,
            code=Unauthenticated.code,
            detail="The signature does not hold: the secret differs from the vendor's, PUBLIC_URL is not the address "
            "the vendor calls, or the request was somebody else's.",
        )
