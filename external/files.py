"""Files that come with messages from outside, as their bytes."""

import base64
import binascii
import uuid
from collections.abc import Iterable

from chatcore.accounts.principals import Principal
from chatcore.texts import refused
from conversations.attachments import store
from external.items import AttachmentSource


def store_files(principal: Principal, sources: Iterable[AttachmentSource]) -> tuple[uuid.UUID, ...]:
    """Store them before the transaction of their message. Raises Invalid, pointing at the file."""
    found = [(source, _bytes_of(source, place)) for place, source in enumerate(sources)]
    return tuple(
        store(principal, name=source.name, media_type=source.media_type, content=content).id
        for source, content in found
    )


def _bytes_of(source: AttachmentSource, place: int) -> bytes:
    pointer = f"/attachments/{place}"
    if source.data is None:
        raise refused(
            f"{pointer}/data", "must be given: files are not fetched from addresses here", "required"
        )
    text = source.data
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise refused(f"{pointer}/data", "must be a data URL in base64", "type")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refused(f"{pointer}/data", "must be in base64", "type") from None
