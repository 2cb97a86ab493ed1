"""Pages of the API's lists: every row once, whichever way they are walked."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from chatcore.accounts.principals import Principal
from conversations.models import Conversation, Member, Message
from tests.api import CONVERSATIONS, key_client, make_place, of, session_client, start
from tests.factories import make_conversation, make_model, make_principal, make_reply

pytestmark = pytest.mark.django_db

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


@pytest.fixture(params=[key_client, session_client], ids=["key", "session"])
def http(request: pytest.FixtureRequest, owner: Principal) -> Client:
    client: Client = request.param(owner)
    return client


def walk(http: Client, first: str, link: str = "next") -> Iterator[dict[str, Any]]:
    """The pages from an address on, as a client follows them."""
    address: str | None = first
    while address:
        answer = http.get(address)
        assert answer.status_code == 200, answer.content
        page: dict[str, Any] = answer.json()
        yield page
        address = page[link]


def ids_of(pages: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for page in pages for row in page["results"]]


def fill_list(owner: Principal, count: int) -> list[str]:
    """Conversations of which forty have the same moment each; their ids, the newest first."""
    moments = [EPOCH + timedelta(days=number // 40) for number in range(count)]
    conversations = Conversation.objects.bulk_create(
        Conversation(workspace=owner.workspace, owner=owner.user, title=f"{n}", last_message_at=moment)
        for n, moment in enumerate(moments)
    )
    Member.objects.bulk_create(
        Member(
            conversation=one, user=owner.user, workspace=owner.workspace, last_message_at=one.last_message_at
        )
        for one in conversations
    )
    ordered = sorted(conversations, key=lambda one: (one.last_message_at, one.id), reverse=True)
    return [str(one.id) for one in ordered]


def fill_thread(owner: Principal, count: int) -> tuple[Conversation, list[str]]:
    """A conversation of messages below each other, all of one moment; their ids, the oldest first."""
    conversation = make_conversation(owner)
    messages: list[Message] = []
    for number in range(count):
        messages.append(
            Message(
                workspace=owner.workspace,
                conversation=conversation,
                parent=messages[-1] if messages else None,
                author=Message.Author.USER,
                text=f"{number}",
            )
        )
    Message.objects.bulk_create(messages)
    Message.objects.filter(conversation=conversation).update(created_at=EPOCH)
    conversation.active_leaf = messages[-1]
    conversation.save()
    return conversation, [str(message.id) for message in messages]


@pytest.mark.parametrize("size", [7, 40, 119, 120, 200])
def test_the_pages_of_the_list_bring_everything_once_in_both_directions(
    http: Client, owner: Principal, size: int
) -> None:
    everything = fill_list(owner, 120)

    pages = list(walk(http, f"{CONVERSATIONS}?page_size={size}"))
    back = list(walk(http, pages[-1]["previous"], "previous")) if len(pages) > 1 else []

    assert ids_of(pages) == everything
    assert [len(page["results"]) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert (pages[0]["previous"], pages[-1]["next"]) == (None, None)
    assert ids_of(back[::-1] + pages[-1:]) == everything


def test_the_pages_of_messages_bring_everything_once_in_both_directions(
    http: Client, owner: Principal
) -> None:
    conversation, everything = fill_thread(owner, 120)

    pages = list(walk(http, f"{of(conversation, 'messages/')}?page_size=9"))
    back = list(walk(http, pages[-1]["previous"], "previous"))

    assert ids_of(pages) == everything
    assert ids_of(back[::-1] + pages[-1:]) == everything


def test_a_page_keeps_its_filters_and_size_and_is_not_moved_by_what_comes_meanwhile(
    http: Client, owner: Principal
) -> None:
    everything = fill_list(owner, 30)
    Member.objects.filter(conversation__title__in=["1", "2", "3"]).update(pinned=True)
    first = http.get(CONVERSATIONS, {"pinned": "false", "page_size": "10"}).json()
    start(http, title="Came meanwhile")

    rest = list(walk(http, first["next"]))

    pinned = {str(one.conversation_id) for one in Member.objects.filter(pinned=True)}
    assert ids_of([first, *rest]) == [one for one in everything if one not in pinned]
    assert [len(page["results"]) for page in rest] == [10, 7]


def test_the_active_branch_is_paged_from_its_end_to_the_root(http: Client, owner: Principal) -> None:
    conversation, everything = fill_thread(owner, 120)
    conversation.active_leaf_id = uuid.UUID(everything[60])
    aside = make_reply(owner, conversation)
    conversation.active_leaf_id = uuid.UUID(everything[-1])
    conversation.save()

    pages = list(
        walk(http, f"{of(conversation, 'messages/')}?branch=active&page_size=17&note=a%26b%3D%C3%A4")
    )
    other = list(walk(http, f"{of(conversation, 'messages/')}?branch={aside.id}&page_size=50"))

    assert ids_of(pages[::-1]) == everything
    assert pages[0]["next"].endswith("page_size=17&note=a%26b%3D%C3%A4")
    assert pages[-1]["next"] is None
    assert ids_of(other[::-1]) == [*everything[:61], str(aside.id)]


def test_an_empty_conversation_has_an_empty_branch(http: Client) -> None:
    page = http.get(of(start(http), "messages/?branch=active")).json()
    assert page == {"results": [], "next": None, "previous": None}


def test_a_branch_that_is_of_another_conversation_is_refused(http: Client, owner: Principal) -> None:
    place, other = make_place(owner), make_place(owner)
    for branch in (str(other.message.id), "leaf", "%00"):
        answer = http.get(f"{of(place.conversation, 'messages/')}?branch={branch}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/branch"


def test_a_cursor_of_another_list_is_refused(http: Client, owner: Principal) -> None:
    fill_list(owner, 3)
    conversation, _ = fill_thread(owner, 3)
    make_model("another")
    lists = [CONVERSATIONS, of(conversation, "messages/"), "/api/v1/models/"]
    cursors = [http.get(f"{one}?page_size=1").json()["next"].partition("?")[2] for one in lists]
    for address in lists:
        for origin, query in zip(lists, cursors, strict=True):
            answer = http.get(f"{address}?{query}")
            assert answer.status_code == (200 if origin == address else 400)
            if origin != address:
                assert answer.json()["code"] == "malformed"


def test_the_models_are_paged_by_name(http: Client) -> None:
    for number in range(5):
        make_model(f"model-{number}")
    pages = list(walk(http, "/api/v1/models/?page_size=2"))
    assert [row["name"] for page in pages for row in page["results"]] == [
        *(f"model-{n}" for n in range(5)),
        "plain",
    ]
