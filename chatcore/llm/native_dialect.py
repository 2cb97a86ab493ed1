"""How one server's chat completions differ from OpenAI's: as its options say, and as its refusals teach.

A server that refuses a field it does not know is asked again without it, and not sent it any more. Where it refuses a
value, only that request is made again without the field.
"""

from collections.abc import Collection, Mapping
from typing import Any

from chatcore.llm import parameters
from chatcore.llm.chat_messages import chat_message
from chatcore.llm.errors import ProviderError
from chatcore.llm.refusals import LIMIT, NEWER_LIMIT, Lessons
from chatcore.llm.types import ModelRequest

# Without tools the answer would be another one: that is for whoever asks to decide.
DISPENSABLE = (parameters.KNOWN | {NEWER_LIMIT, "stream_options", "user"}) - {"tools"}


class Dialect:
    """Makes the bodies of requests, without the fields their server was found not to know."""

    def __init__(self, options: Mapping[str, Any], *, official: bool) -> None:
        self._options = options
        self._official = official
        self._lessons = Lessons()

    def body(self, request: ModelRequest, spared: Collection[str] = ()) -> dict[str, Any]:
        """`spared` are fields that this request does without."""
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
        for name in (*self._lessons.unknown(request.model), *spared):
            body.pop(name, None)
        return body

    def dropped(self, request: ModelRequest, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Parameters of the request that `body` does not hold."""
        names = {NEWER_LIMIT: LIMIT}
        sent = {names.get(name, name) for name in body}
        return tuple(sorted({*parameters.known(request.params)} - sent) + parameters.unknown(request.params))

    def spared(self, body: Mapping[str, Any], error: ProviderError, said: str) -> str:
        """The field of `body` to do without in this request, or "". Not known to the server: in all that follow."""
        return self._lessons.spared(str(body["model"]), DISPENSABLE & body.keys(), error, said)

    def _limit(self, model: str) -> str:
        """The name of the output limit; where one is refused, the other."""
        usual = self._options.get("max_tokens_field", NEWER_LIMIT if self._official else LIMIT)
        other = LIMIT if usual == NEWER_LIMIT else NEWER_LIMIT
        return str(other if usual in self._lessons.unknown(model) else usual)
