"""What OpenAI's clients send: https://platform.openai.com/docs/api-reference/chat/create."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatcore import texts
from chatcore.errors import FieldProblem, Invalid, TooLarge
from chatcore.llm import parameters
from chatcore.problems import pydantic_problem, read_json
from conversations.actions.dialogues import Spoken
from conversations.texts import MAX_MODEL_NAME_LENGTH, MAX_PARAMS_KEYS
from external.openai.files import SentFile

MOST_MESSAGES = 1_000
LONGEST_TEXT = 1_000_000  # characters: prompts of programs are longer than what people type
PARAMS_DEPTH = 32  # of the schemas of tools
MOST_FILES = 50
MOST_BYTES = 32 * 1024 * 1024  # of a body with files; without them it is as long as any other
_FILE = re.compile(rb'(?:;base64,|"file_data"\s*:\s*")[A-Za-z0-9+/=\\]+')  # as JSON may write it


class ImageUrl(BaseModel):
    """A data URL, or the address of a picture."""

    url: str


class File(BaseModel):
    """A document: a data URL or Base64 alone."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str = Field("", max_length=255)


class Part(BaseModel):
    """A piece of a message's content."""

    type: str
    text: str = ""
    image_url: ImageUrl | None = None
    file: File | None = None

    def sent(self, pointer: str) -> SentFile | None:
        """The file it is; None for a text. Raises Invalid for anything else."""
        if self.type in ("text", "refusal"):
            return None
        if self.type == "image_url" and self.image_url:
            pointer = f"{pointer}/image_url/url"
            if not self.image_url.url.startswith(("data:", "http://", "https://")):
                raise texts.refused(pointer, "must be a data URL, or an address with http or https", "type")
            return SentFile("", self.image_url.url, pointer, is_picture=True)
        if self.type == "file" and self.file:
            if not self.file.file_data:
                pointer = f"{pointer}/file"
                raise texts.refused(
                    pointer, "must have file_data: no files are kept beforehand here", "missing"
                )
            texts.checked_text(self.file.filename, f"{pointer}/file/filename", required=False)
            return SentFile(
                self.file.filename, self.file.file_data, f"{pointer}/file/file_data", is_picture=False
            )
        detail = f"Parts of the type {self.type!r} are not taken like this: send text, image_url or file."
        raise Invalid(detail, errors=[FieldProblem(pointer, detail, "unsupported_value")])


class Function(BaseModel):
    name: str = Field(max_length=200)
    arguments: str = ""


class Call(BaseModel):
    id: str = Field(max_length=200)
    function: Function

    def written(self, pointer: str) -> dict[str, str]:
        """As Message.tool_calls has it."""
        written = {"id": self.id, "name": self.function.name, "arguments": self.function.arguments}
        for name, text in written.items():
            place = pointer if name == "id" else f"{pointer}/function"
            texts.checked_text(text, f"{place}/{name}", limit=LONGEST_TEXT, required=False)
        return written


class ChatMessage(BaseModel):
    """One message of the dialogue. `developer` is the newer name of `system`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str = Field("", max_length=200)

    def spoken(self, pointer: str, sent: dict[str, SentFile]) -> Spoken:
        """Its files are added to `sent`."""
        parts = self.content if isinstance(self.content, list) else []
        text = self.content if isinstance(self.content, str) else "\n".join(part.text for part in parts)
        files = self._files(parts, f"{pointer}/content")
        sent.update(files)
        texts.checked_text(text, f"{pointer}/content", limit=LONGEST_TEXT, required=False)
        calls = [call.written(f"{pointer}/tool_calls/{at}") for at, call in enumerate(self.tool_calls or ())]
        texts.checked_text(self.tool_call_id, f"{pointer}/tool_call_id", required=False)
        role = "system" if self.role == "developer" else self.role
        if role == "tool" and not self.tool_call_id:
            raise texts.refused(
                f"{pointer}/tool_call_id", "must name the call that this is the result of", "missing"
            )
        return Spoken(role, text, calls, self.tool_call_id if role == "tool" else "", tuple(files))

    def _files(self, parts: Sequence[Part], pointer: str) -> dict[str, SentFile]:
        found = [file for at, part in enumerate(parts) if (file := part.sent(f"{pointer}/{at}"))]
        if found and self.role != "user":
            raise texts.refused(found[0].pointer, "must be in a message of the user", "unsupported_value")
        if len(found) > settings.ATTACHMENTS_PER_MESSAGE:
            raise texts.refused(
                pointer, f"has more than {settings.ATTACHMENTS_PER_MESSAGE} files", "too_many"
            )
        return {file.digest: file for file in found}


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

    def dialogue(self) -> tuple[list[Spoken], dict[str, SentFile]]:
        """What was said, and the files that it names by their digests. It looks at every byte of them."""
        sent: dict[str, SentFile] = {}
        spoken = [message.spoken(f"/messages/{at}", sent) for at, message in enumerate(self.messages)]
        if sum(len(one.files) for one in spoken) > MOST_FILES:
            raise texts.refused("/messages", f"have more than {MOST_FILES} files", "too_many")
        last = spoken[-1]
        if last.role == "user" and not last.text.strip() and not last.files:
            raise texts.refused(f"/messages/{len(spoken) - 1}", "says nothing to reply to", "empty")
        return spoken, sent

    @property
    def conversation(self) -> str:
        """As the client names it; empty: it does not."""
        return str((self.metadata or {}).get("conversation") or "") or self.user or ""

    @property
    def is_plain(self) -> bool:
        """Nothing but text, none of it by the model."""
        return not any(
            message.role == "assistant" or isinstance(message.content, list) for message in self.messages
        )

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def params(self) -> dict[str, Any]:
        """Those Chatcore knows. Of what a model does not know its reply says that it was dropped."""
        given = parameters.known(self.model_extra or {})
        texts.checked_object(given, "", most_keys=MAX_PARAMS_KEYS, depth=PARAMS_DEPTH)
        parameters.check(given, "")
        return given


def read_request(content: bytes) -> ChatRequest:
    """Raises Invalid, with a pointer to each field that cannot be accepted, Malformed and TooLarge."""
    if len(content) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        words = len(content) - sum(len(found[0]) for found in _FILE.finditer(content))
        if words > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
    body = read_json(content, most_bytes=MOST_BYTES)
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
