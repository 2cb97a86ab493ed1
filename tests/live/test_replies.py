"""The three modes of the reply command, stopping, and what the doors of the API have in common."""

import threading
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.talking import ask, frames_of, start
from tests.running import Chatcore


def test_at_once_a_202_tells_where_the_reply_can_be_read(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        answer = ask(http, start(http))

        assert answer.status_code == 202
        body = answer.json()
        assert answer.headers["Location"] == body["status_url"]
        assert http.get(body["status_url"]).json()["parent"] == body["message"]["id"]


def test_waiting_gives_the_whole_reply(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        answer = ask(http, start(http), "Hello", Prefer="wait=20")

        assert answer.status_code == 200
        assert answer.headers["Preference-Applied"] == "wait=20"
        reply = answer.json()["reply"]
        assert (reply["status"], reply["model"]) == ("done", "echo")
        assert reply["text"].startswith("You said: ")
        assert reply["text"].endswith("Hello")


def test_waiting_too_short_gives_the_reply_as_it_is(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        answer = ask(http, start(http, "endless"), Prefer="wait=1")
        assert answer.status_code == 202
        reply = answer.json()["reply"]
        assert reply["status"] == "streaming"
        assert http.post(f"/api/v1/replies/{reply['id']}/stop").status_code == 200


@pytest.mark.parametrize("web", [0, 1])
def test_a_stream_brings_every_piece_in_order_to_its_end(many: Chatcore, web: int) -> None:
    with many.client(web) as http:
        frames = stream(http, start(http, "long"))

    deltas = [frame["data"] for frame in frames if frame["type"] == "reply.delta"]
    text = ""
    for data in deltas:
        assert data["offset"] == len(text)
        text += data["text"]
    assert text == "".join(f"word{n} " for n in range(200))
    assert frames[-1]["type"] == "reply.completed"
    assert frames[-1]["data"]["text"] == text


def test_a_broken_stream_ends_with_the_reason(one: Chatcore) -> None:
    with one.client() as http:
        frames = stream(http, start(http, "broken"))
    assert frames[-1]["type"] == "reply.failed"
    assert frames[-1]["data"]["error"]["code"] == "overloaded"
    assert frames[-1]["data"]["text"] == "Half"


def test_closing_the_stream_does_not_stop_the_reply(one: Chatcore, gates: Path) -> None:
    with one.client() as http:
        conversation = start(http, "gated")
        address = f"/api/v1/conversations/{conversation}/replies"
        headers = {"Accept": "text/event-stream"}
        with http.stream("POST", address, json={"content": "Hi"}, headers=headers) as answer:
            first = next(frame for frame in frames_of(answer.iter_lines()) if frame["type"] == "reply.delta")
        (gates / "open").touch()
        reply = first["data"]["message"]
        read = wait_for_end(http, reply)
    assert read["text"] == "Before after."


def test_a_reply_is_stopped_from_another_process(many: Chatcore) -> None:
    with many.client(0) as http, many.client(1) as other:
        reply = ask(http, start(http, "endless")).json()["reply"]["id"]
        wait_for(lambda: other.get(f"/api/v1/messages/{reply}/").json()["text"])
        other.post(f"/api/v1/replies/{reply}/stop")
        read = wait_for_end(other, reply)
    assert read["status"] == "stopped"
    assert read["text"].startswith("word0 word1")


def test_edit_regenerate_and_retry_answer_in_the_same_way(one: Chatcore) -> None:
    with one.client() as http:
        conversation = start(http)
        first = ask(http, conversation, "Teh", Prefer="wait=20").json()
        headers = {"Prefer": "wait=20"}

        edited = http.post(
            f"/api/v1/messages/{first['message']['id']}/edit", json={"content": "The"}, headers=headers
        )
        again = http.post(f"/api/v1/replies/{first['reply']['id']}/regenerate", json={}, headers=headers)
        refused = http.post(f"/api/v1/replies/{first['reply']['id']}/retry", json={})

        assert edited.json()["reply"]["text"].endswith("The")
        assert again.json()["reply"]["parent"] == first["message"]["id"]
        assert refused.status_code == 409
        assert refused.json()["code"] == "reply_finished"
        path = http.get(f"/api/v1/conversations/{conversation}/messages/", params={"branch": "active"}).json()
        assert [item["id"] for item in path["results"]] == [
            first["message"]["id"],
            again.json()["reply"]["id"],
        ]


def test_the_same_client_id_gives_the_same_message_and_reply(one: Chatcore) -> None:
    with one.client() as http:
        conversation = start(http)
        body = {"content": "Once", "client_id": str(uuid.uuid4())}
        address = f"/api/v1/conversations/{conversation}/replies"
        answers: list[dict[str, Any]] = []

        def post() -> None:
            with one.client() as mine:
                answers.append(mine.post(address, json=body, headers={"Prefer": "wait=20"}).json())

        threads = [threading.Thread(target=post) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({answer["message"]["id"] for answer in answers}) == 1
    assert len({answer["reply"]["id"] for answer in answers}) == 1
    assert {answer["reply"]["status"] for answer in answers} == {"done"}


def stream(http: httpx.Client, conversation: str) -> list[dict[str, Any]]:
    headers = {"Accept": "text/event-stream"}
    address = f"/api/v1/conversations/{conversation}/replies"
    with http.stream("POST", address, json={"content": "Hello"}, headers=headers) as answer:
        assert answer.status_code == 200
        return list(frames_of(answer.iter_lines()))


def wait_for(condition: Any) -> Any:
    for _ in range(1_200):
        if found := condition():
            return found
        threading.Event().wait(0.05)
    raise AssertionError("it never came true")


def wait_for_end(http: httpx.Client, reply: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        read: dict[str, Any] = http.get(f"/api/v1/messages/{reply}/").json()
        return read if read["status"] not in ("queued", "streaming") else None

    found: dict[str, Any] = wait_for(ended)
    return found
