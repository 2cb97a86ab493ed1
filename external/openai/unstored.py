"""A completion of which nothing is kept (`store: false`) but its line in the ledger."""

import contextlib
import dataclasses
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7
from chatcore.llm import routing
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
from chatcore.usage import spending, tokens
from chatcore.usage.actions import Call, record
from chatcore.usage.errors import BudgetExceeded
from conversations.actions import Spoken
from conversations.actions.access import find_model
from conversations.streams import GrowingCalls
from external.openai.requests import ChatRequest
from external.openai.sources import Failed, Told


@dataclass
class Unstored:
    """One call, and what has come of it."""

    principal: Principal
    model: Model
    request: ModelRequest
    reply_id: uuid.UUID = field(default_factory=uuid7)
    conversation_id: uuid.UUID | None = None
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    counts: Usage | None = None
    calls: GrowingCalls = field(default_factory=GrowingCalls)
    route: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tool_calls(self) -> list[dict[str, str]]:
        return self.calls.whole

    @property
    def usage(self) -> dict[str, Any] | None:
        return dataclasses.asdict(self.counts) if self.counts else None

    def close(self) -> None:
        """Nothing is held but the model's answer, which ends with its events."""

    async def events(self) -> AsyncIterator[Told]:
        """What the model says, as it says it. The ledger knows of it however it ends."""
        began, outcome, code = time.monotonic(), "stopped", ""
        answer = routing.answer(
            self.model.pk,
            self.request,
            on_attempt=lambda attempt: self.route.append(dataclasses.asdict(attempt)),
        )
        try:
            async with contextlib.aclosing(answer):
                async for event in answer:
                    self._take(event)
                    yield event
            outcome = "done"
        except ProviderError as error:
            outcome, code = "failed", error.code
            raise Failed({"code": error.code, "detail": error.words, "retryable": error.retryable}) from None
        finally:
            await offload(self._record, outcome, code, time.monotonic() - began)

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

    def _record(self, outcome: str, code: str, seconds: float) -> None:
        read = tokens.estimate_turns(turn.text for turn in self.request.turns)
        call = Call(
            workspace=self.principal.workspace.id,
            user=self.principal.user.id if self.principal.user else None,
            integration=self.principal.integration.id if self.principal.integration else None,
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
        if call.was_made:
            record(call)


def prepare(principal: Principal, request: ChatRequest) -> Unstored:
    """Raises what a stored one would. A budget is only looked at: what the call takes is charged when it has ended."""
    principal.require("messages:write")
    model = find_model(principal, request.model)
    asker = (
        principal.user.id if principal.user else None,
        principal.integration.id if principal.integration else None,
    )
    if spending.is_spent(principal.workspace.id, *asker, model.pk):
        raise BudgetExceeded
    asked = ModelRequest(
        model="",
        turns=tuple(_turn(spoken) for spoken in request.dialogue),
        params=request.params,
        user=str(asker[0] or ""),
    )
    return Unstored(principal, model, asked)


def _turn(spoken: Spoken) -> Turn:
    role: Role = spoken.role  # type: ignore[assignment]
    calls = tuple(ToolCall(**call) for call in spoken.calls)
    return Turn(role, spoken.text, calls=calls, answers=spoken.call)
