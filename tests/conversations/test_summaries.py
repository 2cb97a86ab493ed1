"""Branches that outgrow their model's window: what the model reads instead, and what is kept of it."""

from typing import Any

import pytest

from chatcore.accounts.principals import Principal
from chatcore.llm import instances
from chatcore.llm.models import Model
from chatcore.llm.types import ModelRequest
from chatcore.offload import offload
from chatcore.realtime.models import Event
from chatcore.usage.models import Usage
from conversations import actions
from conversations.claims import Claim, claim_replies
from conversations.context import CHARACTERS_PER_TOKEN, SUMMARISED
from conversations.models import Conversation, Message, Summary
from conversations.summaries import fitted_request
from tests.api import send, session_client
from tests.factories import make_conversation, make_model, make_principal

pytestmark = pytest.mark.django_db(transaction=True)
WINDOW = 4_000  # tokens
SAID = ["x" * 2_500 + str(number) for number in range(6)]


def ask(said: list[str], summary: Any = "They said much.", window: int = WINDOW) -> tuple[Principal, Claim]:
    """A conversation in which this was said, and a question to a model with so small a window."""
    owner = make_principal()
    model = make_model(kind="scripted", options={"summary": summary})
    Model.objects.filter(pk=model.pk).update(context_window=window)
    conversation = make_conversation(owner, *said, model=model.name, system="Be brief.")
    actions.post_message(owner, conversation.id, text="And now?")
    (claim,) = claim_replies(1)
    return owner, claim


def ask_again(owner: Principal, claim: Claim, text: str) -> Claim:
    Message.objects.filter(id=claim.id).update(status="done", text="An answer.")
    actions.post_message(owner, claim.conversation_id, text=text)
    (again,) = claim_replies(1)
    return again


async def fitted(claim: Claim) -> ModelRequest:
    try:
        return await fitted_request(claim)
    finally:
        await instances.close_all()


def texts(request: ModelRequest) -> list[str]:
    return [turn.text for turn in request.turns]


async def test_what_fits_is_read_as_it_was_said() -> None:
    _, claim = await offload(ask, SAID[:3])
    assert texts(await fitted(claim)) == ["Be brief.", *SAID[:3], "And now?"]
    assert not await offload(Summary.objects.exists)


async def test_the_oldest_are_summarised_once_and_the_newest_stay_whole() -> None:
    owner, claim = await offload(ask, SAID)
    request = texts(await fitted(claim))
    assert request == ["Be brief.", f"{SUMMARISED}They said much.", *SAID[4:], "And now?"]
    assert sum(map(len, request)) <= WINDOW * CHARACTERS_PER_TOKEN
    summary = await offload(Summary.objects.select_related("message").get)
    assert summary.message.text == SAID[3]
    assert set(await offload(list, Usage.objects.values_list("purpose", flat=True))) == {"summary"}

    again = await offload(ask_again, owner, claim, "And then?")
    assert texts(await fitted(again)) == [*request, "An answer.", "And then?"]
    assert await offload(Summary.objects.count) == 1
    told = Event.objects.filter(type="context.summarised").values_list("payload", flat=True)
    assert await offload(list, told) == [{"message": str(summary.message_id)}]


async def test_a_summary_is_summarised_with_what_came_after_it() -> None:
    owner, claim = await offload(ask, SAID)
    await fitted(claim)
    for number in range(3):
        claim = await offload(ask_again, owner, claim, "y" * 2_500 + str(number))
    request = texts(await fitted(claim))
    assert await offload(Summary.objects.count) == 2
    assert request[1] == f"{SUMMARISED}They said much."
    assert request[-1].endswith("2")
    assert len(request) < 8


async def test_a_model_with_a_wider_window_reads_everything() -> None:
    owner, claim = await offload(ask, SAID)
    await fitted(claim)
    await offload(Model.objects.update, context_window=100_000)
    again = await offload(ask_again, owner, claim, "And then?")
    assert texts(await fitted(again)) == ["Be brief.", *SAID, "And now?", "An answer.", "And then?"]


async def test_another_branch_has_no_part_in_it() -> None:
    owner, claim = await offload(ask, SAID)
    await fitted(claim)

    def branch() -> Claim:
        Message.objects.filter(id=claim.id).update(status="done", text="An answer.")
        first = Message.objects.get(conversation=claim.conversation_id, text=SAID[0])
        actions.edit_message(owner, first.id, text="Something else")
        return claim_replies(1)[0]

    assert texts(await fitted(await offload(branch))) == ["Be brief.", "Something else"]


@pytest.mark.parametrize("summary", ["", " \n "])
async def test_without_a_summary_the_oldest_are_left_out(summary: str) -> None:
    _, claim = await offload(ask, SAID, summary)
    request = texts(await fitted(claim))
    assert request == ["Be brief.", *SAID[2:], "And now?"]
    assert not await offload(Summary.objects.exists)


async def test_one_turn_larger_than_the_window_is_still_summarised() -> None:
    _, claim = await offload(ask, ["z" * 30_000, *SAID[:2]])
    assert texts(await fitted(claim))[1:] == [f"{SUMMARISED}They said much.", *SAID[:2], "And now?"]


async def test_it_goes_with_its_messages_and_is_shown_where_it_ends() -> None:
    owner, claim = await offload(ask, SAID)
    await fitted(claim)

    def look() -> None:
        Message.objects.filter(id=claim.id).update(status="done", text="An answer.")
        page = session_client(owner).get(f"/c/{claim.conversation_id}/").content.decode()
        before, after = page.split("They said much.")
        assert SAID[3] in before
        assert SAID[4] in after
        last = Summary.objects.get().message_id
        assert send(session_client(owner), "DELETE", f"/api/v1/messages/{last}/").status_code == 204
        assert not Summary.objects.exists()

    await offload(look)


async def test_a_conversation_is_deleted_with_its_summaries() -> None:
    owner, claim = await offload(ask, SAID)
    await fitted(claim)

    def delete() -> None:
        Message.objects.filter(id=claim.id).update(status="done", text="An answer.")
        actions.delete_conversation(owner, claim.conversation_id)
        assert not Conversation.objects.exists()
        assert not Summary.objects.exists()

    await offload(delete)
