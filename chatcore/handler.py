"""Django's handler of HTTP requests, whose requests lend each other their threads.

Django starts a thread for each request and another one that waits for its end, even where nothing runs in it: together
that takes longer than most of our answers.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_finished, request_started
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from chatcore.errors import TooLarge
from chatcore.realtime.plain_asgi import Receive, Scope, Send, client_leaves, send_problem

P = ParamSpec("P")
R = TypeVar("R")

MOST_IDLE = 8


class Threads:
    """Those that no request uses now. Only for the event loop, which needs no lock."""

    def __init__(self) -> None:
        self._idle: list[ThreadPoolExecutor] = []

    def take(self) -> ThreadPoolExecutor:
        return self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")

    def give_back(self, thread: ThreadPoolExecutor) -> None:
        if len(self._idle) < MOST_IDLE:
            self._idle.append(thread)
        else:
            thread.shutdown(wait=False)


class BorrowedThread(Executor):
    """A request's own: everything synchronous in it runs there, and nothing else. Taken when it is first needed."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._thread: ThreadPoolExecutor | None = None

    @property
    def was_needed(self) -> bool:
        return self._thread is not None

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        self._thread = self._thread or self._threads.take()
        return self._thread.submit(fn, *args, **kwargs)

    def give_back(self) -> None:
        if self._thread is not None:
            self._threads.give_back(self._thread)


class Bounded:
    """`receive` of a request whose client is taken for gone once it has sent more than any door takes.

    Django writes a body to the disk before it asks who sends it.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = (
            settings.ATTACHMENTS_PER_MESSAGE * settings.ATTACHMENT_MAX_BYTES
            + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )

    @property
    def is_exceeded(self) -> bool:
        return self._left < 0

    async def __call__(self) -> Mapping[str, Any]:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_exceeded else message


class Handler(ASGIHandler):
    def __init__(self) -> None:
        super().__init__()
        self._threads = Threads()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bounded = Bounded(receive)
        try:
            body = await self.read_body(bounded)
        except RequestAborted:
            if bounded.is_exceeded:
                request_id = f"req_{uuid.uuid4().hex}"
                await send_problem(send, TooLarge(), request_id, [(b"x-request-id", request_id.encode())])
            return
        thread = BorrowedThread(self._threads)
        try:
            with body:
                async with ThreadSensitiveContext(executor=thread):
                    await self._serve(scope, body, thread, receive, send)
        finally:
            thread.give_back()

    async def _serve(
        self, scope: Scope, body: Any, thread: BorrowedThread, receive: Receive, send: Send
    ) -> None:
        set_script_prefix(get_script_prefix(scope))
        await request_started.asend(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        if request is None:
            assert refusal is not None
            await self.send_response(refusal, send)
            return
        answering = asyncio.ensure_future(self._answer(request, send))
        leaving = asyncio.ensure_future(client_leaves(receive))  # who has been answered has left, too
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, leaving):
                task.cancel()
            response, _ = await asyncio.gather(answering, leaving, return_exceptions=True)
            await self._end(response, thread)
        if isinstance(response, Exception):
            raise response

    async def _answer(self, request: HttpRequest, send: Send) -> HttpResponseBase:
        response = await self.run_get_response(request)
        with contextlib.suppress(asyncio.CancelledError):
            await self.send_response(response, send)
        return response

    async def _end(self, response: HttpResponseBase | BaseException, thread: BorrowedThread) -> None:
        """What a request leaves behind, such as a connection of Postgres, is where it ran."""
        end: Callable[[], object] = partial(request_finished.send, type(self))
        if isinstance(response, HttpResponseBase):
            end = response.close
        if thread.was_needed:
            await sync_to_async(end)()
        else:
            end()
