import json

import pytest

from chatcore.llm.errors import ProviderError
from chatcore.llm.native import OPENAI, NativeProvider
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import Finished, TextDelta, Usage
from tests.llm.asking import KEY, Open, events_of, reasoning_of, request, text_of, tool_calls_of
from tests.upstreams.plans import Plan, refusal
from tests.upstreams.server import Upstream


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


@pytest.mark.parametrize("address", ["ftp://host/v1", "no address", "https://user:pw@host/v1", "http://[/v1"])
async def test_an_address_that_cannot_be_used_is_refused(address: str) -> None:
    with pytest.raises(ProviderError, match="not_found"):
        NativeProvider(ProviderSettings("openai", address))


async def test_without_address_it_is_openai_with_its_own_name_of_the_output_limit() -> None:
    provider = NativeProvider(ProviderSettings("openai", credential=KEY))
    assert provider._chat_url("m") == f"{OPENAI}/chat/completions"
    assert (
        provider._dialect.body(request("m", params={"max_tokens": 5}, user="u"))["max_completion_tokens"] == 5
    )
    await provider.close()


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


async def test_an_old_server_is_asked_again_without_what_it_refuses(upstream: Upstream, opened: Open) -> None:
    upstream.plan("old", refused_fields=("stream_options", "seed", "max_tokens"))
    provider = opened()
    asked = request("old", params={"seed": 7, "max_tokens": 5, "temperature": 0.5, "unheard_of": 1})
    for tries in (4, 1):
        upstream.requests.clear()
        events = await events_of(provider.stream(asked))
        assert text_of(events) == "Hello from the upstream"
        # The output limit went out under its other name; what is not known here was never sent.
        assert events[-1] == Finished("stop", ("seed", "unheard_of"))
        assert len(upstream.requests) == tries
    body = upstream.requests[-1].body
    assert (body["max_completion_tokens"], body["temperature"]) == (5, 0.5)
    assert not {"max_tokens", "seed", "stream_options"} & body.keys()


async def test_one_models_refusals_are_not_anothers(upstream: Upstream, opened: Open) -> None:
    upstream.plan("old", refused_fields=("seed",))
    provider = opened()
    for model in ("old", "new"):
        await events_of(provider.stream(request(model, params={"seed": 7})))
    assert upstream.requests[-1].body["seed"] == 7


async def test_tools_are_never_left_out(upstream: Upstream, opened: Open) -> None:
    upstream.plan("old", refused_fields=("tools",))
    tool = {"type": "function", "function": {"name": "clock"}}
    with pytest.raises(ProviderError, match="bad_request"):
        await events_of(opened().stream(request("old", params={"tools": [tool]})))
    assert len(upstream.requests) == 1


TOO_WARM = {
    "error": {"message": "Invalid 'temperature': decimal above maximum value.", "param": "temperature"}
}
TOO_LONG = {"error": {"message": "max_tokens is too large: 100000. At most 16384.", "param": "max_tokens"}}
NO_SCHEMA = {"error": {"message": "Invalid schema for response_format 'x'.", "param": "response_format"}}


async def test_one_persons_refused_value_is_left_out_once_and_nobody_else_loses_the_parameter(
    upstream: Upstream, opened: Open
) -> None:
    refusals = (("temperature", 1.9, TOO_WARM), ("max_tokens", 100_000, TOO_LONG))
    upstream.plan("strict", refused_values=refusals)
    provider = opened()
    events = await events_of(
        provider.stream(request("strict", params={"temperature": 1.9, "max_tokens": 100_000}))
    )
    assert text_of(events) == "Hello from the upstream"
    assert events[-1] == Finished("stop", ("max_tokens", "temperature"))
    events = await events_of(provider.stream(request("strict", params={"temperature": 1, "max_tokens": 50})))
    assert events[-1] == Finished("stop")
    body = upstream.requests[-1].body
    assert (body["temperature"], body["max_tokens"], len(upstream.requests)) == (1, 50, 4)


async def test_a_schema_that_cannot_be_is_told_and_the_next_one_is_sent(
    upstream: Upstream, opened: Open
) -> None:
    wrong, right = ({"type": "json_schema", "json_schema": {"name": name}} for name in ("wrong", "right"))
    upstream.plan("strict", refused_values=(("response_format", wrong, NO_SCHEMA),))
    provider = opened()
    with pytest.raises(ProviderError, match="bad_request") as caught:
        await events_of(provider.stream(request("strict", params={"response_format": wrong})))
    assert caught.value.words.startswith("The provider refused the value of response_format.")
    assert len(upstream.requests) == 1
    await events_of(provider.stream(request("strict", params={"response_format": right})))
    assert upstream.requests[-1].body["response_format"] == right
