"""What a model is given to read: the instructions, and of the branch what its window holds."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatcore.errors import ChatcoreError
from chatcore.llm.contents import image_tokens
from chatcore.llm.continuing import continuing
from chatcore.llm.models import Model
from chatcore.llm.types import ModelRequest, Turn
from chatcore.offload import offload
from chatcore.together import Together, or_alone
from conversations import outside
from conversations.branches import Branch, read_branches
from conversations.claims import Claim
from conversations.models import Message, Summary
from conversations.turns import Reader

TOKENS_ASSUMED = 32_000
# A token is three characters or more in every language we measured: a bound, not an estimate.
CHARACTERS_PER_TOKEN = 3
# How much of what fits stays as it was said when the rest is summarised; the other half is for what will be said.
KEPT_SHARE = 0.5
SUMMARISED = "What was said before, in short:\n"


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of the branch, and the message it comes from."""

    message: uuid.UUID
    turn: Turn


@dataclass(frozen=True, slots=True)
class Context:
    """All that may be read for one reply: `summary` stands for what came before `said`; `room` is in characters.

    `ending` is read last and always whole.
    """

    instructions: str
    summary: str
    said: Sequence[Said]
    room: int
    params: Mapping[str, Any]
    user: str
    ending: tuple[Turn, ...] = ()
    left_out: tuple[str, ...] = ()

    def request(self) -> ModelRequest:
        """Same branch, same bytes, so that a provider's prompt cache can serve it.

        `model` is empty: routing names the model as each deployment knows it.
        """
        notes = [self.instructions, SUMMARISED + self.summary if self.summary else ""]
        return ModelRequest(
            model="",
            turns=(
                *(Turn("system", note) for note in notes if note.strip()),
                *(one.turn for one in self._newest(self.room - len(self.summary))),
                *self.ending,
            ),
            params=self.params,
            user=self.user,
            left_out=self.left_out,
        )

    def too_old(self) -> Sequence[Said]:
        """What has to be summarised for the rest to fit; nothing, if all fits."""
        if len(self._newest(self.room - len(self.summary))) == len(self.said):
            return ()
        return self.said[: len(self.said) - len(self._newest(int(self.room * KEPT_SHARE)))]

    def summarised(self, old: Sequence[Said], summary: str) -> "Context":
        return replace(self, said=self.said[len(old) :], summary=summary)

    def _newest(self, room: int) -> Sequence[Said]:
        """The last turn always; before it as many whole ones as fit."""
        count = 0
        for one in reversed(self.said):
            room -= len(one.turn.text) + image_tokens([one.turn]) * CHARACTERS_PER_TOKEN
            if count and room < 0:
                break
            count += 1
        return self.said[len(self.said) - count :]


async def context_of(claim: Claim) -> Context:
    """Raises what `read_branches` has instead of a branch. Files are read for one reply alone: others shall not wait
    for large ones.
    """
    read = await _together(or_alone(_read), claim, None)
    return read if isinstance(read, Context) else await offload(_context, read)


def read_context(claim: Claim) -> Context:
    """`context_of`, in this thread."""
    (branch,) = read_branches([claim])
    if isinstance(branch, ChatcoreError):
        raise branch
    return _context(branch)


def _read(claims: Sequence[Claim]) -> list[Context | Branch | ChatcoreError]:
    return [
        _context(branch) if isinstance(branch, Branch) and not branch.files else branch
        for branch in read_branches(claims)
    ]


_together: Together[Claim, Context | Branch] = Together(offload)


def _context(branch: Branch) -> Context:
    instructions = _instructions(branch)
    room = (branch.window or TOKENS_ASSUMED) * CHARACTERS_PER_TOKEN - len(instructions) - len(branch.begun)
    has_images = any(file.is_image for row in branch.files.values() for file in row)
    model_id = branch.claim.model_id
    sees = has_images and model_id is not None and Model.objects.one_sees(model_id)
    reader = Reader(room, branch.files, sees=sees)
    said = [Said(message.id, turn) for message in reversed(branch.path) if (turn := reader.turn(message))]
    context = Context(
        instructions=instructions,
        summary="",
        said=said[::-1],
        room=room,
        params=branch.params,
        user=str(branch.claim.user_id or ""),
        ending=continuing(branch.begun),
        left_out=tuple(sorted(reader.left_out)),
    )
    return _with_summary(context) if context.too_old() else context


def _instructions(branch: Branch) -> str:
    """What every reply follows, and a warning where somebody from outside takes part."""
    foreign = [message.id for message in branch.path if message.author == Message.Author.INTEGRATION]
    notes = (branch.system, outside.NOTE if outside.from_outside(foreign) else "")
    return "\n\n".join(note for note in notes if note.strip())


def _with_summary(context: Context) -> Context:
    """From the newest summary of the branch on, if there is one."""
    written = {row.message_id: row.text for row in Summary.objects.filter(message__in=_messages(context))}
    for count in range(len(context.said), 0, -1):
        if text := written.get(context.said[count - 1].message):
            return context.summarised(context.said[:count], text)
    return context


def _messages(context: Context) -> list[uuid.UUID]:
    return [one.message for one in context.said]
