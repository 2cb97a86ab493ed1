"""What stands in the database for replies that begin, read at once for all that begin at the same moment."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import prefetch_related_objects
from pydantic_core import from_json

from chatcore import rows
from chatcore.errors import ChatcoreError, NotFound
from chatcore.prepared import plans_kept
from conversations.claims import Claim
from conversations.errors import AskerGone
from conversations.models import Attachment, Message

MESSAGES_READ = 1_000


@dataclass(frozen=True, slots=True)
class Branch:
    """Of one reply: the instructions and parameters it follows, what its model can read and write in tokens (None:
    unknown), what it goes on with, and the messages above it, oldest first, with their files.
    """

    claim: Claim
    system: str
    params: Mapping[str, Any]
    window: int | None
    max_output: int | None
    begun: str
    path: Sequence[Message]
    files: Mapping[uuid.UUID, Sequence[Attachment]]


@plans_kept()
def read_branches(claims: Sequence[Claim]) -> list[Branch | ChatcoreError]:
    """The branch of each; NotFound where the reply was deleted meanwhile, AskerGone where nobody may ask for it any
    more.
    """
    asked = {row[0]: row[1:] for row in rows.execute(_ASKED, {"replies": [claim.id for claim in claims]})}
    leaves = {claim.parent_id for claim in claims if claim.parent_id}
    paths = Message.objects.paths(leaves, MESSAGES_READ) if leaves else {}
    messages = [message for path in paths.values() for message in path]
    prefetch_related_objects([message for message in messages if message.integration_id], "integration")
    files = Attachment.objects.of_messages(message for message in messages if message.has_files)
    return [
        _branch(claim, asked.get(claim.id), paths.get(claim.parent_id, ()) if claim.parent_id else (), files)
        for claim in claims
    ]


def _branch(
    claim: Claim,
    asked: Sequence[Any] | None,
    path: Sequence[Message],
    files: Mapping[uuid.UUID, Sequence[Attachment]],
) -> Branch | ChatcoreError:
    if asked is None:
        return NotFound()
    is_wanted, system, shared, own, window, max_output, begun = asked
    if not is_wanted:
        return AskerGone()
    own_files = {message.id: files[message.id] for message in path if message.id in files}
    params = from_json(shared) | from_json(own)
    return Branch(claim, system, params, window, max_output, begun, path, own_files)


# Whoever asked may have been suspended, sent away or switched off since.
_ASKED = """
select reply.id,
    (reply.user_id is null or exists (
        select from accounts_membership membership join accounts_user person on person.id = membership.user_id
        where person.id = reply.user_id and person.is_active and membership.workspace_id = reply.workspace_id
    )) and (reply.integration_id is null or integration.enabled)
        and not (asked.author is not distinct from 'integration' and asked.integration_id is null),
    conversation.system, conversation.params::text, reply.params::text, model.context_window,
    model.max_output, reply.begun
from conversations_message reply
join conversations_conversation conversation on conversation.id = reply.conversation_id
left join conversations_message asked on asked.id = reply.parent_id
left join accounts_integration integration on integration.id = reply.integration_id
left join llm_model model on model.id = reply.model_id
where reply.id = any(%(replies)s::uuid[])
"""
