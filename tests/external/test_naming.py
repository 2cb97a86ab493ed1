"""The ways to name a user: tokens, names, handles, registered strategies; and users who are switched off."""

from dataclasses import replace

import jwt
import pytest
from django.conf import settings

from chatcore.accounts.models import Membership, User
from chatcore.accounts.tokens import TokenStrategy
from chatcore.errors import Invalid, NotFound, Unauthenticated
from external import strategies
from external.models import Identity, IntakePolicy
from external.models.policies import STRATEGIES
from external.resolving import IdentitySelector, Selectors, UserConflict, UserSelector, resolve
from external.strategies import Strategy
from tests.external.resolution import NUMBER, UNKNOWN, People, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return People()


def by_number(value: str, channel: str = "sms") -> Selectors:
    return Selectors(identity=IdentitySelector(channel, value))


# --- Tokens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"aud": "another"}, {"iss": "https://elsewhere.example"}, {"exp": 1}, {"token_use": "refresh"}]
)
def test_a_token_of_another_service_or_time_is_none(people: People, change: dict[str, object]) -> None:
    claims = jwt.decode(token_of(people.alice.user), options={"verify_signature": False})
    key = people.key("an owner", "users:act_as:jwt")
    good = jwt.encode(claims, settings.HEADLESS_JWT_PRIVATE_KEY, "RS256")
    assert people.outcome(key, Selectors(token=good)) == "jwt: Alice"
    bad = jwt.encode(claims | change, settings.HEADLESS_JWT_PRIVATE_KEY, "RS256")
    assert people.outcome(key, Selectors(token=bad)) == "unauthenticated"


def test_the_algorithm_of_a_token_is_not_the_sender_s_choice(people: People) -> None:
    claims = jwt.decode(token_of(people.alice.user), options={"verify_signature": False})
    key = people.key("an owner", "users:act_as:jwt")
    secret = settings.SECRET_KEY + "x" * 64
    for text in (
        jwt.encode(claims, "", "none"),
        jwt.encode(claims, secret, "HS256"),
        "",
        "a.b.c",
        "x" * 9000,
    ):
        with pytest.raises(Unauthenticated, match="Chatcore-User-Token"):
            resolve(key, Selectors(token=text))


def test_a_token_ends_with_its_session_and_with_its_user(people: People) -> None:
    key = people.key("an owner", "users:act_as:jwt")
    user = people.users["Alice"]
    token = token_of(user)
    user.is_active = False
    user.save()
    assert people.outcome(key, Selectors(token=token)) == "unauthenticated"
    user.is_active = True
    user.set_password("another-long-password")
    user.save()
    assert people.outcome(key, Selectors(token=token)) == "unauthenticated"


def test_a_token_of_a_stranger_names_nobody_here(people: People) -> None:
    key = people.key("an owner", "users:act_as:jwt")
    assert people.outcome(key, Selectors(token=token_of(people.eve.user))) == "not_found"


def test_the_mapped_user_s_own_token_needs_no_grant(people: People) -> None:
    assert people.outcome(people.key("Bob"), Selectors(token=token_of(people.bob.user))) == "jwt: Bob"
    assert TokenStrategy().get_claims(people.users["Bob"])["aud"] == "chatcore"


# --- Users who are switched off, and names -------------------------------------------------------------------------


def test_a_suspended_user_gets_no_messages(people: People) -> None:
    User.objects.filter(pk=people.users["Alice"].pk).update(is_active=False)
    key = people.key("an owner", "users:act_as:any")
    for selectors in (
        Selectors(user=UserSelector(email="alice@example.com")),
        by_number(NUMBER),
        Selectors(conversation=people.talks["Alice's"].id),
    ):
        assert people.outcome(key, selectors) == "user_suspended"


def test_who_has_left_the_workspace_is_not_found(people: People) -> None:
    Membership.objects.filter(user=people.users["Alice"]).delete()
    key = people.key("an owner", "users:act_as:any")
    for selectors in (
        Selectors(user=UserSelector(id=people.users["Alice"].id)),
        by_number(NUMBER),
        Selectors(conversation=people.talks["Alice's"].id),
    ):
        assert people.outcome(key, selectors) == "not_found"


def test_several_names_of_one_user_agree_and_of_two_do_not(people: People) -> None:
    key = people.key("an owner", "users:act_as:any")
    alice, bob = people.users["Alice"], people.users["Bob"]
    whole = UserSelector(alice.id, " Alice@Example.COM", "alice@example.com")
    assert people.outcome(key, Selectors(user=whole)) == "explicit: Alice"
    with pytest.raises(UserConflict) as refused:
        resolve(
            key, Selectors(user=UserSelector(bob.id, alice.email), identity=IdentitySelector("sms", NUMBER))
        )
    assert [error.pointer for error in refused.value.errors] == ["/user", "/identity"]
    assert people.outcome(key, Selectors(user=UserSelector(alice.id, "lost@example.com"))) == "not_found"


def test_a_display_name_names_nobody(people: People) -> None:
    User.objects.filter(pk=people.users["Bob"].pk).update(name="alice")
    key = people.key("an owner", "users:act_as:any")
    for name in ("alice", "ALICE", "bob", "ａlice@example.com"):
        assert people.outcome(key, Selectors(user=UserSelector(username=name))) == "not_found"
    assert people.outcome(key, Selectors(user=UserSelector())) == "user_unresolved"
    with pytest.raises(Invalid) as refused:
        resolve(key, Selectors(user=UserSelector(email="a\x00b")))
    assert refused.value.errors[0].pointer == "/user/email"


# --- Identities and guests -----------------------------------------------------------------------------------------


def test_a_claim_decides_nothing(people: People) -> None:
    Identity.objects.create(
        workspace=people.workspace, user=people.users["Bob"], channel="sms", value=UNKNOWN
    )
    key = people.key("nobody", "users:act_as:identity")
    assert people.outcome(key, by_number(UNKNOWN)) == "user_unresolved"


def test_a_number_is_the_same_however_it_is_typed(people: People) -> None:
    key = people.key("nobody", "users:act_as:identity")
    IntakePolicy.objects.create(integration=key.integration, default_country="AT")
    for typed in (NUMBER, "+43 (0)660 1234567", "0660 / 123 45 67", "0043 660 1234567"):
        assert people.outcome(key, by_number(typed)) == "identity: Alice"
    assert people.outcome(key, by_number(NUMBER, "slack")) == "user_unresolved"


def test_an_unknown_handle_becomes_a_guest_once(people: People) -> None:
    key = people.key("nobody", "users:act_as:identity", "users:provision")
    first = resolve(key, by_number("+43 660 7654321"))
    again = resolve(key, by_number(UNKNOWN))
    assert (first.strategy, first.provisioned) == ("guest", True)
    assert (again.strategy, again.provisioned, again.user) == ("identity", False, first.user)
    assert first.user.memberships.get().role == "guest"
    assert first.principal.may("messages:write")
    assert not first.user.has_usable_password()
    assert first.user.email.endswith(".invalid")


def test_no_guest_is_a_member_a_second_time_and_no_stranger_is_drawn_in(people: People) -> None:
    key = people.key("nobody", "users:act_as:identity", "users:provision")
    assert people.outcome(key, by_number("Alice@EXAMPLE.com", "email")) == "user_unresolved"
    guest = resolve(key, by_number("eve@example.com", "email"))
    assert guest.provisioned
    assert guest.user != people.users["Eve"]
    assert list(people.users["Eve"].memberships.values_list("workspace", flat=True)) == [
        people.eve.workspace.id
    ]


def test_a_handle_that_is_none_is_pointed_at(people: People) -> None:
    key = people.key("nobody", "users:act_as:identity", "users:provision")
    for selectors, pointer in (
        (by_number("0660 1234567"), "/identity/value"),
        (by_number("x", "no channel"), "/identity/channel"),
        (by_number("a\x00b", "slack"), "/identity/value"),
    ):
        with pytest.raises(Invalid) as refused:
            resolve(key, selectors)
        assert refused.value.errors[0].pointer == pointer
    assert Membership.objects.filter(role="guest").count() == 0


# --- Registered strategies -----------------------------------------------------------------------------------------


def test_a_registered_way_to_find_users_is_asked_and_must_agree(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"user": people.users["Alice"]}
    monkeypatch.setattr(strategies, "_ours", {})
    strategies.register(Strategy("crm", lambda principal, selectors: found["user"]))
    key = people.key("an owner", "users:act_as:crm", "users:act_as:identity")
    assert people.outcome(key, Selectors()) == "mapped: an owner"

    IntakePolicy.objects.create(integration=key.integration, strategies=[*STRATEGIES, "crm"])
    key.integration.refresh_from_db()  # type: ignore[union-attr]
    assert people.outcome(key, Selectors()) == "crm: Alice"
    assert people.outcome(key, by_number(NUMBER)) == "identity: Alice"
    found["user"] = people.users["Bob"]
    assert people.outcome(key, by_number(NUMBER)) == "user_conflict"
    found["user"] = people.users["Eve"]
    assert people.outcome(key, Selectors()) == "not_found"
    assert (
        people.outcome(replace(key, grants=frozenset({"messages:write"})), Selectors()) == "mapped: an owner"
    )
    with pytest.raises(Exception, match="crm"):
        strategies.register(Strategy("crm", lambda principal, selectors: None))


def test_strategies_may_be_given_for_one_message(people: People) -> None:
    key = people.key("an owner", "users:act_as:any")
    assert people.outcome(key, Selectors(), strategies=["mapped"]) == "mapped: an owner"
    with pytest.raises(NotFound):
        resolve(key, Selectors(conversation=people.talks["Alice's"].id), strategies=["mapped"])
