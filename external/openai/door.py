"""`/v1/`: the ASGI application that OpenAI's clients talk to. A completion that is being made holds no thread."""

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from chatcore.accounts.channels import admitted_at, principal_of
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, MethodNotAllowed, NotFound, TooLarge, Unauthenticated, Unexpected
from chatcore.llm.types import ReasoningDelta, TextDelta
from chatcore.offload import offload
from chatcore.problems import problem_headers, translate
from chatcore.realtime.plain_asgi import (
    EVENT_STREAM,
    JSON,
    Headers,
    Receive,
    Scope,
    Send,
    now_and_then,
    send_document,
    while_client_stays,
)
from chatcore.security import limits
from external.openai import errors
from external.openai.answers import DONE, KEEP_ALIVE, Answer, event
from external.openai.completions import placed
from external.openai.listing import list_models, read_model
from external.openai.requests import MOST_BYTES, ChatRequest, read_request
from external.openai.sources import Failed, Restarted, Source
from external.openai.stored import Stored
from external.openai.telling import Telling
from external.openai.unstored import open_unstored

MODELS, COMPLETIONS = "/v1/models", "/v1/chat/completions"
CONVERSATION = "x-conversation"


async def openai_door(scope: Scope, receive: Receive, send: Send) -> None:
    """Every refusal is in OpenAI's shape, that of a lost database too."""
    call = _Call(scope, receive, send)
    try:
        await call.answer()
    except OSError:
        pass  # the client went away while being written to
    except Exception as failure:
        problem = translate(failure)
        if not call.begun:
            await call.refuse(problem or Unexpected())
        if problem is None:
            raise


class _Call:
    """One request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.begun = False
        self._proven: bytes | None = None
        self.headers: Headers = [(b"x-request-id", f"req_{uuid.uuid4().hex}".encode())]

    async def answer(self) -> None:
        path = self.scope["path"].rstrip("/")
        if path == COMPLETIONS:
            self._must_be("POST")
            await self._complete(await self._asker(), await self._request())
        elif path == MODELS:
            self._must_be("GET")
            await self._document(200, await offload(list_models, await self._asker()))
        elif path.startswith(f"{MODELS}/"):
            self._must_be("GET")
            name = unquote(path.removeprefix(f"{MODELS}/"))
            await self._document(200, await offload(read_model, await self._asker(), name))
        else:
            raise NotFound(f"There is nothing at {path}: {MODELS} and {COMPLETIONS} are what is served here.")

    async def refuse(self, problem: ChatcoreError) -> None:
        told = [(name.lower().encode(), value.encode()) for name, value in problem_headers(problem).items()]
        self.headers += told
        await self._document(*errors.refusal(problem))

    async def _complete(self, principal: Principal, request: ChatRequest) -> None:
        source = await self._source(principal, request)
        if source.conversation_id:
            self.headers.append((CONVERSATION.encode(), str(source.conversation_id).encode()))
        answer = Answer(source.reply_id, request.model, source.conversation_id)
        request.messages.clear()  # their files would be held for as long as the model speaks
        try:
            work = self._stream(source, answer, request) if request.stream else self._whole(source, answer)
            await while_client_stays(work, self.receive)
        finally:
            source.close()

    async def _source(self, principal: Principal, request: ChatRequest) -> Source:
        if request.store is False:
            return await open_unstored(principal, request)
        header = dict(self.scope["headers"]).get(CONVERSATION.encode(), b"").decode("latin-1").strip()
        return await Stored.open(await placed(principal, request, header))

    async def _whole(self, source: Source, answer: Answer) -> None:
        try:
            async with aclosing(source.events()) as events:
                async for _ in events:
                    pass
        except Failed as failed:
            await self._document(*errors.failure(failed.error))
            return
        said = (source.text, source.reasoning, source.tool_calls)
        await self._document(200, answer.whole(*said, source.finish_reason, source.usage))

    async def _stream(self, source: Source, answer: Answer, request: ChatRequest) -> None:
        self.begun = True
        await self.send(
            {"type": "http.response.start", "status": 200, "headers": [*self.headers, *EVENT_STREAM]}
        )
        try:
            async with aclosing(self._chunks(source, answer)) as chunks:
                async for chunk in chunks:
                    await self._write(chunk)
        except Failed as failed:
            await self._write(event(errors.failure(failed.error)[1]))
        except ChatcoreError as problem:
            await self._write(event(errors.refusal(problem)[1]))
        else:
            if request.includes_usage:
                await self._write(answer.usage(source.usage))
            await self._write(DONE)
        await self.send({"type": "http.response.body", "body": b""})

    async def _chunks(self, source: Source, answer: Answer) -> AsyncGenerator[bytes, None]:
        look, telling = now_and_then(self._principal), Telling()
        yield answer.delta(role="assistant", content="")
        async with aclosing(source.events()) as events:
            async for one in events:
                await look()
                if isinstance(one, TextDelta):
                    if fresh := telling.text(one.text):
                        yield answer.delta(content=fresh)
                elif isinstance(one, ReasoningDelta):
                    if fresh := telling.reasoning(one.text):
                        yield answer.delta(reasoning_content=fresh)
                elif isinstance(one, Restarted):
                    telling.restart()
                elif one is None:
                    yield KEEP_ALIVE
        telling.end()
        if source.tool_calls:
            yield answer.calls(source.tool_calls)
        yield answer.end(source.finish_reason, source.tool_calls)

    async def _asker(self) -> Principal:
        """The principal, who has paid for the request."""
        admission = await admitted_at(self.scope)
        if admission is not None:
            self._show(admission.rates)
            return admission.principal
        if any(name == b"x-authenticator" for name, _ in self.scope["headers"]):
            # A proof may be of the body, so that it is read for somebody who is not known yet: no more than elsewhere.
            self._proven = await self._body(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        principal = await self._principal()
        try:
            await limits.charge_live(principal)
        finally:
            self._show(principal.rates)
        return principal

    def _show(self, rates: limits.Rates) -> None:
        standing = limits.headers_of(rates).items()
        self.headers += [(name.lower().encode(), value.encode()) for name, value in standing]

    async def _principal(self) -> Principal:
        """Keys, tokens and proofs only: a page of another site must not ask with a visitor's cookie."""
        principal = await principal_of(self.scope, self._proven)
        if principal is None or principal.credential == "session":
            raise Unauthenticated
        return principal

    async def _request(self) -> ChatRequest:
        content = self._proven if self._proven is not None else await self._body(MOST_BYTES)
        if len(content) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return await offload(read_request, content)
        return read_request(content)

    async def _body(self, most_bytes: int) -> bytes:
        pieces, size, more = [], 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > most_bytes:
                raise TooLarge
            more = message.get("more_body", False)
        return b"".join(pieces)

    def _must_be(self, method: str) -> None:
        if self.scope["method"] != method:
            raise MethodNotAllowed(f"Send a {method} request to this address.")

    async def _document(self, status: int, body: Mapping[str, Any]) -> None:
        self.begun = True
        await send_document(self.send, status, body, [*self.headers, *JSON])

    async def _write(self, chunk: bytes) -> None:
        await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
