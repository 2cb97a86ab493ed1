"""Where messages came from: written with them, and looked up to know a repetition."""

import uuid
from collections.abc import Collection, Mapping, Sequence

from django.db.models import Q

from chatcore import rows
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import NotFound
from conversations.models import Message
from external.models import IntakeMessage

READ = "messages:read"


class Raced(Exception):
    """Another transaction has stored one of these external ids since it was looked up."""


def first_messages(
    integration: Integration, external_ids: Collection[str]
) -> Mapping[str, tuple[IntakeMessage, Message | None]]:
    """By external id what this integration has sent before, each with the reply that was queued for it."""
    values = {"integration": integration.id, "external_ids": list(external_ids)}
    taken = [row[0] for row in rows.execute(_TAKEN, values)] if external_ids else []
    if not taken:  # nearly always
        return {}
    found = IntakeMessage.objects.filter(integration=integration, external_id__in=taken)
    known = list(found.select_related("message"))
    replies: dict[uuid.UUID, Message] = {}
    answers = Message.objects.filter(
        parent__in=[row.message_id for row in known], author=Message.Author.ASSISTANT
    )
    for reply in answers.order_by("-id"):
        assert reply.parent_id
        replies[reply.parent_id] = reply
    return {row.external_id: (row, replies.get(row.message_id)) for row in known if row.external_id}


def came_from_outside(messages: Collection[uuid.UUID]) -> set[uuid.UUID]:
    found = IntakeMessage.objects.filter(message__in=list(messages))
    return set(found.values_list("message_id", flat=True))


def find_message(principal: Principal, message_id: uuid.UUID) -> tuple[IntakeMessage, Message | None]:
    """The message with the newest reply to it, if the principal's integration sent it or its user reads it.

    Raises NotFound.
    """
    principal.require_any(READ)
    readable = Message.objects.for_principal(principal, READ).filter(id=message_id)
    visible = Q(message__in=readable)
    if principal.integration is not None and principal.selectors(READ) is None:
        visible |= Q(integration=principal.integration)
    row = IntakeMessage.objects.filter(visible, message=message_id).select_related("message").first()
    if row is None:
        raise NotFound
    replies = Message.objects.filter(parent=message_id, author=Message.Author.ASSISTANT)
    return row, replies.order_by("-id").first()


def save(written: Sequence[IntakeMessage]) -> None:
    """Raises Raced if one of the external ids is taken, after which the transaction must not commit.

    In the order of external ids, so that two batches of the same ones wait for each other in one order.
    """
    ordered = sorted(written, key=lambda row: row.external_id or "")
    if rows.insert_unless(_TWICE, ordered) < len(ordered):
        raise Raced


# Each is the next one in the unique index, or is not there: asked in any other way, Postgres reads everything the
# integration has ever sent for as long as the table's statistics are young.
_TAKEN = """
select next.external_id from unnest(%(external_ids)s::text[]) as wanted(external_id) cross join lateral (
    select integration_id, external_id from external_intakemessage
    where (integration_id, external_id) >= (%(integration)s, wanted.external_id) and external_id is not null
    order by integration_id, external_id limit 1
) next
where next.integration_id = %(integration)s and next.external_id = wanted.external_id
"""

_TWICE = "(integration_id, external_id) where external_id is not null"
