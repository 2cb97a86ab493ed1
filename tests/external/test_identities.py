"""Identities: how handles are written, who may claim and verify them, and what becomes of a recycled number."""

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.accounts.models import Membership, User
from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid
from external.identities import guests
from external.identities.handles import checked_channel, normalised
from external.models import Identity
from external.resolving import IdentitySelector, Selectors, resolve
from tests.accounts.parallel import in_parallel
from tests.api import key_client, problem_of, send, session_client
from tests.factories import make_key_principal, make_principal

PLACE = "/api/v1/identities/"
NUMBER = "+436601234567"

HANDLES = [
    ("sms", "+43 660 1234567", "", NUMBER),
    ("sms", "+43 (0)660 123-45-67", "", NUMBER),
    ("phone", "0660 1234567", "AT", NUMBER),
    ("whatsapp", "0660 1234567", "at", NUMBER),
    ("sms", "+٤٣٦٦٠١٢٣٤٥٦٧", "", NUMBER),
    ("sms", "＋43 660 1234567", "", NUMBER),
    ("sms", "+1 555 010 0199", "", "+15550100199"),
    ("email", " Ann@Example.COM ", "", "ann@example.com"),
    ("email", "STRASSE@example.com", "", "strasse@example.com"),
    ("email", "straße@example.com", "", "strasse@example.com"),
    ("email", "ﬁona@example.com", "", "fiona@example.com"),
    ("email", "ａnn＠example.com", "", "ann@example.com"),
    ("slack", "U024BE7LH", "", "U024BE7LH"),
    ("slack", "u024be7lh", "", "u024be7lh"),
    ("matrix", "@e\u0301va:example.com", "", "@éva:example.com"),
]
NO_HANDLES = [
    ("sms", "0660 1234567", ""),
    ("sms", "12345", "AT"),
    ("sms", "MyBank", "AT"),
    ("sms", "1-800-FLOWERS", "US"),
    ("sms", "+43 660 1234567 ext. 3", ""),
    ("sms", "+", ""),
    ("sms", "+99999999999999999999", ""),
    ("sms", "0660 1234567", "XX"),
    ("email", "ann", ""),
    ("email", "ann@", ""),
    ("email", "ann@b@example.com", ""),
    ("email", "an n@example.com", ""),
    ("email", "ann\u200b@example.com", ""),
    ("slack", "   ", ""),
    ("slack", "a\x00b", ""),
    ("slack", "a\ud800", ""),
    ("slack", "a\u202eb", ""),
    ("slack", "x" * 255, ""),
    ("email", "\ufdfa" * 40 + "@example.com", ""),
]


@pytest.mark.parametrize(("channel", "typed", "country", "kept"), HANDLES)
def test_a_handle_is_kept_in_one_way(channel: str, typed: str, country: str, kept: str) -> None:
    assert normalised(channel, typed, country=country) == kept


@pytest.mark.parametrize(("channel", "typed", "country"), NO_HANDLES, ids=ascii)
def test_what_is_no_handle_is_refused(channel: str, typed: str, country: str) -> None:
    with pytest.raises(Invalid) as refused:
        normalised(channel, typed, country=country)
    assert refused.value.errors[0].pointer == "/value"


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["sms", "email", "slack"]),
    st.text(max_size=40) | st.emails(),
    st.sampled_from(["", "AT"]),
)
def test_what_is_kept_is_kept_so_again(channel: str, typed: str, country: str) -> None:
    try:
        once = normalised(channel, typed, country=country)
    except Invalid:
        return
    assert normalised(channel, once, country=country) == once


def test_a_channel_is_one_word() -> None:
    assert checked_channel(" SMS ") == "sms"
    for name in ("", "two words", "ümlaut", "x" * 41, "-dash"):
        with pytest.raises(Invalid):
            checked_channel(name)


# --- At the API ----------------------------------------------------------------------------------------------------


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


@pytest.fixture
def ann(owner: Principal) -> Principal:
    return make_principal(workspace=owner.workspace, role="member")


@pytest.fixture
def ben(owner: Principal) -> Principal:
    return make_principal(workspace=owner.workspace, role="member")


def claim(client: Any, whose: Principal, **fields: Any) -> Any:
    assert whose.user
    body = {"user": str(whose.user.id), "channel": "SMS", "value": "+43 660 1234567"} | fields
    return send(client, "POST", PLACE, body)


def verify(client: Any, identity: str, *, verified: bool = True) -> Any:
    return send(client, "PATCH", f"{PLACE}{identity}/", {"verified": verified})


def whose(owner: Principal) -> Any:
    """The user whose messages come from the number."""
    key = make_key_principal(owner, "users:act_as:identity")
    return resolve(key, Selectors(identity=IdentitySelector("sms", NUMBER))).user


def test_a_claim_is_kept_normalised_and_becomes_certain_when_verified(
    owner: Principal, ann: Principal
) -> None:
    client = session_client(owner)
    made = claim(client, ann)
    assert (made.status_code, made["Location"]) == (201, f"{PLACE}{made.json()['id']}/")
    assert (made.json()["value"], made.json()["channel"], made.json()["verified_at"]) == (NUMBER, "sms", None)

    sure = verify(client, made.json()["id"]).json()
    assert sure["verified_at"]
    assert sure["verified_by"] == owner.author
    assert verify(client, made.json()["id"]).json() == sure
    assert whose(owner) == ann.user
    assert problem_of(claim(client, ann), 409)["code"] == "identity_claimed"


def test_a_recycled_number_is_the_new_one_s_and_the_old_one_keeps_a_claim(
    owner: Principal, ann: Principal, ben: Principal
) -> None:
    client = session_client(owner)
    old = claim(client, ann, verified=True).json()["id"]
    new = claim(client, ben).json()["id"]
    assert whose(owner) == ann.user

    verify(client, new)
    assert whose(owner) == ben.user
    assert client.get(f"{PLACE}{old}/").json()["verified_at"] is None
    verify(client, new, verified=False)
    assert Identity.objects.verified().count() == 0


def test_of_two_who_claim_a_number_at_most_one_has_it(
    owner: Principal, ann: Principal, ben: Principal
) -> None:
    for each in (ann, ben):
        assert claim(session_client(owner), each, verified=True).status_code == 201
    assert list(Identity.objects.verified().values_list("user", flat=True)) == [ben.user.pk]  # type: ignore[union-attr]
    with pytest.raises(IntegrityError), transaction.atomic():
        Identity.objects.update(verified_at="2026-01-01T00:00Z", verified_by="user:x")


def test_a_number_is_somebody_else_s_in_another_workspace(owner: Principal, ann: Principal) -> None:
    other = make_principal()
    claim(session_client(owner), ann, verified=True)
    assert claim(session_client(other), other, verified=True).status_code == 201
    assert whose(owner) == ann.user
    assert whose(other) == other.user


def test_what_is_wrong_with_a_claim_is_pointed_at(owner: Principal, ann: Principal) -> None:
    client, stranger = session_client(owner), make_principal()
    for fields, pointer in (
        ({"user": str(stranger.user.id)}, "/user"),  # type: ignore[union-attr]
        ({"user": str(uuid.uuid4())}, "/user"),
        ({"user": "me"}, "/user"),
        ({"channel": "two words"}, "/channel"),
        ({"value": "0660 1234567"}, "/value"),
        ({"value": "\x00"}, "/value"),
        ({"verified": "yes"}, "/verified"),
        ({"colour": "red"}, "/colour"),
    ):
        assert problem_of(claim(client, ann, **fields), 422)["errors"][0]["pointer"] == pointer
    foreign, absent = (
        problem_of(claim(client, ann, user=str(user)), 422)
        for user in (stranger.user.id, uuid.uuid4())  # type: ignore[union-attr]
    )
    assert foreign | {"instance": ""} == absent | {"instance": ""}
    assert Identity.objects.count() == 0


def test_claiming_and_verifying_are_two_grants_and_members_have_neither(
    owner: Principal, ann: Principal
) -> None:
    writer = key_client(owner, "identities:write")
    made = claim(writer, ann)
    assert made.status_code == 201
    assert problem_of(claim(writer, ann, verified=True), 403)["code"] == "forbidden"
    assert problem_of(verify(writer, made.json()["id"]), 403)["code"] == "forbidden"
    assert verify(key_client(owner, "identities:verify"), made.json()["id"]).status_code == 200
    for client in (session_client(ann), key_client(ann)):
        for answer in (client.get(PLACE), claim(client, ann), verify(client, made.json()["id"])):
            problem_of(answer, 403)


def test_the_list_is_filtered(owner: Principal, ann: Principal, ben: Principal) -> None:
    client = session_client(owner)
    sure = claim(client, ann, verified=True).json()["id"]
    claimed = claim(client, ben).json()["id"]
    mail = claim(client, ben, channel="email", value="ben@example.com").json()["id"]
    for query, expected in (
        ({}, [mail, claimed, sure]),
        ({"verified": "true"}, [sure]),
        ({"verified": "false"}, [mail, claimed]),
        ({"channel": "email"}, [mail]),
        ({"channel": "\x00"}, []),
        ({"user": str(ann.user.id)}, [sure]),  # type: ignore[union-attr]
    ):
        assert [row["id"] for row in client.get(PLACE, query).json()["results"]] == expected, query
    assert session_client(make_principal()).get(PLACE).json()["results"] == []
    problem_of(client.get(PLACE, {"verified": "perhaps"}), 422)


def test_messages_from_a_removed_identity_are_nobody_s(owner: Principal, ann: Principal) -> None:
    client = session_client(owner)
    made = claim(client, ann, verified=True).json()["id"]
    assert client.delete(f"{PLACE}{made}/").status_code == 204
    with pytest.raises(Invalid, match="Nobody here"):
        whose(owner)


@pytest.mark.django_db(transaction=True)
def test_of_eight_first_messages_at_once_one_makes_the_guest() -> None:
    key = make_key_principal(make_principal(), "users:act_as:identity", "users:provision")

    def first_message() -> tuple[Any, bool]:
        try:
            with transaction.atomic():
                return guests.provision(key, "sms", NUMBER)
        finally:
            connection.close()

    found = in_parallel(8, first_message)
    assert len({user.pk for user, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1
    assert Membership.objects.filter(role="guest").count() == 1
    assert User.objects.filter(email__endswith=".invalid").count() == 1
