"""Every vendor LiteLLM speaks to: Anthropic, Gemini, Vertex, Bedrock, Cohere and many more."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

from django.conf import settings as django_settings

from chatcore.llm import litellm_process, parameters
from chatcore.llm.chat_chunks import FINISH_REASONS
from chatcore.llm.chat_messages import chat_message
from chatcore.llm.errors import ProviderError
from chatcore.llm.litellm_access import NO_KEY, access_of
from chatcore.llm.providers import ProviderSettings, address_problem
from chatcore.llm.refusals import MOST_LESSONS, Lessons
from chatcore.llm.types import (
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

BEDROCK_ROUTES = ("converse/", "converse_like/", "invoke/", "arn:")


class LitellmProvider:
    LABEL: ClassVar[str] = "Other vendors (LiteLLM)"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "vendor": "anthropic, gemini, vertex_ai, bedrock, cohere_chat … (LiteLLM's provider name)",
        "access": "object of further things LiteLLM needs to reach the account, e.g. aws_region_name",
        "models": "list of model names, instead of asking the vendor",
        "cache_prompts": "false to pay for every prompt of Claude's in full",
    }

    def __init__(self, settings: ProviderSettings) -> None:
        problem = address_problem(settings.base_url) if settings.base_url else ""
        if problem:
            raise ProviderError("not_found", problem)
        self._settings = settings
        self._vendor = str(settings.options.get("vendor", ""))
        self._access = access_of(settings)
        self._lessons = Lessons()

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        spared: list[str] = []
        while True:
            has_begun = False
            try:
                async with aclosing(self._asked(request, spared)) as events:
                    async for event in events:
                        has_begun = True
                        yield event
                return
            except ProviderError as error:
                name = "" if has_begun else self._spared(request, spared, error)
                if not name or len(spared) == MOST_LESSONS:
                    raise self._without_secrets(error) from None
                spared.append(name)

    async def _asked(
        self, request: ModelRequest, spared: Collection[str]
    ) -> AsyncGenerator[ModelEvent, None]:
        """The answer to the request without the `spared` parameters."""
        params = self._params(request, spared)
        dropped = parameters.unknown(request.params)
        dropped += sorted(parameters.known(request.params).keys() - params.keys())
        question = self._question(request, params)
        async with self._process().asked(do="stream", **question) as answers:
            while True:
                kind, value = await answers.get()
                if kind == "text":
                    yield TextDelta(value)
                elif kind == "dropped":
                    dropped += value
                elif kind == "finish":
                    yield Finished(FINISH_REASONS.get(value, "stop"), tuple(dropped))
                    return
                else:
                    yield _event(kind, value)

    def _params(self, request: ModelRequest, spared: Collection[str]) -> dict[str, Any]:
        params = parameters.known(request.params) | ({"user": request.user} if request.user else {})
        left_out = {*self._lessons.unknown(request.model), *spared}
        return {name: value for name, value in params.items() if name not in left_out}

    def _spared(self, request: ModelRequest, spared: Collection[str], error: ProviderError) -> str:
        """The parameter to do without in this request, or "". Not known to the model: in all that follow."""
        sent = self._params(request, spared).keys() - {"tools"}
        return self._lessons.spared(request.model, sent, error, error.detail)

    async def models(self) -> list[str]:
        listed = self._settings.options.get("models")
        if isinstance(listed, list):
            return [str(name) for name in listed]
        if not self._vendor:
            raise ProviderError("bad_request", "the option vendor says whose models to list")
        question = {"vendor": self._vendor, "access": self._access}
        try:
            async with self._process().asked(do="models", **question) as answers:
                kind, value = await answers.get()
                if kind != "models":
                    _event(kind, value)
                return [str(name) for name in value]
        except ProviderError as error:
            raise self._without_secrets(error) from None

    async def close(self) -> None:
        """The process is shared by all providers of its kind and outlives each of them."""

    def _process(self) -> litellm_process.LitellmProcess:
        return litellm_process.guarded() if self._settings.guarded else litellm_process.shared()

    def _question(self, request: ModelRequest, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "model": _full_name(self._vendor, request.model),
            "messages": _messages(request, marked=self._marks_cache(request)),
            "params": params,
            "access": self._access,
            "connect_seconds": django_settings.MODEL_CONNECT_TIMEOUT,
        }

    def _marks_cache(self, request: ModelRequest) -> bool:
        """Only Claude wants to be told what to keep, and only a conversation that goes on is worth it."""
        wanted = self._settings.options.get("cache_prompts", True)
        claude = self._vendor == "anthropic" or "claude" in request.model
        return bool(wanted) and claude and request.purpose == "reply"

    def _without_secrets(self, error: ProviderError) -> ProviderError:
        for value in self._access.values():
            if isinstance(value, str) and value != NO_KEY:
                error = error.without(value)
        return error


def _messages(request: ModelRequest, *, marked: bool) -> list[dict[str, Any]]:
    """With marks at the end of the instructions and of all that has been said: the next request begins with both."""
    messages: list[dict[str, Any]] = [chat_message(turn) for turn in request.turns]
    if marked:
        instructions = [message for message in messages if message["role"] == "system"]
        for message in (*instructions[-1:], messages[-1]):
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            if parts[-1]["text"]:
                message["content"] = [*parts[:-1], parts[-1] | {"cache_control": {"type": "ephemeral"}}]
    return messages


def _full_name(vendor: str, model: str) -> str:
    """As LiteLLM wants it. Bedrock's models all answer its converse API, which others need to be known for.

    Of some vendors LiteLLM takes a name that is an address for the address, to which the provider's key would go.
    """
    if "://" in model:
        raise ProviderError("not_found", "A model's name cannot be an address: that is the provider's.")
    name = model.removeprefix(f"{vendor}/")
    if vendor == "bedrock" and not name.startswith(BEDROCK_ROUTES):
        name = f"converse/{name}"
    return f"{vendor}/{name}" if vendor else name


def _event(kind: str, value: Any) -> ModelEvent:
    match kind:
        case "reasoning":
            return ReasoningDelta(value)
        case "tool":
            return ToolCallDelta(*value)
        case "usage":
            return Usage(**value)
        case "error":
            raise ProviderError(**value)
        case _:
            raise ProviderError("unavailable", f"LiteLLM's process ended (status {value})")
