"""What clients send to the API, the same at its DRF and its Ninja half. Whether it may be done, the actions decide."""

import uuid
from typing import Annotated, Any, ClassVar, Literal

from django.conf import settings
from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
)

from chatcore.bodies import Body
from conversations.actions.comparisons import FEWEST, MOST
from conversations.texts import MAX_MODEL_NAME_LENGTH, MAX_TITLE_LENGTH, checked_model_name

Title = Annotated[str, Field(max_length=MAX_TITLE_LENGTH)]
ModelName = Annotated[str, Field(max_length=MAX_MODEL_NAME_LENGTH), AfterValidator(checked_model_name)]
Params = Annotated[
    dict[str, Any],
    Field(description="Model parameters, for example temperature; those a model does not know are left out."),
]
Content = Annotated[
    str,
    Field(
        min_length=1, description=f"The text, in Markdown; at most {settings.MAX_TEXT_LENGTH:,} characters."
    ),
]
ABSENT: Any = None


class NewConversation(Body):
    """A conversation to start. Every field may be left out."""

    EXAMPLE = {"title": "Plan a trip", "system": "Answer in one sentence."}

    title: Title = Field(ABSENT, description="Left out: taken from the first message, later from a model.")
    model: ModelName | None = Field(ABSENT, description="A name from /api/v1/models/; null: the default.")
    system: str = Field(ABSENT, description="Instructions every reply follows.")
    params: Params = ABSENT


class ConversationChanges(Body):
    """What to change; what is not named stays."""

    EXAMPLE = {"title": "Kyoto in April", "pinned": True}

    title: Title = ABSENT
    model: ModelName | None = Field(ABSENT, description="A name from /api/v1/models/; null: the default.")
    system: str = Field(ABSENT, description="Instructions every reply follows.")
    params: Params = ABSENT
    archived: StrictBool = Field(ABSENT, description="Out of your open list; it stays in those of others.")
    pinned: StrictBool = Field(ABSENT, description="On top of your list.")


class Question(Body):
    """A message that wants a reply."""

    EXAMPLE = {"content": "What is new?"}

    content: Content
    model: ModelName | None = Field(
        ABSENT,
        description="Who replies: a name from /api/v1/models/; else the conversation's, else the default.",
    )
    models: list[ModelName] = Field(
        ABSENT,
        min_length=FEWEST,
        max_length=MOST,
        description="Several that reply side by side, in place of `model`: different names from /api/v1/models/.",
    )
    parent: uuid.UUID | None = Field(
        ABSENT,
        description="The message to write below: left out, the end of the active branch; null, a new beginning.",
    )
    params: Params = ABSENT
    attachments: list[uuid.UUID] = Field(
        ABSENT,
        max_length=settings.ATTACHMENTS_PER_MESSAGE,
        description="Files to go with it, in order: ids from POST /api/v1/attachments/ that no message has yet.",
    )
    client_id: uuid.UUID | None = Field(
        ABSENT, description="An id of your own making. What comes again under the same one is stored once."
    )

    def wishes(self) -> dict[str, Any]:
        """As `post_message` takes them."""
        given = self.given()
        return {"text": given.pop("content"), **given}


class NewMessage(Question):
    """A message to store."""

    EXAMPLE = {"content": "The build of release 7 failed.", "respond": False}

    respond: StrictBool = Field(ABSENT, description="false: store the message, ask no model.")


class NewAttachment(Body):
    """A form of one part."""

    EXAMPLE = {"file": "(the bytes)"}

    file: bytes = Field(json_schema_extra={"format": "binary"}, description="The file, with its name.")


class EditedMessage(Body):
    """The same message in other words."""

    EXAMPLE = {"content": "What is new in Kyoto?"}

    content: Content
    model: ModelName | None = Field(
        ABSENT, description="Who replies; else those that were compared, else as for a new message."
    )
    models: list[ModelName] = Field(
        ABSENT, min_length=FEWEST, max_length=MOST, description="Several that reply side by side."
    )

    def wishes(self) -> dict[str, Any]:
        """As `edit_message` takes them."""
        given = self.given()
        return {"text": given.pop("content"), **given}


class TypingBody(Body):
    """Whether you are writing."""

    EXAMPLE = {"on": True}

    on: StrictBool


class AcknowledgementBody(Body):
    """What has become of the message, and of all before it in its conversation."""

    EXAMPLE = {"state": "read"}

    state: Literal["delivered", "read"]


class ModelChoice(Body):
    """Which model shall make it; without one, or without a body, the one that made it before."""

    EXAMPLE: ClassVar[dict[str, Any]] = {}

    model: ModelName | None = ABSENT
