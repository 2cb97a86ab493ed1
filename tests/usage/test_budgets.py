"""Budgets: what is set aside, what is charged, what is given back, and who passes when only one may."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.errors import Forbidden, Invalid, NotFound
from chatcore.llm.models import Model
from chatcore.llm.types import Usage as Counts
from chatcore.usage import periods, spending
from chatcore.usage.actions import change_budget, remove_budget
from chatcore.usage.errors import BudgetExceeded, PriceUnknown
from chatcore.usage.models import Budget, Reservation, Spending, Usage
from chatcore.usage.tasks import recount_current, sweep_reservations
from conversations import actions
from conversations.claims import Claim, claim_replies
from conversations.generation import Outcome, finish_reply
from conversations.models import Conversation, Message
from conversations.streams import ReplyStream
from tests.factories import make_key_principal, make_model, make_principal
from tests.usage.factories import make_budget, make_priced, make_usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def start(owner: Principal, model: Model | None = None) -> Conversation:
    return actions.start_conversation(owner, model=(model or make_model()).name, title="Named")


def ask(owner: Principal, conversation: Conversation, **wishes: Any) -> Message:
    reply = actions.post_message(owner, conversation.id, text="x" * 400, parent=None, **wishes).reply
    assert reply
    return reply


def finish(claim: Claim, counts: Counts | None, model: Model, outcome: Outcome = Outcome.DONE) -> None:
    """The end of a reply as its worker saves it."""
    deployment = model.deployments.get()
    stream = ReplyStream(claim)
    stream.usage = counts
    ids = {"deployment_id": str(deployment.pk), "model_id": str(model.pk)}
    names = {"deployment": str(deployment), "model": model.name}
    assert finish_reply(stream, outcome, [{"outcome": "answered", "seconds": 0.1, **ids, **names}])


def state(budget: Budget) -> tuple[Decimal, Decimal]:
    counter = Spending.objects.get(budget=budget)
    return counter.spent.normalize(), counter.reserved.normalize()


def test_requests_are_counted_until_the_limit(owner: Principal) -> None:
    conversation = start(owner)
    budget = make_budget(owner, 2)
    ask(owner, conversation)
    ask(owner, conversation)

    with pytest.raises(BudgetExceeded) as refused:
        ask(owner, conversation)

    assert state(budget) == (0, 2)
    assert refused.value.detail.startswith("The workspace's budget of 2 requests a month has not enough left")
    assert Message.objects.filter(author="assistant").count() == 2


def test_what_was_set_aside_becomes_what_it_truly_cost(owner: Principal) -> None:
    model = make_priced()
    conversation = start(owner, model)
    money, tokens = make_budget(owner, 1, "money"), make_budget(owner, 10_000, "tokens")
    ask(owner, conversation)
    assert state(tokens) == (0, 604), "104 to read, and 500 that may be written"
    assert state(money) == (0, Decimal("0.005208"))

    (claim,) = claim_replies(1)
    finish(claim, Counts(1_000, 100), model)

    assert state(tokens) == (1_100, 0)
    assert state(money) == (Decimal("0.003"), 0)


def test_a_smaller_wish_sets_less_aside(owner: Principal) -> None:
    tokens = make_budget(owner, 10_000, "tokens")
    ask(owner, start(owner), params={"max_tokens": 20})
    assert state(tokens) == (0, 124)


def test_a_reply_that_spends_the_rest_goes_on_and_the_next_is_refused(owner: Principal) -> None:
    model = make_priced()
    conversation = start(owner, model)
    budget = make_budget(owner, "0.01", "money")
    ask(owner, conversation)
    (claim,) = claim_replies(1)
    finish(claim, Counts(1_000, 5_000), model)
    assert state(budget) == (Decimal("0.052"), 0)

    with pytest.raises(BudgetExceeded, match=r"budget of 0.01 USD a month is spent\. It starts anew on 1 "):
        ask(owner, conversation)


@pytest.mark.parametrize("ending", ["stopped", "failed", "deleted", "retried"])
def test_what_was_set_aside_for_nothing_is_given_back(owner: Principal, ending: str) -> None:
    model = make_model()
    conversation = start(owner, model)
    tokens = make_budget(owner, 10_000, "tokens")
    reply = ask(owner, conversation)

    if ending == "stopped":
        actions.stop_reply(owner, reply.id)
    elif ending == "deleted":
        actions.delete_conversation(owner, conversation.id)
    else:
        (claim,) = claim_replies(1)
        finish(claim, None, model, Outcome(Message.Status.FAILED, {"code": "timeout"}))
    assert state(tokens) == (0, 0)
    assert not Reservation.objects.exists()

    if ending == "retried":
        actions.retry_reply(owner, reply.id)
        assert state(tokens) == (0, 604)


def test_regenerating_is_covered_too(owner: Principal) -> None:
    conversation = start(owner)
    reply = ask(owner, conversation)
    claim_replies(1)
    Message.objects.filter(id=reply.id).update(status="done")
    make_budget(owner, 1)
    make_usage(owner)

    with pytest.raises(BudgetExceeded):
        actions.regenerate_reply(owner, reply.id)


def test_replies_deleted_behind_the_products_back_are_swept_and_running_ones_are_not(
    owner: Principal,
) -> None:
    conversation = start(owner)
    budget = make_budget(owner, 10)
    running, deleted = ask(owner, conversation), ask(owner, conversation)
    assert sweep_reservations(older_than_seconds=0) == 0
    Conversation.objects.update(active_leaf=None)
    Message.objects.filter(id=deleted.id).delete()

    assert sweep_reservations(older_than_seconds=0) == 1
    assert state(budget) == (0, 1)
    assert Reservation.objects.get().message == running.id


COVERED = {
    "all": {"owner any", "owner other", "teammate any", "teammate other", "outside any", "outside other"},
    "user": {"owner any", "owner other", "outside any", "outside other"},
    "integration": {"outside any", "outside other"},
    "model": {"owner any", "teammate any", "outside any"},
    "user model": {"owner any", "outside any"},
}


@pytest.mark.parametrize("scope", COVERED)
def test_budgets_cover_whom_they_name(owner: Principal, scope: str) -> None:
    people = {"owner": owner, "teammate": make_principal(workspace=owner.workspace)}
    people["outside"] = make_key_principal(owner, "*:*")
    models = {"any": make_model(), "other": make_model()}
    named = {"user": owner.user, "integration": people["outside"].integration, "model": models["any"]}
    make_budget(owner, 1, **{name: value for name, value in named.items() if name in scope.split()})
    make_usage(people["outside"], model=models["any"])

    refused = set()
    for who, principal in people.items():
        for what, model in models.items():
            try:
                ask(principal, start(principal, model))
            except BudgetExceeded:
                refused.add(f"{who} {what}")

    assert refused == COVERED[scope]


def test_another_workspace_is_not_concerned(owner: Principal) -> None:
    make_budget(owner, 1)
    make_usage(owner)
    stranger = make_principal()
    assert ask(stranger, start(stranger)).status == "queued"


def test_a_new_budget_knows_what_its_period_has_seen(owner: Principal) -> None:
    make_usage(owner, input_tokens=300, output_tokens=200)
    make_usage(owner, created_at=timezone.now() - timedelta(days=40))
    make_usage(owner, purpose="title", cost=None, input_tokens=None, output_tokens=None)
    make_usage(owner, cost=Decimal(7), currency="EUR", input_tokens=1, output_tokens=1)
    month = {unit: make_budget(owner, 10**6, unit) for unit in Budget.Unit}

    ask(owner, start(owner, make_priced()))

    assert {unit: state(budget)[0] for unit, budget in month.items()} == {
        "requests": 2,
        "tokens": 502,
        "money": Decimal("0.003"),
    }


def test_a_disabled_budget_covers_nothing(owner: Principal) -> None:
    make_budget(owner, 1, enabled=False)
    make_usage(owner)
    assert ask(owner, start(owner)).status == "queued"


def test_money_without_a_known_price_passes_unless_the_budget_is_strict(owner: Principal) -> None:
    unpriced, priced = make_model(kind="scripted"), make_priced()
    budget = make_budget(owner, 1, "money")
    assert ask(owner, start(owner, unpriced)).status == "queued"
    change_budget(owner, budget.id, strict=True)

    with pytest.raises(PriceUnknown, match="its price is not known"):
        ask(owner, start(owner, unpriced))
    assert ask(owner, start(owner, priced)).status == "queued"


def test_a_budget_in_another_currency_does_not_know_the_price(owner: Principal) -> None:
    make_budget(owner, 1, "money", currency="EUR", strict=True)
    with pytest.raises(PriceUnknown):
        ask(owner, start(owner, make_priced()))


def test_titles_are_not_requests_and_are_left_out_when_nothing_is_left(owner: Principal) -> None:
    model = make_model()
    budget = make_budget(owner, 2)
    asker = (owner.workspace.id, owner.user.id, None, model.id)  # type: ignore[union-attr]
    make_usage(owner, purpose="title")
    make_usage(owner)
    assert not spending.is_spent(*asker)
    Spending.objects.filter(budget=budget).update(spent=2)
    assert spending.is_spent(*asker)


def test_a_changed_limit_keeps_what_was_spent_and_another_unit_is_counted_anew(owner: Principal) -> None:
    make_usage(owner)
    budget = make_budget(owner, 5)
    ask(owner, start(owner))
    change_budget(owner, budget.id, limit=Decimal(7))
    assert state(budget) == (1, 1)

    change_budget(owner, budget.id, unit="tokens", limit=Decimal(10_000))
    ask(owner, start(owner))
    assert state(budget)[0] == 1_100


def test_a_recount_says_what_the_ledger_says(owner: Principal) -> None:
    budget = make_budget(owner, 5, period="day")
    make_usage(owner)
    ask(owner, start(owner))
    Spending.objects.update(spent=99)
    recount_current()
    assert state(budget) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"limit": Decimal(0)}, "more than nothing"),
        ({"limit": Decimal("1.5")}, "whole numbers"),
        ({"unit": "money", "currency": "dollars"}, "Three capital letters"),
        ({"user": "stranger"}, "not a member"),
        ({"model": "foreign"}, "another workspace"),
        ({"user": "self", "integration": "own"}, "not both"),
        ({"integration": "foreign"}, "another workspace"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(
    owner: Principal, fields: dict[str, Any], words: str
) -> None:
    stranger = make_principal()
    foreign = make_model()
    foreign.workspace = stranger.workspace
    foreign.save()
    named: dict[Any, Any] = {
        "stranger": stranger.user,
        "self": owner.user,
        "own": make_key_principal(owner).integration,
    }
    values = {
        name: (foreign if name == "model" else make_key_principal(stranger).integration)
        if value == "foreign"
        else named.get(value, value)
        for name, value in fields.items()
    }
    with pytest.raises(Invalid, match=words):
        make_budget(owner, **{"limit": 5} | values)


def test_the_same_budget_twice_is_refused(owner: Principal) -> None:
    make_budget(owner)
    with pytest.raises(Invalid, match="There is such a budget already"):
        make_budget(owner)


def test_only_owners_and_admins_change_budgets(owner: Principal) -> None:
    budget = make_budget(owner)
    member = make_principal(workspace=owner.workspace, role="member")
    with pytest.raises(Forbidden):
        remove_budget(member, budget.id)
    with pytest.raises(NotFound):
        remove_budget(make_principal(), budget.id)
    remove_budget(make_principal(workspace=owner.workspace, role="admin"), budget.id)
    assert not Budget.objects.exists()


def test_periods_begin_at_midnight_in_utc() -> None:
    moment = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert str(periods.start_of("month", moment)) == "2026-12-01"
    assert str(periods.end_of("month", periods.start_of("month", moment))) == "2027-01-01"
    assert str(periods.end_of("day", periods.start_of("day", moment))) == "2027-01-01"
    february = periods.start_of("month", datetime(2028, 2, 29, tzinfo=UTC))
    assert str(periods.end_of("month", february)) == "2028-03-01"


# --- At the same time ----------------------------------------------------------------------------------------------


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Each in a thread and a transaction of its own, all at once; what they raise is their result."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("unit", ["requests", "tokens", "money"])
def test_of_many_who_want_the_last_cent_at_once_exactly_one_gets_it(unit: str) -> None:
    owner, model = make_principal(), make_priced()
    limit = {"requests": 1, "tokens": 700, "money": "0.006"}[unit]
    budget = make_budget(owner, limit, unit)
    talks = [start(owner, model) for _ in range(8)]

    results = together([lambda talk=talk: ask(owner, talk) for talk in talks])  # type: ignore[misc]

    assert [type(each) for each in results if not isinstance(each, Message)] == [BudgetExceeded] * 7
    assert Message.objects.filter(author="assistant").count() == 1
    assert Reservation.objects.count() == 1
    assert Spending.objects.get(budget=budget).spent == 0


@pytest.mark.django_db(transaction=True)
def test_asking_ending_and_recounting_at_once_leave_counters_equal_to_the_ledger() -> None:
    owner, model = make_principal(), make_priced()
    other = make_principal(workspace=owner.workspace)
    fields: list[dict[str, Any]] = [{}, {"user": owner.user}, {"model": model}, {"period": "day"}]
    budgets = [
        make_budget(owner, 10**6, unit, **each) for unit in ("tokens", "money", "requests") for each in fields
    ]
    talks = [(who, start(who, model)) for who in (owner, other) for _ in range(6)]
    for who, talk in talks[:6]:
        ask(who, talk)
    Spending.objects.all().delete()  # made anew by whoever comes first
    claims = claim_replies(20)

    endings = [lambda claim=claim: finish(claim, Counts(1_000, 100), model) for claim in claims]  # type: ignore[misc]
    askings = [lambda who=who, talk=talk: ask(who, talk) for who, talk in talks[6:]]  # type: ignore[misc]
    results = together([*endings, *askings, recount_current])

    assert [each for each in results if isinstance(each, Exception)] == []
    assert Usage.objects.count() == 6
    for budget in budgets:
        counter = Spending.objects.get(budget=budget)
        mine = 6 if budget.user_id in (None, owner.user.id) else 0  # type: ignore[union-attr]
        each = {"tokens": 1_100, "requests": 1, "money": Decimal("0.003")}[budget.unit]
        assert counter.spent == mine * each
        held = sum(Reservation.objects.filter(spending=counter).values_list("amount", flat=True))
        assert counter.reserved == held


@pytest.mark.django_db(transaction=True)
def test_budgets_may_be_changed_while_everybody_asks() -> None:
    owner = make_principal()
    budgets = [make_budget(owner, 10**6, unit) for unit in Budget.Unit]
    talks = [start(owner) for _ in range(6)]
    askings = [lambda talk=talk: ask(owner, talk) for talk in talks]  # type: ignore[misc]
    changes = [
        lambda: change_budget(owner, budgets[0].id, period="day"),
        lambda: change_budget(owner, budgets[1].id, limit=Decimal(5 * 10**6)),
        lambda: remove_budget(owner, budgets[2].id),
    ]

    results = together([*askings, *changes])

    assert [each for each in results if isinstance(each, Exception)] == []
    recount_current()
    for counter in Spending.objects.all():
        assert counter.spent == 0
        assert counter.reserved == sum(counter.reservations.values_list("amount", flat=True))
