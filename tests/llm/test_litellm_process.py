"""The process that LiteLLM runs in serves many at a time: what goes wrong with one request is that request's."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chatcore.llm import litellm_process
from chatcore.llm.errors import MAX_DETAIL, ProviderError
from chatcore.llm.litellm_process import LONGEST_REQUEST
from chatcore.llm.types import TextDelta
from chatcore.llm.via_litellm import LitellmProvider
from tests.llm.asking import events_of, reasoning_of, request, text_of, tool_calls_of
from tests.llm.vendors import ANTHROPIC
from tests.upstreams.plans import ToolCall, refusal
from tests.upstreams.server import Upstream

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("litellm"),
    pytest.mark.xdist_group("litellm"),
]


@asynccontextmanager
async def another_answer(provider: LitellmProvider) -> AsyncIterator[None]:
    """Has begun, goes on afterwards, and in the same process."""
    stream = provider.stream(request("hang-after-2"))
    assert await anext(stream) == TextDelta("Hello")
    pid = litellm_process.shared().pid
    yield
    assert await anext(stream) == TextDelta(" from")
    assert litellm_process.shared().pid == pid
    await stream.aclose()  # type: ignore[attr-defined] # an async generator


async def failure(provider: LitellmProvider, model: str, said: str = "Hello?") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await events_of(provider.stream(request(model, said=said)))
    return caught.value


async def test_a_long_refusal_is_read_to_its_end_and_told_in_short(upstream: Upstream) -> None:
    upstream.plan("no", refusal(400, "x" * 2_000_000 + "prompt is too long", kind="invalid_request_error"))
    provider = ANTHROPIC.provider(upstream)
    async with another_answer(provider):
        error = await failure(provider, "no")
    assert (error.code, len(error.detail)) == ("context_too_long", MAX_DETAIL)


@pytest.mark.parametrize("letter", ["x", "ü", "🦉"])
async def test_what_comes_in_one_long_piece_arrives_whole(upstream: Upstream, letter: str) -> None:
    long = letter * 300_000
    call = ToolCall("call_1", "write", (json.dumps({"text": long}),))
    upstream.plan("long", reasoning=(long,), pieces=(long,), tool_calls=(call,))
    provider = ANTHROPIC.provider(upstream)
    async with another_answer(provider):
        events = await events_of(provider.stream(request("long")))
    assert (reasoning_of(events), text_of(events)) == (long, long)
    number, name, arguments = tool_calls_of(events)[0]
    assert (number, name, json.loads(arguments)) == ("call_1", "write", {"text": long})


async def test_what_cannot_be_told_in_pieces_fails_alone(upstream: Upstream) -> None:
    upstream.plan("named", pieces=(), tool_calls=(ToolCall("call_1", "n" * 2_000_000, ("{}",)),))
    provider = ANTHROPIC.provider(upstream)
    async with another_answer(provider):
        error = await failure(provider, "named")
    assert (error.code, error.retryable) == ("garbage", True)


async def test_a_request_longer_than_the_process_reads_is_refused_alone(upstream: Upstream) -> None:
    provider = ANTHROPIC.provider(upstream)
    async with another_answer(provider):
        error = await failure(provider, "any", said="x" * LONGEST_REQUEST)
    assert (error.code, error.retryable) == ("context_too_long", False)
    assert {heard.body["model"] for heard in upstream.requests} == {"hang-after-2"}
