"""What became of a delivery on the way on from its receiver: a channel tells, and it stands in the receipts."""

import uuid

from django.db.models import Q

from chatcore.accounts.principals import Principal
from chatcore.errors import Conflict, NotFound
from conversations.actions import receipts
from conversations.actions.receipts import Acknowledgement, State
from external.models import Delivery

CONFIRM = "webhooks:confirm"


class NoMessage(Conflict):
    """What was delivered is no message: nobody can have received or read it."""

    code = "no_message"
    remedy = "Confirm deliveries of `message.created` and of ended replies alone."


def confirm(principal: Principal, delivery_id: uuid.UUID, state: State, channel: str | None = None) -> None:
    """Its message has reached the people behind the channel, or was read by them; what has been seen stays seen.

    A webhook that an integration made is that integration's to confirm. Raises NotFound for others'.
    """
    principal.require(CONFIRM)
    theirs = Q(webhook__integration=None)
    if principal.integration is not None:
        theirs |= Q(webhook__integration=principal.integration)
    delivery = Delivery.objects.for_principal(principal).filter(theirs, pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    if delivery.message is None or delivery.conversation is None:
        raise NoMessage
    recipient = channel or principal.author
    told = Acknowledgement(
        principal.workspace.id, delivery.conversation, delivery.message, recipient, None, state
    )
    receipts.record([told])
