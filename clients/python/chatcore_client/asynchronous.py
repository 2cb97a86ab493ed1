"""The asynchronous client: `AsyncChatcore`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import wraps
from inspect import isawaitable
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import httpx2

from chatcore_client import events, replies, resources
from chatcore_client.assembly import Assemblies, Assembly, Piece
from chatcore_client.connection import Address, Growing, Standing, Token
from chatcore_client.errors import TransportFailed
from chatcore_client.flow import (
    Answer,
    Emit,
    Flow,
    Listing,
    Open,
    Read,
    Request,
    Settings,
    Shut,
    Sleep,
    Step,
    Tell,
)
from chatcore_client.records import Event, Message
from chatcore_client.retry import Retry

P = ParamSpec("P")
T = TypeVar("T")


class AsyncStream(Generic[T], AsyncIterator[T]):
    """Plays a listing. Used up it closes itself; left before, close it, or use it in `async with`."""

    def __init__(self, link: "AsyncLink", flow: Listing[T]) -> None:
        self._link = link
        self._flow = flow
        self._response: httpx2.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._failure: TransportFailed | None = None

    async def __anext__(self) -> T:
        result: Any = None
        while True:
            failure, self._failure = self._failure, None
            try:
                step = self._flow.throw(failure) if failure else self._flow.send(result)
            except StopIteration:
                await self._shut()
                raise StopAsyncIteration from None
            except BaseException:
                await self._shut()
                raise
            if isinstance(step, Emit):
                item: T = step.item
                return item
            try:
                result = await self._take(step)
            except TransportFailed as error:
                self._failure = error
            except BaseException:  # cancelled in mid-step: whoever goes on goes on with another connection
                self._failure = None if isinstance(step, Sleep | Tell) else TransportFailed("Interrupted.")
                await self._shut()
                raise

    async def _take(self, step: Step) -> Any:
        match step:
            case Open(request):
                return await self._open(request)
            case Read():
                with self._link.address.failures():
                    return await anext(self._chunks, b"") if self._chunks else b""
            case Shut():
                return await self._shut()
            case _:
                return await self._link.take(step)

    async def _open(self, request: Request) -> Answer:
        await self._shut()
        with self._link.address.failures():
            sent = self._link.address.request(self._link.http, request, streams=True)
            self._response = await self._link.http.send(sent, stream=True)
            body = b"" if self._response.is_success else await self._response.aread()
        self._chunks = aiter(self._response.aiter_bytes())
        return self._link.address.answer(self._response, body)

    async def _shut(self) -> None:
        response, self._response = self._response, None
        chunks, self._chunks = self._chunks, None
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
        if response:
            await response.aclose()

    async def close(self) -> None:
        """Safe to repeat."""
        self._flow.close()
        await self._shut()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncReplyStream(Growing, AsyncStream[Piece]):
    """A reply as it grows, or several: `Delta` after `Delta`, and `Restarted` where one began anew."""

    def __init__(self, link: "AsyncLink", assemblies: Assemblies, opening: Request | None = None) -> None:
        super().__init__(link, replies.follow(link.settings, assemblies, opening))
        self._assemblies = assemblies

    async def finish(self) -> Message:
        """Go on to the end; the whole reply."""
        async for _ in self:
            pass
        return self._whole()


class AsyncEventStream(Standing, AsyncStream[Event]):
    """Events without end. `cursor` is where to resume from after the newest one."""

    def __init__(
        self,
        link: "AsyncLink",
        log: events.Log,
        conversation: str | None,
        on_resync: events.OnResyncMaybeAsync | None,
    ) -> None:
        super().__init__(link, events.follow_log(link.settings, log, conversation, on_resync))
        self._log = log


class AsyncLink:
    """What carries the requests of one client."""

    def __init__(self, address: Address, settings: Settings, http: httpx2.AsyncClient) -> None:
        self.address = address
        self.settings = settings
        self.http = http

    async def run(self, flow: Flow[T]) -> T:
        result: Any = None
        failure: TransportFailed | None = None
        while True:
            try:
                step = flow.throw(failure) if failure else flow.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
            try:
                result, failure = await self.take(step), None
            except TransportFailed as error:
                failure = error

    async def take(self, step: Step) -> Any:
        match step:
            case Request():
                with self.address.failures():
                    response = await self.http.send(self.address.request(self.http, step))
                return self.address.answer(response, response.content)
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case Tell(function, argument):
                told = function(argument)
                return await told if isawaitable(told) else told
        raise TypeError(step)


class Part:
    def __init__(self, link: AsyncLink) -> None:
        self._link = link


def command(flow: Callable[Concatenate[Settings, P], Flow[T]]) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    @wraps(flow)
    async def call(part: Part, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await part._link.run(flow(part._link.settings, *args, **kwargs))

    return call


def listing(
    flow: Callable[Concatenate[Settings, P], Listing[T]],
) -> Callable[Concatenate[Any, P], AsyncStream[T]]:
    @wraps(flow)
    def call(part: Part, /, *args: P.args, **kwargs: P.kwargs) -> AsyncStream[T]:
        return AsyncStream(part._link, flow(part._link.settings, *args, **kwargs))

    return call


def streamed(
    question: Callable[P, Request],
) -> Callable[Concatenate[Any, P], AsyncReplyStream]:
    @wraps(question)
    def call(part: Part, /, *args: P.args, **kwargs: P.kwargs) -> AsyncReplyStream:
        opening = question(*args, **kwargs)
        expected = len((opening.body or {}).get("models") or "1")
        return AsyncReplyStream(part._link, Assemblies(expected=expected), opening)

    return call


class Conversations(Part):
    create = command(resources.create_conversation)
    get = command(resources.get_conversation)
    list = listing(resources.list_conversations)
    update = command(resources.update_conversation)
    delete = command(resources.delete_conversation)


class Messages(Part):
    list = listing(resources.list_messages)
    get = command(resources.get_message)
    post = command(resources.post_message)
    edit = command(replies.edit)
    delete = command(resources.delete_message)


class Replies(Part):
    ask = command(replies.ask)
    stream = streamed(replies.question)
    wait = command(replies.wait_for)
    stop = command(replies.stop)
    choose = command(replies.choose)
    retry = command(replies.retry)
    continue_ = command(replies.continue_)
    regenerate = command(replies.regenerate)

    def follow(self, reply: str) -> AsyncReplyStream:
        """A reply that exists already, from its beginning to its end."""
        return AsyncReplyStream(self._link, Assemblies(Assembly(reply)))


class Models(Part):
    list = listing(resources.list_models)


class AsyncChatcore(Part):
    """A client of the server at `base_url`, with the key of an integration or the access token of a user.

    Tokens last five minutes: where that is too short, `token` is a function that gives a fresh one. A user of several
    workspaces names one. `http` brings settings of its own for TLS or proxies, and is then yours to close.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        token: Token | None = None,
        workspace: str | None = None,
        timeout: float = 30.0,
        silence: float = 45.0,
        retry: Retry | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._owned = http is None
        settings = Settings(retry or Retry(), timeout, silence)
        address = Address(base_url, key, token, workspace, settings)
        super().__init__(AsyncLink(address, settings, http or httpx2.AsyncClient()))
        self.conversations = Conversations(self._link)
        self.messages = Messages(self._link)
        self.replies = Replies(self._link)
        self.models = Models(self._link)

    poll = command(events.poll)

    def events(
        self,
        *,
        after: str | None = None,
        conversation: str | None = None,
        on_resync: events.OnResyncMaybeAsync | None = None,
    ) -> AsyncEventStream:
        """Everything that happens from now on, or after the cursor, each event once, whatever the network does.

        Raises Resync if the cursor is too old; with `on_resync`, that is called instead, to read the state anew.
        """
        return AsyncEventStream(self._link, events.Log(after), conversation, on_resync)

    async def close(self) -> None:
        if self._owned:
            await self._link.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
