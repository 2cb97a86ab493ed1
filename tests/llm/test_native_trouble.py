import asyncio
import json
import socket
from typing import Any

import pytest

from chatcore.llm import native
from chatcore.llm.errors import ProviderError
from chatcore.llm.native import NativeProvider
from chatcore.llm.streaming import Timeouts
from chatcore.llm.types import Finished, TextDelta, Usage
from tests.llm.asking import KEY, Open, events_of, request, text_of
from tests.upstreams.plans import NAMED, Plan, refusal
from tests.upstreams.server import Upstream


async def failure(provider: NativeProvider, model: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await events_of(provider.stream(request(model)))
    return caught.value


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 529])
async def test_a_refusal_tells_its_status(upstream: Upstream, opened: Open, status: int) -> None:
    upstream.plan("no", refusal(status, "what it said", **{"Retry-After": "7"}))
    error = await failure(opened(), "no")
    assert (error.upstream_status, error.retry_after, error.started) == (status, 7.0, False)
    assert "what it said" in error.detail


async def test_a_redirect_is_not_followed(upstream: Upstream, opened: Open) -> None:
    elsewhere = {"Location": f"{upstream.url}/v1/chat/completions"}
    upstream.plan("moved", Plan(status=307, raw=b"", headers=elsewhere))
    assert (await failure(opened(), "moved")).code == "not_found"
    assert len(upstream.requests) == 1


async def test_the_key_is_in_no_error(upstream: Upstream, opened: Open) -> None:
    upstream.plan("echo", refusal(401, f"the key {KEY} is wrong"))
    error = await failure(opened(), "echo")
    assert error.code == "auth"
    assert KEY not in str(error)
    assert KEY not in error.detail


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (NAMED["garbage"], "garbage"),
        (Plan(raw=b"data: {nonsense}\n\n"), "garbage"),
        (Plan(raw=b'data: {"choices": 7}\n\n'), "garbage"),
        (Plan(raw=b"data: " + b"x" * 1_200_000), "garbage"),
        (Plan(raw=b'{"choices": [], "filler": "%s"}' % (b" " * 9_000_000)), "garbage"),
        (Plan(raw=b'{"error": {"message": "no credit", "code": 402}}'), "auth"),
        (Plan(raw=b""), "cut_off"),
        (Plan(raw=b": nothing\n\n"), "cut_off"),
        (Plan(raw=b"data: [DONE]\n\n"), "empty"),
        (Plan(pieces=()), "empty"),
        (Plan(pieces=(), finish="content_filter"), "content_filter"),
        (Plan(finish=None, done=False, usage=None), "cut_off"),
        (Plan(cut_after=2), "cut_off"),
        (Plan(cut_inside=True), "cut_off"),
        (Plan(error_after=2, error={"message": "busy", "type": "overloaded_error"}), "overloaded"),
    ],
)
async def test_a_broken_answer_has_its_name(upstream: Upstream, opened: Open, plan: Plan, code: str) -> None:
    upstream.plan("broken", plan)
    assert (await failure(opened(), "broken")).code == code


async def test_an_answer_without_done_is_complete_when_it_has_a_finish_reason(
    upstream: Upstream, opened: Open
) -> None:
    upstream.plan("abrupt", done=False, usage=None)
    assert (await events_of(opened().stream(request("abrupt"))))[-1] == Finished("stop")


@pytest.mark.parametrize("changes", [{"hang_at_end": True}, {"cut_at_end": True}])
@pytest.mark.parametrize("done", [True, False])
async def test_what_happens_after_the_finish_reason_spoils_nothing(
    upstream: Upstream, opened: Open, monkeypatch: pytest.MonkeyPatch, done: bool, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(native, "AFTER_FINISH", 0.05)
    upstream.plan("open-ended", done=done, **changes)
    events = await events_of(opened().stream(request("open-ended")))
    assert text_of(events) == "Hello from the upstream"
    assert events[-2:] == [Usage(11, 3, 4, 2), Finished("stop")]


async def test_a_server_that_refuses_connections_is_unavailable(opened: Open) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await failure(opened(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"), "any")
    assert (error.code, error.retryable) == ("unavailable", True)


async def test_a_server_that_does_not_exist_is_unavailable(opened: Open) -> None:
    assert (await failure(opened("http://no-such-host.invalid/v1"), "any")).code == "unavailable"


async def test_a_hanging_upstream_is_left_when_the_time_is_up(upstream: Upstream, opened: Open) -> None:
    upstream.plan("hang", hang_after=1)
    events = []
    with pytest.raises(ProviderError, match="timeout"):
        events = await events_of(
            opened().stream(request("hang")), Timeouts(first=3600, between=0.05, total=3600)
        )
    assert not events
    assert await asyncio.to_thread(upstream.heard.left.wait, 10)


async def test_a_closed_stream_hangs_up(upstream: Upstream, opened: Open) -> None:
    upstream.plan("hang", hang_after=1)
    stream: Any = opened().stream(request("hang"))
    assert await anext(stream) == TextDelta("Hello")
    await stream.aclose()
    assert await asyncio.to_thread(upstream.heard.left.wait, 10)


async def test_a_key_that_no_header_can_carry_is_an_error_of_ours(opened: Open) -> None:
    error = await failure(opened(credential="two\r\nlines"), "any")
    assert (error.code, error.retryable) == ("bad_request", False)


async def test_an_idle_connection_closed_by_the_server_costs_no_answer(opened: Open) -> None:
    async with keeping_one_answer_per_connection() as (url, connections):
        provider = opened(url)
        for _ in range(3):
            assert text_of(await events_of(provider.stream(request("any")))) == "Hi"
    # Each request after the first found its connection gone, and went out again over a new one.
    assert len(connections) == 3


class keeping_one_answer_per_connection:  # noqa: N801 (read as a phrase)
    """A server that promises to keep connections open, and drops each one when it is used a second time."""

    async def __aenter__(self) -> tuple[str, list[int]]:
        self.connections: list[int] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1", self.connections

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await self.server.wait_closed()
        await asyncio.sleep(0)  # the loop must outlive them all

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(1)
        self.writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        chunk = json.dumps({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
        body = f"data: {chunk}\n\ndata: [DONE]\n\n".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.read(1)
        writer.close()
