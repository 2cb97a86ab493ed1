import json
from typing import Any

import pytest

from chatcore.llm.chat_chunks import AnswerReader
from chatcore.llm.errors import ProviderError
from chatcore.llm.types import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, **fields}]}


def read(*values: Any) -> list[ModelEvent]:
    """The events of a stream of these chunks, [DONE] included."""
    reader = AnswerReader()
    events = [event for value in values for event in reader.read(json.dumps(value).encode())]
    reader.read(b"[DONE]")
    return [*events, *reader.ending()]


def failure(*values: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        read(*values)
    return caught.value


def test_text_comes_as_it_was_sent() -> None:
    events = read(
        chunk({"role": "assistant", "content": ""}), chunk({"content": "Grüß"}), chunk({"content": " dich"})
    )
    assert events == [TextDelta("Grüß"), TextDelta(" dich"), Finished("stop")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_told_from_text(field: str) -> None:
    events = read(chunk({"content": None, field: "Hm."}), chunk({"content": "Yes.", field: None}))
    assert events[:2] == [ReasoningDelta("Hm."), TextDelta("Yes.")]


def test_content_in_parts_is_text_and_thinking() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    parts = [thinking, {"type": "text", "text": "Yes."}]
    assert read(chunk({"content": parts}))[:2] == [ReasoningDelta("Hm."), TextDelta("Yes.")]


def test_a_refusal_is_read_like_text() -> None:
    assert read(chunk({"refusal": "I cannot."}))[0] == TextDelta("I cannot.")


def test_parallel_tool_calls_keep_their_index() -> None:
    first = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}
    second = {"index": 1, "id": "b", "function": {"name": "clock", "arguments": '{"z'}}
    events = read(
        chunk({"tool_calls": [first, second]}),
        chunk({"tool_calls": [{"index": 1, "function": {"arguments": '": 1}'}}]}, finish_reason="tool_calls"),
    )
    assert events == [
        ToolCallDelta(0, "a", "weather", ""),
        ToolCallDelta(1, "b", "clock", '{"z'),
        ToolCallDelta(1, "", "", '": 1}'),
        Finished("tool_calls"),
    ]


def test_tool_arguments_sent_as_an_object_become_json() -> None:
    call = {"id": "a", "function": {"name": "clock", "arguments": {"zone": "UTC"}}}
    assert read(chunk({"tool_calls": [call]}))[0] == ToolCallDelta(0, "a", "clock", '{"zone": "UTC"}')


def test_usage_comes_before_the_end_and_counts_what_is_cached_and_reasoned() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    events = read(chunk({"content": "x"}, finish_reason="length"), {"choices": [], "usage": usage})
    assert events[1:] == [Usage(10, 20, 4, 5, 3), Finished("length")]


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": -1}, [1, 2]])
def test_usage_that_counts_nothing_is_no_usage(usage: Any) -> None:
    assert read(chunk({"content": "x"}), {"choices": [], "usage": usage}) == [
        TextDelta("x"),
        Finished("stop"),
    ]


def test_usage_repeated_in_every_chunk_is_reported_once_with_its_last_counts() -> None:
    chunks = [
        chunk({"content": "x"}) | {"usage": {"prompt_tokens": 1, "completion_tokens": n}} for n in (1, 2)
    ]
    assert read(*chunks)[2:] == [Usage(1, 2), Finished("stop")]


def test_unknown_fields_and_chunks_without_choices_are_passed_over() -> None:
    filters = {"choices": [], "prompt_filter_results": [{"severity": "safe"}]}
    assert read(filters, {"id": "x"}, chunk({"content": "x", "audio": None}))[0] == TextDelta("x")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "slow down", "code": 429}, "rate_limited"),
        ({"message": "too busy", "type": "overloaded_error"}, "overloaded"),
        ({"message": "This model's maximum context length is 8192 tokens"}, "context_too_long"),
        ({"message": "oops", "type": "server_error"}, "unavailable"),
        ("just words", "unavailable"),
    ],
)
def test_an_error_in_the_stream_ends_it(error: Any, code: str) -> None:
    assert failure(chunk({"content": "x"}), {"error": error}).code == code


def test_an_error_beside_choices_ends_the_stream_too() -> None:
    ended = chunk({"content": ""}, finish_reason="error") | {
        "error": {"code": 502, "message": "upstream died"}
    }
    assert failure(ended).detail == "upstream died"


@pytest.mark.parametrize(
    "value",
    [
        7,
        "text",
        [1],
        {"choices": 7},
        {"choices": ["x"]},
        chunk({"content": 7}),
        chunk({"content": [7]}),
        chunk({"reasoning_content": {"a": 1}}),
        chunk({"tool_calls": ["x"]}),
        chunk({"tool_calls": [{"function": {"name": 7}}]}),
        chunk({"tool_calls": [{"index": "x", "function": {}}]}),
    ],
)
def test_wrong_types_are_garbage(value: Any) -> None:
    assert failure(value).code == "garbage"


def test_what_is_no_json_is_garbage_at_the_end_of_its_event() -> None:
    reader = AnswerReader()
    assert not reader.read(b'{"choices": [')
    with pytest.raises(ProviderError, match="garbage"):
        reader.read(b"")


def test_half_of_a_pair_of_surrogates_is_no_garbage() -> None:
    """Some servers cut their text in the middle of a character."""
    (half,) = AnswerReader().read(rb'{"choices": [{"delta": {"content": "a\ud83d"}}]}')
    assert half == TextDelta("a\ud83d")


def test_json_so_deep_that_it_cannot_be_read_is_garbage() -> None:
    reader = AnswerReader()
    with pytest.raises(ProviderError, match="garbage"):
        reader.read(b"[" * 100_000)


def test_a_value_may_be_spread_over_several_lines() -> None:
    reader = AnswerReader()
    assert not reader.read(b'{"choices": [{"delta":')
    assert list(reader.read(b'{"content": "x"}}]}')) == [TextDelta("x")]
    assert not reader.read(b"")


def test_a_stream_without_an_end_is_cut_off() -> None:
    reader = AnswerReader()
    reader.read(json.dumps(chunk({"content": "x"})).encode())
    with pytest.raises(ProviderError, match="cut_off"):
        list(reader.ending())


def test_a_finish_reason_is_an_end_without_done() -> None:
    reader = AnswerReader()
    reader.read(json.dumps(chunk({"content": "x"}, finish_reason="content_filter")).encode())
    assert list(reader.ending()) == [Finished("content_filter")]


def test_an_answer_in_one_piece_gives_the_same_events() -> None:
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}
    body = {
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    reader = AnswerReader()
    events = [*reader.read_whole(json.dumps(body).encode()), *reader.ending()]
    assert events == [ReasoningDelta("Hm."), TextDelta("Hello"), Usage(1, 2), Finished("stop")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"detail": "nope"}', "unavailable"),
        (b'{"object": "error", "message": "slow", "code": 429}', "rate_limited"),
        (b'{"hello": 1}', "garbage"),
        (b"[]", "garbage"),
        (b'{"choices": [', "garbage"),
    ],
)
def test_another_answer_in_one_piece_is_an_error(body: bytes, code: str) -> None:
    with pytest.raises(ProviderError) as caught:
        AnswerReader().read_whole(body)
    assert caught.value.code == code


def said(*pieces: str) -> list[Any]:
    """What an answer in these pieces says, neighbouring deltas of one kind joined."""
    joined: list[Any] = []
    for event in read(*(chunk({"content": piece}) for piece in pieces)):
        if joined and type(event) is type(joined[-1]):
            joined[-1] = type(event)(joined[-1].text + event.text)
        else:
            joined.append(event)
    return joined[:-1]


@pytest.mark.parametrize(
    "pieces",
    [
        ("<think>\nLet me < see.</think>\n\nYes.",),
        tuple("<think>\nLet me < see.</think>\n\nYes."),
        ("<thi", "nk>", "\nLet me < se", "e.</thi", "nk>", "\n\nYes."),
    ],
)
def test_thinking_between_tags_is_reasoning(pieces: tuple[str, ...]) -> None:
    assert said(*pieces) == [ReasoningDelta("Let me < see."), TextDelta("Yes.")]


@pytest.mark.parametrize("text", ["<thin", "The tag <think> opens.", "  <b>bold</b>", "\n"])
def test_an_answer_that_does_not_begin_with_the_tag_is_text_and_whole(text: str) -> None:
    assert said(text) == said(*text) == [TextDelta(text)]


def test_thinking_that_never_ends_is_reasoning() -> None:
    assert said("<think>on and on</th") == [ReasoningDelta("on and on</th")]


def test_reasoning_in_typed_parts_is_told_once() -> None:
    details = [
        {"type": "reasoning.summary", "summary": "a"},
        {"type": "reasoning.text", "text": "b"},
        {"type": "reasoning.encrypted", "data": "c"},
    ]
    assert read(chunk({"content": "", "reasoning_details": details}))[:-1] == [
        ReasoningDelta("a"),
        ReasoningDelta("b"),
    ]
    both = chunk({"content": "", "reasoning": "ab", "reasoning_details": details})
    assert read(both)[:-1] == [ReasoningDelta("ab")]


def tools(*fragments: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    calls: dict[int, tuple[int, str, str, str]] = {}
    for event in read(*(chunk({"tool_calls": [fragment]}) for fragment in fragments)):
        if isinstance(event, ToolCallDelta):
            _, number, name, arguments = calls.get(event.index, (0, "", "", ""))
            calls[event.index] = (
                event.index,
                number + event.id,
                name + event.name,
                arguments + event.arguments,
            )
    return list(calls.values())


def test_tool_calls_without_index_are_told_apart() -> None:
    assert tools(
        {"id": "a", "function": {"name": "one", "arguments": '{"x"'}},
        {"function": {"arguments": ": 1}"}},
        {"id": "b", "function": {"name": "two", "arguments": "{}"}},
    ) == [(0, "a", "one", '{"x": 1}'), (1, "b", "two", "{}")]


def test_tool_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    assert tools(
        {"index": 0, "id": "a", "function": {"name": "one", "arguments": "{}"}},
        {"index": 0, "id": "b", "function": {"name": "two", "arguments": '{"y"'}},
        {"index": 0, "function": {"arguments": ": 2}"}},
    ) == [(0, "a", "one", "{}"), (1, "b", "two", '{"y": 2}')]


def test_tool_calls_without_ids_get_some() -> None:
    assert tools(
        {"function": {"name": "one", "arguments": {"x": 1}}}, {"function": {"name": "two", "arguments": ""}}
    ) == [(0, "call_0", "one", '{"x": 1}'), (1, "call_1", "two", "")]


def test_an_id_and_a_name_that_are_repeated_begin_nothing() -> None:
    repeated = {"index": 0, "id": "a", "function": {"name": "one", "arguments": "{"}}
    end = {"index": 0, "id": "a", "function": {"name": "one", "arguments": "}"}}
    assert tools(repeated, end) == [(0, "a", "one", "{}")]


@pytest.mark.parametrize("where", [{"prompt_cache_hit_tokens": 4}, {"cached_tokens": 4}])
def test_cached_tokens_are_found_where_servers_put_them(where: dict[str, int]) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, **where}
    assert Usage(10, 2, 4) in read(chunk({"content": "x"}), {"choices": [], "usage": usage})
