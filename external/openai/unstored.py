"""A completion of which nothing is kept (`store: false`) but its line in the ledger."""

import asyncio
import contextlib
import dataclasses
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7
from chatcore.llm import line, routing, tokens
from chatcore.llm.models import Model
from chatcore.llm.types import (
    Finished,
    ModelEvent,
    ModelRequest,
    ProviderError,
    ReasoningDelta,
    Role,
    TextDelta,
    ToolCall,
    Turn,
    Usage,
)
from chatcore.offload import offload
from chatcore.usage.actions import Call
from chatcore.usage.fallbacks import stand_ins
from chatcore.usage.spending import Asked
from conversations.actions import Spoken
from conversations.actions.access import find_model
from conversations.attachments import Examined
from conversations.context import room_for_reading
from conversations.models import Message
from conversations.streams import GrowingCalls
from conversations.turns import Reader
from conversations.unstored import begin_unstored, end_unstored, kept_alive
from external.openai.files import Sent, examine_files
from external.openai.requests import ChatRequest
from external.openai.sources import Failed, Told


@dataclass
class Unstored:
    """One call, and what has come of it. `is_reserved`: a budget holds something for it."""

    principal: Principal
    model: Model
    request: ModelRequest
    is_reserved: bool = False
    reply_id: uuid.UUID = field(default_factory=uuid7)
    conversation_id: uuid.UUID | None = None
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    counts: Usage | None = None
    calls: GrowingCalls = field(default_factory=GrowingCalls)
    route: list[dict[str, Any]] = field(default_factory=list)
    _is_begun: bool = field(default=False, init=False)

    @property
    def tool_calls(self) -> list[dict[str, str]]:
        return self.calls.whole

    @property
    def usage(self) -> dict[str, Any] | None:
        return dataclasses.asdict(self.counts) if self.counts else None

    def close(self) -> None:
        """What its events have begun ends with them."""
        if not self._is_begun:
            self._is_begun = True
            line.shared().run_errand(offload(self._end, "stopped", "", 0.0))

    async def events(self) -> AsyncGenerator[Told, None]:
        """What the model says, as it says it. The ledger knows of it however it ends."""
        began, outcome, code = time.monotonic(), "stopped", ""
        self._is_begun = True
        answer = routing.answer(
            self.model.pk,
            self.request,
            on_attempt=lambda attempt: self.route.append(dataclasses.asdict(attempt)),
            stand_ins=stand_ins(**_asker(self.principal)),
        )
        try:
            async with kept_alive(self.reply_id), contextlib.aclosing(answer):
                async for event in answer:
                    self._take(event)
                    yield event
            outcome = "done"
        except ProviderError as error:
            outcome, code = "failed", error.code
            raise Failed({"code": error.code, "detail": error.words, "retryable": error.retryable}) from None
        finally:
            await offload(self._end, outcome, code, time.monotonic() - began)

    def _take(self, event: ModelEvent) -> None:
        match event:
            case TextDelta(text):
                self.text += text
            case ReasoningDelta(text):
                self.reasoning += text
            case Usage():
                self.counts = event
            case Finished(reason, _):
                self.finish_reason = reason
            case _:
                self.calls.take(event)

    def _end(self, outcome: str, code: str, seconds: float) -> None:
        call = self._call(outcome, code, seconds)
        end_unstored(self.reply_id, *([call] if call.was_made else []), is_reserved=self.is_reserved)

    def _call(self, outcome: str, code: str, seconds: float) -> Call:
        read = tokens.of_turns(self.request.turns)
        return Call(
            **_asker(self.principal),
            purpose="reply",
            model=self.model.pk,
            model_name=self.model.name,
            route=self.route,
            counts=self.counts,
            estimates=Usage(read, tokens.estimate(self.text) + tokens.estimate(self.reasoning)),
            seconds=seconds,
            outcome=outcome,
            code=code,
        )


@dataclass(frozen=True)
class _Checked:
    """A request that may be made. `sees`: some model that may answer takes images."""

    model: Model
    dialogue: list[Spoken]
    sent: Sent
    sees: bool


async def open_unstored(principal: Principal, request: ChatRequest) -> Unstored:
    """Raises what a stored one would. What is set aside for it is given back by its events' end, or by `close`."""
    checked = await offload(_check, principal, request)
    files = await examine_files(checked.dialogue, checked.sent)
    beginning = asyncio.ensure_future(offload(_begun, principal, request, checked, files))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:  # the client has gone: what is set aside meanwhile is given back
        beginning.add_done_callback(_give_back)
        raise


def _give_back(beginning: "asyncio.Future[Unstored]") -> None:
    if not beginning.cancelled() and not beginning.exception():
        beginning.result().close()


def _check(principal: Principal, request: ChatRequest) -> _Checked:
    principal.require("messages:write")
    model = find_model(principal, request.model)
    dialogue, sent = request.dialogue()
    return _Checked(model, dialogue, sent, bool(sent) and Model.objects.one_sees(model.pk))


def _begun(
    principal: Principal, request: ChatRequest, checked: _Checked, files: Mapping[int, list[Examined]]
) -> Unstored:
    unstored = Unstored(principal, checked.model, _request(principal, request, checked, files))
    asked = Asked(
        message=unstored.reply_id,
        **_asker(principal),
        model=checked.model,
        input_tokens=lambda: tokens.of_turns(unstored.request.turns),
        params=request.params,
    )
    unstored.is_reserved = begin_unstored(asked, principal.integration)
    return unstored


def _asker(principal: Principal) -> dict[str, Any]:
    return {
        "workspace": principal.workspace.id,
        "user": principal.user.id if principal.user else None,
        "integration": principal.integration.id if principal.integration else None,
    }


def _request(
    principal: Principal, request: ChatRequest, checked: _Checked, files: Mapping[int, list[Examined]]
) -> ModelRequest:
    shown = {each.attachment.id: each for row in files.values() for each in row}
    messages = {
        place: Message(id=uuid7(), author=Message.Author.USER, text=checked.dialogue[place].text)
        for place in files
    }
    reader = Reader(
        room_for_reading(checked.model.context_window, checked.model.max_output, request.params),
        {messages[place].id: [each.attachment for each in row] for place, row in files.items()},
        sees=checked.sees,
        look=lambda file: shown[file.id].shown,
    )
    turns = [
        (reader.turn(messages[place]) if place in messages else None) or _turn(spoken)
        for place, spoken in reversed(list(enumerate(checked.dialogue)))
    ]
    return ModelRequest(
        model="",
        turns=tuple(reversed(turns)),
        params=request.params,
        user=str(principal.user.id) if principal.user else "",
        left_out=tuple(sorted(reader.left_out)),
    )


def _turn(spoken: Spoken) -> Turn:
    role: Role = spoken.role  # type: ignore[assignment]
    calls = tuple(ToolCall(**call) for call in spoken.calls)
    return Turn(role, spoken.text, calls=calls, answers=spoken.call)
