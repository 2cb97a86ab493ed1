"""The native path: everything that speaks OpenAI's chat completions over HTTP, read with aiohttp."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import quote

import aiohttp
from django.conf import settings as django_settings

from chatcore.llm import failures, http_body
from chatcore.llm.chat_chunks import AnswerReader, joined
from chatcore.llm.errors import ProviderError
from chatcore.llm.native_dialect import Dialect
from chatcore.llm.own_addresses import CheckedResolver
from chatcore.llm.providers import ProviderSettings, address_problem
from chatcore.llm.refusals import MOST_LESSONS
from chatcore.llm.sse import LineReader, payloads
from chatcore.llm.types import ModelEvent, ModelRequest
from chatcore.security.targets import read_target

OPENAI = "https://api.openai.com/v1"
# Azure lists the deployments of an account (what its addresses call models) under this version only.
AZURE_LIST_VERSION = "2023-03-15-preview"
MAX_WHOLE = 8 * 1024 * 1024
MAX_REFUSAL = 64 * 1024
LARGE_BODY = 1024 * 1024
AFTER_FINISH = 5.0  # seconds for usage and [DONE] once the model is done
AFTER_DONE = 0.1  # seconds for the end of the body, so that the connection can be used again
LIST_TIMEOUT = 30.0
STALE_CONNECTIONS = 3
TROUBLE = (ProviderError, aiohttp.ClientError, OSError, ValueError)


class NativeProvider:
    LABEL: ClassVar[str] = "OpenAI-compatible"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "api_version": "Azure's api-version; turns on its addresses and its api-key header",
        "include_usage": "false for servers that are not to be asked for their usage",
        "max_tokens_field": "name of the output limit: max_tokens or max_completion_tokens",
        "system_role": "system or developer",
        "send_user": "true to pass on an opaque name of the asking person",
        "headers": "object of further headers (not encrypted: no secrets here)",
        "extra_body": "object of further fields in every request",
        "models": "list of model names, for servers that cannot list them",
    }

    def __init__(self, settings: ProviderSettings) -> None:
        self._base = (settings.base_url or OPENAI).rstrip("/")
        problem = address_problem(self._base)
        if problem:
            raise ProviderError("not_found", problem)
        self._options = settings.options
        self._secret = settings.credential
        self._dialect = Dialect(settings.options, official=self._base == OPENAI)
        resolver = CheckedResolver(read_target(self._base)) if settings.guarded else None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, resolver=resolver),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=django_settings.MODEL_CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_noticing_reuse()],
        )

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        reader, lines = AnswerReader(), LineReader()
        response: aiohttp.ClientResponse | None = None
        try:
            response, reader.dropped = await self._answer(request)
            content = response.content
            chunk = await http_body.beginning(content)
            if chunk[:1] in {b"{", b"["}:
                for event in reader.read_whole(chunk + await http_body.whole(content, MAX_WHOLE)):
                    yield event
            while chunk and not reader.done:
                for event in joined(reader.read_all(payloads(lines.feed(chunk)))):
                    yield event
                if reader.has_spoken and not reader.finished:
                    await http_body.rest(response)
                chunk = await http_body.following(content, patience=_patience(reader))
            for payload in (*payloads([lines.rest()]), b""):
                for event in reader.read(payload):
                    yield event
            for event in reader.ending():
                yield event
        except TROUBLE as error:
            raise _failure(error, answered=response is not None).without(self._secret) from None
        finally:
            if response is not None:
                response.release()

    async def models(self) -> list[str]:
        listed = self._options.get("models")
        if isinstance(listed, list):
            return [str(name) for name in listed]
        try:
            async with asyncio.timeout(LIST_TIMEOUT), self._get(self._list_url()) as response:
                if response.status != 200:
                    error, _ = await _refusal(response)
                    raise error
                return _names(await http_body.whole(response.content, MAX_WHOLE))
        except TROUBLE as error:
            raise _failure(error, answered=False).without(self._secret) from None

    async def close(self) -> None:
        await self._session.close()

    async def _answer(self, request: ModelRequest) -> tuple[aiohttp.ClientResponse, tuple[str, ...]]:
        """The 200 answer, and the parameters it was asked without."""
        spared: list[str] = []
        while True:
            body = self._dialect.body(request, spared)
            response = await self._post(self._chat_url(request.model), body)
            if response.status == 200:
                return response, self._dialect.dropped(request, body)
            async with response:
                error, said = await _refusal(response)
            name = self._dialect.spared(body, error, said)
            if not name or len(spared) == MOST_LESSONS:
                raise error
            spared.append(name)

    async def _post(self, url: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        """The answer, whatever its status.

        A server may close an idle connection at the moment it is used again. That says nothing about the
        request, so it is sent again over another one; nothing else is tried twice.
        """
        data = json.dumps(body, ensure_ascii=False).encode()
        for _ in range(STALE_CONNECTIONS):
            connection = SimpleNamespace(reused=False)
            try:
                return await self._session.post(
                    url,
                    # aiohttp wants large bodies as files.
                    data=data if len(data) < LARGE_BODY else io.BytesIO(data),
                    headers=self._headers(),
                    allow_redirects=False,
                    trace_request_ctx=connection,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not connection.reused:
                    raise
                stale = error
        raise stale

    def _get(self, url: str) -> Any:
        return self._session.get(url, headers=self._headers(), allow_redirects=False)

    def _chat_url(self, model: str) -> str:
        version = self._options.get("api_version")
        if not version:
            return f"{self._base}/chat/completions"
        name = quote(model, safe="")
        return f"{self._base}/openai/deployments/{name}/chat/completions?api-version={quote(str(version))}"

    def _list_url(self) -> str:
        if self._options.get("api_version"):
            return f"{self._base}/openai/deployments?api-version={AZURE_LIST_VERSION}"
        return f"{self._base}/models"

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            # A compressed stream would arrive in lumps.
            "Accept-Encoding": "identity",
            "User-Agent": "chatcore",
        }
        if self._secret and self._options.get("api_version"):
            headers["api-key"] = self._secret
        elif self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"
        return headers | {str(name): str(value) for name, value in self._options.get("headers", {}).items()}


def _patience(reader: AnswerReader) -> float | None:
    if reader.done:
        return AFTER_DONE
    return AFTER_FINISH if reader.finished else None


def _noticing_reuse() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def reused(_: Any, context: SimpleNamespace, __: Any) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.reused = True

    trace.on_connection_reuseconn.append(reused)
    return trace


async def _refusal(response: aiohttp.ClientResponse) -> tuple[ProviderError, str]:
    """The error, and all that was said."""
    body = await http_body.at_most(response.content, MAX_REFUSAL)
    return failures.of_answer(response.status, body, response.headers), body.decode("utf-8", "replace")


def _failure(error: Exception, *, answered: bool) -> ProviderError:
    if isinstance(error, ProviderError):
        return error
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError):
        return ProviderError("timeout", said)
    if isinstance(error, aiohttp.InvalidURL):
        return ProviderError("not_found", said)
    if isinstance(error, aiohttp.ClientError | OSError):
        return ProviderError("cut_off" if answered else "unavailable", said)
    # A key or a header that HTTP cannot carry.
    return ProviderError("bad_request", said)


def _names(body: bytes) -> list[str]:
    """Of `{"data": [{"id"}]}`, of a bare list, and of `{"models": [{"name"}]}`."""
    try:
        listing = json.loads(body)
        rows = listing if isinstance(listing, list) else listing.get("data") or listing.get("models") or []
        names = [row if isinstance(row, str) else row.get("id") or row.get("name") for row in rows]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ProviderError("garbage", f"not a list of models ({error}): {body[:200]!r}") from None
    return [str(name) for name in names if name]
