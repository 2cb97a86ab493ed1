"""Who of a conversation is there, as those who look at it are told."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatcore.offload import offload
from chatcore.realtime.events import Presence as PresenceBody
from chatcore.realtime.frames import Frame, signal
from chatcore.realtime.hub import hub
from chatcore.realtime.presence import State, presence, presence_group
from conversations.models import Member, Message

LOOK_AGAIN_SECONDS = 15.0
RECENT = 200  # messages among which integrations are looked for


@dataclass(frozen=True)
class Attendee:
    """`author` is `user:<id>` or `integration:<id>`."""

    author: str
    name: str
    state: State


async def attendance_of(conversation_id: uuid.UUID) -> list[Attendee]:
    """Everybody of the conversation: its members, and the integrations that wrote lately."""
    names = await offload(_names, conversation_id)
    states = await presence.states(list(names))
    return [Attendee(author, name, states[author]) for author, name in names.items()]


class Attendance:
    """Tells `emit` who is there and who comes and goes, where anybody but one reader could be.

    A process that was killed announces nothing: its people are found missing by looking again.
    """

    def __init__(self, conversation_id: uuid.UUID, emit: Callable[[dict[str, Any]], None]) -> None:
        self._conversation_id = conversation_id
        self._emit = emit
        self._known: dict[str, Attendee] = {}
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        found = await attendance_of(self._conversation_id)
        if len(found) < 2:
            return
        self._known = {item.author: item for item in found}
        await hub.join(self, *map(presence_group, self._known))
        self._looking = asyncio.get_running_loop().create_task(self._look_again())

    def close(self) -> None:
        hub.leave(self, *map(presence_group, self._known))
        if self._looking:
            self._looking.cancel()

    def snapshot(self) -> list[dict[str, Any]]:
        """For one that joins now."""
        return [self._body(item) for item in self._known.values()]

    def receive(self, frame: Frame) -> None:
        data = frame.body["data"]
        self._note(data["author"], data["state"])

    def _note(self, author: str, state: State) -> None:
        known = self._known[author]
        if known.state != state:
            self._known[author] = Attendee(author, known.name, state)
            self._emit(self._body(self._known[author]))

    def _body(self, item: Attendee) -> dict[str, Any]:
        return signal(
            PresenceBody(author=item.author, name=item.name, state=item.state), str(self._conversation_id)
        )

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with contextlib.suppress(Exception):
                for author, state in (await presence.states(list(self._known))).items():
                    self._note(author, state)


def _names(conversation_id: uuid.UUID) -> dict[str, str]:
    members = Member.objects.filter(conversation=conversation_id).select_related("user").order_by("id")
    names = {f"user:{member.user_id}": member.user.display_name for member in members}
    recent = Message.objects.filter(conversation=conversation_id).order_by("-id")[:RECENT]
    wrote = Message.objects.filter(id__in=recent.values("id"), integration__isnull=False)
    for integration_id, name in wrote.values_list("integration_id", "integration__name").distinct():
        names[f"integration:{integration_id}"] = name
    return names
