"""What a model is given to read: the instructions and the branch, newest turns kept when not all fit."""

from collections.abc import Iterable

from django.db.models import prefetch_related_objects

from chatcore.llm.types import ModelRequest, Role, Turn
from conversations.claims import Claim
from conversations.models import Message

MESSAGES_READ = 1_000
TOKENS_ASSUMED = 32_000
# A token is three characters or more in every language we measured: a bound, not an estimate.
CHARACTERS_PER_TOKEN = 3


def build_request(claim: Claim) -> ModelRequest:
    """The request for one reply: same branch, same bytes, so that a provider's prompt cache can serve it.

    `model` is empty: routing names the model as each deployment knows it.
    """
    reply = Message.objects.select_related("conversation", "model").get(id=claim.id)
    conversation = reply.conversation
    path = Message.objects.path(claim.parent_id, MESSAGES_READ) if claim.parent_id else []
    prefetch_related_objects([message for message in path if message.integration_id], "integration")
    turns = [turn for message in path if (turn := _turn(message))]
    window = (reply.model.context_window if reply.model else None) or TOKENS_ASSUMED
    kept = _newest_that_fit(turns, window * CHARACTERS_PER_TOKEN - len(conversation.system))
    system = [Turn("system", conversation.system)] if conversation.system.strip() else []
    return ModelRequest(
        model="",
        turns=(*system, *kept),
        params=conversation.params | reply.params,
        user=str(claim.user_id or ""),
    )


def _turn(message: Message) -> Turn | None:
    if not message.text.strip():
        return None
    if message.author == Message.Author.INTEGRATION and message.integration:
        return Turn("user", f"[message from {message.integration.name}]\n{message.text}")
    return Turn(_role(message), message.text)


def _role(message: Message) -> Role:
    if message.is_reply:
        return "assistant"
    return "system" if message.author == Message.Author.SYSTEM else "user"


def _newest_that_fit(turns: Iterable[Turn], characters: int) -> list[Turn]:
    """The last turn always; before it as many whole ones as fit."""
    kept: list[Turn] = []
    for turn in reversed(list(turns)):
        characters -= len(turn.text)
        if kept and characters < 0:
            break
        kept.append(turn)
    return kept[::-1]
