"""Which model writes a title, what it is asked for, and who pays for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatcore.accounts.models import Integration, Membership, User
from chatcore.accounts.principals import Principal
from chatcore.llm import instances, line
from chatcore.llm.models import Deployment, Fallback, Model, Provider
from chatcore.offload import offload
from chatcore.usage.models import Usage
from conversations import actions
from conversations.models import Conversation, Message
from conversations.title_models import title_models
from conversations.titling import write_title
from tests.factories import make_key_principal, make_principal
from tests.upstreams.fixtures import upstream
from tests.upstreams.plans import refusal
from tests.upstreams.server import Upstream
from tests.usage.factories import make_budget
from tests.usage.spending import state

__all__ = ["upstream"]
pytestmark = pytest.mark.django_db(transaction=True)

PRICES = {"dear": (10, 40), "middling": (2, 8), "cheap": (0.1, 0.4)}


@pytest_asyncio.fixture
async def provider(upstream: Upstream) -> AsyncIterator[Provider]:
    """Where the three models of PRICES are, each of which writes its own name."""
    for name in PRICES:
        upstream.plan(name, pieces=(f"By the {name} one",), usage=(1_000, 100, 0, 0))
    made = await offload(make_provider, upstream, *PRICES)
    yield made
    await line.shared().settled()
    await instances.close_all()


def make_provider(upstream: Upstream, *names: str, **fields: Any) -> Provider:
    provider = Provider.objects.create(
        kind="openai",
        name=f"At {'-'.join(names)}",
        base_url=f"{upstream.url}/v1",
        credential="sk-x",
        **fields,
    )
    for name in names:
        read, written = PRICES.get(name, (None, None))
        prices = {"currency": "USD", "input": read, "output": written} if read is not None else None
        model = Model.objects.create(name=name, label=name.title(), prices=prices)
        Deployment.objects.create(model=model, provider=provider, upstream_name=name)
    return provider


def answered(asker: Principal, model: str, **fields: Any) -> Conversation:
    """A conversation with its first answer, by this model."""
    conversation = actions.start_conversation(asker, model=model)
    reply = actions.post_message(asker, conversation.id, text="What is it?").reply
    assert reply
    Message.objects.filter(id=reply.id).update(status="done", text="That.", **fields)
    return conversation


async def titled(model: str = "dear", asker: Principal | None = None, **fields: Any) -> str:
    asker = asker or await offload(make_principal)
    conversation = await offload(answered, asker, model, **fields)
    await write_title(conversation.id)
    return (await offload(Conversation.objects.get, id=conversation.id)).title


async def test_the_cheapest_beside_the_one_that_answered_writes_it(provider: Provider) -> None:
    owner = await offload(make_principal)
    budget = await offload(make_budget, owner, "1", "money")
    assert await titled(asker=owner) == "By the cheap one"
    call = await offload(Usage.objects.select_related("model").get)
    assert (call.purpose, call.model_name, call.message, call.user_id) == (
        "title",
        "cheap",
        None,
        owner.user and owner.user.pk,
    )
    assert call.cost == Decimal("0.00014")
    assert (await offload(state, budget))[0] == Decimal("0.00014")


async def hidden() -> None:
    await Model.objects.filter(name="cheap").aupdate(visible_to=[Membership.Role.ADMIN])


async def switched_off() -> None:
    await Model.objects.filter(name="cheap").aupdate(enabled=False)


async def of_unknown_price() -> None:
    await Model.objects.filter(name="cheap").aupdate(prices=None)


async def given_away() -> None:
    await Model.objects.filter(name="cheap").aupdate(prices={"input": 0, "output": 0})


async def in_another_currency() -> None:
    await Model.objects.filter(name="cheap").aupdate(prices={"currency": "EUR", "input": 0.1, "output": 0.4})


async def elsewhere_too() -> None:
    model = await Model.objects.aget(name="cheap")
    other = await Provider.objects.acreate(kind="demo", name="Elsewhere")
    await Deployment.objects.acreate(model=model, provider=other, upstream_name="cheap", priority=9)


async def falling_back_on_another_provider() -> None:
    await elsewhere_too()
    other = await Model.objects.acreate(name="other", label="Other")
    await Deployment.objects.filter(provider__name="Elsewhere").aupdate(model=other)
    cheap = await Model.objects.aget(name="cheap")
    await Fallback.objects.acreate(model=cheap, to=other)


def suspend(owner: Principal) -> None:
    User.objects.filter(memberships__workspace=owner.workspace).update(is_active=False)


def send_away(owner: Principal) -> None:
    Membership.objects.filter(workspace=owner.workspace).delete()


def switch_off(owner: Principal) -> None:
    Integration.objects.filter(workspace=owner.workspace).update(enabled=False)


def remove(owner: Principal) -> None:
    Integration.objects.filter(workspace=owner.workspace).delete()


@pytest.mark.parametrize(
    "change",
    [
        hidden,
        switched_off,
        of_unknown_price,
        given_away,
        in_another_currency,
        elsewhere_too,
        falling_back_on_another_provider,
    ],
)
async def test_it_is_not_written_by_one_that_is(provider: Provider, change: Any) -> None:
    await change()
    assert await titled() == "By the middling one"


def link_to_another_workspace_s(name: str) -> None:
    """As a fallback of this model, which it could be until it was given away. It is where no other model is."""
    there = make_principal().workspace
    given_away = Model.objects.create(name="given away", label="Given away", workspace=there)
    other = Provider.objects.create(kind="demo", name="Elsewhere")
    Deployment.objects.create(model=given_away, provider=other, upstream_name="given away")
    Fallback.objects.create(model=Model.objects.get(name=name), to=given_away)


async def test_a_leftover_link_to_another_workspace_s_model_keeps_none_from_writing_it(
    provider: Provider,
) -> None:
    await offload(link_to_another_workspace_s, "cheap")
    assert await titled() == "By the cheap one"


async def test_a_leftover_link_to_another_workspace_s_model_sends_no_text_to_its_providers(
    provider: Provider,
) -> None:
    await offload(link_to_another_workspace_s, "dear")
    other = await Provider.objects.aget(name="Elsewhere")
    cheap = await Model.objects.aget(name="cheap")
    await Deployment.objects.acreate(model=cheap, provider=other, upstream_name="cheap", priority=9)
    assert await titled() == "By the middling one"


@pytest.mark.parametrize("end", [suspend, send_away, switch_off, remove])
async def test_none_is_written_in_the_name_of_somebody_who_is_gone(
    end: Callable[[Principal], None], provider: Provider, upstream: Upstream
) -> None:
    def asked() -> tuple[Conversation, Conversation]:
        gone, still = make_principal(), make_principal()
        conversations = answered(make_key_principal(gone, "*:*"), "dear"), answered(still, "dear")
        end(gone)
        return conversations

    left, other = await offload(asked)
    await asyncio.gather(write_title(left.id), write_title(other.id))

    rows = [await offload(Conversation.objects.get, id=each.id) for each in (left, other)]
    assert [row.title for row in rows] == ["What is it?", "By the cheap one"]
    assert len(upstream.requests) == await offload(Usage.objects.count) == 1


async def test_titles_of_one_asker_that_are_written_at_once_look_the_asker_up_once(
    provider: Provider,
) -> None:
    def asked(count: int) -> int:
        owner = make_principal()
        ids = [answered(owner, "dear").id for _ in range(count)]
        replies = Message.objects.filter(conversation__in=ids, model__isnull=False).select_related(
            "model", "parent"
        )
        found = list(replies)
        with CaptureQueriesContext(connection) as captured:
            models = title_models(found)
        assert {tuple(model.name for model in each) for each in models.values()} == {("cheap", "dear")}
        return len(captured)

    assert await offload(asked, 1) == await offload(asked, 9)


@pytest.mark.parametrize("limit", [{"constraints": {"models": ["dear", "mid*"]}}, {"grants": True}])
async def test_an_integration_s_titles_are_by_models_that_it_may_ask(
    provider: Provider, limit: dict[str, Any]
) -> None:
    def integration() -> Principal:
        owner = make_principal()
        grants = ["models:use:dear", "models:use:middling", "conversations:*", "messages:*", "replies:*"]
        key = make_key_principal(owner, *(grants if "grants" in limit else ["*:*"]))
        assert key.integration
        key.integration.constraints = limit.get("constraints", {})
        key.integration.save()
        return key

    key = await offload(integration)
    assert await titled(asker=key) == "By the middling one"
    call = await offload(Usage.objects.get)
    assert call.integration_id == (key.integration and key.integration.pk)


async def test_the_one_that_is_named_for_it_writes_it(provider: Provider, settings: Any) -> None:
    settings.TITLE_MODEL = "middling"
    await Model.objects.filter(name="middling").aupdate(visible_to=[Membership.Role.ADMIN])
    assert await titled() == "By the middling one"
    settings.TITLE_MODEL = "no such model"
    assert await titled() == "By the cheap one"


async def test_where_no_price_is_known_the_one_that_answered_writes_it(
    provider: Provider, upstream: Upstream
) -> None:
    await Model.objects.aupdate(prices=None)
    assert await titled("middling") == "By the middling one"
    assert [each.body["max_tokens"] for each in upstream.requests] == [200]


async def test_one_that_fails_or_says_nothing_is_helped_out(provider: Provider, upstream: Upstream) -> None:
    upstream.plan("cheap", refusal(500))
    assert await titled() == "By the dear one"
    upstream.plan("cheap", pieces=("\n",))
    assert await titled() == "By the dear one"
    calls = Usage.objects.order_by("created_at", "id").values_list("model_name", "outcome")
    assert await offload(list, calls) == [
        ("cheap", "failed"),
        ("dear", "done"),
        ("cheap", "done"),
        ("dear", "done"),
    ]


async def test_means_that_are_left_for_one_of_them_are_used(provider: Provider) -> None:
    def spend() -> Principal:
        owner = make_principal()
        budget = make_budget(owner, 1, "tokens", model=Model.objects.get(name="cheap"))
        Usage.objects.create(
            workspace=owner.workspace, purpose="reply", model=budget.model, outcome="done", input_tokens=9
        )
        return owner

    assert await titled(asker=await offload(spend)) == "By the dear one"


async def test_a_strict_budget_is_not_charged_for_what_nobody_knows(
    provider: Provider, settings: Any
) -> None:
    settings.TITLE_MODEL = "cheap"
    await of_unknown_price()
    owner = await offload(make_principal)
    await offload(make_budget, owner, "1", "money", strict=True)
    assert await titled(asker=owner) == "By the dear one"


async def test_models_that_reason_do_it_shortly_and_have_room_for_it(
    provider: Provider, upstream: Upstream
) -> None:
    await Model.objects.filter(name="cheap").aupdate(supports_reasoning=True, max_output=3_000)
    await titled()
    await Model.objects.aupdate(prices=None)
    await titled("cheap")
    await titled("dear", reasoning="Hm.")
    asked = [(each.body["max_tokens"], each.body.get("reasoning_effort")) for each in upstream.requests]
    assert asked == [(3_000, "low"), (3_000, "low"), (4_200, None)]
