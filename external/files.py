"""Files that come with messages from outside: as their bytes, or by addresses from which they are fetched later."""

import base64
import binascii
import uuid
from collections.abc import Iterable

from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem
from chatcore.security.outbound import AddressRefused, check_url
from chatcore.texts import refused
from conversations.attachments import store
from external.fetching import defer_fetch
from external.items import AttachmentSource


def store_files(principal: Principal, sources: Iterable[AttachmentSource]) -> tuple[uuid.UUID, ...]:
    """Store those that bring their bytes, before their message's transaction. Raises Invalid, pointing at the file."""
    found = [(source, _bytes_of(source, f"/attachments/{place}")) for place, source in enumerate(sources)]
    return tuple(
        store(principal, name=source.name, media_type=source.media_type, content=content).id
        for source, content in found
        if content is not None
    )


def fetch_files(message_id: uuid.UUID, sources: Iterable[AttachmentSource]) -> None:
    """Have those with addresses fetched and attached, once the message is committed."""
    for place, source in enumerate(sources):
        if source.url is not None:
            defer_fetch(message_id, source.url, source.name, source.media_type, position=place)


def places_of_bytes(sources: Iterable[AttachmentSource]) -> list[int]:
    """The places, among all files of the message, of those that `store_files` stores."""
    return [place for place, source in enumerate(sources) if source.url is None]


def decoded(text: str, pointer: str) -> bytes:
    """The bytes that a data URL, or Base64 alone, stands for. Raises Invalid."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise refused(pointer, "must be a data URL in base64", "type")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refused(pointer, "must be in base64", "type") from None


def _bytes_of(source: AttachmentSource, pointer: str) -> bytes | None:
    """None: it is fetched."""
    if (source.data is None) == (source.url is None):
        raise refused(pointer, "must have either data or url", "contradiction")
    if source.url is not None:
        _check_address(source.url, f"{pointer}/url")
        return None
    return decoded(source.data or "", f"{pointer}/data")


def _check_address(url: str, pointer: str) -> None:
    try:
        check_url(url)
    except AddressRefused as error:
        raise AddressRefused(errors=[FieldProblem(pointer, error.detail, error.code)]) from None
