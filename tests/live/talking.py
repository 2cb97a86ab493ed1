"""Small clients for the live tests: a WebSocket that keeps its frames, server-sent events, conversations."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

import chatcore.realtime.events  # noqa: F401 (names its part of the catalogue)
import conversations.events  # noqa: F401 (so does this)
from chatcore.realtime.catalogue import check
from tests.running import Chatcore

Frame = dict[str, Any]


class Live:
    """An open WebSocket and every frame it was sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []

    @property
    def story(self) -> str:
        """The frames in short, to be shown where a test fails."""
        return "\n".join(str(frame)[:160] for frame in self.frames)

    async def send(self, kind: str, ref: str | None = None, **data: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "data": data} | ({"ref": ref} if ref else {})))

    async def until(self, condition: Callable[[Frame], bool] | str, conversation: str = "") -> Frame:
        """The next frame of that type, or that fulfils the condition; about that conversation, if one is named.

        A connection also hears what happened elsewhere a moment before it was opened.
        """

        def fits(frame: Frame) -> bool:
            wanted = condition(frame) if callable(condition) else frame["type"] == condition
            return wanted and conversation in ("", frame.get("conversation"))

        async with asyncio.timeout(60):
            while True:
                frame = checked(json.loads(await self.socket.recv()))
                self.frames.append(frame)
                if fits(frame):
                    return dict(frame)

    def text_of(self, reply: str) -> str:
        """What a client makes of the deltas: each piece at its offset, a newer attempt from the start."""
        text, attempt = "", 0
        for frame in self.frames:
            data = frame["data"]
            if frame["type"] != "reply.delta" or data["message"] != reply or data["part"] != "text":
                continue
            if data["attempt"] > attempt:
                text, attempt = "", data["attempt"]
            assert data["offset"] <= len(text), "a hole"
            text = text[: data["offset"]] + data["text"]
        return text


@asynccontextmanager
async def live(
    chatcore: Chatcore, number: int = 0, after: str = "", key: str | None = None
) -> AsyncIterator[Live]:
    address = chatcore.urls[number].replace("http", "ws") + "/ws/" + (f"?after={after}" if after else "")
    headers = {"Authorization": f"Bearer {chatcore.key if key is None else key}"}
    patient = {"open_timeout": 60, "ping_interval": None}  # a busy machine is no loss
    async with connect(
        address, additional_headers=headers, compression=None, close_timeout=0.5, **patient
    ) as socket:
        yield Live(socket)


def start(http: httpx.Client, model: str = "echo", **fields: Any) -> str:
    answer = http.post("/api/v1/conversations/", json={"model": model} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def ask(http: httpx.Client, conversation: str, content: str = "Hello", **headers: str) -> httpx.Response:
    return http.post(
        f"/api/v1/conversations/{conversation}/replies", json={"content": content}, headers=headers
    )


def heard_to_the_end(url: str, key: str) -> list[str]:
    """The types of all frames of an event stream, until the server ends it."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.stream("GET", f"{url}/events/", headers=headers, timeout=60) as answer:
        return [frame["type"] for frame in frames_of(answer.iter_lines())]


def checked(frame: Frame) -> Frame:
    """The frame, if it is as its catalogue declares it."""
    check(frame)
    return frame


def frames_of(lines: Iterator[str]) -> Iterator[Frame]:
    """The JSON frames of a stream of server-sent events."""
    for line in lines:
        if line.startswith("data: "):
            yield checked(json.loads(line.removeprefix("data: ")))
