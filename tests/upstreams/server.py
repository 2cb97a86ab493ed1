"""The HTTP server of the fake upstreams, in a thread with an event loop of its own."""

import asyncio
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from tests.upstreams.faults import Broken, Cut
from tests.upstreams.plans import Plan, named
from tests.upstreams.protocols import CHAT, Protocol, protocol_of

PLANS = web.AppKey("plans", dict[str, Plan])
ACCESS_TOKEN = "ya29.an-access-token"
SETTLING_TURNS = 5  # of the loop, for transports to be known to the server, and to be closed and forgotten
LISTS = "/v1/models"  # the plan of what is listed, whatever the address


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Heard:
    """What reached the server; `left` is set when a client hangs up before its answer is complete."""

    requests: list[Request] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    transports: "weakref.WeakSet[asyncio.Transport]" = field(default_factory=weakref.WeakSet)


HEARD = web.AppKey("heard", Heard)


def application(plans: dict[str, Plan], heard: Heard) -> web.Application:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[PLANS], app[HEARD] = plans, heard
    app.router.add_post("/token", _token)
    app.router.add_post("/{path:.*}", _asked)
    app.router.add_get("/{path:.*}", _models)
    return app


async def _token(_: web.Request) -> web.StreamResponse:
    """Where a service account gets its access token (RFC 7523)."""
    return web.json_response({"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"})


async def _asked(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    _note(request, body)
    found = protocol_of(request.path)
    if found is None:
        return web.json_response({"error": {"message": f"no such path: {request.path}"}}, status=404)
    protocol, model = found
    model = model or body["model"]
    plan = request.app[PLANS].get(model) or named(model)
    refused = [name for name in plan.refused_fields if name in body]
    if refused:
        plan = Plan(status=400, said=f"Unrecognized request argument supplied: {refused[0]}")
    for name, value, said in plan.refused_values:
        if name in body and body[name] == value:
            return web.json_response(said, status=400)
    try:
        return await _answer(request, plan, protocol, body)
    except (asyncio.CancelledError, ConnectionResetError):
        request.app[HEARD].left.set()
        raise


async def _models(request: web.Request) -> web.StreamResponse:
    _note(request, None)
    plan = request.app[PLANS].get(LISTS, Plan())
    if plan.hang_before:
        await asyncio.Event().wait()
    if plan.raw is not None or plan.status != 200:
        return _refused(plan, CHAT)
    if "x-goog-api-key" in request.headers:
        return web.json_response({"models": [{"name": f"models/{name}"} for name in plan.pieces]})
    rows = [{"id": name, "object": "model", **plan.facts.get(name, {})} for name in plan.pieces]
    return web.json_response({"object": "list", "data": rows})


def _note(request: web.Request, body: Any) -> None:
    if request.transport is not None:
        request.app[HEARD].transports.add(request.transport)
    request.app[HEARD].requests.append(
        Request(request.method, request.path, dict(request.query), dict(request.headers), body)
    )


def _refused(plan: Plan, protocol: Protocol) -> web.Response:
    if plan.raw is not None:
        return web.Response(body=plan.raw, status=plan.status, headers=plan.headers)
    return web.json_response(protocol.refusal(plan), status=plan.status, headers=plan.headers)


async def _answer(
    request: web.Request, plan: Plan, protocol: Protocol, body: dict[str, Any]
) -> web.StreamResponse:
    if plan.hang_before:
        await asyncio.Event().wait()
    if plan.status != 200:
        return _refused(plan, protocol)
    if plan.raw is None and protocol.whole and (plan.whole or not body.get("stream")):
        return web.json_response(protocol.whole(plan))
    response = web.StreamResponse(headers={"Content-Type": protocol.content_type, **plan.headers})
    await response.prepare(request)
    try:
        async for piece in _once(plan.raw) if plan.raw is not None else _events(plan, protocol):
            await _write(response, plan, piece)
        if plan.cut_at_end:
            raise Cut
    except Cut:
        assert request.transport is not None
        request.transport.close()
        return response
    if plan.hang_at_end:
        await asyncio.Event().wait()
    await response.write_eof()
    return response


async def _events(plan: Plan, protocol: Protocol) -> AsyncIterator[bytes]:
    """The events of the stream; one is held back where the last of them is to be cut in its middle."""
    held = b""
    try:
        async for event in protocol.stream(plan):
            if not plan.cut_inside:
                yield event
                continue
            if held:
                yield held
            held = event
    except Cut:
        yield held[: len(held) // 2]
        raise
    except Broken:
        yield protocol.error(plan)


async def _write(response: web.StreamResponse, plan: Plan, piece: bytes) -> None:
    step = plan.write_size or len(piece) or 1
    for start in range(0, len(piece), step):
        await response.write(piece[start : start + step])
        if plan.drip:
            await asyncio.sleep(plan.drip)


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
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
        self._run(web.SockSite(self._runner, self._listener).start())
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """A connection whose client reads no more would wait for it; the loop has to outlive them all."""
        assert self._runner.server
        # Who was let in as the server closes would belong to nobody: nobody is let in, then it closes.
        self._loop.remove_reader(self._listener)
        await self._settle()
        for connection in self._runner.server.connections:
            if connection.transport:
                connection.transport.abort()
        await self._runner.cleanup()
        # One that closes is forgotten by its server, and still waits for a client to take what is buffered.
        for transport in list(self.heard.transports):
            transport.abort()
        await self._loop.shutdown_asyncgens()
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(SETTLING_TURNS):
            await asyncio.sleep(0)

    def _run(self, work: Awaitable[None]) -> None:
        async def awaited() -> None:
            await work

        asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(10)
