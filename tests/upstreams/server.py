"""The HTTP server of the fake upstreams, in a thread with an event loop of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from tests.upstreams.anthropic_messages import messages_body
from tests.upstreams.openai_chat import chat_body, chat_whole
from tests.upstreams.plans import Plan, named

PLANS = web.AppKey("plans", dict[str, Plan])
Body = Callable[[Plan, str], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Heard:
    """What reached the server; `left` is set when a client hangs up before its answer is complete."""

    requests: list[Request] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)


HEARD = web.AppKey("heard", Heard)


def application(plans: dict[str, Plan], heard: Heard) -> web.Application:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[PLANS], app[HEARD] = plans, heard
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_post("/openai/deployments/{model}/chat/completions", _chat)
    app.router.add_post("/v1/messages", _messages)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/openai/deployments", _models)
    return app


async def _chat(request: web.Request) -> web.StreamResponse:
    plan = await _planned(request)
    if plan.raw is None and (plan.whole or not (await request.json()).get("stream")):
        return web.json_response(chat_whole(plan))
    return await _answer(request, plan, chat_body)


async def _messages(request: web.Request) -> web.StreamResponse:
    return await _answer(request, await _planned(request), messages_body)


async def _models(request: web.Request) -> web.StreamResponse:
    _note(request, None)
    plan = request.app[PLANS].get("/v1/models", Plan())
    if plan.raw is not None:
        return web.Response(body=plan.raw, status=plan.status, headers=plan.headers)
    return web.json_response(
        {"object": "list", "data": [{"id": name, "object": "model"} for name in plan.pieces]}
    )


async def _planned(request: web.Request) -> Plan:
    body = await request.json()
    _note(request, body)
    model = body["model"]
    return request.app[PLANS].get(model) or named(model)


def _note(request: web.Request, body: Any) -> None:
    request.app[HEARD].requests.append(
        Request(request.path, dict(request.query), dict(request.headers), body)
    )


async def _answer(request: web.Request, plan: Plan, body: Body) -> web.StreamResponse:
    try:
        return await _write(request, plan, body)
    except (asyncio.CancelledError, ConnectionResetError):
        request.app[HEARD].left.set()
        raise


async def _write(request: web.Request, plan: Plan, body: Body) -> web.StreamResponse:
    if plan.hang_before:
        await asyncio.Event().wait()
    if plan.raw is not None and plan.status != 200:
        return web.Response(body=plan.raw, status=plan.status, headers=plan.headers)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **plan.headers})
    await response.prepare(request)
    pieces = _once(plan.raw) if plan.raw is not None else body(plan, request.path)
    async for piece in pieces:
        step = plan.write_size or len(piece)
        for start in range(0, len(piece), step):
            await response.write(piece[start : start + step])
    if plan.hang_at_end:
        await asyncio.Event().wait()
    if plan.cut_after is not None or plan.cut_inside or plan.cut_at_end:
        assert request.transport is not None
        request.transport.close()
        return response
    await response.write_eof()
    return response


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


class Upstream:
    """A running fake upstream. `plan(model, …)` says what a model's next answers are."""

    def __init__(self, port: int = 0) -> None:
        self.plans: dict[str, Plan] = {}
        self.heard = Heard()
        self.url = ""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._runner = web.AppRunner(
            application(self.plans, self.heard),
            handler_cancellation=True,
            shutdown_timeout=0.1,
            access_log=None,
        )

    @property
    def requests(self) -> list[Request]:
        return self.heard.requests

    def plan(self, model: str, plan: Plan | None = None, **changes: Any) -> str:
        self.plans[model] = replace(plan or Plan(), **changes)
        return model

    def start(self) -> None:
        self._thread.start()
        self._run(self._runner.setup())
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        self._run(site.start())
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """A connection whose client reads no more would wait for it; the loop has to outlive them all."""
        assert self._runner.server
        for connection in self._runner.server.connections:
            if connection.transport:
                connection.transport.abort()
        await self._runner.cleanup()
        await asyncio.sleep(0)

    def _run(self, work: Awaitable[None]) -> None:
        async def awaited() -> None:
            await work

        asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(10)
