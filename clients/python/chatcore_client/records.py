"""What the server tells of, as frozen records. Ids are strings, times are aware datetimes.

A field this client does not know yet is kept in `extra`.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from chatcore_client.errors import UnexpectedAnswer


def _as(convert: Callable[[Any], Any]) -> dict[str, Any]:
    """Metadata of a field whose JSON value is converted unless it is null."""
    return {"convert": convert}


_TIME = _as(datetime.fromisoformat)


@dataclass(frozen=True, kw_only=True)
class Record:
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, data: Any) -> Self:
        """Raises UnexpectedAnswer if it is nothing of this kind."""
        if not isinstance(data, Mapping):
            raise UnexpectedAnswer(f"A {cls.__name__} was expected; the server sent something else.")
        own = {item.name: item for item in fields(cls) if item.name != "extra"}
        values: dict[str, Any] = {}
        for name, item in own.items():
            convert, value = item.metadata.get("convert"), data.get(name)
            is_needed = item.default is MISSING and item.default_factory is MISSING
            if is_needed and (name not in data or (convert and value is None)):
                raise UnexpectedAnswer(f"The server sent a {cls.__name__} without {name}.")
            if name not in data:
                continue
            try:
                values[name] = convert(value) if convert and value is not None else value
            except (TypeError, ValueError) as error:
                raise UnexpectedAnswer(f"The server sent a {cls.__name__} with a bad {name}.") from error
        return cls(**values, extra={name: value for name, value in data.items() if name not in own})


@dataclass(frozen=True, kw_only=True)
class Conversation(Record):
    """A conversation as its reader has it. `active_leaf` is the last message of the branch that is shown."""

    id: str
    title: str
    model: str | None = None
    system: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    active_leaf: str | None = None
    pinned: bool = False
    archived: bool = False
    created_at: datetime = field(metadata=_TIME)
    last_message_at: datetime = field(metadata=_TIME)


@dataclass(frozen=True, kw_only=True)
class Usage(Record):
    """Tokens of one reply. None is unknown, which is not zero; `estimated` counts are not the provider's."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    estimated: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure(Record):
    """Why a reply failed."""

    code: str
    detail: str = ""
    retryable: bool = False


@dataclass(frozen=True, kw_only=True)
class Message(Record):
    """One node of a conversation's tree. A reply is queued, then streaming, then done, failed or stopped."""

    id: str
    conversation: str
    parent: str | None
    author: str
    text: str
    status: str
    created_at: datetime = field(metadata=_TIME)
    attachments: tuple[Mapping[str, Any], ...] = field(metadata=_as(tuple), default=())
    client_id: str | None = None
    model: str | None = None
    reasoning: str = ""
    attempt: int = 0
    error: Failure | None = field(metadata=_as(Failure.of), default=None)
    usage: Usage | None = field(metadata=_as(Usage.of), default=None)
    route: tuple[Mapping[str, Any], ...] = field(metadata=_as(tuple), default=())
    dropped: tuple[str, ...] = field(metadata=_as(tuple), default=())
    finish_reason: str = ""
    started_at: datetime | None = field(metadata=_TIME, default=None)
    finished_at: datetime | None = field(metadata=_TIME, default=None)

    @property
    def is_running(self) -> bool:
        return self.status in ("queued", "streaming")


@dataclass(frozen=True, kw_only=True)
class Posted(Record):
    """What a posted message led to: the message, and the reply to it, if one is wanted."""

    message: Message = field(metadata=_as(Message.of))
    reply: Message | None = field(metadata=_as(Message.of), default=None)
    status_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Asked(Record):
    """A message and the reply to it. `status_url` is where the reply can be read.

    Of several models `replies` has every one's, and `reply` is the first.
    """

    message: Message = field(metadata=_as(Message.of))
    reply: Message = field(metadata=_as(Message.of))
    replies: tuple[Message, ...] = field(
        metadata=_as(lambda rows: tuple(Message.of(row) for row in rows)), default=()
    )
    status_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model(Record):
    """A model you may use, by its `name`."""

    name: str
    label: str = ""
    context_window: int | None = None
    max_output: int | None = None
    supports: Mapping[str, bool] = field(default_factory=dict)
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """Something happened. What happened is `type`, as `message.created`; the rest of the story is in `data`.

    A passing signal, as typing, has neither `id` nor `at`: it is never sent again.
    """

    type: str
    data: Mapping[str, Any]
    id: str | None = field(metadata=_as(str), default=None)
    cursor: str | None = None
    version: int = 1
    workspace: str | None = None
    conversation: str | None = None
    actor: str | None = None
    at: datetime | None = field(metadata=_TIME, default=None)


@dataclass(frozen=True, kw_only=True)
class EventPage(Record):
    """Events after a cursor, oldest first, and the `cursor` to go on from."""

    events: tuple[Event, ...]
    cursor: str
    has_more: bool = False

    @classmethod
    def of(cls, data: Any) -> Self:
        if not isinstance(data, Mapping) or not isinstance(data.get("results"), list):
            raise UnexpectedAnswer("A page of events was expected; the server sent something else.")
        events = tuple(Event.of(row) for row in data["results"])
        return super().of(
            {name: value for name, value in data.items() if name != "results"} | {"events": events}
        )


@dataclass(frozen=True)
class Delta:
    """More of a running reply: `text`, or `reasoning` before it. One of both is empty.

    It begins after `offset` characters of what came before of the same kind. Joined, the deltas since the newest
    `Restarted` are the reply: nothing is missing and nothing comes twice.
    """

    text: str
    reasoning: str
    offset: int
    attempt: int
    reply: str = field(default="", compare=False)  # its id


@dataclass(frozen=True)
class Restarted:
    """What was said so far is void: the reply begins anew, with an empty text."""

    attempt: int
    reply: str = field(default="", compare=False)  # its id
