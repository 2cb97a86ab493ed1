"""Asking and answering as far as budgets see it."""

from decimal import Decimal
from typing import Any

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from chatcore.llm.types import Usage as Counts
from chatcore.usage.models import Budget, Spending
from conversations import actions
from conversations.claims import Claim
from conversations.finishing import Outcome, finish_reply
from conversations.models import Conversation, Message
from conversations.streams import ReplyStream
from tests.factories import make_model


def start(owner: Principal, model: Model | None = None) -> Conversation:
    return actions.start_conversation(owner, model=(model or make_model()).name, title="Named")


def ask(owner: Principal, conversation: Conversation, **wishes: Any) -> Message:
    reply = actions.post_message(owner, conversation.id, text="x" * 400, parent=None, **wishes).reply
    assert reply
    return reply


def finish(claim: Claim, counts: Counts | None, model: Model, outcome: Outcome = Outcome.DONE) -> None:
    """The end of a reply as its worker saves it."""
    deployment = model.deployments.get()
    stream = ReplyStream(claim)
    stream.usage = counts
    ids = {"deployment_id": str(deployment.pk), "model_id": str(model.pk)}
    names = {"deployment": str(deployment), "model": model.name}
    assert finish_reply(stream, outcome, [{"outcome": "answered", "seconds": 0.1, **ids, **names}])


def state(budget: Budget) -> tuple[Decimal, Decimal]:
    counter = Spending.objects.get(budget=budget)
    return counter.spent.normalize(), counter.reserved.normalize()
