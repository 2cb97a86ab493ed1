"""What OpenAI's clients send: https://platform.openai.com/docs/api-reference/chat/create."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatcore import texts
from chatcore.errors import FieldProblem, Invalid
from chatcore.llm import parameters
from chatcore.problems import pydantic_problem
from conversations.actions.dialogues import Spoken
from conversations.texts import MAX_MODEL_NAME_LENGTH, MAX_PARAMS_KEYS

MOST_MESSAGES = 1_000
LONGEST_TEXT = 1_000_000  # characters: prompts of programs are longer than what people type
PARAMS_DEPTH = 32  # of the schemas of tools
NOT_PARAMETERS = {"model", "messages", "stream", "stream_options", "store", "metadata", "user", "n"}


class Part(BaseModel):
    """A piece of a message's content."""

    type: str
    text: str = ""


class Function(BaseModel):
    name: str = Field(max_length=200)
    arguments: str = ""


class Call(BaseModel):
    id: str = Field(max_length=200)
    function: Function


class ChatMessage(BaseModel):
    """One message of the dialogue. `developer` is the newer name of `system`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str = Field("", max_length=200)

    def spoken(self, pointer: str) -> Spoken:
        text = self.content if isinstance(self.content, str) else _joined(self.content or (), pointer)
        texts.checked_text(text, f"{pointer}/content", limit=LONGEST_TEXT, required=False)
        calls = [
            {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
            for call in self.tool_calls or ()
        ]
        role = "system" if self.role == "developer" else self.role
        if role == "tool" and not self.tool_call_id:
            raise texts.refused(
                f"{pointer}/tool_call_id", "must name the call that this is the result of", "missing"
            )
        return Spoken(role, text, calls, self.tool_call_id if role == "tool" else "")


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """A request for a completion. Fields beyond these are parameters of the model, and unknown ones are dropped."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, max_length=MAX_MODEL_NAME_LENGTH)
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    store: bool | None = True
    metadata: dict[str, Any] | None = None
    user: str | None = Field(None, max_length=200)
    n: int | None = 1

    @property
    def dialogue(self) -> list[Spoken]:
        return [message.spoken(f"/messages/{at}") for at, message in enumerate(self.messages)]

    @property
    def params(self) -> dict[str, Any]:
        """Those Chatcore knows. Of what a model does not know its reply says that it was dropped."""
        given = parameters.known(self.model_extra or {})
        texts.checked_object(given, "", most_keys=MAX_PARAMS_KEYS, depth=PARAMS_DEPTH)
        parameters.check(given, "")
        return given


def read_request(body: Any) -> ChatRequest:
    """Raises Invalid, with a pointer to each field that cannot be accepted."""
    try:
        request = ChatRequest.model_validate(body)
    except ValidationError as error:
        raise pydantic_problem(_plain(error)) from None
    if request.n not in (None, 1):
        detail = "One completion is made for each request: ask several times, or compare models at /api/v1/."
        raise Invalid(detail, errors=[FieldProblem("/n", detail, "unsupported_value")])
    return request


def _plain(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _joined(parts: Sequence[Part], pointer: str) -> str:
    for at, part in enumerate(parts):
        if part.type not in ("text", "refusal"):
            detail = f"Parts of the type {part.type!r} are not taken here: send text."
            raise Invalid(
                detail, errors=[FieldProblem(f"{pointer}/content/{at}", detail, "unsupported_value")]
            )
    return "\n".join(part.text for part in parts)
