"""Two people in one conversation: who is there, who is writing, what has been read; over both forms and every door."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.live.talking import Live, ask, live, start
from tests.running import Chatcore

TEAMMATE = """
from chatcore.accounts import keys
from chatcore.accounts.models import Integration, Membership, User
from conversations.models import Conversation, Member
conversation = Conversation.objects.get(id={conversation!r})
user = User.objects.create_user(email="bo@example.com", name="Bo", password=None)
Membership.objects.create(user=user, workspace=conversation.workspace, role="member")
Member.objects.create(conversation=conversation, user=user, workspace=conversation.workspace,
    last_message_at=conversation.last_message_at)
grants = ["conversations:read", "messages:read", "messages:write", "events:read"]
def mint(name, **fields):
    made = Integration.objects.create(workspace=conversation.workspace, name=name, grants=grants, **fields)
    return keys.mint(made)[1]
token = keys.mint(Integration.objects.create(
    workspace=conversation.workspace, name="Bo's phone", acts_as=user, grants=grants))[1]
print(token, mint("Watcher"))
"""


@dataclass
class Company:
    """A conversation of the owner with Bo in it. `bo` and `watcher` are keys: of Bo's phone, and of an integration
    that acts for nobody."""

    chatcore: Chatcore
    conversation: str
    bo: str
    watcher: str

    @property
    def last(self) -> int:
        return self.chatcore.webs - 1

    def client(self, key: str) -> httpx.Client:
        return self.chatcore.client(self.last, Authorization=f"Bearer {key}")


_companies: dict[str, Company] = {}


@pytest.fixture
def company(chatcore: Chatcore) -> Company:
    """One for each installation."""
    if chatcore.database not in _companies:
        with chatcore.client() as http:
            conversation = start(http, title="Company")
        code = TEAMMATE.format(conversation=conversation)
        keys = chatcore.manage("shell", "--no-imports", "-c", code).split()
        _companies[chatcore.database] = Company(chatcore, conversation, *keys)
    return _companies[chatcore.database]


@asynccontextmanager
async def looking(company: Company, number: int = 0, key: str | None = None) -> AsyncIterator[Live]:
    async with live(company.chatcore, number=number, key=key) as watcher:
        await watcher.send("subscribe", conversation=company.conversation)
        await watcher.until("subscribed")
        yield watcher


async def test_typing_is_seen_by_the_other_and_ends(company: Company) -> None:
    async with looking(company) as owner, live(company.chatcore, number=company.last, key=company.bo) as bo:
        for _ in range(3):  # said too often, told once
            await bo.send("typing", conversation=company.conversation, on=True)
        seen = await owner.until("typing")
        assert (seen["data"]["name"], seen["data"]["on"]) == ("Bo's phone", True)
        await bo.send("typing", conversation=company.conversation, on=False)
        assert (await owner.until("typing"))["data"]["on"] is False
        with company.client(company.bo) as http:
            answer = await asyncio.to_thread(
                http.post, f"/api/v1/conversations/{company.conversation}/typing", json={"on": True}
            )
        assert answer.status_code == 204
        assert (await owner.until("typing"))["data"]["on"] is True
        assert (await owner.until("typing"))["data"]["on"] is False  # nothing more was said


async def test_whoever_comes_and_goes_is_seen(company: Company) -> None:
    with company.client(company.bo) as http:  # Bo's phone belongs to the conversation by what it wrote
        address = f"/api/v1/conversations/{company.conversation}/messages/"
        http.post(address, json={"content": "Hello", "respond": False}).raise_for_status()

    def about_phone(state: str) -> Any:
        return lambda frame: (
            frame["type"] == "presence"
            and ((frame["data"]["name"], frame["data"]["state"]) == ("Bo's phone", state))
        )

    async with looking(company) as owner:
        async with live(company.chatcore, number=company.last, key=company.bo) as bo:
            await owner.until(about_phone("online"))
            with company.client(company.bo) as http:
                found = http.get(f"/api/v1/conversations/{company.conversation}/presence").json()["results"]
            assert {item["name"]: item["state"] for item in found}["Bo's phone"] == "online"
            await bo.send("presence", state="away")
            await owner.until(about_phone("away"))
        await owner.until(about_phone("offline"))


async def test_what_has_been_read_is_told_and_counted(company: Company) -> None:
    address = f"/api/v1/conversations/{company.conversation}"
    with company.chatcore.client() as http, company.client(company.bo) as bo:
        posted = [
            bo.post(f"{address}/messages/", json={"content": text, "respond": False}).json()["message"]
            for text in ("One", "Two", "Three")
        ]
        async with live(company.chatcore) as owner:
            await owner.send(
                "ack", ref="1", conversation=company.conversation, message=posted[1]["id"], state="read"
            )
            heard: dict[str, dict[str, Any]] = {}
            while not {"result", "receipt.updated"} <= set(heard):
                frame = await owner.until(lambda frame: frame["data"].get("message") == posted[1]["id"])
                heard[frame["type"]] = frame
        assert heard["result"]["ref"] == "1"
        assert heard["receipt.updated"]["data"]["state"] == "read"
        late = http.post(f"/api/v1/messages/{posted[0]['id']}/acknowledge", json={"state": "delivered"})
        assert late.status_code == 200
        receipts = [bo.get(f"/api/v1/messages/{one['id']}/receipts/").json()["results"] for one in posted]
        assert [[item["state"] for item in of_one] for of_one in receipts] == [["read"], ["read"], []]


def test_a_reader_s_own_count_goes_up_and_back_to_nothing(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        code = (
            "from django.test import Client; from chatcore.accounts.models import User;"
            "c = Client(); c.force_login(User.objects.get(email='owner@example.com'));"
            "print(c.cookies['sessionid'].value)"
        )
        session = {"sessionid": chatcore.manage("shell", "--no-imports", "-c", code).strip()}
        conversation = start(http, title="Counted")
        reply = ask(http, conversation, Prefer="wait=20").json()["reply"]["id"]
        address = f"/api/v1/conversations/{conversation}/"
        assert (
            http.get(address).json()["unread"] == 2
        )  # the key's question and the answer: neither by its user
        with httpx.Client(base_url=chatcore.url, cookies=session, timeout=60) as page:
            token = page.get("/").cookies["csrftoken"]
            read = page.post(
                f"/api/v1/messages/{reply}/acknowledge",
                json={"state": "read"},
                headers={"X-CSRFToken": token},
            )
            assert read.status_code == 200, read.text
        assert http.get(address).json()["unread"] == 0


async def test_an_integration_that_acts_for_nobody_follows_its_workspace(company: Company) -> None:
    async with live(company.chatcore, number=company.last, key=company.watcher) as watcher:
        begin = (await watcher.until("hello"))["data"]["cursor"]
        with company.chatcore.client() as http:
            elsewhere = start(http, title="Elsewhere")
        await watcher.until("conversation.created", elsewhere)
    with company.client(company.watcher) as http, company.chatcore.client() as owner:
        _, cursor = heard_until(http, begin, elsewhere)
        later = start(owner, title="Later")
        heard, _ = heard_until(http, cursor, later)
        assert elsewhere not in heard


def heard_until(http: httpx.Client, cursor: str, conversation: str) -> tuple[set[str], str]:
    """Whatever events told of until they told of this one, and the cursor behind them. Somebody who writes anywhere
    in the cluster may hold them back for a while.
    """
    heard: set[str] = set()
    while conversation not in heard:
        page = http.get("/api/v1/events", params={"after": cursor}).json()
        heard |= {event["conversation"] for event in page["results"]}
        cursor = page["cursor"]
    return heard, cursor


async def test_strangers_type_and_acknowledge_nowhere(one: Chatcore) -> None:
    elsewhere, message = str(uuid.uuid4()), str(uuid.uuid4())
    with one.client() as http:
        assert http.post(f"/api/v1/conversations/{elsewhere}/typing", json={"on": True}).status_code == 404
        assert http.get(f"/api/v1/conversations/{elsewhere}/presence").status_code == 404
        assert http.post(f"/api/v1/messages/{message}/acknowledge", json={"state": "read"}).status_code == 404
        mine = start(http)
        other = ask(http, start(http), Prefer="wait=20").json()["message"]["id"]
    async with live(one) as watcher:
        await watcher.send("typing", ref="a", conversation=elsewhere, on=True)
        assert (await watcher.until("error"))["data"]["code"] == "not_found"
        await watcher.send("ack", ref="b", conversation=mine, message=other, state="read")
        assert (await watcher.until("error"))["data"]["code"] == "not_found"
