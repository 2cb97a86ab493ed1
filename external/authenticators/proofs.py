"""What a kind of authenticator is: a class that looks at a request and says what it proves."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class Given:
    """What a row of the table says. `options` are as typed by people: check them."""

    id: uuid.UUID
    options: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""


@dataclass(frozen=True)
class Presented:
    """A request: headers by their names in lower case, and its body, empty for a stream or a handshake.

    The body is None where what is open already asks again; proofs that are good once are not asked then.
    """

    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Proof:
    """The request is the integration's.

    `user` is the member in whose name it comes, if the proof vouches for one: an e-mail address, or with `channel` a
    handle there that is verified to be the member's. "" leaves it to the integration. A proof that is good once names
    what must not come again in `once`, and until when.
    """

    user: str = ""
    channel: str = ""
    once: str = ""
    once_until: datetime | None = None


class Verifier(Protocol):
    """LABEL is what people read, OPTIONS each option's name and what it is.

    One whose options are not all texts may say which in SHAPES, as external/sections/options.py has them, and in SHARED
    what its secret is: "" if it has none.
    """

    LABEL: ClassVar[str]
    OPTIONS: ClassVar[Mapping[str, str]]

    def __init__(self, given: Given) -> None:
        """Raises ValueError where options or secret cannot be used; its words are shown to whoever typed them."""

    def verify(self, presented: Presented) -> Proof | None:
        """None where the request proves nothing, whatever is wrong with it. Runs in a thread; asks no database."""
