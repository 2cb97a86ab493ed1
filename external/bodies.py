"""What integrations send to the API. Whether it may be done, the intake decides."""

import json
import uuid
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    StrictBool,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from chatcore.bodies import Body
from chatcore.problems import BRANCH
from conversations.bodies import ABSENT, Content, ModelName, Params, Title
from external.items import (
    MAX_ATTACHMENTS,
    MAX_EXTERNAL_ID,
    MAX_METADATA_BYTES,
    MAX_METADATA_KEYS,
    MAX_THREAD,
    AttachmentSource,
    IntakeItem,
    Respond,
)
from external.selectors import IdentitySelector, UserSelector

MAX_BATCH = 100
PLAIN, NAMED = BRANCH + "plain", BRANCH + "named"
Text = Annotated[str, Field(max_length=254)]


class ThreadName(Body):
    """A conversation by your own name for it. It is opened by its first message."""

    EXAMPLE = {"thread": "db-3"}

    thread: str = Field(min_length=1, max_length=MAX_THREAD)


class UserName(Body):
    """A user by one or more of these; all of them must be of the same one."""

    EXAMPLE = {"email": "mara@example.com"}

    id: uuid.UUID = ABSENT
    email: Text = ABSENT
    username: Text = ABSENT


class Handle(Body):
    """A handle on a channel, for example a telephone number."""

    EXAMPLE = {"channel": "sms", "value": "+43 660 1234567"}

    channel: Annotated[str, Field(max_length=40)]
    value: Text


class Responder(Body):
    """Who replies."""

    EXAMPLE = {"model": "demo"}

    model: ModelName


class AttachedFile(Body):
    """A file that comes with the message: its bytes, or an address from which it is fetched afterwards."""

    EXAMPLE = {"url": "https://example.com/disk.png", "name": "disk.png", "type": "image/png"}

    name: Annotated[str, Field(max_length=200)]
    type: Annotated[str, Field(max_length=100)] = ABSENT
    data: str = Field(ABSENT, description="In base64, or as a data: URL.")
    url: Annotated[str, Field(max_length=2_000)] = ABSENT


def _kind(value: Any) -> str:
    return NAMED if isinstance(value, dict | Body) else PLAIN


def _id_or_hint(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
    """Whoever sends their own name for a thread as an id is told how it is sent."""
    try:
        return inner(value)
    except ValidationError:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_THREAD:
            raise
        told = json.dumps({"thread": value}, ensure_ascii=False).encode(errors="replace").decode()
        name = {"name": told}
        raise PydanticCustomError(
            "uuid_parsing",
            "must be the id of a conversation; your own name for a thread is sent as {name}",
            name,
        ) from None


Place = Annotated[
    Annotated[uuid.UUID, WrapValidator(_id_or_hint), Tag(PLAIN)] | Annotated[ThreadName, Tag(NAMED)],
    Discriminator(_kind),
]
Answer = Annotated[
    Annotated[Literal["default", "none"], Tag(PLAIN)] | Annotated[Responder, Tag(NAMED)],
    Discriminator(_kind),
]


class NewExternalMessage(Body):
    """A message from outside. Only its content must be given."""

    EXAMPLE = {
        "content": "Disk 93 % full on db-3",
        "external_id": "alert-8841",
        "conversation": {"thread": "db-3"},
        "title": "db-3 alerts",
        "metadata": {"source": "prometheus"},
    }

    content: Content
    external_id: str = Field(
        ABSENT,
        min_length=1,
        max_length=MAX_EXTERNAL_ID,
        description="Your own id of the message. What comes again under the same one is stored once.",
    )
    conversation: Place | None = Field(
        ABSENT,
        description="Where it goes: an id, or your name for a thread. Else to the one that is open for its user.",
    )
    title: Title = Field(ABSENT, description="Of the conversation, if the message opens one.")
    user: UserName | None = Field(ABSENT, description="Whose message it is; else your integration's user.")
    identity: Handle | None = Field(ABSENT, description="Whose message it is, by a verified handle.")
    respond: Answer = Field(
        ABSENT,
        description="Who replies: `default`, the conversation's model or the default one; `none`; or a model.",
    )
    metadata: dict[str, Any] = Field(
        ABSENT,
        description=f"Kept with the message; at most {MAX_METADATA_KEYS} keys, "
        f"{MAX_METADATA_BYTES // 1024} KiB as JSON, three levels.",
    )
    attachments: list[AttachedFile] = Field(ABSENT, max_length=MAX_ATTACHMENTS)
    params: Params = ABSENT
    hops: int = Field(
        ABSENT, ge=0, le=1_000, description="How many systems it has passed; also in Chatcore-Hops."
    )

    def item(self, *, hops: int = 0, heard: uuid.UUID | None = None, source: str = "api") -> IntakeItem:
        """`hops` and `heard`: of the request's headers. The higher of both counts of hops."""
        place = self.conversation
        return IntakeItem(
            content=self.content,
            external_id=self.external_id,
            conversation=place if isinstance(place, uuid.UUID) else None,
            thread=place.thread if isinstance(place, ThreadName) else None,
            title=self.title or "",
            user=UserSelector(**self.user.model_dump()) if self.user else None,
            identity=IdentitySelector(**self.identity.model_dump()) if self.identity else None,
            respond=self._respond(),
            metadata=self.metadata or {},
            attachments=tuple(
                AttachmentSource(file.name, file.type or "", file.data, file.url)
                for file in self.attachments or ()
            ),
            params=self.params or {},
            hops=max(self.hops or 0, hops),
            heard=heard,
            source=source,
        )

    def _respond(self) -> Respond:
        if isinstance(self.respond, Responder):
            return Respond("model", self.respond.model)
        return Respond(self.respond or "default")


class NewBatch(Body):
    """Messages to accept in this order. Each is judged by itself unless all or nothing is wished for."""

    EXAMPLE = {"items": [NewExternalMessage.EXAMPLE], "atomic": False}

    items: list[Any] = Field(
        min_length=1,
        max_length=MAX_BATCH,
    )
    atomic: StrictBool = Field(False, description="true: all are stored or none.")
