"""How many systems what is told has passed: what stops two that answer each other for ever."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping

from chatcore.accounts.models import Integration
from chatcore.realtime.models import Event
from external.models import Delivery, IntakeMessage


def hops_of(events: Collection[Event]) -> Mapping[int, int]:
    """By the id of the event: one more than the message it tells of, or that it replies to, had when it came in.

    What did not come in from outside is at its first hop.
    """
    named = {event.id: list(_messages(event)) for event in events}
    wanted = {message for messages in named.values() for message in messages}
    before = _stored(wanted) if wanted else {}
    return {
        event_id: 1 + max((before.get(message, 0) for message in messages), default=0)
        for event_id, messages in named.items()
    }


def conversation_told(integration: Integration, delivery_id: uuid.UUID) -> uuid.UUID | None:
    """The conversation that a delivery of the integration's workspace tells of."""
    ours = Delivery.objects.filter(id=delivery_id, webhook__workspace=integration.workspace_id)
    return ours.values_list("conversation", flat=True).first()


def _messages(event: Event) -> Iterator[uuid.UUID]:
    for name in ("message", "parent"):
        try:
            yield uuid.UUID(event.payload[name])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def _stored(messages: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    return dict(IntakeMessage.objects.filter(message__in=messages).values_list("message", "hops"))
