"""Whose message it is: the table of docs/users.md over every combination, and the traps around it."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, Forbidden
from external.models import IntakePolicy
from external.models.policies import STRATEGIES
from external.resolving import IdentitySelector, Selectors, UserSelector, resolve
from tests.external.resolution import NUMBER, RIGHTS, UNKNOWN, People, cases, rules, token_of
from tests.factories import make_conversation, make_principal, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return People()


def by_number(value: str, channel: str = "sms") -> Selectors:
    return Selectors(identity=IdentitySelector(channel, value))


def test_the_table_says_what_happens_in_every_combination(people: People) -> None:
    table, used, wrong = rules(), set(), []
    token = token_of(people.alice.user)
    keys = {(acts_as, rights): people.key(acts_as, *RIGHTS[rights]) for acts_as, rights in _keys()}
    for case in cases():
        place, rule = next((place, rule) for place, rule in enumerate(table) if rule.fits(case))
        used.add(place)
        outcome = people.outcome(keys[case["Acts as"], case["Rights"]], people.selectors(case, token))
        if outcome == "guest":
            Membership.objects.get(role="guest").user.delete()
        if outcome != rule.outcome:
            wrong.append((case, rule.outcome, outcome))
    assert wrong == []
    assert used == set(range(len(table))), "a row that decides nothing"


def _keys() -> set[tuple[str, str]]:
    return {(case["Acts as"], case["Rights"]) for case in cases()}


DISABLED = {  # a strategy the policy leaves out, what the message has: what happens then, for a key that may all
    ("jwt", "token"): "strategy_disabled",
    ("explicit", "user"): "strategy_disabled",
    ("identity", "identity"): "strategy_disabled",
    ("identity", "unknown"): "strategy_disabled",
    ("guest", "unknown"): "user_unresolved",
    ("guest", "identity"): "identity: Alice",
    ("owner", "conversation"): "not_found",
    ("mapped", "conversation"): "owner: Alice",
    ("mapped", "nothing"): "user_unresolved",
    ("explicit", "nothing"): "mapped: an owner",
}


@pytest.mark.parametrize(("strategy", "named"), DISABLED)
def test_a_policy_leaves_strategies_out(people: People, strategy: str, named: str) -> None:
    key = people.key("an owner", "*:*", "messages:write")
    left = [name for name in STRATEGIES if name != strategy]
    IntakePolicy.objects.create(integration=key.integration, strategies=left)
    selectors = {
        "token": lambda: Selectors(token=token_of(people.alice.user)),
        "user": lambda: Selectors(user=UserSelector(email="alice@example.com")),
        "identity": lambda: by_number(NUMBER),
        "unknown": lambda: by_number(UNKNOWN),
        "conversation": lambda: Selectors(conversation=people.talks["Alice's"].id),
        "nothing": Selectors,
    }[named]()
    assert people.outcome(key, selectors) == DISABLED[strategy, named]


# --- Nobody gets more than key and user may ------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["an owner", "Alice"])
def test_naming_somebody_lifts_no_right(people: People, named: str) -> None:
    key = people.key("nobody", "users:act_as:any", "models:use:small")
    acting = resolve(key, Selectors(user=UserSelector(id=people.users[named].id))).principal
    assert acting.may("messages:write")
    assert acting.may("models:use:small")
    for grant in ("budgets:write", "messages:read", "identities:verify", "models:use:large"):
        assert not acting.may(grant), grant
    assert acting.may("users:act_as:any") == (named == "an owner")
    assert (acting.integration, acting.user) == (key.integration, people.users[named])


def test_a_strong_key_gets_no_more_than_the_user_it_names(people: People) -> None:
    key = people.key("an owner", "*:*", "messages:write")
    acting = resolve(key, Selectors(user=UserSelector(email="alice@example.com"))).principal
    assert key.may("budgets:write")
    assert acting.may("messages:write")
    assert not acting.may("budgets:write")


def test_an_integration_that_acts_for_a_member_names_no_admin_whatever_it_is_granted(people: People) -> None:
    key = people.key("Bob", "*:*", "messages:write")
    owner = people.users["an owner"]
    for selectors in (
        Selectors(user=UserSelector(id=owner.id)),
        Selectors(token=token_of(owner)),
        by_number(NUMBER),
    ):
        assert people.outcome(key, selectors) == "forbidden"


def test_a_person_posts_for_nobody_else(people: People) -> None:
    with pytest.raises(Forbidden):
        resolve(people.owner, Selectors(user=UserSelector(id=people.users["Alice"].id)))


def test_a_grant_for_one_conversation_is_enough_to_write_in_it_as_its_owner(people: People) -> None:
    mine, others = people.talks["Alice's"], people.talks["Bob's"]
    key = people.key("nobody", f"messages:write:{mine.id}")
    assert people.outcome(key, Selectors(conversation=mine.id)) == "owner: Alice"
    assert people.outcome(key, Selectors(conversation=others.id)) == "not_found"
    assert people.outcome(
        people.key("Bob", f"messages:write:{mine.id}"), Selectors(conversation=mine.id)
    ) == ("not_found")


# --- Nothing is told of what is elsewhere --------------------------------------------------------------------------


def test_what_is_of_another_workspace_is_answered_like_what_never_was(people: People) -> None:
    key = people.key("an owner", "users:act_as:any")
    nowhere = make_conversation(make_principal(), "Soon gone.")
    stranger, lost = people.users["Eve"], make_user(email="lost@example.com")
    absent_user, absent_talk = lost.id, nowhere.id
    lost.delete()
    nowhere.delete()
    pairs = [
        (Selectors(user=UserSelector(id=stranger.id)), Selectors(user=UserSelector(id=absent_user))),
        (
            Selectors(user=UserSelector(email=stranger.email)),
            Selectors(user=UserSelector(email="lost@example.com")),
        ),
        (
            Selectors(user=UserSelector(username=stranger.email)),
            Selectors(user=UserSelector(username="lost@example.com")),
        ),
        (Selectors(conversation=people.talks["Eve's"].id), Selectors(conversation=absent_talk)),
        (by_number(UNKNOWN), by_number("+436609999999")),
    ]
    for foreign, absent in pairs:
        told = [_refusal(key, selectors) for selectors in (foreign, absent)]
        (found, queries), (expected, expected_queries) = told
        assert queries == expected_queries, foreign
        assert found == expected, foreign


def _refusal(key: Principal, selectors: Selectors) -> tuple[dict[str, object], int]:
    """The problem as the client reads it, without the handle it sent itself; and how many queries it took."""
    with (
        CaptureQueriesContext(
            connection,
        ) as queries,
        pytest.raises(ChatcoreError) as refused,
    ):
        resolve(replace(key, integration=type(key.integration).objects.get(pk=key.integration.pk)), selectors)  # type: ignore[union-attr]
    problem = refused.value.problem()
    if selectors.identity:
        problem = {"code": problem["code"]}
    return problem, len(queries)


def test_the_missing_grant_is_told_before_anything_is_looked_for(people: People) -> None:
    key = people.key("an owner")
    for selectors in (
        Selectors(user=UserSelector(id=people.users["Eve"].id)),
        Selectors(user=UserSelector(email="alice@example.com")),
        by_number(NUMBER),
    ):
        with CaptureQueriesContext(connection) as queries, pytest.raises(Forbidden):
            resolve(key, selectors)
        assert [query for query in queries if "accounts_user" in query["sql"]] == []
