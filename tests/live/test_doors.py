"""One script played through every door: what happens, and what is told of it, is the same each time."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.live.talking import Frame, frames_of, live
from tests.live.test_replies import wait_for
from tests.running import OWNER, PASSWORD, Chatcore

API = "/api/v1/"
QUESTION = "What is *new*?\nAnd why?"


class Door:
    """The verbs of the script. A door that lacks one leaves it as it is here: at the resources, with a session."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.conversation = ""

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        answer = self.http.request(method, API + path, json=body, headers=headers)
        assert answer.is_success, (path, answer.text)
        return answer

    def begin(self, model: str, text: str) -> None:
        self.conversation = self.call("POST", "conversations/", {"model": model}).json()["id"]
        self.ask(text)

    def ask(self, text: str) -> None:
        self.call("POST", f"conversations/{self.conversation}/messages/", {"content": text})

    def edit(self, message: str, text: str) -> None:
        self.call("POST", f"messages/{message}/edit", {"content": text})

    def regenerate(self, reply: str) -> None:
        self.call("POST", f"replies/{reply}/regenerate")

    def stop(self, reply: str) -> None:
        self.call("POST", f"replies/{reply}/stop")

    def rename(self, title: str) -> None:
        self.change(title=title)

    def choose_model(self, name: str) -> None:
        self.change(model=name)

    def archive(self) -> None:
        self.change(archived=True)

    def change(self, **changes: Any) -> None:
        self.call("PATCH", f"conversations/{self.conversation}/", changes)

    def delete(self, message: str) -> None:
        self.call("DELETE", f"messages/{message}/")


class Commands(Door):
    """Ask, edit and regenerate as commands: each answers in another of the three ways. An access token opens it."""

    def ask(self, text: str) -> None:
        answer = self.call(
            "POST", f"conversations/{self.conversation}/replies", {"content": text}, Prefer="wait=1"
        )
        assert answer.headers["Preference-Applied"] == "wait=1"

    def edit(self, message: str, text: str) -> None:
        stream = self.call("POST", f"messages/{message}/edit", {"content": text}, Accept="text/event-stream")
        assert list(frames_of(iter(stream.text.splitlines())))[-1]["type"] == "reply.completed"


class Pages(Door):
    """Plain forms, as a browser without scripts posts them."""

    def post(self, path: str, **fields: str) -> httpx.Response:
        token = self.http.cookies["csrftoken"]
        answer = self.http.post(path, data={"csrfmiddlewaretoken": token} | fields)
        assert answer.status_code == 302, (path, answer.status_code, answer.text[:2_000])
        return answer

    def form(self, path: str) -> str:
        """The page with the form, which a browser would show first."""
        page = self.http.get(path)
        assert page.status_code == 200, (path, page.status_code)
        assert f'action="{path}"' in page.text
        return path

    @property
    def place(self) -> str:
        return f"/c/{self.conversation}/"

    def begin(self, model: str, text: str) -> None:
        location = self.post("/", content=text, model=model).headers["Location"]
        self.conversation = re.findall(r"^/c/([0-9a-f-]{36})/$", location)[0]

    def ask(self, text: str) -> None:
        self.post(self.form(self.place), content=text)

    def edit(self, message: str, text: str) -> None:
        self.post(self.form(f"{self.place}messages/{message}/edit/"), content=text)

    def regenerate(self, reply: str) -> None:
        self.post(self.form(f"{self.place}messages/{reply}/regenerate/"))

    def stop(self, reply: str) -> None:
        self.post(f"{self.place}messages/{reply}/stop/")

    def rename(self, title: str) -> None:
        self.post(self.form(f"{self.place}rename/"), title=title)

    def choose_model(self, name: str) -> None:
        self.post(f"{self.place}model/", model=name)

    def archive(self) -> None:
        self.post(f"{self.place}archive/")

    def delete(self, message: str) -> None:
        self.post(self.form(f"{self.place}messages/{message}/delete/"))


@contextmanager
def signed_in(chatcore: Chatcore) -> Iterator[httpx.Client]:
    """A browser's session; what it posts to the API carries its CSRF token."""
    with httpx.Client(base_url=chatcore.url, timeout=60, headers={"Referer": chatcore.url}) as http:
        http.get("/accounts/login/")
        fields = {"login": OWNER, "password": PASSWORD, "csrfmiddlewaretoken": http.cookies["csrftoken"]}
        assert http.post("/accounts/login/", data=fields).status_code == 302
        http.headers["X-CSRFToken"] = http.cookies["csrftoken"]
        yield http


@contextmanager
def with_token(chatcore: Chatcore) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=chatcore.url, timeout=60) as http:
        answer = http.post(f"{API}auth/app/v1/auth/login", json={"email": OWNER, "password": PASSWORD})
        http.headers["Authorization"] = f"Bearer {answer.json()['meta']['access_token']}"
        yield http


DOORS: dict[str, tuple[Callable[[Chatcore], Any], type[Door]]] = {
    "pages": (signed_in, Pages),
    "resources": (signed_in, Door),
    "commands": (with_token, Commands),
}


class Onlooker:
    """Sees with the owner's key how far things have come."""

    def __init__(self, http: httpx.Client, door: Door) -> None:
        self.http = http
        self.door = door

    def branch(self) -> list[dict[str, Any]]:
        path = f"{API}conversations/{self.door.conversation}/messages/?branch=active"
        found: list[dict[str, Any]] = self.http.get(path).json()["results"]
        return found

    def until(self, status: str, *, text: str = "") -> tuple[str, str]:
        """The question and the reply at the end of the branch, once the reply has come so far."""

        def found() -> list[dict[str, Any]] | None:
            end = self.branch()[-2:]
            return end if end[-1]["status"] == status and text in end[-1]["text"] else None

        question, reply = wait_for(found)
        return question["id"], reply["id"]

    def until_titled(self) -> None:
        path = f"{API}conversations/{self.door.conversation}/"
        wait_for(lambda: self.http.get(path).json()["title"] == "A scripted title")


def play(door: Door, onlooker: Onlooker) -> None:
    door.begin("echo", QUESTION)
    question, _ = onlooker.until("done")
    onlooker.until_titled()
    door.edit(question, "What is old?")
    question, reply = onlooker.until("done", text="old")
    door.regenerate(reply)
    wait_for(lambda: onlooker.branch()[-1]["id"] != reply)
    onlooker.until("done", text="old")
    door.rename("The old and the new")
    door.choose_model("endless")
    door.ask("Count.")
    counting, reply = onlooker.until("streaming", text="word3")
    door.stop(reply)
    onlooker.until("stopped")
    door.delete(counting)
    door.archive()


async def told(chatcore: Chatcore, cursor: str, conversation: str) -> list[Frame]:
    """Every event of the conversation since the cursor, as the live connection replays them."""
    async with live(chatcore, after=cursor) as watcher:
        await watcher.until(
            lambda frame: (
                frame.get("conversation") == conversation
                and frame["type"] == "conversation.updated"
                and frame["data"]["changed"] == ["archived"]
            )
        )
    return [frame for frame in watcher.frames if frame.get("conversation") == conversation and "id" in frame]


async def cursor_of(chatcore: Chatcore) -> str:
    async with live(chatcore) as watcher:
        cursor: str = (await watcher.until("hello"))["data"]["cursor"]
        return cursor


def essence(frames: list[Frame]) -> list[tuple[str, str, dict[str, Any]]]:
    """Types, actors and data. Ids become the order in which they appear; how far a stopped reply came is left out."""
    known: dict[str, str] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items() if name != "client_id"}
        if isinstance(value, str) and re.fullmatch(r"(user:)?[0-9a-f]{8}-[0-9a-f-]{27}", value):
            return known.setdefault(value, f"#{len(known)}")
        return value

    return [
        (
            frame["type"],
            plain(frame["actor"]),
            plain(frame["data"]) | ({"text": "…"} if frame["type"] == "reply.stopped" else {}),
        )
        for frame in frames
    ]


async def test_every_door_tells_the_same_story(one: Chatcore) -> None:
    stories = {}
    for name, (opened, kind) in DOORS.items():
        cursor = await cursor_of(one)
        with opened(one) as http, one.client() as looking:
            door = kind(http)
            play(door, Onlooker(looking, door))
        stories[name] = essence(await told(one, cursor, door.conversation))

    assert [kind for kind, _, _ in stories["pages"]] == STORY
    assert stories["resources"] == stories["pages"]
    assert stories["commands"] == stories["pages"]


STORY = [
    "conversation.created",
    "message.created",
    "reply.queued",
    "reply.started",
    "reply.completed",
    "conversation.updated",  # a model has written the title
    "message.created",
    "reply.queued",
    "reply.started",
    "reply.completed",
    "reply.queued",
    "reply.started",
    "reply.completed",
    "conversation.updated",  # renamed
    "conversation.updated",  # another model
    "message.created",
    "reply.queued",
    "reply.started",
    "reply.stopped",
    "message.deleted",
    "conversation.updated",  # archived
]
