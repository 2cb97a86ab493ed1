"""Branches that outgrow their model's window: what the model reads instead, and what is kept of it."""

from typing import Any

import pytest

from chatcore.accounts.principals import Principal
from chatcore.llm import instances, tokens
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.llm.types import ModelRequest
from chatcore.offload import offload
from chatcore.realtime.models import Event
from chatcore.usage.models import Usage
from conversations import actions
from conversations.claims import Claim, claim_replies
from conversations.context import SUMMARISED, TRUSTED_SHARE, USUAL_ANSWER
from conversations.ledger import tokens_of
from conversations.models import Conversation, Message, Summary
from conversations.runner import Runner
from conversations.summaries import fitted_request
from tests.api import send, session_client
from tests.factories import make_attachment, make_conversation, make_model, make_principal
from tests.replying import ended
from tests.upstreams.fixtures import upstream
from tests.upstreams.server import Upstream

__all__ = ["upstream"]
pytestmark = pytest.mark.django_db(transaction=True)
WINDOW = 4_600  # tokens
ROOM = int((WINDOW - USUAL_ANSWER) * TRUSTED_SHARE)
SAID = ["x" * 2_500 + str(number) for number in range(6)]
# As many characters make three times the tokens.
CHINESE = [("我们下周三在上海开会，请把资料带来。" * 150)[:2_400] + str(number) for number in range(4)]


def ask(
    said: list[str], summary: Any = "They said much.", window: int = WINDOW, **params: Any
) -> tuple[Principal, Claim]:
    """A conversation in which this was said, and a question to a model with so small a window."""
    owner, _ = post(said, window, {"summary": summary}, **params)
    (claim,) = claim_replies(1)
    return owner, claim


def post(said: list[str], window: int, options: dict[str, Any], **params: Any) -> tuple[Principal, Message]:
    owner = make_principal()
    model = make_model(kind="scripted", options=options)
    Model.objects.filter(pk=model.pk).update(context_window=window)
    conversation = make_conversation(owner, *said, model=model.name, system="Be brief.", params=params)
    reply = actions.post_message(owner, conversation.id, text="And now?").reply
    assert reply
    return owner, reply


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
    assert tokens.estimate_turns(request) <= ROOM
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


async def test_chinese_is_measured_by_its_tokens_and_not_by_its_letters() -> None:
    _, claim = await offload(ask, CHINESE)
    request = await fitted(claim)
    assert texts(request) == ["Be brief.", f"{SUMMARISED}They said much.", "And now?"]
    assert tokens_of(request) <= ROOM
    again = await offload(ask, CHINESE, window=4 * WINDOW)
    assert texts(await fitted(again[1])) == ["Be brief.", *CHINESE, "And now?"]


@pytest.mark.parametrize(("params", "limit"), [({"max_tokens": 2_000}, None), ({}, 9_000)])
async def test_room_for_the_answer_is_kept_free(params: dict[str, Any], limit: int | None) -> None:
    """What the asker wishes, or of what the model may write a quarter of its window."""
    said = SAID[:4]
    _, claim = await offload(ask, said, window=5_000, **params)
    await offload(Model.objects.update, max_output=limit)
    free = 2_000 if params else 1_250
    request = await fitted(claim)
    assert tokens_of(request) <= (5_000 - free) * TRUSTED_SHARE
    assert (SAID[0] in texts(request)) == (not params)


async def test_a_document_is_cut_by_its_tokens() -> None:
    def attached() -> Claim:
        owner, claim = ask([])
        Message.objects.filter(id=claim.id).update(status="done", text="An answer.")
        file = make_attachment(owner, content=("文" * 20_000).encode())
        actions.post_message(owner, claim.conversation_id, text="Read it.", attachments=[file.id])
        return claim_replies(1)[0]

    request = await fitted(await offload(attached))
    assert "文" * 1_000 in texts(request)[-1]
    assert tokens_of(request) <= ROOM


async def test_a_model_that_reads_less_than_is_known_of_it_is_given_less(runner: Runner) -> None:
    script = [{"reads": 6_000}, {"text": "Now this."}]
    _, reply = await offload(post, SAID, 100_000, {"script": script, "summary": "They said much."})
    row = await ended(runner, reply)
    assert (row.status, row.text) == ("done", "Now this.")
    assert [attempt["outcome"] for attempt in row.route] == ["context_too_long", "answered"]
    kept = await offload(Summary.objects.select_related("message").get)
    assert kept.message.text == SAID[4]
    answered = await offload(Usage.objects.get, purpose="reply")
    assert (answered.outcome, answered.unknown_attempts) == ("done", 0), "a refusal takes nothing"


async def test_a_model_that_reasons_has_room_for_it_beside_the_summary(upstream: Upstream) -> None:
    upstream.plan("thinking", pieces=("They said much.",))
    _, claim = await offload(ask, SAID)
    await offload(Provider.objects.update, kind="openai", base_url=f"{upstream.url}/v1", options={})
    await offload(Model.objects.update, supports_reasoning=True)
    await offload(Deployment.objects.update, upstream_name="thinking")
    assert f"{SUMMARISED}They said much." in texts(await fitted(claim))
    asked = {(each.body["max_tokens"], each.body.get("reasoning_effort")) for each in upstream.requests}
    assert asked == {(4_800, "low")}


async def test_a_single_message_that_is_too_long_fails_as_such(runner: Runner) -> None:
    _, reply = await offload(post, [], 100_000, {"script": [{"reads": 10}]})
    row = await ended(runner, reply)
    assert row.status == "failed"
    assert row.error
    assert row.error["code"] == "context_too_long"
    assert len(row.route) == 1


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
