"""Several models asked through the doors that stay open: waiting, streaming, and the WebSocket."""

from tests.live.talking import Frame, frames_of, live, start
from tests.running import Chatcore

QUESTION = {"content": "Hello", "models": ["echo", "broken"]}
ANSWER = "You said: [message from tests]\nHello"


async def test_whoever_waits_gets_every_reply_whole(one: Chatcore) -> None:
    with one.client() as http:
        place = f"/api/v1/conversations/{start(http)}/replies"

        answer = http.post(place, json=QUESTION, headers={"Prefer": "wait=20"})

        assert answer.status_code == 200
        replies = answer.json()["replies"]
        assert [(reply["model"], reply["status"], reply["text"]) for reply in replies] == [
            ("echo", "done", ANSWER),
            ("broken", "failed", "Half"),
        ]
        assert answer.json()["reply"] == replies[0]


async def test_a_stream_tells_of_every_reply_until_all_have_ended(one: Chatcore) -> None:
    with one.client() as http:
        place = f"/api/v1/conversations/{start(http)}/replies"
        once = QUESTION | {"client_id": "0b9d5f4e-3a2c-4d7e-9a57-6c1f0e8d2b11"}

        for _ in range(2):  # the second joins replies that have ended
            with http.stream("POST", place, json=once, headers={"Accept": "text/event-stream"}) as answer:
                frames = list(frames_of(answer.iter_lines()))

            ends = [frame for frame in frames if frame["type"] in ("reply.completed", "reply.failed")]
            assert sorted(frame["data"]["text"] for frame in ends) == ["Half", ANSWER]
            for end in ends:
                assert text_of(frames, end["data"]["message"]) == end["data"]["text"]
            assert frames[-1] in ends


def text_of(frames: list[Frame], reply: str) -> str:
    deltas = [frame["data"] for frame in frames if frame["type"] == "reply.delta"]
    return "".join(data["text"] for data in deltas if data["message"] == reply)


async def test_a_socket_asks_several_models_and_hears_them_all(one: Chatcore) -> None:
    with one.client() as http:
        conversation = start(http)
        async with live(one) as socket:
            await socket.until("hello")
            await socket.send("subscribe", conversation=conversation)
            await socket.until("subscribed")
            await socket.send("send", ref="1", conversation=conversation, **QUESTION)
            result = await socket.until("result")
            left, right = result["data"]["replies"]
            assert result["data"]["reply"] == left
            ended: set[str] = set()
            while len(ended) < 2:
                frame = await socket.until(
                    lambda frame: frame["type"] in ("reply.completed", "reply.failed"), conversation
                )
                ended.add(frame["data"]["message"])

            chosen = http.post(f"/api/v1/replies/{right}/choose")
            assert chosen.status_code == 200
            news = await socket.until("conversation.updated", conversation)
            while news["data"]["changed"] != ["branch"]:
                news = await socket.until("conversation.updated", conversation)

    assert ended == {left, right}
    assert (socket.text_of(left), socket.text_of(right)) == (ANSWER, "Half")


async def test_every_door_tells_of_a_comparison_in_the_same_words(one: Chatcore) -> None:
    stories = []
    with one.client() as http:
        for door in ("messages/", "replies", "socket"):
            conversation = start(http, title="Compared")
            async with live(one) as socket:
                await socket.until("hello")
                if door == "socket":
                    await socket.send("send", conversation=conversation, **QUESTION)
                else:
                    http.post(f"/api/v1/conversations/{conversation}/{door}", json=QUESTION)
                await socket.until("reply.completed", conversation)
            stories.append(
                [
                    (frame["type"], frame["data"].get("model"))
                    for frame in socket.frames
                    if frame.get("conversation") == conversation
                    and frame["type"] in ("message.created", "reply.queued")
                ]
            )

    assert stories == [[("message.created", None), ("reply.queued", "echo"), ("reply.queued", "broken")]] * 3


async def test_a_socket_is_refused_with_the_place_of_what_is_wrong(one: Chatcore) -> None:
    with one.client() as http:
        conversation = start(http)
        async with live(one) as socket:
            await socket.until("hello")
            await socket.send("send", conversation=conversation, content="Hello", models=["echo", "nowhere"])
            refused = await socket.until("error")

    assert refused["data"]["errors"][0]["pointer"] == "/models/1"
