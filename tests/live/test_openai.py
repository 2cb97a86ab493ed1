"""The `openai` package, unchanged, and plain HTTP against `/v1/`: what is answered, and what is kept of it."""

import base64
import io
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image
from websockets.asyncio.client import connect

from tests.conversations.files import picture
from tests.external.proving import SECRET, signed
from tests.running import ROOT, Chatcore
from tests.upstreams.plans import ToolCall
from tests.upstreams.server import Upstream

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "object", "properties": {"a": {"enum": [1]}}}},
        },
    },
}


def data_url(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


PICTURE = data_url(picture())


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def model(one: Chatcore, upstream: Upstream) -> str:
    """A model that the fake upstream answers for."""
    with one.client() as http:
        body = {"kind": "openai", "name": "Upstream of completions", "base_url": f"{upstream.url}/v1"}
        provider = http.post("/api/v1/providers/", json=body).json()["id"]
        for name, supports in {"whole": {"tools": True}, "seeing": {"vision": True}, "blind": {}}.items():
            described = {"name": name, "label": name.title(), "supports": supports}
            made = http.post("/api/v1/models/", json=described).json()
            body = {"model": made["id"], "provider": provider, "upstream_name": name}
            assert http.post("/api/v1/deployments/", json=body).status_code == 201
    return "whole"


@pytest.fixture
def client(one: Chatcore) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{one.url}/v1", api_key=one.key, max_retries=0) as made:
        yield made


def said(text: str, role: str = "user") -> Any:
    return {"role": role, "content": text}


def shown(text: str) -> Any:
    """With a picture, and a document."""
    note = base64.b64encode(b"The answer is 42.").decode()
    return {
        "role": "user",
        "content": [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
            {"type": "file", "file": {"file_data": f"data:text/plain;base64,{note}", "filename": "note.txt"}},
        ],
    }


def asked_of(upstream: Upstream) -> list[dict[str, Any]]:
    """What it was asked, but for the titles that are asked for beside: those alone begin with instructions."""
    bodies = [each.body for each in upstream.requests if each.body]
    return [body for body in bodies if body["messages"][0]["role"] != "system"]


def tree_of(one: Chatcore, conversation: str) -> list[dict[str, Any]]:
    with one.client() as http:
        found: list[dict[str, Any]] = http.get(
            f"/api/v1/conversations/{conversation}/messages/", params={"branch": "active"}
        ).json()["results"]
    return found


def place_of(completion: Any) -> str:
    return str(completion.metadata["conversation"])


def test_a_whole_answer_is_in_a_conversation_afterwards(one: Chatcore, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="echo", messages=[said("Be brief.", "system"), said("Hello there")]
    )
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.choices[0].finish_reason == "stop"
    kept = tree_of(one, place_of(answer))
    assert [(message["author"], message["text"]) for message in kept] == [
        ("user", "Hello there"),
        ("assistant", "You said: Hello there"),
    ]
    with one.client() as http:
        assert http.get(f"/api/v1/conversations/{place_of(answer)}/").json()["system"] == "Be brief."


def test_a_stream_brings_the_same_in_pieces_and_its_usage_last(
    model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    upstream.plan("whole", pieces=("Hel", "lo ", "you"), usage=(7, 3, 0, 0))
    with client.chat.completions.create(
        model=model, messages=[said("Go on")], stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello you"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.total_tokens) == (7, 10)
    assert len({chunk.id for chunk in chunks}) == 1


def test_tools_go_to_the_model_and_its_calls_and_their_results_back_and_forth(
    one: Chatcore, model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    call = ToolCall("call_1", "weather", ('{"place":', ' "Graz"}'))
    upstream.plan("whole", pieces=(), tool_calls=(call,), finish="tool_calls")
    dialogue = [said("Weather in Graz?")]
    asked = client.chat.completions.create(
        model=model, messages=dialogue, tools=[WEATHER], tool_choice="auto"
    )
    assert asked.choices[0].finish_reason == "tool_calls"
    calls = asked.choices[0].message.tool_calls
    assert calls
    assert [(each.id, each.function.name, each.function.arguments) for each in calls] == [  # type: ignore[union-attr]
        ("call_1", "weather", '{"place": "Graz"}')
    ]
    assert asked_of(upstream)[-1]["tools"] == [WEATHER]

    upstream.plan("whole", pieces=("Sunny",))
    dialogue.append(asked.choices[0].message)
    dialogue.append({"role": "tool", "tool_call_id": "call_1", "content": "24 degrees"})
    answer = client.chat.completions.create(model=model, messages=dialogue, tools=[WEATHER])
    assert answer.choices[0].message.content == "Sunny"
    assert [message["role"] for message in asked_of(upstream)[-1]["messages"]] == [
        "user",
        "assistant",
        "tool",
    ]
    assert asked_of(upstream)[-1]["messages"][2]["tool_call_id"] == "call_1"
    assert place_of(answer) == place_of(asked)
    assert [message["text"] for message in tree_of(one, place_of(answer))] == [
        "Weather in Graz?",
        "",
        "24 degrees",
        "Sunny",
    ]


def test_a_dialogue_that_is_sent_again_goes_on_where_it_was(
    one: Chatcore, model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    upstream.plan("whole", pieces=("One",))
    first = client.chat.completions.create(model=model, messages=[said("Count")])
    upstream.plan("whole", pieces=("Two",))
    longer = [said("Count"), said("One", "assistant"), said("And then?")]
    second = client.chat.completions.create(model=model, messages=longer)
    assert place_of(second) == place_of(first)
    assert asked_of(upstream)[-1]["messages"] == longer
    # Another end of the same dialogue is a branch beside it.
    other = client.chat.completions.create(model=model, messages=[*longer[:2], said("Stop!")])
    assert place_of(other) == place_of(first)
    assert [message["text"] for message in tree_of(one, place_of(first))] == ["Count", "One", "Stop!", "Two"]
    # What was never said here is kept as the client tells it, elsewhere.
    foreign = client.chat.completions.create(
        model=model, messages=[said("Count"), said("Eleven", "assistant"), said("And?")]
    )
    assert place_of(foreign) != place_of(first)
    assert [message["text"] for message in tree_of(one, place_of(foreign))] == [
        "Count",
        "Eleven",
        "And?",
        "Two",
    ]


@pytest.mark.parametrize("way", ["metadata", "user", "header"])
def test_a_conversation_is_continued_by_its_name(
    way: str, model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    ways: dict[str, Any] = {
        "metadata": {"metadata": {"conversation": "by metadata"}},
        "user": {"user": "by user"},
        "header": {"extra_headers": {"X-Conversation": "by header"}},
    }
    upstream.plan("whole", pieces=("Yes",))
    first = client.chat.completions.create(model=model, messages=[said("My name is Ada.")], **ways[way])
    again = client.chat.completions.create(model=model, messages=[said("Who am I?")], **ways[way])
    by_id = client.chat.completions.create(
        model=model, messages=[said("Really?")], metadata={"conversation": place_of(first)}
    )
    assert place_of(first) == place_of(again) == place_of(by_id)
    assert [message["content"] for message in asked_of(upstream)[-1]["messages"]] == [
        "My name is Ada.",
        "Yes",
        "Who am I?",
        "Yes",
        "Really?",
    ]


def test_nothing_is_kept_of_what_shall_not_be_stored(
    one: Chatcore, model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    upstream.plan("whole", pieces=("Se", "cret"), usage=(3, 2, 0, 0))
    with one.client() as http:
        before = [each["id"] for each in http.get("/api/v1/conversations/").json()["results"]]
        answer = client.chat.completions.create(model=model, messages=[said("Psst")], store=False)
        with client.chat.completions.create(
            model=model, messages=[said("Psst")], store=False, stream=True
        ) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert [each["id"] for each in http.get("/api/v1/conversations/").json()["results"]] == before
        calls = http.get("/api/v1/usage/", params={"model": model}).json()["results"]
    assert answer.choices[0].message.content == text == "Secret"
    assert [
        call["output_tokens"] for call in calls if call["purpose"] == "reply" and not call["message"]
    ] == [2, 2]
    assert not answer.metadata  # type: ignore[attr-defined]


@pytest.mark.parametrize("store", [True, False])
def test_a_model_sees_pictures_and_reads_documents(
    store: bool, model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    told = {}
    for name in ("seeing", "blind"):
        upstream.plan(name, pieces=("Red",))
        answer = client.chat.completions.create(model=name, messages=[shown("Which colour?")], store=store)
        assert answer.choices[0].message.content == "Red"
        told[name] = asked_of(upstream)[-1]["messages"][-1]["content"]
    [picture, words] = told["seeing"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert words["text"].startswith("Which colour?")
    assert "note.txt]\nThe answer is 42.\n[end" in words["text"]
    assert "[image: image.png]" in words["text"]
    assert told["blind"].startswith("Which colour?")
    assert told["blind"].endswith("[image: image.png, not shown to this model]")


def test_what_comes_with_a_dialogue_is_attached_and_recognised_when_it_is_sent_again(
    one: Chatcore, model: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    upstream.plan("seeing", pieces=("Red",))
    first = client.chat.completions.create(model="seeing", messages=[shown("Which colour is it?")])
    longer = [shown("Which colour is it?"), said("Red", "assistant"), said("Sure?")]
    second = client.chat.completions.create(model="seeing", messages=longer)
    assert place_of(second) == place_of(first)
    kept = tree_of(one, place_of(first))
    assert [[file["name"] for file in message["attachments"]] for message in kept] == [
        ["image.png", "note.txt"],
        [],
        [],
        [],
    ]
    read = asked_of(upstream)[-1]["messages"]
    roles = [(each["role"], type(each["content"])) for each in read]
    assert roles == [("user", list), ("assistant", str), ("user", str)]
    longer[0]["content"][1]["image_url"]["url"] = data_url(picture(size=(9, 9)))
    other = client.chat.completions.create(model="seeing", messages=longer)
    assert place_of(other) != place_of(first)  # another picture, another dialogue


def part_of(kind: str, **fields: Any) -> Any:
    return {"type": kind, kind: fields}


REFUSED_PARTS: dict[str, tuple[Any, str]] = {
    "an address of ours": (part_of("image_url", url="http://127.0.0.1:1/a.png"), "image_url.url"),
    "no address": (part_of("image_url", url="file:///etc/passwd"), "image_url.url"),
    "no picture": (part_of("image_url", url="data:image/png;base64,aGVsbG8="), "image_url.url"),
    "a broken picture": (part_of("image_url", url="data:image/png;base64,iVBORw0KGgo="), "image_url.url"),
    "not Base64": (part_of("file", file_data="!", filename="a.txt"), "file.file_data"),
    "empty": (part_of("file", file_data="data:text/plain;base64,", filename="a.txt"), "file.file_data"),
    "of a strange type": (part_of("file", file_data="f0VMRgABAv8="), "file.file_data"),
    "kept elsewhere": (part_of("file", file_id="file-1"), "file"),
    "a sound": (part_of("input_audio", data="", format="wav"), ""),
}


@pytest.mark.parametrize("store", [True, False])
def test_files_that_cannot_be_taken_are_named(store: bool, client: openai.OpenAI) -> None:
    for kind, (part, field) in REFUSED_PARTS.items():
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="echo", messages=messages, store=store)
        assert refused.value.param == ".".join(["messages.0.content.1", *([field] if field else [])]), kind
    answers: Any = [said("Hi"), {**shown("Look"), "role": "assistant"}, said("Hm")]
    with pytest.raises(openai.BadRequestError, match="message of the user"):
        client.chat.completions.create(model="echo", messages=answers, store=store)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such", messages=[shown("Look")], store=store)


def test_a_body_may_be_large_where_it_is_a_picture(client: openai.OpenAI) -> None:
    pixels = random.Random(1).randbytes(3 * 800 * 800)
    written = io.BytesIO()
    Image.frombytes("RGB", (800, 800), pixels).save(written, "PNG")
    assert len(written.getvalue()) > 1_500_000
    picture = part_of("image_url", url=data_url(written.getvalue()))
    parts: Any = [{"type": "text", "text": "Noise"}, picture]
    answer = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": parts}])
    assert "Noise" in (answer.choices[0].message.content or "")


async def test_signed_requests_open_every_door_once(one: Chatcore) -> None:
    with one.client() as http:
        wished = {"name": "Signing", "grants": ["*:*"]}
        integration = http.post("/api/v1/integrations/", json=wished).json()["id"]
        body = {"integration": integration, "name": "Signing", "kind": "signature", "secret": SECRET}
        authenticator = http.post("/api/v1/authenticators/", json=body).json()["id"]

    def proof(content: bytes = b"") -> dict[str, str]:
        proven = {name.replace("_", "-"): value for name, value in signed(content).items()}
        return {"X-Authenticator": authenticator, **proven}

    asked = json.dumps({"model": "echo", "messages": [said("Hello")], "stream": True}).encode()
    with httpx.Client(base_url=one.url, timeout=30) as http:
        assert http.get("/v1/models", headers=proof()).status_code == 200
        once = proof(asked)
        answer = http.post("/v1/chat/completions", content=asked, headers=once)
        assert answer.text.endswith("data: [DONE]\n\n")
        assert http.post("/v1/chat/completions", content=asked, headers=once).status_code == 401
        assert http.post("/v1/chat/completions", content=asked, headers=proof(b"{}")).status_code == 401
        with http.stream("GET", "/events/", headers=(once := proof())) as stream:
            assert stream.status_code == 200
            assert any("hello" in line for line in stream.iter_lines())
        assert http.get("/events/", headers=once).status_code == 401
    address = f"{one.url.replace('http', 'ws', 1)}/ws/"
    async with connect(address, additional_headers=proof(), compression=None, close_timeout=0.5) as socket:
        assert json.loads(await socket.recv())["type"] == "hello"


def test_refusals_are_the_errors_the_package_knows(one: Chatcore, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="no-such", messages=[said("Hi")])
    assert unknown.value.code == "model_not_found"
    assert unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.chat.completions.create(model="echo", messages=[])
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(model="echo", messages=[said("Hi")], temperature=9)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model="echo",
            messages=[said("Hi")],
            metadata={"conversation": "018f0000-0000-7000-8000-000000000000"},
        )
    with (
        openai.OpenAI(base_url=f"{one.url}/v1", api_key="cc_live_wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.models.list()
    assert refused.value.code == "invalid_api_key"


def test_a_reply_that_fails_is_an_error_with_its_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="broken", messages=[said("Hi")])
    assert failed.value.status_code == 503
    assert failed.value.code == "overloaded"
    with pytest.raises(openai.APIError, match="overloaded"):  # noqa: SIM117
        with client.chat.completions.create(model="broken", messages=[said("Hi")], stream=True) as stream:
            list(stream)


def test_the_models_are_those_one_may_use(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"echo", "long"} <= names
    assert client.models.retrieve("echo").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/models", b"", 405),
        ("GET", "/v1/embeddings", b"", 404),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", b"[]", 400),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model": "echo", "messages": [{"role": "user", "content": "\\u0000"}]}',
            400,
        ),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model": "echo", "messages": [{"role": "tool", "content": "x"}]}',
            400,
        ),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model": "echo", "messages": [{"role": "system", "content": "x"}]}',
            400,
        ),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model": "echo", "n": 2, "messages": [{"role": "user", "content": "x"}]}',
            400,
        ),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model": "echo", "messages": [{"role": "user", "content": " "}]}',
            400,
        ),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "metadata": {"conversation": "'
            + b"x" * 201
            + b'"}}',
            400,
        ),
        *(
            (
                "POST",
                "/v1/chat/completions",
                b'{"model": "echo", "messages": [{"role": "user", "content": "x"}, ' + odd + b"]}",
                400,
            )
            for odd in (
                b'{"role": "tool", "tool_call_id": "\\u0000", "content": "x"}',
                b'{"role": "assistant", "tool_calls": [{"id": "\\u0000", "function": {"name": "f"}}]}, '
                b'{"role": "tool", "tool_call_id": "a", "content": "x"}',
                b'{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", '
                b'"arguments": "\\ud800"}}]}, {"role": "tool", "tool_call_id": "a", "content": "x"}',
            )
        ),
        ("GET", "/v1/models/%00", b"", 400),
        ("POST", "/v1/chat/completions", b'{"x": "' + b"y" * 1_100_000 + b'"}', 413),
    ],
    ids=range(15),
)
def test_what_cannot_be_answered_is_refused_in_words(
    one: Chatcore, method: str, path: str, body: bytes, status: int
) -> None:
    with one.client() as http:
        answer = http.request(method, path, content=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_page_of_another_site_cannot_ask_with_a_cookie(one: Chatcore) -> None:
    with httpx.Client(base_url=one.url, cookies={"sessionid": "x" * 32}, timeout=60) as visitor:
        assert visitor.get("/v1/models").status_code == 401


def test_a_client_that_leaves_loses_nothing(one: Chatcore) -> None:
    body = {"model": "long", "messages": [said("Tell me")], "stream": True}
    with one.client() as http:
        with http.stream("POST", "/v1/chat/completions", json=body) as answer:
            conversation = answer.headers["X-Conversation"]
            lines = answer.iter_lines()
            first = json.loads(next(lines).removeprefix("data: "))
        reply = first["metadata"]["message"]
        whole = http.get(f"/api/v1/replies/{reply}/events", timeout=60).text
    assert "reply.completed" in whole
    assert tree_of(one, conversation)[-1]["text"].endswith("word199 ")


def test_the_guide_s_program_runs(one: Chatcore) -> None:
    [program] = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs/openai.md").read_text(), re.MULTILINE | re.DOTALL
    )
    environment = {"OPENAI_BASE_URL": f"{one.url}/v1", "OPENAI_API_KEY": one.key, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program.replace('"demo"', '"echo"')],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("You said: What is new?\nYou said: And then?")
