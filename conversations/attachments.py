"""Attachments: stored before their message, attached in the transaction that posts it, deleted with it."""

import fnmatch
import hashlib
import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from chatcore import texts
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, NotFound
from chatcore.ids import uuid7
from chatcore.llm.contents import TOKENS_PER_IMAGE
from chatcore.llm.tokens import BYTES_PER_TOKEN
from conversations import documents, pictures
from conversations.errors import AlreadySent, FileRefused, FileTooLarge, TooManyWaiting
from conversations.file_types import clean_name, type_of
from conversations.models import Attachment, Message

WRITE = "messages:write"
MOST_WAITING = 100
WAITING_FOR = timedelta(days=1)
IMAGE_WEIGHT = TOKENS_PER_IMAGE * BYTES_PER_TOKEN


def store(principal: Principal, *, name: str, media_type: str, content: bytes) -> Attachment:  # noqa: ARG001
    """A file that waits for its message. What it is, its bytes say: `media_type` and the name's end are not believed.

    Call it outside of a transaction, and not on the event loop: it decodes the file, which may take seconds. Raises
    FileTooLarge, FileRefused, TooManyWaiting.
    """
    principal.require_any(WRITE)
    if Attachment.objects.waiting_of(principal).count() >= MOST_WAITING:
        raise TooManyWaiting
    examined = examine(name, content)
    row = examined.attachment
    row.workspace, row.user, row.integration = principal.workspace, principal.user, principal.integration
    _keep(examined)
    return row


class Examined(NamedTuple):
    """A file as it would be kept: a row that is nobody's yet, its bytes, and those of its preview if it has one."""

    attachment: Attachment
    content: bytes
    preview: bytes

    @property
    def shown(self) -> tuple[bytes, str]:
        """As `preview_of` a stored one."""
        content = self.preview or self.content
        return content, type_of(content, self.attachment.name)


def examine(name: str, content: bytes) -> Examined:
    """What the file is and says; nothing is stored. Raises FileTooLarge, FileRefused. It may take seconds."""
    if len(content) > settings.ATTACHMENT_MAX_BYTES:
        raise FileTooLarge(f"The file is larger than {settings.ATTACHMENT_MAX_BYTES:,} bytes.")
    found = type_of(content, name) if content else ""
    if not content:
        raise _refused("is empty", "empty")
    if not found or not any(fnmatch.fnmatchcase(found, allowed) for allowed in settings.ATTACHMENT_TYPES):
        raise _refused(f"is of a type that is not taken here ({found or 'unknown'})", "type")
    attachment, preview = Attachment(id=uuid7(), name=clean_name(name, found), media_type=found), b""
    try:
        if attachment.is_image:
            picture = pictures.drawn_anew(content, found)
            attachment.width, attachment.height = picture.width, picture.height
            attachment.weight = IMAGE_WEIGHT
            content, preview = picture.content, picture.preview
        else:
            attachment.text, attachment.is_cut = documents.text_of(content, found)
            attachment.weight = len(attachment.text.encode())
    except (pictures.NotAPicture, documents.NotADocument) as error:
        raise _refused(str(error), "unreadable") from None
    attachment.size, attachment.sha256 = len(content), hashlib.sha256(content).hexdigest()
    return Examined(attachment, content, preview)


def attach(
    message: Message,
    attachments: Sequence[Attachment | uuid.UUID],
    principal: Principal,
    positions: Sequence[int] = (),
) -> None:
    """Give the message these files, in this order or in these places, in the transaction that posts it.

    Raises Invalid for one that is unknown, somebody else's or sent already, and for too many.
    """
    ids = [each.id if isinstance(each, Attachment) else each for each in attachments]
    if len(ids) > settings.ATTACHMENTS_PER_MESSAGE:
        raise texts.refused(
            "/attachments", f"has more than {settings.ATTACHMENTS_PER_MESSAGE} files", "too_many"
        )
    waiting = Attachment.objects.waiting_of(principal).select_for_update(no_key=True, of=["self"])
    found = {row.id: row for row in waiting.filter(id__in=ids).order_by("id")} if ids else {}
    for position, each in enumerate(ids):
        row = found.pop(each, None)
        if row is None:
            pointer, detail = f"/attachments/{position}", "is no file of yours that waits for a message"
            raise texts.refused(pointer, detail, "unknown_attachment")
        row.message, row.position = message, positions[position] if positions else position
        row.save(update_fields=["message", "position"])


def attach_again(message: Message, source: uuid.UUID) -> None:
    """Give the message the files of another one, which keeps them."""
    for row in Attachment.objects.filter(message=source):
        row.pk, row.message = uuid7(), message
        row.save(force_insert=True)


def attachments_of(message: Message) -> list[Attachment]:
    """In order. A reply has none, and is not asked for them. On the event loop they must have been prefetched."""
    return [] if message.is_reply else list(message.attachments.all())


def has_none(message: Message) -> None:
    """Known of a message that was just written without any: nobody has to ask."""
    message.__dict__.setdefault("_prefetched_objects_cache", {})["attachments"] = _nothing()


@cache
def _nothing() -> Any:
    nothing: Any = Attachment.objects.none()
    nothing._result_cache = []  # as a prefetch leaves it
    return nothing


def find_attachment(
    principal: Principal, attachment_id: uuid.UUID, grant: str = "messages:read"
) -> Attachment:
    principal.require_any(grant)
    allowed = Attachment.objects.for_principal(principal, grant)
    found: Attachment | None = allowed.filter(id=attachment_id).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def delete_attachment(principal: Principal, attachment_id: uuid.UUID) -> None:
    """One that has not been sent."""
    found = find_attachment(principal, attachment_id, WRITE)
    row = Attachment.objects.select_for_update(no_key=True).get(id=found.id)
    if row.message_id is not None:
        raise AlreadySent
    row.delete()


def content_of(attachment: Attachment) -> bytes:
    """Raises NotFound where the storage has lost it."""
    return _read(attachment.file)


def preview_of(attachment: Attachment) -> tuple[bytes, str]:
    """An image small enough for pages and models, and its media type."""
    content = _read(attachment.preview or attachment.file)
    return content, type_of(content, attachment.name)


def _read(name: str) -> bytes:
    try:
        with default_storage.open(name) as file:
            content: bytes = file.read()
    except FileNotFoundError:
        raise NotFound from None
    return content


def _keep(examined: Examined) -> None:
    """Its files first, so that a row never lacks them; without the row they go again."""
    attachment, content, preview = examined
    place = f"attachments/{attachment.sha256[:2]}/{attachment.id}"
    try:
        attachment.file = default_storage.save(place, ContentFile(content))
        if preview:
            attachment.preview = default_storage.save(f"{place}-preview", ContentFile(preview))
        attachment.save(force_insert=True)
    except BaseException:
        for name in files_of(attachment):
            default_storage.delete(name)
        raise


def sweep_waiting() -> int:
    """Delete those that no message has taken within a day; returns how many."""
    old = Attachment.objects.filter(message=None, created_at__lt=Now() - WAITING_FOR)
    count: int = old.delete()[0]
    return count


def files_of(attachment: Attachment) -> list[str]:
    """Their names in the storage."""
    return [name for name in (attachment.file, attachment.preview) if name]


def remove_file(name: str) -> None:
    """Delete it from the storage, unless a row has it still."""
    if not Attachment.objects.filter(file=name.removesuffix("-preview")).exists():
        default_storage.delete(name)


def _refused(detail: str, code: str) -> FileRefused:
    return FileRefused(f"The file {detail}.", errors=[FieldProblem("/file", detail, code)])
