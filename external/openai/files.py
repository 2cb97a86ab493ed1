"""Files inside a dialogue: pictures and documents, as their bytes or, of pictures, by addresses."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, FieldProblem
from chatcore.offload import offload
from chatcore.security import outbound
from conversations.actions import Spoken
from conversations.attachments import Examined, delete_attachment, examine, store
from conversations.errors import FileRefused, FileTooLarge
from conversations.file_types import type_of
from external.fetching import REDIRECTS, name_in
from external.files import decoded

FETCHING_SECONDS = 20.0  # for all of one request
FETCHED_BYTES = 32 * 1024 * 1024  # likewise
REFUSALS = (FileRefused, FileTooLarge, outbound.AddressRefused, outbound.OutboundError)
Made = TypeVar("Made")


@dataclass(frozen=True)
class SentFile:
    """`source` is a data URL, Base64, or a picture's address; `pointer` the field that holds it."""

    name: str
    source: str
    pointer: str
    is_picture: bool

    @property
    def has_address(self) -> bool:
        return self.is_picture and self.source.startswith(("http://", "https://"))

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of what was sent: what an address leads to is not looked at."""
        sent = f"{self.name}\n{self.source}"
        return hashlib.sha256(sent.encode("utf-8", "surrogatepass")).hexdigest()


Sent = Mapping[str, SentFile]  # by their digests


async def store_files(
    principal: Principal, spoken: Sequence[Spoken], sent: Sent
) -> dict[int, list[uuid.UUID]]:
    """Attachments that wait for the messages, by the messages' places. Raises FileRefused, or what `store` raises."""

    def keep(name: str, content: bytes) -> uuid.UUID:
        return store(principal, name=name, media_type="", content=content).id

    kept: dict[int, list[uuid.UUID]] = {}
    bringing = _Bringing()
    try:
        for place, file in _places(spoken, sent):
            kept.setdefault(place, []).append(await bringing.bring(file, keep))
    except BaseException:
        await offload(discard, principal, kept)
        raise
    return kept


def discard(principal: Principal, kept: Mapping[int, Sequence[uuid.UUID]]) -> None:
    """Nobody waits for them any more."""
    for attachment_id in (each for ids in kept.values() for each in ids):
        with suppress(ChatcoreError):
            delete_attachment(principal, attachment_id)


async def examine_files(spoken: Sequence[Spoken], sent: Sent) -> dict[int, list[Examined]]:
    """As `store_files`, but nothing is kept of them."""
    found: dict[int, list[Examined]] = {}
    bringing = _Bringing()
    for place, file in _places(spoken, sent):
        found.setdefault(place, []).append(await bringing.bring(file, examine))
    return found


def _places(spoken: Sequence[Spoken], sent: Sent) -> list[tuple[int, SentFile]]:
    return [(place, sent[digest]) for place, one in enumerate(spoken) for digest in one.files]


class _Bringing:
    """One file after the other, so that few are held at once, and for no longer than a client waits."""

    def __init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + FETCHING_SECONDS
        self._left = FETCHED_BYTES

    async def bring(self, file: SentFile, make: Callable[[str, bytes], Made]) -> Made:
        """What `make` makes of its name and its bytes, in a thread. Raises FileRefused, pointing at it."""
        try:
            content = await self._fetched(file) if file.has_address else None
            return await offload(_made, file, content, make)
        except REFUSALS as error:
            problem = FieldProblem(file.pointer, error.detail, error.code)
            raise FileRefused(error.detail, errors=[problem]) from None

    async def _fetched(self, file: SentFile) -> bytes:
        seconds = self._until - asyncio.get_running_loop().time()
        if seconds <= 0:
            raise outbound.TimedOut
        most = min(self._left, settings.ATTACHMENT_MAX_BYTES)
        limits = outbound.Limits(total_seconds=seconds, max_bytes=most)
        answer = await outbound.fetch("GET", file.source, limits=limits, redirects=REDIRECTS)
        if answer.status != 200:
            raise FileRefused(f"The address of the image answered {answer.status}.")
        self._left -= len(answer.body)
        return answer.body


def _made(file: SentFile, content: bytes | None, make: Callable[[str, bytes], Made]) -> Made:
    name = file.name or (name_in(file.source) if file.has_address else "image" if file.is_picture else "file")
    found = decoded(file.source, file.pointer) if content is None else content
    if file.is_picture and not type_of(found, name).startswith("image/"):
        raise FileRefused("This is no image: send a PNG, JPEG, GIF or WebP.")
    return make(name, found)
