import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from chatcore.llm.errors import ProviderError
from chatcore.llm.native import OPENAI, NativeProvider
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.streaming import Timeouts
from chatcore.llm.types import Finished, TextDelta, Usage
from tests.llm.asking import events_of, reasoning_of, request, text_of, tool_calls_of
from tests.upstreams.plans import NAMED, Plan, refusal
from tests.upstreams.server import Upstream

KEY = "sk-a-secret-key"
Open = Callable[..., NativeProvider]


@pytest_asyncio.fixture
async def opened(upstream: Upstream) -> AsyncIterator[Open]:
    """Makes providers that are closed after the test; without address they reach the fake upstream."""
    providers: list[NativeProvider] = []

    def make(base_url: str = f"{upstream.url}/v1", credential: str = KEY, **options: Any) -> NativeProvider:
        providers.append(NativeProvider(ProviderSettings("openai", base_url, credential, options)))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.close()


async def failure(provider: NativeProvider, model: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await events_of(provider.stream(request(model)))
    return caught.value


async def test_an_answer_streams_and_says_what_it_used(opened: Open) -> None:
    events = await events_of(opened().stream(request("any")))
    assert text_of(events) == "Hello from the upstream"
    assert events[-2:] == [Usage(11, 3, 4, 2), Finished("stop")]


async def test_the_request_is_what_the_protocol_wants(upstream: Upstream, opened: Open) -> None:
    params = {"temperature": 0.2, "max_tokens": 50, "unheard_of": 1, "model": "another", "stream": False}
    await events_of(opened().stream(request("some-model", said="Grüß dich", params=params, user="u-1")))
    (heard,) = upstream.requests
    assert heard.path == "/v1/chat/completions"
    assert heard.headers["Authorization"] == f"Bearer {KEY}"
    assert heard.body == {
        "model": "some-model",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Grüß dich"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "max_tokens": 50,
    }


async def test_options_speak_a_dialect(upstream: Upstream, opened: Open) -> None:
    provider = opened(
        include_usage=False,
        max_tokens_field="max_completion_tokens",
        system_role="developer",
        send_user=True,
        headers={"X-Title": "Chatcore"},
        extra_body={"top_k": 3},
    )
    await events_of(provider.stream(request("any", params={"max_tokens": 5}, user="u-1")))
    (heard,) = upstream.requests
    assert "stream_options" not in heard.body
    assert heard.body["messages"][0]["role"] == "developer"
    assert (heard.body["max_completion_tokens"], heard.body["top_k"], heard.body["user"]) == (5, 3, "u-1")
    assert heard.headers["X-Title"] == "Chatcore"


async def test_azure_has_addresses_and_a_header_of_its_own(upstream: Upstream, opened: Open) -> None:
    provider = opened(upstream.url, api_version="2024-10-21")
    assert text_of(await events_of(provider.stream(request("my deployment")))) == "Hello from the upstream"
    assert await provider.models() == ["Hello", " from", " the upstream"]
    asked, listed = upstream.requests
    assert asked.path == "/openai/deployments/my deployment/chat/completions"
    assert asked.query == {"api-version": "2024-10-21"}
    assert asked.headers["api-key"] == listed.headers["api-key"] == KEY
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_told_from_the_answer(upstream: Upstream, opened: Open, field: str) -> None:
    upstream.plan("thinker", reasoning=("Let me", " think."), reasoning_field=field)
    events = await events_of(opened().stream(request("thinker")))
    assert (reasoning_of(events), text_of(events)) == ("Let me think.", "Hello from the upstream")


async def test_parallel_tool_calls_are_put_together_from_their_fragments(opened: Open) -> None:
    events = await events_of(opened().stream(request("tools")))
    assert tool_calls_of(events) == {
        0: ("call_1", "weather", '{"city": "Wien"}'),
        1: ("call_2", "clock", '{"zone": "UTC"}'),
    }
    assert events[-1] == Finished("tool_calls")


@pytest.mark.parametrize("whole", [False, True])
async def test_usage_that_did_not_come_is_unknown(upstream: Upstream, opened: Open, whole: bool) -> None:
    upstream.plan("silent", usage=None, whole=whole)
    events = await events_of(opened().stream(request("silent")))
    assert text_of(events) == "Hello from the upstream"
    assert not [event for event in events if isinstance(event, Usage)]


@pytest.mark.parametrize("write_size", [1, 2, 7])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
async def test_text_survives_any_cut_of_the_stream(
    upstream: Upstream, opened: Open, write_size: int, line_end: bytes
) -> None:
    pieces = ("Grüße", " 今天天气", " 🙂🙃")
    upstream.plan("cut-up", pieces=pieces, write_size=write_size, line_end=line_end)
    assert text_of(await events_of(opened().stream(request("cut-up")))) == "".join(pieces)


async def test_comments_and_data_without_a_space_are_understood(upstream: Upstream, opened: Open) -> None:
    chunk = json.dumps({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
    raw = f": WAITING\n\n: WAITING\n\nevent: message\ndata:{chunk}\n\ndata:[DONE]".encode()
    upstream.plan("terse", raw=raw)
    assert await events_of(opened().stream(request("terse"))) == [TextDelta("Hi"), Finished("stop")]


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
        (Plan(raw=b"{" + b" " * 9_000_000), "garbage"),
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


@pytest.mark.parametrize("address", ["ftp://host/v1", "no address", "https://user:pw@host/v1", "http://[/v1"])
async def test_an_address_that_cannot_be_used_is_refused(address: str) -> None:
    with pytest.raises(ProviderError, match="not_found"):
        NativeProvider(ProviderSettings("openai", address))


async def test_without_address_it_is_openai_with_its_own_name_of_the_output_limit() -> None:
    provider = NativeProvider(ProviderSettings("openai", credential=KEY))
    assert provider._chat_url("m") == f"{OPENAI}/chat/completions"
    assert provider._body(request("m", params={"max_tokens": 5}, user="u"))["max_completion_tokens"] == 5
    await provider.close()


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
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1", self.connections

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(1)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        chunk = json.dumps({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
        body = f"data: {chunk}\n\ndata: [DONE]\n\n".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.read(1)
        writer.close()


async def test_models_are_listed_in_every_shape(upstream: Upstream, opened: Open) -> None:
    provider = opened()
    for body in (
        {"data": [{"id": "a"}, {"id": "b"}]},
        [{"id": "a"}, {"id": "b"}],
        {"models": [{"name": "a"}, "b"]},
    ):
        upstream.plan("/v1/models", raw=json.dumps(body).encode())
        assert await provider.models() == ["a", "b"]


async def test_a_list_that_cannot_be_read_is_an_error(upstream: Upstream, opened: Open) -> None:
    for plan in (Plan(raw=b"<html>"), Plan(raw=b"7"), refusal(401)):
        upstream.plan("/v1/models", plan)
        with pytest.raises(ProviderError):
            await opened().models()


async def test_models_named_in_the_options_are_not_asked_for(upstream: Upstream, opened: Open) -> None:
    assert await opened(models=["one", "two"]).models() == ["one", "two"]
    assert not upstream.requests


async def test_a_conversation_of_megabytes_is_sent_whole(upstream: Upstream, opened: Open) -> None:
    said = "Grüße 🙂 " * 300_000
    await events_of(opened().stream(request("any", said=said)))
    assert upstream.requests[0].body["messages"][1]["content"] == said
