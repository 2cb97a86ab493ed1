"""Which parameters of a request reach a provider: a closed list, since they come from outside."""

from collections.abc import Mapping
from typing import Any

# Everything else is dropped: a caller must not be able to name the model, the address or the key of the call.
KNOWN = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "max_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "verbosity",
    }
)


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    """The known ones that have a value; `max_completion_tokens` is another name of `max_tokens`."""
    chosen = {name: value for name, value in params.items() if name in KNOWN and value is not None}
    limit = params.get("max_completion_tokens")
    if limit is not None:
        chosen.setdefault("max_tokens", limit)
    return chosen
