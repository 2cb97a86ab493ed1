"""What a model is given to read: the instructions, and of the branch what its window holds."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatcore.errors import ChatcoreError
from chatcore.llm import tokens
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
# How much of what may be read our estimate may fill. By the vocabularies of vendors most languages take up to a third
# more than we estimate; of the rest a model that refuses is given less, see `shortened_request`.
TRUSTED_SHARE = 0.75
USUAL_ANSWER = 1_000  # tokens, where neither the asker nor the model says how long it may be
# How much of what fits stays as it was said when the rest is summarised; the other half is for what will be said.
KEPT_SHARE = 0.5
SUMMARISED = "What was said before, in short:\n"


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of the branch, the message it comes from, and about how many tokens it has."""

    message: uuid.UUID
    turn: Turn
    tokens: int


@dataclass(frozen=True, slots=True)
class Context:
    """All that may be read for one reply: `summary` stands for what came before `said`; `room` is for both, in
    tokens as we estimate them.

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
        notes = [self.instructions, self._note]
        return ModelRequest(
            model="",
            turns=(
                *(Turn("system", note) for note in notes if note.strip()),
                *(one.turn for one in self._newest(self._room_left)),
                *self.ending,
            ),
            params=self.params,
            user=self.user,
            left_out=self.left_out,
        )

    def too_old(self) -> Sequence[Said]:
        """What has to be summarised for the rest to fit; nothing, if all fits."""
        if len(self._newest(self._room_left)) == len(self.said):
            return ()
        return self.said[: len(self.said) - len(self._newest(int(self.room * KEPT_SHARE)))]

    def summarised(self, old: Sequence[Said], summary: str) -> "Context":
        return replace(self, said=self.said[len(old) :], summary=summary)

    @property
    def _note(self) -> str:
        return SUMMARISED + self.summary if self.summary else ""

    @property
    def _room_left(self) -> int:
        return self.room - tokens.estimate_turns([self._note] if self.summary else [])

    def _newest(self, room: int) -> Sequence[Said]:
        """The last turn always; before it as many whole ones as fit."""
        count = 0
        for one in reversed(self.said):
            room -= one.tokens
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


def read_context(claim: Claim, most: int | None = None) -> Context:
    """`context_of`, in this thread; for a request of no more than `most` tokens, as we estimate them."""
    (branch,) = read_branches([claim])
    if isinstance(branch, ChatcoreError):
        raise branch
    return _context(branch, most)


def _read(claims: Sequence[Claim]) -> list[Context | Branch | ChatcoreError]:
    return [
        _context(branch) if isinstance(branch, Branch) and not branch.files else branch
        for branch in read_branches(claims)
    ]


_together: Together[Claim, Context | Branch] = Together(offload)


def room_for_reading(window: int | None, max_output: int | None, params: Mapping[str, Any]) -> int:
    """How many tokens, as we estimate them, a request may have for the model to have room for its answer.

    What is wished is kept free, as servers refuse what they could not do; of what is merely possible a quarter of the
    window.
    """
    window = window or TOKENS_ASSUMED
    wished = params.get("max_tokens")
    if isinstance(wished, int) and wished > 0:
        answer = min(wished, max_output or wished, window // 2)
    else:
        answer = min(max_output or USUAL_ANSWER, window // 4)
    return int((window - answer) * TRUSTED_SHARE)


def _context(branch: Branch, most: int | None = None) -> Context:
    instructions, ending = _instructions(branch), continuing(branch.begun)
    room = room_for_reading(branch.window, branch.max_output, branch.params)
    room = room if most is None else min(room, most)
    room -= tokens.estimate_turns([instructions] if instructions else []) + tokens.of_turns(ending)
    has_images = any(file.is_image for row in branch.files.values() for file in row)
    model_id = branch.claim.model_id
    sees = has_images and model_id is not None and Model.objects.one_sees(model_id)
    reader = Reader(room, branch.files, sees=sees)
    said = [
        Said(message.id, turn, tokens.of_turn(turn))
        for message in reversed(branch.path)
        if (turn := reader.turn(message))
    ]
    context = Context(
        instructions=instructions,
        summary="",
        said=said[::-1],
        room=room,
        params=branch.params,
        user=str(branch.claim.user_id or ""),
        ending=ending,
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
