"""LiteLLM for real, in its process, against fake vendors. All these tests share one event loop, and so one process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from typing import Any

import psutil
import pytest
from pytest_django import Settings

from chatcore.llm import contract, litellm_process
from chatcore.llm.contract import Check, Trial
from chatcore.llm.errors import ProviderError
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import Finished, TextDelta, Usage
from chatcore.llm.via_litellm import LitellmProvider
from tests.llm.asking import events_of, reasoning_of, request, text_of, tool_calls_of
from tests.llm.routes import deaf
from tests.upstreams.plans import Plan, refusal
from tests.upstreams.server import Upstream

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("litellm"),
    pytest.mark.xdist_group("litellm"),
]
KEY = "sk-a-secret-key"


def anthropic(upstream: Upstream, **options: Any) -> LitellmProvider:
    options.setdefault("vendor", "anthropic")
    return LitellmProvider(ProviderSettings("litellm", upstream.url, KEY, options))


async def failure(provider: LitellmProvider, model: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await events_of(provider.stream(request(model)))
    return caught.value


async def test_anthropic_answers_with_text_reasoning_and_usage(upstream: Upstream) -> None:
    events = await events_of(anthropic(upstream).stream(request("reasoning")))
    assert reasoning_of(events) == "Let me think."
    assert text_of(events) == "Hello from the upstream"
    (usage,) = [event for event in events if isinstance(event, Usage)]
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (11, 3, 4)
    assert events[-1] == Finished("stop")


async def test_what_is_written_into_the_cache_is_counted(upstream: Upstream) -> None:
    upstream.plan("writes", Plan(usage=(1000, 3, 200, 0), cache_writes=700))
    events = await events_of(anthropic(upstream).stream(request("writes")))
    (usage,) = [event for event in events if isinstance(event, Usage)]
    assert (usage.input_tokens, usage.cached_tokens, usage.cache_write_tokens) == (1000, 200, 700)


async def test_an_address_that_takes_no_connection_is_left_soon(settings: Settings) -> None:
    settings.MODEL_CONNECT_TIMEOUT = 0.2  # seconds; for anything else a day is allowed
    with deaf() as address:
        provider = LitellmProvider(ProviderSettings("litellm", address, KEY, {"vendor": "anthropic"}))
        error = await failure(provider, "any")
    assert (error.code, error.retryable) == ("timeout", True)


async def test_anthropic_is_asked_in_its_own_protocol(upstream: Upstream) -> None:
    params = {
        "max_tokens": 50,
        "temperature": 0.2,
        "seed": 7,
        "api_base": "http://evil.invalid",
        "api_key": "x",
    }
    events = await events_of(anthropic(upstream).stream(request("any", said="Grüß dich", params=params)))
    assert events[-1] == Finished("stop", ("api_base", "api_key", "seed"))
    (heard,) = upstream.requests
    assert heard.path == "/v1/messages"
    assert heard.headers["x-api-key"] == KEY
    assert heard.body["system"][0]["text"] == "Be kind."
    assert heard.body["messages"][0]["content"][0]["text"] == "Grüß dich"
    assert (heard.body["max_tokens"], heard.body["temperature"], heard.body["stream"]) == (50, 0.2, True)
    assert "seed" not in heard.body


async def test_claude_is_told_which_part_of_a_conversation_to_keep(upstream: Upstream) -> None:
    kept = {"type": "ephemeral"}
    await events_of(anthropic(upstream).stream(request("any")))
    body = upstream.requests[-1].body
    assert [part["cache_control"] for part in body["system"]] == [kept]
    assert body["messages"][-1]["content"][-1]["cache_control"] == kept


@pytest.mark.parametrize(
    ("options", "fields"), [({"cache_prompts": False}, {}), ({}, {"purpose": "title"})], ids=["off", "title"]
)
async def test_what_is_asked_once_is_not_kept(
    upstream: Upstream, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    await events_of(anthropic(upstream, **options).stream(request("any", **fields)))
    assert "cache_control" not in json.dumps(upstream.requests[-1].body)


async def test_others_are_not_told_what_to_keep(upstream: Upstream) -> None:
    provider = LitellmProvider(
        ProviderSettings("litellm", f"{upstream.url}/v1beta", KEY, {"vendor": "gemini"})
    )
    await events_of(provider.stream(request("any")))
    assert "cache" not in json.dumps(upstream.requests[-1].body)
    assert len(upstream.requests) == 1


async def test_anthropics_parallel_tool_calls_are_put_together(upstream: Upstream) -> None:
    events = await events_of(anthropic(upstream).stream(request("tools")))
    assert tool_calls_of(events) == {
        0: ("call_1", "weather", '{"city": "Wien"}'),
        1: ("call_2", "clock", '{"zone": "UTC"}'),
    }
    assert events[-1] == Finished("tool_calls")


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", "bad_request"),
        (401, "authentication_error", "auth"),
        (403, "permission_error", "auth"),
        (404, "not_found_error", "not_found"),
        (429, "rate_limit_error", "rate_limited"),
        (500, "api_error", "unavailable"),
        (529, "overloaded_error", "overloaded"),
    ],
)
async def test_a_refusal_has_its_code(upstream: Upstream, status: int, kind: str, code: str) -> None:
    upstream.plan("no", refusal(status, f"what it said of {KEY}", kind=kind, **{"Retry-After": "7"}))
    error = await failure(anthropic(upstream), "no")
    assert error.code == code
    assert "what it said" in error.detail
    assert KEY not in str(error)
    assert error.retry_after == (7.0 if status == 429 else error.retry_after)
    # It was asked once: retrying is for whoever asks us.
    assert len(upstream.requests) == 1


async def test_a_prompt_that_is_too_long_is_told_apart(upstream: Upstream) -> None:
    upstream.plan(
        "no", refusal(400, "prompt is too long: 9 tokens > 8 maximum", kind="invalid_request_error")
    )
    assert (await failure(anthropic(upstream), "no")).code == "context_too_long"


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (Plan(cut_after=2), "cut_off"),
        (Plan(finish=None, done=False), "cut_off"),
        (Plan(error_after=2), "overloaded"),
        (Plan(pieces=()), "empty"),
    ],
)
async def test_a_broken_answer_has_its_name(upstream: Upstream, plan: Plan, code: str) -> None:
    upstream.plan("broken", plan)
    assert (await failure(anthropic(upstream), "broken")).code == code


async def test_a_server_that_refuses_connections_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        settings = ProviderSettings("litellm", address, KEY, {"vendor": "anthropic"})
        assert (await failure(LitellmProvider(settings), "any")).code == "unavailable"


async def test_an_answer_may_repeat_itself(upstream: Upstream) -> None:
    upstream.plan("dashes", pieces=("-",) * 500)
    assert text_of(await events_of(anthropic(upstream).stream(request("dashes")))) == "-" * 500


async def test_a_closed_stream_hangs_up_at_the_vendor(upstream: Upstream) -> None:
    upstream.plan("hang", hang_after=1)
    stream: Any = anthropic(upstream).stream(request("hang"))
    assert await anext(stream) == TextDelta("Hello")
    await stream.aclose()
    assert await asyncio.to_thread(upstream.heard.left.wait, 10)


async def test_answers_at_the_same_time_do_not_mix(upstream: Upstream) -> None:
    models = [upstream.plan(f"model-{number}", pieces=(f"I am {number}", ".") * 20) for number in range(10)]
    provider = anthropic(upstream)
    answers = await asyncio.gather(*(events_of(provider.stream(request(model))) for model in models))
    assert [text_of(events) for events in answers] == [f"I am {number}." * 20 for number in range(10)]


async def test_models_are_listed_by_the_vendor(upstream: Upstream) -> None:
    upstream.plan("/v1/models", pieces=("claude-one", "claude-two"))
    assert await anthropic(upstream).models() == ["claude-one", "claude-two"]


async def test_another_vendor_is_one_option_away(upstream: Upstream) -> None:
    settings = ProviderSettings("litellm", f"{upstream.url}/v1", KEY, {"vendor": "openai"})
    assert (
        text_of(await events_of(LitellmProvider(settings).stream(request("any"))))
        == "Hello from the upstream"
    )


async def test_a_credential_of_several_parts_is_a_json_object(upstream: Upstream) -> None:
    credential = json.dumps({"api_key": "sk-first-part", "extra_headers": {"x-second": "part"}})
    settings = ProviderSettings("litellm", upstream.url, credential, {"vendor": "anthropic"})
    await events_of(LitellmProvider(settings).stream(request("any")))
    headers = {name.lower(): value for name, value in upstream.requests[0].headers.items()}
    assert (headers["x-api-key"], headers["x-second"]) == ("sk-first-part", "part")


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(upstream: Upstream, check: Check) -> None:
    await check(Trial(lambda: anthropic(upstream), "any"))


async def test_the_key_is_not_to_be_seen_from_outside(upstream: Upstream) -> None:
    await events_of(anthropic(upstream).stream(request("any")))
    process = psutil.Process(litellm_process.shared().pid)
    assert KEY not in " ".join(process.cmdline())
    assert KEY not in json.dumps(process.environ())
    assert not {"SECRET_KEY", "CREDENTIAL_KEY", "DATABASE_URL"} & process.environ().keys()


async def test_a_dead_process_fails_its_requests_and_is_replaced_for_the_next(upstream: Upstream) -> None:
    upstream.plan("hang", hang_after=1)
    provider = anthropic(upstream)
    streams: list[Any] = [provider.stream(request("hang")) for _ in range(3)]
    for stream in streams:
        await anext(stream)
    first = litellm_process.shared().pid
    assert first
    os.kill(first, signal.SIGKILL)
    for stream in streams:
        with pytest.raises(ProviderError) as caught:
            await anext(stream)
        assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    assert text_of(await events_of(provider.stream(request("any")))) == "Hello from the upstream"
    assert litellm_process.shared().pid != first


async def test_a_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm_process, "MODULE", "chatcore.llm.no_such_module")
    broken = litellm_process.LitellmProcess()
    with pytest.raises(ProviderError, match="unavailable"):
        await broken.wait_until_ready()
    async with broken.asked(do="models", vendor="any", access={}) as answers:
        assert (await answers.get())[0] == "died"
    await broken.stop()


async def test_a_process_that_talks_nonsense_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm_process, "MODULE", "this")
    broken = litellm_process.LitellmProcess()
    async with broken.asked(do="models", vendor="any", access={}) as answers:
        assert (await answers.get())[0] == "died"
    await broken.stop()


async def test_its_process_ends_with_ours(upstream: Upstream) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys
        from chatcore.llm import litellm_process
        async def main():
            await litellm_process.shared().wait_until_ready()
            print(litellm_process.shared().pid, flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
        """
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 20)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
