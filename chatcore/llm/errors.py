"""What goes wrong with a provider, in one vocabulary for all of them."""

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType

MAX_DETAIL = 500

# What the person who waits for the answer reads. `auth` also covers an account without credit.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "auth": "The provider does not accept this server's account for this model. "
        "Choose another model, and tell the staff to check the provider's key and credit.",
        "not_found": "The provider does not know this model. "
        "Choose another model, and tell the staff to check its name and the provider's address.",
        "address_refused": "The provider's address leads to where this server calls nothing for a workspace. "
        "Choose another model, or ask the staff of this server to add that provider for all workspaces.",
        "rate_limited": "The provider takes no more requests from this server just now. "
        "Wait a moment and try again, or choose another model.",
        "context_too_long": "The conversation is longer than this model can read. "
        "Choose a model with a larger context, or start a new conversation.",
        "content_filter": "The provider's content rules stopped this answer. "
        "Word the message differently, or choose another model.",
        "bad_request": "The provider refused the request. "
        "Check the parameters of this conversation, or choose another model.",
        "overloaded": "The provider is overloaded. Wait a moment and try again, or choose another model.",
        "unavailable": "The provider cannot be reached just now. Try again, or choose another model.",
        "timeout": "The provider took too long to answer. Try again, or choose another model.",
        "cut_off": "The provider's answer broke off before its end. Try again to get all of it.",
        "garbage": "The provider answered something that cannot be read. "
        "Try again, or choose another model; if it happens again, tell the staff.",
        "busy": "All places at this model's providers are taken. Wait a moment and try again, or choose another model.",
        "circuit_open": "This model's providers failed a moment ago and rest now. Try again, or choose another model.",
        "empty": "The model answered nothing. Try again, or word the message differently.",
    }
)
RETRYABLE = frozenset(
    {
        "busy",
        "circuit_open",
        "cut_off",
        "empty",
        "garbage",
        "overloaded",
        "rate_limited",
        "timeout",
        "unavailable",
    }
)


class ProviderError(Exception):
    """A provider gave no answer, or not all of it.

    `code` is one of WORDS. `words` is for the person who asked, `detail` for staff and logs: what the
    provider said, without credentials. `retryable`: the same request may well succeed later or elsewhere.
    `retry_after` is in seconds. `started`: part of the answer had been handed on before this was raised.
    `parameter`: the one whose value was refused, where that is known.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        upstream_status: int | None = None,
    ) -> None:
        self.code = code if code in WORDS else "unavailable"
        self.detail = detail[:MAX_DETAIL]
        self.retryable = self.code in RETRYABLE if retryable is None else retryable
        self.retry_after = retry_after
        self.upstream_status = upstream_status
        self.started = False
        self.parameter = ""
        super().__init__(f"{self.code}: {self.detail}" if detail else self.code)

    @property
    def words(self) -> str:
        if self.code == "circuit_open" and self.retry_after:
            return (
                "This model's providers failed a moment ago. "
                f"They are tried again in {ceil(self.retry_after)} seconds; until then, choose another model."
            )
        if self.code == "bad_request" and self.parameter:
            return f"The provider refused the value of {self.parameter}. Change it, or choose another model."
        return WORDS[self.code]

    def without(self, secret: str) -> "ProviderError":
        """The same error, with `secret` cut out of what it says."""
        if len(secret) < 4 or secret not in self.detail:
            return self
        cleaned = ProviderError(
            self.code,
            self.detail.replace(secret, "…"),
            retryable=self.retryable,
            retry_after=self.retry_after,
            upstream_status=self.upstream_status,
        )
        cleaned.started, cleaned.parameter = self.started, self.parameter
        return cleaned
