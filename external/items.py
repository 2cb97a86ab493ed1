"""One message from outside, before it is accepted, and what it may hold at most."""

import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from chatcore import rows, texts
from conversations.texts import checked_model_name, checked_params, checked_text, checked_title
from external.errors import LoopDetected
from external.models import IntakePolicy
from external.resolving import IdentitySelector, Selectors, UserSelector

MAX_EXTERNAL_ID = 200
MAX_THREAD = 200
MAX_HOPS = 5
MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_KEYS = 50
MAX_ATTACHMENTS = 10


@dataclass(frozen=True)
class Respond:
    """Who replies: the conversation's or the default model, nobody, or the model of that name."""

    kind: Literal["default", "none", "model"] = "default"
    model: str = ""


@dataclass(frozen=True)
class AttachmentSource:
    """A file that comes with a message: its bytes in base64 (or a data URL), or an address to fetch it from."""

    name: str
    media_type: str = ""
    data: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class IntakeItem:
    """A message to accept. `thread` names a conversation by the sender's word, `conversation` by its id.

    `hops` counts the systems it has passed, `source` is the door. `heard` is the delivery of ours that it came with.
    """

    content: str
    external_id: str | None = None
    conversation: uuid.UUID | None = None
    thread: str | None = None
    title: str = ""
    user: UserSelector | None = None
    identity: IdentitySelector | None = None
    respond: Respond = Respond()
    metadata: dict[str, Any] = field(default_factory=dict)
    attachments: tuple[AttachmentSource, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    hops: int = 0
    heard: uuid.UUID | None = None
    source: str = "api"

    def selectors(self, token: str | None) -> Selectors:
        return Selectors(token, self.user, self.identity, self.conversation)

    def closes(self, policy: IntakePolicy) -> bool:
        """Whether it is the word that ends its conversation."""
        word = policy.close_word.strip().casefold()
        return bool(word) and self.content.strip().casefold() == word


def check(item: IntakeItem) -> None:
    """Raises Invalid, pointing at the field, or LoopDetected."""
    if item.hops > MAX_HOPS:
        raise LoopDetected(
            f"The message has passed {item.hops} systems; after {MAX_HOPS} it is taken for a circle."
        )
    checked_text(item.content)
    if item.external_id is not None:
        checked_text(item.external_id, "/external_id", limit=MAX_EXTERNAL_ID)
    if item.thread is not None:
        checked_text(item.thread, "/conversation/thread", limit=MAX_THREAD)
    if item.title:
        checked_title(item.title)
    if item.respond.kind == "model":
        checked_model_name(item.respond.model, "/respond/model")
    checked_params(item.params)
    _check_metadata(item.metadata)
    if len(item.attachments) > MAX_ATTACHMENTS:
        raise texts.refused("/attachments", f"has more than {MAX_ATTACHMENTS} files", "too_many")


def _check_metadata(metadata: dict[str, Any]) -> None:
    texts.checked_object(metadata, "/metadata", most_keys=MAX_METADATA_KEYS)
    size = len(rows.json_text(metadata).encode()) if metadata else 0
    if size > MAX_METADATA_BYTES:
        detail = f"has {size:,} bytes as JSON; at most {MAX_METADATA_BYTES:,} are taken"
        raise texts.refused("/metadata", detail, "too_large")
