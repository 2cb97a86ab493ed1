"""What a model reads of a branch's messages: their texts, their documents as text, their images as they are."""

import base64
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chatcore.errors import NotFound
from chatcore.llm import tokens
from chatcore.llm.types import Image, Role, ToolCall, Turn
from conversations.attachments import preview_of
from conversations.models import Attachment, Message

DOCUMENTS = "documents"
DOCUMENTS_SHARE = 0.5  # of the room, for those of one message
MOST_IMAGES = 20
MOST_IMAGE_BYTES = 12 * 1024 * 1024  # vendors take about 20 MB, written in base64


@dataclass
class Reader:
    """Makes turns for a model that has `room` for so many tokens, as we estimate them. `left_out` names what it could
    not be given.

    It reads files, and by `look` those of images: not on the event loop. Of images it takes the newest, so messages are
    given to it from the end.
    """

    room: int
    files: Mapping[uuid.UUID, Sequence[Attachment]]
    sees: bool
    left_out: set[str] = field(default_factory=set)
    look: Callable[[Attachment], tuple[bytes, str]] = preview_of
    _images_left: int = field(default_factory=lambda: MOST_IMAGES)
    _bytes_left: int = MOST_IMAGE_BYTES

    def turn(self, message: Message) -> Turn | None:
        """None: it says nothing."""
        files = self.files.get(message.id, ())
        calls = tuple(ToolCall(**call) for call in message.tool_calls)
        if message.tool_call:
            return Turn("tool", message.text, answers=message.tool_call)
        if not message.text.strip() and not files and not calls:
            return None
        text = "\n\n".join([*([message.text] if message.text.strip() else []), *self._documents(files)])
        if message.author == Message.Author.INTEGRATION and message.integration:
            text = f"[message from {message.integration.name}]\n{text}"
        return Turn(_role(message), text, tuple(self._image(file) for file in files if file.is_image), calls)

    def _documents(self, files: Sequence[Attachment]) -> Iterator[str]:
        """Each between marks with its id, which whoever wrote it could not know."""
        documents = [file for file in files if not file.is_image]
        share = int(self.room * DOCUMENTS_SHARE) // max(len(documents), 1)
        for file in documents:
            shown = tokens.beginning(file.text, share)
            if not shown or len(shown) < len(file.text) or file.is_cut:
                self.left_out.add(DOCUMENTS)
            note = _note(file, shown)
            yield f"[document {file.id}: {file.name}{note}]\n{shown}\n[end of document {file.id}]"

    def _image(self, file: Attachment) -> Image:
        if not self.sees or self._images_left <= 0 or self._bytes_left <= 0:
            return Image(file.name)
        try:
            content, media_type = self.look(file)
        except NotFound:
            return Image(file.name)
        self._images_left -= 1
        self._bytes_left -= len(content)
        return Image(file.name, f"data:{media_type};base64,{base64.b64encode(content).decode()}")


def _note(file: Attachment, shown: str) -> str:
    if not file.text:
        return ", of which no text could be read"
    if len(shown) == len(file.text) and not file.is_cut:
        return ""
    whole = f"more than {len(file.text):,}" if file.is_cut else f"{len(file.text):,}"
    return f", the first {len(shown):,} of {whole} characters"


def _role(message: Message) -> Role:
    if message.is_reply:
        return "assistant"
    return "system" if message.author == Message.Author.SYSTEM else "user"
