"""What every adapter is: how a vendor's requests are proven and read, and how replies go back to it."""

import json
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from chatcore.errors import ChatcoreError, FieldProblem
from chatcore.problems import read_json
from external.sections.options import Shape

DeliveryState = Literal["sent", "delivered", "read", "failed"]


@dataclass(frozen=True)
class Received:
    """A request as the vendor sent it. `url` is the public one with its query, `headers` have lower-case names,
    `client` is the address it came from.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    client: str = ""
    at: float = field(default_factory=time.time)  # seconds since 1970

    def json(self) -> Any:
        """Raises Malformed."""
        return read_json(self.body)


@dataclass(frozen=True)
class Answer:
    """What the vendor reads."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Media:
    """A file that is fetched after the message is stored; `authorization` is the header that opens it."""

    url: str
    name: str
    media_type: str
    authorization: str = ""


@dataclass(frozen=True)
class Incoming:
    """One message. Who wrote it: `handle` on `channel`, or the user of this `email`.

    `address` says where replies to it go, in the adapter's own words; empty: nowhere.
    """

    content: str
    external_id: str = ""
    channel: str = ""
    handle: str = ""
    email: str = ""
    thread: str = ""
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    address: Mapping[str, str] = field(default_factory=dict)
    media: tuple[Media, ...] = ()
    respond: bool = True


@dataclass(frozen=True)
class Confirmation:
    """What has become of a message that was sent out, by the id the vendor gave it."""

    vendor_id: str
    state: DeliveryState
    error: str = ""


@dataclass(frozen=True)
class Parsed:
    """What a request says. Messages that cannot be taken stand there as what is wrong with them.

    `answer` stands in for the usual one.
    """

    incoming: tuple[Incoming | ChatcoreError, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()
    answer: Answer | None = None


@dataclass(frozen=True)
class Outcome:
    """What has become of one message: stored (perhaps before), or refused."""

    message: uuid.UUID | None = None
    conversation: uuid.UUID | None = None
    duplicate: bool = False
    error: ChatcoreError | None = None


class NotSent(Exception):  # a reply that did not reach the vendor
    """`retry_after`: seconds the vendor asked for."""

    def __init__(self, detail: str, *, retryable: bool, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retryable = retryable
        self.retry_after = retry_after


@dataclass(frozen=True)
class Setup:
    """What an adapter knows of its source. `address` is the public URL that the vendor calls."""

    address: str
    integration: uuid.UUID
    secrets: Mapping[str, str]
    settings: Mapping[str, Any]


class Adapter(ABC):
    """One vendor. Made for each request or reply; it holds no state.

    `SECRETS` and `SETTINGS` say what each is, for those who set a source up; `SHAPES` which settings are no texts: see
    external/sections/options.py. `REPLY_LENGTH` is how many characters
    one outgoing message may have; 0: replies do not go back.
    """

    LABEL: ClassVar[str]
    SECRETS: ClassVar[Mapping[str, str]]
    SETTINGS: ClassVar[Mapping[str, str]] = {}
    SHAPES: ClassVar[Mapping[str, Shape]] = {}
    REPLY_LENGTH: ClassVar[int] = 0

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def problems(self) -> list[FieldProblem]:
        """What is wrong with the secrets and settings. Names that are not known, and which are not text, are."""
        return [
            FieldProblem(f"/{place}/{name}", f"{self.LABEL} has no such field", "unknown")
            for place, given, known in (
                ("secrets", self.setup.secrets, self.SECRETS),
                ("settings", self.setup.settings, self.SETTINGS),
            )
            for name in given
            if name not in known
        ]

    @abstractmethod
    def verify(self, received: Received) -> bool:
        """Whether the vendor sent it, lately. In constant time; may use the database."""

    @abstractmethod
    def parse(self, received: Received) -> Parsed:
        """What it says. Raises Malformed or Invalid where it cannot be read at all."""

    async def reply(self, address: Mapping[str, str], text: str) -> str:
        """Send a text and give the vendor's id of it. Raises NotSent."""
        raise NotSent(
            f"{self.LABEL} takes no replies ({len(text)} characters for {address}).", retryable=False
        )

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:  # noqa: ARG002
        """What the vendor reads when its request was read, whatever became of each message.

        A vendor can do nothing about what was refused, and would send it again: staff find it in the log.
        """
        return Answer()


def as_json(status: int, body: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(body), "application/json")
