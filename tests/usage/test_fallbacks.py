"""Who may answer in a model's place: nobody beyond the borders, rights and budgets of whoever asks."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.llm import candidates
from chatcore.llm.models import Fallback, Model
from chatcore.offload import offload
from chatcore.usage.models import Usage
from conversations import actions
from conversations.models import Message
from conversations.runner import Runner
from conversations.titling import write_title
from tests.factories import make_key_principal, make_model, make_principal
from tests.replying import ended
from tests.usage.factories import PRICES, make_budget, make_usage
from tests.usage.spending import ask, start

pytestmark = pytest.mark.django_db(transaction=True)


def made() -> tuple[Model, Model]:
    """A model that fails, and the one that answers for it."""
    down = [{"error": {"code": "unavailable"}}]
    first = make_model("first", kind="scripted", options={"script": down, "title": "Never said"})
    second = make_model("second", kind="scripted", options={"script": [{"text": "By the second."}]})
    Fallback.objects.create(model=first, to=second, position=1)
    return first, second


def give_away(owner: Principal, second: Model) -> None:
    """As staff could while nothing kept them from it."""
    second.workspace = make_principal().workspace
    second.save()


def close_to_members(owner: Principal, second: Model) -> None:
    second.visible_to = [Membership.Role.ADMIN]
    second.save()
    Membership.objects.filter(user=owner.user).update(role=Membership.Role.MEMBER)


def spend_its_budget(owner: Principal, second: Model) -> None:
    make_budget(owner, 1, model=second)
    make_usage(owner, model=second)


def doubt_its_price(owner: Principal, second: Model) -> None:
    first = Model.objects.get(name="first")
    first.prices = PRICES
    first.save()
    make_budget(owner, 1, "money", strict=True)


HINDRANCES = [give_away, close_to_members, spend_its_budget, doubt_its_price]


@pytest.mark.parametrize("hinder", HINDRANCES)
async def test_a_fallback_that_the_asker_could_not_choose_does_not_answer(
    runner: Runner, hinder: Callable[[Principal, Model], None]
) -> None:
    def asked() -> Message:
        first, second = made()
        owner = make_principal()
        hinder(owner, second)
        return ask(owner, start(owner, first))

    row = await ended(runner, await offload(asked))
    assert (row.status, row.text) == ("failed", "")
    assert row.error
    assert row.error["code"] == "unavailable"
    assert [each["model"] for each in row.route] == ["first"]


async def test_the_next_fallback_answers_where_the_first_may_not(runner: Runner) -> None:
    def asked() -> Message:
        first, second = made()
        third = make_model("third", kind="scripted", options={"script": [{"text": "By the third."}]})
        Fallback.objects.create(model=first, to=third, position=2)
        owner = make_principal()
        spend_its_budget(owner, second)
        return ask(owner, start(owner, first))

    assert (await ended(runner, await offload(asked))).text == "By the third."


async def test_a_budget_that_the_reply_was_asked_under_does_not_keep_its_fallback_from_answering(
    runner: Runner,
) -> None:
    def asked() -> Message:
        first, second = made()
        owner = make_principal()
        make_budget(owner, 2)
        make_budget(owner, 1, model=second)
        reply = ask(owner, start(owner, first))
        make_usage(owner)
        make_usage(owner, cost=Decimal(1))
        return reply

    assert (await ended(runner, await offload(asked))).text == "By the second."


@pytest.mark.parametrize(
    ("grants", "limits", "text"),
    [
        (("*:*",), {}, "By the second."),
        (("conversations:*", "messages:*", "models:use:first"), {}, ""),
        (("conversations:*", "messages:*", "models:use:*"), {"models": ["fir*"]}, ""),
        (("conversations:*", "messages:*", "models:use:*"), {"models": ["first", "sec*"]}, "By the second."),
    ],
)
async def test_a_fallback_keeps_to_the_models_of_the_integration(
    runner: Runner, grants: tuple[str, ...], limits: dict[str, list[str]], text: str
) -> None:
    def asked() -> Message:
        first, _ = made()
        outside = make_key_principal(make_principal(), *grants)
        assert outside.integration
        outside.integration.constraints = limits
        outside.integration.save()
        return ask(outside, start(outside, first))

    assert (await ended(runner, await offload(asked))).text == text


@pytest.mark.parametrize("is_spent", [False, True])
async def test_a_title_keeps_to_them_too(is_spent: bool) -> None:
    def asked() -> Message:
        first, second = made()
        owner = make_principal()
        conversation = actions.start_conversation(owner, model=first.name)
        reply = actions.post_message(owner, conversation.id, text="What is it?").reply
        assert reply
        Message.objects.filter(id=reply.id).update(status="done", text="That.")
        first.deployments.update(enabled=False)
        if is_spent:
            spend_its_budget(owner, second)
        return reply

    await write_title((await offload(asked)).conversation_id)
    assert await offload(Usage.objects.filter(purpose="title").exists) is not is_spent


def test_a_shared_models_fallback_is_none_where_it_belongs_to_a_workspace() -> None:
    first, second = made()
    assert [each.model for each in candidates.candidates(first.pk)] == ["first", "second"]
    second.supports_vision = True
    second.save()
    assert Model.objects.one_sees(first.pk)

    give_away(make_principal(), second)

    assert [each.model for each in candidates.candidates(first.pk)] == ["first"]
    assert not Model.objects.one_sees(first.pk)
    assert list(Model.objects.described().get(pk=first.pk).fallback_links.all()) == []

    first.workspace = second.workspace
    first.save()
    assert [each.model for each in candidates.candidates(first.pk)] == ["first", "second"]
