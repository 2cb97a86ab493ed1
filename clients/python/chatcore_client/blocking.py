"""The blocking client: `Chatcore`."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
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


class Stream(Generic[T], Iterator[T]):
    """Plays a listing. Used up it closes itself; left before, close it, or use it in `with`."""

    def __init__(self, link: "Link", flow: Listing[T]) -> None:
        self._link = link
        self._flow = flow
        self._response: httpx2.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._failure: TransportFailed | None = None

    def __next__(self) -> T:
        result: Any = None
        while True:
            failure, self._failure = self._failure, None
            try:
                step = self._flow.throw(failure) if failure else self._flow.send(result)
            except BaseException:
                self._shut()
                raise
            if isinstance(step, Emit):
                item: T = step.item
                return item
            try:
                result = self._take(step)
            except TransportFailed as error:
                self._failure = error
            except BaseException:  # interrupted in mid-step: whoever goes on goes on with another connection
                self._failure = None if isinstance(step, Sleep | Tell) else TransportFailed("Interrupted.")
                self._shut()
                raise

    def _take(self, step: Step) -> Any:
        match step:
            case Open(request):
                return self._open(request)
            case Read():
                with self._link.address.failures():
                    return next(self._chunks, b"")
            case Shut():
                return self._shut()
            case _:
                return self._link.take(step)

    def _open(self, request: Request) -> Answer:
        self._shut()
        with self._link.address.failures():
            sent = self._link.address.request(self._link.http, request, streams=True)
            self._response = self._link.http.send(sent, stream=True)
            body = b"" if self._response.is_success else self._response.read()
        self._chunks = self._response.iter_bytes()
        return self._link.address.answer(self._response, body)

    def _shut(self) -> None:
        response, self._response, self._chunks = self._response, None, iter(())
        if response:
            response.close()

    def close(self) -> None:
        """Safe to repeat."""
        self._flow.close()
        self._shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ReplyStream(Growing, Stream[Piece]):
    """A reply as it grows, or several: `Delta` after `Delta`, and `Restarted` where one began anew."""

    def __init__(self, link: "Link", assemblies: Assemblies, opening: Request | None = None) -> None:
        super().__init__(link, replies.follow(link.settings, assemblies, opening))
        self._assemblies = assemblies

    def finish(self) -> Message:
        """Go on to the end; the whole reply."""
        for _ in self:
            pass
        return self._whole()


class EventStream(Standing, Stream[Event]):
    """Events without end. `cursor` is where to resume from after the newest one."""

    def __init__(
        self, link: "Link", log: events.Log, conversation: str | None, on_resync: events.OnResync | None
    ) -> None:
        super().__init__(link, events.follow_log(link.settings, log, conversation, on_resync))
        self._log = log


class Link:
    """What carries the requests of one client."""

    def __init__(self, address: Address, settings: Settings, http: httpx2.Client) -> None:
        self.address = address
        self.settings = settings
        self.http = http

    def run(self, flow: Flow[T]) -> T:
        result: Any = None
        failure: TransportFailed | None = None
        while True:
            try:
                step = flow.throw(failure) if failure else flow.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
            try:
                result, failure = self.take(step), None
            except TransportFailed as error:
                failure = error

    def take(self, step: Step) -> Any:
        match step:
            case Request():
                with self.address.failures():
                    response = self.http.send(self.address.request(self.http, step))
                return self.address.answer(response, response.content)
            case Sleep(seconds):
                return time.sleep(seconds)
            case Tell(function, argument):
                return function(argument)
        raise TypeError(step)


class Part:
    def __init__(self, link: Link) -> None:
        self._link = link


def command(flow: Callable[Concatenate[Settings, P], Flow[T]]) -> Callable[Concatenate[Any, P], T]:
    @wraps(flow)
    def call(part: Part, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return part._link.run(flow(part._link.settings, *args, **kwargs))

    return call


def listing(
    flow: Callable[Concatenate[Settings, P], Listing[T]],
) -> Callable[Concatenate[Any, P], Stream[T]]:
    @wraps(flow)
    def call(part: Part, /, *args: P.args, **kwargs: P.kwargs) -> Stream[T]:
        return Stream(part._link, flow(part._link.settings, *args, **kwargs))

    return call


def streamed(
    question: Callable[P, Request],
) -> Callable[Concatenate[Any, P], ReplyStream]:
    @wraps(question)
    def call(part: Part, /, *args: P.args, **kwargs: P.kwargs) -> ReplyStream:
        opening = question(*args, **kwargs)
        expected = len((opening.body or {}).get("models") or "1")
        return ReplyStream(part._link, Assemblies(expected=expected), opening)

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

    def follow(self, reply: str) -> ReplyStream:
        """A reply that exists already, from its beginning to its end."""
        return ReplyStream(self._link, Assemblies(Assembly(reply)))


class Models(Part):
    list = listing(resources.list_models)


class Chatcore(Part):
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
        http: httpx2.Client | None = None,
    ) -> None:
        self._owned = http is None
        settings = Settings(retry or Retry(), timeout, silence)
        address = Address(base_url, key, token, workspace, settings)
        super().__init__(Link(address, settings, http or httpx2.Client()))
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
        on_resync: events.OnResync | None = None,
    ) -> EventStream:
        """Everything that happens from now on, or after the cursor, each event once, whatever the network does.

        Raises Resync if the cursor is too old; with `on_resync`, that is called instead, to read the state anew.
        """
        return EventStream(self._link, events.Log(after), conversation, on_resync)

    def close(self) -> None:
        if self._owned:
            self._link.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
