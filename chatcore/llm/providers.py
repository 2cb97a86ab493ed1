"""What a provider is: its settings, and the interface each kind of provider implements."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from chatcore.llm.types import ModelEvent, ModelRequest


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How to reach one provider account. `options` are those its class names in OPTIONS.

    `guarded`: people of a workspace entered it, not staff. It reaches what docs/outbound.md lets addresses from
    outside lead to, and is opened by nothing of this server's.
    """

    kind: str
    base_url: str = ""
    credential: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    guarded: bool = False


class Provider(Protocol):
    """One LLM service account, built and closed inside the event loop it serves.

    `LABEL` and `OPTIONS` (name → what it does) are shown to staff. `stream` is an async generator: text,
    reasoning and tool call deltas, at most one Usage, then exactly one Finished; it raises ProviderError, and
    stops working when it is closed or cancelled.
    """

    LABEL: ClassVar[str]
    OPTIONS: ClassVar[Mapping[str, str]]

    def __init__(self, settings: ProviderSettings) -> None: ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]: ...

    async def models(self) -> list[str]:
        """Names this account may use, in the provider's order; raises ProviderError."""

    async def close(self) -> None:
        """Give everything back. Streams that still run may fail. A second call does nothing."""


def address_problem(base_url: str) -> str:
    """What is wrong with a provider's address, in words; empty when nothing is."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        return f"The address cannot be read: {error}."
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "The address must start with https:// or http:// and name a host."
    if parts.username is not None or parts.password is not None:
        return "The address must not hold a user name or password; the key has its own field."
    if parts.query or parts.fragment:
        return "The address must not hold a query or a fragment."
    return ""
