"""Many who ask at the same moment, and one who may no longer listen while a reply is told."""

import asyncio

import httpx

from tests.live.talking import frames_of, start
from tests.running import Chatcore

MANY = 60  # several times as many as a process has connections to its database
STREAMED = {"Accept": "text/event-stream"}
REVOKE = """
from chatcore.accounts.models import Key
from django.utils import timezone
Key.objects.filter(integration__name="{name}").update(revoked_at=timezone.now())
"""
MINT = """
from chatcore.accounts import keys
from chatcore.accounts.models import Integration, User, Workspace
integration = Integration.objects.create(
    workspace=Workspace.objects.get(name="Home"), name="{name}", acts_as=User.objects.get(email="owner@example.com"),
    grants=["messages:write", "conversations:write", "models:use"],
)
print(keys.mint(integration)[1])
"""


async def test_a_crowd_that_asks_at_once_is_answered(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        places = [f"/api/v1/conversations/{start(http)}/replies" for _ in range(MANY)]
    headers = {"Authorization": f"Bearer {chatcore.key}"} | STREAMED
    limits = httpx.Limits(max_connections=MANY)
    async with httpx.AsyncClient(base_url=chatcore.url, headers=headers, limits=limits, timeout=60) as client:
        asked = (client.post(place, json={"content": "Hello", "model": "echo"}) for place in places)
        answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {200}
    assert all("event: reply.completed" in answer.text for answer in answers)


def test_a_revoked_key_hears_no_more_of_a_reply(one: Chatcore) -> None:
    key = one.manage("shell", "--no-imports", "-c", MINT.format(name="short-lived")).strip()
    headers = {"Authorization": f"Bearer {key}"} | STREAMED
    with one.client() as http, httpx.Client(base_url=one.url, headers=headers, timeout=60) as client:
        place = f"/api/v1/conversations/{start(http)}/replies"
        with client.stream("POST", place, json={"content": "Go on", "model": "endless"}) as answer:
            frames = frames_of(answer.iter_lines())
            reply = next(frame for frame in frames if frame["type"] == "reply.delta")["data"]["message"]
            one.manage("shell", "--no-imports", "-c", REVOKE.format(name="short-lived"))
            rest = list(frames)
        http.post(f"/api/v1/replies/{reply}/stop").raise_for_status()

    assert rest[-1]["type"] == "error"
    assert rest[-1]["data"]["code"] == "unauthenticated"
