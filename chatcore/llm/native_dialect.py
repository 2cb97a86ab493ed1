"""How one server's chat completions differ from OpenAI's: as its options say, and as its refusals teach.

A server that refuses a field it does not know is asked again without it, and not sent it any more.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from chatcore.llm import parameters
from chatcore.llm.chat_messages import chat_message
from chatcore.llm.errors import ProviderError
from chatcore.llm.types import ModelRequest

LIMIT, NEWER_LIMIT = "max_tokens", "max_completion_tokens"
# Without tools the answer would be another one: that is for whoever asks to decide.
DISPENSABLE = (parameters.KNOWN | {NEWER_LIMIT, "stream_options", "user"}) - {"tools"}
MOST_LESSONS = 8  # of one request


class Dialect:
    """Makes the bodies of requests. What it has learned is by model: servers pass some of them on to others."""

    def __init__(self, options: Mapping[str, Any], *, official: bool) -> None:
        self._options = options
        self._official = official
        self._refused: dict[str, set[str]] = {}

    def body(self, request: ModelRequest) -> dict[str, Any]:
        params = parameters.known(request.params)
        if LIMIT in params:
            params[self._limit(request.model)] = params.pop(LIMIT)
        system = self._options.get("system_role", "system")
        body = {
            **self._options.get("extra_body", {}),
            **params,
            "model": request.model,
            "messages": [chat_message(turn, system=system) for turn in request.turns],
            "stream": True,
        }
        if self._options.get("include_usage", True):
            body["stream_options"] = {"include_usage": True}
        if request.user and self._options.get("send_user", self._official):
            body["user"] = request.user
        for name in self._refused.get(request.model, ()):
            body.pop(name, None)
        return body

    def dropped(self, request: ModelRequest, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Parameters of the request that `body` does not hold."""
        names = {NEWER_LIMIT: LIMIT}
        sent = {names.get(name, name) for name in body}
        return tuple(sorted({*parameters.known(request.params)} - sent) + parameters.unknown(request.params))

    def learns(self, body: Mapping[str, Any], error: ProviderError, said: str) -> bool:
        """Whether the refusal of `body` names a field to do without; then the next body is another one."""
        if error.code != "bad_request":
            return False
        name = refused_field(said, DISPENSABLE & body.keys())
        if name:
            self._refused.setdefault(str(body["model"]), set()).add(name)
        return bool(name)

    def _limit(self, model: str) -> str:
        """The name of the output limit; where one is refused, the other."""
        usual = self._options.get("max_tokens_field", NEWER_LIMIT if self._official else LIMIT)
        other = LIMIT if usual == NEWER_LIMIT else NEWER_LIMIT
        return str(other if usual in self._refused.get(model, ()) else usual)


def refused_field(said: str, sent: AbstractSet[str]) -> str:
    """The first of the `sent` fields that a refusal names, or ""; a common word only where it is clearly a name."""
    found = {name: place for name in sent if (place := _place(name, said)) is not None}
    return min(found, key=lambda name: found[name]) if found else ""


def _place(name: str, said: str) -> int | None:
    pattern = rf"(?<!\w){name}(?!\w)"
    if "_" not in name:
        quoted = rf"(?<=[\"'`\[]){name}(?=\\?[\"'`\]])"
        pattern = rf"{quoted}|(?:supplied|parameter|argument|field|property):? {name}(?!\w)"
    match = re.search(pattern, said)
    return match.start() if match else None
