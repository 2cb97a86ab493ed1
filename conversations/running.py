"""What running replies have said by their last save, read at once for all conversations that are asked about."""

import uuid
from collections.abc import Sequence
from typing import TypeAlias

from chatcore import rows
from chatcore.offload import offload
from chatcore.together import Together

Saved: TypeAlias = tuple[uuid.UUID, int, str, str]  # id, attempt, text and reasoning of a reply


async def running_replies(conversation_id: uuid.UUID) -> list[Saved]:
    return await _together(read_running, conversation_id, None)


def read_running(conversations: Sequence[uuid.UUID]) -> list[list[Saved]]:
    """Those of each conversation."""
    found: dict[uuid.UUID, list[Saved]] = {}
    for conversation_id, message_id, attempt, text, reasoning in rows.execute(
        _RUNNING, {"conversations": list(conversations)}
    ):
        found.setdefault(conversation_id, []).append((message_id, attempt, text, reasoning))
    return [found.get(conversation_id, []) for conversation_id in conversations]


_together: Together[uuid.UUID, list[Saved]] = Together(offload)

_RUNNING = """
select conversation_id, id, attempt, text, reasoning from conversations_message
where conversation_id = any(%(conversations)s::uuid[]) and status = 'streaming'
"""
